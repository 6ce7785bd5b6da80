"""A right to be paid withdrawn from a day, and given back: streams stop, what was paid comes back, and returns."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from shared.events.registry import EntitlementRestored, EntitlementWithdrawn
from tests.funding.asking import amounts, entitled, explained
from tests.funding.builders import COMMISSIONER, NETWORK
from tests.funding.test_journey import an_area, paid
from tests.funding.test_membership_rules import published
from tests.funding.test_payables import an_approved_claim
from tests.funding.test_runs import lines_of
from tests.harness import Harness


def withdrawn(first: date = date(2022, 4, 1), practice: str | None = None, number: int = 1) -> EntitlementWithdrawn:
    return EntitlementWithdrawn(
        withdrawal=f"wdr-{number}",
        network=NETWORK,
        commissioner=COMMISSIONER,
        practice=practice,
        withdrawn_from=first,
        reason="nothing was delivered",
    )


def restored(first: date, practice: str | None = None, number: int = 1) -> EntitlementRestored:
    return EntitlementRestored(
        withdrawal=f"wdr-{number}",
        network=NETWORK,
        commissioner=COMMISSIONER,
        practice=practice,
        restored_from=first,
        reason="the appeal was upheld",
    )


async def test_a_network_without_the_right_gives_back_what_it_was_paid_and_an_appeal_returns_it(
    funding_app: Harness,
) -> None:
    await an_area(funding_app)
    april = await paid(funding_app, "2022-04")
    await funding_app.deliver(withdrawn())
    may = await paid(funding_app, "2022-05")
    assert Decimal(may["total"]) == -Decimal(april["total"])
    assert {line["cause"] for line in await lines_of(funding_app, may)} == {"withdrawal"}
    line = (await lines_of(funding_app, may, stream="core_registered"))[0]
    told = await explained(funding_app, line)
    assert line["amount"] == "-6250.00"
    assert any("nothing was delivered" in step for step in told["arithmetic"])
    await funding_app.deliver(restored(date(2022, 4, 1)))
    june = await paid(funding_app, "2022-06")
    core = await amounts(funding_app, june, stream="core_registered")
    assert core == {
        ("2022-04", "withdrawal"): "6250.00",
        ("2022-05", "due"): "6250.00",
        ("2022-06", "due"): "6250.00",
    }


async def test_a_practice_without_the_right_loses_its_own_payment_and_its_patients_go_on_counting(
    funding_app: Harness,
) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    await funding_app.deliver(withdrawn(date(2022, 4, 1), "A00002"))
    may = await paid(funding_app, "2022-05")
    assert await amounts(funding_app, may, practice="A00002") == {("2022-04", "withdrawal"): "-2788.25"}
    assert await amounts(funding_app, may, stream="core_registered") == {("2022-05", "due"): "6250.00"}
    await funding_app.deliver(restored(date(2022, 6, 1), "A00002"))
    june = await paid(funding_app, "2022-06")
    assert await amounts(funding_app, june, practice="A00002") == {("2022-06", "due"): "2788.25"}
    told = await entitled(funding_app, "2022-06")
    assert [(w["practice"], w["withdrawn_from"], w["restored_from"]) for w in told["withdrawals"]] == [
        ("A00002", "2022-04-01", "2022-06-01")
    ]


@pytest.mark.parametrize(("kind", "core"), [("first-day", None), ("days", "3125.00"), ("any-day", "6250.00")])
async def test_a_right_withdrawn_within_a_month_follows_the_rule_of_membership(
    funding_app: Harness, kind: str, core: str | None
) -> None:
    await an_area(funding_app)
    await published(funding_app, kind, last="2023-03")
    # without the right from the first to the fifteenth
    await funding_app.deliver(withdrawn(date(2022, 4, 1)), restored(date(2022, 4, 16)))
    run = await paid(funding_app, "2022-04")
    assert (await amounts(funding_app, run, stream="core_registered")).get(("2022-04", "due")) == core


async def test_withdrawal_and_return_count_in_any_order_and_however_often_they_come(funding_app: Harness) -> None:
    await an_area(funding_app)
    back, gone = restored(date(2022, 6, 1)), withdrawn(date(2022, 5, 1))
    await funding_app.deliver(back, position=20)
    await funding_app.deliver(gone, position=10)
    await funding_app.deliver(back, position=20)
    run = await paid(funding_app, "2022-06")
    months = {line["month"] for line in await lines_of(funding_app, run, stream="core_registered")}
    assert months == {"2022-04", "2022-06"}


async def test_a_claim_of_a_month_without_the_right_waits_until_the_right_comes_back(funding_app: Harness) -> None:
    await an_area(funding_app)
    await an_approved_claim(funding_app)
    await funding_app.deliver(withdrawn(date(2022, 4, 1)))
    april = await paid(funding_app, "2022-04")
    (line,) = await lines_of(funding_app, april, stream="arrs")
    assert (line["amount"], line["held_code"], line["reference"]) == (None, "right-withdrawn", "claims/claim-1")
    assert "nothing was delivered" in (await explained(funding_app, line))["sentence"]
    assert april["held"]["right-withdrawn"] == 1
    await funding_app.deliver(restored(date(2022, 4, 1)))
    may = await paid(funding_app, "2022-05")
    assert await amounts(funding_app, may, stream="arrs") == {("2022-04", "claim-late"): "3730.00"}
