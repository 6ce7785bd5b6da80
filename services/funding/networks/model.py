"""Commissioners, practices, networks and who is served by which: what the registry announced."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Words
from shared.facts import Dated, no_overlap


class Commissioner(Base):
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
    """A practice and the commissioner of its contract."""

    __tablename__ = "practices"

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code]
    opened_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    status: Mapped[Code]
    position: Mapped[int] = mapped_column(BigInteger)


class Network(Base):
    """An approved network. `position` is the newest approval read, `closing_position` the newest closure."""

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
