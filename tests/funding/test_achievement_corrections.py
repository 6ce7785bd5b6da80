"""An approved achievement that was wrong: two people put it right, and a line of its own makes up for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.events.funding import AchievementApproved
from shared.identity import Role
from tests.funding.test_achievements import (
    ACHIEVEMENTS,
    approved,
    commissioner,
    declared,
    lines_of,
    network,
    restated,
    served,
)
from tests.funding.test_journey import paid
from tests.harness import Harness

CORRECTIONS = "/funding/v1/achievement-corrections"
RIGHT = {"numerator": 8820, "denominator": 9900, "adjustments": 100, "reason": "One practice's extract was left out."}


async def an_approved_one(app: Harness) -> dict[str, Any]:
    """73.5 per cent: 8,712.00."""
    await served(app)
    await restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    return await approved(app, made)


async def proposed(app: Harness, achievement: dict[str, Any], **changed: Any) -> dict[str, Any]:
    reply = await app.post(f"{ACHIEVEMENTS}/{achievement['id']}/corrections", {**RIGHT, **changed}, network(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_a_correction_pays_the_difference_and_another_takes_it_back(funding_app: Harness) -> None:
    app = funding_app
    achievement = await an_approved_one(app)
    await paid(app, "2022-04")
    before = await lines_of(app, stream="iif")
    correction = await proposed(app, achievement)
    assert (correction["status"], correction["difference"], correction["before"]) == ("proposed", None, None)
    unchanged = (await app.client.get(f"{ACHIEVEMENTS}/{achievement['id']}", headers=network(app))).json()
    assert (unchanged["numerator"], unchanged["amount"]) == (7203, "8712.00"), "nothing before a second person agrees"
    done = await app.put(f"{CORRECTIONS}/{correction['id']}/approval", None, commissioner(app))
    assert (done.status_code, done.json()["difference"]) == (200, "8712.00"), done.text
    assert (done.json()["before"]["numerator"], done.json()["before"]["amount"]) == (7203, "8712.00")
    shown = (await app.client.get(f"{ACHIEVEMENTS}/{achievement['id']}", headers=network(app))).json()
    assert (shown["numerator"], shown["points"], shown["amount"]) == (8820, "88.000000", "17424.00")
    assert (await paid(app, "2022-05"))["totals"]["iif"] == {"lines": 1, "amount": "8712.00"}
    back = await proposed(app, achievement, numerator=7203, reason="It had been counted twice.")
    taken = await app.put(f"{CORRECTIONS}/{back['id']}/approval", None, commissioner(app))
    assert taken.json()["difference"] == "-8712.00"
    await paid(app, "2022-06")
    lines = await lines_of(app, stream="iif")
    assert [(line["amount"], line["cause"]) for line in lines] == [
        ("8712.00", "due"),
        ("8712.00", "achievement-corrected"),
        ("-8712.00", "achievement-corrected"),
    ]
    assert lines[0] == before[0], "the paid line is as it was"
    for line in lines:
        told = (await app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=network(app))).json()
        assert told["recomputed"] == line["amount"]
    assert "was put right" in told["sentence"]
    causes = [event.cause for event in await app.announced() if isinstance(event, AchievementApproved)]
    assert causes == ["due", "achievement-corrected", "achievement-corrected"]


async def test_a_correction_that_comes_to_the_same_is_kept_and_pays_nothing(funding_app: Harness) -> None:
    app = funding_app
    achievement = await an_approved_one(app)
    same = await proposed(app, achievement, numerator=7203)
    done = await app.put(f"{CORRECTIONS}/{same['id']}/approval", None, commissioner(app))
    assert (done.json()["status"], done.json()["difference"]) == ("approved", None)
    assert (await paid(app, "2022-04"))["totals"]["iif"] == {"lines": 1, "amount": "8712.00"}


async def test_what_may_not_be_corrected_is_refused(funding_app: Harness) -> None:
    app = funding_app
    achievement = await an_approved_one(app)
    waiting = await declared(app, "VI-01", "2021-22", numerator=600, denominator=1000)
    path = f"{ACHIEVEMENTS}/{waiting['id']}/corrections"
    early = await app.post(path, RIGHT, network(app))
    assert (early.status_code, early.json()["code"]) == (409, "AchievementNotApproved")
    stranger = await app.post(f"{ACHIEVEMENTS}/{achievement['id']}/corrections", RIGHT, network(app, "U55555"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "AchievementNotFound")
    wrong = {**RIGHT, "numerator": 9900}
    malformed = await app.post(f"{ACHIEVEMENTS}/{achievement['id']}/corrections", wrong, network(app))
    assert malformed.status_code == 422
    ask = {"subject": "carol"}
    first = await app.post(f"{ACHIEVEMENTS}/{achievement['id']}/corrections", RIGHT, commissioner(app, **ask))
    assert first.status_code == 201
    second = await app.post(f"{ACHIEVEMENTS}/{achievement['id']}/corrections", RIGHT, network(app))
    assert (second.status_code, second.json()["code"]) == (409, "CorrectionInProgress")
    one = f"{CORRECTIONS}/{first.json()['id']}"
    alone = await app.put(f"{one}/approval", None, commissioner(app, **ask))
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePersonCorrects")
    assert (await app.client.put(f"{one}/approval", headers=commissioner(app, "dan"))).status_code == 428
    stale = {**commissioner(app, "dan"), "If-Match": '"7"'}
    assert (await app.client.put(f"{one}/approval", headers=stale)).status_code == 412
    assert (await app.put(f"{one}/approval", None, network(app), match='"1"')).status_code == 403
    other = commissioner(app, "eve", "11M")
    assert (await app.put(f"{one}/approval", None, other, match='"1"')).status_code == 404
    assert (await app.client.get(one, headers=other)).json()["code"] == "CorrectionNotFound"
    why = {"reason": "The extract was whole."}
    refused = await app.put(f"{one}/refusal", why, commissioner(app, **ask))
    assert (refused.json()["status"], refused.json()["refusal"]) == ("refused", why["reason"])
    for what, body in (("approval", None), ("refusal", why)):
        again = await app.put(f"{one}/{what}", body, commissioner(app, "dan"))
        assert (again.status_code, again.json()["code"]) == (409, "CorrectionDecided")
    listed = await app.client.get(CORRECTIONS, params={"status": "refused"}, headers=network(app))
    assert [item["id"] for item in listed.json()["items"]] == [first.json()["id"]]
    assert (await app.client.get(CORRECTIONS, headers=network(app, "U55555"))).json()["items"] == []


async def test_two_approvals_of_a_correction_at_once_have_one_effect(funding_live: Harness) -> None:
    app = funding_live
    achievement = await an_approved_one(app)
    correction = await proposed(app, achievement)
    path = f"{CORRECTIONS}/{correction['id']}/approval"
    replies = await asyncio.gather(
        *(app.client.put(path, headers={**commissioner(app, who), "If-Match": '"1"'}) for who in ("carol", "dan"))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412]
    amounts = [event.amount for event in await app.announced() if isinstance(event, AchievementApproved)]
    assert [str(amount) for amount in amounts] == ["8712.00", "8712.00"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE achievement_corrections SET numerator = 1",
        "UPDATE achievement_corrections SET decided_by = proposed_by, status = 'approved'",
        "DELETE FROM achievement_corrections",
    ],
)
async def test_the_database_keeps_what_was_proposed(funding_app: Harness, statement: str) -> None:
    await proposed(funding_app, await an_approved_one(funding_app))
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(statement))


async def test_nobody_but_those_concerned_proposes(funding_app: Harness) -> None:
    achievement = await an_approved_one(funding_app)
    payee = funding_app.token(Role.PAYEE, organisations=["A00001"])
    reply = await funding_app.post(f"{ACHIEVEMENTS}/{achievement['id']}/corrections", RIGHT, payee)
    assert reply.status_code == 403
