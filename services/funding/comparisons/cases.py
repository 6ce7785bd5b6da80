"""What a payment differs by, and why: tests over dated facts that a reader can do again with a calculator.

No test asks how large a difference is. Each asks whether the payment is what some dated fact makes it: so many whole
months of the rate on a list that was published, or on one between two that were published either side of the day on
which the payer froze it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from services.funding.money import PARTS, to_pence

PENNIES = Decimal("0.06")
"""Twelve monthly payments, each rounded by at most half a penny."""


class Difference(StrEnum):
    """What a payment differs by. The order is that of the page about them."""

    AGREES = "agrees"
    LIST_MOVED = "list-moved"
    ARREARS = "arrears"
    FEWER_MONTHS = "fewer-months"
    MORE_MONTHS = "more-months"
    OTHER_MONTHS = "other-months"
    JOINED = "joined"
    LEFT = "left"
    FEWER_STREAMS = "fewer-streams"
    OTHER_RATE = "other-rate"
    DOUBLE = "double"
    NEGATIVE = "negative"
    MISSING = "missing"
    PAID_ELSEWHERE = "paid-elsewhere"
    NOT_A_MEMBER = "not-a-member"
    ALLOCATED = "allocated"
    CLOSED = "closed"
    NO_LIST = "no-list"
    HELD = "held"
    UNEXPLAINED = "unexplained"


class Evidence(StrEnum):
    """How a class was found, the strongest first."""

    PENNY = "to-the-penny"
    BETWEEN_LISTS = "between-lists"
    EQUAL_PAYMENTS = "equal-payments"
    WITHIN_MOVEMENT = "within-movement"
    BETWEEN_PAYMENTS = "between-payments"
    TWO_LISTS = "two-lists"
    DATES = "dates"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Term:
    """One stream of a payment: £ a head, a month of it being one of `parts`, for these months of the year so far."""

    stream: str
    tariff: str
    basis: str
    value: Decimal
    parts: int
    months: int


@dataclass(frozen=True, slots=True)
class Published:
    """Lists as published: what the figure is, and its heads by basis."""

    told: str
    heads: Mapping[str, Decimal]
    exact: bool = False


class Other(NamedTuple):
    """Another year's payment to the same practice, and how many months it seems to be for."""

    contract_year: str
    paid: Decimal
    months: int


@dataclass(frozen=True, slots=True)
class Account:
    """One payment and every fact about whom it went to.

    `own` is the list what was due is computed on; `around` were published either side of the day the list was frozen;
    `yearly` are its published yearly figures in order. `months` counts the months of membership out of `year`.
    """

    practice: str | None
    network: str | None
    commissioner: str | None
    paid: Decimal
    year: int
    months: int
    own: Published | None
    around: tuple[Published, ...] = ()
    yearly: tuple[Published, ...] = ()
    began: date | None = None
    ended: date | None = None
    closed_on: date | None = None
    allocated_to: str | None = None
    hold: str | None = None
    before: Other | None = None
    after: Other | None = None
    elsewhere: str | None = None


def _in_parts(terms: Sequence[Term], published: Published, months: int, year: int) -> Decimal | None:
    """So many months of these streams on a list, in parts of which `PARTS` make a pound."""
    total = Decimal(0)
    for term in terms:
        heads = published.heads.get(term.basis)
        if heads is None:
            return None
        count = months if term.months == year or months < term.months else term.months
        total += term.value * heads * count * (PARTS / term.parts)
    return total


def due_for(terms: Sequence[Term], published: Published, months: int, year: int) -> Decimal | None:
    """What so many months of these streams come to on a list; `None` if it does not tell the heads of one of them.

    Of a stream in force for a part of the year no more is due than its own months.
    """
    total = _in_parts(terms, published, months, year)
    return None if total is None else to_pence(total, PARTS)


@dataclass(frozen=True, slots=True)
class Case:
    """A payment with the streams it is for, and the sums its lists come to for one month."""

    account: Account
    terms: Sequence[Term]

    def ends(self, months: int) -> tuple[Decimal, Decimal] | None:
        """The least and the most that so many months come to on the lists around the day the payer froze one."""
        found = [self._parts(published, months) for published in self.account.around]
        dues = [due for due in found if due is not None]
        return (min(dues) / PARTS, max(dues) / PARTS) if dues else None

    def _parts(self, published: Published, months: int) -> Decimal | None:
        return _in_parts(self.terms, published, months, self.account.year)

    def due(self, published: Published | None, months: int) -> Decimal | None:
        return None if published is None else due_for(self.terms, published, months, self.account.year)

    def between(self, months: int) -> bool:
        ends = self.ends(months)
        return ends is not None and ends[0] - PENNIES <= self.account.paid <= ends[1] + PENNIES

    def movement(self, months: int) -> Decimal | None:
        """The most by which this list moved from one published year to the next, in money."""
        moves = []
        for first, second in pairwise(self.account.yearly):
            before, after = self._parts(first, months), self._parts(second, months)
            if before is not None and after is not None:
                moves.append(abs(after - before) / PARTS)
        return max(moves) if moves else None

    def within_movement(self, months: int) -> bool:
        ends, moved = self.ends(months), self.movement(months)
        if ends is None or moved is None:
            return False
        return ends[0] - moved - PENNIES <= self.account.paid <= ends[1] + moved + PENNIES

    def between_payments(self, months: int) -> bool:
        """Whether the year's own published list lies between those that this payment and the next year's rest on."""
        account = self.account
        own = self.due(account.own, months)
        if account.after is None or own is None or len(account.around) > 1:
            return False
        following = per_month(account.after, months)
        return min(account.paid, following) - PENNIES <= own <= max(account.paid, following) + PENNIES

    def two_lists(self, months: int) -> bool:
        """Whether a payment lies between the list of the year before and this year's, as when some months were still
        paid on the old one."""
        ends, before = self.ends(months), self.account.before
        if before is None or ends is None:
            return False
        earlier = per_month(before, months)
        return min(ends[0], earlier) - PENNIES <= self.account.paid <= max(ends[1], earlier) + PENNIES


def per_month(other: Other, months: int) -> Decimal:
    return to_pence(other.paid * months, Decimal(other.months))
