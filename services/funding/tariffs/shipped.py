"""The rates and rules shipped with the service, read from its data files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from services.funding.tariffs.model import TariffKind
from shared.years import first_day

_OPEN = "9999-12"
DATA = Path(__file__).parent / "data"

FILES = {
    TariffKind.STREAM: "streams.csv",
    TariffKind.ARRS_SUM: "arrs_sums.csv",
    TariffKind.ROLE_MAXIMUM: "role_maxima.csv",
}


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a cost that is reimbursed; role `*` stands for every role not named."""

    role: str
    valid_from: date
    valid_to: date
    share: Decimal
    confidence: str


@dataclass(frozen=True, slots=True)
class Posts:
    """Whole-time equivalents of a role a network may be reimbursed for, by its number of registered patients."""

    role: str
    contract_year: str
    valid_from: date
    valid_to: date
    below_100000: Decimal
    from_100000: Decimal
    confidence: str

    def allowed(self, registered: Decimal) -> Decimal:
        return self.from_100000 if registered >= 100_000 else self.below_100000


@dataclass(frozen=True, slots=True)
class SupplierFee:
    """What may be claimed towards a supplier's charges, £ per whole-time equivalent a year."""

    role: str
    valid_from: date
    valid_to: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class MembershipDay:
    """For months from `first_month` to `last_month`: the day that decides membership, `None` the first of the month.

    `paid_from` is the month whose run first pays them, if that is a later one.
    """

    first_month: str
    last_month: str
    counted_on: date | None
    paid_from: str | None
    confidence: str
    sources: tuple[str, ...]

    @property
    def open(self) -> bool:
        return self.last_month == _OPEN


@dataclass(frozen=True, slots=True)
class Duty:
    """Minutes of access a week for each thousand patients, to the nearest `rounded_to` minutes if that is a rule.

    `counted_at` is the day whose lists count where it is not the year's own.
    """

    duty: str
    basis: str
    per_1000: Decimal
    valid_from: date
    valid_to: date
    rounded_to: int | None
    counted_at: date | None
    confidence: str
    sources: tuple[str, ...]


def rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _last(text: str) -> date:
    return date.fromisoformat(text) if text else date.max


@cache
def shares() -> tuple[Share, ...]:
    return tuple(
        Share(
            row["role"],
            date.fromisoformat(row["valid_from"]),
            _last(row["valid_to"]),
            Decimal(row["share"]),
            row["confidence"],
        )
        for row in rows("shares.csv")
    )


@cache
def posts() -> tuple[Posts, ...]:
    return tuple(
        Posts(
            row["role"],
            row["contract_year"],
            date.fromisoformat(row["valid_from"]),
            date.fromisoformat(row["valid_to"]),
            Decimal(row["wte_below_100000"]),
            Decimal(row["wte_from_100000"]),
            row["confidence"],
        )
        for row in rows("posts.csv")
    )


@cache
def supplier_fees() -> tuple[SupplierFee, ...]:
    return tuple(
        SupplierFee(row["role"], date.fromisoformat(row["valid_from"]), _last(row["valid_to"]), Decimal(row["value"]))
        for row in rows("supplier_fees.csv")
    )


@cache
def membership_days() -> tuple[MembershipDay, ...]:
    return tuple(
        MembershipDay(
            row["first_month"],
            row["last_month"] or _OPEN,
            None if row["counted_on"] == "first of the month" else date.fromisoformat(row["counted_on"]),
            row["paid_from"] or None,
            row["confidence"],
            tuple(row["sources"].split()),
        )
        for row in rows("membership_days.csv")
    )


@cache
def duties() -> tuple[Duty, ...]:
    return tuple(
        Duty(
            row["duty"],
            row["basis"],
            Decimal(row["per_1000"]),
            date.fromisoformat(row["valid_from"]),
            _last(row["valid_to"]),
            int(row["rounded_to"]) if row["rounded_to"] else None,
            date.fromisoformat(row["counted_at"]) if row["counted_at"] else None,
            row["confidence"],
            tuple(row["sources"].split()),
        )
        for row in rows("duties.csv")
    )


def share_of(role: str, day: date) -> Share | None:
    """The share paid for a role on a day; `None` while the role was not open."""
    valid = [share for share in shares() if share.valid_from <= day <= share.valid_to]
    named = {share.role: share for share in valid}
    return named.get(role) or named.get("*")


def counted_on(month: str) -> date:
    """The day on which membership counts for a month: whole months, no part of one."""
    for rule in membership_days():
        if rule.first_month <= month <= rule.last_month:
            return rule.counted_on or first_day(month)
    return first_day(month)
