"""Rows that many events write by the same statement, written together once all events of a transaction are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

_WAITING = "reporting.waiting"


def write_later(session: AsyncSession, statement: TextClause, values: Mapping[str, Any]) -> None:
    """Have the statement run before this transaction commits, after and before others of its own as they were given.

    Only for statements whose effect does not depend on what other statements of the transaction did before them.
    """
    _waiting(session).setdefault(statement, []).append(values)


async def write_now(session: AsyncSession, statement: TextClause) -> None:
    """Have what waits of a statement written, because what follows builds on it."""
    rows = _waiting(session).pop(statement, None)
    if rows:
        await session.execute(statement, rows)


async def write_waiting(session: AsyncSession) -> None:
    """Write what waits, each statement once for all its rows."""
    for statement in list(_waiting(session)):
        await write_now(session, statement)


def _waiting(session: AsyncSession) -> dict[TextClause, list[Mapping[str, Any]]]:
    waiting: dict[TextClause, list[Mapping[str, Any]]] = session.info.setdefault(_WAITING, {})
    return waiting
