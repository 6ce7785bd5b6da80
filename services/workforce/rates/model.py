"""Role ceilings and network sums as funding announced them."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Money, Words

NATIONAL = "national"


class Ceiling(Base):
    """The most reimbursed for one WTE of a role in a year, in a zone, on days; `value` is `None` when not known.

    `scope` is the local variation it belongs to, or `national`.
    """

    __tablename__ = "ceilings"
    __table_args__ = (Index("ix_ceilings_role", "role", "zone"),)

    tariff: Mapped[Words] = mapped_column(primary_key=True)
    role: Mapped[Code]
    zone: Mapped[Code]
    scope: Mapped[str] = mapped_column(String(64), server_default=NATIONAL)
    value: Mapped[Money | None]
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    known_from: Mapped[date]
    confidence: Mapped[Words]
    sequence: Mapped[int] = mapped_column(BigInteger)


class Budget(Base):
    """The most a network may be reimbursed in a contract year; `amount` is `None` while funding cannot compute it.

    With no reason either it was taken away again.
    """

    __tablename__ = "budgets"

    network: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[Code] = mapped_column(primary_key=True)
    amount: Mapped[Money | None]
    held_reason: Mapped[Words | None]
    sequence: Mapped[int] = mapped_column(BigInteger)
