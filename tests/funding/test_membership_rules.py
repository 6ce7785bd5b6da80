"""How a practice counts that joins or leaves within a month: by the first of it unless another rule is published."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.funding.membership_rules.model import MembershipRule, RuleKind
from services.funding.payments.serving import Ground, Span, served_by_month
from shared.events.registry import Member, PatientsAllocated
from shared.identity import Role
from tests.funding.asking import entitled, explained
from tests.funding.builders import COMMISSIONER, NETWORK, an_approved_network
from tests.funding.test_journey import an_area, paid
from tests.funding.test_runs import lines_of, nan
from tests.harness import Harness

RULES = "/funding/v1/membership-rules"


async def published(app: Harness, kind: str, first: str = "2022-04", last: str | None = None) -> dict[str, Any]:
    rule = {"kind": kind, "first_month": first, "last_month": last, "note": "settled with the LMC"}
    reply = await app.post(RULES, rule, nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def an_area_with_a_joiner(app: Harness, day: date = date(2022, 4, 16)) -> None:
    """A00002 (20,000 registered, 19,000 weighted) joins in mid-April."""
    await an_area(app)
    first = Member(practice="A00001", valid_from=date(2020, 4, 1))
    await app.deliver(an_approved_network(members=[first, Member(practice="A00002", valid_from=day)], payee="A00001"))


@pytest.mark.parametrize(
    ("kind", "core", "own"),
    [
        ("first-day", "3750.00", []),  # 1.5 × 30,000 / 12
        ("any-day", "6250.00", ["2788.25"]),  # 1.5 × 50,000 / 12; 1.761 × 19,000 / 12
        ("days", "5000.00", ["1394.13"]),  # 1.5 × (30,000 + 20,000 × 15/30) / 12; 1.761 × 19,000 × 15/30 / 12
    ],
)
async def test_a_practice_joining_in_mid_april(funding_app: Harness, kind: str, core: str, own: list[str]) -> None:
    await an_area_with_a_joiner(funding_app)
    await published(funding_app, kind, last="2023-03")
    run = await paid(funding_app, "2022-04")
    lines = await lines_of(funding_app, run, stream="core_registered")
    assert [line["amount"] for line in lines] == [core]
    assert [line["amount"] for line in await lines_of(funding_app, run, practice="A00002")] == own
    told = await explained(funding_app, lines[0])
    words = {"first-day": "by the first of the month", "any-day": "on any day", "days": "by the day"}[kind]
    assert any(words in step for step in told["arithmetic"]), told["arithmetic"]
    if kind == "days":
        assert "30000 + 20000 × 15/30 days = 40000 registered patients at 2022-01-01" in told["arithmetic"]


async def test_another_rule_makes_good_what_was_paid_by_the_first(funding_app: Harness) -> None:
    await an_area_with_a_joiner(funding_app)
    await paid(funding_app, "2022-04")
    made = await published(funding_app, "days", last="2023-03")
    run = await paid(funding_app, "2022-05")
    core = {line["month"]: line for line in await lines_of(funding_app, run, stream="core_registered")}
    assert (core["2022-04"]["amount"], core["2022-04"]["cause"]) == ("1250.00", "membership-changed")
    assert core["2022-05"]["amount"] == "6250.00"
    then = {"as_at": "2022-04-01", "known_at": "2022-04-01T00:00:00Z"}
    before = (await funding_app.client.get(RULES, params=then, headers=nan(funding_app))).json()["items"]
    assert [rule["kind"] for rule in before] == ["first-day"]
    now = (await funding_app.client.get(RULES, params={"as_at": "2022-04-01"}, headers=nan(funding_app))).json()
    assert now["items"] == [made]


async def test_a_practice_that_moves_within_a_month_is_paid_once_by_every_rule(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        an_approved_network(
            members=[
                Member(practice="A00001", valid_from=date(2020, 4, 1)),
                Member(practice="A00002", valid_from=date(2020, 4, 1), valid_to=date(2022, 4, 10)),
            ]
        ),
        an_approved_network(
            "U99999", [Member(practice="A00002", valid_from=date(2022, 4, 11))], since=date(2020, 4, 1)
        ),
    )
    for kind, shares in (
        ("any-day", {NETWORK: "2788.25"}),
        ("days", {NETWORK: "929.42", "U99999": "1858.83"}),
    ):
        await published(funding_app, kind, last="2023-03")
        due: dict[str, str] = {}
        for network in (NETWORK, "U99999"):
            for item in (await entitled(funding_app, "2022-04", network))["items"]:
                if item["practice"] == "A00002":
                    due[network] = item["due"]
        assert due == shares, kind
        assert sum(map(Decimal, due.values())) == Decimal("2788.25")


async def test_the_first_months_of_2019_are_paid_with_july_by_who_was_in_on_its_first_day(
    funding_app: Harness,
) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        an_approved_network(members=["A00001"], since=date(2019, 7, 1), contract_year="2019-20"),
    )
    reply = (await funding_app.client.get(RULES, headers=nan(funding_app))).json()["items"]
    assert [(rule["counted_on"], rule["paid_from"], rule["confidence"]) for rule in reply] == [
        ("2019-07-01", "2019-07", "one_source"),
        (None, None, "derived"),
    ]
    june = await paid(funding_app, "2019-06")
    assert (june["lines"], june["held"]) == (0, {})
    july = await paid(funding_app, "2019-07")
    held = await lines_of(funding_app, july, stream="core_registered", held="true")
    assert held[0]["held_code"] == "population-missing"
    told = await explained(funding_app, held[0])
    assert told["trace"]["months"] == ["2019-04", "2019-05", "2019-06", "2019-07"]


async def test_refusals_of_rules(funding_app: Harness) -> None:
    rule = {"kind": "days", "first_month": "2022-06", "last_month": "2022-05", "note": "why"}
    backwards = await funding_app.post(RULES, rule, nan(funding_app))
    assert (backwards.status_code, backwards.json()["errors"][0]["code"]) == (422, "before_first_month")
    for wrong in ({"kind": "half"}, {"first_month": "2019-03"}, {"note": ""}):
        reply = await funding_app.post(RULES, {**rule, "last_month": None, **wrong}, nan(funding_app))
        assert reply.status_code == 422
    other = funding_app.token(Role.COMMISSIONER, organisations=[COMMISSIONER])
    assert (await funding_app.post(RULES, {**rule, "last_month": None}, other)).status_code == 403


# --- the rules alone ---

DAYS = st.integers(0, 40).map(lambda n: date.fromordinal(date(2022, 3, 25).toordinal() + n))


def rule(kind: RuleKind) -> MembershipRule:
    return MembershipRule(kind=kind, counted_on=None)


@given(
    kind=st.sampled_from(list(RuleKind)),
    moves=st.lists(DAYS, max_size=4, unique=True).map(sorted),
    without=st.lists(st.tuples(DAYS, DAYS), max_size=2),
)
def test_a_practice_going_from_network_to_network_never_counts_for_more_than_the_month(
    kind: RuleKind, moves: list[date], without: list[tuple[date, date]]
) -> None:
    edges = [date(2022, 1, 1), *moves, date(2022, 12, 1)]
    grounds = {code: Ground(date(2020, 4, 1), date.max, []) for code in ("U1", "U2")}
    for number, (begin, end) in enumerate(pairwise(edges)):
        grounds[("U1", "U2")[number % 2]].spans.append(Span("A1", Decimal(1), "member", begin, end))
    grounds["U1"].without["A1"] = [(begin, end) for begin, end in without if begin < end]
    served = served_by_month(grounds, ("2022-04",), {"2022-04": rule(kind)})
    parts = [who for by_month in served.values() for who in by_month["2022-04"]]
    assert sum((Fraction(who.days, who.of) for who in parts), Fraction(0)) == 1
    assert all(0 <= who.own <= who.days <= who.of for who in parts)


def test_an_allocated_list_taken_over_in_mid_month_counts_once() -> None:
    event = PatientsAllocated(network=NETWORK, commissioner=COMMISSIONER, practice="A1", valid_from=date(2022, 4, 11))
    grounds = {
        "U1": Ground(
            date(2020, 4, 1),
            date.max,
            [
                Span("A1", Decimal(1), "member", date(2020, 4, 1), event.valid_from),
                Span("A1", Decimal(1), "allocated", event.valid_from, date.max),
            ],
        )
    }
    whole = served_by_month(grounds, ("2022-04",), {"2022-04": rule(RuleKind.ANY_DAY)})["U1"]["2022-04"]
    assert [(who.how, who.days) for who in whole] == [("member", 1)]
    days = served_by_month(grounds, ("2022-04",), {"2022-04": rule(RuleKind.DAYS)})["U1"]["2022-04"]
    assert [(who.how, who.days, who.of) for who in days] == [("member", 10, 30), ("allocated", 20, 30)]
