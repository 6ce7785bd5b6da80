"""A rule for months: whether an agreement in force is a condition of payment."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Timestamp, Words
from shared.facts import Dated, no_overlap


class AgreementRule(Base, Dated):
    """Whether, in the months of `valid`, a network approved by application is paid only once a version of its agreement
    is in force. Months for which nobody published a rule are paid without."""

    __tablename__ = "agreement_rules"
    __table_args__ = (no_overlap("agreement_rules"),)

    needed: Mapped[bool]
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words]
    published_by: Mapped[Words]
    published_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []
