"""The arithmetic of claimability, for any network, post and sum."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.workforce.calendar import days_of_month, months_of
from services.workforce.claimability.rules import Cap, Commitment, Position, Terms, Wish, assess, committed
from services.workforce.plans.model import PlanLine
from services.workforce.plans.operations import planned_cost
from services.workforce.rates.operations import Ceilings, Rate
from services.workforce.roles.operations import shipped
from shared.years import first_day, last_day, year_end, year_of_day

ROLE = "clinical_pharmacist"
FIRST, LAST = date(2022, 4, 1), date(2023, 3, 31)
WTE = st.decimals("0.05", "1", places=2)
DAYS = st.dates(FIRST, LAST)


def rate(value: str | None, first: date = FIRST, last: date = LAST, known: date = FIRST, number: int = 1) -> Rate:
    return Rate(ROLE, "national", None if value is None else Decimal(value), first, last, known, number)


def position(budget: Decimal | None, *commitments: Commitment, rates: list[Rate] | None = None) -> Position:
    return Position(
        network="U90001",
        network_from=FIRST,
        network_to=None,
        terms=Terms(ROLE, "Clinical pharmacist", date(2019, 7, 1)),
        ceilings=Ceilings(rates or [rate("57318.00")]),
        known=date(2022, 4, 1),
        budget=budget,
        commitments=commitments,
        planned=Decimal(100),
    )


@st.composite
def some_commitments(draw: st.DrawFn) -> list[Commitment]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        first = draw(DAYS)
        last = draw(st.one_of(st.none(), st.dates(first, LAST)))
        claimed = draw(
            st.dictionaries(st.sampled_from(months_of("2022-23")), st.decimals("0", "6000", places=2), max_size=3)
        )
        found.append(Commitment(f"post-{number}", ROLE, "national", draw(WTE), first, last, claimed))
    return found


@given(commitments=some_commitments(), wte=WTE, start=DAYS, spare=st.decimals("-20000", "60000", places=2))
def test_a_post_is_claimable_exactly_while_the_sum_lasts(
    commitments: list[Commitment], wte: Decimal, start: date, spare: Decimal
) -> None:
    """Each month's room is the sum less all commitments and the months before; a month is claimable if it fits."""
    taken = Decimal(0)
    for post in commitments:
        for month in months_of("2022-23"):
            days = (last_day(month) - first_day(month)).days + 1
            worked = sum(1 for n in range(days) if post.runs_on(date.fromordinal(first_day(month).toordinal() + n)))
            by_days = (Decimal("57318.00") * post.wte * worked / (12 * days)).quantize(Decimal("0.01"), ROUND_HALF_UP)
            taken += post.claimed.get(month, by_days)
    budget = taken + spare
    where = position(budget, *commitments)
    assert committed(where, "2022-23") == (taken, [])
    answer = assess(where, Wish(ROLE, "national", wte, start))
    room = spare
    for answered in answer.months:
        assert answered.room == room
        assert answered.most is not None
        assert answered.claimable is (answered.most <= room)
        room -= answered.most
    assert [m.month for m in answer.months] == [m for m in months_of("2022-23") if last_day(m) >= start]
    refused = any(fault.code == "SumExceeded" for fault in answer.faults())
    needed = sum((m.most for m in answer.months if m.most is not None), Decimal(0))
    assert refused is (needed > spare)


@given(first=DAYS, last=st.one_of(st.none(), DAYS))
def test_the_parts_of_the_months_are_the_days_worked(first: date, last: date | None) -> None:
    worked = sum(days_of_month(m, first, last)[0] for m in months_of("2022-23"))
    expected = max(0, (min(last or LAST, LAST) - first).days + 1)
    assert worked == expected


@given(
    values=st.lists(st.tuples(DAYS, st.decimals("20000", "90000", places=2)), min_size=1, max_size=5),
    day=DAYS,
    known=DAYS,
)
def test_the_newest_ceiling_known_by_then_holds(values: list[tuple[date, Decimal]], day: date, known: date) -> None:
    rates = [rate(str(v), FIRST, LAST, since, number) for number, (since, v) in enumerate(values)]
    told = [(since, number, v) for number, (since, v) in enumerate(values) if since <= known]
    expected = max(told)[2] if told else None
    assert Ceilings(rates).on(ROLE, "national", day, known=known) == expected


