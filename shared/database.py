"""One database per service: naming, column types, engine, ids and bulk writes."""

from __future__ import annotations

import enum
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from psycopg import AsyncConnection as DriverConnection
from psycopg import AsyncCursor, sql
from sqlalchemy import DateTime, Enum, MetaData, Numeric, String, Table, Text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

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


def engine_for(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine that gives up on a full pool after ten seconds instead of queueing for ever."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"options": "-c timezone=UTC", "connect_timeout": 10},
    )


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
