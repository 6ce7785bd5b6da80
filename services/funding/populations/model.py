"""The population of one practice on one basis and snapshot day, and since when it was known."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.tariffs.model import Basis, Confidence
from shared.database import Code, Headcount, text_enum


class Population(Base):
    """One published figure. `network` is the one the publication names; a restatement ends `known` and adds a row."""

    __tablename__ = "populations"
    __table_args__ = (
        ExcludeConstraint(
            ("practice", "="),
            ("basis", "="),
            ("snapshot", "="),
            ("known", "&&"),
            name="ex_populations_overlap",
            using="gist",
        ),
        CheckConstraint("value >= 0", name="not_negative"),
        Index("ix_populations_snapshot_basis", "snapshot", "basis"),
        Index(
            "uq_populations_current",
            "practice",
            "basis",
            "snapshot",
            unique=True,
            postgresql_where=text("upper_inf(known)"),
        ),
    )

    fact_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    practice: Mapped[Code]
    basis: Mapped[Basis] = mapped_column(text_enum(Basis))
    snapshot: Mapped[date]
    value: Mapped[Headcount]
    network: Mapped[str | None] = mapped_column(String(32))
    commissioner: Mapped[Code]
    source: Mapped[str] = mapped_column(String(200))
    confidence: Mapped[Confidence] = mapped_column(text_enum(Confidence))
    published_on: Mapped[date]
    known: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    position: Mapped[int] = mapped_column(BigInteger)
