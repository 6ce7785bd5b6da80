"""Raising queries, answering them, and the clock they run by."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.bank_holidays.operations import working_days
from services.funding.claims.checking import room_of, scope_of_line, taken_of_year
from services.funding.claims.operations import lock_sums
from services.funding.heirs.operations import must_decide
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.queries.model import (
    AnswerKind,
    AnswersAnotherQuery,
    BeyondTheSum,
    LineQueriedAlready,
    NotYourQuery,
    PaymentQuery,
    QueryClock,
    QueryState,
)
from services.funding.scope import lines_seen
from shared.clock import london_day
from shared.database import new_id
from shared.errors import NotFound
from shared.facts import as_at, days, record, since
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce

SHIPPED_DAYS = 10


class QueryNotFound(NotFound):
    """No such query, or none the caller may see."""


class LineNotFound(NotFound):
    """No such line, or none the caller may see."""


async def ship_clock(session: AsyncSession, now: datetime) -> None:
    """The clock that holds until another is set; running it again changes nothing."""
    if await session.scalar(select(func.count()).select_from(QueryClock)) == 0:
        clock = QueryClock(working_days=SHIPPED_DAYS, reason="shipped", set_by="system")
        clock.valid, clock.known = days(date(2019, 4, 1)), since(now)
        session.add(clock)


async def set_clock(session: AsyncSession, clock: QueryClock, *, now: datetime) -> QueryClock:
    """Queries raised from a day on are to be answered within another time."""
    await record(session, clock, key=["scope"], now=now)
    return clock


async def raise_query(
    session: AsyncSession, line_id: str, reason: str, expected: Decimal | None, *, caller: Caller, now: datetime
) -> PaymentQuery:
    """Somebody a line of an issued run pays asks about it. Raises `LineNotFound` and `LineQueriedAlready`."""
    line = await session.scalar(
        select(PaymentLine)
        .join(PaymentRun, PaymentRun.id == PaymentLine.run)
        .where(PaymentLine.id == line_id, PaymentRun.status == RunStatus.ISSUED, lines_seen(caller, PaymentLine))
    )
    if line is None:
        raise LineNotFound(f"No line {line_id}.")
    today = london_day(now)
    clock = await session.scalar(select(QueryClock.working_days).where(as_at(QueryClock, today)))
    answer_by = (await working_days(session)).after(today, SHIPPED_DAYS if clock is None else clock)
    concerned = [code for code in (line.payee, line.practice, line.network) if code in caller.organisations]
    query, event = PaymentQuery.ask(
        new_id("qry"),
        line,
        reason,
        expected,
        asker=concerned[0] if concerned else line.payee,
        by=caller.subject,
        at=now,
        on=today,
        answer_by=answer_by,
    )
    session.add(query)
    try:
        await session.flush()
    except IntegrityError as error:
        raise LineQueriedAlready(f"A query of {line_id} is open.") from error
    announce(session, event)
    return query


async def query_seen(
    session: AsyncSession, query_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> PaymentQuery:
    """A query the caller may see, now or as it stood then. Raises `QueryNotFound`."""
    stood = as_known(PaymentQuery, known_at)
    statement = select(stood).where(stood.id == query_id, lines_seen(caller, stood))
    query = await session.scalar(statement.with_for_update() if lock else statement)
    if query is None:
        raise QueryNotFound(f"No query {query_id}.")
    return query


async def answer_query(
    session: AsyncSession,
    query_id: str,
    if_match: str | None,
    kind: AnswerKind,
    answer: str,
    correction: str | None,
    amount_due: Decimal | None,
    *,
    caller: Caller,
    now: datetime,
) -> PaymentQuery:
    """Answer a query; an adjustment is only proposed and needs a second person.

    Raises `NotYoursToDecide`, `QueryClosed`, `AmountIsByRule`, `NothingToAdjust`, `BeyondTheSum` and
    `AnswersAnotherQuery`.
    """
    query = await query_seen(session, query_id, caller, lock=True)
    today = london_day(now)
    await must_decide(session, caller, query.network, today)
    require_match(query, if_match)
    if kind is AnswerKind.ADJUSTMENT and amount_due is not None:
        reference = await session.scalar(select(PaymentLine.reference).where(PaymentLine.id == query.line))
        if reference is not None and reference.startswith("queries/"):
            raise AnswersAnotherQuery(f"{query.line} pays what answered {reference.removeprefix('queries/')}.")
        query.propose(amount_due, await _adjusted(session, query), answer, by=caller.subject, on=today)
        await _within_the_sum(session, query)
    else:
        announce(session, query.reply(kind, answer, correction, by=caller.subject, at=now, on=today))
    await session.flush()
    return query


async def _adjusted(session: AsyncSession, query: PaymentQuery) -> Decimal:
    """What earlier queries of the same line added to it."""
    found = await session.scalar(
        select(func.coalesce(func.sum(PaymentQuery.adjustment), 0)).where(
            PaymentQuery.line == query.line, PaymentQuery.state == QueryState.ANSWERED
        )
    )
    return Decimal(found or 0)


async def _within_the_sum(session: AsyncSession, query: PaymentQuery) -> None:
    """Raises `BeyondTheSum` where an adjustment adds more to a claim than is left of the network's sum."""
    with session.no_autoflush:
        scope = await scope_of_line(session, query.line)
        if scope is None or query.adjustment is None or query.adjustment <= 0:
            return
        await lock_sums(session, [(query.network, query.contract_year)])
        amount, _ = await room_of(session, query.network, query.contract_year, scope)
        taken = await taken_of_year(session, query.network, query.contract_year, scope)
    left = max((amount or Decimal(0)) - taken, Decimal(0))
    if query.adjustment > left:
        raise BeyondTheSum(f"{left} is left of the sum of {query.network} for {query.contract_year}.")


async def approve_adjustment(
    session: AsyncSession, query_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> PaymentQuery:
    """A second person agrees; the next run pays it. Raises `QueryNotProposed`, `SamePerson` and `BeyondTheSum`."""
    query = await query_seen(session, query_id, caller, lock=True)
    require_match(query, if_match)
    await _within_the_sum(session, query)
    announce(session, query.approve(by=caller.subject, at=now))
    await session.flush()
    return query


async def refuse_adjustment(
    session: AsyncSession, query_id: str, if_match: str | None, reason: str, *, caller: Caller
) -> PaymentQuery:
    """A second person disagrees; the query is open again. Raises `QueryNotProposed` and `SamePerson`."""
    query = await query_seen(session, query_id, caller, lock=True)
    require_match(query, if_match)
    query.refuse(reason, by=caller.subject)
    await session.flush()
    return query


async def withdraw_query(
    session: AsyncSession, query_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> PaymentQuery:
    """Whoever asked is content. Raises `NotYourQuery` and `QueryClosed`."""
    query = await query_seen(session, query_id, caller, lock=True)
    if query.raised_for not in caller.organisations:
        raise NotYourQuery(f"The query was raised for {query.raised_for}.")
    require_match(query, if_match)
    announce(session, query.withdraw(reason, at=now, on=london_day(now)))
    await session.flush()
    return query
