"""A right to be paid is withdrawn, appealed against and given back, and every step can be told as it was known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared.events import registry as events
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, codes, commissioner, load_sample, national, practice

NOTICE = {
    "network": "U90001",
    "practice": "Z80012",
    "reason": "Nothing was delivered since April.",
    "evidence": ["Visits of 2 May and 9 June"],
    "notified_on": "2022-06-15",
    "withdrawn_from": "2022-07-01",
    "appeal_by": "2022-07-15",
}


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def network(app: Harness, code: str = "U90001") -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[code], subject="ned")


async def notice(app: Harness, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return await app.post(f"{V1}/withdrawals", {**NOTICE, **changes}, headers or commissioner(app, "SB2"))


async def given(app: Harness, **changes: Any) -> str:
    answer = await notice(app, **changes)
    assert answer.status_code == 201, answer.text
    return f"{V1}/withdrawals/{answer.json()['id']}"


async def appealed(app: Harness, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"reason": "The service was delivered.", "lodged_on": "2022-07-10", **more}
    return await app.put(f"{path}/appeal", body, headers or commissioner(app, "SB2"))


async def settled(app: Harness, path: str, headers: dict[str, str], outcome: str = "upheld") -> httpx.Response:
    body = {"outcome": outcome, "reason": "Looked at again.", "decided_on": "2022-08-01"}
    return await app.put(f"{path}/outcome", body, headers)


async def lapsed(app: Harness, day: str, **more: str) -> list[str]:
    answer = await app.client.get(f"{V1}/withdrawals", params={"as_at": day, **more}, headers=national(app))
    assert answer.status_code == 200, answer.text
    return [item["practice"] or item["network"] for item in answer.json()["items"]]


async def told(app: Harness) -> list[tuple[str, date]]:
    found = []
    for event in await app.announced():
        if isinstance(event, events.EntitlementWithdrawn):
            found.append(("withdrawn", event.withdrawn_from))
        elif isinstance(event, events.EntitlementRestored):
            found.append(("restored", event.restored_from))
    return found


async def test_a_practice_loses_its_right_from_a_day_and_an_appeal_upheld_gives_it_back_from_that_day(
    app: Harness,
) -> None:
    path = await given(app)
    assert await told(app) == [("withdrawn", date(2022, 7, 1))]
    assert (await lapsed(app, "2022-06-30"), await lapsed(app, "2022-07-01")) == ([], ["Z80012"])
    answer = await appealed(app, path)
    assert (answer.status_code, answer.json()["state"]) == (200, "appealed")
    before = datetime.now(UTC).isoformat()
    upheld = await settled(app, path, national(app))
    assert upheld.status_code == 200, upheld.text
    assert (upheld.json()["state"], upheld.json()["restored_from"]) == ("upheld", "2022-07-01")
    assert await told(app) == [("withdrawn", date(2022, 7, 1)), ("restored", date(2022, 7, 1))]
    assert await lapsed(app, "2022-07-01") == []
    assert await lapsed(app, "2022-07-01", known_at=before) == ["Z80012"]
    then = (await app.client.get(path, params={"known_at": before}, headers=national(app))).json()
    assert (then["state"], then["appeal"]["outcome"], then["restored_from"]) == ("appealed", None, None)


async def test_an_appeal_dismissed_changes_nothing_and_the_commissioner_gives_the_right_back_later(
    app: Harness,
) -> None:
    path = await given(app, practice=None)
    await appealed(app, path)
    assert (await settled(app, path, national(app), "dismissed")).json()["state"] == "dismissed"
    assert await lapsed(app, "2022-10-01") == ["U90001"]
    again = await settled(app, path, national(app))
    assert (again.status_code, again.json()["code"]) == (409, "NoAppealWaiting")
    back = {"restored_from": "2022-10-01", "reason": "It delivers again."}
    early = await app.put(f"{path}/restoration", {**back, "restored_from": "2022-06-30"}, commissioner(app, "SB2"))
    assert (early.status_code, codes(early)) == (422, ["before_withdrawal"])
    answer = await app.put(f"{path}/restoration", back, commissioner(app, "SB2"))
    assert (answer.status_code, answer.json()["state"]) == (200, "restored")
    assert (await lapsed(app, "2022-09-30"), await lapsed(app, "2022-10-01")) == (["U90001"], [])
    assert (await told(app))[-1] == ("restored", date(2022, 10, 1))
    twice = await app.put(f"{path}/restoration", back, commissioner(app, "SB2"))
    assert (twice.status_code, twice.json()["code"]) == (409, "EntitlementAlreadyRestored")


async def test_an_appeal_comes_in_time_once_and_from_whom_it_concerns(app: Harness) -> None:
    path = await given(app)
    late = await appealed(app, path, lodged_on="2022-07-16")
    assert (late.status_code, late.json()["code"]) == (409, "AppealTooLate")
    today = await app.put(f"{path}/appeal", {"reason": "We did deliver."}, network(app))
    assert (today.status_code, today.json()["code"]) == (409, "AppealTooLate")
    dated = await appealed(app, path, network(app))
    assert (dated.status_code, codes(dated)) == (422, ["not_yours_to_say"])
    odd = await appealed(app, path, lodged_on="2022-06-14")
    assert (odd.status_code, codes(odd)) == (422, ["out_of_order"])
    stranger = await app.client.put(
        f"{path}/appeal", json={"reason": "why not"}, headers=practice(app, "Z80014") | {"If-Match": '"1"'}
    )
    assert stranger.status_code == 404
    assert (await appealed(app, path)).status_code == 200
    twice = await appealed(app, path)
    assert (twice.status_code, twice.json()["code"]) == (409, "AppealedAlready")


async def test_the_practice_itself_appeals_and_may_take_it_back(app: Harness) -> None:
    path = await given(app, appeal_by="2199-12-31")
    mine = practice(app, "Z80012")
    assert (await app.put(f"{path}/appeal", {"reason": "We did deliver."}, mine)).status_code == 200
    own = await app.put(
        f"{path}/outcome", {"outcome": "upheld", "reason": "By ourselves.", "decided_on": "2022-08-01"}, mine
    )
    assert (own.status_code, own.json()["code"]) == (403, "NotYoursToHear")
    theirs = await settled(app, path, commissioner(app, "SB2"))
    assert (theirs.status_code, theirs.json()["code"]) == (403, "NotYoursToHear")
    other = await settled(app, path, commissioner(app, "SB2"), "withdrawn")
    assert (other.status_code, other.json()["code"]) == (403, "NotYoursToAppeal")
    back = {"outcome": "withdrawn", "reason": "We think better of it.", "decided_on": "2022-08-01"}
    early = await app.put(f"{path}/outcome", back, mine)
    assert (early.status_code, codes(early)) == (422, ["before_the_appeal"])
    today = datetime.now(UTC).date().isoformat()
    answer = await app.put(f"{path}/outcome", {**back, "decided_on": today}, mine)
    assert (answer.status_code, answer.json()["state"]) == (200, "appeal_withdrawn")
    future = await app.put(f"{path}/outcome", {**back, "decided_on": "2199-01-01"}, mine)
    assert (future.status_code, codes(future)) == (422, ["in_the_future"])
    assert await lapsed(app, "2022-07-01") == ["Z80012"]


async def test_every_fault_of_a_notice_is_named_at_once(app: Harness) -> None:
    answer = await notice(
        app, practice="Z80014", notified_on="2199-06-15", withdrawn_from="2022-07-01", appeal_by="2022-07-15"
    )
    assert answer.status_code == 422
    assert codes(answer) == ["in_the_future", "before_notice", "before_notice", "not_a_member"]
    bare = await notice(app, evidence=[])
    assert (bare.status_code, bare.json()["errors"][0]["field"]) == (422, "body.evidence")


async def test_only_who_decides_for_the_network_withdraws_its_right(app: Harness) -> None:
    stranger = await notice(app, commissioner(app, "SA1"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "NotYoursToDecide")
    assert (await notice(app, network(app))).status_code == 403
    nobody = await notice(app, national(app), network="U99998")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "NetworkNotFound")
    assert (await notice(app, national(app))).status_code == 201
    twice = await notice(app)
    assert (twice.status_code, twice.json()["code"]) == (409, "EntitlementAlreadyWithdrawn")
    assert (await notice(app, practice="Z80013")).status_code == 201


async def test_a_withdrawal_is_seen_by_whom_it_concerns_and_nobody_else(app: Harness) -> None:
    path = await given(app)
    for headers, status in (
        (practice(app, "Z80012"), 200),
        (practice(app, "Z80013"), 404),
        (network(app), 200),
        (network(app, "U90002"), 404),
        (commissioner(app, "SA1"), 404),
        (app.token(Role.SYSTEM, organisations=["QZ2"]), 200),
        (app.token(Role.LMC, organisations=["SA1"]), 404),
    ):
        assert (await app.client.get(path, headers=headers)).status_code == status
        listed = (await app.client.get(f"{V1}/withdrawals", headers=headers)).json()["items"]
        assert len(listed) == (status == 200)
    missing = await app.client.put(f"{path}/appeal", json={"reason": "why not"}, headers=network(app))
    assert missing.status_code == 428
    stale = await app.put(f"{path}/appeal", {"reason": "why not"}, network(app), match='"9"')
    assert stale.status_code == 412


async def test_the_database_itself_refuses_two_withdrawals_of_one_right(registry_live: Harness) -> None:
    await load_sample(registry_live)
    assert (await notice(registry_live)).status_code == 201
    copy = text(
        "insert into lapses (network, whose, withdrawal, valid, known) "
        "select network, whose, withdrawal, '[2023-01-01,2023-02-01)', known from lapses"
    )
    with pytest.raises(IntegrityError, match="ex_lapses_overlap"):
        async with registry_live.session() as session:
            await session.execute(copy)


async def test_a_commissioner_may_let_salaries_already_paid_stay_with_a_reason(app: Harness) -> None:
    path = await given(app, practice=None, salaries_stay="Staff was in post and paid in good faith.")
    shown = (await app.client.get(path, headers=national(app))).json()
    assert shown["salaries_stay"] == "Staff was in post and paid in good faith."
    (event,) = [event for event in await app.announced() if isinstance(event, events.EntitlementWithdrawn)]
    assert event.salaries_stay == "Staff was in post and paid in good faith."
    of_a_practice = await notice(app, practice="Z80013", salaries_stay="They are paid already.")
    assert of_a_practice.status_code == 422
    assert codes(of_a_practice) == ["of_a_practice"]
    plain = await app.client.get(await given(app), headers=national(app))
    assert plain.json()["salaries_stay"] is None
