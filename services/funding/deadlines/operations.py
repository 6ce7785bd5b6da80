"""Publishing deadlines of claims and finding the one that holds."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.claims.terms import deadlines
from services.funding.deadlines.model import ClaimDeadline
from shared.facts import as_at, days, record
from shared.years import first_day, year_end, year_start

ARRS = "arrs"


async def load_deadlines(session: AsyncSession, now: datetime) -> None:
    """Hold the shipped deadlines where nothing was ever said of a year; running it again changes nothing."""
    said = set((await session.scalars(select(ClaimDeadline.contract_year))).all())
    for shipped in deadlines():
        if shipped.contract_year not in said:
            await publish_deadline(
                session,
                shipped.contract_year,
                days_after_month=shipped.days_after_month,
                closes_on=shipped.closes_on,
                note=shipped.note,
                by="shipped with the service",
                now=now,
            )


async def publish_deadline(
    session: AsyncSession,
    contract_year: str,
    *,
    days_after_month: int | None,
    closes_on: date | None,
    note: str,
    by: str,
    now: datetime,
) -> ClaimDeadline:
    """From now on claims of a year close then; what was believed before stays answerable."""
    deadline = ClaimDeadline(
        stream=ARRS,
        contract_year=contract_year,
        days_after_month=days_after_month,
        closes_on=closes_on,
        note=note,
        published_by=by,
        valid=days(year_start(contract_year), year_end(contract_year)),
    )
    await record(session, deadline, key=["stream"], now=now)
    return deadline


async def deadline_of(session: AsyncSession, month: str, known_at: datetime | None = None) -> ClaimDeadline | None:
    """What is known of the deadline of a month, now or as it was then."""
    return await session.scalar(
        select(ClaimDeadline).where(ClaimDeadline.stream == ARRS, as_at(ClaimDeadline, first_day(month), known_at))
    )
