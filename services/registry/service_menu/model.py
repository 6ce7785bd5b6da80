from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound
from shared.facts import Dated, no_overlap


class ServiceNotFound(NotFound):
    """No such service on any menu."""


class ServicePublishedAlready(Conflict):
    """A service is published once for a contract year, and corrected after that."""


class Confidence(StrEnum):
    CONFIRMED_2 = "confirmed_2"
    ONE_SOURCE = "one_source"
    DERIVED = "derived"
    REMEMBERED = "remembered"


class MenuItem(Versioned, Base):
    """A service that networks may or must deliver in a contract year."""

    __tablename__ = "menu_items"
    __table_args__ = (UniqueConstraint("contract_year", "service"),)

    id: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[str]
    service: Mapped[Code] = mapped_column(index=True)
    published_by: Mapped[Words]
    reason: Mapped[Words | None]
    changed_at: Mapped[Timestamp]


class MenuTerm(Dated, Base):
    """What the menu says of a service, and the days of the year on which it is on it."""

    __tablename__ = "menu_terms"
    __table_args__ = (no_overlap("menu_terms", "item"),)

    item: Mapped[Code]
    contract_year: Mapped[str] = mapped_column(index=True)
    service: Mapped[Code] = mapped_column(index=True)
    name: Mapped[Words]
    planned_start: Mapped[date | None]
    actual_start: Mapped[date | None]
    actual_year: Mapped[str | None]
    functions: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    note: Mapped[Words | None]
    confidence: Mapped[Confidence] = mapped_column(text_enum(Confidence))
