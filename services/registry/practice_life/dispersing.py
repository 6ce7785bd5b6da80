"""The patients of a practice that closed with no successor have registered elsewhere, one by one."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.closed import refuse_gone_over, refuse_served
from services.registry.endings import last_entry
from services.registry.practice_life.operations import change_practice, tell_practice
from services.registry.practices.model import (
    Practice,
    PracticeDispersal,
    PracticeEntry,
    PracticeNotClosed,
    PracticeNotDispersed,
)
from shared.audit import audit
from shared.clock import london_day
from shared.facts import ONE_DAY, currently_known, days, record, withdraw
from shared.identity import Caller


async def disperse_list(
    session: AsyncSession,
    code: str,
    first: date,
    *,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Practice:
    """From this day on the patients a closed practice was counted with are registered elsewhere; another day than
    before is put right.

    Raises `PracticeNotFound`, `PracticeNotClosed`, `ListWentOver`, `PracticeAlreadyAllocated`, `NotYoursToDecide`.
    """
    practice = await change_practice(session, code, caller, first, if_match, now)
    last = await last_entry(session, PracticeEntry, practice=code)
    if last is None or last.valid_to is None or first <= last.valid_to:
        raise PracticeNotClosed(f"{code} is not closed on {first}: its patients are on its list.")
    await refuse_gone_over(session, code, days(first))
    await refuse_served(session, code, days(first))
    since_closing = days(last.valid_to + ONE_DAY)
    await withdraw(session, PracticeDispersal, now=now, days=since_closing, practice=code)
    dispersal = PracticeDispersal(practice=code, valid=days(first), reason=reason, recorded_by=caller.subject)
    await record(session, dispersal, key=["practice"], now=now)
    await tell_practice(session, practice, now)
    return practice


async def gather_list(
    session: AsyncSession, code: str, *, reason: str, caller: Caller, if_match: str | None, now: datetime
) -> Practice:
    """That the patients went elsewhere was recorded in error: somebody has to serve the list of the closed practice.

    Raises `PracticeNotFound`, `PracticeNotDispersed`, `NotYoursToDecide`.
    """
    practice = await change_practice(session, code, caller, london_day(now), if_match, now)
    statement = select(PracticeDispersal).where(
        PracticeDispersal.practice == code, currently_known(PracticeDispersal), func.upper_inf(PracticeDispersal.valid)
    )
    held = await session.scalar(statement)
    if held is None:
        raise PracticeNotDispersed(f"The list of {code} was not dispersed.")
    await withdraw(session, PracticeDispersal, now=now, days=held.valid, practice=code)
    # the reason is in no fact that is believed, so the trail keeps it
    record_of = f"practices/{code}/dispersal"
    audit(session, action="withdrawn", record=record_of, concerns=held.concerns(), after={"reason": reason})
    await tell_practice(session, practice, now)
    return practice
