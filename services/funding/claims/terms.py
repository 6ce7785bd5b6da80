"""The dated rules of claims shipped with the service: caps on numbers, tests of being new staff, first deadlines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
LARGE_NETWORK = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class RoleCap:
    """Whole-time equivalents of a role a network is reimbursed for, by its number of registered patients."""

    role: str
    valid_from: date
    valid_to: date
    below_100000: Decimal
    from_100000: Decimal
    confidence: str

    def allowed(self, registered: Decimal | None) -> Decimal:
        """The cap for a network of that size; for one whose size is not known, that of a small one."""
        return self.from_100000 if registered is not None and registered >= LARGE_NETWORK else self.below_100000


@dataclass(frozen=True, slots=True)
class Test:
    """The test of being new staff for people of a role who started between two days, in months claimed from a day."""

    __test__ = False

    role: str
    starts_from: date
    starts_to: date
    claimed_from: date
    kind: str
    months: int
    confidence: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when claims of a contract year are made: days after their month, and the last day of all; `None`: none."""

    contract_year: str
    days_after_month: int | None
    closes_on: date | None
    confidence: str
    note: str


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _day(text: str, without: date) -> date:
    return date.fromisoformat(text) if text else without


@cache
def role_caps() -> tuple[RoleCap, ...]:
    return tuple(
        RoleCap(
            row["role"],
            date.fromisoformat(row["valid_from"]),
            _day(row["valid_to"], date.max),
            Decimal(row["wte_below_100000"]),
            Decimal(row["wte_from_100000"]),
            row["confidence"],
        )
        for row in _rows("role_caps.csv")
    )


@cache
def tests() -> tuple[Test, ...]:
    return tuple(
        Test(
            row["role"],
            _day(row["starts_from"], date.min),
            _day(row["starts_to"], date.max),
            date.fromisoformat(row["claimed_from"]),
            row["test"],
            int(row["months"]),
            row["confidence"],
        )
        for row in _rows("standing.csv")
    )


@cache
def deadlines() -> tuple[Deadline, ...]:
    return tuple(
        Deadline(
            row["contract_year"],
            int(row["days_after_month"]) if row["days_after_month"] else None,
            date.fromisoformat(row["closes_on"]) if row["closes_on"] else None,
            row["confidence"],
            row["note"],
        )
        for row in _rows("deadlines.csv")
    )


def cap_of(role: str, day: date) -> RoleCap | None:
    """The cap on a role's numbers on a day; `None` where there is none."""
    return next((cap for cap in role_caps() if cap.role == role and cap.valid_from <= day <= cap.valid_to), None)
