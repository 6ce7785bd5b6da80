"""Local variations over HTTP: proposed by commissioners, agreed to by practices, approved nationally."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Path, Query, Response
from pydantic import AfterValidator, Field
from sqlalchemy import select

from services.funding.codes import OrganisationCode
from services.funding.payments.engine import NEVER_BY_HEAD
from services.funding.tariffs.model import Payee, RatePeriod
from services.funding.variations import operations
from services.funding.variations.model import (
    BelowNationalTotal,
    IifNeverVaries,
    NationalTotalUnknown,
    NobodyConsented,
    SamePersonApproves,
    Variation,
    VariationDecided,
    VariationStatus,
)
from services.funding.variations.operations import CommissionerNotFound, VariationNotFound, variations_seen
from shared.database import new_id
from shared.errors import Invalid, PreconditionFailed, PreconditionMissing
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    one_fault,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month, first_day, last_day, year_of

router = service_router("funding", tags=["variations"])

Seen = Annotated[
    Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)
]
Decider = Annotated[Caller, allow(Role.NATIONAL)]
VariationId = Annotated[str, Path(max_length=64)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class ItemIn(In):
    """A rate that stands in for the national one of the stream, or adds a stream the area pays by itself."""

    stream: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    payee: Payee = Payee.NETWORK
    basis: Literal["registered", "weighted", "adjusted", "beds"]
    value: Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]
    rate_period: RatePeriod = RatePeriod.YEAR


def _items(items: list[ItemIn]) -> list[ItemIn]:
    streams = [item.stream for item in items]
    if len(streams) != len(set(streams)):
        raise ValueError("a stream has one rate")
    if claimed := sorted(NEVER_BY_HEAD & set(streams)):
        raise ValueError(f"{', '.join(claimed)} is a maximum, never paid by head")
    if any(item.basis == "beds" and item.payee is Payee.PRACTICE for item in items):
        raise ValueError("beds are paid to the network")
    return items


def _each_once(codes: list[str]) -> list[str]:
    if len(codes) != len(set(codes)):
        raise ValueError("a practice is named once")
    return codes


class VariationIn(In):
    """`first_month` to `last_month` lie in one contract year."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    commissioner: OrganisationCode
    first_month: Month
    last_month: Month
    practices: Annotated[
        list[OrganisationCode],
        Field(min_length=1, max_length=1000),
        AfterValidator(_each_once),
    ]
    items: Annotated[list[ItemIn], Field(min_length=1, max_length=50), AfterValidator(_items)]


class ItemOut(Out):
    stream: str
    payee: str
    basis: str
    value: Decimal
    rate_period: str


class VariationOut(Out):
    """Totals are of all practices named, for the streams varied or added; beds are judged by their rate alone."""

    id: str
    name: str
    commissioner: str
    contract_year: str
    valid_from: date
    valid_to: date
    practices: list[str]
    items: list[ItemOut]
    status: VariationStatus
    national_total: MoneyOut
    varied_total: MoneyOut
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class RefusalIn(In):
    reason: Reason


@router.post(
    "/variations",
    status_code=201,
    responses=refusals(CommissionerNotFound, Invalid, IifNeverVaries, BelowNationalTotal, NationalTotalUnknown),
    summary="Propose a local variation",
)
async def propose_variation(
    proposed: VariationIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.COMMISSIONER, Role.NATIONAL)],
    now: Now,
    _: Idempotent,
) -> VariationOut:
    """Rates for some practices of one commissioner, which may come to no less than the national ones they replace."""
    year = year_of(proposed.first_month)
    if proposed.last_month < proposed.first_month or year_of(proposed.last_month) != year:
        raise one_fault("body.last_month", "outside_year", "A variation holds within one contract year.")
    variation = Variation(
        id=new_id("variation"),
        name=proposed.name,
        commissioner=proposed.commissioner,
        contract_year=year,
        valid_from=first_day(proposed.first_month),
        valid_to=last_day(proposed.last_month),
        practices=proposed.practices,
        items=[item.model_dump(mode="json") for item in proposed.items],
        status=VariationStatus.PROPOSED,
        proposed_by=caller.subject,
        proposed_at=now,
        version=1,
    )
    made = await operations.propose_variation(session, variation, caller=caller, now=now)
    tag(response, made)
    response.headers["Location"] = f"/funding/v1/variations/{made.id}"
    return VariationOut.model_validate(made)


@router.get("/variations", summary="Local variations")
async def list_variations(
    session: Reading,
    paging: Paging,
    caller: Seen,
    commissioner: Annotated[str | None, Query(max_length=32)] = None,
    contract_year: ContractYear | None = None,
    status: VariationStatus | None = None,
) -> Page[VariationOut]:
    """Those of the caller's area, or that name its practices."""
    statement = select(Variation).where(variations_seen(caller))
    for column, wanted in (
        (Variation.commissioner, commissioner),
        (Variation.contract_year, contract_year),
        (Variation.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [Variation.id], paging)
    return Page(items=[VariationOut.model_validate(row[0]) for row in found], next=following)


@router.get("/variations/{variation_id}", responses=refusals(VariationNotFound), summary="One local variation")
async def read_variation(session: Reading, response: Response, caller: Seen, variation_id: VariationId) -> VariationOut:
    """A variation with its rates, its practices and what it comes to."""
    found = await operations.variation_seen(session, variation_id, caller)
    tag(response, found)
    return VariationOut.model_validate(found)


@router.put(
    "/variations/{variation_id}/approval",
    responses=refusals(
        VariationNotFound,
        VariationDecided,
        SamePersonApproves,
        NobodyConsented,
        BelowNationalTotal,
        NationalTotalUnknown,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Approve a local variation",
)
async def approve_variation(
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    variation_id: VariationId,
    if_match: IfMatch = None,
) -> VariationOut:
    """Its rates count for the practices that agree to it, in place of the national ones."""
    made = await operations.approve_variation(session, variation_id, if_match, caller=caller, now=now)
    tag(response, made)
    return VariationOut.model_validate(made)


@router.put(
    "/variations/{variation_id}/refusal",
    responses=refusals(VariationNotFound, VariationDecided, PreconditionFailed, PreconditionMissing),
    summary="Refuse a local variation",
)
async def refuse_variation(
    refusal: RefusalIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    variation_id: VariationId,
    if_match: IfMatch = None,
) -> VariationOut:
    """National rates go on counting; the reason stays on record."""
    made = await operations.refuse_variation(session, variation_id, if_match, refusal.reason, caller=caller, now=now)
    tag(response, made)
    return VariationOut.model_validate(made)
