from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.model import Allocation
from services.registry.endings import Change, end_with, go_on, last_entry, move_ending
from services.registry.hierarchy.model import Commissioner, CommissionerNotFound
from services.registry.members.moves import moves_since, restatements, spells_of
from services.registry.networks.model import (
    Membership,
    Network,
    NetworkEntry,
    NetworkNotClosed,
    NetworkNotFound,
    NetworkNotOpen,
    NetworkServesPatients,
    Payee,
    PracticeAlreadyMember,
)
from services.registry.networks.queries import lead_of
from services.registry.practices.model import PracticeNotOpen
from services.registry.rounds.queries import require_decider
from shared.clock import london_day
from shared.errors import DomainError, Fault, Invalid
from shared.facts import ONE_DAY, amend, currently_known, days
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce

BROKEN: dict[str, tuple[type[DomainError], str]] = {
    "fk_memberships_network_standing": (NetworkNotOpen, "A membership would lie outside the life of its network."),
    "fk_memberships_practice_standing": (PracticeNotOpen, "A membership would lie outside the life of its practice."),
    "fk_payees_network_standing": (NetworkNotOpen, "A payee would be appointed outside the life of the network."),
    "fk_allocations_network_standing": (NetworkNotOpen, "Patients would be allocated to a network that has closed."),
    "fk_allocations_practice_standing": (PracticeNotOpen, "The list of a practice that has closed would be allocated."),
    "fk_practice_commissioners_practice_standing": (PracticeNotOpen, "A practice that has closed has no commissioner."),
    "ex_memberships_overlap": (PracticeAlreadyMember, "A practice would be a member of two networks at once."),
}
"""What the database itself refuses of the register's facts, and how that is said."""


