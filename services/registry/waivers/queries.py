from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from sqlalchemy import ColumnElement, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.scope import area_of
from services.registry.waivers.model import Waiver, WaiverNotFound
from shared.facts import as_at, believed
from shared.identity import Caller, Role


async def visible_waivers(session: AsyncSession, caller: Caller, today: date) -> ColumnElement[bool]:
    """Exceptions of the caller's area, and those of its network."""
    area = await area_of(session, caller, today)
    if area is None:
        return true()
    seen: list[ColumnElement[bool]] = [Waiver.commissioner.in_(area)] if area else []
    if caller.has(Role.NETWORK):
        seen.append(Waiver.network.in_(caller.organisations))
    return or_(*seen) if seen else false()


async def find_waiver(
    session: AsyncSession,
    id: str,
    caller: Caller,
    today: date,
    *,
    known_at: datetime | None = None,
    lock: bool = False,
) -> Waiver:
    """What is believed now, or was then, of an exception the caller may see. Raises `WaiverNotFound`."""
    known = believed(Waiver, known_at)
    statement = (
        select(Waiver)
        .where(Waiver.id == id, known, await visible_waivers(session, caller, today))
        .order_by(Waiver.fact_id)
        .limit(1)
    )
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise WaiverNotFound(f"No exception {id}.")
    return found


async def reasons_on(
    session: AsyncSession, subjects: Iterable[str], day: date, known_at: datetime | None = None
) -> Mapping[tuple[str, str], str]:
    """Why each finding of these networks and applications is excepted on a day, by subject and finding."""
    statement = select(Waiver.subject, Waiver.finding, Waiver.reason).where(
        as_at(Waiver, day, known_at), Waiver.subject.in_(list(subjects))
    )
    return {(subject, finding): reason for subject, finding, reason in await session.execute(statement)}
