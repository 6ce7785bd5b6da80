from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import ColumnElement, exists, false, or_, select, true
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.closed import whose_list
from services.registry.allocations.model import (
    Allocation,
    AllocationNotFound,
    PracticeAlreadyAllocated,
    PracticeIsMember,
)
from services.registry.applications.form import ApplicationPractice
from services.registry.applications.model import Application, ApplicationStatus
from services.registry.applications.queries import find_application
from services.registry.networks.model import Membership, NetworkEntry, NetworkNotFound
from services.registry.networks.operations import lock_register, settle_register
from services.registry.rounds.model import Round
from services.registry.rounds.queries import find_round, require_decider
from services.registry.scope import area_of
from shared.audit import audit
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.facts import another, as_at, believed, currently_known, days, since, withdraw
from shared.http import require_etag
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


async def find_allocation(
    session: AsyncSession,
    id: str,
    caller: Caller,
    today: date,
    *,
    as_at: date | None = None,
    known_at: datetime | None = None,
    lock: bool = False,
) -> Allocation:
    """What is believed now, or was then, of an allocation the caller may see. Raises `AllocationNotFound`."""
    visible = await visible_allocations(session, caller, today)
    known = believed(Allocation, known_at)
    statement = select(Allocation).where(Allocation.id == id, known, visible).order_by(Allocation.fact_id).limit(1)
    if as_at is not None:
        statement = statement.where(Allocation.valid.contains(as_at))
    found = await session.scalar(statement.with_for_update() if lock else statement)
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

    Or the list of a practice that has closed, from any day after its last.

    Raises `Invalid`, `PracticeNotFound`, `NotYoursToDecide`, `NetworkNotFound`, `ApplicationNotFound`,
    `PracticeIsMember`, `PracticeAlreadyAllocated`, `ListWentOver`, `PatientsDispersed`, `PracticeNotOpen`,
    `NetworkNotOpen`.
    """
    _check(network, application, first, last)
    commissioner = (await whose_list(session, practice, first, last)).commissioner
    await _lock_rounds(session, commissioner)
    await require_decider(session, commissioner, caller, london_day(now))
    whose = await whose_list(session, practice, first, last)
    if round is not None:
        (await find_round(session, round, caller, london_day(now))).require_open()
    let_go: frozenset[str] = frozenset()
    if network is not None:
        await _require_network(session, network, first)
    else:
        applied = await find_application(session, application or "", caller, london_day(now))
        if applied.status is ApplicationStatus.APPROVED:
            network = applied.network
        elif applied.status is ApplicationStatus.REFUSED:
            fault = Fault("application", "refused", "The application was refused.")
            raise Invalid("A refused application serves nobody.", errors=[fault])
        else:
            its_round = await session.get_one(Round, applied.round)
            its_round.require_open()
            if first >= its_round.starts_on:
                let_go = await _let_go(session, its_round.id, practice)
    await _refuse_members(session, practice, first, last, but=let_go)
    made = Allocation(
        id=new_id("all"),
        practice=practice,
        commissioner=commissioner,
        network=network,
        application=application,
        round=round,
        reason=reason,
        made_by=caller.subject,
        after_closing=whose.closed_on is not None,
        valid=days(first, last),
        known=since(now),
    )
    await _add(session, made)
    if network is not None:
        announce(session, made.served_by(network))
    return made


async def _add(session: AsyncSession, made: Allocation) -> None:
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        if "ex_allocations_overlap" in str(error.orig):
            raise PracticeAlreadyAllocated(
                f"The list of {made.practice} is allocated on these days already."
            ) from error
        raise
    await settle_register(session)


async def correct_allocation(
    session: AsyncSession,
    id: str,
    *,
    caller: Caller,
    network: str | None,
    first: date,
    last: date | None,
    reason: str,
    if_match: str | None,
    now: datetime,
) -> Allocation:
    """Say better who serves these patients, or on which days; what was believed before stays answerable.

    Raises `AllocationNotFound`, `NotYoursToDecide`, `NetworkNotFound`, `PracticeIsMember`, `PracticeAlreadyAllocated`,
    `PracticeNotFound`, `ListWentOver`, `PatientsDispersed`, `PracticeNotOpen`, `NetworkNotOpen`.
    """
    held = await _held(session, id, caller, if_match, now)
    _check(network or held.network, None if network or held.network else held.application, first, last)
    if network is not None:
        await _require_network(session, network, first)
    await _refuse_members(session, held.practice, first, last)
    whose = await whose_list(session, held.practice, first, last)
    serving = network or held.network
    made = Allocation(
        id=id,
        practice=held.practice,
        commissioner=held.commissioner,
        network=serving,
        application=held.application if serving == held.network else None,
        round=held.round,
        reason=reason,
        made_by=caller.subject,
        after_closing=whose.closed_on is not None,
        valid=days(first, last),
        known=since(now),
    )
    ended = held.ended(None)
    await withdraw(session, Allocation, now=now, days=Range(None, None), id=id)
    await _add(session, made)
    if ended is not None:
        announce(session, ended)
    if serving is not None:
        announce(session, made.served_by(serving))
    return made


async def end_allocation(
    session: AsyncSession,
    id: str,
    last: date,
    reason: str,
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Allocation:
    """The patients are served under this allocation up to `last`, and no longer.

    Raises `AllocationNotFound`, `NotYoursToDecide`, `Invalid`.
    """
    held = await _held(session, id, caller, if_match, now)
    if last < held.valid_from or (held.valid_to is not None and last > held.valid_to):
        fault = Fault("ends_on", "outside_the_allocation", f"{last} is no day of the allocation.")
        raise Invalid("An allocation ends on one of its days.", errors=[fault])
    ended = held.ended(last)
    made = another(held, days(held.valid_from, last), since(now))
    made.reason, made.made_by = reason, caller.subject
    await withdraw(session, Allocation, now=now, days=Range(None, None), id=id)
    await _add(session, made)
    if ended is not None:
        announce(session, ended)
    return made


async def withdraw_allocation(
    session: AsyncSession, id: str, reason: str, *, caller: Caller, if_match: str | None, now: datetime
) -> Allocation:
    """The allocation was recorded in error: from now on it is believed never to have held.

    Raises `AllocationNotFound`, `NotYoursToDecide`.
    """
    held = await _held(session, id, caller, if_match, now)
    ended = held.ended(None)
    await withdraw(session, Allocation, now=now, days=Range(None, None), id=id)
    # the reason is in no fact that is believed, so the trail keeps it
    audit(session, action="withdrawn", record=f"allocations/{id}", concerns=held.concerns(), after={"reason": reason})
    if ended is not None:
        announce(session, ended)
    return held


async def _held(session: AsyncSession, id: str, caller: Caller, if_match: str | None, now: datetime) -> Allocation:
    """The allocation as believed now, to be changed by who decides the area and by nobody else meanwhile."""
    today = london_day(now)
    commissioner = (await find_allocation(session, id, caller, today)).commissioner
    await _lock_rounds(session, commissioner)
    await require_decider(session, commissioner, caller, today)
    held = await find_allocation(session, id, caller, today, lock=True)
    require_etag(f'"{held.fact_id}"', if_match)
    return held


async def _require_network(session: AsyncSession, network: str, day: date) -> None:
    held = exists().where(NetworkEntry.network == network, as_at(NetworkEntry, day))
    if not await session.scalar(select(held)):
        raise NetworkNotFound(f"No network {network} on that day.")


def _check(network: str | None, application: str | None, first: date, last: date | None) -> None:
    faults = []
    if (network is None) == (application is None):
        faults.append(Fault("network", "one_of_two", "Name a network or an application, one of the two."))
    if last is not None and last < first:
        faults.append(Fault("valid_to", "before_valid_from", f"{last} lies before {first}."))
    if faults:
        raise Invalid("The allocation is not complete.", errors=faults)


async def _lock_rounds(session: AsyncSession, commissioner: str) -> None:
    """An allocation changes who is covered, so it waits for a decision under way and the other way round.

    It waits for whoever moves members too: a list that is allocated and a member's would be paid for twice.
    """
    await session.execute(
        select(Round.id).where(Round.commissioner == commissioner).order_by(Round.id).with_for_update()
    )
    await lock_register(session)


async def _let_go(session: AsyncSession, round: str, practice: str) -> frozenset[str]:
    """Networks that apply in a round to go on without this practice: it is theirs only until the area is decided."""
    keeps = exists().where(ApplicationPractice.application == Application.id, ApplicationPractice.practice == practice)
    statement = select(Application.network).where(
        Application.round == round,
        Application.status == ApplicationStatus.SUBMITTED,
        Application.network.is_not(None),
        ~keeps,
    )
    return frozenset(code for code in await session.scalars(statement) if code)


async def _refuse_members(
    session: AsyncSession, practice: str, first: date, last: date | None, *, but: Collection[str] = ()
) -> None:
    network = await session.scalar(
        select(Membership.network).where(
            currently_known(Membership),
            Membership.practice == practice,
            Membership.valid.overlaps(days(first, last)),
            Membership.network.not_in(but),
        )
    )
    if network is not None:
        raise PracticeIsMember(f"{practice} is a core member of {network}; its patients are covered by it.")
