"""How an achievement reaches a payment run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.funding.achievements.assessing import KIND, pays_amount
from services.funding.achievements.model import AchievementAmount
from services.funding.payments.model import PaymentLine
from services.funding.payments.payables import PART, Payable, Source, give_back, ids_of
from services.funding.queries.line import adjusts
from services.funding.queries.model import PaymentQuery
from services.funding.redirections.queries import moved_by_reference
from shared.events.base import Event


async def unpaid(session: AsyncSession, month: str, _: datetime) -> list[Payable]:
    """Every amount decided and not in an issued run, of this month or an earlier one.

    What is taken back is taken back from whoever was paid the achievement, also after another payee was appointed, and
    from each no more than it had.
    """
    amounts = (
        await session.scalars(
            select(AchievementAmount)
            .where(AchievementAmount.run.is_(None), AchievementAmount.month <= month)
            .order_by(AchievementAmount.network, AchievementAmount.month, AchievementAmount.number)
        )
    ).all()
    had = await _paid_to(session, {amount.achievement for amount in amounts if amount.amount < 0})
    return [payable for amount in amounts for payable in _payables(amount, had[amount.achievement])]


def _payables(amount: AchievementAmount, had: dict[str, Decimal]) -> list[Payable]:
    """What an amount pays, or takes back of what payees `had` of the achievement, which that leaves less.

    What goes beyond it takes back only what waits to be paid itself, and so does not name a payee.
    """
    parts: list[tuple[str | None, Decimal]] = []
    if amount.amount < 0:
        given = give_back(-amount.amount, had)
        for payee, part in given:
            had[payee] += part
        parts += given
    rest = amount.amount - sum((part for _, part in parts), Decimal("0.00"))
    if rest or not parts:
        parts.append((None, rest))
    reference = f"{KIND}/{amount.id}"
    return [
        Payable(
            # one amount, several lines: each leaves once
            reference=reference if number == 0 else f"{reference}{PART}{payee or amount.network}",
            network=amount.network,
            practice=None,
            payee=payee,
            stream=amount.stream,
            month=amount.month,
            amount=part,
            cause=amount.cause,
            trace=amount.trace
            if part == amount.amount
            else {**amount.trace, "amount": str(part), "charged_to_others": str(amount.amount - part)},
        )
        for number, (payee, part) in enumerate(parts)
    ]


async def _paid_to(session: AsyncSession, achievements: Collection[str]) -> dict[str, dict[str, Decimal]]:
    """What each payee has of each achievement: it was paid or redirected to it, and not given back or redirected."""
    of_these = AchievementAmount.achievement.in_(achievements)
    rows = await session.execute(
        select(AchievementAmount.achievement, PaymentLine.reference, PaymentLine.payee, PaymentLine.amount)
        .join(PaymentLine, pays_amount())
        .where(of_these, PaymentLine.amount.is_not(None))
    )
    adjusting = aliased(PaymentLine)
    adjusted = await session.execute(
        select(AchievementAmount.achievement, adjusting.reference, adjusting.payee, adjusting.amount)
        .join(PaymentLine, pays_amount())
        .join(PaymentQuery, PaymentQuery.line == PaymentLine.id)
        .join(adjusting, adjusts(adjusting))
        .where(of_these)
    )
    had: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    pays: dict[str, str] = {}
    for achievement, reference, payee, amount in [*rows, *adjusted]:
        had[achievement][payee] += amount
        pays[reference] = achievement
    for reference, payee, amount in await moved_by_reference(session, pays):
        had[pays[reference]][payee] += amount
    return had


async def pay(session: AsyncSession, references: Collection[str], run: str, _: datetime) -> list[Event]:
    """The amounts were part of an issued run."""
    found = await session.scalars(
        select(AchievementAmount)
        .where(AchievementAmount.id.in_({one.partition(PART)[0] for one in ids_of(references)}))
        .with_for_update()
    )
    for amount in found.all():
        amount.run = run
    return []


ACHIEVEMENTS = Source(KIND, unpaid, pay)
