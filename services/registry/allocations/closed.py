"""Lists of practices that have closed: served, or dispersed, until patients are counted again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Result, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.model import Allocation, PracticeAlreadyAllocated
from services.registry.practices.model import (
    ListWentOver,
    PatientsDispersed,
    PracticeCommissioner,
    PracticeDispersal,
    PracticeEntry,
    PracticeNotOpen,
    PracticeSuccession,
)
from services.registry.practices.queries import PracticeNotFound
from shared.events import Event
from shared.facts import ONE_DAY, another, currently_known, days, left_over, withdraw


@dataclass(frozen=True, slots=True)
class Whose:
    """Who commissions a practice, or did until it closed; `closed_on` its last day where it is closed."""

    commissioner: str
    closed_on: date | None


async def whose_list(session: AsyncSession, practice: str, first: date, last: date | None) -> Whose:
    """Whose the list of a practice is on these days: those of its life, or those since it closed.

    Raises `PracticeNotFound` where it had not opened yet, `PracticeNotOpen` where it closes or opens anew on the way,
    `ListWentOver`, `PatientsDispersed`.
    """
    lives = await _believed(session, PracticeEntry, practice)
    spells = await _believed(session, PracticeCommissioner, practice)
    begun = [life for life in lives if life.valid_from <= first]
    held = [spell for spell in spells if spell.valid_from <= first]
    if not begun or not held:
        raise PracticeNotFound(f"No practice {practice} on {first}.")
    closed_on = begun[-1].valid_to
    if closed_on is None or first <= closed_on:
        return Whose(held[-1].commissioner, None)
    again = next((life.valid_from for life in lives if life.valid_from > first), None)
    if again is not None and (last is None or last >= again):
        raise PracticeNotOpen(
            f"{practice} closed on {closed_on} and opens anew on {again}: say it up to the day before."
        )
    on = days(first, last)
    await refuse_gone_over(session, practice, on)
    for dispersal in await _believed(session, PracticeDispersal, practice):
        if dispersal.valid.overlaps(on):
            message = f"The patients of {practice} are registered elsewhere from {dispersal.valid_from} on."
            raise PatientsDispersed(message)
    return Whose(held[-1].commissioner, closed_on)


async def refuse_gone_over(session: AsyncSession, practice: str, on: Range[date]) -> None:
    """Raises `ListWentOver` where the list is its successor's on these days."""
    for succession in await _believed(session, PracticeSuccession, practice):
        if succession.valid.overlaps(on):
            message = (
                f"{practice} went over into {succession.successor} on {succession.valid_from}, and its list with it."
            )
            raise ListWentOver(message)


async def refuse_served(session: AsyncSession, practice: str, on: Range[date]) -> None:
    """Raises `PracticeAlreadyAllocated` where a network serves the list on these days."""
    for held in await _believed(session, Allocation, practice):
        if held.valid.overlaps(on):
            by = held.network or held.application
            message = f"{by} serves the list of {practice} from {held.valid_from} on; end that first."
            raise PracticeAlreadyAllocated(message)


async def _believed(session: AsyncSession, model: type[Any], practice: str) -> Sequence[Any]:
    statement = select(model).where(model.practice == practice, currently_known(model))
    return (await session.scalars(statement.order_by(func.lower(model.valid)))).all()


async def follow_lives(session: AsyncSession, now: datetime, practices: Collection[str] | None = None) -> list[Event]:
    """What was said of the lists of closed practices holds on no day on which one is open, or went over into another.

    Gives what readers of allocations are to be told; of these practices, or of all.
    """
    await session.flush()
    events: list[Event] = []
    for model in (Allocation, PracticeDispersal):
        for fact, taken in await _overtaken(session, model, practices):
            left = left_over(fact.valid, taken)
            if isinstance(fact, Allocation):
                events += _told(fact, left)
            for part in left_over(fact.valid, left):
                await withdraw(session, model, now=now, days=part, practice=fact.practice)
    await session.flush()
    return events


async def _overtaken(
    session: AsyncSession, model: type[Allocation] | type[PracticeDispersal], practices: Collection[str] | None
) -> list[tuple[Allocation | PracticeDispersal, list[Range[date]]]]:
    """Each fact about a closed list with days on which it is not one, and those days."""
    found: dict[int, tuple[Allocation | PracticeDispersal, list[Range[date]]]] = {}
    for over in (PracticeEntry, PracticeSuccession):
        statement = (
            select(model, over.valid)
            .join(over, over.practice == model.practice)
            .where(currently_known(model), currently_known(over), over.valid.overlaps(model.valid))
            .order_by(model.fact_id)
        )
        if model is Allocation:
            statement = statement.where(Allocation.after_closing)
        if practices is not None:
            statement = statement.where(model.practice.in_(practices))
        facts: Result[Any, Any] = await session.execute(statement)
        for fact, days_of_it in facts:
            found.setdefault(fact.fact_id, (fact, []))[1].append(days_of_it)
    return list(found.values())


def _told(held: Allocation, left: Sequence[Range[date]]) -> list[Event]:
    """An allocation that goes on with these days of its own alone."""
    if len(left) == 1 and left[0].lower == held.valid.lower and left[0].upper is not None:
        ended = held.ended(left[0].upper - ONE_DAY)
        return [] if ended is None else [ended]
    never = held.ended(None)
    if never is None or held.network is None:
        return []
    return [never, *(another(held, part, held.known).served_by(held.network) for part in left)]
