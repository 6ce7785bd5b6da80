"""What of a practice's claim is payable: actual cost, the person's maximum and what is left of the practice's ceiling.

One whole-time equivalent is nine sessions or 37.5 hours a week. The maximum of a year is shared over its months without
losing pence: a month's is the maximum of all months so far, to the penny, minus what the months before were given.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cache
from pathlib import Path

from services.funding.money import to_pence
from shared.errors import Fault
from shared.years import first_day, last_day, months_before

DATA = Path(__file__).parent / "data"
SESSIONS = 9
HOURS = Decimal("37.5")
LATEST_MONTHS = 3
"""A month is claimed until so many months after its end, and so many ahead where the commissioner confirms."""
WITHDRAWAL_DAYS = 5
NEW_TO_PRACTICE_MONTHS = 12
NI_ON_ADDED_PAY = Decimal("0.15")
"""Of added sessions the whole pay bears employer NI: the threshold is used up by the sessions worked before."""


class Kind(StrEnum):
    """What is claimed: a GP new to the practice, more sessions of one it employs, or a post it paid by other means."""

    NEW_SALARIED_GP = "new_salaried_gp"
    INCREASED_PARTICIPATION = "increased_participation"
    CONTINUATION = "continuation"


class Engagement(StrEnum):
    """On what terms the GP works; only salaried work is reimbursed."""

    SALARIED = "salaried"
    PARTNER = "partner"
    LOCUM = "locum"
    SICKNESS_COVER = "sickness_cover"
    OTHER_FLEXIBLE = "other_flexible"


@dataclass(frozen=True, slots=True)
class Maximum:
    """£ for a whole-time equivalent a year, or for an hour; `value` is `None` where it was not found."""

    id: str
    per: str
    zone: str
    value: Decimal | None
    valid_from: date
    valid_to: date
    known_from: date
    supersedes: str | None
    confidence: str


@cache
def maxima() -> tuple[Maximum, ...]:
    with (DATA / "maxima.csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Maximum(
                row["id"],
                row["per"],
                row["zone"],
                Decimal(row["value"]) if row["value"] else None,
                date.fromisoformat(row["valid_from"]),
                date.fromisoformat(row["valid_to"]),
                date.fromisoformat(row["known_from"]),
                row["supersedes"] or None,
                row["confidence"],
            )
            for row in csv.DictReader(file)
        )


def maximum_of(kind: Kind, zone: str, day: date, known_on: date) -> Maximum | None:
    """The maximum in force on a day as known on another; `None` where none was published by then."""
    per = "hour" if kind is Kind.INCREASED_PARTICIPATION else "wte_year"
    held = [
        m
        for m in maxima()
        if m.per == per and m.zone == zone and m.valid_from <= day <= m.valid_to and m.known_from <= known_on
    ]
    replaced = {m.supersedes for m in held}
    return next((m for m in held if m.id not in replaced), None)


@dataclass(frozen=True, slots=True)
class Work:
    """A GP's month: `sessions` a week are those claimed, `hours` the added hours really worked in the month."""

    kind: Kind
    engagement: Engagement
    month: str
    worked_from: date
    worked_to: date
    sessions: Decimal
    sessions_before: Decimal
    contracted_sessions: Decimal
    hours: Decimal
    started_on: date
    employed_here_until: date | None
    only_as_cover: bool
    salary: Decimal
    employer_ni: Decimal
    employer_pension: Decimal

    @property
    def days_worked(self) -> int:
        return (self.worked_to - self.worked_from).days + 1

    @property
    def days_in_month(self) -> int:
        return last_day(self.month).day

    @property
    def ni_allowed(self) -> Decimal:
        if self.kind is not Kind.INCREASED_PARTICIPATION:
            return self.employer_ni
        return min(self.employer_ni, to_pence(self.salary * NI_ON_ADDED_PAY))

    @property
    def cost(self) -> Decimal:
        return self.salary + self.ni_allowed + self.employer_pension

    def share(self, value: Decimal) -> Fraction:
        """The person's maximum for the month, exactly: by the hour for added sessions, else by sessions and days."""
        if self.kind is Kind.INCREASED_PARTICIPATION:
            return Fraction(value) * Fraction(self.hours)
        return Fraction(value) * Fraction(self.sessions) * self.days_worked / (SESSIONS * 12 * self.days_in_month)

    def faults(self) -> list[Fault]:
        """Everything that stands in the way of paying for such work, whatever it cost."""
        found: list[Fault] = []
        if self.engagement is not Engagement.SALARIED:
            found.append(
                Fault("engagement", "not_reimbursed", f"{self.engagement.value.replace('_', ' ')} is not reimbursed.")
            )
        if not first_day(self.month) <= self.worked_from <= self.worked_to <= last_day(self.month):
            found.append(Fault("worked_from", "outside_month", f"The days worked do not lie in {self.month}."))
        elif self.worked_from < self.started_on:
            found.append(Fault("worked_from", "before_start", f"The GP started on {self.started_on}."))
        whole = self.sessions + (self.sessions_before if self.kind is Kind.INCREASED_PARTICIPATION else Decimal(0))
        if whole > SESSIONS:
            found.append(Fault("sessions", "beyond_full_time", f"{whole} sessions a week are more than {SESSIONS}."))
        if whole > self.contracted_sessions:
            found.append(
                Fault("sessions", "beyond_contract", f"The GP is contracted for {self.contracted_sessions} sessions.")
            )
        found += self._of_kind()
        return found

    def _of_kind(self) -> list[Fault]:
        if self.kind is Kind.INCREASED_PARTICIPATION:
            return self._of_added_sessions()
        since = months_before(self.started_on, NEW_TO_PRACTICE_MONTHS)
        until = self.employed_here_until
        if self.kind is Kind.NEW_SALARIED_GP and until is not None and until >= since and not self.only_as_cover:
            return [
                Fault(
                    "employed_here_until",
                    "employed_here_before",
                    f"The practice employed the GP until {until}, within {NEW_TO_PRACTICE_MONTHS} months before "
                    f"{self.started_on}, and not only as cover for an absence.",
                )
            ]
        return []

    def _of_added_sessions(self) -> list[Fault]:
        if self.sessions_before <= 0:
            return [Fault("sessions_before", "nothing_to_add_to", "Say how many sessions were worked before.")]
        most = self.sessions * HOURS / SESSIONS * self.days_worked / 7
        if self.hours <= 0 or self.hours > most + HOURS / SESSIONS:
            return [
                Fault("hours", "hours_do_not_fit", f"{self.hours} hours do not fit {self.sessions} sessions a week.")
            ]
        return []


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found: the payable part and the limit that bit, or every fault."""

    payable: Decimal | None
    limited_by: str
    maximum: Maximum | None
    most: Decimal | None
    room: Decimal | None
    faults: tuple[Fault, ...]


def assess(
    work: Work,
    maximum: Maximum | None,
    *,
    before: Sequence[Fraction],
    given: Decimal,
    room: Decimal | None,
    faults: Sequence[Fault] = (),
) -> Outcome:
    """Check a claim: `before` are the person's shares of months decided, `given` what maxima those months had,
    `room` what is left of the practice's ceiling."""
    found = [*work.faults(), *faults]
    if maximum is None or maximum.value is None:
        found.append(Fault("zone", "rate_unknown", "The maximum for this work is not known."))
        return Outcome(None, "none", maximum, None, room, tuple(found))
    total = sum(before, Fraction(0)) + work.share(maximum.value)
    most = max(to_pence(Decimal(total.numerator), Decimal(total.denominator)) - given, Decimal("0.00"))
    if room is not None and room <= 0:
        found.append(Fault("practice", "ceiling_exhausted", "Nothing is left of the practice's ceiling for the year."))
    if found or room is None:
        return Outcome(None, "none", maximum, most, room, tuple(found))
    payable = min(work.cost, most, room)
    limited_by = "none"
    if payable < min(work.cost, most):
        limited_by = "practice_ceiling"
    elif payable < work.cost:
        limited_by = "person_maximum"
    return Outcome(payable, limited_by, maximum, most, room, ())


def last_submission(month: str) -> date:
    """The last day on which a month may be claimed: three months after its end."""
    return last_day(_shifted(month, LATEST_MONTHS))


def first_submission(month: str) -> date:
    """The first day on which a month may be claimed ahead: three months before it begins."""
    return months_before(first_day(month), LATEST_MONTHS)


def last_withdrawal(last_month: str) -> date:
    """The last day on which a series that ends with a month may be withdrawn."""
    return last_day(last_month) - timedelta(days=WITHDRAWAL_DAYS)


def _shifted(month: str, months: int) -> str:
    number = int(month[:4]) * 12 + int(month[5:]) - 1 + months
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
