"""Whose patients outside every network a network serves: all that the registry said of it, in the order it said it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.model import Allocation, AllocationWord
from shared.events.registry import AllocationEnded, PatientsAllocated
from shared.facts import ONE_DAY, currently_known, days, since


class Spell(NamedTuple):
    """A network serves a practice's patients from `begin` to before `end`, as the event at `position` said."""

    network: str
    begin: date
    end: date
    position: int

    def without(self, begin: date, end: date) -> list[Spell]:
        """What is left of it outside these days."""
        pieces = ((self.begin, min(self.end, begin)), (max(self.begin, end), self.end))
        return [self._replace(begin=first, end=after) for first, after in pieces if first < after]


async def allocate_patients(session: AsyncSession, event: PatientsAllocated, position: int, now: datetime) -> None:
    """The list of a practice is served by a network, and by no other on those days."""
    await _hear(session, event.practice, event.network, days(event.valid_from, event.valid_to), position, now)


async def end_allocation(session: AsyncSession, event: AllocationEnded, position: int, now: datetime) -> None:
    """The network serves these patients no longer; what newer news says of those days stays."""
    first = max(event.valid_from, event.valid_to + ONE_DAY)
    if event.until is None or event.until >= first:
        await _hear(session, event.practice, event.network, days(first, event.until), position, now, ends=True)


async def _hear(
    session: AsyncSession,
    practice: str,
    network: str,
    valid: Range[date],
    position: int,
    now: datetime,
    *,
    ends: bool = False,
) -> None:
    """Believe from now on what all that was said comes to; news of several networks arrive in any order."""
    # two events of one practice and different networks may be handled at once
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": practice})
    word = {"practice": practice, "position": position, "valid": valid, "network": network, "ends": ends}
    await session.execute(insert(AllocationWord).values(word).on_conflict_do_nothing())
    said = select(AllocationWord).where(AllocationWord.practice == practice)
    wanted = set(standing((await session.scalars(said.order_by(AllocationWord.position))).all()))
    believed = select(Allocation).where(Allocation.practice == practice, currently_known(Allocation))
    for fact in (await session.scalars(believed.order_by(func.lower(Allocation.valid)).with_for_update())).all():
        spell = Spell(fact.network, *_ends_of(fact.valid), fact.position)
        if spell in wanted:
            wanted.discard(spell)
        elif fact.known.lower is not None and fact.known.lower >= now:
            await session.delete(fact)
        else:
            fact.known = Range(fact.known.lower, now)
    await session.flush()
    session.add_all(
        Allocation(
            network=spell.network,
            practice=practice,
            valid=Range(spell.begin, None if spell.end == date.max else spell.end),
            known=since(now),
            position=spell.position,
        )
        for spell in sorted(wanted)
    )
    await session.flush()


def standing(words: Iterable[AllocationWord]) -> list[Spell]:
    """What words of one practice, in the order they were said, leave standing."""
    spells: list[Spell] = []
    for word in words:
        begin, end = _ends_of(word.valid)
        spells = [
            left
            for spell in spells
            for left in (spell.without(begin, end) if not word.ends or spell.network == word.network else [spell])
        ]
        if not word.ends:
            spells.append(Spell(word.network, begin, end, word.position))
    return spells


def _ends_of(valid: Range[date]) -> tuple[date, date]:
    return valid.lower or date.min, valid.upper or date.max
