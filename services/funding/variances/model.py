"""How far a run may stray from the month before without a word, what strayed further, and what else needs a word."""

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
from shared.history import Entered, kept


class FindingsNotAcknowledged(Refused):
    """A run about which something was found is approved with a reason for each finding; `errors` lists them."""


class FindingKind(StrEnum):
    """What an approver is asked about: a stream or payee that strays from the month before, a local variation that
    comes to less than the national rates known since it was approved, or one that cannot be compared with them."""

    STREAM = "stream-variance"
    PAYEE = "payee-variance"
    VARIATION_BELOW = "variation-below-national"
    VARIATION_UNCOMPARED = "variation-not-comparable"


VARIANCES = (FindingKind.STREAM, FindingKind.PAYEE)
"""The kinds that compare two months, and so have thresholds."""


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


@kept("run")
class Finding(Base, Entered):
    """One stream or payee whose month differs from the month before by more than the threshold of the day.

    Or a local variation: then `paid_before` is what the national rates come to for the practices that agree, `amount`
    what the variation does, both of its own months, and `detail` says it in words.
    """

    __tablename__ = "run_findings"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"), index=True)
    kind: Mapped[FindingKind] = mapped_column(text_enum(FindingKind))
    subject: Mapped[str] = mapped_column(String(64))
    paid_before: Mapped[Money]
    amount: Mapped[Money]
    threshold_percent: Mapped[Rate]
    threshold_amount: Mapped[Money]
    detail: Mapped[Words | None]
    acknowledged_by: Mapped[Words | None]
    acknowledged_at: Mapped[Timestamp | None]
    reason: Mapped[Words | None]

    def open_fault(self) -> Fault:
        """What its approver has to say something about."""
        return Fault(
            f"findings.{self.id}",
            self.kind.value,
            self.detail or f"{self.subject}: {self.amount} now, {self.paid_before} in the run before.",
        )
