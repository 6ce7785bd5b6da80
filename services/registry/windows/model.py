from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base, Explained
from shared.database import Code, text_enum
from shared.errors import Conflict, NotFound, Refused
from shared.facts import Dated, no_overlap
from shared.years import months_before


class WindowNotFound(NotFound):
    """No such window."""


class WindowWithdrawn(Conflict):
    """A window withdrawn is not put right; record another."""


class OutsideWindow(Refused):
    """Outside a window a practice leaves its network only with the commissioner's recorded agreement."""


class NoticeTooShort(Refused):
    """Notice given in a window takes effect after its period of notice."""


class WindowReason(StrEnum):
    """Why practices may choose: every year anew, or because the national terms were changed within a year."""

    ANNUAL = "annual"
    REISSUE = "reissue"


class Window(Explained, Dated, Base):
    """Days on which practices may leave or join a network by notice alone; `valid` are these days.

    Notice takes effect after `notice_months`: in 2020/21 one month, so that of 31 May took effect on 30 June.
    """

    __tablename__ = "windows"
    __table_args__ = (
        no_overlap("windows", "id"),
        CheckConstraint("notice_months between 0 and 12", name="notice_of_a_year_at_most"),
        CheckConstraint("not upper_inf(valid)", name="closes"),
        Index("ix_windows_contract_year", "contract_year"),
    )

    id: Mapped[Code]
    contract_year: Mapped[Code]
    why: Mapped[WindowReason] = mapped_column(text_enum(WindowReason))
    notice_months: Mapped[int]

    def concerns(self) -> Iterable[str]:
        return ()

    def earliest(self, notified_on: date) -> date:
        """The first day that notice given on a day can make the last one of a membership."""
        return months_before(notified_on, -self.notice_months)

    def require_notice(self, notified_on: date, last_day: date) -> None:
        if last_day < self.earliest(notified_on):
            raise NoticeTooShort(
                f"Notice of {notified_on} takes effect on {self.earliest(notified_on)} at the earliest, "
                f"not on {last_day}; an earlier day needs the commissioner's agreement."
            )
