"""Where a run's money stands and the closing of runs, over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import Path
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.instructions.model import NOTHING, RunNotIssued
from services.funding.payments.model import PaymentRun
from services.funding.payments.operations import RunNotFound, run_seen
from services.funding.run_confirmations import operations
from services.funding.run_confirmations.model import InstructionsOpen, RunConfirmation
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.http import IfMatch, KnownAt, MoneyOut, Now, Out, Reading, Transaction, refusals, service_router
from shared.identity import Caller, Role, allow

router = service_router("funding", tags=["payment instructions"])

RunId = Annotated[str, Path(max_length=64)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
Watches = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR)]


class ClosingOut(Out):
    """What somebody confirmed when the run was closed; it stays as it was."""

    confirmed: MoneyOut
    returned: MoneyOut
    carried: MoneyOut
    redirected: MoneyOut


class RunConfirmationOut(Out):
    """`issued` and `brought_forward` are what the run had to pay; the other amounts are where it stands now.

    `redirected` was held and settled by a redirection. `written_off` and `recovered` are parts of what is `carried`.
    What banks sent back after the run was closed is `returned_since`: it is due again like all that came back.
    """

    run: str
    issued: MoneyOut
    brought_forward: MoneyOut
    due: MoneyOut
    held: MoneyOut
    sent: MoneyOut
    confirmed: MoneyOut
    returned: MoneyOut
    carried: MoneyOut
    redirected: MoneyOut
    written_off: MoneyOut
    recovered: MoneyOut
    confirmed_by: str | None
    confirmed_at: datetime | None
    at_closing: ClosingOut | None
    returned_since: MoneyOut


async def _out(
    session: AsyncSession, run: PaymentRun, closed: RunConfirmation | None, known_at: datetime | None = None
) -> RunConfirmationOut:
    if closed is not None and known_at is not None and closed.confirmed_at > known_at:
        closed = None
    figures = await operations.figures_of(session, run, known_at)
    return RunConfirmationOut(
        run=run.id,
        confirmed_by=closed.confirmed_by if closed else None,
        confirmed_at=closed.confirmed_at if closed else None,
        at_closing=ClosingOut.model_validate(closed) if closed else None,
        returned_since=figures["returned"] - closed.returned if closed else NOTHING,
        **figures,
    )


@router.get(
    "/payment-runs/{run_id}/confirmation", responses=refusals(RunNotFound), summary="Where a run's money stands"
)
async def read_confirmation(
    session: Reading, caller: Watches, run_id: RunId, known_at: KnownAt = None
) -> RunConfirmationOut:
    """What was issued and brought forward, and how much of it is due, held, sent, or settled in which way."""
    run = await run_seen(session, run_id, known_at=known_at)
    return await _out(session, run, await session.get(RunConfirmation, run_id), known_at)


@router.put(
    "/payment-runs/{run_id}/confirmation",
    responses=refusals(RunNotFound, RunNotIssued, InstructionsOpen, PreconditionFailed, PreconditionMissing),
    summary="Close a run",
)
async def close_run(
    session: Transaction, caller: Finance, now: Now, run_id: RunId, if_match: IfMatch = None
) -> RunConfirmationOut:
    """Close an issued run, once: what was confirmed, returned, carried and redirected is what it had to pay."""
    run = await run_seen(session, run_id, lock=True)
    return await _out(session, run, await operations.close_run(session, run, if_match, by=caller.subject, now=now))
