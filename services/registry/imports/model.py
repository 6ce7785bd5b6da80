from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound


class ImportKind(StrEnum):
    EPRACCUR = "epraccur"
    EPCN = "epcn"
    ADJUSTED_POPULATIONS = "adjusted-populations"
    HIERARCHY = "hierarchy"
    PRACTICE_PAYMENTS = "practice-payments"
    PRACTICE_MAP = "practice-map"
    PRACTICE_TOTALS = "practice-totals"
    AVERAGE_LISTS = "average-lists"
    SUCCESSION = "succession"


class ImportState(StrEnum):
    """Running, all of it loaded, refused whole, or left by whoever ran it; only a loaded one changed anything."""

    RUNNING = "running"
    LOADED = "loaded"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


FIRST_REFUSED = 100
"""So many refused rows stand in the import itself; all of them are a list of their own."""


class ImportNotFound(NotFound):
    """No such import."""


class NewerFileImported(Conflict):
    """A file of this kind published later is on the register already; an older one cannot correct it."""


class Import(Versioned, Base):
    """One register file taken in: what it was, what it changed, which of its rows were refused and why."""

    __tablename__ = "imports"
    __table_args__ = (Index("ix_imports_kind_sha256", "kind", "sha256"),)

    id: Mapped[Code] = mapped_column(primary_key=True)
    kind: Mapped[ImportKind] = mapped_column(text_enum(ImportKind))
    state: Mapped[ImportState] = mapped_column(text_enum(ImportState))
    stage: Mapped[Words]
    reason: Mapped[Words | None]
    file_name: Mapped[Words]
    sha256: Mapped[str]
    published_on: Mapped[date]
    snapshot: Mapped[date | None]
    rows: Mapped[int]
    loaded: Mapped[int]
    unchanged: Mapped[int]
    refused: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    differences: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    changes: Mapped[dict[str, int]] = mapped_column(JSONB)
    imported_at: Mapped[Timestamp]
    imported_by: Mapped[Words]

    @property
    def refused_rows(self) -> int:
        return len(self.refused)

    @property
    def first_refused(self) -> list[dict[str, Any]]:
        return self.refused[:FIRST_REFUSED]
