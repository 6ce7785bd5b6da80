from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.windows.model import OutsideWindow, Window
from shared.facts import as_at


async def windows_on(session: AsyncSession, day: date) -> list[Window]:
    """The windows open on a day, that with the shortest notice first."""
    found = await session.scalars(select(Window).where(as_at(Window, day)).order_by(Window.notice_months, Window.id))
    return list(found)


async def require_window(session: AsyncSession, notified_on: date, last_day: date) -> Window:
    """The window in which notice was given that may take effect on that last day.

    Raises `OutsideWindow`, `NoticeTooShort`.
    """
    found = await windows_on(session, notified_on)
    if not found:
        raise OutsideWindow(
            f"No window is open on {notified_on}; leaving needs the commissioner's agreement, recorded with its reason."
        )
    found[0].require_notice(notified_on, last_day)
    return found[0]
