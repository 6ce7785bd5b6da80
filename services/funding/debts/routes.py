"""Decisions on debts over HTTP: proposed and decided by national finance, read by the payees they concern."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import select

from services.funding.bank_details.operations import payees_seen
from services.funding.dated import Day
from services.funding.debts import operations
from services.funding.debts.model import (
    DebtDecided,
    DebtDecision,
    DebtInProgress,
    DebtNotFound,
    DebtStatus,
    SamePersonWritesOff,
)
from services.funding.instructions.model import DebtOutcome, NothingOwed
from services.funding.instructions.operations import InstructionNotFound
from shared.errors import PreconditionFailed, PreconditionMissing
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
    Today,
    Transaction,
    one_fault,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("funding", tags=["debts"])

DecisionId = Annotated[str, Path(max_length=64)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
Sees = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.PAYEE, Role.PRACTICE, Role.NETWORK)]


class DebtDecisionIn(In):
    """`instruction` is the one carried forward. What was recovered says when and by which `reference`."""

    instruction: Annotated[str, Field(min_length=1, max_length=80)]
    outcome: DebtOutcome
    settled_on: Day | None = None
    reference: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class DebtRefusalIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class DebtDecisionOut(Out):
    """`amount` is what the payee owes; once approved, no later payment is made less by it."""

    id: str
    instruction: str
    payee: str
    month: str
    amount: MoneyOut
    outcome: DebtOutcome
    settled_on: date
    reference: str | None
    reason: str
    status: DebtStatus
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    refusal: str | None


@router.post(
    "/debt-decisions",
    status_code=201,
    responses=refusals(InstructionNotFound, NothingOwed, DebtInProgress),
    summary="Propose what becomes of a debt",
)
async def propose(
    given: DebtDecisionIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    today: Today,
    _: Idempotent,
) -> DebtDecisionOut:
    """For a payee that will never be due enough to take the debt off; a second person decides."""
    if given.settled_on is not None and given.settled_on > today:
        raise one_fault("body.settled_on", "in_the_future", "It cannot have been settled on a day to come.")
    if given.outcome is DebtOutcome.RECOVERED and given.reference is None:
        raise one_fault("body.reference", "missing", "Say by which payment the money was had back.")
    made = await operations.propose_decision(session, operations.Proposal(**given.model_dump()), caller=caller, now=now)
    response.headers["Location"] = f"/funding/v1/debt-decisions/{made.id}"
    tag(response, made)
    return DebtDecisionOut.model_validate(made)


@router.get("/debt-decisions", summary="Decisions on debts")
async def list_decisions(
    session: Reading,
    paging: Paging,
    caller: Sees,
    payee: Annotated[str | None, Query(max_length=32)] = None,
    status: DebtStatus | None = None,
    known_at: KnownAt = None,
) -> Page[DebtDecisionOut]:
    """What was proposed and decided of debts of payees the caller acts for, the oldest first."""
    stood = as_known(DebtDecision, known_at)
    statement = select(stood).where(payees_seen(caller, stood.payee))
    for column, wanted in ((stood.payee, payee), (stood.status, status)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[DebtDecisionOut.model_validate(row[0]) for row in found], next=following)


@router.get("/debt-decisions/{decision_id}", responses=refusals(DebtNotFound), summary="One decision on a debt")
async def read_decision(
    session: Reading, response: Response, caller: Sees, decision_id: DecisionId, known_at: KnownAt = None
) -> DebtDecisionOut:
    """Who proposed and decided it, and why."""
    found = await operations.decision_seen(session, decision_id, caller, known_at=known_at)
    tag(response, found)
    return DebtDecisionOut.model_validate(found)


@router.put(
    "/debt-decisions/{decision_id}/approval",
    responses=refusals(
        DebtNotFound,
        DebtDecided,
        SamePersonWritesOff,
        InstructionNotFound,
        NothingOwed,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Approve a decision on a debt",
)
async def approve(
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    decision_id: DecisionId,
    if_match: IfMatch = None,
) -> DebtDecisionOut:
    """From now on no payment is made less by the debt."""
    done = await operations.approve_decision(session, decision_id, if_match, caller=caller, now=now)
    tag(response, done)
    return DebtDecisionOut.model_validate(done)


@router.put(
    "/debt-decisions/{decision_id}/refusal",
    responses=refusals(DebtNotFound, DebtDecided, PreconditionFailed, PreconditionMissing),
    summary="Turn a decision on a debt down",
)
async def refuse(
    given: DebtRefusalIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    decision_id: DecisionId,
    if_match: IfMatch = None,
) -> DebtDecisionOut:
    """With a reason; the debt stays and is taken off what is paid next."""
    done = await operations.refuse_decision(session, decision_id, if_match, given.reason, caller=caller, now=now)
    tag(response, done)
    return DebtDecisionOut.model_validate(done)
