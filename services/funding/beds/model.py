"""The number of care-home beds a network is paid for, as supplied for a month."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Timestamp, Words
from shared.errors import Conflict, Refused
from shared.facts import Dated, no_overlap
from shared.years import first_day


class BedsSupplied(Conflict):
    """A number was supplied for the month before: correct that one, so that nobody's figure is lost unseen."""


class MonthAhead(Refused):
    """Beds are counted in a month that has begun."""


class BedCount(Base, Dated):
    """Beds in homes aligned to the network. `valid` is the month; a correction ends `known` and adds a row.

    A month for which nothing was supplied is paid on the number of the last one before it that has one.
    """

    __tablename__ = "bed_counts"
    __table_args__ = (no_overlap("bed_counts", "network"), CheckConstraint("beds >= 0", name="not_negative"))

    network: Mapped[Code]
    month: Mapped[str] = mapped_column(String(7))
    beds: Mapped[int]
    supplied_by: Mapped[Words]
    supplied_at: Mapped[Timestamp]
    note: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.network]


def refuse_ahead(month: str, today: date) -> None:
    """Raises `MonthAhead` for a month that has not begun."""
    if first_day(month) > today:
        raise MonthAhead(f"{month} has not begun; beds are counted in a month that has.")
