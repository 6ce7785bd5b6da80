"""How an approved adjustment reaches a payment run, and how its line recomputes and explains itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.lines.words import Trace, pounds
from services.funding.payments.payables import Payable, Source, ids_of
from services.funding.queries.model import AnswerKind, PaymentQuery, QueryState
from shared.events.base import Event

KIND = "queries"


async def unpaid(session: AsyncSession, month: str, _: datetime) -> list[Payable]:
    """Every approved adjustment that no run has paid, of this month or an earlier one."""
    queries = await session.scalars(
        select(PaymentQuery)
        .where(
            PaymentQuery.state == QueryState.ANSWERED,
            PaymentQuery.kind == AnswerKind.ADJUSTMENT,
            PaymentQuery.adjusted_in.is_(None),
            PaymentQuery.month <= month,
        )
        .order_by(PaymentQuery.network, PaymentQuery.id)
    )
    return [
        Payable(
            reference=f"{KIND}/{query.id}",
            network=query.network,
            practice=query.practice,
            payee=query.payee,  # whoever was paid the line is paid, or repays, the difference
            stream=query.stream,
            month=query.month,
            amount=query.adjustment,
            cause="query",
            trace=query.trace(),
        )
        for query in queries
        if query.adjustment is not None
    ]


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
    """What is due less what was paid."""
    return Decimal(trace["amount_due"]) - Decimal(trace["paid_before"])


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """The difference in steps; nothing to be wary of."""
    return [
        f"Line {trace['line']} was queried ({trace['query']}): {trace['answer']}",
        f"Due: {pounds(trace['amount_due'])}; paid before, with earlier adjustments: {pounds(trace['paid_before'])}",
        f"To pay: {pounds(trace['amount'])} (proposed by {trace['answered_by']}, approved by {trace['approved_by']})",
    ], []
