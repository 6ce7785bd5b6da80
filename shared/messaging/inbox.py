"""One event, arriving: recorded and handled in one transaction, so that a repeat has no second effect.

What cannot be handled is parked with its reason, and what follows of the same subject parks behind it, so that a
subject never skips a step. Trouble of the database is nobody's fault and is left to the caller to retry.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from pydantic import ValidationError
from sqlalchemy import DateTime, Text, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from shared import context
from shared.errors import DomainError, NotFound
from shared.events.base import CATALOGUE, Envelope, Event
from shared.log import logger
from shared.messaging.tables import Inbox, Parked

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How and when an event came."""

    envelope: Envelope
    now: datetime


Handler = Callable[[AsyncSession, Any, Arrival], Awaitable[None]]
Finish = Callable[[AsyncSession, datetime], Awaitable[None]]

ATTEMPTS = 3
DISMISSED = "Dismissed"
"""The code of a parked message that an operator gave up for good."""


_AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


def database_trouble(error: BaseException) -> bool:
    """Whether to try again later: the database is away, full, or chose this transaction to end a deadlock."""
    if isinstance(error, _AWAY):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


# one short statement however many rows: the driver would read through the text of one with a thousand places each time
_ENTER = text(
    "INSERT INTO inbox (event_id, type, received_at) SELECT id, type, :now "
    "FROM unnest(:ids, :types) AS came (id, type) ON CONFLICT DO NOTHING RETURNING event_id"
).bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("types", type_=ARRAY(Text)),
    bindparam("now", type_=DateTime(timezone=True)),
)

_PARKED = text(
    "SELECT EXISTS (SELECT FROM parked WHERE replayed_at IS NULL AND (source, subject) IN "
    "(SELECT source, subject FROM unnest(:sources, :subjects) AS came (source, subject)))"
).bindparams(bindparam("sources", type_=ARRAY(Text)), bindparam("subjects", type_=ARRAY(Text)))


