from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Words
from shared.facts import Dated, no_overlap


class LocalityPractice(Dated, Base):
    """A practice belongs to a locality of its large network, a neighbourhood team, on some days: one at a time."""

    __tablename__ = "locality_practices"
    __table_args__ = (no_overlap("locality_practices", "network", "practice"),)

    network: Mapped[Code] = mapped_column(index=True)
    practice: Mapped[Code]
    locality: Mapped[Words]
    reason: Mapped[Words]
    made_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.practice]
