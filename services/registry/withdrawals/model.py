from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Fault, Forbidden, Invalid, NotFound, Refused
from shared.events.registry import EntitlementRestored, EntitlementWithdrawn
from shared.facts import Dated, no_overlap


class WithdrawalNotFound(NotFound):
    """No such withdrawal, or none the caller may see."""


class EntitlementAlreadyWithdrawn(Conflict):
    """The right of a network, or of a practice in it, is withdrawn once at a time."""


class NotYoursToAppeal(Forbidden):
    """The network or the practice that lost its right appeals; a commissioner may write down one on paper."""


class NotYoursToHear(Forbidden):
    """An appeal is heard by the national team, not by the commissioner whose notice it is against."""


class AppealTooLate(Refused):
    """An appeal comes by the day the notice names."""


class AppealedAlready(Refused):
    """A withdrawal is appealed against once."""


class NoAppealWaiting(Refused):
    """Only an appeal that was made and not yet answered has an outcome."""


class EntitlementAlreadyRestored(Refused):
    """The right has come back; what is restored is not restored again."""


class AppealOutcome(StrEnum):
    UPHELD = "upheld"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


class WithdrawalState(StrEnum):
    IN_FORCE = "in_force"
    APPEALED = "appealed"
    UPHELD = "upheld"
    DISMISSED = "dismissed"
    APPEAL_WITHDRAWN = "appeal_withdrawn"
    RESTORED = "restored"


