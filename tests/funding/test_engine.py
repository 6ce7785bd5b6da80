"""Rules of money: worked examples, part years, holds, and paying the difference whatever changes when."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.funding.lines.capitation import causes_of, trace_of
from services.funding.lines.trace import recompute
from services.funding.lines.words import Trace
from services.funding.money import to_pence
from services.funding.payments.engine import (
    Due,
    Key,
    Portion,
    Rate,
    Year,
    differences,
    portions,
)
from services.funding.payments.heads import Beds, Headcount, Hold, Populations, Serving
from services.funding.tariffs.shipped import counted_on, rows
from shared.years import months_between, months_of, snapshot_of
from tests.conftest import ROOT

NETWORK = "U12345"


def shipped_rates(year: str, *, first: bool = False) -> dict[str, tuple[Rate, ...]]:
    """The shipped rates of a year by month: as first published, or with what supersedes them."""
    chosen: dict[str, dict[str, Rate]] = defaultdict(dict)
    for row in rows("streams.csv"):
        if row["contract_year"] != year or (first and row["supersedes"]):
            continue
        span = months_between(date.fromisoformat(row["valid_from"]), date.fromisoformat(row["valid_to"]))
        rate = Rate(
            tariff=row["id"],
            stream=row["code"],
            payee=row["payee"],
            basis=row["basis"],
            value=Decimal(row["value"]) if row["value"] else None,
            rate_period=row["rate_period"],
            months=len(span),
            confidence=row["confidence"],
        )
        for month in span:
            chosen[month][rate.stream] = rate
    return {month: tuple(by_stream.values()) for month, by_stream in chosen.items()}


def one_network(
    year: str,
    rates: Mapping[str, tuple[Rate, ...]],
    *,
    registered: str = "50000",
    adjusted: str = "48000",
    weighted: str = "50000",
    beds: str | None = None,
    through: str | None = None,
    paid: Mapping[Key, Mapping[str, Decimal]] | None = None,
) -> Year:
    """A network of one practice, member all year."""
    months = tuple(m for m in months_of(year) if through is None or m <= through)
    figures = {"registered": registered, "adjusted": adjusted, "weighted": weighted}
    whom = (Serving("A00001", Decimal(1), "member"),)
    return Year(
        contract_year=year,
        months=months,
        rates=rates,
        populations=Populations(
            snapshot_of(year), {b: {"A00001": Decimal(f)} for b, f in figures.items()}, frozenset({"00L"}), {}
        ),
        commissioners={NETWORK: "00L"},
        served={NETWORK: dict.fromkeys(months, whom)},
        beds={} if beds is None else {(NETWORK, month): Beds(Decimal(beds), month) for month in months},
        paid=paid or {},
    )


def by_stream(dues: list[Due]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for due in dues:
        found[due.key.stream] += due.amount
    return dict(found)


def paid_of(*batches: list[Due]) -> dict[Key, dict[str, Decimal]]:
    paid: dict[Key, dict[str, Decimal]] = defaultdict(dict)
    for dues in batches:
        for due in dues:
            paid[due.key][due.month] = paid[due.key].get(due.month, Decimal(0)) + due.amount
    return paid


def test_example_c_a_network_in_2023_24() -> None:
    dues, held = differences(one_network("2023-24", shipped_rates("2023-24")))
    assert by_stream(dues) == {
        "core_registered": Decimal("75000.00"),
        "clinical_director": Decimal("36450.00"),
        "leadership_management": Decimal("32832.00"),
        "enhanced_access": Decimal("363744.00"),
        "casp": Decimal("132720.00"),
        "network_participation": Decimal("88050.00"),
    }
    assert [(h.key.stream, h.hold.code) for h in held] == [("care_home_premium", "beds-missing")]
    assert "caip_max" not in by_stream(dues), "a maximum is never paid by head"
    maximum = next(Decimal(r["value"]) for r in rows("streams.csv") if r["id"] == "caip_max.2324.34")
    assert to_pence(maximum * 48000) == Decimal("56880.00")


def test_example_d_core_is_two_products_and_beds_are_paid_by_the_bed() -> None:
    dues, held = differences(one_network("2025-26", shipped_rates("2025-26"), beds="200"))
    found = by_stream(dues)
    assert found["core_registered"] + found["core_adjusted"] == Decimal("148484.00")
    assert found["enhanced_access"] == Decimal("404496.00")
    assert found["casp"] == Decimal("153984.00")
    assert found["care_home_premium"] == Decimal("26050.60")
    assert held == []


def test_example_e_a_backdated_rate_is_made_good_and_then_paid_monthly() -> None:
    first, revised = shipped_rates("2024-25", first=True), shipped_rates("2024-25")
    early, _ = differences(one_network("2024-25", first, through="2024-09"))
    assert by_stream(early)["enhanced_access"] == Decimal("184176.00")
    later, held = differences(one_network("2024-25", revised, through="2024-10", paid=paid_of(early)))
    access = [due for due in later if due.key.stream == "enhanced_access"]
    arrears = [due for due in access if due.month < "2024-10"]
    assert sum(due.amount for due in arrears) == Decimal("7224.00")
    assert [due.amount for due in access if due.month == "2024-10"] == [Decimal("31900.00")]
    # the split of the revised core is not known: it is held, and what was paid stays paid
    assert not any(due.key.stream.startswith("core") for due in later)
    assert {(h.key.stream, h.hold.code) for h in held if h.key.stream.startswith("core")} == {
        ("core_registered", "rate-unknown"),
        ("core_adjusted", "rate-unknown"),
    }
    whole, _ = differences(one_network("2024-25", revised, paid=paid_of(early, later)))
    total = sum(by_stream(batch)["enhanced_access"] for batch in (early, later, whole))
    assert total == Decimal("382800.00")


def test_extended_hours_end_and_enhanced_access_begins_in_october_2022() -> None:
    dues, held = differences(one_network("2022-23", shipped_rates("2022-23")))
    months: dict[str, list[str]] = defaultdict(list)
    for due in dues:
        months[due.key.stream].append(due.month)
    assert months["extended_hours"] == list(months_of("2022-23")[:6])
    assert months["enhanced_access"] == list(months_of("2022-23")[6:])
    assert by_stream(dues)["extended_hours"] == Decimal("36000.00")
    assert by_stream(dues)["enhanced_access"] == Decimal("180672.00")
    assert ("casp", "rate-unknown") in {(h.key.stream, h.hold.code) for h in held}


def test_2019_is_not_nine_twelfths_of_everything() -> None:
    dues, _ = differences(one_network("2019-20", shipped_rates("2019-20")))
    count: dict[str, int] = defaultdict(int)
    for due in dues:
        count[due.key.stream] += 1
    assert count == {
        "core_registered": 12,
        "network_participation": 12,
        "clinical_director": 9,
        "extended_hours": 9,
    }
    assert by_stream(dues)["clinical_director"] == Decimal("25700.00")
    assert counted_on("2019-04") == counted_on("2019-07") == date(2019, 7, 1)
    assert counted_on("2020-05") == date(2020, 5, 1)


def test_pence_reconcile_over_the_year() -> None:
    dues, _ = differences(one_network("2023-24", shipped_rates("2023-24"), registered="33333"))
    core = [due.amount for due in dues if due.key.stream == "core_registered"]
    assert sum(core) == Decimal("49999.50")
    assert max(core) - min(core) <= Decimal("0.01")


@pytest.mark.parametrize(
    ("amount", "parts", "expected"),
    [
        ("0.005", "1", "0.01"),
        ("0.0049999", "1", "0.00"),
        ("1", "8", "0.13"),
        ("1", "3", "0.33"),
        ("2.675", "1", "2.68"),
    ],
)
def test_half_a_penny_is_rounded_up(amount: str, parts: str, expected: str) -> None:
    assert to_pence(Decimal(amount), Decimal(parts)) == Decimal(expected)


def test_a_member_without_a_weighted_figure_holds_the_sum_and_is_named() -> None:
    populations = Populations(
        date(2022, 1, 1),
        {"registered": {"A1": Decimal(100), "A2": Decimal(50)}, "weighted": {"A1": Decimal(90)}},
        frozenset({"00L"}),
        {"A1": "00L", "A2": "00L"},
    )
    served = (Serving("A1", Decimal(1), "member"), Serving("A2", Decimal(1), "member"))
    heads = populations.count("weighted", served, "00L")
    assert heads.hold is not None
    assert "A2" in heads.hold.detail
    assert "A1" not in heads.hold.detail.removeprefix("No weighted")


def test_a_practice_absent_from_published_lists_counts_as_nobody_and_is_named() -> None:
    figures = {"registered": {"A1": Decimal(100)}, "adjusted": {"A1": Decimal(90)}}
    served = (Serving("A1", Decimal(1), "member"), Serving("A9", Decimal(1), "member"))
    published = Populations(date(2022, 1, 1), figures, frozenset({"00L"}), {"A9": "00L"})
    for basis in ("registered", "adjusted", "weighted"):
        heads = published.count(basis, served[1:], "00L")
        assert heads.hold is None
        assert [(c.practice, c.how, c.value) for c in heads.counted] == [("A9", "no-list", Decimal(0))]
    nothing_published = Populations(date(2022, 1, 1), figures, frozenset(), {"A9": "00L"})
    assert nothing_published.count("registered", served, "00L").hold == Hold(
        "population-missing", "No registered population at 2022-01-01 of A9."
    )


def test_allocated_patients_pay_the_network_and_never_the_practice() -> None:
    year = one_network("2023-24", shipped_rates("2023-24"), through="2023-04")
    whom = (*year.served[NETWORK]["2023-04"], Serving("A00002", Decimal(1), "allocated"))
    figures = {basis: {**held, "A00002": Decimal(1000)} for basis, held in year.populations.figures.items()}
    year = dataclasses.replace(
        year,
        served={NETWORK: {"2023-04": whom}},
        populations=dataclasses.replace(year.populations, figures=figures),
    )
    dues, _ = differences(year)
    core = next(due for due in dues if due.key.stream == "core_registered")
    assert core.amount == to_pence(Decimal("1.5") * 51000, Decimal(12))
    assert {due.key.practice for due in dues if due.key.stream == "network_participation"} == {"A00001"}


def test_a_month_supplied_late_moves_no_other_and_the_year_adds_up() -> None:
    core = Rate("beds.1", "care_home_premium", "network", "beds", Decimal("120.0200"), "year", 12, "one_source")
    every = dict.fromkeys(months_of("2022-23"), (core,))

    def known(through: str, paid: Mapping[Key, Mapping[str, Decimal]], *, without: str = "") -> Year:
        year = one_network("2022-23", every, beds="1.0004", through=through, paid=paid)
        return dataclasses.replace(year, beds={key: count for key, count in year.beds.items() if key[1] != without})

    early, held = differences(known("2022-06", {}, without="2022-04"))
    assert [(h.months, h.hold.code) for h in held] == [(("2022-04",), "beds-missing")]
    assert [due.month for due in early] == ["2022-05", "2022-06"]
    later, _ = differences(known("2022-07", paid_of(early)))
    assert [due.month for due in later] == ["2022-04", "2022-07"]
    again, _ = differences(known("2022-07", paid_of(early, later), without="2022-04"))
    assert {due.month for due in again} <= {"2022-07"}, "what was paid before a month that is held again stays"
    rest, _ = differences(known("2023-03", paid_of(early, later)))
    assert min(due.month for due in rest) == "2022-08"
    for due in (*early, *later, *rest):
        assert recompute(trace_of(due)) == due.amount
    assert sum(due.amount for due in (*early, *later, *rest)) == to_pence(Decimal("120.0200") * Decimal("1.0004"))


@settings(max_examples=100)
@given(
    st.decimals(min_value=1, max_value=999, places=3),
    st.permutations(range(12)).map(lambda order: order[:6]),
    st.integers(0, 11),
)
def test_months_supplied_in_any_order_are_paid_once_and_the_year_adds_up(
    beds: Decimal, late: list[int], first: int
) -> None:
    core = Rate("beds.1", "care_home_premium", "network", "beds", Decimal("130.253"), "year", 12, "one_source")
    months = months_of("2023-24")
    missing = [months[number] for number in late]
    batches: list[list[Due]] = []
    for through in (months[first], *(months[-1] for _ in range(len(late) + 1))):
        year = one_network(
            "2023-24", dict.fromkeys(months, (core,)), beds=str(beds), through=through, paid=paid_of(*batches)
        )
        dues, _ = differences(
            dataclasses.replace(year, beds={k: v for k, v in year.beds.items() if k[1] not in missing})
        )
        for due in dues:
            assert due.paid is None, "a month already paid is left alone"
            assert recompute(trace_of(due)) == due.amount
            assert abs(due.amount - beds * Decimal("130.253") / 12) < Decimal("0.01")
        batches.append(dues)
        if missing and through == months[-1]:
            missing.pop()
    assert missing == []
    assert sum(due.amount for dues in batches for due in dues) == to_pence(beds * Decimal("130.253"))


def test_lines_come_in_the_same_order_whatever_the_hash_of_text() -> None:
    code = (
        "from decimal import Decimal\n"
        "from services.funding.payments.engine import *\n"
        "from datetime import date\n"
        "paid = {Key(f'U{n:05d}', None, 'core'): {'2022-04': Decimal(1)} for n in range(50)}\n"
        "nobody = Populations(date(2022, 1, 1), {}, frozenset(), {})\n"
        "dues, _ = differences(Year('2022-23', ('2022-04',), {}, nobody, {}, {}, paid=paid))\n"
        "print([due.key.network for due in dues])\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{[f'U{n:05d}' for n in range(50)]}\n"}


# --- whatever changes, and whenever runs are made, what was paid in the end is what is due in the end ---

PRACTICES = ("A1", "A2", "A3")
MONTHS = months_of("2023-24")
figure = st.decimals(min_value=0, max_value=30000, places=3, allow_nan=False, allow_infinity=False)
changes = st.one_of(
    st.tuples(st.just("figure"), st.sampled_from(PRACTICES), st.one_of(st.none(), figure)),
    st.tuples(st.just("join"), st.sampled_from(PRACTICES), st.integers(0, 11), st.sampled_from(["1", "0.5"])),
    st.tuples(st.just("leave"), st.sampled_from(PRACTICES), st.integers(0, 11)),
    st.tuples(
        st.just("rate"),
        st.sampled_from(["core", "participation"]),
        st.integers(0, 11),
        st.one_of(st.none(), st.decimals(min_value=0, max_value=9, places=3)),
    ),
    st.tuples(st.just("run"), st.integers(0, 11)),
)


class World:
    """What is known at a moment, and what has been paid."""

    def __init__(self) -> None:
        self.figures: dict[str, Decimal] = dict.fromkeys(PRACTICES, Decimal("1000.5"))
        self.members: dict[str, dict[str, Decimal]] = {month: {"A1": Decimal(1)} for month in MONTHS}
        self.rates: dict[str, dict[str, Rate]] = {
            month: {"core": rate("core", "network", 0), "participation": rate("participation", "practice", 0)}
            for month in MONTHS
        }
        self.published = 0
        self.paid: dict[Key, dict[str, Decimal]] = defaultdict(dict)
        self.traces: dict[tuple[Key, str], Trace] = {}

    def year(self, through: str) -> Year:
        months = tuple(m for m in MONTHS if m <= through)
        every = dict(self.figures)
        return Year(
            contract_year="2023-24",
            months=months,
            rates={m: tuple(self.rates[m].values()) for m in months},
            populations=Populations(
                date(2023, 1, 1),
                {"registered": dict.fromkeys(PRACTICES, Decimal(5)), "weighted": every},
                frozenset(),
                {},
            ),
            commissioners={NETWORK: "00L"},
            served={
                NETWORK: {m: tuple(Serving(p, s, "member") for p, s in sorted(self.members[m].items())) for m in months}
            },
            paid=self.paid,
        )

    def apply(self, change: tuple[object, ...]) -> None:
        match change:
            case ("figure", str(practice), None):
                self.figures.pop(practice, None)
            case ("figure", str(practice), Decimal() as value):
                self.figures[practice] = value
            case ("join", str(practice), int(first), str(share)):
                for month in MONTHS[first:]:
                    self.members[month][practice] = Decimal(share)
            case ("leave", str(practice), int(first)):
                for month in MONTHS[first:]:
                    self.members[month].pop(practice, None)
            case ("rate", str(stream), int(first), value):
                self.published += 1
                new = rate(stream, "network" if stream == "core" else "practice", self.published, value)
                for month in MONTHS[first:]:
                    self.rates[month][stream] = new
            case ("run", int(month)):
                self.run(MONTHS[month])

    def run(self, through: str) -> None:
        dues, _ = differences(self.year(through))
        for due in dues:
            trace = trace_of(due)
            assert recompute(trace) == due.amount
            before = self.traces.get((due.key, due.month))
            assert (before is None) == (due.paid is None)
            if before is not None:
                assert due.amount != 0
                assert causes_of(before, trace)
            self.traces[due.key, due.month] = trace
            self.paid[due.key][due.month] = self.paid[due.key].get(due.month, Decimal(0)) + due.amount


def rate(stream: str, payee: str, number: int, value: object = Decimal("1.234")) -> Rate:
    assert value is None or isinstance(value, Decimal)
    return Rate(f"{stream}.{number}", stream, payee, "weighted", value, "year", 12, "one_source")


@settings(max_examples=250)
@given(st.lists(changes, max_size=25))
def test_paid_and_held_are_what_is_due_whatever_changes_and_whenever_runs_are_made(
    made: list[tuple[object, ...]],
) -> None:
    world = World()
    for change in made:
        world.apply(change)
    world.run(MONTHS[-1])
    due: dict[Key, Decimal] = {}
    held: set[tuple[Key, str]] = set()
    for key, parts in portions(world.year(MONTHS[-1])):
        held.update((key, part.month) for part in parts if part.hold)
        owed = sum((_exact(part) for part in parts if not part.hold), Decimal(0))
        due[key] = to_pence(owed, Decimal(12))
    for key, months in world.paid.items():
        outside_holds = sum((amount for month, amount in months.items() if (key, month) not in held), Decimal(0))
        assert outside_holds == due.get(key, Decimal(0)), key
    assert {key for key, amount in due.items() if amount} <= world.paid.keys()
    dues, _ = differences(world.year(MONTHS[-1]))
    assert dues == [], "a second run finds nothing more to pay"


def _exact(part: Portion) -> Decimal:
    assert part.rate.value is not None
    heads: Headcount = part.heads
    return part.rate.value * sum((c.share * c.value for c in heads.counted), Decimal(0))
