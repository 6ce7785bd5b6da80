from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words
from shared.errors import Conflict, Forbidden, NotFound


class WhatIfNotFound(NotFound):
    """No such what-if, or none the caller may see."""


class NotYoursToPropose(Forbidden):
    """A grouping is proposed by the commissioner of the area, or by a network or practice that has a part in it."""


class AppliedForAlready(Conflict):
    """A what-if becomes the applications of one round, once."""


class WhatIf(Versioned, Base):
    """A grouping of practices that nobody has decided: what was proposed, and what the register said of it then."""

    __tablename__ = "what_ifs"

    id: Mapped[Code] = mapped_column(primary_key=True)
    title: Mapped[Words]
    commissioner: Mapped[Code] = mapped_column(index=True)
    starts_on: Mapped[date]
    snapshot: Mapped[date]
    asked_by: Mapped[Words]
    asked_at: Mapped[Timestamp]
    organisations: Mapped[list[str]] = mapped_column(ARRAY(Text))
    proposal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    answer: Mapped[dict[str, Any]] = mapped_column(JSONB)
    round: Mapped[Code | None]
    applications: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    allocations: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    allocations_left: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)

    def concerns(self) -> Iterable[str]:
        return [self.commissioner, *self.organisations]

    def require_unapplied(self, round: str) -> None:
        """Raises `AppliedForAlready` where it became the applications of another round."""
        if self.round is not None and self.round != round:
            raise AppliedForAlready(f"The what-if {self.id} became applications of the round {self.round}.")

    def applied_for(
        self, round: str, applications: list[str], allocations: list[str], left: list[dict[str, Any]]
    ) -> None:
        """Each group of it is an application of this round now, and each list it has served is allocated or `left`."""
        self.round, self.applications = round, applications
        self.allocations, self.allocations_left = allocations, left
