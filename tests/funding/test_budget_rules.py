"""Sums for additional roles follow members and rights month by month, or stay as the year began: a dated rule."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.funding.budgets.words import recompute
from shared.events.funding import BudgetSet
from shared.events.registry import NetworkClosed, PracticeLeft
from tests.funding.asking import commissioner
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, list_sizes
from tests.funding.test_claims_decided import CLAIMS, an_area_in
from tests.funding.test_journey import an_area, paid
from tests.funding.test_membership_rules import published
from tests.funding.test_runs import lines_of, nan
from tests.funding.test_withdrawals import restored, withdrawn
from tests.harness import Harness

RULES = "/funding/v1/budget-rules"
LEFT = PracticeLeft(
    network=NETWORK,
    commissioner=COMMISSIONER,
    practice="A00002",
    valid_from=date(2020, 4, 1),
    valid_to=date(2022, 9, 30),
)


async def the_sum(app: Harness, year: str = "2022-23", **asked: str) -> dict[str, Any]:
    reply = await app.client.get(
        "/funding/v1/budgets", params={"contract_year": year, "network": NETWORK, **asked}, headers=nan(app)
    )
    assert reply.status_code == 200, reply.text
    (found,) = reply.json()["items"]
    if found["amount"] is not None:
        assert recompute(found["trace"]) == Decimal(found["amount"])
    shown: dict[str, Any] = found
    return shown


async def rule(app: Harness, kind: str, **more: str) -> None:
    body = {"kind": kind, "first_year": "2022-23", "note": "As the commissioners settled.", **more}
    reply = await app.post(RULES, body, nan(app))
    assert reply.status_code == 201, reply.text


async def told(app: Harness) -> list[Decimal | None]:
    return [event.amount for event in await app.announced() if isinstance(event, BudgetSet)]


async def test_a_member_that_leaves_takes_its_months_of_the_sum_along(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    assert (await the_sum(app))["amount"] == "834800.00"  # 16.696 × 50,000
    then = datetime.now(UTC).isoformat()
    await app.deliver(LEFT)
    now = await the_sum(app)
    assert now["amount"] == "676188.00"  # 16.696 × (50,000 × 6 + 31,000 × 6) / 12
    assert [(step["population"], len(step["months"])) for step in now["trace"]["steps"]] == [
        *(("50000", 6), ("31000", 6)),
    ]
    assert (await told(app))[-2:] == [Decimal("834800.00"), Decimal("676188.00")]
    assert (await the_sum(app, known_at=then))["amount"] == "834800.00"


async def test_a_rule_may_let_a_sum_stay_as_the_year_began(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(LEFT, withdrawn(date(2022, 11, 1)))
    await rule(app, "year")
    assert (await the_sum(app))["amount"] == "834800.00"
    await rule(app, "months", last_year="2022-23")
    # 16.696 × (50,000 × 6 + 31,000) / 12: October is the last month with the right
    assert (await the_sum(app))["amount"] == "460531.33"
    assert (await told(app))[-2:] == [Decimal("834800.00"), Decimal("460531.33")]


async def test_months_without_the_right_have_no_part_of_the_sum_until_it_comes_back(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(withdrawn(date(2022, 10, 1)))
    half = await the_sum(app)
    assert half["amount"] == "417400.00"
    assert half["trace"]["nobody_in"] == ["2022-10", "2022-11", "2022-12", "2023-01", "2023-02", "2023-03"]
    await app.deliver(restored(date(2023, 1, 1)))
    assert (await the_sum(app))["amount"] == "626100.00"
    await app.deliver(withdrawn(date(2022, 4, 1), number=2))
    assert (await the_sum(app))["amount"] == "0.00"
    await app.deliver(restored(date(2022, 4, 1), number=2), restored(date(2022, 10, 1)))
    assert (await the_sum(app))["amount"] == "834800.00"


async def test_a_network_that_ends_has_a_sum_for_the_months_it_served(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(NetworkClosed(network=NETWORK, commissioner=COMMISSIONER, closed_on=date(2022, 12, 31)))
    assert (await the_sum(app))["amount"] == "626100.00"


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        # the 15th of September is the last day: half of that month by days, all of it for whoever began it
        ("days", "662970.33"),
        ("any-day", "676188.00"),
        ("first-day", "676188.00"),
    ],
)
async def test_a_month_counts_by_the_rule_of_membership(funding_app: Harness, kind: str, amount: str) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(LEFT.model_copy(update={"valid_to": date(2022, 9, 15)}))
    await published(app, kind, last="2023-03")
    assert (await the_sum(app))["amount"] == amount


async def test_posts_of_the_first_year_count_for_the_months_served(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2019)
    whole = await the_sum(app, "2019-20")
    assert whole["amount"] == "53942.25"  # (37,810 + 34,113) × 9 / 12
    await app.deliver(withdrawn(date(2020, 1, 1)))
    assert (await the_sum(app, "2019-20"))["amount"] == "35961.50"  # six of the nine months


async def test_what_waits_for_the_right_takes_nothing_of_the_lowered_sum(funding_app: Harness) -> None:
    """Of £8,348.00 the half without the right goes; a claim of that half waits, and the others have the rest."""
    app = funding_app
    await an_area(app)
    await app.deliver(list_sizes("weighted", {"A00001": 300, "A00002": 200}, known_from=date(2022, 4, 2)))
    october = a_claim("claim-2", month="2022-10", worked_from=date(2022, 10, 1), worked_to=date(2022, 10, 31))
    await app.deliver(october, a_claim("claim-1", post="post-2"))
    for claim in ("claim-2", "claim-1"):
        assert (await app.put(f"{CLAIMS}/{claim}/approval", None, commissioner(app))).status_code == 200
    await app.deliver(withdrawn(date(2022, 10, 1)))
    assert (await the_sum(app))["amount"] == "4174.00"
    run = await paid(app, "2022-10")
    lines = {line["reference"]: line for line in await lines_of(app, run, stream="arrs")}
    assert lines["claims/claim-1"]["amount"] == "3730.00"
    assert lines["claims/claim-2"]["held_code"] == "right-withdrawn"
    more = a_claim("claim-3", post="post-3", salary=Decimal("400.00"), employer_ni=Decimal("0.00"))
    await app.deliver(more.model_copy(update={"employer_pension": Decimal("0.00")}))
    done = await app.put(f"{CLAIMS}/claim-3/approval", None, commissioner(app))
    assert (done.status_code, done.json()["payable"]) == (200, "400.00"), done.text
    await app.deliver(restored(date(2022, 10, 1)))
    november = await paid(app, "2022-11")
    assert november["totals"]["arrs"] == {"lines": 2, "amount": "4130.00"}


async def test_rules_of_sums_are_dated_known_and_published_nationally(funding_app: Harness) -> None:
    app = funding_app
    await rule(app, "year")
    then = datetime.now(UTC).isoformat()
    await rule(app, "months", first_year="2024-25")
    shown = []
    for asked in ({"as_at": "2023-05-01"}, {"as_at": "2024-05-01"}, {"as_at": "2024-05-01", "known_at": then}):
        reply = await app.client.get(RULES, params=asked, headers=commissioner(app))
        shown.append([(one["kind"], one["valid_from"], one["valid_to"]) for one in reply.json()["items"]])
    assert shown == [
        [("year", "2022-04-01", "2024-03-31")],
        [("months", "2024-04-01", None)],
        [("year", "2022-04-01", None)],
    ]
    body = {"kind": "year", "first_year": "2022-23", "note": "Mine."}
    assert (await app.post(RULES, body, commissioner(app))).status_code == 403
    backwards = await app.post(RULES, {**body, "last_year": "2021-22"}, nan(app))
    assert (backwards.status_code, backwards.json()["errors"][0]["code"]) == (422, "before_first_year")
