"""Commissioners, practices and networks as the registry announced them: what scope, caps and additionality need."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Headcount, Words
from shared.errors import Refused


class NetworkNotApproved(Refused):
    """Nobody can be recruited for a network that no commissioner has approved."""


class NetworkEnded(Refused):
    """The network has ended by that day."""


class Commissioner(Base):
    """A commissioner and the system it belongs to from a day on."""

    __tablename__ = "commissioners"

    commissioner: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[Words]
    system: Mapped[Code] = mapped_column(index=True)
    region: Mapped[Code]
    valid_to: Mapped[date | None]
    sequence: Mapped[int] = mapped_column(BigInteger)


class Practice(Base):
    """A practice and its commissioner."""

    __tablename__ = "practices"

    practice: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code] = mapped_column(index=True)
    sequence: Mapped[int] = mapped_column(BigInteger)


class ListSize(Base):
    """The registered patients of a practice on a snapshot day, as last announced."""

    __tablename__ = "list_sizes"

    practice: Mapped[Code] = mapped_column(primary_key=True)
    snapshot: Mapped[date] = mapped_column(primary_key=True)
    patients: Mapped[Headcount]
    sequence: Mapped[int] = mapped_column(BigInteger)


class Network(Base):
    """A network as the registry approved it; `closed_on` is its last day."""

    __tablename__ = "networks"

    network: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code] = mapped_column(index=True)
    valid_from: Mapped[date]
    approved_on: Mapped[date]
    closed_on: Mapped[date | None]
    sequence: Mapped[int] = mapped_column(BigInteger)

    def refusal_on(self, day: date) -> NetworkNotApproved | NetworkEnded | None:
        """Why the network cannot recruit on a day, if it cannot."""
        if day < self.valid_from:
            return NetworkNotApproved(f"{self.name} ({self.network}) is approved from {self.valid_from}, not on {day}.")
        if self.closed_on is not None and day > self.closed_on:
            return NetworkEnded(f"{self.name} ({self.network}) ended on {self.closed_on}.")
        return None


class Membership(Base):
    """A practice's core membership of a network; `share` is below 1 only where its list is split."""

    __tablename__ = "memberships"
    __table_args__ = (Index("ix_memberships_practice", "practice"),)

    network: Mapped[Code] = mapped_column(primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    share: Mapped[Headcount]
