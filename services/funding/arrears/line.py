"""How approved arrears reach a payment run, and how their line recomputes and explains itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.arrears.model import ArrearsClaim, retold
from services.funding.claims.beyond import beyond_sums
from services.funding.claims.decision import ClaimStatus
from services.funding.claims.parts import in_parts, paid_by_run
from services.funding.lines.words import Trace, doubts, of_variation, paid_before_in_words, pounds
from services.funding.payments.payables import Payable, Source
from shared.events.base import Event

KIND = "arrears"


async def unpaid(session: AsyncSession, month: str, _: datetime) -> list[Payable]:
    """Every approved claim of arrears that has not been paid, or not whole; what a sum lowered since does not reach
    waits."""
    approved = (
        select(ArrearsClaim)
        .where(ArrearsClaim.status == ClaimStatus.APPROVED)
        .order_by(ArrearsClaim.network, ArrearsClaim.id)
    )
    found = (await session.scalars(approved)).all()
    beyond = await beyond_sums(session) if found else {}
    return [
        part
        for claim in found
        if claim.payable is not None and claim.last_month <= month
        for part in in_parts(
            Payable(
                reference=f"{KIND}/{claim.id}",
                network=claim.network,
                practice=None,
                payee=None,
                stream="arrs",
                month=claim.last_month,
                amount=claim.payable,
                cause="rate-changed",
                trace=claim.trace(),
            ),
            claim.paid,
            beyond.get(f"{KIND}/{claim.id}"),
        )
    ]


async def pay(session: AsyncSession, references: Collection[str], run: str, _: datetime) -> list[Event]:
    """The arrears were part of an issued run. Raises `ClaimDecided` where a claim is no longer approved."""
    amounts = await paid_by_run(session, references, run)
    found = await session.scalars(
        select(ArrearsClaim).where(ArrearsClaim.id.in_(list(amounts))).order_by(ArrearsClaim.id).with_for_update()
    )
    return [claim.pay(run, amounts[claim.id]) for claim in found.all()]


ARREARS = Source(KIND, unpaid, pay)


def recompute(trace: Trace) -> Decimal:
    """The arrears of every month within its ceiling, and all of them within what was left of the sum."""
    due = sum((retold(month).due for month in trace["months"]), Decimal("0.00"))
    return min(due, Decimal(trace["room"])) - Decimal(trace.get("paid_before") or 0)


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """Month by month what the arrears come to, the limit on all of them, and what to be wary of."""
    lines, warnings = [], []
    for told in trace["months"]:
        month = retold(told)
        lines.append(
            f"{month.month}, {month.post}: arrears {pounds(month.arrears)} on a cost of {pounds(month.cost)}, of which "
            f"{pounds(month.payable)} was paid; ceiling now {pounds(month.ceiling)} (rate {month.tariff}"
            f"{of_variation(month.variation)}); due {pounds(month.due)}"
        )
        warnings += doubts(month.tariff, month.confidence)
    lines.append(f"Left of the network's sum for the year: {pounds(trace['room'])}")
    lines += paid_before_in_words(trace)
    lines.append(f"To pay: {pounds(trace['amount'])} (limited by: {trace['limited_by']})")
    return lines, list(dict.fromkeys(warnings))
