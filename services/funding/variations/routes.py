"""Local variations over HTTP: proposed by commissioners, agreed to by practices, approved nationally."""

from typing import Annotated

from fastapi import Path, Query, Response
from sqlalchemy import select

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
from services.funding.variations.shapes import RefusalIn, VariationIn, VariationOut
from shared.database import new_id
from shared.errors import Invalid, PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    Idempotent,
    IfMatch,
    KnownAt,
    Now,
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
from shared.years import ContractYear, first_day, last_day, year_of

router = service_router("funding", tags=["variations"])

Seen = Annotated[
    Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)
]
Decider = Annotated[Caller, allow(Role.NATIONAL)]
VariationId = Annotated[str, Path(max_length=64)]


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
    """Terms for some practices of one commissioner, which may come to no less than the national ones they replace."""
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
        sums=[one.model_dump(mode="json") for one in proposed.sums],
        ceilings=[one.model_dump(mode="json") for one in proposed.ceilings],
        caps=[one.model_dump(mode="json") for one in proposed.caps],
        roles=proposed.opened(),
        duties=[one.model_dump(mode="json") for one in proposed.duties],
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
    known_at: KnownAt = None,
) -> Page[VariationOut]:
    """Those of the caller's area, or that name its practices."""
    stood = as_known(Variation, known_at)
    statement = select(stood).where(variations_seen(caller, stood))
    for column, wanted in (
        (stood.commissioner, commissioner),
        (stood.contract_year, contract_year),
        (stood.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[VariationOut.model_validate(row[0]) for row in found], next=following)


@router.get("/variations/{variation_id}", responses=refusals(VariationNotFound), summary="One local variation")
async def read_variation(
    session: Reading, response: Response, caller: Seen, variation_id: VariationId, known_at: KnownAt = None
) -> VariationOut:
    """A variation with its rates, its practices and what it comes to."""
    found = await operations.variation_seen(session, variation_id, caller, known_at=known_at)
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
    """Its terms count for the practices that agree to it, in place of the national ones."""
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
