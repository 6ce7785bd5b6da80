"""Rates over HTTP: everybody may read them, national users publish new ones."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query
from pydantic import AfterValidator, Field, model_validator
from sqlalchemy import ColumnElement, Date, cast, func, select
from sqlalchemy.orm import aliased

from services.funding.budgets.operations import follow_tariff
from services.funding.tariffs import operations
from services.funding.tariffs.model import (
    NATIONAL,
    Basis,
    Confidence,
    Payee,
    RateOverlaps,
    RatePeriod,
    SupersededUnknown,
    Tariff,
    TariffKind,
)
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.http import (
    AsAt,
    Idempotent,
    In,
    KnownAt,
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
from shared.years import ContractYear, year_of_day

router = service_router("funding", tags=["tariffs"])


def _in_range(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"the year must lie between {FIRST_YEAR} and {LAST_YEAR}")
    return day


FIRST_YEAR, LAST_YEAR = 2018, 2099
Day = Annotated[date, AfterValidator(_in_range)]


class TariffIn(In):
    """A new rate. `value` is text with up to six decimals, or null where the stream exists with a rate nobody knows."""

    kind: TariffKind
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    zone: Annotated[str, Field(pattern=r"^[a-z_]{2,32}$")] = "national"
    payee: Payee = Payee.NETWORK
    basis: Basis
    value: Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")] | None
    rate_period: RatePeriod
    valid_from: Day
    valid_to: Day
    known_from: Day | None = None
    supersedes: Annotated[str | None, Field(max_length=96)] = None
    confidence: Confidence
    sources: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] = []
    note: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _no_source_no_confidence(self) -> "TariffIn":
        if self.confidence in {Confidence.CONFIRMED_2, Confidence.ONE_SOURCE} and not self.sources:
            raise ValueError("name the sources that confirm the rate, or call it derived or remembered")
        return self


class TariffOut(Out):
    id: str
    kind: TariffKind
    code: str
    zone: str
    scope: str
    contract_year: str
    payee: Payee
    basis: Basis
    value: Decimal | None
    rate_period: RatePeriod
    valid_from: date
    valid_to: date
    known_from: date | None
    supersedes: str | None
    confidence: Confidence
    sources: list[str]
    note: str
    published_by: str
    published_at: datetime


def _faults(tariff: Tariff) -> list[Fault]:
    faults = []
    if tariff.valid_to < tariff.valid_from:
        faults.append(Fault("body.valid_to", "before_valid_from", "The last day lies before the first."))
    elif not tariff.whole_months:
        faults.append(
            Fault("body.valid_from", "not_whole_months", "A rate holds from the first to the last day of months.")
        )
    elif tariff.kind is not TariffKind.ROLE_MAXIMUM and year_of_day(tariff.valid_to) != tariff.contract_year:
        faults.append(Fault("body.valid_to", "two_years", "A rate holds in one contract year, 1 April to 31 March."))
    wte = tariff.basis is Basis.WTE
    if wte != (tariff.kind is TariffKind.ROLE_MAXIMUM):
        faults.append(Fault("body.basis", "wrong_basis", "A role maximum is per wte, every other rate is not."))
    if tariff.kind is TariffKind.ARRS_SUM and tariff.basis is not Basis.WEIGHTED:
        faults.append(Fault("body.basis", "wrong_basis", "A sum is per weighted patient."))
    return faults


@router.post(
    "/tariffs", status_code=201, responses=refusals(RateOverlaps, SupersededUnknown, Invalid), summary="Publish a rate"
)
async def publish_tariff(
    rate: TariffIn,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    session: Transaction,
    now: Now,
    _: Idempotent,
) -> TariffOut:
    """A new dated rate. It may supersede one, which stays; a rate is never edited."""
    tariff = Tariff(
        id=new_id(f"tariff-{rate.code[:48]}"),
        scope=NATIONAL,
        contract_year=year_of_day(rate.valid_from),
        **(rate.model_dump() | {"value": None if rate.value is None else Decimal(rate.value)}),
    )
    tariff.known_from = tariff.known_from or london_day(now)
    if faults := _faults(tariff):
        raise Invalid("The rate is not valid; errors lists every fault.", errors=faults)
    published = await operations.publish_tariff(session, tariff, by=caller.subject, now=now)
    await follow_tariff(session, published, now)
    return TariffOut.model_validate(published)


def _known(tariff: Any, known_at: datetime) -> ColumnElement[bool]:
    """True of the rates known at a moment: from their day on, on the day they were published from that moment on."""
    day = london_day(known_at)
    published_on = cast(func.timezone("Europe/London", tariff.published_at), Date)
    later_that_day: ColumnElement[bool] = (tariff.published_at > known_at) & (published_on == day)
    known: ColumnElement[bool] = func.coalesce(tariff.known_from, tariff.valid_from) <= day
    return known & ~later_that_day


@router.get("/tariffs", summary="Rates, sums and ceilings")
async def list_tariffs(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    kind: TariffKind | None = None,
    stream: Annotated[str | None, Query(max_length=64, description="Stream, scope of a sum, or role")] = None,
    zone: Annotated[str | None, Query(max_length=32)] = None,
    scope: Annotated[str | None, Query(max_length=64, description="`national`, or a local variation")] = None,
    contract_year: ContractYear | None = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[TariffOut]:
    """With `as_at` only the rates in force on that day, as known at `known_at`; otherwise every row ever published."""
    statement = select(Tariff)
    for column, wanted in ((Tariff.kind, kind), (Tariff.code, stream), (Tariff.zone, zone), (Tariff.scope, scope)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if contract_year is not None:
        statement = statement.where(Tariff.contract_year == contract_year)
    if known_at is not None:
        statement = statement.where(_known(Tariff, known_at))
    if as_at is not None:
        later = aliased(Tariff)
        replacing = select(later.id).where(
            later.supersedes == Tariff.id, later.valid_from <= as_at, later.valid_to >= as_at
        )
        if known_at is not None:
            replacing = replacing.where(_known(later, known_at))
        statement = statement.where(Tariff.valid_from <= as_at, Tariff.valid_to >= as_at, ~replacing.exists())
    found, following = await page(session, statement, [Tariff.id], paging)
    return Page(items=[TariffOut.model_validate(row[0]) for row in found], next=following)
