"""How an approved adjustment reaches a payment run, and how its line recomputes and explains itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.funding.lines.words import Trace, pounds
from services.funding.payments.model import PaymentLine
from services.funding.payments.payables import PART, Payable, Source, give_back, ids_of
from services.funding.queries.model import AnswerKind, PaymentQuery, QueryState
from services.funding.redirections.queries import moved_by_reference
from shared.events.base import Event

KIND = "queries"


def adjusts(line: type[PaymentLine]) -> ColumnElement[bool]:
    """True of the lines of issued runs that pay a query's adjustment, or a part of it."""
    return (
        (line.run == PaymentQuery.adjusted_in)
        & (line.network == PaymentQuery.network)
        & (func.split_part(line.reference, PART, 1) == literal(f"{KIND}/").concat(PaymentQuery.id))
    )


async def unpaid(session: AsyncSession, month: str, _: datetime) -> list[Payable]:
    """Every approved adjustment that no run has paid, of this month or an earlier one."""
    queries = (
        await session.scalars(
            select(PaymentQuery)
            .where(
                PaymentQuery.state == QueryState.ANSWERED,
                PaymentQuery.kind == AnswerKind.ADJUSTMENT,
                PaymentQuery.adjusted_in.is_(None),
                PaymentQuery.month <= month,
            )
            .order_by(PaymentQuery.network, PaymentQuery.id)
        )
    ).all()
    had = await _paid_to(session, {query.line for query in queries}) if queries else {}
    return [payable for query in queries for payable in _payables(query, had.get(query.line, {}))]


def _payables(query: PaymentQuery, had: dict[str, Decimal]) -> list[Payable]:
    """Whoever was paid the line, or whom it was redirected to, is paid, or repays, the difference."""
    adjustment = query.adjustment or Decimal("0.00")
    most = max(had, key=lambda payee: (had[payee], payee == query.payee)) if any(had.values()) else query.payee
    parts = dict(give_back(-adjustment, had)) if adjustment < 0 else {}
    rest = adjustment - sum(parts.values(), Decimal("0.00"))
    if rest:
        parts[most] = parts.get(most, Decimal("0.00")) + rest
    reference, trace = f"{KIND}/{query.id}", query.trace()
    return [
        Payable(
            # one adjustment, perhaps several lines: each leaves once
            reference=reference if number == 0 else f"{reference}{PART}{payee}",
            network=query.network,
            practice=query.practice,
            payee=payee,
            stream=query.stream,
            month=query.month,
            amount=part,
            cause="query",
            trace=trace
            if part == adjustment
            else {**trace, "amount": str(part), "charged_to_others": str(adjustment - part)},
        )
        for number, (payee, part) in enumerate(parts.items())
    ]


async def _paid_to(session: AsyncSession, lines: Collection[str]) -> dict[str, dict[str, Decimal]]:
    """By line: what each payee has of it, with earlier adjustments and what was redirected."""
    paid = await session.execute(
        select(PaymentLine.id, PaymentLine.reference, PaymentLine.payee, PaymentLine.amount).where(
            PaymentLine.id.in_(lines), PaymentLine.amount.is_not(None)
        )
    )
    adjusting = aliased(PaymentLine)
    adjusted = await session.execute(
        select(PaymentQuery.line, adjusting.reference, adjusting.payee, adjusting.amount)
        .join(adjusting, adjusts(adjusting))
        .where(PaymentQuery.line.in_(lines))
    )
    had: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    pays: dict[str, str] = {}
    for line, reference, payee, amount in [*paid, *adjusted]:
        had[line][payee] += amount
        if reference is not None:
            pays[reference] = line
    for reference, payee, amount in await moved_by_reference(session, pays):
        had[pays[reference]][payee] += amount
    return had


async def pay(session: AsyncSession, references: Collection[str], run: str, _: datetime) -> list[Event]:
    """The adjustments were part of an issued run; their answers were announced when they were approved."""
    found = await session.scalars(
        select(PaymentQuery).where(PaymentQuery.id.in_(ids_of(references))).order_by(PaymentQuery.id).with_for_update()
    )
    for query in found.all():
        query.adjusted_in = run
    return []


ADJUSTMENTS = Source(KIND, unpaid, pay)


def recompute(trace: Trace) -> Decimal:
    """What is due less what was paid, and less what other payees give back of it."""
    others = Decimal(trace.get("charged_to_others", 0))
    return Decimal(trace["amount_due"]) - Decimal(trace["paid_before"]) - others


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """The difference in steps; nothing to be wary of."""
    lines = [
        f"Line {trace['line']} was queried ({trace['query']}): {trace['answer']}",
        f"Due: {pounds(trace['amount_due'])}; paid before, with earlier adjustments: {pounds(trace['paid_before'])}",
    ]
    if "charged_to_others" in trace:
        lines.append(f"Others that were paid for it give back: {pounds(trace['charged_to_others'])}")
    decided = f"proposed by {trace['answered_by']}, approved by {trace['approved_by']}"
    return [*lines, f"To pay: {pounds(trace['amount'])} ({decided})"], []
