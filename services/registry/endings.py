"""What ends with its network or its practice, and goes on where that ending was recorded in error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.facts import ONE_DAY, Dated, another, currently_known, days, record, since, withdraw


@dataclass(frozen=True, slots=True)
class Change:
    """Why something is recorded, by whom, and when the register learns of it."""

    reason: str
    by: str
    now: datetime


def _of(model: type[Dated], key: dict[str, Any]) -> list[ColumnElement[bool]]:
    return [currently_known(model), *(getattr(model, name) == value for name, value in key.items())]


async def end_with(session: AsyncSession, model: type[Dated], last_day: date, change: Change, **key: Any) -> int:
    """From now on nothing is believed of the key after this day; what ends there says why. Gives how much ended."""
    touched = await withdraw(session, model, now=change.now, days=days(last_day + ONE_DAY), **key)
    await session.flush()
    begun_now = func.lower(model.known) == change.now
    for fact in await session.scalars(
        select(model).where(*_of(model, key), begun_now, func.upper(model.valid) == last_day + ONE_DAY)
    ):
        _explain(fact, change)
    return touched


async def go_on(
    session: AsyncSession,
    model: type[Dated],
    ended: Dated,
    until: date | None,
    *,
    place: str,
    change: Change,
    **key: Any,
) -> None:
    """What ended with an entry, in the same breath, lasts as long as the entry now does.

    Where something else of the same `place` has come after it, that stands.
    """
    if ended.valid.upper is None:
        return
    later = days(ended.valid.upper, until)
    together = func.lower(model.known) == ended.known.lower
    held = (
        await session.scalars(
            select(model).where(*_of(model, key), together, func.upper(model.valid) == ended.valid.upper)
        )
    ).all()
    column = getattr(model, place)
    taken = set(
        await session.scalars(
            select(column).where(
                currently_known(model), model.valid.overlaps(later), column.in_([getattr(f, place) for f in held])
            )
        )
    )
    for fact in held:
        if getattr(fact, place) not in taken:
            longer = another(fact, days(fact.valid_from, until), since(change.now))
            _explain(longer, change)
            await withdraw(session, model, now=change.now, days=fact.valid, fact_id=fact.fact_id)
            session.add(longer)
    await session.flush()


def _explain(fact: Any, change: Change) -> None:
    if hasattr(fact, "recorded_by"):
        fact.reason, fact.recorded_by = change.reason, change.by


async def last_entry(session: AsyncSession, model: type[Dated], **key: str) -> Any:
    """The last version of a register entry, as believed now; `None` where nothing is."""
    found = await session.scalars(
        select(model).where(*_of(model, key)).order_by(func.lower(model.valid).desc()).limit(1)
    )
    return found.first()


async def move_ending(
    session: AsyncSession, model: type[Dated], last_day: date | None, change: Change, **key: str
) -> Dated | None:
    """An entry ends on another day than was believed, or not at all; gives the version that ended before, if it did.

    Gives `None` where the entry now ends sooner, for then what rests on it is to be ended too.
    """
    held = await last_entry(session, model, **key)
    ended: Dated | None = None
    if held is not None and held.valid_to is not None and (last_day is None or last_day > held.valid_to):
        ended = another(held, held.valid, held.known)
        longer = another(held, days(held.valid_from, last_day), since(change.now))
        _explain(longer, change)
        (name,) = key
        await record(session, longer, key=[name], now=change.now)
    elif last_day is not None:
        await end_with(session, model, last_day, change, **key)
    return ended
