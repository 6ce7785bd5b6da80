"""A service as the stack sees it, and the machinery that runs one: database, relay, receiver."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase

from shared.database import engine_for, reading_engine_for, sessions_for
from shared.events.base import Event
from shared.log import logger
from shared.messaging.inbox import Finish, Handler, Receiver
from shared.messaging.kafka import KafkaConsumer
from shared.messaging.outbox import Relay, Transport, ensure_partitions
from shared.messaging.tables import KeptReply
from shared.points import Points, lending
from shared.settings import ServiceSettings

log = logger(__name__)

KEPT_REPLIES_DAYS = 8

Seed = Callable[[AsyncSession, datetime], Awaitable[None]]


@dataclass(frozen=True)
class Service:
    """One of the four: what it owns, answers, announces and listens to."""

    name: str
    base: type[DeclarativeBase]
    settings: ServiceSettings
    routers: Sequence[APIRouter]
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    announces: Sequence[type[Event]] = ()
    seed: Seed | None = None
    finish: Finish | None = None
    """Called once in every transaction that handled events, after them: what many events ask for is then done once."""

    @property
    def source(self) -> str:
        return f"pcn.{self.name}"


class Runtime:
    """A service with its database at hand. `start` begins relaying and receiving, `stop` ends both cleanly."""

    def __init__(self, service: Service) -> None:
        self.service = service
        settings = service.settings
        url, size, wait = settings.database_url, settings.pool_size, settings.wait_seconds
        self.engine: AsyncEngine = engine_for(url, pool_size=size, wait_seconds=wait)
        self.reading_engine: AsyncEngine = reading_engine_for(url, pool_size=size, wait_seconds=wait)
        self.points = Points(lending(self.reading_engine))
        self._moments = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.sessions = sessions_for(self.engine)
        self.receiver = Receiver(self.sessions, service.handlers, name=service.name, finish=service.finish)
        self.relay: Relay | None = None
        self.consumer: KafkaConsumer | None = None
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for selects: no transaction around it, so nothing to commit or roll back."""
        async with self.reading_engine.connect() as connection, AsyncSession(connection) as session:
            yield session

    @contextlib.asynccontextmanager
    async def moment(self) -> AsyncIterator[AsyncSession]:
        """A session for selects that belong together: all of them see the database as it was at the first."""
        async with self._moments.connect() as connection, AsyncSession(connection) as session:
            yield session

    def start(self, transport: Transport, consumer: KafkaConsumer | None = None) -> None:
        """Begin to relay what this service announces and, over Kafka, to receive what it listens to."""
        settings = self.service.settings
        self.relay = Relay(
            self.sessions,
            transport,
            source=self.service.source,
            database_url=settings.database_url,
            batch=settings.relay_batch,
            poll_seconds=settings.relay_poll_seconds,
        )
        self.consumer = consumer
        self._tasks = [asyncio.create_task(self.relay.run(self._stop)), asyncio.create_task(self._housekeeping())]
        if consumer is not None:
            self._tasks.append(asyncio.create_task(consumer.run(self._stop)))

    async def _housekeeping(self) -> None:
        while not self._stop.is_set():
            try:
                async with self.sessions.begin() as session:
                    now = datetime.now(UTC)
                    await ensure_partitions(session, now)
                    await session.execute(
                        delete(KeptReply).where(KeptReply.created_at < now - timedelta(days=KEPT_REPLIES_DAYS))
                    )
            except Exception as error:
                log.warning("housekeeping put off", service=self.service.name, trouble=repr(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 3600)

    async def stop(self) -> None:
        """Let the batch in hand finish, then close the database."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=15)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.engine.dispose()
        await self.reading_engine.dispose()

    @property
    def working(self) -> bool:
        """Whether every task begun is still running: a worker that died quietly must be seen."""
        return all(not task.done() for task in self._tasks)
