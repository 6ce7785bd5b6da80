"""Statements over HTTP: as JSON, as CSV, or as a page to print."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query, Response

from services.funding.instructions.model import DebtOutcome, InstructionState
from services.funding.queries.model import QueryState
from services.funding.statements.pages import as_csv, as_page
from services.funding.statements.queries import NOTHING, Statement, StatementNotFound, statement_of
from shared.http import KnownAt, Moment, MoneyOut, Now, Out, refusals, service_router
from shared.identity import Caller, Role, allow
from shared.years import Month

router = service_router("funding", tags=["statements"])

Seen = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE, Role.PAYEE),
]


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    HTML = "html"


class StatementLineOut(Out):
    """`query` is the newest query of the line, if there is one; `/lines/{id}/explanation` explains its amount."""

    id: str
    network: str
    practice: str | None
    stream: str
    month: str
    contract_year: str
    amount: MoneyOut | None
    cause: str
    held_code: str | None
    held_reason: str | None
    reference: str | None
    query: str | None


class PositionOut(Out):
    """One stream of a contract year: paid before the month's run, by it, and altogether."""

    contract_year: str
    stream: str
    before: MoneyOut
    this_month: MoneyOut
    to_date: MoneyOut


class StatementQueryOut(Out):
    id: str
    line: str
    state: QueryState
    answer_by: date
    reason: str
    answer: str | None
    adjustment: MoneyOut | None


class StatementDebtOut(Out):
    """What was owed and will not be taken off any payment: written off, or recovered otherwise."""

    outcome: DebtOutcome
    amount: MoneyOut
    settled_on: date
    reason: str


class StatementRedirectionOut(Out):
    """Money of the instruction of a `month` that went from one payee to another, and why. The new payee's instruction
    that sends it is `taken_into`; null while no run has."""

    id: str
    network: str
    practice: str | None
    month: str
    payee: str
    redirected_to: str
    amount: MoneyOut
    decided_at: datetime
    reason: str
    taken_into: str | None


class StatementPaymentOut(Out):
    """What became of the payment. Amounts are null for a caller that sees only a part of what the payee is paid."""

    id: str
    state: InstructionState
    amount: MoneyOut | None
    brought_forward: MoneyOut | None
    carried_forward: MoneyOut | None
    held_reason: str | None
    settled_on: date | None
    return_reason: str | None
    debt: StatementDebtOut | None


class EstimateOut(Out):
    stream: str
    amount: MoneyOut
    held: list[str]


class ComingOut(Out):
    """What the next run would pay if it were calculated now, from rates, people and decisions known."""

    month: str
    amount: MoneyOut
    streams: list[EstimateOut]


class StatementOut(Out):
    """A payee's month: its lines, where the year stands, the payment, queries of its lines, and what is coming.

    `redirections` are what of the payment went to other payees, what of theirs is part of it, and on the newest month's
    what is still to be sent to this one. `run` is null while nothing was issued for the month; `coming` is null for
    months before the newest and for what was known earlier.
    """

    payee: str
    month: str
    run: str | None
    issued_at: datetime | None
    total: MoneyOut
    lines: list[StatementLineOut]
    year: list[PositionOut]
    payment: StatementPaymentOut | None
    redirections: list[StatementRedirectionOut]
    queries: list[StatementQueryOut]
    coming: ComingOut | None


def _out(statement: Statement) -> StatementOut:
    queried = {query.line: query.id for query in statement.queries}
    one, payment = statement.instruction, None
    if one is not None:
        whole = statement.whole
        payment = StatementPaymentOut(
            id=one.id,
            state=one.state,
            amount=one.amount if whole else None,
            brought_forward=one.brought_forward if whole else None,
            carried_forward=statement.carried_forward if whole else None,
            held_reason=one.held_reason,
            settled_on=one.settled_on,
            return_reason=one.return_reason,
            debt=StatementDebtOut.model_validate(statement.debt) if whole and statement.debt else None,
        )
    lines: list[dict[str, Any]] = [{**line._mapping, "query": queried.get(line.id)} for line in statement.lines]
    coming = None
    if statement.coming_month is not None:
        streams = [EstimateOut.model_validate(one) for one in statement.coming]
        coming = ComingOut(
            month=statement.coming_month, amount=sum((one.amount for one in streams), NOTHING), streams=streams
        )
    return StatementOut(
        payee=statement.payee,
        month=statement.month,
        run=statement.run.id if statement.run else None,
        issued_at=statement.run.issued_at if statement.run else None,
        total=statement.total,
        lines=[StatementLineOut.model_validate(line) for line in lines],
        year=[PositionOut.model_validate(position) for position in statement.positions],
        payment=payment,
        redirections=[StatementRedirectionOut.model_validate(one) for one in statement.redirections],
        queries=[StatementQueryOut.model_validate(query) for query in statement.queries],
        coming=coming,
    )


@router.get(
    "/statements",
    response_model=StatementOut,
    responses={
        200: {"content": {"text/csv": {}, "text/html": {}}, "description": "As JSON, as CSV or as a page to print"},
        **refusals(StatementNotFound),
    },
    summary="A payee's statement",
)
async def read_statement(
    session: Moment,
    caller: Seen,
    now: Now,
    payee: Annotated[str, Query(min_length=1, max_length=32)],
    month: Month,
    format: Format = Format.JSON,
    known_at: KnownAt = None,
) -> Any:
    """What a payee was paid in a month, as far as it concerns the caller, with the year so far and what is coming.

    With `known_at` as it was shown then; what was then estimated to come is not told, since nobody keeps it.
    """
    statement = await statement_of(session, payee, month, caller=caller, now=now, known_at=known_at)
    if format is Format.CSV:
        name = f'attachment; filename="statement-{month}.csv"'
        return Response(as_csv(statement), media_type="text/csv", headers={"Content-Disposition": name})
    if format is Format.HTML:
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return Response(as_page(statement), media_type="text/html", headers={"Content-Security-Policy": policy})
    return _out(statement)
