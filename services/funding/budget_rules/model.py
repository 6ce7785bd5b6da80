"""A rule for contract years: whether sums count month by month or once for the year."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Timestamp, Words, text_enum
from shared.facts import Dated, no_overlap


class BudgetRuleKind(StrEnum):
    MONTHS = "months"
    YEAR = "year"


class BudgetRule(Base, Dated):
    """How the sums of the contract years of `valid` count.

    `months`: each month counts whom the network serves in it and has the right to be paid for, by the month's rule of
    membership. `year`: whom it serves on the year's first day, or its own, counts for the whole year. Years for which
    nobody published a rule count by months.
    """

    __tablename__ = "budget_rules"
    __table_args__ = (no_overlap("budget_rules"),)

    kind: Mapped[BudgetRuleKind] = mapped_column(text_enum(BudgetRuleKind))
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words]
    published_by: Mapped[Words]
    published_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []
