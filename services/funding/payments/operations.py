"""Calculating a run, approving it, issuing it, giving it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.operations import payees_on
from services.funding.entitlements.queries import totals_of, years_paid
from services.funding.instructions.operations import make_instructions
from services.funding.networks.model import Network, Practice
from services.funding.payments.drafting import COLUMNS, Drafted, collector_at_rest, draft_year
from services.funding.payments.model import (
    PAYMENTS_LOCK,
    MonthNotBegun,
    PaymentLine,
    PaymentRun,
    RunInProgress,
    RunStatus,
)
from services.funding.payments.payables import Source, kind_of
from services.funding.payments.referenced import draft_payables
from services.funding.payments.repayments import charge_whoever_was_paid
from services.funding.payments.sources import SOURCES
from services.funding.variances import operations as variances
from services.funding.variances.model import Finding
from services.funding.variations.operations import overtaken
from shared.audit import audit
from shared.clock import london_day
from shared.database import copy_rows, new_id
from shared.errors import NotFound
from shared.events.base import Event
from shared.events.funding import PaidLine, PaymentIssued
from shared.history import as_known
from shared.http import require_match
from shared.messaging import announce_many
from shared.years import first_day, year_of

Seeing = Callable[[], AbstractAsyncContextManager[AsyncSession]]
"""Opens a session that only reads, and all of whose statements see the same moment."""


class RunNotFound(NotFound):
    """No such payment run."""


async def calculate_run(session: AsyncSession, month: str, moment: Seeing, *, by: str, now: datetime) -> PaymentRun:
    """Work out what every payee is due for the year through `month` and has not been paid.

    Everything it rests on is read through `moment`, opened once no other run can be issued any more: an event that
    changes two of its inputs while it calculates is in it whole or, whole, in the next run.
    Raises `MonthNotBegun` and `RunInProgress`.
    """
    if first_day(month) > london_day(now):
        raise MonthNotBegun(f"{month} has not begun; it is paid from its first day on.")
    await session.execute(select(func.pg_advisory_xact_lock(PAYMENTS_LOCK)))
    await _refuse_beside_another(session, month)
    run_id = new_id("run")
    year = year_of(month)
    async with moment() as seen:
        drafted = await _draft(seen, run_id, month, now)
        findings = await variances.find_variances(seen, run_id, month, drafted.by_kind(), now)
        late = await overtaken(seen, {year, *drafted.years()}, now)
    findings += variances.find_overtaken(run_id, late, len(findings))
    run = PaymentRun(
        id=run_id,
        month=month,
        contract_year=year,
        status=RunStatus.CALCULATED,
        known_at=now,
        total=sum(drafted.amounts.values(), Decimal("0.00")),
        lines=sum(drafted.lines.values()),
        findings=dict(Counter(row[2] for row in findings)),
        totals={
            stream: {"lines": drafted.lines[stream], "amount": str(drafted.amounts[stream])}
            for stream in sorted(drafted.lines)
        },
        held=dict(sorted(drafted.held.items())),
        notes={
            "practices_without_list": sorted(drafted.without_list),
            "unconfirmed_rates": dict(sorted(drafted.doubtful.items())),
            "months_covered": sorted(drafted.covered),
            "variations_below_national": {one.variation: one.detail for one in late if one.totals is not None},
        },
        calculated_by=by,
        calculated_at=now,
        version=1,
    )
    session.add(run)
    try:
        await session.flush()
    except IntegrityError as error:
        raise RunInProgress("Another run was calculated at the same moment.") from error
    await copy_rows(session, PaymentLine.__table__, COLUMNS, drafted.rows)  # type: ignore[arg-type]
    await copy_rows(session, Finding.__table__, variances.COLUMNS, findings)  # type: ignore[arg-type]
    audit(
        session,
        action="calculated",
        record=f"payment_runs/{run_id}/lines",
        after={"lines": run.lines, "held": sum(drafted.held.values()), "total": run.total},
    )
    return run


async def _draft(session: AsyncSession, run_id: str, month: str, now: datetime) -> Drafted:
    """Every line of a run: what differs from what was paid, and what other nouns have to pay."""
    drafted = Drafted(run_id)
    payees = await payees_on(session, first_day(month))
    year = year_of(month)
    with collector_at_rest():
        for contract_year, through in [*await years_paid(session, year), (year, month)]:
            await draft_year(session, drafted, contract_year, through, month, payees, now)
        await charge_whoever_was_paid(session, drafted)
        await draft_payables(session, drafted, month, payees, now)
    return drafted


async def _refuse_beside_another(session: AsyncSession, month: str) -> None:
    others = (
        await session.execute(
            select(PaymentRun.id, PaymentRun.month, PaymentRun.status).where(
                PaymentRun.status != RunStatus.ABANDONED,
                (PaymentRun.month == month) | PaymentRun.status.in_([RunStatus.CALCULATED, RunStatus.APPROVED]),
            )
        )
    ).all()
    for run_id, other, status in others:
        if status is RunStatus.ISSUED:
            raise RunInProgress(f"{other} was paid by {run_id}; what is different now comes out in the next run.")
        raise RunInProgress(f"{run_id} for {other} is {status.value}; issue or abandon it first.")


async def run_seen(
    session: AsyncSession, run_id: str, *, lock: bool = False, known_at: datetime | None = None
) -> PaymentRun:
    """A payment run, now or as it stood then. Raises `RunNotFound`."""
    stood = as_known(PaymentRun, known_at)
    statement = select(stood).where(stood.id == run_id)
    run = await session.scalar(
        statement.with_for_update().execution_options(populate_existing=True) if lock else statement
    )
    if run is None:
        raise RunNotFound(f"No payment run {run_id}.")
    return run


async def approve_run(
    session: AsyncSession,
    run_id: str,
    if_match: str | None,
    acknowledged: Sequence[variances.Acknowledgement] = (),
    *,
    by: str,
    now: datetime,
) -> PaymentRun:
    """A second person agrees to a run, with a reason for everything unusual about it.

    Raises `SamePerson`, `RunNotCalculated`, `ControlTotalsDiffer` and `FindingsNotAcknowledged`.
    """
    run = await run_seen(session, run_id, lock=True)
    require_match(run, if_match)
    run.check_totals(await totals_of(session, run_id))
    run.approve(by, now)
    await variances.acknowledge(session, run_id, acknowledged, by=by, now=now)
    await session.flush()
    return run


async def abandon_run(
    session: AsyncSession, run_id: str, if_match: str | None, *, by: str, now: datetime
) -> PaymentRun:
    """Give a run up before it is issued. Raises `RunIssued`."""
    run = await run_seen(session, run_id, lock=True)
    require_match(run, if_match)
    run.abandon(by, now)
    await session.flush()
    return run


async def issue_run(session: AsyncSession, run_id: str, if_match: str | None, *, by: str, now: datetime) -> PaymentRun:
    """Leave an approved run for payment, once: asked again, it answers the same and does nothing.

    Raises `RunNotApproved` and `ControlTotalsDiffer`.
    """
    await session.execute(select(func.pg_advisory_xact_lock(PAYMENTS_LOCK)))
    run = await run_seen(session, run_id, lock=True)
    if run.status is RunStatus.ISSUED:
        return run
    require_match(run, if_match)
    if not run.issue(by, now):
        return run
    run.check_totals(await totals_of(session, run_id))
    await session.flush()
    rows = (
        await session.execute(
            select(
                PaymentLine.id,
                PaymentLine.network,
                PaymentLine.practice,
                PaymentLine.payee,
                PaymentLine.stream,
                PaymentLine.month,
                PaymentLine.amount,
                PaymentLine.cause,
                PaymentLine.reference,
                func.coalesce(Network.commissioner, Practice.commissioner).label("commissioner"),
            )
            .outerjoin(Network, Network.code == PaymentLine.network)
            # a practice outside every network stands under its own code
            .outerjoin(Practice, Practice.code == PaymentLine.network)
            .where(PaymentLine.run == run_id, PaymentLine.amount.is_not(None))
            .order_by(PaymentLine.network, PaymentLine.id)
        )
    ).all()
    references = [row.reference for row in rows if row.reference is not None]
    told = [event for source in SOURCES for event in await _tell(session, source, references, run_id, now)]
    await make_instructions(session, run, now)
    await announce_many(session, [*_payments(run, rows, now), *told])
    await session.flush()
    return run


async def _tell(
    session: AsyncSession, source: Source, references: Iterable[str], run_id: str, now: datetime
) -> list[Event]:
    """Let a noun know which of its amounts left with the run."""
    own = [reference for reference in references if kind_of(reference) == source.kind]
    return await source.pay(session, own, run_id, now) if own else []


def _payments(run: PaymentRun, rows: Iterable[Any], now: datetime) -> Iterator[PaymentIssued]:
    for network, lines in groupby(rows, key=lambda row: row.network):
        of_network = list(lines)
        yield PaymentIssued(
            run=run.id,
            month=run.month,
            contract_year=run.contract_year,
            network=network,
            commissioner=of_network[0].commissioner or "",
            issued_on=london_day(now),
            lines=[
                PaidLine(
                    line=row.id,
                    payee=row.payee,
                    practice=row.practice,
                    stream=row.stream,
                    month=row.month,
                    amount=row.amount,
                    cause=row.cause,
                )
                for row in of_network
            ],
        )
