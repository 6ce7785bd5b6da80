from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.windows.model import Window, WindowNotFound, WindowReason, WindowWithdrawn
from shared.audit import audit
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.facts import believed, days, record, withdraw
from shared.http import require_match
from shared.identity import Caller


def _check(opens_on: date, closes_on: date) -> None:
    if closes_on < opens_on:
        fault = Fault("closes_on", "before_opens_on", f"{closes_on} lies before {opens_on}.")
        raise Invalid("The days of the window are not in order.", errors=[fault])


async def open_window(
    session: AsyncSession,
    *,
    contract_year: str,
    why: WindowReason,
    opens_on: date,
    closes_on: date,
    notice_months: int,
    reason: str,
    caller: Caller,
    now: datetime,
) -> Window:
    """Record the days on which practices may choose for a contract year. Raises `Invalid`."""
    _check(opens_on, closes_on)
    window = Window(
        id=new_id("win"),
        contract_year=contract_year,
        why=why,
        notice_months=notice_months,
        valid=days(opens_on, closes_on),
        reason=reason,
        recorded_by=caller.subject,
    )
    await record(session, window, key=["id"], now=now)
    return window


async def find_window(
    session: AsyncSession, id: str, known_at: datetime | None = None, *, lock: bool = False
) -> Window:
    """A window as known now or then. Raises `WindowNotFound`."""
    belief = believed(Window, known_at)
    statement = select(Window).where(Window.id == id, belief)
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise WindowNotFound(f"No window {id}.")
    return found


async def _held(session: AsyncSession, id: str, if_match: str | None) -> Window:
    try:
        held = await find_window(session, id, lock=True)
    except WindowNotFound:
        if await session.scalar(select(Window.fact_id).where(Window.id == id).limit(1)) is None:
            raise
        raise WindowWithdrawn(f"The window {id} was withdrawn.") from None
    require_match(held, if_match)
    return held


async def correct_window(
    session: AsyncSession,
    id: str,
    *,
    opens_on: date,
    closes_on: date,
    notice_months: int,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Window:
    """Put right the days or the notice of a window, as when it is extended; moves made in it stay as they are.

    Raises `WindowNotFound`, `WindowWithdrawn`, `Invalid`.
    """
    _check(opens_on, closes_on)
    held = await _held(session, id, if_match)
    right = Window(
        id=id,
        contract_year=held.contract_year,
        why=held.why,
        notice_months=notice_months,
        valid=days(opens_on, closes_on),
        reason=reason,
        recorded_by=caller.subject,
    )
    await withdraw(session, Window, now=now, days=held.valid, id=id)
    await record(session, right, key=["id"], now=now)
    return right


async def withdraw_window(session: AsyncSession, id: str, *, reason: str, if_match: str | None, now: datetime) -> None:
    """A window recorded in error is believed no longer. Raises `WindowNotFound`, `WindowWithdrawn`."""
    held = await _held(session, id, if_match)
    audit(session, action="withdrawn", record=f"windows/{id}", after={"reason": reason})
    await withdraw(session, Window, now=now, days=held.valid, id=id)
