from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Versioned, Words
from shared.facts import Dated, no_overlap


class Commissioner(Versioned, Base):
    """A body that commissions primary care (CCG, later sub-ICB location); its code is never reused or edited.

    Where commissioning is not delegated to it, the national local team decides in its place.
    """

    __tablename__ = "commissioners"

    code: Mapped[Code] = mapped_column(primary_key=True)
    delegated: Mapped[bool] = mapped_column(default=True)
    delegation_reason: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.code]

    def delegate(self, delegated: bool, reason: str) -> None:
        """Say whether this commissioner decides for its own area."""
        self.delegated, self.delegation_reason = delegated, reason


class Placement(Dated, Base):
    """Where a commissioner stands on some days: its name, its system (STP, later ICB) and its region."""

    __tablename__ = "placements"
    __table_args__ = (no_overlap("placements", "commissioner"),)

    commissioner: Mapped[Code]
    name: Mapped[Words]
    system: Mapped[Code] = mapped_column(index=True)
    system_name: Mapped[Words]
    region: Mapped[Code]
    region_name: Mapped[Words]
