"""How an achievement reaches a payment run."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.achievements.model import AchievementAmount
from services.funding.payments.model import PaymentLine
from services.funding.payments.payables import Payable, Source, ids_of
from shared.events.base import Event

KIND = "achievements"


async def unpaid(session: AsyncSession, month: str, _: datetime) -> list[Payable]:
    """Every amount decided and not in an issued run, of this month or an earlier one.

    What is taken back is taken back from whoever was paid the achievement, also after another payee was appointed.
    """
    amounts = (
        await session.scalars(
            select(AchievementAmount)
            .where(AchievementAmount.run.is_(None), AchievementAmount.month <= month)
            .order_by(AchievementAmount.network, AchievementAmount.month, AchievementAmount.id)
        )
    ).all()
    paid = await _paid_to(session, {amount.achievement for amount in amounts if amount.amount < 0})
    return [
        Payable(
            reference=f"{KIND}/{amount.id}",
            network=amount.network,
            practice=None,
            payee=paid.get(amount.achievement) if amount.amount < 0 else None,
            stream=amount.stream,
            month=amount.month,
            amount=amount.amount,
            cause=amount.cause,
            trace=amount.trace,
        )
        for amount in amounts
    ]


async def _paid_to(session: AsyncSession, achievements: Collection[str]) -> dict[str, str]:
    """Who was paid most of each achievement, if it was paid at all."""
    rows = await session.execute(
        select(AchievementAmount.achievement, PaymentLine.payee)
        .join(PaymentLine, PaymentLine.reference == literal(f"{KIND}/").concat(AchievementAmount.id))
        .where(AchievementAmount.achievement.in_(achievements), PaymentLine.run == AchievementAmount.run)
        .group_by(AchievementAmount.achievement, PaymentLine.payee)
        .order_by(func.sum(PaymentLine.amount), PaymentLine.payee)
    )
    return dict(rows.all())


async def pay(session: AsyncSession, references: Collection[str], run: str, _: datetime) -> list[Event]:
    """The amounts were part of an issued run."""
    found = await session.scalars(
        select(AchievementAmount).where(AchievementAmount.id.in_(ids_of(references))).with_for_update()
    )
    for amount in found.all():
        amount.run = run
    return []


ACHIEVEMENTS = Source(KIND, unpaid, pay)
