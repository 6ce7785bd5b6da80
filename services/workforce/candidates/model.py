"""Somebody who might be recruited, known to us by a reference alone."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Timestamp, Words
from shared.errors import Conflict


class CandidateAlreadyKnown(Conflict):
    """The network gave that reference to a candidate before."""


class Candidate(Base):
    """A person under the reference their network gave them; `recruited_from` is the organisation they come from."""

    __tablename__ = "candidates"
    __table_args__ = (UniqueConstraint("network", "reference"),)

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code]
    reference: Mapped[Words]
    recruited_from: Mapped[Code | None]
    created_at: Mapped[Timestamp]

    def concerns(self) -> list[str]:
        return [self.network]