class Receiver:
    """The receiving end of one service: its handlers, its inbox, its parked messages."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        handlers: Mapping[type[Event], Handler],
        *,
        name: str,
        finish: Finish | None = None,
    ) -> None:
        self._sessions = sessions
        self._finish = finish
        self._handlers = {kind.event_type(): (kind, handler) for kind, handler in handlers.items()}
        self.name = name

    @property
    def topics(self) -> frozenset[str]:
        return frozenset(kind.topic() for kind, _ in self._handlers.values())

    @property
    def types(self) -> frozenset[str]:
        return frozenset(self._handlers)

    async def receive(self, batch: Sequence[Envelope]) -> None:
        """Give every envelope its effect once, or park it. Raises only when the database is in trouble."""
        mine = [envelope for envelope in batch if envelope.type in self._handlers]
        if not mine:
            return
        try:
            async with self._sessions.begin() as session:
                if await self._parked_subjects(session, mine):
                    raise _OneByOne
                await self._handle(session, mine)
            return
        except _OneByOne:
            pass
        except Exception as error:
            if database_trouble(error):
                raise
            log.warning("batch is taken apart", service=self.name, size=len(mine), trouble=repr(error))
        for envelope in mine:
            await self._receive_one(envelope)

    async def _handle(self, session: AsyncSession, envelopes: Sequence[Envelope]) -> None:
        now = datetime.now(UTC)
        received = {"ids": [e.id for e in envelopes], "types": [e.type for e in envelopes], "now": now}
        first = await session.scalars(_ENTER, received)
        new = set(first.all())
        for envelope in envelopes:
            if envelope.id in new:
                new.discard(envelope.id)
                kind, handler = self._handlers[envelope.type]
                context.begin(envelope.correlationid, envelope.traceparent)
                await handler(session, kind.model_validate(envelope.data), Arrival(envelope, now))
        if self._finish is not None:
            await self._finish(session, now)

    async def _receive_one(self, envelope: Envelope) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._sessions.begin() as session:
                    await self._alone_with(session, envelope.source, envelope.subject)
                    if await self._parked_subjects(session, [envelope]):
                        await self._park(session, envelope, "Waiting", "An earlier message of this subject is parked.")
                    else:
                        await self._handle(session, [envelope])
                return
            except (DomainError, ValidationError) as error:
                await self.park(envelope, type(error).__name__, str(error))
                return
            except Exception as error:
                if database_trouble(error):
                    raise
                if attempt == ATTEMPTS:
                    log.error("message parked", service=self.name, type=envelope.type, exc_info=error)
                    await self.park(envelope, type(error).__name__, traceback.format_exc())
                    return
                await asyncio.sleep(0.05 * attempt)

    async def park(self, envelope: Envelope, code: str, reason: str) -> None:
        """Put a message aside with the reason, unless it has had its effect already."""
        async with self._sessions.begin() as session:
            await self._park(session, envelope, code, reason)

    async def _park(self, session: AsyncSession, envelope: Envelope, code: str, reason: str) -> None:
        # what comes from outside may hold what a column cannot: parking it must work all the same
        if await session.scalar(select(Inbox.event_id).where(Inbox.event_id == envelope.id)) is not None:
            return
        await session.execute(
            insert(Parked)
            .values(
                event_id=envelope.id,
                source=_cut(envelope.source, 120),
                subject=_cut(envelope.subject, 200),
                type=_cut(envelope.type, 120),
                envelope=_storable(envelope.model_dump(mode="json")),
                code=_cut(code, 120),
                reason=_storable(reason),
                parked_at=datetime.now(UTC),
                attempts=1,
            )
            .on_conflict_do_nothing(index_elements=["event_id"])
        )

    async def _parked_subjects(self, session: AsyncSession, envelopes: Sequence[Envelope]) -> bool:
        subjects = {(_cut(e.source, 120), _cut(e.subject, 200)) for e in envelopes}
        asked = {"sources": [source for source, _ in subjects], "subjects": [subject for _, subject in subjects]}
        return bool(await session.scalar(_PARKED, asked))

    async def _alone_with(self, session: AsyncSession, source: str, subject: str) -> None:
        """Wait for our turn with a subject, so that nothing parks behind a message just as it is replayed."""
        await session.execute(
            select(func.pg_advisory_xact_lock(func.hashtextextended(_cut(f"{source} {subject}", 330), 0)))
        )

    async def dismiss(self, session: AsyncSession, event_id: UUID, reason: str) -> Parked:
        """Give a parked message up for good: it will never have its effect. Raises `NotFound`."""
        row = await session.scalar(
            select(Parked).where(Parked.event_id == event_id, Parked.replayed_at.is_(None)).with_for_update()
        )
        if row is None:
            raise NotFound(f"No parked message {event_id}.")
        row.replayed_at = datetime.now(UTC)
        row.code, row.reason = DISMISSED, f"{reason} (parked as {row.code}: {row.reason})"
        return row

    async def replay(self, source: str, subject: str) -> int:
        """Handle the parked messages of one subject again, in order, up to the first that fails.

        Gives how many succeeded. Raises `NotFound` when nothing of the subject is parked.
        """
        done = 0
        while True:
            async with self._sessions.begin() as session:
                await self._alone_with(session, source, subject)
                row = await session.scalar(
                    select(Parked)
                    .where(Parked.replayed_at.is_(None), Parked.source == source, Parked.subject == subject)
                    .order_by(Parked.id)
                    .limit(1)
                    .with_for_update()
                )
                if row is None:
                    if not done:
                        raise NotFound(f"Nothing of {source} {subject} is parked.")
                    return done
                try:
                    async with session.begin_nested():
                        envelope = Envelope.model_validate(row.envelope)
                        if envelope.type not in CATALOGUE:
                            raise DomainError(f"{envelope.type} is not known.")
                        await self._handle(session, [envelope])
                    row.replayed_at = datetime.now(UTC)
                    done += 1
                except Exception as error:
                    if database_trouble(error):
                        raise
                    row.attempts += 1
                    row.code, row.reason = type(error).__name__, _storable(str(error))
                    return done


def _cut(text: str, length: int) -> str:
    return text.replace("\x00", "\ufffd")[:length]


def _storable(value: Any) -> Any:
    """A value without NUL, which no text or jsonb can hold."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_storable(key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    return value


class _OneByOne(Exception):
    """The batch holds a subject with something parked: take it message by message."""
