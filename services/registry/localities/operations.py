from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.localities.model import LocalityPractice
from services.registry.networks.model import Membership, Network, NetworkNotFound
from services.registry.networks.queries import lead_of, speaks_for
from shared.errors import Fault, Forbidden, Invalid
from shared.facts import as_at, since, withdraw
from shared.http import require_match
from shared.identity import Caller

Placed = Sequence[tuple[str, Sequence[str]]]
"""Localities by name, each with its practices."""


class NotYoursToArrange(Forbidden):
    """Localities are arranged by the network, its lead commissioner or the national team."""


async def arrange_localities(
    session: AsyncSession, network: str, placed: Placed, *, days: Range[date], reason: str, by: str, now: datetime
) -> None:
    """On these days the network has these localities and no others."""
    await withdraw(session, LocalityPractice, now=now, days=days, network=network)
    session.add_all(
        LocalityPractice(
            network=network,
            practice=practice,
            locality=name,
            reason=reason,
            made_by=by,
            valid=days,
            known=since(now),
        )
        for name, practices in placed
        for practice in practices
    )
    await session.flush()


async def record_localities(
    session: AsyncSession,
    code: str,
    placed: Placed,
    *,
    days: Range[date],
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Network:
    """Arrange the localities of a network from a day on, or correct them.

    Raises `NetworkNotFound`, `NotYoursToArrange`, `Invalid` with every practice that is misplaced.
    """
    first = days.lower or date.min
    network = await session.get(Network, code, with_for_update=True)
    if network is None or await lead_of(session, code, first) is None:
        raise NetworkNotFound(f"No network {code} on {first}.")
    if not await speaks_for(session, code, caller, first):
        raise NotYoursToArrange(f"The localities of {code} are not yours to arrange.")
    require_match(network, if_match)
    members = set(
        (
            await session.scalars(
                select(Membership.practice).where(Membership.network == code, as_at(Membership, first))
            )
        ).all()
    )
    faults = _faults(placed, members)
    if faults:
        raise Invalid("The localities do not fit the network.", errors=faults)
    await arrange_localities(session, code, placed, days=days, reason=reason, by=caller.subject, now=now)
    network.changed_at = now
    await session.flush()
    return network


def _faults(placed: Placed, members: set[str]) -> list[Fault]:
    found, seen = [], set[str]()
    names = [name for name, _ in placed]
    for number, (name, practices) in enumerate(placed):
        if names.index(name) != number:
            found.append(Fault(f"localities.{number}.name", "repeated", f"There is a locality {name} already."))
        for code in practices:
            field = f"localities.{number}.practices"
            if code not in members:
                found.append(Fault(field, "not_a_member", f"{code} is no member of the network on that day."))
            if code in seen:
                found.append(Fault(field, "repeated", f"{code} is in two localities."))
            seen.add(code)
    if placed:
        found += [Fault("localities", "no_locality", f"{c} is in no locality.") for c in sorted(members - seen)]
    return found
