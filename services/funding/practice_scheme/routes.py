"""The practice scheme over HTTP: practices claim, their commissioner decides."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.heirs.operations import NotYoursToDecide
from services.funding.practice_scheme import operations
from services.funding.practice_scheme.model import PracticeClaim, Step
from services.funding.practice_scheme.operations import (
    PracticeClaimNotFound,
    PracticeNotFound,
    practice_claims_seen,
)
from services.funding.practice_scheme.refusals import (
    AdvanceNotConfirmed,
    PracticeClaimExists,
    PracticeClaimNotEditable,
    PracticeClaimNotOpen,
    PracticeClaimNotPayable,
    TooEarlyToClaim,
    TooLateToClaim,
    TooLateToWithdraw,
)
from services.funding.practice_scheme.rules import Kind
from services.funding.practice_scheme.shapes import (
    PracticeClaimContentIn,
    PracticeClaimIn,
    PracticeClaimOut,
    PracticeClaimReasonIn,
)
from shared.errors import DomainError, PreconditionFailed, PreconditionMissing
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
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month

router = service_router("funding", tags=["practice scheme"])

ClaimId = Annotated[str, Path(max_length=64)]
Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.PRACTICE)]
Claims = Annotated[Caller, allow(Role.PRACTICE)]
Decides = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]

_STALE: tuple[type[DomainError], ...] = (PracticeClaimNotFound, PreconditionFailed, PreconditionMissing)
_DECIDING: tuple[type[DomainError], ...] = (PracticeClaimNotOpen, NotYoursToDecide, *_STALE)


async def _shown(
    session: AsyncSession, response: Response, claim: PracticeClaim, known_at: datetime | None = None
) -> PracticeClaimOut:
    tag(response, claim)
    waiting = await operations.in_payment_file(session, [claim.id], known_at)
    return PracticeClaimOut.model_validate(claim).model_copy(update={"in_payment_file": claim.id in waiting})


@router.post(
    "/practice-claims",
    status_code=201,
    responses=refusals(PracticeNotFound, PracticeClaimNotFound, PracticeClaimExists),
    summary="Draft a claim for a GP's month",
)
async def draft(
    claim: PracticeClaimIn, session: Transaction, response: Response, caller: Claims, now: Now, _: Idempotent
) -> PracticeClaimOut:
    """A practice drafts a claim; its check shows at once what would be paid and every fault."""
    made = await operations.draft_claim(
        session, claim.practice, claim.content(), claim.continues, caller=caller, now=now
    )
    response.headers["Location"] = f"/funding/v1/practice-claims/{made.id}"
    return await _shown(session, response, made)


@router.get("/practice-claims", summary="Claims of practices")
async def list_claims(
    session: Reading,
    paging: Paging,
    caller: Seen,
    practice: Annotated[str | None, Query(max_length=32)] = None,
    month: Month | None = None,
    contract_year: ContractYear | None = None,
    status: Step | None = None,
    kind: Kind | None = None,
    known_at: KnownAt = None,
) -> Page[PracticeClaimOut]:
    """The claims of the practices the caller may see; drafts are shown to their own practice only."""
    stood = as_known(PracticeClaim, known_at)
    statement = select(stood).where(practice_claims_seen(caller, stood))
    for column, wanted in (
        (stood.practice, practice),
        (stood.month, month),
        (stood.contract_year, contract_year),
        (stood.status, status),
        (stood.kind, kind),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    waiting = await operations.in_payment_file(session, [row[0].id for row in found], known_at)
    return Page(
        items=[
            PracticeClaimOut.model_validate(row[0]).model_copy(update={"in_payment_file": row[0].id in waiting})
            for row in found
        ],
        next=following,
    )


@router.get("/practice-claims/{claim_id}", responses=refusals(PracticeClaimNotFound), summary="One claim of a practice")
async def read_claim(
    session: Reading, response: Response, caller: Seen, claim_id: ClaimId, known_at: KnownAt = None
) -> PracticeClaimOut:
    """A practice's claim with what was found when it was last checked."""
    claim = await operations.practice_claim_seen(session, claim_id, caller, known_at=known_at)
    return await _shown(session, response, claim, known_at)


