"""Who acts for a network, and who sees what is private to it: its agreement and its elections."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Membership, Network, NetworkNotFound
from services.registry.networks.queries import lead_of, speaks_for
from services.registry.scope import area_of
from shared.clock import london_day
from shared.errors import Forbidden
from shared.facts import currently_known, days
from shared.identity import Caller, Role


class NotYoursToActFor(Forbidden):
    """Only the network itself, its lead commissioner or the national team acts for it."""


async def act_for(session: AsyncSession, code: str, caller: Caller, day: date) -> Network:
    """The network, locked, for a caller that may act for it: what is private to it then changes one by one.

    Raises `NetworkNotFound`, `NotYoursToActFor`.
    """
    network = await lock_network(session, code)
    if not await speaks_for(session, code, caller, day):
        raise NotYoursToActFor(f"{code} is not yours to act for.")
    return network


async def lock_network(session: AsyncSession, code: str) -> Network:
    """Raises `NetworkNotFound`."""
    network = await session.get(Network, code, with_for_update=True)
    if network is None:
        raise NetworkNotFound(f"No network {code}.")
    return network


async def lead_for(session: AsyncSession, code: str, day: date, now: datetime) -> str:
    """The commissioner an event about a day names: who leads the network then, or leads it now.

    Raises `NetworkNotFound`.
    """
    lead = await lead_of(session, code, day) or await lead_of(session, code, london_day(now))
    if lead is None:
        raise NetworkNotFound(f"{code} is on no register on {day}.")
    return lead


async def member_on(session: AsyncSession, code: str, practices: frozenset[str], first: date) -> bool:
    """Whether one of these practices is a core member of the network on that day or later."""
    member = select(Membership.practice).where(
        Membership.network == code,
        currently_known(Membership),
        Membership.practice.in_(practices),
        Membership.valid.overlaps(days(first)),
    )
    return await session.scalar(member.limit(1)) is not None


async def sees_inside(session: AsyncSession, code: str, caller: Caller, day: date) -> bool:
    """Whether a caller may see what is private to a network: its people, who is or becomes a member, whose area it is.

    A practice that left sees what held while it was a member, and nothing later.
    """
    if await session.scalar(select(Network.code).where(Network.code == code)) is None:
        return False
    if caller.everywhere or (caller.has(Role.NETWORK) and code in caller.organisations):
        return True
    if caller.has(Role.PRACTICE) and await member_on(session, code, caller.organisations, day):
        return True
    area = await area_of(session, caller, day) or frozenset()
    return bool(area) and caller.has(Role.COMMISSIONER, Role.SYSTEM) and await lead_of(session, code, day) in area
