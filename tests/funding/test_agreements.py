"""A network agreement as a condition of payment: a dated rule, held lines that say what is missing, and paid after."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.clock import london_day
from shared.events.registry import AgreementEnded, AgreementSigned
from shared.identity import Role
from tests.funding.adding_up import adds_up
from tests.funding.asking import amounts, commissioner, entitled, explained
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, an_approved_network
from tests.funding.test_adds_up import runs
from tests.funding.test_claims_decided import CLAIMS
from tests.funding.test_journey import an_area
from tests.funding.test_restatements import nothing_paid_is_touched
from tests.funding.test_runs import lines_of, nan
from tests.harness import Harness

RULES = "/funding/v1/agreement-rules"
MISSING = "No version of the network agreement is in force; from 2022-05 on a network is paid when one is."


async def rule(app: Harness, first: str = "2022-05", *, needed: bool = True, **more: Any) -> dict[str, Any]:
    body = {"needed": needed, "first_month": first, "note": "No agreement, no payment.", **more}
    reply = await app.post(RULES, body, nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def signed(first: date, version: int = 1) -> AgreementSigned:
    return AgreementSigned(network=NETWORK, commissioner=COMMISSIONER, agreement_version=version, in_force_from=first)


def ended(last: date, version: int = 1) -> AgreementEnded:
    return AgreementEnded(
        network=NETWORK, commissioner=COMMISSIONER, agreement_version=version, last_day=last, reason="said"
    )


async def by_application(app: Harness) -> None:
    """The usual network, approved in a round and not by the register."""
    await an_area(app)
    await app.deliver(an_approved_network(payee="A00001").model_copy(update={"decided_by": "round"}))


async def test_without_a_rule_and_for_networks_of_the_register_nothing_waits(funding_app: Harness) -> None:
    app = funding_app
    await by_application(app)
    (april,) = await runs(app, ["2022-04"])
    await app.deliver(an_approved_network(payee="A00001"))
    await rule(app)
    (may,) = await runs(app, ["2022-05"])
    assert "agreement-missing" not in {**april["held"], **may["held"]}
    assert april["totals"]["core_registered"] == may["totals"]["core_registered"]


async def test_lines_wait_for_an_agreement_say_so_and_are_paid_with_the_months_before(funding_app: Harness) -> None:
    app = funding_app
    await by_application(app)
    await rule(app)
    await app.deliver(a_claim(month="2022-05", worked_from=date(2022, 5, 1), worked_to=date(2022, 5, 30)))
    assert (await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))).status_code == 200
    april, may = await runs(app, ["2022-04", "2022-05"])
    assert april["total"] == "25450.17"
    assert may["lines"] == 0
    held = await lines_of(app, may, held="true")
    assert {(line["stream"], line["held_code"]) for line in held} >= {
        ("core_registered", "agreement-missing"),
        ("network_participation", "agreement-missing"),
        ("arrs", "agreement-missing"),
    }
    core = next(line for line in held if line["stream"] == "core_registered")
    assert MISSING in (await explained(app, core))["sentence"]
    told = await entitled(app, "2022-05")
    waiting = next(item for item in told["items"] if item["stream"] == "core_registered")
    assert (waiting["due"], waiting["held"]) == (
        "6250.00",
        [{"months": ["2022-05"], "code": "agreement-missing", "reason": MISSING}],
    )
    statement = await app.client.get(
        "/funding/v1/statements", params={"payee": "A00001", "month": "2022-05"}, headers=nan(app)
    )
    assert {one["stream"] for one in statement.json()["coming"]["streams"] if MISSING in one["held"]} >= {
        "core_registered",
        "arrs",
    }
    await adds_up(app)
    await app.deliver(signed(date(2022, 6, 15)))
    async with nothing_paid_is_touched(app):
        (july,) = await runs(app, ["2022-07"])
    assert await amounts(app, july, stream="core_registered") == {
        ("2022-05", "due"): "6250.00",
        ("2022-06", "due"): "6250.00",
        ("2022-07", "due"): "6250.00",
    }
    assert await amounts(app, july, stream="arrs") == {("2022-05", "claim-late"): "3730.00"}
    await adds_up(app)


async def test_an_agreement_that_ended_holds_the_months_after_it_and_what_was_paid_stays(
    funding_app: Harness,
) -> None:
    app = funding_app
    await by_application(app)
    await rule(app)
    await app.deliver(signed(date(2020, 7, 1)))
    await runs(app, ["2022-04", "2022-05"])
    await app.deliver(ended(date(2022, 5, 31)))
    (june,) = await runs(app, ["2022-06"])
    assert june["lines"] == 0
    (core,) = await lines_of(app, june, stream="core_registered")
    assert "Version 1 of the network agreement ended on 2022-05-31 and no other" in core["held_reason"]
    await adds_up(app)
    await app.deliver(signed(date(2022, 8, 1), version=2))
    (july,) = await runs(app, ["2022-07"])
    assert set(await amounts(app, july, stream="core_registered")) == {("2022-06", "due"), ("2022-07", "due")}
    # a signature of the second turns out never to have been given: the months after the first wait again
    await app.deliver(ended(date(2022, 7, 31), version=2))
    async with nothing_paid_is_touched(app):
        (august,) = await runs(app, ["2022-08"])
    assert (august["lines"], await amounts(app, august)) == (0, {})
    await adds_up(app)


async def test_a_version_that_ended_does_not_bring_back_the_one_before_but_one_that_never_was_does(
    funding_app: Harness,
) -> None:
    app = funding_app
    await by_application(app)
    await rule(app, "2022-04")
    await app.deliver(signed(date(2020, 7, 1)), signed(date(2022, 4, 1), version=2))
    await app.deliver(ended(date(2022, 5, 31), version=2))
    april, _, june = await runs(app, ["2022-04", "2022-05", "2022-06"])
    assert (april["total"], june["lines"]) == ("25450.17", 0)
    (core,) = await lines_of(app, june, stream="core_registered")
    assert "Version 2 of the network agreement ended on 2022-05-31 and no other" in core["held_reason"]
    await adds_up(app)
    await app.deliver(ended(date(2022, 3, 31), version=2))
    (july,) = await runs(app, ["2022-07"])
    assert set(await amounts(app, july, stream="core_registered")) == {("2022-06", "due"), ("2022-07", "due")}
    await adds_up(app)


async def test_one_not_yet_in_force_does_not_count(funding_app: Harness) -> None:
    app = funding_app
    await by_application(app)
    await rule(app, "2022-04")
    await app.deliver(signed(london_day(datetime.now(UTC)) + timedelta(days=400)))
    (april,) = await runs(app, ["2022-04"])
    assert april["lines"] == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2, 1, 0)])
async def test_news_of_agreements_count_in_any_order_and_however_often_they_come(
    funding_app: Harness, order: tuple[int, ...]
) -> None:
    app = funding_app
    await by_application(app)
    await rule(app, "2022-04")
    news = [
        (signed(date(2020, 7, 1)), 101),
        (ended(date(2020, 6, 30)), 102),
        (signed(date(2022, 4, 20)), 103),
    ]
    for place in order:
        event, position = news[place]
        await app.deliver(event, position=position)
    (april,) = await runs(app, ["2022-04"])
    assert Decimal(april["total"]) > 0, "signed again after a signature was missing"


async def test_a_rule_is_dated_known_and_only_the_national_users_to_publish(funding_app: Harness) -> None:
    app = funding_app
    made = await rule(app, "2022-05")
    await rule(app, "2022-08", needed=False)
    shown = []
    for asked in ({"as_at": "2022-06-30"}, {"as_at": "2022-09-01"}, {"as_at": "2022-04-30"}):
        reply = await app.client.get(RULES, params=asked, headers=commissioner(app))
        shown.append([(one["needed"], one["valid_from"], one["valid_to"]) for one in reply.json()["items"]])
    assert shown == [[(True, "2022-05-01", "2022-07-31")], [(False, "2022-08-01", None)], []]
    then = await app.client.get(RULES, params={"known_at": made["published_at"]}, headers=commissioner(app))
    assert [(one["needed"], one["valid_to"]) for one in then.json()["items"]] == [(True, None)]
    body = {"needed": True, "first_month": "2022-05", "note": "Mine."}
    assert (await app.post(RULES, body, commissioner(app))).status_code == 403
    backwards = await app.post(RULES, {**body, "last_month": "2022-04"}, nan(app))
    assert (backwards.status_code, backwards.json()["errors"][0]["code"]) == (422, "before_first_month")
    stranger = app.token(Role.NETWORK, organisations=["U99999"])
    assert (await app.client.get(RULES, headers=stranger)).status_code == 200


async def test_what_was_due_is_told_as_the_agreement_was_known(funding_app: Harness) -> None:
    app = funding_app
    await by_application(app)
    made = await rule(app, "2022-04")
    await app.deliver(signed(date(2022, 4, 1)))
    now = await entitled(app, "2022-04")
    then = await entitled(app, "2022-04", known_at=made["published_at"])
    held = [item["held"][0]["code"] for item in then["items"] if item["stream"] == "core_registered"]
    assert (now["due"], then["due"], held) == ("25450.17", "0.00", ["agreement-missing"])
