"""The posts of 31 March 2019: only staff above them are additional."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Headcount, Versioned, Words
from shared.errors import Conflict, Refused
from shared.years import last_day

BASELINE_DAY = date(2019, 3, 31)
GRACE_MONTHS = 3


def grace_ends(vacant: date) -> date:
    """The last day on which a baseline post that fell vacant bars no claim of its role."""
    months = vacant.month - 1 + GRACE_MONTHS
    month = f"{vacant.year + months // 12}-{months % 12 + 1:02d}"
    return last_day(month).replace(day=min(vacant.day, last_day(month).day))


class BaselineAlreadyRecorded(Conflict):
    """The practice's baseline of that role is on record."""


class VacancyBeforeBaseline(Refused):
    """A baseline post cannot have fallen vacant before the baseline was taken."""


class Baseline(Versioned, Base):
    """WTE of a role a practice (or its commissioner for it) paid for on 31 March 2019."""

    __tablename__ = "baselines"
    __table_args__ = (UniqueConstraint("practice", "role"), CheckConstraint("wte > 0", name="wte_positive"))

    id: Mapped[Code] = mapped_column(primary_key=True)
    practice: Mapped[Code]
    role: Mapped[Code]
    wte: Mapped[Headcount]
    vacant_from: Mapped[date | None]
    filled_on: Mapped[date | None]
    source: Mapped[Words | None]

    def concerns(self) -> list[str]:
        return [self.practice]

    def fall_vacant(self, on: date) -> None:
        """One WTE of the baseline is empty from a day on; three months later the role is claimable for one WTE less."""
        if on < BASELINE_DAY:
            raise VacancyBeforeBaseline(f"The baseline was taken on {BASELINE_DAY}; {on} lies before it.")
        self.vacant_from, self.filled_on = on, None

    def fill(self, on: date) -> None:
        """The baseline post has somebody again."""
        self.filled_on = on

    def vacant(self) -> date | None:
        """The day since which one WTE of the baseline is empty."""
        return self.vacant_from if self.filled_on is None else None
