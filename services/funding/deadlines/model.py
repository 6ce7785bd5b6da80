"""The last days on which the months of a contract year may be claimed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy.orm import Mapped

from services.funding.base import Base
from shared.database import Code, Words
from shared.errors import Fault
from shared.facts import Dated, no_overlap
from shared.years import last_day


class ClaimDeadline(Base, Dated):
    """When claims of the months in these days close: `days_after_month` after each, and all of them on `closes_on`.

    `None` is no deadline. No public source gives one, so `note` says where this one comes from.
    """

    __tablename__ = "claim_deadlines"
    __table_args__ = (no_overlap("claim_deadlines", "stream"),)

    stream: Mapped[Code]
    contract_year: Mapped[Code]
    days_after_month: Mapped[int | None]
    closes_on: Mapped[date | None]
    note: Mapped[Words]
    published_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return []

    def last_day_of(self, month: str) -> date | None:
        """The last day on which a month may be claimed; `None` where there is no deadline."""
        days = [] if self.closes_on is None else [self.closes_on]
        if self.days_after_month is not None:
            days.append(last_day(month) + timedelta(days=self.days_after_month))
        return min(days, default=None)

    def missed(self, month: str, made_on: date) -> Fault | None:
        """Why a claim made on a day comes too late for its month, if it does."""
        until = self.last_day_of(month)
        if until is None or made_on <= until:
            return None
        return Fault("made_on", "deadline_passed", f"{month} could be claimed until {until}; it was on {made_on}.")
