"""Lines of runs over HTTP, and each line's explanation."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from sqlalchemy import ColumnElement, Select, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from services.funding.lines.explanation import explain
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.payments.operations import RunNotFound, run_seen
from services.funding.scope import lines_seen
from shared.errors import NotFound
from shared.history import as_known
from shared.http import KnownAt, MoneyOut, Out, Page, Paging, Reading, page, refusals, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month

router = service_router("funding", tags=["lines"])

RunId = Annotated[str, Path(max_length=64)]
Seen = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE, Role.PAYEE),
]


_DOUBTED = ' ? (@.confidence == "derived" || @.confidence == "remembered").tariff'


def _unconfirmed() -> ColumnElement[Any]:
    """Rates stand in the steps of a line paid by head, and by themselves where a claim or the like is paid."""
    within, alone = (
        func.jsonb_path_query_array(PaymentLine.trace, cast(f"{where}{_DOUBTED}", JSONPATH), type_=JSONB)
        for where in ("$.steps[*]", "$")
    )
    return within.concat(alone)


class LineNotFound(NotFound):
    """No such line, or none the caller may see."""


class LineOut(Out):
    """`amount` is null for a held line, which says why in `held_code` and `held_reason`.

    `unconfirmed` names the rates it rests on that nobody has confirmed. `reference` names the claim or other amount
    paid, like `claims/claim-7`; null where the line pays by head or bed.
    """

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
    unconfirmed: list[str]
    reference: str | None


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


def _lines(caller: Caller, known_at: datetime | None) -> Select[*tuple[Any, ...]]:
    """Lines a caller may see, or might see then: of any run for national users, of issued ones for those they pay."""
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
        PaymentLine.reference,
        PaymentLine.trace["detail"].astext.label("held_reason"),
        _unconfirmed().label("unconfirmed"),
    ).where(lines_seen(caller, PaymentLine))
    if not caller.everywhere:
        issued = select(PaymentRun.id).where(PaymentRun.status == RunStatus.ISSUED)
        if known_at is not None:
            issued = issued.where(PaymentRun.issued_at <= known_at)
        statement = statement.where(PaymentLine.run.in_(issued))
    elif known_at is not None:
        calculated = select(PaymentRun.id).where(PaymentRun.calculated_at <= known_at)
        statement = statement.where(PaymentLine.run.in_(calculated))
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
    known_at: KnownAt = None,
) -> Page[LineOut]:
    """The lines of a run that concern the caller; `held=true` gives those that wait for something."""
    run = await run_seen(session, run_id, known_at=known_at)
    if run.status is not RunStatus.ISSUED and not caller.everywhere:
        raise RunNotFound(f"No payment run {run_id}.")
    statement = _lines(caller, known_at).where(PaymentLine.run == run_id)
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
    return Page(items=[LineOut.model_validate(row) for row in found], next=following)


@router.get("/lines", summary="Lines of all runs")
async def list_all_lines(
    session: Reading,
    paging: Paging,
    caller: Seen,
    network: Annotated[str | None, Query(max_length=32)] = None,
    practice: Annotated[str | None, Query(max_length=32)] = None,
    stream: Annotated[str | None, Query(max_length=64)] = None,
    month: Month | None = None,
    contract_year: ContractYear | None = None,
    known_at: KnownAt = None,
) -> Page[LineOut]:
    """Every line that concerns the caller, whichever run paid it; `month` is what it pays for."""
    statement = _lines(caller, known_at)
    for column, wanted in (
        (PaymentLine.network, network),
        (PaymentLine.practice, practice),
        (PaymentLine.stream, stream),
        (PaymentLine.month, month),
        (PaymentLine.contract_year, contract_year),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [PaymentLine.id], paging)
    return Page(items=[LineOut.model_validate(row) for row in found], next=following)


@router.get("/lines/{line_id}/explanation", responses=refusals(LineNotFound), summary="A line explains itself")
async def explain_line(
    session: Reading, caller: Seen, line_id: Annotated[str, Path(max_length=80)], known_at: KnownAt = None
) -> ExplanationOut:
    """Rate, population, practices, months and arithmetic of a line, worked out again from what it remembers.

    With `known_at` its run's `status` is the one of that moment.
    """
    run = as_known(PaymentRun, known_at)
    statement = _lines(caller, known_at).add_columns(PaymentLine.trace, run.status, run.known_at)
    row = (
        await session.execute(statement.join(run, run.id == PaymentLine.run).where(PaymentLine.id == line_id))
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
