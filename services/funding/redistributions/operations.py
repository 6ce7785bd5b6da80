"""Offering, accepting and approving redistributions, and setting both sums again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budgets.operations import set_budgets
from services.funding.claims.checking import asked_of_year, room_of
from services.funding.claims.model import scope_of
from services.funding.claims.operations import lock_sums, recheck_waiting
from services.funding.heirs.operations import must_decide
from services.funding.networks.model import Network
from services.funding.redistributions.model import NotTheReceiver, Redistribution
from services.funding.scope import network_codes_seen
from shared.clock import london_day
from shared.database import new_id
from shared.errors import NotFound
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller, Role


class RedistributionNotFound(NotFound):
    """No such redistribution or network, or none the caller may see."""


async def _left(session: AsyncSession, network: str, contract_year: str) -> Decimal:
    """What is left of a network's sum after what its claims take or ask; nothing where the sum is not known."""
    scope = scope_of("", contract_year)
    room, _ = await room_of(session, network, contract_year, scope)
    return Decimal(0) if room is None else room - await asked_of_year(session, network, contract_year, scope)


async def offer(
    session: AsyncSession,
    contract_year: str,
    giver: str,
    receiver: str,
    amount: Decimal,
    *,
    caller: Caller,
    now: datetime,
) -> Redistribution:
    """A network gives up part of its sum for another.

    Raises `RedistributionNotFound`, `RedistributionNotAllowed` and `BeyondWhatIsLeft`.
    """
    known = set((await session.scalars(select(Network.code).where(Network.code.in_([giver, receiver])))).all())
    if giver not in caller.organisations or known != {giver, receiver}:
        raise RedistributionNotFound(f"No network {giver}, or no network {receiver}.")
    await lock_sums(session, [(giver, contract_year)])
    made = Redistribution(
        id=new_id("red"),
        contract_year=contract_year,
        giver=giver,
        receiver=receiver,
        amount=amount,
        offered_on=london_day(now),
        offered_by=caller.subject,
        created_at=now,
        version=1,
    )
    made.offer(await _left(session, giver, contract_year))
    session.add(made)
    await session.flush()
    return made


async def redistribution_seen(
    session: AsyncSession, redistribution: str, caller: Caller, *, known_at: datetime | None = None
) -> Redistribution:
    """A redistribution the caller may see: as one of its networks, or above one; now or as it stood then.

    Raises `RedistributionNotFound`.
    """
    stood = as_known(Redistribution, known_at)
    statement = select(stood).where(stood.id == redistribution)
    if not caller.everywhere:
        codes = network_codes_seen(caller)
        statement = statement.where(or_(stood.giver.in_(codes), stood.receiver.in_(codes)))
    found = await session.scalar(statement)
    if found is None:
        raise RedistributionNotFound(f"No redistribution {redistribution}.")
    return found


async def _locked(session: AsyncSession, redistribution: str, if_match: str | None, caller: Caller) -> Redistribution:
    found = await redistribution_seen(session, redistribution, caller)
    await lock_sums(session, [(code, found.contract_year) for code in (found.giver, found.receiver)])
    await session.refresh(found, with_for_update=True)
    require_match(found, if_match)
    return found


async def accept(
    session: AsyncSession, redistribution: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Redistribution:
    """The receiver accepts. Raises `NotTheReceiver` and `RedistributionNotOpen`."""
    found = await _locked(session, redistribution, if_match, caller)
    if found.receiver not in caller.organisations:
        raise NotTheReceiver(f"{found.receiver} accepts what {found.giver} offers.")
    found.take_on(caller.subject, london_day(now))
    await session.flush()
    return found


async def approve(
    session: AsyncSession, redistribution: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Redistribution:
    """The commissioner of both networks agrees, and both sums are set again.

    Raises `NotYoursToDecide`, `RedistributionNotOpen` and `BeyondWhatIsLeft`.
    """
    found = await _locked(session, redistribution, if_match, caller)
    for network in (found.giver, found.receiver):
        await must_decide(session, caller, network, london_day(now))
    found.approve(await _left(session, found.giver, found.contract_year), by=caller.subject, on=london_day(now))
    await session.flush()
    both = [found.giver, found.receiver]
    await set_budgets(session, both, now, years={found.contract_year})
    await recheck_waiting(session, now, networks=both)
    return found


async def refuse(
    session: AsyncSession, redistribution: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> Redistribution:
    """The receiver, or the commissioner of both, says no. Raises `NotYoursToDecide` and `RedistributionNotOpen`."""
    found = await _locked(session, redistribution, if_match, caller)
    if not (caller.has(Role.NETWORK) and found.receiver in caller.organisations):
        await must_decide(session, caller, found.giver, london_day(now))
    found.refuse(reason, by=caller.subject, on=london_day(now))
    await session.flush()
    return found
