"""Entering the duties everybody has and those of approved variations, and finding the ones of a day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.duties.model import Duty
from services.funding.tariffs.model import NATIONAL, Basis, Confidence
from services.funding.tariffs.operations import SHIPPED_BY
from services.funding.tariffs.shipped import duties
from shared.facts import as_at, days, since

NAMES = {"extended_hours": "Extended hours access", "enhanced_access": "Enhanced access"}


async def load_shipped_duties(session: AsyncSession, now: datetime) -> None:
    """Enter the national duties that are not there yet; those published later stand."""
    held = set((await session.scalars(select(Duty.duty).where(Duty.scope == NATIONAL))).all())
    begin = datetime.combine(date(2019, 4, 1), time.min, tzinfo=UTC)
    for duty in duties():
        if duty.duty in held:
            continue
        session.add(
            Duty(
                scope=NATIONAL,
                duty=duty.duty,
                name=NAMES[duty.duty],
                description="",
                instead_of=None,
                basis=Basis(duty.basis),
                per_1000=duty.per_1000,
                rounded_to=duty.rounded_to,
                counted_at=duty.counted_at,
                confidence=Confidence(duty.confidence),
                sources=list(duty.sources),
                published_by=SHIPPED_BY,
                published_at=now,
                valid=days(duty.valid_from, duty.valid_to),
                known=since(begin),
            )
        )


async def duties_on(
    session: AsyncSession, day: date, variations: Collection[str], known_at: datetime | None = None
) -> list[Duty]:
    """The national duties of a day and those of some variations, as known now or at a moment."""
    found = await session.scalars(
        select(Duty)
        .where(Duty.scope.in_([NATIONAL, *variations]), as_at(Duty, day, known_at))
        .order_by(Duty.scope != NATIONAL, Duty.scope, Duty.duty)
    )
    return list(found.all())
