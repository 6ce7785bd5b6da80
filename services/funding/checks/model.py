"""A payment file that was received and compared with what was due, as often as the facts have grown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.checks.files import FileKind
from services.funding.comparisons.cases import Difference, Evidence
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Forbidden, NotFound
from shared.history import kept


class CheckNotFound(NotFound):
    """No such check, or none the caller may see."""


class ComparisonNotFound(NotFound):
    """The check has not been compared so often."""


class NothingOfYours(NotFound):
    """No row of the file is about an organisation the caller may see."""


class PublicationNotYours(Forbidden):
    """A publication about all practices is received from national users."""


class FileCheckedBefore(Conflict):
    """This very file was received before for the same months; compare that check again instead."""


class CheckStatus(StrEnum):
    RECEIVED = "received"
    COMPARED = "compared"


@kept(entered="received_at")
class Check(Base, Versioned):
    """A payment file and its newest comparison. `organisations` are whose file it is; a publication is everybody's.

    `habits` says, by payment and commissioner, how many months most of its practices were paid; `rests_on` names the
    files and lists the newest comparison used.
    """

    __tablename__ = "checks"
    __table_args__ = (UniqueConstraint("owner", "sha256", "contract_year", "through"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    contract_year: Mapped[Code]
    through: Mapped[str] = mapped_column(String(7))
    kind: Mapped[FileKind] = mapped_column(text_enum(FileKind))
    owner: Mapped[Words]
    organisations: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    file_name: Mapped[Words]
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    refused: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    refused_rows: Mapped[int]
    status: Mapped[CheckStatus] = mapped_column(text_enum(CheckStatus))
    received_by: Mapped[Words]
    received_at: Mapped[Timestamp]
    comparison: Mapped[int]
    compared_by: Mapped[Words | None]
    compared_at: Mapped[Timestamp | None]
    habits: Mapped[dict[str, Any]] = mapped_column(JSONB)
    rests_on: Mapped[list[str]] = mapped_column(JSONB)

    def concerns(self) -> Iterable[str]:
        return self.organisations

    def compared(self, habits: dict[str, Any], rests_on: list[str], *, by: str, at: datetime) -> int:
        """The file was compared once more with what is known now; gives the number of the comparison."""
        self.comparison += 1
        self.status, self.compared_by, self.compared_at = CheckStatus.COMPARED, by, at
        self.habits, self.rests_on = habits, rests_on
        return self.comparison


class CheckRow(Base):
    """One row of a file as it was read: whom it is about, the lists it publishes, what was paid."""

    __tablename__ = "check_rows"
    __table_args__ = (Index("ix_check_rows_practice", "practice"),)

    check: Mapped[str] = mapped_column(String(64), ForeignKey("checks.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    practice: Mapped[str | None] = mapped_column(String(32))
    network: Mapped[str | None] = mapped_column(String(32))
    commissioner: Mapped[str | None] = mapped_column(String(32))
    registered: Mapped[Decimal | None]
    weighted: Mapped[Decimal | None]
    closed_on: Mapped[date | None]
    paid: Mapped[dict[str, str]] = mapped_column(JSONB)


class CheckLine(Base):
    """One payment of a comparison with its class, the evidence for it and the sums; a comparison is never changed.

    `due` is null where it cannot be told; `months` is how many the payment is for, if it is for whole ones.
    """

    __tablename__ = "check_lines"
    __table_args__ = (Index("ix_check_lines_comparison", "check", "comparison", "payment", "difference"),)

    id: Mapped[str] = mapped_column(String(96), primary_key=True)
    check: Mapped[str] = mapped_column(String(64), ForeignKey("checks.id"))
    comparison: Mapped[int]
    payment: Mapped[str] = mapped_column(String(64))
    practice: Mapped[str | None] = mapped_column(String(32))
    network: Mapped[str | None] = mapped_column(String(32))
    commissioner: Mapped[str | None] = mapped_column(String(32))
    paid: Mapped[Money]
    due: Mapped[Money | None]
    difference: Mapped[Difference] = mapped_column(text_enum(Difference))
    evidence: Mapped[Evidence] = mapped_column(text_enum(Evidence))
    months: Mapped[int | None]
    said: Mapped[list[str]] = mapped_column(JSONB)
