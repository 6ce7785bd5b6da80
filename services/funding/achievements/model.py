"""An achievement from its declaration to its payment, and the national decisions that override computed results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.achievements.rules import Assessment
from services.funding.base import Base
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound, Refused
from shared.events.funding import AchievementApproved
from shared.history import Entered, kept


class AchievementNotFound(NotFound):
    """No such achievement, or none the caller may see."""


class AchievementDeclared(Conflict):
    """The network has declared this indicator for the year; change that declaration."""


class AchievementDecided(Refused):
    """The achievement has been approved; it can only be assessed again."""


class AchievementNotApproved(Refused):
    """Only an approved achievement is assessed again."""


class SamePersonDeclared(Refused):
    """Whoever declared an achievement may not approve it: two people stand behind every payment."""


class YearNotOver(Refused):
    """An indicator is approved when the days it counts are over."""


class AcceptedTooLate(Refused):
    """A part that earns the whole year's sum is accepted by 31 March of that year."""


class NothingElseEarned(Refused):
    """Assessed again the achievement comes to the same; there is nothing to pay or take back."""


class AchievementStatus(StrEnum):
    DECLARED = "declared"
    RETURNED = "returned"
    APPROVED = "approved"
    DEEMED = "deemed"


class Declared(Protocol):
    """What somebody says was achieved of an indicator."""

    @property
    def numerator(self) -> int | None: ...

    @property
    def denominator(self) -> int | None: ...

    @property
    def adjustments(self) -> int | None: ...

    @property
    def answer(self) -> bool | None: ...

    @property
    def earned(self) -> Decimal | None: ...


