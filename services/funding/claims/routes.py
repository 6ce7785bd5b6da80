"""Claims over HTTP: read by their network and its commissioner, decided by the commissioner."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import select

from services.funding.claims import operations
from services.funding.claims.model import Claim, ClaimDecided, ClaimNotPayable, ClaimStatus
from services.funding.claims.operations import ClaimNotFound
from services.funding.scope import network_codes_seen
from shared.errors import Invalid, PreconditionFailed, PreconditionMissing
from shared.http import (
    IfMatch,
    In,
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
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month

router = service_router("funding", tags=["claims"])

ClaimId = Annotated[str, Path(max_length=64)]
Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)]
Decides = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]


class ClaimOut(Out):
    """`payable` is what was approved, or while submitted what would be; `checked` is the arithmetic and every fault."""

    id: str
    network: str
    post: str
    role: str
    zone: str
    wte: Decimal
    month: str
    contract_year: str
    worked_from: date
    worked_to: date
    salary: MoneyOut
    employer_ni: MoneyOut
    employer_pension: MoneyOut
    supplier_fee: MoneyOut
    additional: bool
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


class RejectionIn(In):
    """Why a claim is turned down: a stable code and a sentence for the network."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


@router.get("/claims", summary="Claims for additional roles")
async def list_claims(
    session: Reading,
    paging: Paging,
    caller: Seen,
    network: Annotated[str | None, Query(max_length=32)] = None,
    month: Month | None = None,
    contract_year: ContractYear | None = None,
    status: ClaimStatus | None = None,
) -> Page[ClaimOut]:
    """The claims of the networks the caller may see."""
    statement = select(Claim)
    if not caller.everywhere:
        statement = statement.where(Claim.network.in_(network_codes_seen(caller)))
    for column, wanted in (
        (Claim.network, network),
        (Claim.month, month),
        (Claim.contract_year, contract_year),
        (Claim.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [Claim.id], paging)
    return Page(items=[ClaimOut.model_validate(row[0]) for row in found], next=following)


@router.get("/claims/{claim_id}", responses=refusals(ClaimNotFound), summary="One claim and its check")
async def read_claim(session: Reading, response: Response, caller: Seen, claim_id: ClaimId) -> ClaimOut:
    """A claim with what was found when it was last checked."""
    claim = await operations.claim_seen(session, claim_id, caller)
    tag(response, claim)
    return ClaimOut.model_validate(claim)


@router.put(
    "/claims/{claim_id}/approval",
    responses=refusals(ClaimNotFound, ClaimDecided, ClaimNotPayable, PreconditionFailed, PreconditionMissing),
    summary="Approve a claim",
)
async def approve_claim(
    session: Transaction, response: Response, caller: Decides, now: Now, claim_id: ClaimId, if_match: IfMatch = None
) -> ClaimOut:
    """Approve for what is payable now; the next payment run pays it."""
    claim = await operations.approve_claim(session, claim_id, if_match, caller=caller, now=now)
    tag(response, claim)
    return ClaimOut.model_validate(claim)


@router.put(
    "/claims/{claim_id}/rejection",
    responses=refusals(ClaimNotFound, ClaimDecided, Invalid, PreconditionFailed, PreconditionMissing),
    summary="Reject a claim",
)
async def reject_claim(
    rejection: RejectionIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    claim_id: ClaimId,
    if_match: IfMatch = None,
) -> ClaimOut:
    """Turn the claim down with a reason; the network may put it right and claim again."""
    claim = await operations.reject_claim(
        session, claim_id, if_match, rejection.code, rejection.reason, caller=caller, now=now
    )
    tag(response, claim)
    return ClaimOut.model_validate(claim)
