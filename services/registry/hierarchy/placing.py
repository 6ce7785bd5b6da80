"""Rows of commissioners and systems, and what is said when their places change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Text, any_, literal, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Commissioner, System
from services.registry.ods.reconcile import Reconciled
from shared.events import Event
from shared.events.registry import CommissionerRegistered
from shared.facts import ONE_DAY

PLACED = ("name", "system", "system_name", "region", "region_name")
SYSTEM = PLACED.index("system")


async def enter(session: AsyncSession, model: type[Commissioner] | type[System], codes: Iterable[str]) -> None:
    rows = [{"code": code, "version": 1} for code in sorted(set(codes))]
    if rows:
        await session.execute(insert(model).on_conflict_do_nothing(), rows)


async def touch(
    session: AsyncSession, model: type[Commissioner] | type[System], codes: Iterable[str], now: datetime
) -> None:
    """What is dated about them changed, so whoever read them before must read them again."""
    wanted = any_(literal(sorted(set(codes)), ARRAY(Text)))
    await session.execute(update(model).where(model.code == wanted).values(version=model.version + 1, changed_at=now))


async def note_placed(session: AsyncSession, done: Reconciled, now: datetime) -> None:
    """Enter the systems commissioners came to stand in, and give all that changed a new version."""
    changed = [*done.begun.values(), *done.ended.values()]
    systems = {piece.values[SYSTEM] for pieces in changed for piece in pieces}
    await enter(session, System, systems)
    await touch(session, System, systems, now)
    await touch(session, Commissioner, [code for (code,) in done.changed], now)


def placed_events(done: Reconciled) -> list[Event]:
    """Where commissioners stand from now on, to be announced."""
    return [
        CommissionerRegistered(
            commissioner=code,
            **dict(zip(("commissioner_name", *PLACED[1:]), piece.values, strict=True)),
            valid_from=piece.span[0],
            valid_to=None if piece.span[1] is None else piece.span[1] - ONE_DAY,
        )
        for (code,), pieces in sorted(done.begun.items())
        for piece in pieces
    ]
