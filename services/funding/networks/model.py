"""Commissioners, practices, networks and who is served by which: what the registry announced."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.dialects.postgresql import DATERANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Timestamp, Words
from shared.facts import Dated, days, no_overlap
from shared.history import Entered, kept


@kept()
class Commissioner(Base, Entered):
    """A commissioner and the system it belongs to. `position` is the event that said so: older ones are ignored."""

    __tablename__ = "commissioners"

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    system: Mapped[Code]
    system_name: Mapped[Words]
    region: Mapped[Code]
    region_name: Mapped[Words]
    position: Mapped[int] = mapped_column(BigInteger)


class Practice(Base):
    """A practice and the commissioner of its contract.

    `position` is the newest description read, `closing_position` the newest closure, `heirs_position` the newest
    description that said into whom it went over, or that it went over into nobody.
    """

    __tablename__ = "practices"

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code]
    opened_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    status: Mapped[Code]
    position: Mapped[int] = mapped_column(BigInteger)
    closing_position: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    heirs_position: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class PracticeHeir(Base, Dated):
    """A practice went over into another: from the first day of `valid` its patients are the successor's."""

    __tablename__ = "practice_heirs"
    __table_args__ = (no_overlap("practice_heirs", "practice"), Index("ix_practice_heirs_successor", "successor"))

    practice: Mapped[Code]
    successor: Mapped[Code]
    position: Mapped[int] = mapped_column(BigInteger)


@kept()
class Network(Base, Entered):
    """An approved network. `position` is the newest approval read, `closing_position` the newest closure.

    `by_application` is false where it was on the register: then nobody told whether it has an agreement. It is null
    where it was approved before this was kept and nothing held tells which.
    """

    __tablename__ = "networks"
    __table_args__ = (Index("ix_networks_commissioner", "commissioner"),)

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code]
    approved_on: Mapped[date | None]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    position: Mapped[int] = mapped_column(BigInteger)
    closing_position: Mapped[int] = mapped_column(BigInteger)
    by_application: Mapped[bool | None] = mapped_column(default=False)


class Membership(Base, Dated):
    """A practice is a core member of a network; `share` is under 1 only for a declared split."""

    __tablename__ = "memberships"
    __table_args__ = (
        no_overlap("memberships", "network", "practice"),
        CheckConstraint("share > 0 AND share <= 1", name="share"),
        Index("ix_memberships_practice", "practice"),
    )

    network: Mapped[Code]
    practice: Mapped[Code]
    share: Mapped[Decimal]
    position: Mapped[int] = mapped_column(BigInteger)


class Allocation(Base, Dated):
    """The list of a practice outside every network is served by this network, which is funded for it."""

    __tablename__ = "allocations"
    __table_args__ = (no_overlap("allocations", "practice"), Index("ix_allocations_network", "network"))

    network: Mapped[Code]
    practice: Mapped[Code]
    position: Mapped[int] = mapped_column(BigInteger)


class AllocationWord(Base):
    """What an event said of the patients of a practice outside: a network serves them on the days of `valid`, or it
    `ends` and serves them on those no longer."""

    __tablename__ = "allocation_words"

    practice: Mapped[Code] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    valid: Mapped[Range[date]] = mapped_column(DATERANGE, primary_key=True)
    network: Mapped[Code]
    ends: Mapped[bool]


class Withdrawal(Base, Dated):
    """The right of a network, or of one practice in it, to be paid was withdrawn from a day, and perhaps given back.

    A practice's withdrawal stops what is paid to the practice itself; its patients go on counting for the network,
    which goes on serving them. `valid` is the days without the right: none where an appeal gave it back from its first
    day, or while only the giving back is known. `salaries_stay` is why what was paid for staff before it was heard of
    stays paid; null where it does not.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (no_overlap("withdrawals", "withdrawal"), Index("ix_withdrawals_network", "network"))

    withdrawal: Mapped[str] = mapped_column(String(64))
    network: Mapped[Code]
    practice: Mapped[str | None] = mapped_column(String(32))
    withdrawn_from: Mapped[date | None]
    restored_from: Mapped[date | None]
    reason: Mapped[Words]
    salaries_stay: Mapped[Words | None]
    heard_at: Mapped[Timestamp | None]
    position: Mapped[int] = mapped_column(BigInteger)

    def days_without(self) -> Range[date]:
        """From the withdrawal to the day before the right came back."""
        if self.withdrawn_from is None or (
            self.restored_from is not None and self.restored_from <= self.withdrawn_from
        ):
            return Range(empty=True)
        return days(self.withdrawn_from, None if self.restored_from is None else self.restored_from - timedelta(days=1))

    @property
    def span(self) -> tuple[date, date]:
        """From the first day without the right to before the first with it."""
        return self.valid.lower or date.min, self.valid.upper or date.max

    def spares(self, paid_at: datetime | None) -> bool:
        """Whether what was paid for staff at a moment stays paid all the same."""
        return (
            self.salaries_stay is not None
            and paid_at is not None
            and self.heard_at is not None
            and paid_at < self.heard_at
        )

    def told(self) -> dict[str, Any]:
        """What lines remember of it."""
        return {
            "withdrawal": self.withdrawal,
            "practice": self.practice,
            "withdrawn_from": self.valid_from.isoformat(),
            "restored_from": None if self.restored_from is None else self.restored_from.isoformat(),
            "reason": self.reason,
        }
