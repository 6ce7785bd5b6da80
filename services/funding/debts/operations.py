"""Proposing and deciding what becomes of a debt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.bank_details.operations import payees_seen
from services.funding.debts.model import DebtDecision, DebtInProgress, DebtNotFound, DebtStatus
from services.funding.instructions.model import DebtOutcome
from services.funding.instructions.operations import instruction_seen
from shared.clock import london_day
from shared.database import new_id
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody proposes becomes of what an instruction carries forward."""

    instruction: str
    outcome: DebtOutcome
    settled_on: date | None
    reference: str | None
    reason: str


async def propose_decision(session: AsyncSession, proposal: Proposal, *, caller: Caller, now: datetime) -> DebtDecision:
    """Somebody proposes to give a debt up, or says that it was had back; a second person decides.

    Raises `InstructionNotFound`, `NothingOwed` and `DebtInProgress`.
    """
    instruction = await instruction_seen(session, proposal.instruction, caller)
    instruction.must_owe()
    decision = DebtDecision(
        id=new_id("debt"),
        instruction=instruction.id,
        payee=instruction.payee,
        month=instruction.month,
        amount=-instruction.amount,
        outcome=proposal.outcome,
        settled_on=proposal.settled_on or london_day(now),
        reference=proposal.reference,
        reason=proposal.reason,
        status=DebtStatus.PROPOSED,
        proposed_by=caller.subject,
        proposed_at=now,
        version=1,
    )
    session.add(decision)
    try:
        await session.flush()
    except IntegrityError as error:
        raise DebtInProgress(f"What becomes of {proposal.instruction} was proposed already.") from error
    return decision


async def decision_seen(
    session: AsyncSession, decision_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> DebtDecision:
    """A decision on a debt of a payee the caller acts for, now or as it stood then. Raises `DebtNotFound`."""
    stood = as_known(DebtDecision, known_at)
    statement = select(stood).where(stood.id == decision_id, payees_seen(caller, stood.payee))
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise DebtNotFound(f"No decision {decision_id}.")
    return found


async def approve_decision(
    session: AsyncSession, decision_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> DebtDecision:
    """A second person agrees. Where a run took the debt off a payment meanwhile there is nothing left to decide.

    Raises `DebtDecided`, `SamePersonWritesOff` and `NothingOwed`.
    """
    decision = await decision_seen(session, decision_id, caller, lock=True)
    require_match(decision, if_match)
    # a run about to be issued locks what it takes up: one of the two comes first
    instruction = await instruction_seen(session, decision.instruction, caller, lock=True)
    announce(session, decision.approve(instruction, by=caller.subject, at=now))
    await session.flush()
    return decision


async def refuse_decision(
    session: AsyncSession, decision_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> DebtDecision:
    """The debt stays as it is. Raises `DebtDecided`."""
    decision = await decision_seen(session, decision_id, caller, lock=True)
    require_match(decision, if_match)
    decision.refuse(reason, by=caller.subject, at=now)
    await session.flush()
    return decision
