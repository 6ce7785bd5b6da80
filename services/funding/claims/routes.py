"""Claims over HTTP: read by their network and its commissioner, decided by the commissioner, one or many at once."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from fastapi import Path, Query, Response
from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.claims import operations
from services.funding.claims.model import Claim, ClaimDecided, ClaimNotPayable, ClaimStatus
from services.funding.claims.operations import Answer, ClaimNotFound, Decision, Wanted
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.scope import network_codes_seen
from shared.errors import Invalid, PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    Idempotent,
    IfMatch,
    In,
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
from shared.identity import Caller, Role, allow
from shared.problems import ProblemFault
from shared.years import ContractYear, Month

router = service_router("funding", tags=["claims"])

ClaimId = Annotated[str, Path(max_length=64)]
Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)]
Decides = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]


class ClaimOut(Out):
    """`payable` is what was approved, or while submitted what would be; `checked` is the arithmetic and every fault.

    `resubmits` names the claim sent back or turned down that this one puts right. `paid` is what runs paid of it, less
    than `payable` while the rest waits for a sum that was lowered; `taken_back` is what of that was given back, because
    its month turned out to be without the right to be paid.
    """

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
    paid: MoneyOut
    taken_back: MoneyOut
    person: str | None
    employer: str | None
    started_on: date | None
    withheld_days: Decimal
    resubmits: str | None


ReasonCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
Reason = Annotated[str, Field(min_length=3, max_length=1000)]


class RejectionIn(In):
    """Why a claim is turned down or sent back: a stable code and a sentence for the network."""

    code: ReasonCode
    reason: Reason


class DecisionIn(In):
    """One claim's decision: `version` is the number in its ETag; code and reason are needed unless it is approved."""

    claim: Annotated[str, Field(max_length=64)]
    version: Annotated[int, Field(strict=True, ge=1)]
    decision: Decision
    code: ReasonCode | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _said_why(self) -> Self:
        if self.decision is not Decision.APPROVED and (self.code is None or self.reason is None):
            raise ValueError("a claim is returned or rejected with a code and a reason")
        return self


class DecisionsIn(In):
    """Decisions on many claims, each claim once."""

    decisions: Annotated[list[DecisionIn], Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = [one.claim for one in self.decisions]
        if len(set(named)) < len(named):
            raise ValueError("name each claim once")
        return self


class RefusalOut(Out):
    """Why one decision was refused: as its own problem document would say."""

    status: int
    code: str
    detail: str
    errors: list[ProblemFault]


class AnswerOut(Out):
    """What one decision came to: `decided`, `repeated` where it stood already, or `refused` with the reason."""

    claim: str
    outcome: Literal["decided", "repeated", "refused"]
    status: ClaimStatus | None
    version: int | None
    payable: MoneyOut | None
    limited_by: str | None
    refusal: RefusalOut | None


class AnswersOut(Out):
    answers: list[AnswerOut]


@router.get("/claims", summary="Claims for additional roles")
async def list_claims(
    session: Reading,
    paging: Paging,
    caller: Seen,
    network: Annotated[str | None, Query(max_length=32)] = None,
    month: Month | None = None,
    contract_year: ContractYear | None = None,
    status: ClaimStatus | None = None,
    known_at: KnownAt = None,
) -> Page[ClaimOut]:
    """The claims of the networks the caller may see."""
    stood = as_known(Claim, known_at)
    statement = select(stood)
    if not caller.everywhere:
        statement = statement.where(stood.network.in_(network_codes_seen(caller)))
    for column, wanted in (
        (stood.network, network),
        (stood.month, month),
        (stood.contract_year, contract_year),
        (stood.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[ClaimOut.model_validate(row[0]) for row in found], next=following)


@router.get("/claims/{claim_id}", responses=refusals(ClaimNotFound), summary="One claim and its check")
async def read_claim(
    session: Reading, response: Response, caller: Seen, claim_id: ClaimId, known_at: KnownAt = None
) -> ClaimOut:
    """A claim with what was found when it was last checked."""
    claim = await operations.claim_seen(session, claim_id, caller, known_at=known_at)
    tag(response, claim)
    return ClaimOut.model_validate(claim)


@router.put(
    "/claims/{claim_id}/approval",
    responses=refusals(
        ClaimNotFound, ClaimDecided, ClaimNotPayable, NotYoursToDecide, PreconditionFailed, PreconditionMissing
    ),
    summary="Approve a claim",
)
async def approve_claim(
    session: Transaction, response: Response, caller: Decides, now: Now, claim_id: ClaimId, if_match: IfMatch = None
) -> ClaimOut:
    """Approve for what is payable now; the next payment run pays it."""
    claim = await operations.approve_claim(session, claim_id, if_match, caller=caller, now=now)
    tag(response, claim)
    return ClaimOut.model_validate(claim)


async def _close(
    session: AsyncSession,
    response: Response,
    claim_id: str,
    if_match: str | None,
    decision: Decision,
    why: RejectionIn,
    caller: Caller,
    now: datetime,
) -> ClaimOut:
    claim = await operations.close_claim(
        session, claim_id, if_match, decision, why.code, why.reason, caller=caller, now=now
    )
    tag(response, claim)
    return ClaimOut.model_validate(claim)


@router.put(
    "/claims/{claim_id}/rejection",
    responses=refusals(ClaimNotFound, ClaimDecided, NotYoursToDecide, Invalid, PreconditionFailed, PreconditionMissing),
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
    return await _close(session, response, claim_id, if_match, Decision.REJECTED, rejection, caller, now)


@router.put(
    "/claims/{claim_id}/return",
    responses=refusals(ClaimNotFound, ClaimDecided, NotYoursToDecide, Invalid, PreconditionFailed, PreconditionMissing),
    summary="Send a claim back",
)
async def return_claim(
    returning: RejectionIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    claim_id: ClaimId,
    if_match: IfMatch = None,
) -> ClaimOut:
    """Send the claim back to be put right: the claim made after it names it, and keeps its day for deadlines."""
    return await _close(session, response, claim_id, if_match, Decision.RETURNED, returning, caller, now)


@router.post("/claim-decisions", responses=refusals(ClaimNotFound, Invalid), summary="Decide many claims")
async def decide_claims(
    decisions: DecisionsIn, session: Transaction, caller: Decides, now: Now, _: Idempotent
) -> AnswersOut:
    """Each claim gets its own answer, in the order asked; one refused holds no other back."""
    wanted = [
        Wanted(one.claim, one.version, one.decision, one.code or "", one.reason or "") for one in decisions.decisions
    ]
    answers = await operations.decide_claims(session, wanted, caller=caller, now=now)
    return AnswersOut(answers=[_answer(one.claim, answers[one.claim]) for one in wanted])


def _answer(claim_id: str, answer: Answer) -> AnswerOut:
    claim, refusal = answer.claim, answer.refusal
    return AnswerOut(
        claim=claim_id,
        outcome="refused" if refusal is not None else "repeated" if answer.repeated else "decided",
        status=None if claim is None else claim.status,
        version=None if claim is None else claim.version,
        payable=None if claim is None else claim.payable,
        limited_by=None if claim is None else claim.limited_by,
        refusal=None
        if refusal is None
        else RefusalOut(
            status=refusal.status,
            code=refusal.code,
            detail=str(refusal),
            errors=[ProblemFault(field=f.field, code=f.code, message=f.message) for f in refusal.errors],
        ),
    )
