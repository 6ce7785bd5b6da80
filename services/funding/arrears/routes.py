"""Claims of arrears over HTTP: read by their network and its commissioner, decided by the commissioner."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Path, Query, Response
from sqlalchemy import select

from services.funding.arrears.model import ArrearsClaim
from services.funding.arrears.operations import ArrearsNotFound, arrears_seen, decide_arrears
from services.funding.claims.decision import ClaimDecided, ClaimNotPayable, ClaimStatus
from services.funding.claims.routes import Decides, RejectionIn, Seen
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.scope import network_codes_seen
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    IfMatch,
    KnownAt,
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
    tag,
)
from shared.years import ContractYear

router = service_router("funding", tags=["claims"])

ArrearsId = Annotated[str, Path(max_length=64)]
_STALE = (ArrearsNotFound, ClaimDecided, NotYoursToDecide, PreconditionFailed, PreconditionMissing)


class ArrearsClaimOut(Out):
    """`items` as claimed; `checked` has every month's arithmetic and every fault; `payable` as for other claims."""

    id: str
    network: str
    contract_year: str
    items: list[dict[str, Any]]
    made_on: date
    status: ClaimStatus
    payable: MoneyOut | None
    limited_by: str | None
    checked: dict[str, Any]
    decided_by: str | None
    decided_at: datetime | None
    code: str | None
    reason: str | None
    run: str | None
    paid: MoneyOut
    taken_back: MoneyOut


@router.get("/arrears-claims", summary="Claims of arrears")
async def list_arrears(
    session: Reading,
    paging: Paging,
    caller: Seen,
    network: Annotated[str | None, Query(max_length=32)] = None,
    contract_year: ContractYear | None = None,
    status: ClaimStatus | None = None,
    known_at: KnownAt = None,
) -> Page[ArrearsClaimOut]:
    """The claims of arrears of the networks the caller may see."""
    stood = as_known(ArrearsClaim, known_at)
    statement = select(stood)
    if not caller.everywhere:
        statement = statement.where(stood.network.in_(network_codes_seen(caller)))
    for column, wanted in (
        (stood.network, network),
        (stood.contract_year, contract_year),
        (stood.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[ArrearsClaimOut.model_validate(row[0]) for row in found], next=following)


@router.get("/arrears-claims/{arrears_id}", responses=refusals(ArrearsNotFound), summary="One claim of arrears")
async def read_arrears(
    session: Reading, response: Response, caller: Seen, arrears_id: ArrearsId, known_at: KnownAt = None
) -> ArrearsClaimOut:
    """A claim of arrears with what was found when it was last checked."""
    claim = await arrears_seen(session, arrears_id, caller, known_at=known_at)
    tag(response, claim)
    return ArrearsClaimOut.model_validate(claim)


@router.put(
    "/arrears-claims/{arrears_id}/approval", responses=refusals(ClaimNotPayable, *_STALE), summary="Approve arrears"
)
async def approve_arrears(
    session: Transaction, response: Response, caller: Decides, now: Now, arrears_id: ArrearsId, if_match: IfMatch = None
) -> ArrearsClaimOut:
    """Approve for what is payable now, month by month under the ceilings now in force; the next run pays it."""
    claim = await decide_arrears(session, arrears_id, if_match, None, caller=caller, now=now)
    tag(response, claim)
    return ArrearsClaimOut.model_validate(claim)


@router.put("/arrears-claims/{arrears_id}/rejection", responses=refusals(*_STALE), summary="Reject arrears")
async def reject_arrears(
    rejection: RejectionIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    arrears_id: ArrearsId,
    if_match: IfMatch = None,
) -> ArrearsClaimOut:
    """Turn the arrears down with a reason; the network may put them right and claim again."""
    why = (rejection.code, rejection.reason)
    claim = await decide_arrears(session, arrears_id, if_match, why, caller=caller, now=now)
    tag(response, claim)
    return ArrearsClaimOut.model_validate(claim)
