from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Network, NetworkNotFound, Payee
from services.registry.networks.queries import speaks_for
from shared.clock import london_day
from shared.errors import Fault, Forbidden, Invalid
from shared.facts import days, record
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


class NotYoursToAppoint(Forbidden):
    """A payee is appointed by the network, its lead commissioner or the national team."""


async def lock_register(session: AsyncSession) -> None:
    """Wait until whoever else names networks and moves members is done: files and joint decisions, one at a time."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext("the register"))))


async def appoint_payee(
    session: AsyncSession,
    code: str,
    payee: str,
    *,
    first: date,
    last: date | None,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Network:
    """From `first` to `last`, or until another is appointed, this organisation receives the network's money."""
    network = await session.get(Network, code, with_for_update=True)
    if network is None:
        raise NetworkNotFound(f"No network {code}.")
    if last is not None and last < first:
        fault = Fault("valid_to", "before_valid_from", f"{last} lies before {first}.")
        raise Invalid("The days are not in order.", errors=[fault])
    if not await speaks_for(session, code, caller, first, today=london_day(now)):
        raise NotYoursToAppoint(f"The payee of {code} is not yours to appoint.")
    require_match(network, if_match)
    await record(session, Payee(network=code, payee=payee, valid=days(first, last)), key=["network"], now=now)
    network.changed_at = now
    announce(session, network.appoint_payee(payee, first, last))
    await session.flush()
    return network
