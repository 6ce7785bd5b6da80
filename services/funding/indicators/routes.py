"""Indicators over HTTP: read by everybody, published by national users."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import aliased

from services.funding.dated import Day
from services.funding.indicators import operations
from services.funding.indicators.model import (
    Indicator,
    IndicatorKind,
    IndicatorStands,
    SupersededIndicatorUnknown,
)
from services.funding.tariffs.model import Confidence
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.http import (
    Idempotent,
    In,
    KnownAt,
    MoneyIn,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.years import ContractYear, year_end, year_start

router = service_router("funding", tags=["indicators"])

Number = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]


class IndicatorIn(In):
    """`lower` above `upper` where lower is better; leave null what is not known, and what rests on it is held."""

    contract_year: ContractYear
    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{1,15}$")]
    title: Annotated[str, Field(min_length=3, max_length=200)]
    kind: IndicatorKind
    points: Number | None = None
    point_value: Annotated[MoneyIn | None, Field(ge=0)] = None
    lower: Number | None = None
    upper: Number | None = None
    by_prevalence: bool = True
    prevalence: Number | None = None
    average_list: Number | None = None
    part: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    parts: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    first_day: Day | None = None
    known_from: Day | None = None
    supersedes: Annotated[str | None, Field(max_length=96)] = None
    confidence: Confidence
    sources: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] = []
    note: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _no_source_no_confidence(self) -> "IndicatorIn":
        if self.confidence in {Confidence.CONFIRMED_2, Confidence.ONE_SOURCE} and not self.sources:
            raise ValueError("name the sources that confirm the figures, or call them derived or remembered")
        return self


class IndicatorOut(Out):
    id: str
    contract_year: str
    code: str
    title: str
    kind: IndicatorKind
    stream: str
    points: Decimal | None
    point_value: MoneyOut | None
    lower: Decimal | None
    upper: Decimal | None
    by_prevalence: bool
    prevalence: Decimal | None
    average_list: Decimal | None
    part: int | None
    parts: int | None
    first_day: date
    last_day: date
    known_from: date
    supersedes: str | None
    confidence: Confidence
    sources: list[str]
    note: str
    published_by: str
    published_at: datetime


def _faults(given: IndicatorIn, first: date) -> list[Fault]:
    faults = []
    if not year_start(given.contract_year) <= first <= year_end(given.contract_year):
        faults.append(Fault("body.first_day", "outside_year", f"{first} does not lie in {given.contract_year}."))
    if given.kind is IndicatorKind.PART:
        wrong = [
            name
            for name in ("points", "point_value", "lower", "upper", "prevalence", "average_list")
            if getattr(given, name) is not None
        ]
    else:
        wrong = [name for name in ("part", "parts") if getattr(given, name) is not None]
        if given.kind is IndicatorKind.YES_NO:
            wrong += [name for name in ("lower", "upper", "prevalence") if getattr(given, name) is not None]
    faults += [Fault(f"body.{name}", "not_of_this_kind", f"A {given.kind} indicator has no {name}.") for name in wrong]
    if (given.part is None) != (given.parts is None) or (given.part or 0) > (given.parts or 0):
        faults.append(Fault("body.part", "part", "A part is so many of so many parts."))
    if (given.lower is None) != (given.upper is None) or (given.lower is not None and given.lower == given.upper):
        faults.append(Fault("body.lower", "thresholds", "Thresholds are two different figures."))
    for name in ("prevalence", "average_list"):
        if getattr(given, name) is not None and Decimal(getattr(given, name)) == 0:
            faults.append(Fault(f"body.{name}", "zero", "A national figure that others are divided by is not zero."))
    return faults


@router.post(
    "/indicators",
    status_code=201,
    responses=refusals(IndicatorStands, SupersededIndicatorUnknown, Invalid),
    summary="Publish an indicator",
)
async def publish_indicator(
    given: IndicatorIn,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    session: Transaction,
    now: Now,
    _: Idempotent,
) -> IndicatorOut:
    """A new indicator of a year, or new figures for one, which it then supersedes; nothing is edited."""
    first = given.first_day or year_start(given.contract_year)
    if faults := _faults(given, first):
        raise Invalid("The indicator is not valid; errors lists every fault.", errors=faults)
    figures = {
        name: None if getattr(given, name) is None else Decimal(getattr(given, name))
        for name in ("points", "lower", "upper", "prevalence", "average_list")
    }
    rest = given.model_dump(exclude={"first_day", "known_from", *figures})
    rest["by_prevalence"] = given.by_prevalence and given.kind is IndicatorKind.RATIO
    indicator = Indicator(
        id=new_id(f"indicator-{given.code}"),
        stream="caip_max" if given.kind is IndicatorKind.PART else "iif",
        first_day=first,
        last_day=year_end(given.contract_year),
        known_from=given.known_from or london_day(now),
        **rest,
        **figures,
    )
    await operations.publish_indicator(session, indicator, by=caller.subject, now=now)
    return IndicatorOut.model_validate(indicator)


@router.get("/indicators", summary="What may be achieved")
async def list_indicators(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    contract_year: ContractYear | None = None,
    code: Annotated[str | None, Query(max_length=16)] = None,
    known_at: KnownAt = None,
    standing: Annotated[bool, Query(description="Only those that no later one supersedes")] = False,
) -> Page[IndicatorOut]:
    """Every indicator ever published, or those that stand, as known now or at `known_at`."""
    statement = select(Indicator)
    if contract_year is not None:
        statement = statement.where(Indicator.contract_year == contract_year)
    if code is not None:
        statement = statement.where(Indicator.code == code)
    if known_at is not None:
        statement = statement.where(Indicator.known_from <= london_day(known_at))
    if standing:
        later = aliased(Indicator)
        replacing = select(later.id).where(later.supersedes == Indicator.id)
        if known_at is not None:
            replacing = replacing.where(later.known_from <= london_day(known_at))
        statement = statement.where(~replacing.exists())
    found, following = await page(session, statement, [Indicator.id], paging)
    return Page(items=[IndicatorOut.model_validate(row[0]) for row in found], next=following)
