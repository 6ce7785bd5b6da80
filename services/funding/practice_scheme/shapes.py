"""What practices send and everybody gets in the practice scheme."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from services.funding.codes import OrganisationCode
from services.funding.money import plain
from services.funding.practice_scheme.model import Content, Step
from services.funding.practice_scheme.rules import Engagement, Kind
from shared.http import In, MoneyIn, MoneyOut, Out
from shared.years import Month


def _no_float(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError('send numbers of sessions and hours as text, like "4.5"')
    return value


Sessions = Annotated[Decimal, BeforeValidator(_no_float), Field(ge=0, le=9, max_digits=4, decimal_places=3)]
Hours = Annotated[Decimal, BeforeValidator(_no_float), Field(ge=0, le=200, max_digits=6, decimal_places=3)]
NumberOut = Annotated[Decimal, PlainSerializer(plain, return_type=str)]
Amount = Annotated[MoneyIn, Field(ge=0)]
WorkingDay = Annotated[date, Field(ge=date(1940, 1, 1), le=date(2099, 3, 31))]
"""A day of a person's working life."""


class PracticeClaimContentIn(In):
    """One GP's month. Sessions are those a week that are claimed, of `contracted_sessions` the practice employs the GP
    for; of added sessions say how many were worked before and the added hours of the month."""

    kind: Kind
    month: Month
    person: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    zone: Literal["national", "london"] = "national"
    engagement: Engagement
    worked_from: WorkingDay
    worked_to: WorkingDay
    sessions: Annotated[Sessions, Field(gt=0)]
    sessions_before: Sessions = Decimal(0)
    contracted_sessions: Annotated[Sessions, Field(gt=0)]
    hours: Hours = Decimal(0)
    started_on: WorkingDay
    employed_here_until: WorkingDay | None = None
    only_as_cover: bool = False
    funded_before: Literal["capacity_and_access", "test_site"] | None = None
    salary: Amount
    employer_ni: Amount
    employer_pension: Amount
    evidence: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=20)] = []

    def content(self) -> Content:
        values = {name: getattr(self, name) for name in PracticeClaimContentIn.model_fields}
        return Content(**{**values, "evidence": tuple(self.evidence)})


class PracticeClaimIn(PracticeClaimContentIn):
    """`continues` names an earlier claim of a series made ahead: withdrawn together from any one on."""

    practice: OrganisationCode
    continues: Annotated[str, Field(max_length=64)] | None = None


class PracticeClaimReasonIn(In):
    """Why a claim is sent back or turned down: a stable code and a sentence for the practice."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class PracticeClaimOut(Out):
    """`payable` is what was approved, or before that what would be; `checked` the arithmetic and every fault.

    `in_payment_file` tells that the claim stands in a run that has not been issued.
    """

    id: str
    practice: str
    contract_year: str
    month: str
    series: str
    kind: Kind
    person: str
    zone: str
    engagement: Engagement
    worked_from: date
    worked_to: date
    sessions: NumberOut
    sessions_before: NumberOut
    contracted_sessions: NumberOut
    hours: NumberOut
    started_on: date
    employed_here_until: date | None
    only_as_cover: bool
    funded_before: str | None
    salary: MoneyOut
    employer_ni: MoneyOut
    employer_pension: MoneyOut
    evidence: list[str]
    status: Step
    in_payment_file: bool = False
    submitted_on: date | None
    confirmed_by: str | None
    payable: MoneyOut | None
    limited_by: str | None
    checked: dict[str, Any]
    decided_by: str | None
    decided_at: datetime | None
    code: str | None
    reason: str | None
    run: str | None
