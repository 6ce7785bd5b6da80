"""What networks declare of their achievements and everybody gets."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, model_validator

from services.funding.achievements.model import AchievementStatus
from services.funding.codes import OrganisationCode
from services.funding.dated import Day
from shared.http import In, MoneyOut, Out
from shared.years import ContractYear

Earned = Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$")]
Count = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]


class DeclarationIn(In):
    """A ratio has numerator, denominator and the personalised care adjustments taken off the denominator; a yes/no
    indicator an answer, without which it counts as No; a part neither."""

    numerator: Count | None = None
    denominator: Count | None = None
    adjustments: Count | None = None
    answer: bool | None = None

    @model_validator(mode="after")
    def _fits(self) -> DeclarationIn:
        if (self.numerator is None) != (self.denominator is None):
            raise ValueError("declare numerator and denominator together")
        if self.answer is not None and self.numerator is not None:
            raise ValueError("declare figures or an answer, not both")
        if self.adjustments is not None and self.denominator is None:
            raise ValueError("adjustments are taken off a denominator; declare it")
        if self.denominator is not None and self.numerator is not None:
            if (self.adjustments or 0) > self.denominator:
                raise ValueError("no more patients can be taken off than there are")
            if self.numerator > self.denominator - (self.adjustments or 0):
                raise ValueError("the numerator is among the patients left after adjustments")
        return self


class AchievementIn(DeclarationIn):
    network: OrganisationCode
    contract_year: ContractYear
    indicator: Annotated[str, Field(min_length=1, max_length=16)]


class AchievementApprovalIn(In):
    """`accepted_on` if it was accepted before today; `earned` is the part of a sum the commissioner found earned."""

    accepted_on: Day | None = None
    earned: Earned | None = None


class AchievementReturnIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class AchievementHoldOut(Out):
    code: str
    message: str


class AchievementOut(Out):
    """`performance` is what counts after adjustments; `amount` is null while `holds` says what is missing."""

    id: str
    network: str
    contract_year: str
    indicator: str
    numerator: int | None
    denominator: int | None
    adjustments: int | None
    answer: bool | None
    earned: Decimal | None
    performance: Decimal | None
    points: Decimal | None
    amount: MoneyOut | None
    holds: list[AchievementHoldOut]
    status: AchievementStatus
    declared_by: str | None
    declared_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    accepted_on: date | None
    reason: str | None
    figures: dict[str, Any]


class StandingOut(Out):
    """One indicator of a network's year: as declared, or what counts where nothing was declared."""

    indicator: str
    title: str
    achievement: str | None
    status: str
    points: Decimal | None
    amount: MoneyOut | None
    holds: list[AchievementHoldOut]
