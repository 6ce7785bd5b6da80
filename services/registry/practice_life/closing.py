"""Practices close, merge into others, and turn out not to have closed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.closed import follow_lives
from services.registry.allocations.model import Allocation
from services.registry.endings import Change, end_with, go_on, last_entry, move_ending
from services.registry.members.moves import moves_since, spells_of
from services.registry.networks.model import Membership
from services.registry.networks.operations import settle_register
from services.registry.practice_life.operations import change_practice, commissioner_of, tell_practice
from services.registry.practices.model import (
    Practice,
    PracticeCommissioner,
    PracticeEntry,
    PracticeNotClosed,
    PracticeNotOpen,
    PracticeStatus,
    PracticeSucceedsItself,
    PracticeSuccession,
)
from services.registry.practices.queries import PracticeNotFound
from services.registry.splits.model import Split
from shared.clock import london_day
from shared.errors import Fault, Invalid
from shared.events import Event
from shared.facts import ONE_DAY, Dated, as_at, currently_known, days, record, withdraw
from shared.identity import Caller
from shared.messaging import announce

ENDS_WITH_PRACTICE: tuple[tuple[type[Dated], dict[str, Any]], ...] = (
    (Membership, {}),
    (PracticeCommissioner, {}),
    (Allocation, {"after_closing": False}),
    (Split, {}),
)


async def close_practice(
    session: AsyncSession,
    code: str,
    closed_on: date,
    *,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Practice:
    """A practice has this last day, its membership and its allocation with it; another than before is put right.

    Raises `PracticeNotFound`, `NotYoursToDecide`, `Invalid`.
    """
    practice = await change_practice(session, code, caller, closed_on, if_match, now)
    change = Change(reason, caller.subject, now)
    await _ends(session, practice, closed_on, change)
    if await _stays_over(session, code, change):
        await tell_practice(session, practice, now)
    return practice


async def _stays_over(session: AsyncSession, code: str, change: Change) -> bool:
    """Where it never opened anew after a succession, the succession goes on; says whether that was so."""
    last: PracticeEntry = await last_entry(session, PracticeEntry, practice=code)
    ended: PracticeSuccession | None = await last_entry(session, PracticeSuccession, practice=code)
    if last.valid_to is None or ended is None or ended.valid_to is None or ended.valid_from <= last.valid_to:
        return False
    succession = PracticeSuccession(
        practice=code,
        successor=ended.successor,
        valid=days(ended.valid_from),
        reason=change.reason,
        recorded_by=change.by,
    )
    await record(session, succession, key=["practice"], now=change.now)
    announce(session, *await follow_lives(session, change.now, [code]))
    return True


async def _opened_last(session: AsyncSession, code: str) -> date:
    """The day since which a practice is, or was at its end, open without a gap."""
    statement = select(PracticeEntry.valid).where(PracticeEntry.practice == code, currently_known(PracticeEntry))
    spans = (await session.scalars(statement.order_by(func.lower(PracticeEntry.valid).desc()))).all()
    first = date.max
    for span in spans:
        if span.lower is None or (first != date.max and span.upper != first):
            break
        first = span.lower
    return first


async def reopen_closed(
    session: AsyncSession, code: str, *, reason: str, caller: Caller, if_match: str | None, now: datetime
) -> Practice:
    """A closure recorded in error never was, nor the succession of that day: the practice and what ended with it go on.

    Raises `PracticeNotFound`, `PracticeNotClosed`, `NotYoursToDecide`.
    """
    practice = await change_practice(session, code, caller, london_day(now), if_match, now)
    last = await last_entry(session, PracticeEntry, practice=code)
    if last is None or last.valid_to is None:
        raise PracticeNotClosed(f"{code} has no closing day.")
    await withdraw(session, PracticeSuccession, now=now, days=days(await _opened_last(session, code)), practice=code)
    await _ends(session, practice, None, Change(reason, caller.subject, now))
    return practice


async def _ends(session: AsyncSession, practice: Practice, closed_on: date | None, change: Change) -> None:
    code = practice.code
    last: PracticeEntry = await last_entry(session, PracticeEntry, practice=code)
    opened = await session.scalar(
        select(func.min(func.lower(PracticeEntry.valid))).where(
            PracticeEntry.practice == code, currently_known(PracticeEntry)
        )
    )
    if closed_on is not None and closed_on < opened:
        fault = Fault("closed_on", "before_opened_on", f"{closed_on} lies before {opened}.")
        raise Invalid("A practice closes after it opened.", errors=[fault])
    before = await spells_of(session, [code])
    commissioner = await commissioner_of(session, code, closed_on or london_day(change.now)) or ""
    events: list[Event] = []
    ended = await move_ending(session, PracticeEntry, closed_on, change, practice=code)
    if ended is not None:
        events += await follow_lives(session, change.now, [code])
        for model, which in ENDS_WITH_PRACTICE:
            await go_on(session, model, ended, closed_on, place="practice", change=change, practice=code, **which)
        again = select(Allocation).where(
            Allocation.practice == code, ~Allocation.after_closing, func.lower(Allocation.known) == change.now
        )
        events += [a.served_by(a.network) for a in await session.scalars(again) if a.network is not None]
    elif closed_on is not None:
        events += await _allocations_end(session, code, closed_on)
        for model, which in ENDS_WITH_PRACTICE:
            await end_with(session, model, closed_on, change, practice=code, **which)
    await settle_register(session)
    announce(session, *await moves_since(session, before, [code]), *events)
    if closed_on is None or ended is not None:
        await tell_practice(session, practice, change.now)
    if closed_on is not None:
        announce(session, last.closed(commissioner, closed_on))
    await session.flush()


async def _allocations_end(session: AsyncSession, code: str, closed_on: date) -> list[Event]:
    held = await session.scalars(
        select(Allocation).where(
            Allocation.practice == code,
            ~Allocation.after_closing,
            currently_known(Allocation),
            Allocation.valid.overlaps(days(closed_on + ONE_DAY)),
        )
    )
    ended = [fact.ended(closed_on if fact.valid_from <= closed_on else None) for fact in held]
    return [event for event in ended if event is not None]


async def _last_seen_open(session: AsyncSession, code: str, last_day: date) -> date:
    """The day by which it is told whether a practice was open to its merger: its last one as believed until now, where
    a merger that was recorded too early is put right.
    """
    last: PracticeEntry | None = await last_entry(session, PracticeEntry, practice=code)
    over: PracticeSuccession | None = await last_entry(session, PracticeSuccession, practice=code)
    if last is None or over is None or last.valid_to is None or over.valid_from != last.valid_to + ONE_DAY:
        return last_day
    return min(last_day, last.valid_to)


async def succeed_practice(
    session: AsyncSession,
    code: str,
    successor: str,
    succeeded_on: date,
    *,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Practice:
    """A practice goes over into another, whose membership goes on; list sizes stay where they were counted.

    What was recorded of its merger before is put right: another day, earlier or later, or another successor.

    Raises `PracticeNotFound`, `PracticeSucceedsItself`, `PracticeNotOpen`, `NotYoursToDecide`.
    """
    last_day = succeeded_on - ONE_DAY
    practice = await change_practice(session, code, caller, last_day, if_match, now)
    if successor == code:
        raise PracticeSucceedsItself(f"{code} cannot go over into itself.")
    for who, day in ((successor, succeeded_on), (code, await _last_seen_open(session, code, last_day))):
        status = await session.scalar(
            select(PracticeEntry.status).where(PracticeEntry.practice == who, as_at(PracticeEntry, day))
        )
        if status is None and await session.get(Practice, who) is None:
            raise PracticeNotFound(f"No practice {who}.")
        if status is None or status is PracticeStatus.PROPOSED:
            raise PracticeNotOpen(f"{who} is not open on {day}.")
    succession = PracticeSuccession(
        practice=code, successor=successor, valid=days(succeeded_on), reason=reason, recorded_by=caller.subject
    )
    # those before it opened anew have ended, and stand
    await withdraw(session, PracticeSuccession, now=now, days=days(await _opened_last(session, code)), practice=code)
    await record(session, succession, key=["practice"], now=now)
    await _ends(session, practice, last_day, Change(reason, caller.subject, now))
    announce(session, *await follow_lives(session, now, [code]))
    announce(session, succession.succeeded(await commissioner_of(session, code, last_day) or ""))
    await session.flush()
    return practice
