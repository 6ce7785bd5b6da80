"""Knowing the bank holidays and counting around them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.bank_holidays.model import BankHoliday, HolidayKnown, WorkingDays
from services.funding.bank_holidays.shipped import HOLIDAYS


async def ship_holidays(session: AsyncSession, now: datetime) -> None:
    """Enter the shipped holidays that are not held yet; running it again changes nothing."""
    rows = [{"day": day, "name": name, "added_by": "system", "added_at": now} for day, name in HOLIDAYS.items()]
    await session.execute(insert(BankHoliday).on_conflict_do_nothing(), rows)


async def add_holiday(session: AsyncSession, day: date, name: str, *, by: str, now: datetime) -> BankHoliday:
    """A bank holiday was announced. Raises `HolidayKnown`."""
    if await session.get(BankHoliday, day) is not None:
        raise HolidayKnown(f"{day} is in the list already.")
    holiday = BankHoliday(day=day, name=name, added_by=by, added_at=now)
    session.add(holiday)
    await session.flush()
    return holiday


async def working_days(session: AsyncSession) -> WorkingDays:
    return WorkingDays(frozenset((await session.scalars(select(BankHoliday.day))).all()))
