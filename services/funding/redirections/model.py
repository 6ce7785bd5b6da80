"""A redirection: money of an instruction that came back, or is held, goes to another payee."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.instructions.model import PaymentInstruction
from shared.clock import london_day
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound, Refused
from shared.events.funding import PaymentRedirected


class RedirectionNotFound(NotFound):
    """No such redirection, or none the caller may see."""


class RedirectionInProgress(Conflict):
    """Another redirection of this part of the instruction waits for its second person."""


class RedirectionDecided(Refused):
    """The redirection has been approved, refused or withdrawn already."""


class SamePersonRedirects(Refused):
    """Whoever proposed where money goes may not approve it: two people stand behind it."""


class ProposedByAnother(Refused):
    """Whoever proposed a redirection withdraws it; others refuse it."""


class RedirectedToItself(Refused):
    """The money is this payee's already."""


class NotThePayee(Refused):
    """Money only goes to whoever is paid the network's, or the practice's, money on the day it is redirected."""


class RedirectionStatus(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Redirection(Base, Versioned):
    """Some of an instruction's money, a network's own or one practice's in it, goes from its payee to another.

    `amount` is as much of it as came back or is held. Once approved, the run that next pays the new payee sends it:
    its instruction is `taken_into`.
    """

    __tablename__ = "redirections"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("payee <> redirected_to", name="to_another"),
        CheckConstraint("status <> 'approved' OR decided_by <> proposed_by", name="two_people"),
        CheckConstraint("taken_into IS NULL OR status = 'approved'", name="taken"),
        Index("ix_redirections_instruction", "instruction"),
        Index("ix_redirections_payee", "payee"),
        Index("ix_redirections_redirected_to", "redirected_to"),
        Index("ix_redirections_taken_into", "taken_into", postgresql_where=text("taken_into IS NOT NULL")),
        Index(
            "uq_redirections_proposed",
            "instruction",
            "network",
            text("coalesce(practice, '')"),
            unique=True,
            postgresql_where=text("status = 'proposed'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    instruction: Mapped[str] = mapped_column(String(80), ForeignKey("payment_instructions.id"))
    month: Mapped[str] = mapped_column(String(7))
    network: Mapped[Code]
    practice: Mapped[str | None] = mapped_column(String(32))
    payee: Mapped[Code]
    redirected_to: Mapped[Code]
    amount: Mapped[Money]
    reason: Mapped[Words]
    status: Mapped[RedirectionStatus] = mapped_column(text_enum(RedirectionStatus))
    proposed_by: Mapped[Words]
    proposed_at: Mapped[Timestamp]
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    refusal: Mapped[Words | None]
    taken_into: Mapped[str | None] = mapped_column(String(80), ForeignKey("payment_instructions.id"))
    taken_at: Mapped[Timestamp | None]

    def concerns(self) -> Iterable[str]:
        return [self.payee, self.redirected_to, self.network, *([self.practice] if self.practice else [])]

    def _decide(self, status: RedirectionStatus, by: str, at: datetime) -> None:
        if self.status is not RedirectionStatus.PROPOSED:
            raise RedirectionDecided(f"The redirection is {self.status.value} already.")
        self.status, self.decided_by, self.decided_at = status, by, at

    def must_go_to(self, paid_today: str) -> None:
        """Whether the new payee is the one that is paid such money today. Raises `NotThePayee`."""
        if self.redirected_to != paid_today:
            whose = f"practice {self.practice}" if self.practice else f"network {self.network}"
            raise NotThePayee(f"{paid_today} is paid the money of {whose} today, not {self.redirected_to}.")

    def approve(self, instruction: PaymentInstruction, paid_today: str, *, by: str, at: datetime) -> PaymentRedirected:
        """A second person agrees: the money is the new payee's, with the duty to give back what turns out too much.

        Raises `RedirectionDecided`, `SamePersonRedirects`, `NotThePayee` and what the instruction refuses.
        """
        if by == self.proposed_by:
            raise SamePersonRedirects(f"{by} proposed this; somebody else must approve it.")
        self._decide(RedirectionStatus.APPROVED, by, at)
        self.must_go_to(paid_today)
        instruction.redirect(self.amount, london_day(at), by=by, at=at)
        return PaymentRedirected(
            redirection=self.id,
            instruction=instruction.id,
            run=instruction.run,
            month=instruction.month,
            contract_year=instruction.contract_year,
            network=self.network,
            practice=self.practice,
            payee=self.payee,
            redirected_to=self.redirected_to,
            amount=self.amount,
            decided_on=london_day(at),
        )

    def refuse(self, reason: str, *, by: str, at: datetime) -> None:
        """The money stays where it is. Raises `RedirectionDecided`."""
        self._decide(RedirectionStatus.REFUSED, by, at)
        self.refusal = reason

    def withdraw(self, reason: str, *, by: str, at: datetime) -> None:
        """Whoever proposed it no longer does. Raises `RedirectionDecided` and `ProposedByAnother`."""
        if by != self.proposed_by:
            raise ProposedByAnother(f"{self.proposed_by} proposed this; others refuse it.")
        self._decide(RedirectionStatus.WITHDRAWN, by, at)
        self.refusal = reason


class RedirectedAmount(Base):
    """What of a redirection was paid for which stream and month: whoever has it now gives it back where it turns out
    too much. They add up to the redirection; `reference` is that of the lines."""

    __tablename__ = "redirected_amounts"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    redirection: Mapped[str] = mapped_column(String(64), ForeignKey("redirections.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    contract_year: Mapped[Code]
    stream: Mapped[str] = mapped_column(String(64))
    month: Mapped[str] = mapped_column(String(7))
    reference: Mapped[str | None] = mapped_column(String(96))
    amount: Mapped[Money]

    def concerns(self) -> Iterable[str]:
        return []