@kept("network")
class Achievement(Base, Entered, Versioned):
    """What a network declared of one indicator of one year, and what that earns.

    `figures` is everything the assessment rests on, as text; `amount` is null while `holds` says what is missing.
    """

    __tablename__ = "achievements"
    __table_args__ = (
        UniqueConstraint("network", "contract_year", "indicator"),
        CheckConstraint("numerator >= 0 AND denominator >= 0 AND adjustments >= 0", name="not_negative"),
        Index("ix_achievements_contract_year", "contract_year", "indicator"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    network: Mapped[Code]
    contract_year: Mapped[Code]
    indicator: Mapped[str] = mapped_column(String(16))
    numerator: Mapped[int | None]
    denominator: Mapped[int | None]
    adjustments: Mapped[int | None]
    answer: Mapped[bool | None]
    earned: Mapped[Decimal | None]
    status: Mapped[AchievementStatus] = mapped_column(text_enum(AchievementStatus))
    declared_by: Mapped[Words | None]
    declared_at: Mapped[Timestamp | None]
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    accepted_on: Mapped[date | None]
    reason: Mapped[Words | None]
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
    points: Mapped[Decimal | None]
    amount: Mapped[Money | None]
    holds: Mapped[list[dict[str, str]]] = mapped_column(JSONB)

    def concerns(self) -> Iterable[str]:
        return [self.network]

    def note(self, figures: Mapping[str, Any], assessed: Assessment) -> None:
        """Keep what was found when it was last assessed."""
        self.figures, self.amount = dict(figures), assessed.amount
        self.points = None if assessed.points is None else _to_places(assessed)
        self.holds = [{"code": hold.code, "message": hold.message} for hold in assessed.holds]

    def declare(
        self,
        *,
        numerator: int | None,
        denominator: int | None,
        adjustments: int | None,
        answer: bool | None,
        by: str,
        at: datetime,
    ) -> None:
        """State the network's own figures, until they are approved. Raises `AchievementDecided`."""
        self._open()
        self.numerator, self.denominator, self.adjustments, self.answer = numerator, denominator, adjustments, answer
        self.status, self.declared_by, self.declared_at, self.reason = AchievementStatus.DECLARED, by, at, None

    def correct(self, said: Declared, *, earned: Decimal | None) -> dict[str, Any]:
        """What was approved was wrong: this is what was achieved. Gives what it said before.

        Raises `AchievementNotApproved`; what was deemed achieved by everybody is so whatever was declared.
        """
        if self.status is not AchievementStatus.APPROVED:
            raise AchievementNotApproved(f"The achievement is {self.status.value}.")
        before = {
            "numerator": self.numerator,
            "denominator": self.denominator,
            "adjustments": self.adjustments,
            "answer": self.answer,
            "earned": None if self.earned is None else str(self.earned),
            "amount": None if self.amount is None else str(self.amount),
        }
        self.numerator, self.denominator, self.adjustments = said.numerator, said.denominator, said.adjustments
        self.answer, self.earned = said.answer, earned
        return before

    def _open(self) -> None:
        if self.status in {AchievementStatus.APPROVED, AchievementStatus.DEEMED}:
            raise AchievementDecided(f"The achievement is {self.status.value} already.")

    def approve(
        self, *, by: str, at: datetime, today: date, accepted_on: date, last_day: date, whole_year: bool
    ) -> None:
        """A second person accepts the declaration.

        Raises `AchievementDecided`, `SamePersonDeclared`, `YearNotOver` and, for a part of which being accepted by
        31 March earns the whole year's sum (`whole_year`), `AcceptedTooLate`.
        """
        self._open()
        if by == self.declared_by:
            raise SamePersonDeclared(f"{by} declared this achievement; somebody else must approve it.")
        if whole_year and accepted_on > last_day:
            raise AcceptedTooLate(f"It was accepted on {accepted_on}; the last day for it was {last_day}.")
        if not whole_year and today <= last_day:
            raise YearNotOver(f"{self.indicator} counts to {last_day}; it is approved after that.")
        self.status, self.decided_by, self.decided_at = AchievementStatus.APPROVED, by, at
        self.accepted_on = accepted_on

    def send_back(self, reason: str, *, by: str, at: datetime) -> None:
        """Return a declaration to its network with a reason. Raises `AchievementDecided`."""
        self._open()
        self.status, self.decided_by, self.decided_at = AchievementStatus.RETURNED, by, at
        self.reason = reason

    def deem(self, *, by: str, at: datetime) -> None:
        """A national decision gives the network all points, whatever was declared."""
        self.status, self.decided_by, self.decided_at = AchievementStatus.DEEMED, by, at

    def announced(self, amount: Decimal, cause: str, on: date) -> AchievementApproved:
        return AchievementApproved(
            achievement=self.id,
            network=self.network,
            contract_year=self.contract_year,
            indicator=self.indicator,
            points=self.points,
            amount=amount,
            cause=cause,
            approved_on=on,
        )


def _to_places(assessed: Assessment) -> Decimal:
    points = assessed.points or 0
    return (Decimal(points.numerator) / Decimal(points.denominator)).quantize(Decimal("0.000001"))


class AchievementAmount(Base):
    """One amount an achievement is paid by: the first, or the difference a later assessment makes."""

    __tablename__ = "achievement_amounts"
    __table_args__ = (
        UniqueConstraint("achievement", "number"),
        Index("ix_achievement_amounts_unpaid", "month", postgresql_where=text("run IS NULL")),
    )

    id: Mapped[str] = mapped_column(String(72), primary_key=True)
    achievement: Mapped[str] = mapped_column(String(64), ForeignKey("achievements.id"))
    number: Mapped[int]
    network: Mapped[Code]
    stream: Mapped[str] = mapped_column(String(64))
    month: Mapped[str] = mapped_column(String(7))
    amount: Mapped[Money]
    cause: Mapped[str] = mapped_column(String(32))
    trace: Mapped[dict[str, Any]] = mapped_column(JSONB)
    decided_at: Mapped[Timestamp]
    run: Mapped[str | None] = mapped_column(String(64))

    def concerns(self) -> Iterable[str]:
        return [self.network]
