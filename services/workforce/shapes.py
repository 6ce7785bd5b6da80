"""Shapes several nouns of workforce share: codes, months and years as they come in."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from services.workforce.calendar import FIRST_DAY
from shared import years
from shared.http import MoneyIn, Out
from shared.years import last_day


class EmployerKind(StrEnum):
    PRACTICE = "practice"
    NETWORK = "network"
    FEDERATION = "federation"
    TRUST = "trust"
    SUPPLIER = "supplier"


class Zone(StrEnum):
    NATIONAL = "national"
    OUTER_LONDON = "outer_london"
    INNER_LONDON = "inner_london"
    LONDON = "london"


def _month(value: str) -> str:
    if last_day(value) < FIRST_DAY:
        raise ValueError("the first month is 2019-07")
    return value


def _no_float(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError('send WTE as text, like "0.80"')
    return value


def _wte(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("not a number")
    return value


def _day(value: date) -> date:
    if not 2019 <= value.year <= 2100:
        raise ValueError("the year must lie between 2019 and 2100")
    return value


def _past(value: date) -> date:
    if not 1940 <= value.year <= 2100:
        raise ValueError("the year must lie between 1940 and 2100")
    return value


Day = Annotated[date, AfterValidator(_day)]
Past = Annotated[date, AfterValidator(_past)]
"""A day of a person's working life, which may lie before networks began."""

OrganisationCode = Annotated[str, Field(min_length=3, max_length=12, pattern=r"^[A-Z0-9]+$")]
RoleCode = Annotated[str, Field(min_length=2, max_length=32, pattern=r"^[a-z0-9_]+$")]
Month = Annotated[years.Month, AfterValidator(_month)]
Wte = Annotated[
    Decimal, BeforeValidator(_no_float), AfterValidator(_wte), Field(gt=0, le=1, max_digits=5, decimal_places=4)
]
PlannedWte = Annotated[
    Decimal, BeforeValidator(_no_float), AfterValidator(_wte), Field(gt=0, le=200, max_digits=7, decimal_places=4)
]
Cost = Annotated[MoneyIn, Field(ge=0)]
Number = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]


class FaultOut(Out):
    """One reason: the field it hangs on, a stable code and a sentence."""

    field: str
    code: str
    message: str