@router.put(
    "/practice-claims/{claim_id}",
    responses=refusals(PracticeClaimNotEditable, PracticeClaimExists, *_STALE),
    summary="Change a draft",
)
async def rewrite(
    content: PracticeClaimContentIn,
    session: Transaction,
    response: Response,
    caller: Claims,
    now: Now,
    claim_id: ClaimId,
    if_match: IfMatch = None,
) -> PracticeClaimOut:
    """A practice changes a draft, or puts right what was sent back."""
    claim = await operations.rewrite_claim(session, claim_id, if_match, content.content(), caller=caller, now=now)
    return await _shown(session, response, claim)


@router.put(
    "/practice-claims/{claim_id}/submission",
    responses=refusals(TooLateToClaim, TooEarlyToClaim, PracticeClaimNotOpen, *_STALE),
    summary="Hand a claim in",
)
async def submit(
    session: Transaction, response: Response, caller: Claims, now: Now, claim_id: ClaimId, if_match: IfMatch = None
) -> PracticeClaimOut:
    """Within three months after the month; up to three months ahead if the commissioner will confirm it."""
    return await _shown(
        session, response, await operations.submit_claim(session, claim_id, if_match, caller=caller, now=now)
    )


@router.put(
    "/practice-claims/{claim_id}/withdrawal",
    responses=refusals(TooLateToWithdraw, PracticeClaimNotOpen, *_STALE),
    summary="Take a claim back",
)
async def withdraw(
    session: Transaction, response: Response, caller: Claims, now: Now, claim_id: ClaimId, if_match: IfMatch = None
) -> PracticeClaimOut:
    """Take a claim back; with one made ahead go the later ones of its series."""
    return await _shown(
        session, response, await operations.withdraw_claims(session, claim_id, if_match, caller=caller, now=now)
    )


@router.put(
    "/practice-claims/{claim_id}/confirmation", responses=refusals(*_DECIDING), summary="Confirm a claim made ahead"
)
async def confirm(
    session: Transaction, response: Response, caller: Decides, now: Now, claim_id: ClaimId, if_match: IfMatch = None
) -> PracticeClaimOut:
    """The commissioner confirms that this month may be claimed before it has ended."""
    return await _shown(
        session, response, await operations.confirm_advance(session, claim_id, if_match, caller=caller, now=now)
    )


@router.put(
    "/practice-claims/{claim_id}/approval",
    responses=refusals(AdvanceNotConfirmed, PracticeClaimNotPayable, *_DECIDING),
    summary="Approve a practice's claim",
)
async def approve(
    session: Transaction, response: Response, caller: Decides, now: Now, claim_id: ClaimId, if_match: IfMatch = None
) -> PracticeClaimOut:
    """Approve for what is payable now; what is approved first takes of the practice's ceiling first."""
    return await _shown(
        session, response, await operations.approve_claim(session, claim_id, if_match, caller=caller, now=now)
    )


@router.put(
    "/practice-claims/{claim_id}/return", responses=refusals(*_DECIDING), summary="Send a practice's claim back"
)
async def send_back(
    why: PracticeClaimReasonIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    claim_id: ClaimId,
    if_match: IfMatch = None,
) -> PracticeClaimOut:
    """Send the claim back to be put right; handed in again it keeps its day."""
    claim = await operations.close_claim(
        session, claim_id, if_match, Step.RETURNED, why.code, why.reason, caller=caller, now=now
    )
    return await _shown(session, response, claim)


@router.put(
    "/practice-claims/{claim_id}/rejection", responses=refusals(*_DECIDING), summary="Reject a practice's claim"
)
async def reject(
    why: PracticeClaimReasonIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    claim_id: ClaimId,
    if_match: IfMatch = None,
) -> PracticeClaimOut:
    """Turn the claim down; the practice may claim the month anew."""
    claim = await operations.close_claim(
        session, claim_id, if_match, Step.REJECTED, why.code, why.reason, caller=caller, now=now
    )
    return await _shown(session, response, claim)
