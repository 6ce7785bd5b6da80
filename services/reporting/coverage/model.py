"""Patients by practice and day, and how they are covered: kept ready so that any day is answered at once."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.reporting.base import Base
from shared.database import Code, Headcount


class ListSize(Base):
    """The registered patients of a practice on a snapshot day, and who commissioned it then."""

    __tablename__ = "list_sizes"

    practice: Mapped[Code] = mapped_column(primary_key=True)
    snapshot: Mapped[date] = mapped_column(primary_key=True)
    patients: Mapped[Headcount]
    commissioner: Mapped[Code]
    sequence: Mapped[int] = mapped_column(BigInteger)


class ListSnapshot(Base):
    """A day on which registered patients were counted, somewhere."""

    __tablename__ = "list_snapshots"

    snapshot: Mapped[date] = mapped_column(primary_key=True)


class Allocation(Base):
    """The list of a practice outside every network, served by one; `valid_to` is the last day."""

    __tablename__ = "allocations"
    __table_args__ = (Index("ix_allocations_network", "network"),)

    practice: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]


class PracticeCoverage(Base):
    """How the patients of one practice are covered from a day up to, not including, another.

    `merged` are the practices that went over into it and are counted with it.
    """

    __tablename__ = "practice_coverage"
    __table_args__ = (
        Index("ix_practice_coverage_commissioner", "commissioner", "practice"),
        # the rare states, which would else be looked for among every practice of the country
        *(
            Index(f"ix_practice_coverage_{state}", "practice", postgresql_where=text(f"{state} > 0"))
            for state in ("allocated", "dispersed", "uncovered", "twice")
        ),
    )

    practice: Mapped[Code] = mapped_column(primary_key=True)
    first: Mapped[date] = mapped_column(primary_key=True)
    until: Mapped[date | None]
    commissioner: Mapped[Code]
    registered: Mapped[Headcount]
    covered: Mapped[Headcount]
    allocated: Mapped[Headcount]
    dispersed: Mapped[Headcount]
    uncovered: Mapped[Headcount]
    twice: Mapped[Headcount]
    merged: Mapped[list[str]] = mapped_column(ARRAY(Text))


class CoverageChange(Base):
    """By how much an area's figures change on a day; the sum up to a day is the report of that day."""

    __tablename__ = "coverage_changes"

    commissioner: Mapped[Code] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    registered: Mapped[Headcount]
    covered: Mapped[Headcount]
    allocated: Mapped[Headcount]
    dispersed: Mapped[Headcount]
    uncovered: Mapped[Headcount]
    twice: Mapped[Headcount]
    practices: Mapped[int]
    practices_uncovered: Mapped[int]
