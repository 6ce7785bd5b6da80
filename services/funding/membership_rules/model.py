"""A rule for months: who counts as a member in them, and for how much of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.tariffs.model import Confidence
from shared.database import Timestamp, Words, text_enum
from shared.facts import Dated, no_overlap
from shared.years import first_day


class RuleKind(StrEnum):
    FIRST_DAY = "first-day"
    ANY_DAY = "any-day"
    DAYS = "days"


class MembershipRule(Base, Dated):
    """How membership counts in the months of `valid`.

    `first-day`: whole months, by the first of the month (or by `counted_on`). `any-day`: whole months, for whoever was
    a member on any day, in the network it belonged to first. `days`: days of membership over days of the month.
    Months before `paid_from` are first paid with that month's run.
    """

    __tablename__ = "membership_rules"
    __table_args__ = (no_overlap("membership_rules"),)

    kind: Mapped[RuleKind] = mapped_column(text_enum(RuleKind))
    counted_on: Mapped[date | None]
    paid_from: Mapped[str | None] = mapped_column(String(7))
    confidence: Mapped[Confidence] = mapped_column(text_enum(Confidence))
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words]
    published_by: Mapped[Words]
    published_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []

    def day_of(self, month: str) -> date:
        """The day that decides a month counted whole."""
        return self.counted_on or first_day(month)

    def told(self, month: str) -> Mapping[str, Any] | None:
        """What lines remember of the rule; nothing where membership counts by the first of the month."""
        if self.kind is RuleKind.FIRST_DAY and self.counted_on is None:
            return None
        on = self.day_of(month).isoformat() if self.kind is RuleKind.FIRST_DAY else None
        return {"kind": self.kind.value, "counted_on": on, "confidence": self.confidence.value}
