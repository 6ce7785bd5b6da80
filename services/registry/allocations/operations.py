from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, exists, false, or_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.model import (
    Allocation,
    AllocationNotFound,
    PracticeAlreadyAllocated,
    PracticeIsMember,
)
from services.registry.applications.model import ApplicationStatus
from services.registry.applications.queries import find_application
from services.registry.networks.model import Membership, NetworkEntry, NetworkNotFound
from services.registry.practices.model import Practice, PracticeCommissioner
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import Round
from services.registry.rounds.queries import find_round, require_decider
from services.registry.scope import area_of
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.facts import as_at, currently_known, days, since
from shared.identity import Caller, Role
from shared.messaging import announce


async def visible_allocations(session: AsyncSession, caller: Caller, today: date) -> ColumnElement[bool]:
    """Allocations of the caller's area, of its practices and to its network."""
    area = await area_of(session, caller, today)
    if area is None:
        return true()
    seen: list[ColumnElement[bool]] = [Allocation.commissioner.in_(area)] if area else []
    if caller.has(Role.NETWORK, Role.PRACTICE):
        seen.append(Allocation.practice.in_(caller.organisations))
        seen.append(Allocation.network.in_(caller.organisations))
    return or_(*seen) if seen else false()


async def find_allocation(session: AsyncSession, id: str, caller: Caller, today: date) -> Allocation:
    """What is believed now of an allocation the caller may see."""
    visible = await visible_allocations(session, caller, today)
    statement = select(Allocation).where(Allocation.id == id, currently_known(Allocation), visible).limit(1)
    found = await session.scalar(statement.order_by(Allocation.fact_id))
    if found is None:
        raise AllocationNotFound(f"No allocation {id}.")
    return found


async def allocate_patients(
    session: AsyncSession,
    *,
    caller: Caller,
    practice: str,
    network: str | None,
    application: str | None,
    first: date,
    last: date | None,
    reason: str,
    round: str | None,
    now: datetime,
) -> Allocation:
    """Have the list of a practice outside every network served by a network of the area, or by one that applies.

    Raises `Invalid`, `PracticeNotFound`, `NotYoursToDecide`, `NetworkNotFound`, `ApplicationNotFound`,
    `PracticeIsMember`, `PracticeAlreadyAllocated`.
    """
    _check(network, application, first, last)
    commissioner = await session.scalar(
        select(PracticeCommissioner.commissioner).where(
            PracticeCommissioner.practice == practice, as_at(PracticeCommissioner, first)
        )
    )
    if commissioner is None or await session.get(Practice, practice) is None:
        raise PracticeNotFound(f"No practice {practice} on that day.")
    await require_decider(session, commissioner, caller)
    await _lock_rounds(session, commissioner)
    if round is not None:
        (await find_round(session, round, caller, london_day(now))).require_open()
    if network is not None:
        held = exists().where(NetworkEntry.network == network, as_at(NetworkEntry, first))
        if not await session.scalar(select(held)):
            raise NetworkNotFound(f"No network {network} on that day.")
    else:
        applied = await find_application(session, application or "", caller, london_day(now))
        if applied.status is ApplicationStatus.APPROVED:
            network = applied.network
        elif applied.status is ApplicationStatus.REFUSED:
            fault = Fault("application", "refused", "The application was refused.")
            raise Invalid("A refused application serves nobody.", errors=[fault])
        else:
            (await session.get_one(Round, applied.round)).require_open()
    await _refuse_members(session, practice, first, last)
    made = Allocation(
        id=new_id("all"),
        practice=practice,
        commissioner=commissioner,
        network=network,
        application=application,
        round=round,
        reason=reason,
        made_by=caller.subject,
        valid=days(first, last),
        known=since(now),
    )
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        if "ex_allocations_overlap" in str(error.orig):
            raise PracticeAlreadyAllocated(f"The list of {practice} is allocated on these days already.") from error
        raise
    if network is not None:
        announce(session, made.served_by(network))
    return made


def _check(network: str | None, application: str | None, first: date, last: date | None) -> None:
    faults = []
    if (network is None) == (application is None):
        faults.append(Fault("network", "one_of_two", "Name a network or an application, one of the two."))
    if last is not None and last < first:
        faults.append(Fault("valid_to", "before_valid_from", f"{last} lies before {first}."))
    if faults:
        raise Invalid("The allocation is not complete.", errors=faults)


async def _lock_rounds(session: AsyncSession, commissioner: str) -> None:
    """An allocation changes who is covered, so it waits for a decision under way and the other way round."""
    await session.execute(
        select(Round.id).where(Round.commissioner == commissioner).order_by(Round.id).with_for_update()
    )


async def _refuse_members(session: AsyncSession, practice: str, first: date, last: date | None) -> None:
    network = await session.scalar(
        select(Membership.network).where(
            currently_known(Membership), Membership.practice == practice, Membership.valid.overlaps(days(first, last))
        )
    )
    if network is not None:
        raise PracticeIsMember(f"{practice} is a core member of {network}; its patients are covered by it.")
