"""A decision on a debt: an amount carried forward that nothing will ever be taken off."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.instructions.model import DebtOutcome, PaymentInstruction
from shared.clock import london_day
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound, Refused
from shared.events.funding import DebtSettled, SettledPart
from shared.history import kept


class DebtNotFound(NotFound):
    """No such decision on a debt, or none the caller may see."""


class DebtInProgress(Conflict):
    """Another decision on this debt waits for its second person, or was made."""


class DebtDecided(Refused):
    """The decision on the debt has been approved or refused already."""


class SamePersonWritesOff(Refused):
    """Whoever proposed what becomes of a debt may not approve it: two people stand behind it."""


class DebtStatus(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


@kept("payee", entered="proposed_at")
class DebtDecision(Base, Versioned):
    """What becomes of an amount a payee owes: given up (`written-off`), or had back some other way (`recovered`, on
    `settled_on`, by `reference`). `amount` is what is owed, above nothing."""

    __tablename__ = "debt_decisions"
    __table_args__ = (
        CheckConstraint("amount > 0", name="owed"),
        CheckConstraint("status <> 'approved' OR decided_by <> proposed_by", name="two_people"),
        Index("ix_debt_decisions_payee", "payee"),
        Index(
            "uq_debt_decisions_instruction",
            "instruction",
            unique=True,
            postgresql_where=text("status <> 'refused'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    instruction: Mapped[str] = mapped_column(String(80), ForeignKey("payment_instructions.id"))
    payee: Mapped[Code]
    month: Mapped[str] = mapped_column(String(7))
    amount: Mapped[Money]
    outcome: Mapped[DebtOutcome] = mapped_column(text_enum(DebtOutcome))
    settled_on: Mapped[date]
    reference: Mapped[Words | None]
    reason: Mapped[Words]
    status: Mapped[DebtStatus] = mapped_column(text_enum(DebtStatus))
    proposed_by: Mapped[Words]
    proposed_at: Mapped[Timestamp]
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    refusal: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.payee]

    def _decide(self, status: DebtStatus, by: str, at: datetime) -> None:
        if self.status is not DebtStatus.PROPOSED:
            raise DebtDecided(f"The decision is {self.status.value} already.")
        self.status, self.decided_by, self.decided_at = status, by, at

    def approve(self, instruction: PaymentInstruction, *, by: str, at: datetime) -> DebtSettled:
        """A second person agrees, and no later payment is made less by the debt.

        Raises `DebtDecided`, `SamePersonWritesOff` and `NothingOwed`.
        """
        if by == self.proposed_by:
            raise SamePersonWritesOff(f"{by} proposed this; somebody else must approve it.")
        self._decide(DebtStatus.APPROVED, by, at)
        instruction.settle_debt(self.outcome, self.settled_on, by=by, at=at)
        return DebtSettled(
            decision=self.id,
            instruction=instruction.id,
            run=instruction.run,
            month=instruction.month,
            contract_year=instruction.contract_year,
            payee=self.payee,
            amount=self.amount,
            outcome=self.outcome.value,
            parts=[SettledPart(network=network, amount=part) for network, part in instruction.owed().items()],
            settled_on=self.settled_on,
            decided_on=london_day(at),
        )

    def refuse(self, reason: str, *, by: str, at: datetime) -> None:
        """The debt stays and is taken off what is paid next. Raises `DebtDecided`."""
        self._decide(DebtStatus.REFUSED, by, at)
        self.refusal = reason