def test_a_ceiling_published_as_unknown_is_not_the_older_one() -> None:
    rates = [rate("50000.00"), rate(None, known=date(2022, 8, 1), number=2)]
    ceilings = Ceilings(rates)
    assert ceilings.on(ROLE, "national", FIRST, known=date(2022, 7, 31)) == Decimal("50000.00")
    assert ceilings.on(ROLE, "national", FIRST, known=date(2022, 8, 1)) is None


def test_a_ceiling_holds_to_the_end_of_its_year_until_its_successor_is_known() -> None:
    october = date(2022, 10, 1)
    ceilings = Ceilings(
        [
            rate("57318.00", FIRST, date(2022, 9, 30)),
            rate("59312.00", october, date(2023, 6, 30), known=october, number=2),
        ]
    )
    assert ceilings.on(ROLE, "national", date(2023, 1, 1), known=date(2022, 6, 1)) == Decimal("57318.00")
    assert ceilings.on(ROLE, "national", date(2023, 1, 1), known=october) == Decimal("59312.00")
    assert ceilings.on(ROLE, "national", date(2023, 5, 1), known=date(2022, 6, 1)) is None  # the year after
    assert ceilings.on(ROLE, "national", date(2023, 7, 1), known=october) is None


def test_a_year_with_a_ceiling_that_moves_is_costed_month_by_month() -> None:
    """One care coordinator all of 2023/24: three months at 31,746 and nine at 33,396 a year (pcn example G)."""
    ceilings = Ceilings(
        [
            Rate("care_coordinator", "national", Decimal("31746.00"), date(2022, 10, 1), date(2023, 6, 30), FIRST, 1),
            Rate("care_coordinator", "national", Decimal("33396.00"), date(2023, 7, 1), date(2024, 9, 30), FIRST, 2),
        ]
    )
    line = PlanLine("care_coordinator", Decimal(1), "2023-04")
    cost, unknown = planned_cost([line], "2023-24", ceilings, date(2023, 4, 1))
    assert (cost, unknown) == (Decimal("32983.50"), [])


def test_a_cap_counts_the_busiest_day_not_the_sum_of_a_month() -> None:
    """Somebody who leaves on the 5th does not stand in the way of somebody who starts on the 20th."""
    leaver = Commitment("post-1", ROLE, "national", Decimal(1), FIRST, date(2022, 6, 5))
    base = position(Decimal("900000"), leaver)
    capped = Position(
        **{f: getattr(base, f) for f in base.__dataclass_fields__ if f not in {"caps", "patients"}},
        caps=[Cap(FIRST, LAST, Decimal(1), Decimal(2))],
        patients=Decimal(50_000),
    )
    assert assess(capped, Wish(ROLE, "national", Decimal(1), date(2022, 6, 20))).faults() == []
    refused = assess(capped, Wish(ROLE, "national", Decimal(1), date(2022, 6, 1))).faults()
    assert [fault.code for fault in refused] == ["CapExceeded"]


def test_half_a_penny_goes_up_whatever_the_days() -> None:
    """0.30 WTE for one of thirty days at £57,318 is £47.765 to the last digit."""
    post = Commitment("post-1", ROLE, "national", Decimal("0.30"), date(2022, 4, 1), date(2022, 4, 1))
    assert committed(position(None, post), "2022-23") == (Decimal("47.77"), [])


def test_2019_20_has_nine_months() -> None:
    assert months_of("2019-20")[0] == "2019-07"
    assert len(months_of("2019-20")) == 9
    assert (year_of_day(date(2020, 3, 31)), year_end("2019-20")) == ("2019-20", date(2020, 3, 31))


def test_the_shipped_catalogue_is_whole() -> None:
    catalogue = shipped()
    codes = {role["code"] for role in catalogue.roles}
    assert len(codes) == len(catalogue.roles)
    assert {row["role"] for row in catalogue.caps} | {row["role"] for row in catalogue.shares} <= codes
    for row in [*catalogue.caps, *catalogue.shares]:
        assert row["valid_from"] <= row["valid_to"]
