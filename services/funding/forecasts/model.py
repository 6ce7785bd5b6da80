"""People in post as workforce announced them, and what a sum comes to by the end of its year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.money import to_pence
from shared.database import Code
from shared.history import Entered, kept

NOTHING = Decimal("0.00")


@kept("network")
class Post(Base, Entered):
    """A post of a network. Its end may be heard of before its beginning: then only that is known."""

    __tablename__ = "posts"
    __table_args__ = (Index("ix_posts_network", "network"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    network: Mapped[Code]
    role: Mapped[str] = mapped_column(String(64))
    zone: Mapped[Code | None]
    wte: Mapped[Decimal | None]
    employer: Mapped[str | None] = mapped_column(String(32))
    additional: Mapped[bool | None]
    started_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    position: Mapped[int] = mapped_column(BigInteger)
    ending_position: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Figures:
    """What has become of a sum and what is expected of it, in pounds.

    `claimed` is the cost of all claims; `waiting` what those not yet decided would be paid, `approved` what is decided
    and not paid; `expected` what people in post will still cost in months open to be claimed and not claimed yet;
    `unknown` the months of posts whose ceiling is not known and which are in no figure.
    """

    claimed: Decimal = NOTHING
    waiting: Decimal = NOTHING
    approved: Decimal = NOTHING
    paid: Decimal = NOTHING
    arrears: Decimal = NOTHING
    expected: Decimal = NOTHING
    unknown: int = 0

    @property
    def forecast(self) -> Decimal:
        """What the year comes to."""
        return self.waiting + self.approved + self.paid + self.arrears + to_pence(self.expected)


@dataclass(frozen=True, slots=True)
class Forecast:
    """One sum against its forecast: what would be lost at the year's end, or what the sum falls short by."""

    amount: Decimal | None
    figures: Figures

    @property
    def at_risk(self) -> Decimal | None:
        return None if self.amount is None else max(self.amount - self.figures.forecast, NOTHING)

    @property
    def short(self) -> Decimal | None:
        return None if self.amount is None else max(self.figures.forecast - self.amount, NOTHING)
