"""Point reads: one row by its key, asked for so often that the statement should cost no more than its answer.

The select is put together by SQLAlchemy as everywhere, once, and run by the driver alone, with no session and no result
objects between. It suits columns of plain types: what comes back is as psycopg reads it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from sqlalchemy import BindParameter, Select, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import greenlet_spawn

T = TypeVar("T")

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]

Lend = Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]


def place(name: str, type_: TypeEngine[T]) -> BindParameter[T]:
    """Where a value goes that is given each time a point read is asked."""
    return bindparam(name, None, type_=type_)


class Point:
    """A select of one row, compiled, with a `place` for every value that changes."""

    __slots__ = ("_given", "_text")

    def __init__(self, statement: Select[Any]) -> None:
        # lists of the caller's organisations become one place each, as the driver wants them
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._given = {name: value for name, value in compiled.params.items() if value is not None}

    async def on(self, connection: AsyncConnection[Any], values: dict[str, Any]) -> dict[str, Any] | None:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._text, {**self._given, **values}, prepare=True)
            return await cursor.fetchone()


class Points:
    """Where point reads find a connection: `lend` gives one that begins no transaction."""

    def __init__(self, lend: Lend) -> None:
        self._lend = lend

    async def row(self, point: Point, **values: Any) -> dict[str, Any] | None:
        """The row a point read finds, by column, or nothing."""
        async with self._lend() as connection:
            return await point.on(connection, values)


def lending(engine: AsyncEngine) -> Lend:
    """Connections of an engine's pool as the driver knows them."""

    @contextlib.asynccontextmanager
    async def lend() -> AsyncIterator[AsyncConnection[Any]]:
        lent = await engine.raw_connection()
        driver = lent.driver_connection
        assert isinstance(driver, AsyncConnection)  # noqa: S101 - the only driver this house has
        try:
            yield driver
        except psycopg.Error:
            if driver.broken:
                await greenlet_spawn(lent.invalidate)
            raise
        finally:
            lent.close()

    return lend
