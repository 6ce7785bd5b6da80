"""One event, leaving: announced in the transaction that caused it, then sent by one relay per service, in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import psycopg
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from shared import context
from shared.database import copy_rows
from shared.events.base import Envelope, Event
from shared.log import logger
from shared.messaging.tables import Outbox

CHANNEL = "pcn_outbox"
RELAY_LOCK = 7_201_904
"""Advisory lock that makes one relay of many the sender; databases are per service, so one number serves all."""

log = logger(__name__)


class Transport(Protocol):
    """Carries envelopes to whoever listens. Returns when every one is safe there, raises when any is not."""

    async def send(self, batch: Sequence[Envelope]) -> None: ...


def _row(event: Event) -> dict[str, Any]:
    here = context.current()
    return {
        "time": datetime.now(UTC),
        "event_id": uuid4(),
        "type": event.event_type(),
        "topic": event.topic(),
        "subject": event.subject(),
        "correlation_id": here.correlation_id,
        "traceparent": here.trace.traceparent,
        "data": event.model_dump(mode="json"),
    }


def announce(session: AsyncSession, *events: Event) -> None:
    """Say that something happened. The row leaves with the caller's transaction or not at all."""
    for event in events:
        session.add(Outbox(**_row(event)))


async def announce_many(session: AsyncSession, events: Sequence[Event]) -> None:
    """Announce many events at once by COPY, in the caller's transaction and in the order given."""
    if not events:
        return
    await session.flush()
    rows = [_row(event) for event in events]
    columns = list(rows[0])
    await copy_rows(
        session,
        Outbox.__table__,  # type: ignore[arg-type]
        columns,
        ([json.dumps(row[c]) if c == "data" else row[c] for c in columns] for row in rows),
    )


def envelope_of(row: Outbox, source: str) -> Envelope:
    return Envelope.model_construct(
        specversion="1.0",
        id=row.event_id,
        source=source,
        type=row.type,
        subject=row.subject,
        time=row.time,
        sequence=f"{row.position:020d}",
        datacontenttype="application/json",
        correlationid=row.correlation_id,
        traceparent=row.traceparent,
        data=row.data,
    )


class Relay:
    """Sends waiting rows, oldest first, while it holds the lock; a replica without it waits its turn.

    A crash between sending and stamping repeats messages; the inboxes of the receivers absorb that.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        transport: Transport,
        *,
        source: str,
        database_url: str,
        batch: int = 500,
        poll_seconds: float = 5.0,
    ) -> None:
        self._sessions = sessions
        self._transport = transport
        self._source = source
        self._listen_url = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._batch = batch
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self.last_success: datetime | None = None
        self.trouble: str | None = None

    async def send_waiting(self) -> int | None:
        """Send one batch; gives how many rows left, or `None` when another relay holds the lock."""
        async with self._sessions.begin() as session:
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(RELAY_LOCK))):
                return None
            rows = (
                await session.scalars(
                    select(Outbox).where(Outbox.published_at.is_(None)).order_by(Outbox.position).limit(self._batch)
                )
            ).all()
            if rows:
                await self._transport.send([envelope_of(row, self._source) for row in rows])
                times = [row.time for row in rows]
                await session.execute(
                    update(Outbox)
                    .where(
                        Outbox.position.in_([row.position for row in rows]),
                        Outbox.time.between(min(times), max(times)),
                    )
                    .values(published_at=datetime.now(UTC))
                    .execution_options(synchronize_session=False)
                )
        self.last_success, self.trouble = datetime.now(UTC), None
        return len(rows)

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until told to stop: woken by the database, by polling where that fails, patient with a broker away."""
        listener = asyncio.create_task(self._listen())
        pause = 0.1
        try:
            while not stop.is_set():
                self._wake.clear()
                try:
                    sent = await self.send_waiting()
                    pause = 0.1
                    if sent == self._batch:
                        continue
                    wait = self._poll_seconds
                except Exception as error:  # whatever it is, the rows wait and so do we
                    self.trouble = type(error).__name__
                    log.warning("relay waits", source=self._source, trouble=repr(error))
                    wait, pause = pause, min(pause * 2, 5.0)
                    await _sleep_or_stop(wait, stop)
                    continue
                await self._idle(wait, stop)
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener

    async def _idle(self, seconds: float, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(self._wake.wait()), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._listen_url, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._wake.set()
                    async for _ in connection.notifies():
                        self._wake.set()
            except psycopg.Error as error:
                log.warning("relay listens again", source=self._source, trouble=str(error))
            await asyncio.sleep(1)


async def _sleep_or_stop(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def ensure_partitions(session: AsyncSession, today: datetime, months: int = 3) -> None:
    """Make the outbox's monthly partitions for this month and the next ones."""
    await session.execute(
        text("SELECT pcn_outbox_partitions(CAST(:day AS date), :months)"), {"day": today.date(), "months": months}
    )
