"""Queries of payment lines over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query, Response
from sqlalchemy import select

from services.funding.heirs.operations import NotYoursToDecide
from services.funding.payments.model import SamePerson
from services.funding.queries import operations
from services.funding.queries.model import (
    OPEN,
    AmountIsByRule,
    AnswersAnotherQuery,
    BeyondTheSum,
    LineQueriedAlready,
    NothingToAdjust,
    NotYourQuery,
    PaymentQuery,
    QueryClock,
    QueryClosed,
    QueryNotProposed,
    QueryState,
)
from services.funding.queries.operations import LineNotFound, QueryNotFound
from services.funding.queries.shapes import AnswerIn, ClockIn, ClockOut, QueryIn, QueryOut, QueryReasonIn
from services.funding.scope import lines_seen
from shared.clock import london_day
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.facts import as_at as held_at
from shared.facts import days
from shared.history import as_known
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    KnownAt,
    Now,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import Month

router = service_router("funding", tags=["queries"])

QueryId = Annotated[str, Path(max_length=64)]
Asks = Annotated[Caller, allow(Role.PAYEE, Role.NETWORK, Role.PRACTICE)]
Answers = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
Seen = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE, Role.PAYEE),
]


def query_out(query: PaymentQuery, today: date) -> QueryOut:
    shown = {name: getattr(query, name) for name in QueryOut.model_fields if name != "overdue"}
    return QueryOut(**shown, overdue=query.overdue(today))


@router.post("/queries", status_code=201, responses=refusals(LineNotFound, LineQueriedAlready), summary="Query a line")
async def raise_query(
    query: QueryIn, session: Transaction, response: Response, caller: Asks, now: Now, today: Today, _: Idempotent
) -> QueryOut:
    """Ask about a line that pays the caller; the clock runs from today."""
    made = await operations.raise_query(session, query.line, query.reason, query.expected, caller=caller, now=now)
    tag(response, made)
    response.headers["Location"] = f"/funding/v1/queries/{made.id}"
    return query_out(made, today)


@router.get("/queries", summary="Queries of lines")
async def list_queries(
    session: Reading,
    paging: Paging,
    caller: Seen,
    today: Today,
    network: Annotated[str | None, Query(max_length=32)] = None,
    practice: Annotated[str | None, Query(max_length=32)] = None,
    payee: Annotated[str | None, Query(max_length=32)] = None,
    line: Annotated[str | None, Query(max_length=80)] = None,
    month: Month | None = None,
    state: QueryState | None = None,
    overdue: bool | None = None,
    known_at: KnownAt = None,
) -> Page[QueryOut]:
    """Queries that concern the caller, the oldest first; `overdue=true` gives those whose time is up."""
    stood = as_known(PaymentQuery, known_at)
    day = today if known_at is None else london_day(known_at)
    statement = select(stood).where(lines_seen(caller, stood))
    for column, wanted in (
        (stood.network, network),
        (stood.practice, practice),
        (stood.payee, payee),
        (stood.line, line),
        (stood.month, month),
        (stood.state, state),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if overdue is not None:
        late = stood.state.in_(OPEN) & (stood.answer_by < day)
        statement = statement.where(late if overdue else ~late)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[query_out(row[0], day) for row in found], next=following)


@router.get("/queries/{query_id}", responses=refusals(QueryNotFound), summary="One query")
async def read_query(
    session: Reading, response: Response, caller: Seen, today: Today, query_id: QueryId, known_at: KnownAt = None
) -> QueryOut:
    """A query, its clock and its answer."""
    query = await operations.query_seen(session, query_id, caller, known_at=known_at)
    tag(response, query)
    return query_out(query, today if known_at is None else london_day(known_at))


@router.put(
    "/queries/{query_id}/answer",
    responses=refusals(
        QueryNotFound,
        QueryClosed,
        AmountIsByRule,
        NothingToAdjust,
        AnswersAnotherQuery,
        BeyondTheSum,
        NotYoursToDecide,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Answer a query",
)
async def answer_query(
    answer: AnswerIn,
    session: Transaction,
    response: Response,
    caller: Answers,
    now: Now,
    today: Today,
    query_id: QueryId,
    if_match: IfMatch = None,
) -> QueryOut:
    """Answer by words, by the correction the next run pays, or by an adjustment that a second person must approve."""
    query = await operations.answer_query(
        session,
        query_id,
        if_match,
        answer.kind,
        answer.answer,
        answer.correction,
        answer.amount_due,
        caller=caller,
        now=now,
    )
    tag(response, query)
    return query_out(query, today)


@router.put(
    "/queries/{query_id}/approval",
    responses=refusals(
        QueryNotFound, QueryNotProposed, SamePerson, BeyondTheSum, PreconditionFailed, PreconditionMissing
    ),
    summary="Approve an adjustment",
)
async def approve_adjustment(
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    today: Today,
    query_id: QueryId,
    if_match: IfMatch = None,
) -> QueryOut:
    """A second person agrees to an adjustment, and the next run pays it."""
    query = await operations.approve_adjustment(session, query_id, if_match, caller=caller, now=now)
    tag(response, query)
    return query_out(query, today)


@router.put(
    "/queries/{query_id}/refusal",
    responses=refusals(QueryNotFound, QueryNotProposed, SamePerson, PreconditionFailed, PreconditionMissing),
    summary="Refuse an adjustment",
)
async def refuse_adjustment(
    refusal: QueryReasonIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    today: Today,
    query_id: QueryId,
    if_match: IfMatch = None,
) -> QueryOut:
    """A second person disagrees with an adjustment: the query is open again, its clock as before."""
    query = await operations.refuse_adjustment(session, query_id, if_match, refusal.reason, caller=caller)
    tag(response, query)
    return query_out(query, today)


@router.put(
    "/queries/{query_id}/withdrawal",
    responses=refusals(QueryNotFound, QueryClosed, NotYourQuery, PreconditionFailed, PreconditionMissing),
    summary="Withdraw a query",
)
async def withdraw_query(
    withdrawal: QueryReasonIn,
    session: Transaction,
    response: Response,
    caller: Asks,
    now: Now,
    today: Today,
    query_id: QueryId,
    if_match: IfMatch = None,
) -> QueryOut:
    """Whoever asked is content."""
    query = await operations.withdraw_query(session, query_id, if_match, withdrawal.reason, caller=caller, now=now)
    tag(response, query)
    return query_out(query, today)


@router.get("/query-clocks", summary="How long an answer may take")
async def list_clocks(
    session: Reading, paging: Paging, caller: Seen, today: Today, as_at: AsAt = None, known_at: KnownAt = None
) -> Page[ClockOut]:
    """Within how many working days queries raised on the day `as_at` are to be answered."""
    statement = select(QueryClock).where(held_at(QueryClock, as_at or today, known_at))
    found, following = await page(session, statement, [QueryClock.fact_id], paging)
    return Page(items=[ClockOut.model_validate(row[0]) for row in found], next=following)


@router.post("/query-clocks", status_code=201, summary="Set how long an answer may take")
async def set_clock(clock: ClockIn, session: Transaction, caller: Finance, now: Now, _: Idempotent) -> ClockOut:
    """Queries raised from a day on are to be answered within another time; those raised keep theirs."""
    made = QueryClock(
        scope="national",
        working_days=clock.working_days,
        reason=clock.reason,
        set_by=caller.subject,
        valid=days(clock.valid_from, clock.valid_to),
    )
    return ClockOut.model_validate(await operations.set_clock(session, made, now=now))
