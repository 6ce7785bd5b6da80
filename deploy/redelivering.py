"""Hand one service's log to another once more, from a position on: what never had its effect there has it now.

For events that came before the service listened to their kind, or that were lost on the way. What it has had stays as
it is: the inbox knows it. What an operator gave up there stays given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from deploy.rebuilding import log_of
from deploy.stack import build_service
from shared.messaging.inbox import DISMISSED
from shared.messaging.tables import Inbox, Parked
from shared.service import Runtime


@dataclass(frozen=True, slots=True)
class Redelivered:
    """How many events were read, how many of them had their first effect now, and how many messages are parked."""

    read: int
    effects: int
    parked: int


async def redeliver(urls: Mapping[str, str], consumer: str, publisher: str, *, first: int = 1) -> Redelivered:
    """Hand the events of `publisher` from position `first` on to `consumer`; a stack may run beside it."""
    runtime = Runtime(build_service(consumer, database_url=urls[consumer]))
    kinds, read, effects = runtime.receiver.types, 0, 0
    try:
        async for batch in log_of(publisher, urls[publisher], first=first):
            ids = [envelope.id for envelope in batch]
            async with runtime.sessions() as session:
                settled = set(await session.scalars(select(Inbox.event_id).where(Inbox.event_id.in_(ids))))
                given_up = select(Parked.event_id).where(Parked.event_id.in_(ids), Parked.code == DISMISSED)
                settled |= set(await session.scalars(given_up))
            new = [one for one in batch if one.type in kinds and one.id not in settled]
            await runtime.receiver.receive(new)
            async with runtime.sessions() as session:
                wanted = Inbox.event_id.in_([envelope.id for envelope in new])
                effects += await session.scalar(select(func.count()).select_from(Inbox).where(wanted)) or 0
            read += len(batch)
        async with runtime.sessions() as session:
            waiting = select(func.count()).select_from(Parked).where(Parked.replayed_at.is_(None))
            parked = await session.scalar(waiting) or 0
    finally:
        await runtime.stop()
    return Redelivered(read, effects, parked)
