"""A practice's claim for a salaried GP's month, from draft to payment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.practice_scheme.refusals import (
    AdvanceNotConfirmed,
    PracticeClaimNotEditable,
    PracticeClaimNotOpen,
    PracticeClaimNotPayable,
    TooEarlyToClaim,
    TooLateToClaim,
    TooLateToWithdraw,
)
from services.funding.practice_scheme.rules import (
    Engagement,
    Kind,
    Outcome,
    Work,
    first_submission,
    last_submission,
    last_withdrawal,
)
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Fault
from shared.events.funding import (
    PracticeClaimApproved,
    PracticeClaimMade,
    PracticeClaimPaid,
    PracticeClaimRejected,
    PracticeClaimReturned,
    PracticeClaimWithdrawn,
)
from shared.history import kept
from shared.years import first_day, last_day

STREAM = "gp_reimbursement_max"


class Step(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAID = "paid"
    WITHDRAWN = "withdrawn"


LIVE = (Step.DRAFT, Step.SUBMITTED, Step.RETURNED, Step.APPROVED, Step.PAID)
GRANTED = (Step.APPROVED, Step.PAID)


@dataclass(frozen=True, slots=True)
class Content:
    """What a practice says in a claim."""

    kind: Kind
    month: str
    person: str
    zone: str
    engagement: Engagement
    worked_from: date
    worked_to: date
    sessions: Decimal
    sessions_before: Decimal
    contracted_sessions: Decimal
    hours: Decimal
    started_on: date
    employed_here_until: date | None
    only_as_cover: bool
    funded_before: str | None
    salary: Decimal
    employer_ni: Decimal
    employer_pension: Decimal
    evidence: tuple[str, ...]


@kept("contract_year", "practice", entered="created_at")
class PracticeClaim(Base, Versioned):
    """What one GP cost a practice in one month. `series` is the first of advance claims made together, by id.

    `person` is a pseudonym, the same wherever the GP works, so that no hour is paid here and to a network too.
    `submitted_on` is the first submission: sent back and made again, a claim keeps its day.
    """

    __tablename__ = "practice_claims"
    __table_args__ = (
        CheckConstraint("payable IS NULL OR payable >= 0", name="payable"),
        Index(
            "uq_practice_claims_live",
            "practice",
            "person",
            "kind",
            "month",
            unique=True,
            postgresql_where=text("status NOT IN ('withdrawn', 'rejected')"),
        ),
        Index("ix_practice_claims_practice", "practice", "contract_year"),
        Index("ix_practice_claims_person", "person", "month"),
        Index("ix_practice_claims_status", "status"),
        Index("ix_practice_claims_series", "series"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    practice: Mapped[Code]
    contract_year: Mapped[Code]
    month: Mapped[str] = mapped_column(String(7))
    series: Mapped[str] = mapped_column(String(64))
    kind: Mapped[Kind] = mapped_column(text_enum(Kind))
    person: Mapped[str] = mapped_column(String(64))
    zone: Mapped[Code]
    engagement: Mapped[Engagement] = mapped_column(text_enum(Engagement))
    worked_from: Mapped[date]
    worked_to: Mapped[date]
    sessions: Mapped[Decimal]
    sessions_before: Mapped[Decimal]
    contracted_sessions: Mapped[Decimal]
    hours: Mapped[Decimal]
    started_on: Mapped[date]
    employed_here_until: Mapped[date | None]
    only_as_cover: Mapped[bool]
    funded_before: Mapped[str | None] = mapped_column(String(32))
    salary: Mapped[Money]
    employer_ni: Mapped[Money]
    employer_pension: Mapped[Money]
    evidence: Mapped[list[str]] = mapped_column(JSONB)
    status: Mapped[Step] = mapped_column(text_enum(Step))
    submitted_on: Mapped[date | None]
    confirmed_by: Mapped[Words | None]
    payable: Mapped[Money | None]
    limited_by: Mapped[str | None] = mapped_column(String(32))
    checked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    code: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[Words | None]
    run: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.practice]

    @property
    def work(self) -> Work:
        return Work(
            kind=self.kind,
            engagement=self.engagement,
            month=self.month,
            worked_from=self.worked_from,
            worked_to=self.worked_to,
            sessions=self.sessions,
            sessions_before=self.sessions_before,
            contracted_sessions=self.contracted_sessions,
            hours=self.hours,
            started_on=self.started_on,
            employed_here_until=self.employed_here_until,
            only_as_cover=self.only_as_cover,
            salary=self.salary,
            employer_ni=self.employer_ni,
            employer_pension=self.employer_pension,
        )

    @property
    def granted_share(self) -> Fraction:
        """The person's share of the year's maximum this claim was approved with, exactly."""
        return self.work.share(Decimal(self.checked["maximum"]))

    @property
    def granted_most(self) -> Decimal:
        return Decimal(self.checked["most"])

    @property
    def advance(self) -> bool:
        """Whether the month was claimed before it had ended."""
        return self.submitted_on is not None and self.submitted_on <= last_day(self.month)

    def write(self, content: Content) -> None:
        """Say what is claimed. Raises `PracticeClaimNotEditable` once it is submitted."""
        if self.status not in (Step.DRAFT, Step.RETURNED):
            raise PracticeClaimNotEditable(f"The claim is {self.status.value}; it is changed as a draft or sent back.")
        for name in (field.name for field in fields(content)):
            value = getattr(content, name)
            setattr(self, name, list(value) if isinstance(value, tuple) else value)

    def submit(self, today: date) -> PracticeClaimMade:
        """Hand the claim in. Raises `TooLateToClaim`, `TooEarlyToClaim` and `PracticeClaimNotOpen`."""
        self._must_be(Step.DRAFT, Step.RETURNED)
        day = self.submitted_on or today
        if day > last_submission(self.month):
            raise TooLateToClaim(f"{self.month} could be claimed until {last_submission(self.month)}.")
        if day < first_submission(self.month):
            raise TooEarlyToClaim(f"{self.month} can be claimed from {first_submission(self.month)} on.")
        self.submitted_on, self.status = day, Step.SUBMITTED
        self.code = self.reason = self.decided_by = self.decided_at = None
        return PracticeClaimMade(**self._named(), claimed=self.work.cost, made_on=today)

    def confirm_advance(self, by: str) -> None:
        """The commissioner confirms that this practice may claim ahead."""
        self._must_be(Step.SUBMITTED)
        self.confirmed_by = by

    def note(self, outcome: Outcome, before: Iterable[Fraction], given: Decimal) -> None:
        """Remember what a check found, for whoever decides and for the line that pays the claim."""
        work, maximum = self.work, outcome.maximum
        total = sum(before, Fraction(0))
        self.payable, self.limited_by = outcome.payable, outcome.limited_by
        self.checked = {
            "salary": str(self.salary),
            "ni_allowed": str(work.ni_allowed),
            "employer_pension": str(self.employer_pension),
            "cost": str(work.cost),
            "per": "hour" if self.kind is Kind.INCREASED_PARTICIPATION else "wte_year",
            "tariff": None if maximum is None else maximum.id,
            "maximum": None if maximum is None or maximum.value is None else str(maximum.value),
            "confidence": None if maximum is None else maximum.confidence,
            "sessions": str(self.sessions),
            "hours": str(self.hours),
            "days_worked": work.days_worked,
            "days_in_month": work.days_in_month,
            "before": [total.numerator, total.denominator],
            "given": str(given),
            "most": None if outcome.most is None else str(outcome.most),
            "room": None if outcome.room is None else str(outcome.room),
            "faults": [{"field": f.field, "code": f.code, "message": f.message} for f in outcome.faults],
        }

    def approve(self, outcome: Outcome, *, by: str, at: datetime) -> PracticeClaimApproved:
        """Accept the claim for what the check found payable.

        Raises `PracticeClaimNotOpen`, `AdvanceNotConfirmed` and `PracticeClaimNotPayable`.
        """
        self._must_be(Step.SUBMITTED)
        if self.advance and self.confirmed_by is None:
            raise AdvanceNotConfirmed(f"{self.month} was claimed on {self.submitted_on}, before it had ended.")
        if outcome.payable is None:
            raise PracticeClaimNotPayable("The claim cannot be approved; errors lists why.", errors=outcome.faults)
        self.status, self.decided_by, self.decided_at = Step.APPROVED, by, at
        return PracticeClaimApproved(
            **self._named(),
            claimed=self.work.cost,
            payable=outcome.payable,
            limited_by=None if outcome.limited_by == "none" else outcome.limited_by,
        )

    def send_back(self, code: str, reason: str, *, by: str, at: datetime) -> PracticeClaimReturned:
        """Send the claim back to be put right."""
        self._close(Step.RETURNED, code, reason, by, at)
        return PracticeClaimReturned(**self._named(), code=code, reason=reason)

    def reject(self, code: str, reason: str, *, by: str, at: datetime) -> PracticeClaimRejected:
        """Turn the claim down."""
        self._close(Step.REJECTED, code, reason, by, at)
        return PracticeClaimRejected(**self._named(), code=code, reason=reason)

    def withdraw(self, today: date, last_month: str, *, in_file: bool) -> PracticeClaimWithdrawn | None:
        """The practice takes the claim back; `last_month` is the last of its series.

        A draft leaves nothing to announce. Raises `PracticeClaimNotOpen` and `TooLateToWithdraw`.
        """
        if self.status is Step.APPROVED and self.advance:
            until = last_withdrawal(last_month)
            if today > until or in_file:
                raise TooLateToWithdraw(
                    f"{self.month} is in a payment file." if in_file else f"It could be withdrawn until {until}."
                )
        else:
            self._must_be(Step.DRAFT, Step.SUBMITTED, Step.RETURNED)
        drafted, self.status, self.payable = self.status is Step.DRAFT, Step.WITHDRAWN, None
        return None if drafted else PracticeClaimWithdrawn(**self._named(), withdrawn_on=today)

    def pay(self, run: str) -> PracticeClaimPaid:
        """The claim was part of an issued run. Raises `PracticeClaimNotOpen` unless it was approved."""
        self._must_be(Step.APPROVED)
        if self.payable is None:
            raise PracticeClaimNotOpen("Nothing of the claim was approved.")
        self.status, self.run = Step.PAID, run
        return PracticeClaimPaid(**self._named(), run=run, amount=self.payable)

    def trace(self) -> dict[str, Any]:
        """What the line that pays the claim remembers."""
        return {
            "kind": "practice-claim",
            "claim": self.id,
            "month": self.month,
            "paid_before": None,
            "amount": str(self.payable),
            "limited_by": self.limited_by,
            **{name: value for name, value in self.checked.items() if name != "faults"},
        }

    def _close(self, step: Step, code: str, reason: str, by: str, at: datetime) -> None:
        self._must_be(Step.SUBMITTED)
        self.status, self.decided_by, self.decided_at = step, by, at
        self.code, self.reason, self.payable = code, reason, None

    def _must_be(self, *steps: Step) -> None:
        if self.status not in steps:
            raise PracticeClaimNotOpen(f"The claim is {self.status.value}.")

    def _named(self) -> dict[str, Any]:
        return {"claim": self.id, "practice": self.practice, "month": self.month}


def not_open(month: str) -> Fault:
    return Fault("month", "scheme_not_open", f"The scheme does not reimburse {first_day(month):%B %Y}.")
