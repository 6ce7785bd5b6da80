"""A payment instruction: what one payee of a run is sent, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Refused
from shared.events.funding import PaymentConfirmed, PaymentReturned, RedirectedPart, SettledPart
from shared.history import Entered, kept

BACS_MOST = Decimal("20000000.00")
"""The most a single Bacs credit may carry."""


class InstructionNotSent(Refused):
    """Only what left in a payment file can be confirmed or returned."""


class InstructionSettled(Refused):
    """The instruction was settled otherwise before."""


class SettledTooEarly(Refused):
    """A payment is settled after its file was made, and not in the future."""


class InstructionNotReturned(Refused):
    """Only money that came back and was not sent again has a cause to be settled."""


class NothingToRedirect(Refused):
    """Only money that came back or is held, and was not sent again, goes to another payee."""


class StillOnItsWay(Refused):
    """A payment file with the money is out; until the bank answers it may yet arrive."""


class MoreThanIsLeft(Refused):
    """Less of the money is left than was to go to another payee."""


class RunNotIssued(Refused):
    """Only an issued run is paid, confirmed and closed."""


class NothingOwed(Refused):
    """Only what is carried forward, and no later payment was made less by, is a debt to decide on."""


class DebtOutcome(StrEnum):
    WRITTEN_OFF = "written-off"
    RECOVERED = "recovered"


class InstructionState(StrEnum):
    DUE = "due"
    HELD = "held"
    SENT = "sent"
    CONFIRMED = "confirmed"
    RETURNED = "returned"
    CARRIED = "carried"
    REDIRECTED = "redirected"
    NIL = "nil"


OPEN = frozenset({InstructionState.DUE, InstructionState.HELD, InstructionState.SENT})
SETTLED = frozenset(InstructionState) - OPEN
NOTHING = Decimal("0.00")


class TookUp(NamedTuple):
    """What an instruction took up: earlier ones of its payee, and money redirected to it."""

    instructions: tuple[str, ...] = ()
    redirections: tuple[RedirectedPart, ...] = ()


@kept("run")
class PaymentInstruction(Base, Entered, Versioned):
    """One net amount to one payee of a run. Only an amount above nothing is ever sent, in one payment file.

    `amount` is `of_run`, the payee's lines of the run, plus `brought_forward` from earlier instructions; `parts` is it
    by network. One carried forward or returned names in `taken_into` the later instruction that took it up; of one
    carried forward that nothing will be set against, `debt` says what two people decided. `redirected` is what two
    people let go to other payees, of money that came back or was held: one that was held is settled by it, and what is
    left of it is due to its payee with the next run.
    """

    __tablename__ = "payment_instructions"
    __table_args__ = (
        UniqueConstraint("run", "payee"),
        UniqueConstraint("run", "number"),
        CheckConstraint("amount = of_run + brought_forward", name="adds_up"),
        CheckConstraint(
            "CASE state WHEN 'carried' THEN amount < 0 WHEN 'nil' THEN amount = 0 ELSE amount > 0 END", name="sign"
        ),
        CheckConstraint(
            "(state IN ('sent', 'confirmed', 'returned')) = (file IS NOT NULL AND details IS NOT NULL)",
            name="in_a_file",
        ),
        CheckConstraint("debt IS NULL OR (state = 'carried' AND taken_into IS NULL)", name="debt"),
        CheckConstraint(
            "CASE state WHEN 'redirected' THEN redirected > 0 WHEN 'returned' THEN redirected >= 0"
            " ELSE redirected = 0 END AND (redirected = 0 OR redirected <= amount)",
            name="redirected",
        ),
        Index("ix_payment_instructions_payee", "payee"),
        Index("ix_payment_instructions_file", "file"),
        Index("ix_payment_instructions_taken_into", "taken_into", postgresql_where=text("taken_into IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"))
    number: Mapped[int]
    payee: Mapped[Code]
    month: Mapped[str] = mapped_column(String(7))
    contract_year: Mapped[Code]
    of_run: Mapped[Money]
    brought_forward: Mapped[Money]
    amount: Mapped[Money]
    parts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[InstructionState] = mapped_column(text_enum(InstructionState))
    held_code: Mapped[str | None] = mapped_column(String(32))
    held_reason: Mapped[Words | None]
    file: Mapped[str | None] = mapped_column(String(64), ForeignKey("payment_files.id"))
    details: Mapped[str | None] = mapped_column(String(64), ForeignKey("bank_details.id"))
    settled_on: Mapped[date | None]
    settled_by: Mapped[Words | None]
    settled_at: Mapped[Timestamp | None]
    return_code: Mapped[str | None] = mapped_column(String(32))
    return_reason: Mapped[Words | None]
    remedy: Mapped[Words | None]
    remedied_by: Mapped[Words | None]
    remedied_at: Mapped[Timestamp | None]
    taken_into: Mapped[str | None] = mapped_column(String(80), ForeignKey("payment_instructions.id"))
    debt: Mapped[DebtOutcome | None] = mapped_column(text_enum(DebtOutcome))
    redirected: Mapped[Money] = mapped_column(default=NOTHING, server_default=text("0"))

    def concerns(self) -> Iterable[str]:
        return [self.payee]

    @property
    def left(self) -> Decimal:
        """What its payee is still to be sent of it."""
        return self.amount - self.redirected

    @property
    def waits(self) -> bool:
        """Whether money of it came back or is held, and nobody was sent it again."""
        kept = {InstructionState.RETURNED, InstructionState.HELD, InstructionState.REDIRECTED}
        return self.state in kept and self.taken_into is None and self.left > 0

    @property
    def reference(self) -> str:
        """What the payee reads on its bank statement, 18 characters."""
        return f"PCN {self.month} {self.number:06d}"

    def send(self, file: str, details: str) -> None:
        """The instruction leaves in a payment file, to the account in force."""
        self.state, self.file, self.details = InstructionState.SENT, file, details
        self.held_code = self.held_reason = None

    def hold(self, code: str, reason: str) -> None:
        """The instruction cannot leave yet."""
        if (self.held_code, self.held_reason) != (code, reason):
            self.state, self.held_code, self.held_reason = InstructionState.HELD, code, reason

    def _settle(self, state: InstructionState, on: date, *, sent_on: date, by: str, at: datetime, today: date) -> None:
        if self.file is None:
            raise InstructionNotSent(f"The instruction is {self.state.value} and is in no payment file.")
        if not sent_on <= on <= today:
            raise SettledTooEarly(f"It was sent on {sent_on}; it was not settled on {on}.")
        self.state, self.settled_on, self.settled_by, self.settled_at = state, on, by, at

    def confirm(
        self, on: date, took_up: TookUp, *, sent_on: date, by: str, at: datetime, today: date
    ) -> PaymentConfirmed | None:
        """The payee has the money; told again, nothing happens. `took_up` is what is part of it besides its lines.

        Raises `InstructionNotSent`, `InstructionSettled` and `SettledTooEarly`.
        """
        if self.state is InstructionState.CONFIRMED and self.settled_on == on:
            return None
        if self.state in SETTLED:
            raise InstructionSettled(f"The instruction is {self.state.value} since {self.settled_on}.")
        self._settle(InstructionState.CONFIRMED, on, sent_on=sent_on, by=by, at=at, today=today)
        return PaymentConfirmed(**self._told(took_up), confirmed_on=on)

    def give_back(
        self,
        on: date,
        took_up: TookUp,
        code: str,
        reason: str,
        *,
        sent_on: date,
        by: str,
        at: datetime,
        today: date,
    ) -> PaymentReturned | None:
        """The bank sent the money back, perhaps after it had been confirmed: it is due again, with what it `took_up`.
        Told again, nothing happens.

        Raises `InstructionNotSent`, `InstructionSettled` and `SettledTooEarly`.
        """
        if self.state is InstructionState.RETURNED:
            if (self.settled_on, self.return_code) == (on, code):
                return None
            raise InstructionSettled(f"The instruction is returned since {self.settled_on}.")
        self._settle(InstructionState.RETURNED, on, sent_on=sent_on, by=by, at=at, today=today)
        self.return_code, self.return_reason = code, reason
        return PaymentReturned(**self._told(took_up), returned_on=on, code=code, reason=reason)

    def settle_cause(self, remedy: str, *, by: str, at: datetime) -> None:
        """Why the money came back is settled, and the next run sends it again. Raises `InstructionNotReturned`."""
        if self.state is not InstructionState.RETURNED or self.taken_into is not None or not self.left:
            raise InstructionNotReturned("The money did not come back, or was sent again.")
        self.remedy, self.remedied_by, self.remedied_at = remedy, by, at

    def must_owe(self) -> None:
        """Whether this is a debt still to be had back. Raises `NothingOwed`."""
        if self.state is not InstructionState.CARRIED:
            raise NothingOwed(f"The instruction is {self.state.value}; nothing is owed by it.")
        if self.taken_into is not None:
            raise NothingOwed(f"{self.taken_into} took the debt up.")
        if self.debt is not None:
            raise NothingOwed(f"The debt is {self.debt.value} already.")

    def owed(self) -> dict[str, Decimal]:
        """What is owed by network, above nothing where it is owed back."""
        return {network: -amount for network, amount in parts_of(self.parts).items()}

    def settle_debt(self, outcome: DebtOutcome, on: date, *, by: str, at: datetime) -> None:
        """Nothing will be taken off later payments for it. Raises `NothingOwed`."""
        self.must_owe()
        self.debt, self.settled_on, self.settled_by, self.settled_at = outcome, on, by, at

    def must_wait(self) -> None:
        """Whether this is money that came back or is held, and that nobody was sent again.

        Raises `StillOnItsWay` and `NothingToRedirect`.
        """
        if self.state is InstructionState.SENT:
            raise StillOnItsWay(f"Payment file {self.file} with it is out.")
        if self.taken_into is not None:
            raise NothingToRedirect(f"{self.taken_into} sends the money again.")
        if not self.waits:
            raise NothingToRedirect(f"The instruction is {self.state.value}: nothing of it waits for its payee.")

    def redirect(self, amount: Decimal, on: date, *, by: str, at: datetime) -> None:
        """Some of it goes to another payee. One that was held is settled by it, once for all.

        Raises `StillOnItsWay`, `NothingToRedirect` and `MoreThanIsLeft`.
        """
        self.must_wait()
        if amount > self.left:
            raise MoreThanIsLeft(f"£{self.left} is left of it.")
        self.redirected += amount
        if self.state is InstructionState.HELD:
            self.state, self.settled_on, self.settled_by, self.settled_at = InstructionState.REDIRECTED, on, by, at
            self.held_code = self.held_reason = None

    def _told(self, took_up: TookUp) -> dict[str, Any]:
        return {
            "took_up": list(took_up.instructions),
            "redirections": list(took_up.redirections),
            "instruction": self.id,
            "run": self.run,
            "month": self.month,
            "contract_year": self.contract_year,
            "payee": self.payee,
            "amount": self.amount,
            "parts": [SettledPart(network=network, amount=Decimal(part)) for network, part in self.parts.items()],
        }


def parts_of(stored: Mapping[str, str]) -> dict[str, Decimal]:
    """Amounts by network as the database keeps them."""
    return {network: Decimal(part) for network, part in stored.items()}
