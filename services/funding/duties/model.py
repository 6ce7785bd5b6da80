"""A duty: minutes of access a week, or a service in words, of the country or of one local variation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.tariffs.model import NATIONAL, Basis, Confidence
from shared.database import Timestamp, Words, text_enum
from shared.facts import Dated, no_overlap


class Duty(Base, Dated):
    """What networks deliver on these days. With a figure it is minutes a week for each thousand patients on a basis, to
    the nearest `rounded_to` minutes where that is a rule, and with the lists of `counted_at` where they are not the
    year's own.

    `scope` is the local variation that asks for it, of the patients of practices that agreed, or `national`. A local
    duty with the code of a national one stands in for it, and so for the one it names in `instead_of`; any other is
    delivered beside the national ones.
    """

    __tablename__ = "duties"
    __table_args__ = (
        no_overlap("duties", "scope", "duty"),
        CheckConstraint("(basis IS NULL) = (per_1000 IS NULL)", name="figure"),
        CheckConstraint("per_1000 >= 0 AND rounded_to > 0", name="not_negative"),
    )

    scope: Mapped[str] = mapped_column(String(64))
    duty: Mapped[str] = mapped_column(String(64))
    name: Mapped[Words]
    description: Mapped[Words]
    instead_of: Mapped[str | None] = mapped_column(String(64))
    basis: Mapped[Basis | None] = mapped_column(text_enum(Basis))
    per_1000: Mapped[Decimal | None]
    rounded_to: Mapped[int | None]
    counted_at: Mapped[date | None]
    confidence: Mapped[Confidence] = mapped_column(text_enum(Confidence))
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    published_by: Mapped[Words]
    published_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []

    @property
    def local(self) -> bool:
        return self.scope != NATIONAL

    def replaces(self, national: Duty) -> bool:
        """Whether a local duty is delivered in place of a national one."""
        return self.local and national.duty in (self.duty, self.instead_of)


def standing(duties: Iterable[Duty], scope: str) -> list[Duty]:
    """The duties of a day for patients of practices that agreed to `scope`, or, where it is empty, to no variation."""
    held = list(duties)
    local = [duty for duty in held if duty.local and duty.scope == scope]
    return [
        duty
        for duty in held
        if (duty in local) or (not duty.local and not any(other.replaces(duty) for other in local))
    ]
