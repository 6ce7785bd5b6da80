"""The map: commissioners in systems and regions, practices, networks and their members, as announced."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.reporting.base import Base
from shared.database import Code, Headcount, Words


class Commissioner(Base):
    """A commissioner, and the system and region it belongs to from a day on."""

    __tablename__ = "commissioners"

    commissioner: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    name: Mapped[Words]
    system: Mapped[Code] = mapped_column(index=True)
    system_name: Mapped[Words]
    region: Mapped[Code]
    region_name: Mapped[Words]
    sequence: Mapped[int] = mapped_column(BigInteger)


class Practice(Base):
    """A practice as the newest announcement has it."""

    __tablename__ = "practices"

    practice: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code] = mapped_column(index=True)
    status: Mapped[Code]
    opened_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    sequence: Mapped[int] = mapped_column(BigInteger)


class PracticeCommissioner(Base):
    """Who commissions a practice from a day on; `valid_to` is the last day."""

    __tablename__ = "practice_commissioners"

    practice: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    commissioner: Mapped[Code]


class PracticeSuccession(Base):
    """A practice went over into another, whose patients its own are from a day on, and until it opens anew.

    `valid_to` is the last day.
    """

    __tablename__ = "practice_successions"
    __table_args__ = (Index("ix_practice_successions_successor", "successor"),)

    practice: Mapped[Code] = mapped_column(primary_key=True)
    succeeded_on: Mapped[date] = mapped_column(primary_key=True)
    successor: Mapped[Code]
    valid_to: Mapped[date | None]
    sequence: Mapped[int] = mapped_column(BigInteger)


class PracticeDispersal(Base):
    """The patients of a closed practice's list are registered elsewhere from a day on; `valid_to` is the last."""

    __tablename__ = "practice_dispersals"

    practice: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]


class Succession(Base):
    """A commissioner that took over from another, wholly or in part; after an enlargement it is its own heir too."""

    __tablename__ = "successions"
    __table_args__ = (Index("ix_successions_successor", "successor"),)

    commissioner: Mapped[Code] = mapped_column(primary_key=True)
    successor: Mapped[Code] = mapped_column(primary_key=True)
    succeeded_on: Mapped[date]
    sequence: Mapped[int] = mapped_column(BigInteger)


class Network(Base):
    """A network. Funding or workforce may speak of it before the registry does: then all but its code is empty."""

    __tablename__ = "networks"

    network: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words | None]
    commissioner: Mapped[Code | None] = mapped_column(index=True)
    approved_on: Mapped[date | None]
    valid_from: Mapped[date | None]
    closed_on: Mapped[date | None]
    decided_by: Mapped[Code | None]
    payee: Mapped[Code | None]
    sequence: Mapped[int] = mapped_column(BigInteger)


class NetworkLead(Base):
    """The commissioner that leads a network from a day on; `valid_to` is the last day."""

    __tablename__ = "network_leads"
    __table_args__ = (Index("ix_network_leads_commissioner", "commissioner"),)

    network: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    commissioner: Mapped[Code]


class Membership(Base):
    """A practice's core membership of a network; `valid_to` is its last day."""

    __tablename__ = "memberships"
    __table_args__ = (Index("ix_memberships_practice", "practice"),)

    network: Mapped[Code] = mapped_column(primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    share: Mapped[Headcount]