async def lock_register(session: AsyncSession) -> None:
    """Wait until whoever else names networks and moves members is done: files and joint decisions, one at a time."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext("the register"))))


async def settle_register(session: AsyncSession) -> None:
    """Have the database look now at what it else would when the transaction ends, so that its refusal has a name.

    Raises what `BROKEN` names.
    """
    try:
        async with session.begin_nested():
            await session.flush()
            await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    except IntegrityError as error:
        for name, (refusal, why) in BROKEN.items():
            if name in str(error.orig):
                raise refusal(why) from error
        raise
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))


async def touch_network(session: AsyncSession, code: str, now: datetime) -> Network:
    """A network about to change, locked. Raises `NetworkNotFound`."""
    network = await session.get(Network, code, with_for_update=True)
    if network is None:
        raise NetworkNotFound(f"No network {code}.")
    network.changed_at = now
    return network


async def require_lead(session: AsyncSession, code: str, caller: Caller, day: date, *, today: date) -> str:
    """Only who leads a network on a day, or its heir, decides about its members and its life, and the national team.

    Gives the lead. Raises `NetworkNotOpen` where nobody leads it on that day, `NotYoursToDecide`.
    """
    lead = await lead_of(session, code, day)
    if lead is None:
        raise NetworkNotOpen(f"{code} is not open on {day}.")
    await require_decider(session, lead, caller, max(day, today))
    return lead


async def _own(
    session: AsyncSession, code: str, caller: Caller, day: date | None, if_match: str | None, now: datetime
) -> NetworkEntry:
    """The last entry of a network the caller decides about on a day, or on its last, for a change by version."""
    await lock_register(session)
    network = await session.get(Network, code, with_for_update=True)
    entry = await last_entry(session, NetworkEntry, network=code)
    if network is None or entry is None:
        raise NetworkNotFound(f"No network {code}.")
    last: NetworkEntry = entry
    await require_lead(session, code, caller, day or last.valid_to or last.valid_from, today=london_day(now))
    require_match(network, if_match)
    return last


async def close_network(
    session: AsyncSession,
    code: str,
    closed_on: date,
    *,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Network:
    """A network ends with this day, its members and its payee with it; another day than recorded before is put right.

    Raises `NetworkNotFound`, `NetworkNotOpen`, `NotYoursToDecide`, `NetworkServesPatients`, `Invalid`.
    """
    last = await _own(session, code, caller, None, if_match, now)
    opened = await session.scalar(
        select(func.min(func.lower(NetworkEntry.valid))).where(
            NetworkEntry.network == code, currently_known(NetworkEntry)
        )
    )
    if closed_on < opened:
        fault = Fault("closed_on", "before_opened_on", f"{closed_on} lies before {opened}.")
        raise Invalid("The network closes after it opened.", errors=[fault])
    await _refuse_serving(session, code, closed_on)
    return await _ends(session, last, closed_on, Change(reason, caller.subject, now))


async def reopen_network(
    session: AsyncSession, code: str, *, reason: str, caller: Caller, if_match: str | None, now: datetime
) -> Network:
    """A closure recorded in error never was: the network, and what ended with it, goes on.

    Raises `NetworkNotFound`, `NetworkNotClosed`, `NotYoursToDecide`.
    """
    last = await _own(session, code, caller, None, if_match, now)
    if last.valid_to is None:
        raise NetworkNotClosed(f"{code} has no closing day.")
    return await _ends(session, last, None, Change(reason, caller.subject, now))


async def _ends(session: AsyncSession, last: NetworkEntry, closed_on: date | None, change: Change) -> Network:
    code = last.network
    network = await touch_network(session, code, change.now)
    members = (await session.scalars(select(Membership.practice).where(Membership.network == code).distinct())).all()
    before = await spells_of(session, members)
    ended = await move_ending(session, NetworkEntry, closed_on, change, network=code)
    if ended is not None:
        await go_on(session, Membership, ended, closed_on, place="practice", change=change, network=code)
        await go_on(session, Payee, ended, closed_on, place="network", change=change, network=code)
    elif closed_on is not None:
        await end_with(session, Membership, closed_on, change, network=code)
        await end_with(session, Payee, closed_on, change, network=code)
    await settle_register(session)
    announce(session, *await moves_since(session, before, members, restated=[code] if ended else []))
    if closed_on is not None:
        announce(session, last.closed(closed_on))
    await session.flush()
    return network


async def _refuse_serving(session: AsyncSession, code: str, closed_on: date) -> None:
    served = (
        await session.scalars(
            select(Allocation.practice)
            .where(
                currently_known(Allocation),
                Allocation.network == code,
                Allocation.valid.overlaps(days(closed_on + ONE_DAY)),
            )
            .order_by(Allocation.practice)
        )
    ).all()
    if served:
        raise NetworkServesPatients(
            f"{code} serves the lists of {', '.join(served)} after {closed_on}; allocate them elsewhere first."
        )


async def describe_network(
    session: AsyncSession,
    code: str,
    *,
    first: date,
    last: date | None,
    values: Mapping[str, str],
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Network:
    """From a day on, or for some days, the network has this name or this lead; the rest of its entry stays.

    Raises `NetworkNotFound`, `NetworkNotOpen`, `NotYoursToDecide`, `CommissionerNotFound`, `Invalid`.
    """
    if last is not None and last < first:
        fault = Fault("valid_to", "before_valid_from", f"{last} lies before {first}.")
        raise Invalid("The days are not in order.", errors=[fault])
    await _own(session, code, caller, first, if_match, now)
    lead = values.get("commissioner")
    if lead is not None and await session.get(Commissioner, lead) is None:
        raise CommissionerNotFound(f"No commissioner {lead}.")
    explained = {**values, "reason": reason, "recorded_by": caller.subject}
    await amend(session, NetworkEntry, now=now, days=days(first, last), values=explained, network=code)
    network = await touch_network(session, code, now)
    await settle_register(session)
    announce(session, *await restatements(session, [code]))
    await session.flush()
    return network
