from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words
from shared.errors import Forbidden, NotFound, Refused
from shared.facts import Dated, no_overlap


class SeatNotFound(NotFound):
    """No such seat on the board of the system."""


class NotYoursToSeat(Forbidden):
    """A system keeps the seats of its own partnership board; the national team may."""


class SeatNotThere(Refused):
    """A seat is held on days on which it is on the board."""


class HolderNotDirector(Refused):
    """A seat of the clinical directors is held by one on every day of the holding."""


class DirectorOfAnotherSystem(Refused):
    """A seat is held by the director of a network led by a commissioner of the system."""


class SeatEmpty(Refused):
    """Nobody holds the seat on that day."""


class Vacancy(StrEnum):
    """Why nobody speaks from a seat: nobody was put there, or whoever was is clinical director no longer."""

    NOT_FILLED = "not_filled"
    NOT_A_DIRECTOR_ANY_MORE = "not_a_director_any_more"


class Seat(Versioned, Base):
    """A seat kept for a clinical director on a system's partnership board."""

    __tablename__ = "seats"

    id: Mapped[Code] = mapped_column(primary_key=True)
    system: Mapped[Code] = mapped_column(index=True)
    reason: Mapped[Words | None]
    changed_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.system]


class SeatTerm(Dated, Base):
    """The days on which a seat is on the board, and what it is called."""

    __tablename__ = "seat_terms"
    __table_args__ = (no_overlap("seat_terms", "seat"),)

    seat: Mapped[Code]
    system: Mapped[Code] = mapped_column(index=True)
    board: Mapped[Words]
    title: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.system]


class Holding(Dated, Base):
    """A clinical director's appointment that fills a seat on some days."""

    __tablename__ = "seat_holdings"
    __table_args__ = (no_overlap("seat_holdings", "seat"),)

    seat: Mapped[Code]
    system: Mapped[Code]
    network: Mapped[Code]
    appointment: Mapped[Code]

    def concerns(self) -> Iterable[str]:
        return [self.system, self.network]
