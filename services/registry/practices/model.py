from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base, Explained, Rooted, standing, standing_once, standing_within
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Refused
from shared.events.registry import (
    Commissioned,
    Dispersed,
    PracticeClosed,
    PracticeFact,
    PracticeRegistered,
    PracticeSucceeded,
    WentOver,
)
from shared.facts import ONE_DAY, Dated, left_over, no_overlap

CORE_CONTRACTS = frozenset({"GMS", "PMS", "APMS"})
GP_PRACTICE_SETTING = "4"


class PracticeStatus(StrEnum):
    ACTIVE = "active"
    DORMANT = "dormant"
    CLOSED = "closed"
    PROPOSED = "proposed"


class PracticeCodeTaken(Conflict):
    """A practice code is never used twice; a practice that opens again is reopened."""


class PracticeNotOpen(Refused):
    """What belongs to a practice lies within its life, from the day it opened to the day it closed."""


class PracticeNotClosed(Refused):
    """Only a practice that has closed, or is to close, has a closing day to withdraw."""


class PracticeNotDispersed(Refused):
    """Only of the list of a practice that was said to be dispersed can that be taken back."""


class PatientsDispersed(Refused):
    """The patients of a list that was dispersed are registered elsewhere, and served there."""


class ListWentOver(Refused):
    """The list of a practice that merged is served with its successor's."""


class NotACoreContract(Refused):
    """Only holders of a GMS, PMS or APMS contract for in-hours services are core members of a network."""


class PracticeSucceedsItself(Refused):
    """A practice goes over into another one, which is open on that day."""


class Practice(Versioned, Base):
    """A GP practice by its ODS code, which is never reused or edited; what changes about it are dated facts."""

    __tablename__ = "practices"

    code: Mapped[Code] = mapped_column(primary_key=True)
    setting: Mapped[str | None]
    changed_at: Mapped[Timestamp | None]

    def concerns(self) -> Iterable[str]:
        return [self.code]

    def registered(
        self,
        entries: Sequence[PracticeEntry],
        commissioner: str,
        commissioned: Sequence[PracticeCommissioner],
        successions: Sequence[PracticeSuccession],
        dispersals: Sequence[PracticeDispersal],
        today: date,
    ) -> PracticeRegistered:
        """The practice as the register has it now, whatever changed about it; `entries` are all that is believed."""
        latest = max(entries, key=lambda entry: entry.valid_from)
        current = next((e for e in entries if today in e.valid), latest)
        closed_on = latest.valid_to
        status = PracticeStatus.CLOSED if closed_on is not None and closed_on < today else current.status
        return PracticeRegistered(
            practice=PracticeFact(
                practice=self.code,
                practice_name=latest.name,
                commissioner=commissioner,
                opened_on=min(entry.valid_from for entry in entries),
                closed_on=closed_on,
                status=status.value,
                commissioned=[spell.told() for spell in commissioned],
                went_over=told_of(successions, entries),
                dispersed=dispersed_of(dispersals, entries),
            )
        )


class PracticeEntry(Explained, Rooted, Base):
    """The register's entry of a practice. `valid` runs from its opening to its closing day."""

    __tablename__ = "practice_entries"
    __table_args__ = (
        no_overlap("practice_entries", "practice"),
        standing(),
        standing_once("practice_entries", "practice"),
    )

    practice: Mapped[Code] = mapped_column(
        ForeignKey("practices.code", deferrable=True, initially="DEFERRED"), index=True
    )
    name: Mapped[Words]
    status: Mapped[PracticeStatus] = mapped_column(text_enum(PracticeStatus))

    def concerns(self) -> Iterable[str]:
        return [self.practice]

    def closed(self, commissioner: str, last_day: date) -> PracticeClosed:
        """The practice has seen its last day; its contract and its membership end with it."""
        return PracticeClosed(practice=self.practice, commissioner=commissioner, closed_on=last_day)


class PracticeCommissioner(Explained, Rooted, Base):
    """Who commissions a practice, on which days."""

    __tablename__ = "practice_commissioners"
    __table_args__ = (
        no_overlap("practice_commissioners", "practice"),
        standing(),
        standing_within("practice_commissioners", "practice", "practice_entries", "practice"),
    )

    practice: Mapped[Code] = mapped_column(index=True)
    commissioner: Mapped[Code] = mapped_column(index=True)

    def concerns(self) -> Iterable[str]:
        return [self.practice, self.commissioner]

    def told(self) -> Commissioned:
        """The spell as other services hear of it."""
        return Commissioned(commissioner=self.commissioner, valid_from=self.valid_from, valid_to=self.valid_to)


class PracticeContract(Explained, Dated, Base):
    """The kind of contract a practice holds for in-hours services: GMS, PMS, APMS or another, on which days."""

    __tablename__ = "practice_contracts"
    __table_args__ = (no_overlap("practice_contracts", "practice"),)

    practice: Mapped[Code] = mapped_column(
        ForeignKey("practices.code", deferrable=True, initially="DEFERRED"), index=True
    )
    contract: Mapped[Code]

    def concerns(self) -> Iterable[str]:
        return [self.practice]


class PracticeSuccession(Explained, Dated, Base):
    """A practice went over into another: from the first day of `valid` its patients are the successor's."""

    __tablename__ = "practice_successions"
    __table_args__ = (no_overlap("practice_successions", "practice"),)

    practice: Mapped[Code] = mapped_column(ForeignKey("practices.code", deferrable=True, initially="DEFERRED"))
    successor: Mapped[Code] = mapped_column(
        ForeignKey("practices.code", deferrable=True, initially="DEFERRED"), index=True
    )

    def concerns(self) -> Iterable[str]:
        return [self.practice, self.successor]

    def succeeded(self, commissioner: str) -> PracticeSucceeded:
        return PracticeSucceeded(
            practice=self.practice,
            successor=self.successor,
            commissioner=commissioner,
            succeeded_on=self.valid_from,
        )


class PracticeDispersal(Explained, Dated, Base):
    """The patients of a practice that closed are registered elsewhere: from the first day of `valid` on nobody is left
    on the list that was counted before, and nobody need serve it.
    """

    __tablename__ = "practice_dispersals"
    __table_args__ = (no_overlap("practice_dispersals", "practice"),)

    practice: Mapped[Code] = mapped_column(
        ForeignKey("practices.code", deferrable=True, initially="DEFERRED"), index=True
    )

    def concerns(self) -> Iterable[str]:
        return [self.practice]


def told_of(successions: Iterable[PracticeSuccession], entries: Iterable[PracticeEntry]) -> list[WentOver]:
    """Into whom a practice went over as other services hear of it: on the days on which it is not open itself."""
    opened = [entry.valid for entry in entries]
    return [
        WentOver(
            successor=succession.successor,
            valid_from=part.lower,
            valid_to=None if part.upper is None else part.upper - ONE_DAY,
        )
        for succession in successions
        for part in left_over(succession.valid, opened)
        if part.lower is not None
    ]


def dispersed_of(dispersals: Iterable[PracticeDispersal], entries: Iterable[PracticeEntry]) -> list[Dispersed]:
    """The days on which the patients of a closed list are registered elsewhere, as other services hear of them."""
    opened = [entry.valid for entry in entries]
    return [
        Dispersed(valid_from=part.lower, valid_to=None if part.upper is None else part.upper - ONE_DAY)
        for dispersal in dispersals
        for part in left_over(dispersal.valid, opened)
        if part.lower is not None
    ]
