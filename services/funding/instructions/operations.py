"""Making instructions from an issued run, hearing what became of them, closing the run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.bank_details.model import PayeeAccount
from services.funding.bank_details.operations import details_on, payees_seen
from services.funding.instructions.model import (
    InstructionState,
    PaymentInstruction,
    TookUp,
    parts_of,
)
from services.funding.instructions.netting import NOTHING, Open, net
from services.funding.payment_files.model import PaymentFile
from services.funding.payments.model import PaymentLine, PaymentRun
from services.funding.redirections.model import Redirection, RedirectionStatus
from shared.audit import audit
from shared.clock import london_day
from shared.database import copy_rows
from shared.errors import NotFound
from shared.events.funding import RedirectedPart
from shared.facts import as_at
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce

COLUMNS = (
    *("id", "run", "number", "payee", "month", "contract_year", "of_run", "brought_forward", "amount", "parts"),
    *("state", "held_code", "held_reason", "version"),
)
NO_DETAILS = ("no-bank-details", "No bank details of the payee are approved and in force.")


class InstructionNotFound(NotFound):
    """No such payment instruction, or none the caller may see."""


async def make_instructions(session: AsyncSession, run: PaymentRun, now: datetime) -> int:
    """Net an issued run into one instruction for each payee; gives how many.

    What is carried forward is taken off, and money that came back is owed again once its cause is settled: somebody
    said so, or other bank details of the payee have been approved since. What was redirected to a payee is due to it.
    Each is taken up once.
    """
    today = london_day(now)
    lines = await session.execute(
        select(PaymentLine.payee, PaymentLine.network, func.sum(PaymentLine.amount))
        .where(PaymentLine.run == run.id, PaymentLine.amount.is_not(None))
        .group_by(PaymentLine.payee, PaymentLine.network)
    )
    redirected = await _redirected(session)
    waiting = [*await _open(session, today), *redirected]
    netted = net([(payee, network, amount or NOTHING) for payee, network, amount in lines], waiting)
    accounts = await details_on(session, [one.payee for one in netted], today)
    rows: list[tuple[Any, ...]] = []
    taken: list[tuple[str, str]] = []
    for number, one in enumerate(netted, start=1):
        instruction = f"{run.id}-i{number:06d}"
        state, held = InstructionState.DUE, (None, None)
        if one.amount <= 0:
            state = InstructionState.CARRIED if one.amount < 0 else InstructionState.NIL
        elif one.payee not in accounts:
            state, held = InstructionState.HELD, NO_DETAILS  # type: ignore[assignment]
        parts = json.dumps({network: str(amount) for network, amount in one.parts.items()})
        sums = (one.of_run, one.brought_forward, one.amount, parts)
        rows.append(
            (instruction, run.id, number, one.payee, run.month, run.contract_year, *sums, state.value, *held, 1)
        )
        taken += [(earlier, instruction) for earlier in one.taken]
    await copy_rows(session, PaymentInstruction.__table__, COLUMNS, rows)  # type: ignore[arg-type]
    redirections = {one.instruction for one in redirected}
    for earlier, instruction in taken:
        if earlier in redirections:
            taking = update(Redirection).where(Redirection.id == earlier)
            taking = taking.values(taken_into=instruction, taken_at=now, version=Redirection.version + 1)
        else:
            taking = update(PaymentInstruction).where(PaymentInstruction.id == earlier)
            taking = taking.values(taken_into=instruction, version=PaymentInstruction.version + 1)
        await session.execute(taking.execution_options(synchronize_session=False))
    audit(
        session,
        action="instructed",
        record=f"payment_runs/{run.id}/instructions",
        after={"instructions": len(rows), "brought_forward": [earlier for earlier, _ in taken]},
    )
    return len(rows)


async def _open(session: AsyncSession, today: date) -> list[Open]:
    """Earlier instructions the next run takes up, locked."""
    other_account = exists().where(
        PayeeAccount.payee == PaymentInstruction.payee,
        as_at(PayeeAccount, today),
        PayeeAccount.details != PaymentInstruction.details,
    )
    settled = or_(PaymentInstruction.remedied_at.is_not(None), other_account)
    rows = await session.execute(
        select(PaymentInstruction.id, PaymentInstruction.payee, PaymentInstruction.parts)
        .where(
            PaymentInstruction.taken_into.is_(None),
            PaymentInstruction.redirected != PaymentInstruction.amount,
            or_(
                (PaymentInstruction.state == InstructionState.CARRIED) & PaymentInstruction.debt.is_(None),
                (PaymentInstruction.state == InstructionState.RETURNED) & settled,
                PaymentInstruction.state == InstructionState.REDIRECTED,
            ),
        )
        .order_by(PaymentInstruction.id)
        .with_for_update(of=PaymentInstruction)
    )
    found = {instruction: Open(instruction, payee, parts_of(parts)) for instruction, payee, parts in rows}
    gone = await session.execute(
        select(Redirection.instruction, Redirection.network, func.sum(Redirection.amount))
        .where(Redirection.instruction.in_(found), Redirection.status == RedirectionStatus.APPROVED)
        .group_by(Redirection.instruction, Redirection.network)
    )
    for instruction, network, amount in gone:
        one = found[instruction]
        found[instruction] = one._replace(parts={**one.parts, network: one.parts[network] - amount})
    return list(found.values())


async def _redirected(session: AsyncSession) -> list[Open]:
    """What two people redirected and no run has sent yet, locked."""
    rows = await session.execute(
        select(Redirection.id, Redirection.redirected_to, Redirection.network, Redirection.amount)
        .where(Redirection.status == RedirectionStatus.APPROVED, Redirection.taken_into.is_(None))
        .order_by(Redirection.id)
        .with_for_update()
    )
    return [Open(redirection, payee, {network: amount}) for redirection, payee, network, amount in rows]


async def instruction_seen(
    session: AsyncSession, instruction_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> PaymentInstruction:
    """An instruction the caller may see, now or as it stood then. Raises `InstructionNotFound`."""
    stood = as_known(PaymentInstruction, known_at)
    statement = select(stood).where(stood.id == instruction_id, payees_seen(caller, stood.payee))
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise InstructionNotFound(f"No payment instruction {instruction_id}.")
    return found


async def _sent_on(session: AsyncSession, instruction: PaymentInstruction) -> date:
    file = await session.get(PaymentFile, instruction.file) if instruction.file is not None else None
    return date.max if file is None else london_day(file.made_at)


async def taken_up(session: AsyncSession, instructions: Collection[str]) -> dict[str, TookUp]:
    """By instruction: what it took up."""
    rows = await session.execute(
        select(PaymentInstruction.taken_into, PaymentInstruction.id)
        .where(PaymentInstruction.taken_into.in_(instructions))
        .order_by(PaymentInstruction.id)
    )
    earlier: dict[str, list[str]] = defaultdict(list)
    for later, one in rows:
        earlier[later or ""].append(one)
    redirected: dict[str, list[RedirectedPart]] = defaultdict(list)
    taken = select(Redirection).where(Redirection.taken_into.in_(instructions)).order_by(Redirection.id)
    for part in await session.scalars(taken):
        redirected[part.taken_into or ""].append(
            RedirectedPart(redirection=part.id, instruction=part.instruction, network=part.network, amount=part.amount)
        )
    return {id: TookUp(tuple(earlier[id]), tuple(redirected[id])) for id in {*earlier, *redirected}}


async def confirm_instruction(
    session: AsyncSession, instruction_id: str, if_match: str | None, on: date, *, caller: Caller, now: datetime
) -> PaymentInstruction:
    """The payee has the money. Raises `InstructionNotSent`, `InstructionSettled` and `SettledTooEarly`."""
    found = await instruction_seen(session, instruction_id, caller, lock=True)
    if (found.state, found.settled_on) != (InstructionState.CONFIRMED, on):
        require_match(found, if_match)
    sent_on = await _sent_on(session, found)
    took_up = (await taken_up(session, [found.id])).get(found.id, TookUp())
    event = found.confirm(on, took_up, sent_on=sent_on, by=caller.subject, at=now, today=london_day(now))
    if event is not None:
        announce(session, event)
    await session.flush()
    return found


async def return_instruction(
    session: AsyncSession,
    instruction_id: str,
    if_match: str | None,
    on: date,
    code: str,
    reason: str,
    *,
    caller: Caller,
    now: datetime,
) -> PaymentInstruction:
    """The bank sent the money back. Raises `InstructionNotSent`, `InstructionSettled` and `SettledTooEarly`."""
    found = await instruction_seen(session, instruction_id, caller, lock=True)
    if (found.state, found.settled_on, found.return_code) != (InstructionState.RETURNED, on, code):
        require_match(found, if_match)
    sent_on = await _sent_on(session, found)
    took_up = (await taken_up(session, [found.id])).get(found.id, TookUp())
    event = found.give_back(
        on, took_up, code, reason, sent_on=sent_on, by=caller.subject, at=now, today=london_day(now)
    )
    if event is not None:
        announce(session, event)
    await session.flush()
    return found


async def settle_cause(
    session: AsyncSession, instruction_id: str, if_match: str | None, remedy: str, *, caller: Caller, now: datetime
) -> PaymentInstruction:
    """The next run sends returned money again. Raises `InstructionNotReturned`."""
    found = await instruction_seen(session, instruction_id, caller, lock=True)
    require_match(found, if_match)
    found.settle_cause(remedy, by=caller.subject, at=now)
    await session.flush()
    return found
