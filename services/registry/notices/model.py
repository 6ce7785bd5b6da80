from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Versioned, Words, text_enum
from shared.errors import Conflict, Forbidden, NotFound, Refused


class NoticeNotFound(NotFound):
    """No such notice, or none the caller may see."""


class NoticeGivenAlready(Conflict):
    """One notice of a kind waits for a practice and a network at a time."""


class NoticeSettled(Conflict):
    """A notice that took effect, was refused or withdrawn is settled; give another."""


class NotYoursToGive(Forbidden):
    """Notice is given by the practice or the network it is about."""


class NotYoursToConsent(Forbidden):
    """To a joining both sides say yes, each for itself."""


class ConsentNotNeeded(Refused):
    """Only a joining needs the consent of the other side, and only once."""


class ConsentMissing(Refused):
    """No practice is put into a network that has not agreed to it, nor against its own will."""


class NoticeKind(StrEnum):
    LEAVE = "leave"
    JOIN = "join"


class Side(StrEnum):
    PRACTICE = "practice"
    NETWORK = "network"


class NoticeStatus(StrEnum):
    GIVEN = "given"
    IN_EFFECT = "in_effect"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Notice(Versioned, Base):
    """A practice or a network says that the practice leaves or joins.

    `effective_on` is the last day of the membership for a leaving, its first for a joining. In a window, after due
    notice, it takes effect by itself; otherwise the commissioner accepts or refuses it.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index(
            "uq_notices_waiting",
            "practice",
            "network",
            "kind",
            unique=True,
            postgresql_where=text("status = 'given'"),
        ),
    )

    id: Mapped[Code] = mapped_column(primary_key=True)
    kind: Mapped[NoticeKind] = mapped_column(text_enum(NoticeKind))
    network: Mapped[Code] = mapped_column(index=True)
    practice: Mapped[Code]
    commissioner: Mapped[Code] = mapped_column(index=True)
    effective_on: Mapped[date]
    reason: Mapped[Words]
    side: Mapped[Side] = mapped_column(text_enum(Side))
    given_on: Mapped[date]
    given_by: Mapped[Words]
    status: Mapped[NoticeStatus] = mapped_column(text_enum(NoticeStatus), default=NoticeStatus.GIVEN)
    window: Mapped[Code | None]
    consented_on: Mapped[date | None]
    consented_by: Mapped[Words | None]
    settled_on: Mapped[date | None]
    settled_by: Mapped[Words | None]
    settled_reason: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.practice, self.commissioner]

    @property
    def other(self) -> str:
        """The side that did not give it."""
        return self.network if self.side is Side.PRACTICE else self.practice

    @property
    def works_by_itself(self) -> bool:
        """Whether a window is enough: a practice chooses for itself to leave; a joining both sides agreed to."""
        if self.kind is NoticeKind.LEAVE:
            return self.side is Side.PRACTICE
        return self.consented_on is not None

    def require_waiting(self) -> None:
        if self.status is not NoticeStatus.GIVEN:
            raise NoticeSettled(f"The notice {self.id} is {self.status.value.replace('_', ' ')}.")

    def consent(self, on: date, by: str) -> None:
        """The other side agrees to the joining."""
        self.require_waiting()
        if self.kind is NoticeKind.LEAVE or self.consented_on is not None:
            raise ConsentNotNeeded(f"The notice {self.id} needs no further consent.")
        self.consented_on, self.consented_by = on, by

    def require_consent(self) -> None:
        if self.kind is NoticeKind.JOIN and self.consented_on is None:
            raise ConsentMissing(f"{self.other} has not agreed that {self.practice} joins {self.network}.")

    def settle(self, status: NoticeStatus, on: date, by: str, reason: str | None) -> None:
        self.require_waiting()
        self.status, self.settled_on, self.settled_by, self.settled_reason = status, on, by, reason
