from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.members.moves import restatements
from services.registry.networks.model import Network, NetworkNotFound, Payee
from services.registry.networks.operations import settle_register
from services.registry.networks.queries import speaks_for
from shared.audit import audit
from shared.clock import london_day
from shared.errors import Fault, Forbidden, Invalid, NotFound
from shared.facts import days, record, withdraw
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


class NotYoursToAppoint(Forbidden):
    """A payee is appointed by the network, its lead commissioner or the national team."""


class NoPayeeThen(NotFound):
    """Nobody was appointed to receive the network's money on those days."""


async def _network(
    session: AsyncSession,
    code: str,
    first: date,
    last: date | None,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Network:
    network = await session.get(Network, code, with_for_update=True)
    if network is None:
        raise NetworkNotFound(f"No network {code}.")
    if last is not None and last < first:
        fault = Fault("valid_to", "before_valid_from", f"{last} lies before {first}.")
        raise Invalid("The days are not in order.", errors=[fault])
    if not await speaks_for(session, code, caller, first, today=london_day(now)):
        raise NotYoursToAppoint(f"The payee of {code} is not yours to appoint.")
    require_match(network, if_match)
    return network


async def appoint_payee(
    session: AsyncSession,
    code: str,
    payee: str,
    *,
    first: date,
    last: date | None,
    reason: str | None,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Network:
    """From `first` to `last`, or until another is appointed, this organisation receives the network's money.

    Named again for days on which another was believed to receive it, it takes the other's place there.
    """
    network = await _network(session, code, first, last, caller, if_match, now)
    appointed = Payee(network=code, payee=payee, valid=days(first, last), reason=reason, recorded_by=caller.subject)
    await record(session, appointed, key=["network"], now=now)
    network.changed_at = now
    await settle_register(session)
    announce(session, network.appoint_payee(payee, first, last))
    await session.flush()
    return network


async def withdraw_payee(
    session: AsyncSession,
    code: str,
    *,
    first: date,
    last: date | None,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> None:
    """On those days nobody was appointed after all. Raises `NoPayeeThen`, and as `appoint_payee` does."""
    network = await _network(session, code, first, last, caller, if_match, now)
    if not await withdraw(session, Payee, now=now, days=days(first, last), network=code):
        raise NoPayeeThen(f"Nobody is appointed payee of {code} from {first} on.")
    network.changed_at = now
    audit(session, action="withdrawn", record=f"payees/{code}", concerns=[code], after={"reason": reason})
    announce(session, *await restatements(session, [code]))
    await session.flush()
