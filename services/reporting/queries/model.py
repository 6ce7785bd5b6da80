"""Queries of payment lines, as funding announces them."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.reporting.base import Base
from shared.database import Code, Money, Words


class LineQuery(Base):
    """A query of a line, open until it is answered or withdrawn. The end may be heard of first: then the rest is empty.

    `adjustment` is what the answer adds to what the line paid.
    """

    __tablename__ = "line_queries"
    __table_args__ = (Index("ix_line_queries_network", "network", "contract_year"),)

    query: Mapped[Words] = mapped_column(primary_key=True)
    network: Mapped[Code]
    payee: Mapped[Code]
    stream: Mapped[Code | None]
    month: Mapped[Code | None]
    contract_year: Mapped[Code | None]
    raised_on: Mapped[date | None]
    answer_by: Mapped[date | None]
    ended_on: Mapped[date | None]
    answer: Mapped[Code | None]
    adjustment: Mapped[Money | None]
    sequence: Mapped[int] = mapped_column(BigInteger)
