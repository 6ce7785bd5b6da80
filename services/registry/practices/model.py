from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Versioned, Words, text_enum
from shared.facts import Dated, no_overlap

CORE_CONTRACTS = frozenset({"GMS", "PMS", "APMS"})
GP_PRACTICE_SETTING = "4"


class PracticeStatus(StrEnum):
    ACTIVE = "active"
    DORMANT = "dormant"
    CLOSED = "closed"
    PROPOSED = "proposed"


class Practice(Versioned, Base):
    """A GP practice by its ODS code, which is never reused or edited; what changes about it are dated facts."""

    __tablename__ = "practices"

    code: Mapped[Code] = mapped_column(primary_key=True)
    setting: Mapped[str | None]
    contract: Mapped[str | None]

    def concerns(self) -> Iterable[str]:
        return [self.code]


class PracticeEntry(Dated, Base):
    """The register's entry of a practice. `valid` runs from its opening to its closing day."""

    __tablename__ = "practice_entries"
    __table_args__ = (no_overlap("practice_entries", "practice"),)

    practice: Mapped[Code] = mapped_column(index=True)
    name: Mapped[Words]
    status: Mapped[PracticeStatus] = mapped_column(text_enum(PracticeStatus))


class PracticeCommissioner(Dated, Base):
    """Who commissions a practice, on which days."""

    __tablename__ = "practice_commissioners"
    __table_args__ = (no_overlap("practice_commissioners", "practice"),)

    practice: Mapped[Code] = mapped_column(index=True)
    commissioner: Mapped[Code] = mapped_column(index=True)
