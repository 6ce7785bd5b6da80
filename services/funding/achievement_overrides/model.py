"""An override: proposed by one national user, put into effect by another."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound, Refused
from shared.history import kept


class OverrideNotFound(NotFound):
    """No such override."""


class OverrideStands(Conflict):
    """The indicator is overridden for that year already."""


class OverrideDecided(Refused):
    """The override is in effect already."""


class SamePersonProposed(Refused):
    """Whoever proposed an override may not put it into effect."""


class OverrideStatus(StrEnum):
    PROPOSED = "proposed"
    IN_EFFECT = "in-effect"


@kept(entered="proposed_at")
class Override(Base, Versioned):
    """A national decision that everybody fully achieved an indicator of a year, whatever was measured."""

    __tablename__ = "achievement_overrides"
    __table_args__ = (UniqueConstraint("contract_year", "indicator"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    contract_year: Mapped[Code]
    indicator: Mapped[str] = mapped_column(String(16))
    reason: Mapped[Words]
    status: Mapped[OverrideStatus] = mapped_column(text_enum(OverrideStatus))
    proposed_by: Mapped[Words]
    proposed_at: Mapped[Timestamp]
    approved_by: Mapped[Words | None]
    approved_at: Mapped[Timestamp | None]
    networks: Mapped[int]

    def approve(self, *, by: str, at: datetime) -> None:
        """A second person puts the override into effect. Raises `OverrideDecided` and `SamePersonProposed`."""
        if self.status is OverrideStatus.IN_EFFECT:
            raise OverrideDecided("The override is in effect already.")
        if by == self.proposed_by:
            raise SamePersonProposed(f"{by} proposed this override; somebody else must put it into effect.")
        self.status, self.approved_by, self.approved_at = OverrideStatus.IN_EFFECT, by, at
