"""Bank holidays of England, as announced; whatever is counted in working days counts without them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Timestamp, Words
from shared.errors import Conflict
from shared.facts import ONE_DAY


class HolidayKnown(Conflict):
    """That day is in the list already."""


class BankHoliday(Base):
    """A day on which banks are closed in England; `added_at` is when it became known here."""

    __tablename__ = "bank_holidays"

    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[Words]
    added_by: Mapped[Words]
    added_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []


class WorkingDays(NamedTuple):
    """Counts in working days around some holidays."""

    holidays: frozenset[date]

    def works(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self.holidays

    def after(self, day: date, count: int) -> date:
        """The working day so many working days after `day`, which itself does not count."""
        while count > 0:
            day += ONE_DAY
            count -= self.works(day)
        return day
