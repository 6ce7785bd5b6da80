"""A published indicator: what it asks, what it is worth, and since when that is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.tariffs.model import Confidence
from shared.database import Code, Money, Timestamp, Words, text_enum
from shared.errors import NotFound, Refused


class IndicatorUnknown(NotFound):
    """No indicator of that name counts in that contract year."""


class IndicatorStands(Refused):
    """The indicator has been published for that year and is not named as superseded."""


class SupersededIndicatorUnknown(Refused):
    """The indicator named as superseded is not one of this code and year."""


class IndicatorKind(StrEnum):
    """`ratio`: points between two thresholds. `yes_no`: all points or none. `part`: a part of a sum per head."""

    RATIO = "ratio"
    YES_NO = "yes_no"
    PART = "part"


class Indicator(Base):
    """One indicator of one contract year; a figure that nobody published is null, and what rests on it is held.

    `lower` and `upper` are the performance at which points begin and are all earned; where lower is better, `lower` is
    the greater of them. `prevalence` and `average_list` are the national figures that the adjustments divide by;
    `by_prevalence` whether the indicator is adjusted by it at all. A
    `part` is `part` of `parts` of what `stream` comes to. An indicator is never edited: a later one supersedes it.
    """

    __tablename__ = "indicators"
    __table_args__ = (
        CheckConstraint("first_day <= last_day", name="days_in_order"),
        CheckConstraint("points >= 0 AND point_value >= 0", name="not_negative"),
        CheckConstraint("prevalence > 0 AND average_list > 0", name="divisors"),
        CheckConstraint("part > 0 AND part <= parts", name="part"),
        Index("ix_indicators_contract_year", "contract_year", "code"),
    )

    id: Mapped[str] = mapped_column(String(96), primary_key=True)
    contract_year: Mapped[Code]
    code: Mapped[str] = mapped_column(String(16))
    title: Mapped[Words]
    kind: Mapped[IndicatorKind] = mapped_column(text_enum(IndicatorKind))
    stream: Mapped[str] = mapped_column(String(64))
    points: Mapped[Decimal | None]
    point_value: Mapped[Money | None]
    lower: Mapped[Decimal | None]
    upper: Mapped[Decimal | None]
    by_prevalence: Mapped[bool]
    prevalence: Mapped[Decimal | None]
    average_list: Mapped[Decimal | None]
    part: Mapped[int | None]
    parts: Mapped[int | None]
    first_day: Mapped[date]
    last_day: Mapped[date]
    known_from: Mapped[date]
    supersedes: Mapped[str | None] = mapped_column(String(96))
    confidence: Mapped[Confidence] = mapped_column(text_enum(Confidence))
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words]
    published_by: Mapped[Words]
    published_at: Mapped[Timestamp]

    def publish(self, by: str, at: datetime, others: Sequence[Indicator]) -> None:
        """Let the indicator count beside `others` of its code and year.

        Raises `IndicatorStands` and `SupersededIndicatorUnknown`.
        """
        if self.supersedes is not None and self.supersedes not in {other.id for other in others}:
            raise SupersededIndicatorUnknown(f"No {self.code} of {self.contract_year} has the id {self.supersedes}.")
        standing = {other.id for other in others} - {other.supersedes for other in others}
        if standing - {self.supersedes}:
            named = ", ".join(sorted(standing - {self.supersedes}))
            raise IndicatorStands(f"{self.code} of {self.contract_year} is published as {named}; supersede it.")
        self.published_by, self.published_at = by, at


def standing(indicators: Iterable[Indicator], known_on: date) -> list[Indicator]:
    """The indicators that count as known on a day: published by then and not superseded by then."""
    known = [indicator for indicator in indicators if indicator.known_from <= known_on]
    replaced = {indicator.supersedes for indicator in known}
    return [indicator for indicator in known if indicator.id not in replaced]
