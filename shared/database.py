"""One database per service: naming, column types, engine, ids and bulk writes."""

from __future__ import annotations

import enum
import secrets
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from psycopg import AsyncConnection as DriverConnection
from psycopg import AsyncCursor, DatabaseError, sql
from sqlalchemy import DateTime, Enum, MetaData, Numeric, String, Table, Text, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Money = Annotated[Decimal, mapped_column(Numeric(14, 2))]
Rate = Annotated[Decimal, mapped_column(Numeric)]
Headcount = Annotated[Decimal, mapped_column(Numeric)]
Code = Annotated[str, mapped_column(String(32))]
Words = Annotated[str, mapped_column(Text)]
Timestamp = Annotated[datetime, mapped_column(DateTime(timezone=True))]

_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"


def metadata() -> MetaData:
    """A metadata object with the naming every service shares, so that Alembic names constraints alike."""
    return MetaData(naming_convention=NAMING)


def text_enum(kind: type[enum.Enum]) -> Enum:
    """Store an enum as its value in a text column: a new member then needs no migration of a native type."""
    return Enum(kind, native_enum=False, length=32, values_callable=lambda e: [str(m.value) for m in e])


def new_id(prefix: str) -> str:
    """A readable id that sorts by time of creation: `app-` and 18 characters (48 bits of time, 42 of chance)."""
    number = (time.time_ns() // 1_000_000 << 42) | secrets.randbits(42)
    letters = []
    for _ in range(18):
        number, digit = divmod(number, 32)
        letters.append(_BASE32[digit])
    return f"{prefix}-{''.join(reversed(letters))}"


class Versioned:
    """A record changed by several people: its version is its ETag, and a stale write fails."""

    version: Mapped[int] = mapped_column(default=1)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.__dict__.get("version") or cls.__table__.c.version}  # type: ignore[attr-defined]


PING_AFTER_SECONDS = 1.0
"""A connection idle for longer is asked whether it still lives before it is used again."""


WAIT_SECONDS = 10
"""How long a caller waits for a connection, in the pool's queue or at the server's door, unless told otherwise."""


def engine_for(url: str, *, pool_size: int = 10, wait_seconds: int = WAIT_SECONDS) -> AsyncEngine:
    """An engine that gives up on a full pool after `wait_seconds` instead of queueing for ever."""
    return _engine(url, {}, wait_seconds, pool_size=pool_size, max_overflow=pool_size)


def reading_engine_for(url: str, *, pool_size: int = 10, wait_seconds: int = WAIT_SECONDS) -> AsyncEngine:
    """An engine for selects alone: its connections have no transactions, so none is begun, ended or rolled back.

    Each select is planned for the values it comes with, and only point reads are prepared: PostgreSQL plans a prepared
    statement once for all values after a few uses, knows nothing then of how many facts hold on a day, and a list of
    practices took four hundred times as long.
    """
    return _engine(
        url,
        {"prepare_threshold": sys.maxsize},
        wait_seconds,
        pool_size=pool_size,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
    )


def _engine(url: str, connecting: dict[str, Any], wait_seconds: int, **pool: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_timeout=wait_seconds,
        pool_use_lifo=True,  # those last used have their statements prepared
        hide_parameters=True,  # what fails is logged, and what people sent, as a secret ballot, is not
        connect_args={"options": "-c timezone=UTC", "connect_timeout": wait_seconds, **connecting},
        **pool,
    )
    # the pool's own ping would cost every request a turn to the database, and two more to leave and enter transactions
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "checkout", _ping_after_a_pause)
    return engine


def _note_use(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ping_after_a_pause(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
    if time.monotonic() - record.info.get("used", float("inf")) < PING_AFTER_SECONDS:
        return
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT 1")
        connection.rollback()  # whoever takes it may ask for an isolation of its own, which a transaction begun forbids
    except DatabaseError as error:
        raise DisconnectionError("the connection is gone") from error
    finally:
        cursor.close()


def sessions_for(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, expire_on_commit=False)


async def driver_connection(session: AsyncSession) -> DriverConnection[Any]:
    """The psycopg connection under a session, inside its transaction."""
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    if not isinstance(connection, DriverConnection):
        raise TypeError(f"expected a psycopg connection, got {type(connection).__name__}")
    return connection


async def copy_rows(session: AsyncSession, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write many rows by COPY inside the session's transaction; gives how many were written."""
    connection = await driver_connection(session)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*(part for part in (table.schema, table.name) if part)),
        sql.SQL(", ").join(sql.Identifier(c) for c in columns),
    )
    written = 0
    cursor: AsyncCursor[Any]
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            await copy.write_row(row)
            written += 1
    return written
