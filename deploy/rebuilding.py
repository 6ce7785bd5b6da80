"""Make reporting anew from the logs of the other services, as after a change of its projections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.stack import SERVICES, build_service
from services.reporting.rebuild import clear_projections
from shared.database import engine_for, sessions_for
from shared.events import Envelope
from shared.messaging.outbox import envelope_of
from shared.messaging.tables import Outbox
from shared.service import Runtime

REBUILT = "reporting"
BATCH = 500


async def rebuild(urls: Mapping[str, str], say: Callable[[str, int], None]) -> int:
    """Empty the projections and hand every event of the logs over again, in order; gives how many.

    It may be done beside a running stack: what arrives meanwhile is newer, and older news never overwrites newer.
    """
    runtime = Runtime(build_service(REBUILT, database_url=urls[REBUILT]))
    done = 0
    try:
        async with runtime.sessions.begin() as session:
            await clear_projections(session)
        for name in SERVICES:
            if name != REBUILT:
                async for batch in log_of(name, urls[name]):
                    await runtime.receiver.receive(batch)
                    done += len(batch)
                    say(name, done)
    finally:
        await runtime.stop()
    return done


async def log_of(name: str, url: str, *, first: int = 1) -> AsyncIterator[list[Envelope]]:
    """The events of a service's log that have left, in order, from a position on."""
    engine = engine_for(url, pool_size=1)
    try:
        position = first - 1
        while True:
            async with sessions_for(engine)() as session:
                rows = await _after(session, position)
            if not rows:
                return
            position = rows[-1].position
            yield [envelope_of(row, f"pcn.{name}") for row in rows]
    finally:
        await engine.dispose()


async def _after(session: AsyncSession, position: int) -> list[Outbox]:
    statement = select(Outbox).where(Outbox.position > position, Outbox.published_at.is_not(None))
    return list((await session.scalars(statement.order_by(Outbox.position).limit(BATCH))).all())
