"""Payment runs and their lines over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import Select, select

from services.funding.payments import operations
from services.funding.payments.explanation import explain
from services.funding.payments.model import (
    ControlTotalsDiffer,
    PaymentLine,
    PaymentRun,
    RunInProgress,
    RunIssued,
    RunNotApproved,
    RunNotCalculated,
    RunStatus,
    SamePerson,
)
from services.funding.payments.operations import RunNotFound
from services.funding.scope import lines_seen
from shared.errors import NotFound, PreconditionFailed, PreconditionMissing
from shared.events.base import MONTH_PATTERN, YEAR_PATTERN
from shared.http import (
    Idempotent,
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

router = service_router("funding", tags=["payments"])

RunId = Annotated[str, Path(max_length=64)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
Watches = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR)]
Seen = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE, Role.PAYEE),
]


class LineNotFound(NotFound):
    """No such line, or none the caller may see."""


class RunIn(In):
    """The month to pay."""

    month: Annotated[str, Field(pattern=MONTH_PATTERN)]


class Total(Out):
    lines: int
    amount: MoneyOut


class RunOut(Out):
    """`totals` by stream and `held` (lines by reason) are fixed when the run is calculated."""

    id: str
    month: str
    contract_year: str
    status: RunStatus
    known_at: datetime
    total: MoneyOut
    lines: int
    totals: dict[str, Total]
    held: dict[str, int]
    notes: dict[str, Any]
    calculated_by: str
    calculated_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    issued_by: str | None
    issued_at: datetime | None
    abandoned_by: str | None
    abandoned_at: datetime | None


class LineOut(Out):
    """`amount` is null for a held line, which says why in `held_code` and `held_reason`."""

    id: str
    run: str
    network: str
    practice: str | None
    payee: str
    stream: str
    month: str
    contract_year: str
    amount: MoneyOut | None
    cause: str
    held_code: str | None
    held_reason: str | None
    claim: str | None


class ExplanationOut(Out):
    """A line in words, with the arithmetic; `trace` is all it rests on and `recomputed` its amount worked out again."""

    line: LineOut
    status: RunStatus
    known_at: datetime
    sentence: str
    arithmetic: list[str]
    warnings: list[str]
    recomputed: MoneyOut | None
    trace: dict[str, Any]


@router.post("/payment-runs", status_code=201, responses=refusals(RunInProgress), summary="Calculate a month")
async def calculate_run(
    run: RunIn, session: Transaction, response: Response, caller: Finance, now: Now, _: Idempotent
) -> RunOut:
    """Work out what everybody is due for the year through the month and has not been paid."""
    made = await operations.calculate_run(session, run.month, by=caller.subject, now=now)
    tag(response, made)
    response.headers["Location"] = f"/funding/v1/payment-runs/{made.id}"
    return RunOut.model_validate(made)


@router.get("/payment-runs", summary="Payment runs")
async def list_runs(
    session: Reading,
    paging: Paging,
    caller: Watches,
    month: Annotated[str | None, Query(pattern=MONTH_PATTERN)] = None,
    contract_year: Annotated[str | None, Query(pattern=YEAR_PATTERN)] = None,
    status: RunStatus | None = None,
) -> Page[RunOut]:
    """Every run, the oldest first."""
    statement = select(PaymentRun)
    for column, wanted in (
        (PaymentRun.month, month),
        (PaymentRun.contract_year, contract_year),
        (PaymentRun.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [PaymentRun.id], paging)
    return Page(items=[RunOut.model_validate(row[0]) for row in found], next=following)


@router.get("/payment-runs/{run_id}", responses=refusals(RunNotFound), summary="One run with its control totals")
async def read_run(session: Reading, response: Response, caller: Watches, run_id: RunId) -> RunOut:
    """A run with its control totals and what it holds."""
    run = await operations.run_seen(session, run_id)
    tag(response, run)
    return RunOut.model_validate(run)


@router.put(
    "/payment-runs/{run_id}/approval",
    responses=refusals(
        RunNotFound, SamePerson, RunNotCalculated, ControlTotalsDiffer, PreconditionFailed, PreconditionMissing
    ),
    summary="Approve a run",
)
async def approve_run(
    session: Transaction, response: Response, caller: Finance, now: Now, run_id: RunId, if_match: IfMatch = None
) -> RunOut:
    """A second person agrees to what the run shows; it pays exactly that."""
    run = await operations.approve_run(session, run_id, if_match, by=caller.subject, now=now)
    tag(response, run)
    return RunOut.model_validate(run)


@router.put(
    "/payment-runs/{run_id}/issue",
    responses=refusals(RunNotFound, RunNotApproved, ControlTotalsDiffer, PreconditionFailed, PreconditionMissing),
    summary="Issue a run",
)
async def issue_run(
    session: Transaction, response: Response, caller: Finance, now: Now, run_id: RunId, if_match: IfMatch = None
) -> RunOut:
    """Leave the run for payment. Asked again, it answers the same and pays nothing twice."""
    run = await operations.issue_run(session, run_id, if_match, by=caller.subject, now=now)
    tag(response, run)
    return RunOut.model_validate(run)


@router.put(
    "/payment-runs/{run_id}/abandonment",
    responses=refusals(RunNotFound, RunIssued, PreconditionFailed, PreconditionMissing),
    summary="Give a run up",
)
async def abandon_run(
    session: Transaction, response: Response, caller: Finance, now: Now, run_id: RunId, if_match: IfMatch = None
) -> RunOut:
    """Give the run up unpaid, so that the month can be calculated afresh."""
    run = await operations.abandon_run(session, run_id, if_match, by=caller.subject, now=now)
    tag(response, run)
    return RunOut.model_validate(run)


def _lines(caller: Caller) -> Select[*tuple[Any, ...]]:
    """Lines a caller may see: of any run for national users, of issued ones for those they pay."""
    statement = select(
        PaymentLine.id,
        PaymentLine.run,
        PaymentLine.network,
        PaymentLine.practice,
        PaymentLine.payee,
        PaymentLine.stream,
        PaymentLine.month,
        PaymentLine.contract_year,
        PaymentLine.amount,
        PaymentLine.cause,
        PaymentLine.held_code,
        PaymentLine.claim,
        PaymentLine.trace["detail"].astext.label("held_reason"),
    ).where(lines_seen(caller, PaymentLine))
    if not caller.everywhere:
        issued = select(PaymentRun.id).where(PaymentRun.status == RunStatus.ISSUED)
        statement = statement.where(PaymentLine.run.in_(issued))
    return statement


@router.get("/payment-runs/{run_id}/lines", responses=refusals(RunNotFound), summary="Lines of a run")
async def list_lines(
    session: Reading,
    paging: Paging,
    caller: Seen,
    run_id: RunId,
    network: Annotated[str | None, Query(max_length=32)] = None,
    practice: Annotated[str | None, Query(max_length=32)] = None,
    stream: Annotated[str | None, Query(max_length=64)] = None,
    cause: Annotated[str | None, Query(max_length=32)] = None,
    held: bool | None = None,
) -> Page[LineOut]:
    """The lines of a run that concern the caller; `held=true` gives those that wait for something."""
    statement = _lines(caller).where(PaymentLine.run == run_id)
    for column, wanted in (
        (PaymentLine.network, network),
        (PaymentLine.practice, practice),
        (PaymentLine.stream, stream),
        (PaymentLine.cause, cause),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if held is not None:
        statement = statement.where(PaymentLine.amount.is_(None) if held else PaymentLine.amount.is_not(None))
    found, following = await page(session, statement, [PaymentLine.id], paging)
    if not found and caller.everywhere:
        await operations.run_seen(session, run_id)
    return Page(items=[LineOut.model_validate(row) for row in found], next=following)


@router.get("/lines/{line_id}/explanation", responses=refusals(LineNotFound), summary="A line explains itself")
async def explain_line(session: Reading, caller: Seen, line_id: Annotated[str, Path(max_length=80)]) -> ExplanationOut:
    """Rate, population, practices, months and arithmetic of a line, worked out again from what it remembers."""
    statement = _lines(caller).add_columns(PaymentLine.trace, PaymentRun.status, PaymentRun.known_at)
    row = (
        await session.execute(
            statement.join(PaymentRun, PaymentRun.id == PaymentLine.run).where(PaymentLine.id == line_id)
        )
    ).first()
    if row is None:
        raise LineNotFound(f"No line {line_id}.")
    line = LineOut.model_validate(row)
    return ExplanationOut(
        line=line,
        status=row.status,
        known_at=row.known_at,
        trace=row.trace,
        **explain(line.model_dump(), row.trace),
    )
