from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, exists, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.scope import area_of
from services.registry.withdrawals.model import Lapse, Withdrawal, WithdrawalNotFound
from shared.facts import as_at as true_at
from shared.identity import Caller, Role


async def visible_withdrawals(session: AsyncSession, caller: Caller, today: date) -> ColumnElement[bool]:
    """Withdrawals of the caller's area, and those that concern its network or practice."""
    area = await area_of(session, caller, today)
    if area is None:
        return true()
    seen: list[ColumnElement[bool]] = [Withdrawal.commissioner.in_(area)] if area else []
    if caller.has(Role.NETWORK):
        seen.append(Withdrawal.network.in_(caller.organisations))
    if caller.has(Role.PRACTICE):
        seen.append(Withdrawal.practice.in_(caller.organisations))
    return or_(*seen) if seen else false()


def withdrawals_on(day: date | None, known_at: datetime | None) -> Select[Withdrawal]:
    """Withdrawals known now or then; with a day those by which a right has lapsed on it."""
    statement = select(Withdrawal)
    if known_at is not None:
        statement = statement.where(Withdrawal.given_at <= known_at)
    if day is not None:
        lapsed = exists().where(Lapse.withdrawal == Withdrawal.id, true_at(Lapse, day, known_at))
        statement = statement.where(lapsed)
    return statement


async def find_withdrawal(
    session: AsyncSession, id: str, caller: Caller, today: date, *, known_at: datetime | None = None, lock: bool = False
) -> Withdrawal:
    """A withdrawal the caller may see. Raises `WithdrawalNotFound`."""
    statement = withdrawals_on(None, known_at).where(
        Withdrawal.id == id, await visible_withdrawals(session, caller, today)
    )
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise WithdrawalNotFound(f"No withdrawal {id}.")
    return found