class Withdrawal(Versioned, Base):
    """The commissioner's notice that a network, or a practice in it, is not paid from a day on, and what came of it.

    Each step happens once and carries the instant it was recorded, so that what was known then can be told.
    `salaries_stay` is why what was paid for staff before the notice stays paid, where the commissioner chose so.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (
        CheckConstraint("notified_on <= withdrawn_from and notified_on <= appeal_by", name="days_in_order"),
        CheckConstraint("restored_from is null or restored_from >= withdrawn_from", name="restored_after"),
    )

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(index=True)
    practice: Mapped[Code | None]
    commissioner: Mapped[Code] = mapped_column(index=True)
    reason: Mapped[Words]
    evidence: Mapped[list[str]] = mapped_column(ARRAY(Text))
    notified_on: Mapped[date]
    withdrawn_from: Mapped[date]
    appeal_by: Mapped[date]
    salaries_stay: Mapped[Words | None]
    given_by: Mapped[Words]
    given_at: Mapped[Timestamp]
    appealed_on: Mapped[date | None]
    appeal_reason: Mapped[Words | None]
    appeal_evidence: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    appealed_by: Mapped[Words | None]
    appealed_at: Mapped[Timestamp | None]
    outcome: Mapped[AppealOutcome | None] = mapped_column(text_enum(AppealOutcome))
    outcome_on: Mapped[date | None]
    outcome_reason: Mapped[Words | None]
    outcome_by: Mapped[Words | None]
    outcome_at: Mapped[Timestamp | None]
    restored_from: Mapped[date | None]
    restored_reason: Mapped[Words | None]
    restored_by: Mapped[Words | None]
    restored_at: Mapped[Timestamp | None]

    def concerns(self) -> Iterable[str]:
        return [code for code in (self.network, self.practice, self.commissioner) if code]

    @property
    def whose(self) -> str:
        return self.practice or self.network

    def state(self, known_at: datetime | None = None) -> WithdrawalState:
        """How far it has come, as known now or then."""

        def known(at: datetime | None) -> bool:
            return at is not None and (known_at is None or at <= known_at)

        if known(self.outcome_at) and self.outcome is AppealOutcome.UPHELD:
            return WithdrawalState.UPHELD
        if known(self.restored_at):
            return WithdrawalState.RESTORED
        if known(self.outcome_at):
            lost = self.outcome is AppealOutcome.DISMISSED
            return WithdrawalState.DISMISSED if lost else WithdrawalState.APPEAL_WITHDRAWN
        return WithdrawalState.APPEALED if known(self.appealed_at) else WithdrawalState.IN_FORCE

    def faults(self, today: date) -> list[Fault]:
        """Every day of the notice that does not fit, in one list."""
        found = []
        if self.notified_on > today:
            found.append(Fault("notified_on", "in_the_future", f"{self.notified_on} has not come yet."))
        if self.withdrawn_from < self.notified_on:
            found.append(Fault("withdrawn_from", "before_notice", "A right ends on the day of the notice or after it."))
        if self.appeal_by < self.notified_on:
            found.append(Fault("appeal_by", "before_notice", "An appeal is possible after the notice."))
        if self.salaries_stay is not None and self.practice is not None:
            found.append(
                Fault("salaries_stay", "of_a_practice", "Staff is paid for by the network, not by a practice.")
            )
        return found

    def withdrawn(self) -> EntitlementWithdrawn:
        return EntitlementWithdrawn(
            withdrawal=self.id,
            network=self.network,
            commissioner=self.commissioner,
            practice=self.practice,
            withdrawn_from=self.withdrawn_from,
            reason=self.reason,
            salaries_stay=self.salaries_stay,
        )

    def appeal(self, reason: str, evidence: list[str], *, on: date, by: str, now: datetime) -> None:
        """Say why the right should not have been withdrawn, by the day the notice names.

        Raises `AppealedAlready`, `AppealTooLate`.
        """
        if self.appealed_at is not None:
            raise AppealedAlready(f"The withdrawal {self.id} was appealed against on {self.appealed_on}.")
        if on > self.appeal_by:
            raise AppealTooLate(f"An appeal was possible until {self.appeal_by}.")
        self.appealed_on, self.appeal_reason, self.appeal_evidence = on, reason, evidence
        self.appealed_by, self.appealed_at = by, now

    def settle(
        self, outcome: AppealOutcome, reason: str, *, on: date, by: str, now: datetime
    ) -> EntitlementRestored | None:
        """Answer the appeal; upheld, the right comes back from the day it was withdrawn. Raises `NoAppealWaiting`."""
        if self.appealed_at is None or self.outcome_at is not None:
            raise NoAppealWaiting(f"No appeal against the withdrawal {self.id} waits for an answer.")
        if self.appealed_on is not None and on < self.appealed_on:
            fault = Fault("decided_on", "before_the_appeal", f"The appeal was made on {self.appealed_on}.")
            raise Invalid("An appeal is answered after it was made.", errors=[fault])
        self.outcome, self.outcome_on, self.outcome_reason = outcome, on, reason
        self.outcome_by, self.outcome_at = by, now
        return self._restored(self.withdrawn_from, reason) if outcome is AppealOutcome.UPHELD else None

    def restore(self, first: date, reason: str, *, by: str, now: datetime) -> EntitlementRestored:
        """The commissioner gives the right back from a day on. Raises `EntitlementAlreadyRestored`, `Invalid`."""
        if self.restored_at is not None or self.outcome is AppealOutcome.UPHELD:
            raise EntitlementAlreadyRestored(f"The right withdrawn by {self.id} has come back already.")
        if first < self.withdrawn_from:
            fault = Fault("restored_from", "before_withdrawal", f"It was withdrawn from {self.withdrawn_from}.")
            raise Invalid("A right comes back after it was withdrawn.", errors=[fault])
        self.restored_from, self.restored_reason, self.restored_by, self.restored_at = first, reason, by, now
        return self._restored(first, reason)

    def _restored(self, first: date, reason: str) -> EntitlementRestored:
        return EntitlementRestored(
            withdrawal=self.id,
            network=self.network,
            commissioner=self.commissioner,
            practice=self.practice,
            restored_from=first,
            reason=reason,
        )


class Lapse(Dated, Base):
    """The days on which a network, or one practice in it, has no right to be paid. `whose` is the code of either."""

    __tablename__ = "lapses"
    __table_args__ = (no_overlap("lapses", "network", "whose"),)

    network: Mapped[Code]
    whose: Mapped[Code]
    withdrawal: Mapped[Code] = mapped_column(ForeignKey("withdrawals.id"), index=True)

    def concerns(self) -> Iterable[str]:
        return [self.network, self.whose]
