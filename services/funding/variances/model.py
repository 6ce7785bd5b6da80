"""How far a run may stray from the month before without a word, and what strayed further."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Money, Rate, Timestamp, Words, text_enum
from shared.errors import Fault, Refused
from shared.facts import Dated, no_overlap


class FindingsNotAcknowledged(Refused):
    """A run that strays from the month before is approved with a reason for each finding; `errors` lists them."""


class FindingKind(StrEnum):
    STREAM = "stream-variance"
    PAYEE = "payee-variance"


class VarianceThreshold(Base, Dated):
    """A change is found when it is at least `amount` and at least `percent` of what was paid the month before.

    No published threshold exists: the shipped ones are this system's own, and national users set others from a day on.
    """

    __tablename__ = "variance_thresholds"
    __table_args__ = (
        no_overlap("variance_thresholds", "kind"),
        CheckConstraint("percent >= 0 AND amount >= 0", name="not_negative"),
    )

    kind: Mapped[FindingKind] = mapped_column(text_enum(FindingKind))
    percent: Mapped[Rate]
    amount: Mapped[Money]
    reason: Mapped[Words]
    set_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return []

    def bites(self, before: Decimal, now: Decimal) -> bool:
        """Whether the step from `before` to `now` (pounds) is one to ask about."""
        change = abs(now - before)
        return change > 0 and change >= self.amount and change * 100 >= self.percent * abs(before)


class Finding(Base):
    """One stream or payee whose month differs from the month before by more than the threshold of the day."""

    __tablename__ = "run_findings"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"), index=True)
    kind: Mapped[FindingKind] = mapped_column(text_enum(FindingKind))
    subject: Mapped[str] = mapped_column(String(64))
    paid_before: Mapped[Money]
    amount: Mapped[Money]
    threshold_percent: Mapped[Rate]
    threshold_amount: Mapped[Money]
    acknowledged_by: Mapped[Words | None]
    acknowledged_at: Mapped[Timestamp | None]
    reason: Mapped[Words | None]

    def open_fault(self) -> Fault:
        """What its approver has to say something about."""
        return Fault(
            f"findings.{self.id}",
            self.kind.value,
            f"{self.subject}: {self.amount} now, {self.paid_before} in the run before.",
        )
