from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.registry.applications.history import ApplicationVersion
from services.registry.applications.model import Application, ApplicationPractice
from services.registry.applications.refusals import ApplicationNotFound
from services.registry.scope import area_of
from shared.identity import Caller, Role


async def visible_applications(session: AsyncSession, caller: Caller, today: date) -> ColumnElement[bool]:
    """Applications of the caller's area, of its network, of its practices, those it wrote and those naming it payee."""
    area = await area_of(session, caller, today)
    if area is None:
        return true()
    seen: list[ColumnElement[bool]] = [Application.commissioner.in_(area)] if area else []
    if caller.has(Role.NETWORK):
        seen.append(Application.network.in_(caller.organisations))
        seen.append(Application.proposed_code.in_(caller.organisations))
    if caller.has(Role.NETWORK, Role.PRACTICE):
        ours = select(ApplicationPractice.application).where(ApplicationPractice.practice.in_(caller.organisations))
        seen += [Application.id.in_(ours), Application.created_by == caller.subject]
    if caller.has(Role.PAYEE):
        seen.append(Application.payee.in_(caller.organisations))
    return or_(*seen) if seen else false()


async def find_application(
    session: AsyncSession, id: str, caller: Caller, today: date, *, lock: bool = False
) -> Application:
    """An application the caller may see, with its practices. Raises `ApplicationNotFound`."""
    statement = (
        select(Application)
        .where(Application.id == id, await visible_applications(session, caller, today))
        .options(selectinload(Application.practices))
        .execution_options(populate_existing=True)
    )
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise ApplicationNotFound(f"No application {id}.")
    return found


async def recall_application(
    session: AsyncSession, id: str, caller: Caller, today: date, known_at: datetime
) -> Application:
    """An application the caller may see, as it was known at a moment. Raises `ApplicationNotFound`."""
    found = await find_application(session, id, caller, today)
    then = select(ApplicationVersion.state).where(
        ApplicationVersion.application == id, ApplicationVersion.id == ApplicationVersion.latest(known_at)
    )
    state = await session.scalar(then)
    if state is None:
        raise ApplicationNotFound(f"No application {id} was known then.")
    return Application.remembered({**state, "version": found.version})
