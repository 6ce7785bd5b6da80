"""People in post and the plans they were recruited under."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.reporting.base import Base
from shared.database import Code, Headcount, Money


class Post(Base):
    """Somebody in post; `ended_on` is the last day."""

    __tablename__ = "posts"
    __table_args__ = (Index("ix_posts_network", "network", "role"),)

    post: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code]
    role: Mapped[Code]
    wte: Mapped[Headcount]
    zone: Mapped[Code]
    employer: Mapped[Code]
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    additional: Mapped[bool]
    days_to_hire: Mapped[int]
    sequence: Mapped[int] = mapped_column(BigInteger)


class Plan(Base):
    """The newest submitted plan of a network and year."""

    __tablename__ = "plans"

    network: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[Code] = mapped_column(primary_key=True)
    planned_cost: Mapped[Money]
    submitted_on: Mapped[date]
    sequence: Mapped[int] = mapped_column(BigInteger)


class PlannedRole(Base):
    """WTE of a role a network plans from a month of a year on."""

    __tablename__ = "planned_roles"

    contract_year: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(primary_key=True)
    role: Mapped[Code] = mapped_column(primary_key=True)
    start_month: Mapped[Code] = mapped_column(primary_key=True)
    wte: Mapped[Headcount]
