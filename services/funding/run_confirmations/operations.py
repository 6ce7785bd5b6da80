"""Where a run's money stands, and closing the run."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.instructions.model import (
    NOTHING,
    SETTLED,
    InstructionState,
    PaymentInstruction,
    RunNotIssued,
)
from services.funding.payments.model import PaymentRun, RunStatus
from services.funding.run_confirmations.model import InstructionsOpen, RunConfirmation
from shared.errors import Fault
from shared.history import as_known
from shared.http import require_match

_SHOWN = 200


async def figures_of(session: AsyncSession, run: PaymentRun, known_at: datetime | None = None) -> dict[str, Decimal]:
    """What a run's instructions come to: issued and brought forward on one side, by state on the other; of what is
    carried, what was written off and what was recovered otherwise."""
    stood = as_known(PaymentInstruction, known_at)
    rows = (
        await session.execute(
            select(stood.state, stood.debt, func.sum(stood.amount), func.sum(stood.brought_forward))
            .where(stood.run == run.id)
            .group_by(stood.state, stood.debt)
        )
    ).all()
    found = {state.value: NOTHING for state in InstructionState if state is not InstructionState.NIL}
    found |= {"written_off": NOTHING, "recovered": NOTHING}
    for state, debt, amount, _ in rows:
        if state is not InstructionState.NIL:
            found[state.value] += amount
        if debt is not None:
            found[debt.value.replace("-", "_")] += amount
    return {"issued": run.total, "brought_forward": sum((row[3] for row in rows), NOTHING), **found}


async def close_run(
    session: AsyncSession, run: PaymentRun, if_match: str | None, *, by: str, now: datetime
) -> RunConfirmation:
    """Close an issued run, once: every instruction is confirmed, returned or carried forward, and that adds up.

    Raises `RunNotIssued` and `InstructionsOpen`.
    """
    held = await session.get(RunConfirmation, run.id)
    if held is not None:
        return held
    require_match(run, if_match)
    if run.status is not RunStatus.ISSUED:
        raise RunNotIssued(f"The run is {run.status.value}.")
    still_open = (
        await session.execute(
            select(PaymentInstruction.id, PaymentInstruction.state, PaymentInstruction.payee)
            .where(PaymentInstruction.run == run.id, PaymentInstruction.state.not_in(SETTLED))
            .order_by(PaymentInstruction.id)
            .limit(_SHOWN)
            .with_for_update()
        )
    ).all()
    figures = await figures_of(session, run)
    settled = figures["confirmed"] + figures["returned"] + figures["carried"] + figures["redirected"]
    if still_open or figures["issued"] + figures["brought_forward"] != settled:
        faults = [Fault(f"instructions.{row.id}", row.state.value, f"{row.payee} is {row.state}") for row in still_open]
        raise InstructionsOpen("Instructions of the run are not settled yet.", errors=faults)
    names = ("issued", "brought_forward", "confirmed", "returned", "carried", "redirected")
    made = RunConfirmation(run=run.id, confirmed_by=by, confirmed_at=now, **{name: figures[name] for name in names})
    session.add(made)
    await session.flush()
    return made
