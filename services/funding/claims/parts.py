"""Paying an approved claim in parts, where its network's sum, lowered since, does not reach all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.claims.beyond import Beyond
from services.funding.payments.model import PaymentLine
from services.funding.payments.payables import PART, Payable, ids_of


def whole_of(reference: str) -> str:
    """The reference of a claim from that of a part of it."""
    return reference.partition(PART)[0]


def in_parts(whole: Payable, paid: Decimal, beyond: Beyond | None) -> list[Payable]:
    """What a run has to pay of a claim of which some was `paid`: all the rest, or what the sum reaches, and what goes
    beyond it on hold."""
    rest = whole.amount - paid
    if beyond is None:
        return [_part(whole, paid, rest)]
    held = replace(_part(whole, paid + beyond.reach, rest - beyond.reach), hold=beyond.hold)
    return [_part(whole, paid, beyond.reach), held] if beyond.reach else [held]


def _part(whole: Payable, paid: Decimal, amount: Decimal) -> Payable:
    if not paid and amount == whole.amount:
        return whole
    trace = {
        **whole.trace,
        "room": str(min(Decimal(whole.trace["room"]), paid + amount)),
        "paid_before": str(paid) if paid else None,
        "amount": str(amount),
    }
    if paid + amount < whole.amount:
        trace["limited_by"] = "network_sum"
    reference = f"{whole.reference}{PART}{paid}" if paid else whole.reference
    return replace(whole, reference=reference, amount=amount, trace=trace)


async def paid_by_run(session: AsyncSession, references: Collection[str], run: str) -> dict[str, Decimal]:
    """By claim: what a run pays of it."""
    rows = await session.execute(
        select(PaymentLine.reference, PaymentLine.amount).where(
            PaymentLine.run == run, PaymentLine.reference.in_(list(references)), PaymentLine.amount.is_not(None)
        )
    )
    amounts: dict[str, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for reference, amount in rows:
        if reference is not None and amount is not None:
            (claim,) = ids_of([whole_of(reference)])
            amounts[claim] += amount
    return amounts
