"""The shipped rates beside the published ones, row by row; and every month of every year by the rule of its stream."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import yaml

from services.funding.claims.terms import role_caps
from services.funding.lines.capitation import arithmetic, trace_of
from services.funding.payments.engine import NEVER_BY_HEAD, differences
from services.funding.practice_scheme.rules import DATA
from services.funding.tariffs.shipped import duties, rows, share_of
from shared.years import months_of, year_end, year_of_day, year_start
from tests.conftest import REAL_DATA
from tests.funding.test_engine import one_network, shipped_rates

PUBLISHED = REAL_DATA.parent / "domain" / "tariffs.yaml"


@pytest.fixture(scope="module")
def published() -> Mapping[str, Any]:
    if not PUBLISHED.is_file():
        pytest.skip("the published rates are not beside the checkout (../shared/domain)")
    found: Mapping[str, Any] = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    return found


def text(value: object) -> str:
    return "" if value is None else str(value)


def test_every_stream_is_shipped_as_published(published: Mapping[str, Any]) -> None:
    shipped = {row["id"]: row for row in rows("streams.csv")}
    rates = {rate["id"]: rate for rate in published["payments"]}
    assert shipped.keys() == rates.keys()
    for name, rate in rates.items():
        row = shipped[name]
        assert row["code"] == rate["stream"], name
        assert row["contract_year"] == rate["year"].replace("/", "-"), name
        assert row["payee"] == {"pcn": "network", "practice": "practice"}[rate["payee"]], name
        for column in ("basis", "value", "rate_period", "valid_from", "valid_to", "known_from", "supersedes"):
            assert row[column] == text(rate[column]), (name, column)
        assert row["confidence"] == rate["confidence"], name
        assert row["sources"].split() == rate["sources"], name


def test_every_sum_is_shipped_as_published(published: Mapping[str, Any]) -> None:
    shipped = {
        (row["contract_year"], row["code"]): (row["value"], row["valid_from"], row["valid_to"], row["confidence"])
        for row in rows("arrs_sums.csv")
    }
    assert shipped == {
        (rate["year"].replace("/", "-"), rate["scope"]): (
            rate["value"],
            rate["valid_from"],
            rate["valid_to"],
            rate["confidence"],
        )
        for rate in published["arrs"]["sums"]
        if rate["value"] is not None
    }


def test_every_role_maximum_is_shipped_as_published(published: Mapping[str, Any]) -> None:
    columns = ("code", "zone", "valid_from", "known_from", "value", "valid_to", "confidence")
    shipped = sorted(tuple(row[column] for column in columns) for row in rows("role_maxima.csv"))
    assert shipped == sorted(
        (
            rate["role"],
            rate["zone"],
            rate["valid_from"],
            text(rate.get("known_from")),
            text(rate["value"]),
            # one published without an end holds until the next year has its own
            rate["valid_to"] or year_end(year_of_day(date.fromisoformat(rate["valid_from"]))).isoformat(),
            rate["confidence"],
        )
        for rate in published["arrs"]["role_maxima"]
    )


def test_the_duties_are_as_published(published: Mapping[str, Any]) -> None:
    access = published["duties"]["enhanced_access_minutes_per_1000_adjusted_per_week"]
    hours = published["duties"]["extended_hours_minutes_per_1000_registered_per_week"]
    listed = published["populations"]["extended_hours_duty_2019_20_list_date"]["value"]
    first, second, third = duties()
    assert (first.per_1000, second.per_1000) == (Decimal(hours["value"]), Decimal(hours["value"]))
    assert first.valid_from.isoformat() == hours["valid_from"]
    assert second.valid_to.isoformat() == hours["valid_to"]
    assert first.counted_at is not None
    assert first.counted_at.isoformat() == listed
    assert (third.per_1000, third.valid_from.isoformat()) == (Decimal(access["value"]), access["valid_from"])
    assert third.valid_to == date.max


# --- the months each stream is paid for, and one month of it for 1,000 patients on each basis and 100 beds ---

WHOLE, SUMMER, WINTER = (1, 12), (1, 6), (7, 12)
CALENDAR: dict[str, dict[str, tuple[tuple[int, int], str]]] = {
    "2019-20": {
        "core_registered": (WHOLE, "125.00"),
        "clinical_director": ((4, 12), "57.11"),
        "extended_hours": ((4, 12), "122.11"),
        "network_participation": (WHOLE, "146.75"),
    },
    "2020-21": {
        "core_registered": (WHOLE, "125.00"),
        "clinical_director": (WHOLE, "60.17"),
        "clinical_director_covid_extra": ((10, 12), "180.67"),
        "extended_hours": (WHOLE, "120.83"),
        "pcn_support": (SUMMER, "45.00"),
        "care_home_premium": ((5, 12), "750.00"),
        "network_participation": (WHOLE, "146.75"),
    },
    "2021-22": {
        "core_registered": (WHOLE, "125.00"),
        "clinical_director": (WHOLE, "60.17"),
        "clinical_director_covid_extra": ((1, 3), "held"),
        "extended_hours": (WHOLE, "120.00"),
        "care_home_premium": (WHOLE, "1000.00"),
        "leadership_management": (WINTER, "117.83"),
        "pcn_support": ((9, 12), "held"),
        "network_participation": (WHOLE, "146.75"),
    },
    "2022-23": {
        "core_registered": (WHOLE, "125.00"),
        "clinical_director": (WHOLE, "61.33"),
        "extended_hours": (SUMMER, "120.00"),
        "enhanced_access": (WINTER, "627.33"),
        "leadership_management": (WHOLE, "58.25"),
        "care_home_premium": (WHOLE, "1000.00"),
        "casp": (WINTER, "held"),
        "network_participation": (WHOLE, "146.75"),
    },
    "2023-24": {
        "core_registered": (WHOLE, "125.00"),
        "clinical_director": (WHOLE, "60.75"),
        "leadership_management": (WHOLE, "57.00"),
        "enhanced_access": (WHOLE, "631.50"),
        "care_home_premium": (WHOLE, "1000.00"),
        "casp": (WHOLE, "230.42"),
        "network_participation": (WHOLE, "146.75"),
    },
    "2024-25": {
        "core_registered": (WHOLE, "held"),
        "core_adjusted": (WHOLE, "held"),
        "enhanced_access": (WHOLE, "664.58"),
        "care_home_premium": (WHOLE, "1060.00"),
        "casp": (WHOLE, "270.67"),
        "network_participation": (WHOLE, "146.75"),
    },
    "2025-26": {
        "core_registered": (WHOLE, "188.83"),
        "core_adjusted": (WHOLE, "61.08"),
        "enhanced_access": (WHOLE, "702.25"),
        "care_home_premium": (WHOLE, "1085.44"),
        "casp": (WHOLE, "267.33"),
        "network_participation": (WHOLE, "146.75"),
    },
    "2026-27": {
        "core_registered": (WHOLE, "192.58"),
        "core_adjusted": (WHOLE, "62.33"),
        "enhanced_access": (WHOLE, "741.92"),
        "care_home_premium": (WHOLE, "1109.67"),
        "network_participation": (WHOLE, "146.75"),
    },
}


@pytest.mark.parametrize("year", sorted(CALENDAR))
def test_each_stream_is_paid_in_its_months_and_no_other(year: str) -> None:
    one = one_network(year, shipped_rates(year), registered="1000", adjusted="1000", weighted="1000", beds="100")
    dues, helds = differences(one)
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for due in dues:
        found[due.key.stream][due.month] = due.amount
    waiting = {held.key.stream: held.months for held in helds}
    months = months_of(year)
    for stream, ((first, last), amount) in CALENDAR[year].items():
        wanted = months[first - 1 : last]
        if amount == "held":
            assert waiting.pop(stream) == wanted, stream
            assert stream not in found
            continue
        paid = found.pop(stream)
        assert tuple(paid) == wanted, stream
        assert paid[wanted[0]] == Decimal(amount), stream
        assert max(paid.values()) - min(paid.values()) <= Decimal("0.01"), (
            "months differ by the penny that is left over"
        )
    assert not found, "nothing else is paid"
    assert not waiting, "nothing else waits"


def test_a_full_year_comes_to_the_published_rate_whatever_the_window() -> None:
    for row in rows("streams.csv"):
        year = row["contract_year"]
        replaced = {other["supersedes"] for other in rows("streams.csv")}
        if not row["value"] or row["id"] in replaced or row["code"] in {"caip_max", "gp_reimbursement_max"}:
            continue
        one = one_network(year, shipped_rates(year), registered="1", adjusted="1", weighted="1", beds="1")
        total = sum(due.amount for due in differences(one)[0] if due.key.stream == row["code"])
        assert total == Decimal(row["value"]).quantize(Decimal("0.01"), "ROUND_HALF_UP"), row["id"]


# --- what nobody knows or nobody has confirmed says so, row by row ---


@pytest.mark.parametrize("year", sorted(CALENDAR))
@pytest.mark.parametrize("first", [False, True], ids=["as-known-last", "as-first-published"])
def test_a_rate_nobody_knows_is_held_by_name_and_one_nobody_confirmed_is_warned_of(year: str, first: bool) -> None:
    rates = shipped_rates(year, first=first)
    one = one_network(year, rates, registered="1000", adjusted="1000", weighted="1000", beds="100")
    dues, helds = differences(one)
    in_force = {rate.tariff: rate for by_month in rates.values() for rate in by_month}
    paid_by_head = {name: rate for name, rate in in_force.items() if rate.stream not in NEVER_BY_HEAD}
    unknown = {name for name, rate in paid_by_head.items() if rate.value is None}
    assert {held.hold.code for held in helds} <= {"rate-unknown"}
    assert {name for name in unknown if any(name in held.hold.detail for held in helds)} == unknown
    warned: set[str] = set()
    for due in dues:
        _, warnings = arithmetic(trace_of(due))
        warned |= {name for name in in_force if any(f"rate {name} " in warning for warning in warnings)}
    doubtful = {
        name
        for name, rate in paid_by_head.items()
        if rate.confidence in {"derived", "remembered"} and rate.value is not None
    }
    assert warned == doubtful


def test_the_caps_and_shares_of_claims_are_as_published(published: Mapping[str, Any]) -> None:
    shipped = [
        (cap.role, year_of_day(cap.valid_from), str(cap.below_100000), str(cap.from_100000), cap.confidence)
        for cap in role_caps()
    ]
    for cap in published["arrs"]["caps"]:
        year = cap["year"].replace("/", "-")
        if cap["below_100000"] is None:
            assert not [c for c in role_caps() if c.valid_from <= year_end(year) and c.valid_to >= year_start(year)]
            continue
        of_year = [
            (c.role, str(c.below_100000), str(c.from_100000), c.confidence)
            for c in role_caps()
            if c.role == cap["role"] and c.valid_from <= year_end(year) and c.valid_to >= year_start(year)
        ]
        wanted = (cap["role"], cap["below_100000"], cap["from_100000"], cap["confidence"])
        assert of_year == [wanted], shipped
    paid = published["arrs"]["share_paid"]
    for role, share in paid["2019/20"].items():
        found = share_of(role, date(2019, 9, 1))
        assert found is not None
        assert found.share == Decimal(share)
    later = share_of("care_coordinator", date(2024, 9, 1))
    assert later is not None
    assert later.share == Decimal(paid["2020/21_on"]["default"])


def test_every_maximum_of_the_practice_scheme_is_shipped_as_published(published: Mapping[str, Any]) -> None:
    scheme = published["gp_reimbursement_scheme"]
    wanted = {
        (per, rate["zone"], text(rate["value"]), rate["confidence"])
        for per, name in (("wte_year", "wte_maxima"), ("hour", "hourly_maxima"))
        for rate in scheme[name]
    }
    with (DATA / "maxima.csv").open(newline="", encoding="utf-8") as file:
        shipped = {(row["per"], row["zone"], row["value"], row["confidence"]) for row in csv.DictReader(file)}
    assert shipped == wanted
    assert ("hour", "london", "", "derived") in shipped, "not found, and not guessed"
