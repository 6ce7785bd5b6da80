"""Rows that many events write by the same statement, written together once all events of a transaction are read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.coverage.operations import count_touched

_WAITING = "reporting.waiting"


def write_later(session: AsyncSession, statement: TextClause, values: Mapping[str, Any]) -> None:
    """Have the statement run before this transaction commits, after and before others of its own as they were given.

    Only for statements whose effect does not depend on what other statements of the transaction did before them.
    """
    session.info.setdefault(_WAITING, {}).setdefault(statement, []).append(values)


async def finish(session: AsyncSession, now: datetime) -> None:
    """Write what waits, each statement once for all its rows, then count how practices are covered."""
    waiting: dict[TextClause, list[Mapping[str, Any]]] = session.info.pop(_WAITING, {})
    for statement, rows in waiting.items():
        await session.execute(statement, rows)
    await count_touched(session, now)
