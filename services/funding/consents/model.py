"""A practice's consent to a local variation."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Timestamp, Words
from shared.errors import Conflict, Refused
from shared.facts import Dated, no_overlap


class AnotherVariation(Conflict):
    """The practice agreed to another variation of those days."""


class NotInVariation(Refused):
    """The variation does not name the practice."""


class Consent(Base, Dated):
    """A practice agreed to a variation from a day on; it ends with the variation, or when it is taken back."""

    __tablename__ = "variation_consents"
    __table_args__ = (
        no_overlap("variation_consents", "variation", "practice"),
        Index("ix_variation_consents_practice", "practice"),
    )

    variation: Mapped[str] = mapped_column(String(64))
    practice: Mapped[Code]
    signed_by: Mapped[Words]
    entered_by: Mapped[Words]
    entered_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.practice]
