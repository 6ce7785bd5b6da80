from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import NUMMULTIRANGE, ExcludeConstraint, Range
from sqlalchemy.dialects.postgresql.ranges import MultiRange
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import NotFound, Refused
from shared.events.registry import ClinicalDirectorAppointed, ClinicalDirectorLeft
from shared.facts import ONE_DAY, Dated

WHOLE = Range(Decimal(0), Decimal(1))


class DirectorNotFound(NotFound):
    """No such clinical director of the network."""


class OfficeTaken(Refused):
    """The parts of those who share the office add up to at most one whole on any day."""


class DirectorOutsideNetwork(Refused):
    """A clinical director works clinically in a member practice on every day of the appointment."""


class AppointmentNotRunning(Refused):
    """An appointment is ended on one of its days, before its last; one that never was is withdrawn, once."""


class Method(StrEnum):
    """How the network chose."""

    APPOINTED = "appointed"
    ELECTED = "elected"
    ROTATING = "rotating"


class Appointment(Versioned, Base):
    """A clinician holds the office of clinical director of a network, whole or shared."""

    __tablename__ = "director_appointments"

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(index=True)
    election: Mapped[Code | None]
    application: Mapped[Code | None]
    appointed_by: Mapped[Words]
    reason: Mapped[Words | None]
    changed_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.network]


class DirectorTerm(Dated, Base):
    """Who holds which part of the office on some days, and the practice in which they work clinically.

    `portion` is the part of the office as pieces of one whole. Because pieces may not overlap, the database refuses
    parts that add up to more than one on any day.
    """

    __tablename__ = "director_terms"
    __table_args__ = (
        ExcludeConstraint(
            ("network", "="),
            ("portion", "&&"),
            ("valid", "&&"),
            ("known", "&&"),
            name="ex_director_terms_overlap",
            using="gist",
        ),
        CheckConstraint("portion <@ numrange(0, 1) and not isempty(portion)", name="portion_of_one_office"),
    )

    appointment: Mapped[Code] = mapped_column(index=True)
    network: Mapped[Code]
    name: Mapped[Words]
    practice: Mapped[Code]
    registration_body: Mapped[str | None]
    registration_number: Mapped[str | None]
    method: Mapped[Method] = mapped_column(text_enum(Method))
    portion: Mapped[MultiRange[Decimal]] = mapped_column(NUMMULTIRANGE)

    def concerns(self) -> Iterable[str]:
        return [self.network, self.practice]

    @property
    def share(self) -> Decimal:
        """The part of the office, over 0 and at most 1."""
        return sum((piece.upper - piece.lower for piece in self.portion), Decimal(0))  # type: ignore[operator]

    def appointed(self, commissioner: str, last_day: date | None) -> ClinicalDirectorAppointed:
        """`last_day` is that of the whole appointment, of which this is the first stretch of days."""
        return ClinicalDirectorAppointed(
            network=self.network,
            commissioner=commissioner,
            appointment=self.appointment,
            practice=self.practice,
            method=self.method.value,
            portion=self.share,
            valid_from=self.valid_from,
            valid_to=last_day,
        )

    def left(self, commissioner: str, last_day: date) -> ClinicalDirectorLeft:
        return ClinicalDirectorLeft(
            network=self.network,
            commissioner=commissioner,
            appointment=self.appointment,
            practice=self.practice,
            valid_from=self.valid_from,
            valid_to=last_day,
        )


def places_for(
    wanted: Decimal, held: Range[date], others: Sequence[DirectorTerm]
) -> list[tuple[Range[date], MultiRange[Decimal]]]:
    """Where a part of the office is free beside the others, one entry for each stretch of days with the same others.

    Raises `OfficeTaken` naming the first day on which it is not.
    """
    turns = {held.lower} | {
        day for other in others for day in (other.valid.lower, other.valid.upper) if day and held.contains(day)
    }
    begins = sorted(day for day in turns if day is not None)
    found: list[tuple[Range[date], MultiRange[Decimal]]] = []
    for begin, end in zip(begins, [*begins[1:], held.upper], strict=True):
        taken = [piece for other in others if other.valid.contains(begin) for piece in other.portion]
        place = _first_free(wanted, taken)
        if place is None:
            free = 1 - sum((piece.upper - piece.lower for piece in taken), Decimal(0))  # type: ignore[operator]
            raise OfficeTaken(f"On {begin} {free.normalize():f} of the office is free, not {wanted.normalize():f}.")
        if found and found[-1][1] == place:
            found[-1] = (Range(found[-1][0].lower, end), place)
        else:
            found.append((Range(begin, end), place))
    return found


def _first_free(wanted: Decimal, taken: Sequence[Range[Decimal]]) -> MultiRange[Decimal] | None:
    """The lowest free pieces of the office that make up a part of it; None where less is free."""
    pieces, left = [], wanted
    at = Decimal(0)
    for piece in [*sorted(taken, key=lambda p: p.lower or Decimal(0)), Range(Decimal(1), None)]:
        upto = piece.lower or Decimal(0)
        if upto > at and left > 0:
            part = min(upto - at, left)
            pieces.append(Range(at, at + part))
            left -= part
        at = max(at, piece.upper or Decimal(1))
    return MultiRange(pieces) if left == 0 else None


def said(days: Range[date]) -> str:
    """A stretch of days in words."""
    last = "on" if days.upper is None else f"to {days.upper - ONE_DAY}"
    return f"from {days.lower} {last}"
