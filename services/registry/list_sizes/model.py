from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Headcount, Words, text_enum
from shared.facts import Dated, no_overlap


class Basis(StrEnum):
    """Four head counts are used and never mixed; beds are not a list."""

    REGISTERED = "registered"
    WEIGHTED = "weighted"
    ADJUSTED = "adjusted"


class Confidence(StrEnum):
    CONFIRMED = "confirmed_2"
    ONE_SOURCE = "one_source"
    DERIVED = "derived"
    REMEMBERED = "remembered"


class ListSize(Dated, Base):
    """The patients of one practice on one snapshot day, the only day in `valid`.

    `commissioner` and `network` are those the publication names, which the register may later know better.
    """

    __tablename__ = "list_sizes"
    __table_args__ = (
        no_overlap("list_sizes", "practice", "basis"),
        CheckConstraint("value >= 0", name="value_not_negative"),
        Index("ix_list_sizes_commissioner", "commissioner"),
    )

    practice: Mapped[Code] = mapped_column(index=True)
    basis: Mapped[Basis] = mapped_column(text_enum(Basis))
    value: Mapped[Headcount]
    commissioner: Mapped[Code]
    network: Mapped[Code | None]
    source: Mapped[Words]
    confidence: Mapped[Confidence] = mapped_column(text_enum(Confidence))
