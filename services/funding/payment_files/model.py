"""A payment file: made once, downloaded as often as needed, always the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.bank_details.keys import KeyRing
from services.funding.base import Base
from shared.database import Money, Timestamp, Words
from shared.errors import Refused


class NothingToSend(Refused):
    """Every instruction of the run that can leave is in a payment file already."""


class OriginatorMissing(Refused):
    """The settings do not say from which account and under which user number payments are made."""


class NoProcessingDay(Refused):
    """Bacs works on working days, the next one at the earliest."""


class Layout(StrEnum):
    BACS = "bacs"
    CSV = "csv"


class PaymentFile(Base):
    """Some instructions of a run as one file in two layouts, sealed because it holds account numbers.

    No digest of it is kept: with one payment in the file all but a few digits of it are known, and those are guessed
    from a digest in minutes.
    """

    __tablename__ = "payment_files"
    __table_args__ = (UniqueConstraint("run", "number"),)
    secret_columns: ClassVar[tuple[str, ...]] = ("sealed_bacs", "sealed_csv")

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"))
    number: Mapped[int]
    processing_day: Mapped[date]
    instructions: Mapped[int]
    total: Mapped[Money]
    sealed_bacs: Mapped[Words]
    sealed_csv: Mapped[Words]
    sealed_with: Mapped[str] = mapped_column(String(16))
    made_by: Mapped[Words]
    made_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []

    def content(self, layout: Layout, keys: KeyRing) -> bytes:
        return keys.open(self.sealed_bacs if layout is Layout.BACS else self.sealed_csv)

    def reseal(self, keys: KeyRing) -> None:
        """Put the content under the newest key."""
        self.sealed_bacs, self.sealed_csv = keys.reseal(self.sealed_bacs), keys.reseal(self.sealed_csv)
        self.sealed_with = keys.newest
