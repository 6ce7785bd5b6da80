"""Registration rounds and the applications in them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from services.reporting.base import Base
from shared.database import Code, Words, text_enum


class Round(Base):
    """A round of one commissioner; what has not been announced yet is empty."""

    __tablename__ = "rounds"

    round: Mapped[Code] = mapped_column(primary_key=True)
    commissioner: Mapped[Code] = mapped_column(index=True)
    contract_year: Mapped[Code] = mapped_column(index=True)
    apply_by: Mapped[date | None]
    decide_by: Mapped[date | None]
    decided_on: Mapped[date | None]
    override_reason: Mapped[Words | None]
    abandoned_on: Mapped[date | None]


class ApplicationState(StrEnum):
    APPLIED = "applied"
    RETURNED = "returned"
    APPROVED = "approved"
    REFUSED = "refused"


class Application(Base):
    """An application in its newest state; `submitted_on` and `late` are those of its newest submission."""

    __tablename__ = "applications"

    application: Mapped[Code] = mapped_column(primary_key=True)
    round: Mapped[Code | None] = mapped_column(index=True)
    state: Mapped[ApplicationState] = mapped_column(text_enum(ApplicationState))
    state_sequence: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[Words | None]
    practices: Mapped[list[str] | None] = mapped_column(ARRAY(String(32)))
    patients: Mapped[int | None]
    submitted_on: Mapped[date | None]
    late: Mapped[bool | None]
    submitted_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
