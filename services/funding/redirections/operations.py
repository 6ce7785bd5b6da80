"""Proposing, deciding and withdrawing where money goes that came back or is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.instructions.model import NOTHING, MoreThanIsLeft, NothingToRedirect
from services.funding.instructions.operations import instruction_seen
from services.funding.payments.model import PAYMENTS_LOCK
from services.funding.redirections.model import (
    RedirectedAmount,
    RedirectedToItself,
    Redirection,
    RedirectionInProgress,
    RedirectionNotFound,
    RedirectionStatus,
)
from services.funding.redirections.parts import Whose, divided
from services.funding.redirections.queries import paid_on, parts_of_instruction, redirections_seen
from shared.clock import london_day
from shared.database import new_id
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


@dataclass(frozen=True, slots=True)
class Proposal:
    """Whose money of which instruction somebody proposes to send to whom, and why."""

    instruction: str
    network: str
    practice: str | None
    redirected_to: str
    reason: str


async def propose_redirection(
    session: AsyncSession, proposal: Proposal, *, caller: Caller, now: datetime
) -> Redirection:
    """Somebody proposes that money which came back or is held goes to whoever is paid it today.

    Raises `InstructionNotFound`, `StillOnItsWay`, `NothingToRedirect`, `RedirectedToItself`, `NotThePayee` and
    `RedirectionInProgress`.
    """
    instruction = await instruction_seen(session, proposal.instruction, caller)
    instruction.must_wait()
    if proposal.redirected_to == instruction.payee:
        raise RedirectedToItself(f"{instruction.payee} is the payee of the instruction; send it again instead.")
    whose = Whose(proposal.network, proposal.practice)
    found, _ = await parts_of_instruction(session, instruction)
    part = next((one for one in found if one.whose == whose), None)
    if part is None or not part.left:
        raise NothingToRedirect(f"Nothing of the instruction that can go to another payee is {_of(whose)}'s.")
    made = Redirection(
        id=new_id("rdr"),
        instruction=instruction.id,
        month=instruction.month,
        network=proposal.network,
        practice=proposal.practice,
        payee=instruction.payee,
        redirected_to=proposal.redirected_to,
        amount=part.left,
        reason=proposal.reason,
        status=RedirectionStatus.PROPOSED,
        proposed_by=caller.subject,
        proposed_at=now,
        version=1,
    )
    made.must_go_to(await paid_on(session, whose, london_day(now)))
    session.add(made)
    try:
        await session.flush()
    except IntegrityError as error:
        raise RedirectionInProgress(f"Where {_of(whose)}'s part goes was proposed already.") from error
    return made


def _of(whose: Whose) -> str:
    return whose.practice or whose.network


async def redirection_seen(
    session: AsyncSession, redirection_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> Redirection:
    """A redirection the caller may see, if it had been proposed by then. Raises `RedirectionNotFound`."""
    statement = select(Redirection).where(Redirection.id == redirection_id, redirections_seen(caller))
    if known_at is not None:
        statement = statement.where(Redirection.proposed_at <= known_at)
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise RedirectionNotFound(f"No redirection {redirection_id}.")
    return found


async def approve_redirection(
    session: AsyncSession, redirection_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Redirection:
    """A second person agrees: the next run that pays the new payee sends the money, and the new payee stands for it.

    Raises `RedirectionDecided`, `SamePersonRedirects`, `NotThePayee`, `StillOnItsWay`, `NothingToRedirect` and
    `MoreThanIsLeft`.
    """
    # a run asks back from whoever has the money: none is calculated or issued while it changes hands
    await session.execute(select(func.pg_advisory_xact_lock(PAYMENTS_LOCK)))
    redirection = await redirection_seen(session, redirection_id, caller, lock=True)
    require_match(redirection, if_match)
    # a payment file or a run about to leave locks what it takes along: one of the two comes first
    instruction = await instruction_seen(session, redirection.instruction, caller, lock=True)
    whose = Whose(redirection.network, redirection.practice)
    found, had = await parts_of_instruction(session, instruction)
    event = redirection.approve(instruction, await paid_on(session, whose, london_day(now)), by=caller.subject, at=now)
    part = next((one for one in found if one.whose == whose), None)
    if part is None or part.left < redirection.amount:
        raise MoreThanIsLeft(f"£{part.left if part else 0} of it is left, not £{redirection.amount}: propose it anew.")
    await session.flush()
    session.add_all(
        RedirectedAmount(
            redirection=redirection.id,
            number=number,
            contract_year=paid_for.contract_year,
            stream=paid_for.stream,
            month=paid_for.month,
            reference=paid_for.reference,
            amount=amount,
        )
        for number, (paid_for, amount) in enumerate(divided(part, had, redirection.amount), start=1)
    )
    announce(session, event)
    await session.flush()
    return redirection


async def who_is_paid(
    session: AsyncSession, instruction_id: str, *, caller: Caller, now: datetime
) -> list[dict[str, Any]]:
    """The parts of an instruction: what may still go to another payee, and who is paid such money today.

    Raises `InstructionNotFound`.
    """
    instruction = await instruction_seen(session, instruction_id, caller)
    found, _ = await parts_of_instruction(session, instruction)
    return [
        {
            "network": part.whose.network,
            "practice": part.whose.practice,
            "amount": part.amount,
            "left": part.left if instruction.waits else NOTHING,
            "paid_today": await paid_on(session, part.whose, london_day(now)),
        }
        for part in found
    ]


async def refuse_redirection(
    session: AsyncSession, redirection_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> Redirection:
    """The money stays where it is. Raises `RedirectionDecided`."""
    redirection = await redirection_seen(session, redirection_id, caller, lock=True)
    require_match(redirection, if_match)
    redirection.refuse(reason, by=caller.subject, at=now)
    await session.flush()
    return redirection


async def withdraw_redirection(
    session: AsyncSession, redirection_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> Redirection:
    """Whoever proposed it no longer does. Raises `RedirectionDecided` and `ProposedByAnother`."""
    redirection = await redirection_seen(session, redirection_id, caller, lock=True)
    require_match(redirection, if_match)
    redirection.withdraw(reason, by=caller.subject, at=now)
    await session.flush()
    return redirection
