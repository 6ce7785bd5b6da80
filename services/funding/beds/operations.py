"""Supplying numbers of beds, correcting them, and finding the number that counts in each month."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.beds.model import BedCount, BedsSupplied, refuse_ahead
from services.funding.heirs.operations import must_decide, must_decide_all
from services.funding.networks.model import Network
from services.funding.payments.heads import Beds
from services.funding.scope import networks_seen
from shared.clock import london_day
from shared.errors import Fault, NotFound
from shared.facts import as_at, believed, days, record
from shared.http import require_match
from shared.identity import Caller
from shared.years import first_day, last_day


class BedsNotFound(NotFound):
    """No number of beds, or none the caller may see."""


class NetworksNotFound(NotFound):
    """No such networks, or none the caller may see; errors lists each."""


async def supply_beds(
    session: AsyncSession,
    month: str,
    counts: Mapping[str, int],
    note: str,
    *,
    caller: Caller,
    now: datetime,
    today: date,
) -> list[BedCount]:
    """Enter the beds of some networks for a month.

    Raises `MonthAhead`, `NetworksNotFound` naming every network the caller has not got, `NotYoursToDecide`, and
    `BedsSupplied` naming every one that has a number for the month.
    """
    refuse_ahead(month, today)
    seen = set(
        (await session.scalars(select(Network.code).where(Network.code.in_(counts), networks_seen(caller)))).all()
    )
    unknown = [
        Fault(f"body.counts.{number}.network", "network_unknown", f"No network {code}.")
        for number, code in enumerate(counts)
        if code not in seen
    ]
    if unknown:
        raise NetworksNotFound("Some networks are not the caller's.", errors=unknown)
    await must_decide_all(session, caller, counts, today)
    # two people supplying the same network at once queue up here
    await session.execute(select(Network.code).where(Network.code.in_(counts)).order_by(Network.code).with_for_update())
    there = await session.scalars(
        select(BedCount.network).where(BedCount.network.in_(counts), as_at(BedCount, first_day(month)))
    )
    if before := sorted(there.all()):
        raise BedsSupplied(f"A number for {month} was supplied before: {', '.join(before)}. Correct it where it is.")
    made = [_count(code, month, beds, note, caller=caller, now=now) for code, beds in counts.items()]
    for fact in made:
        await record(session, fact, key=["network"], now=now)
    return made


def _count(network: str, month: str, beds: int, note: str, *, caller: Caller, now: datetime) -> BedCount:
    return BedCount(
        network=network,
        month=month,
        beds=beds,
        note=note,
        supplied_by=caller.subject,
        supplied_at=now,
        valid=days(first_day(month), last_day(month)),
    )


async def beds_seen(
    session: AsyncSession, network: str, month: str, caller: Caller, *, known_at: datetime | None = None
) -> BedCount:
    """The number supplied for a month. Raises `BedsNotFound`."""
    fact: BedCount | None = await session.scalar(
        select(BedCount)
        .join(Network, Network.code == BedCount.network)
        .where(BedCount.network == network, as_at(BedCount, first_day(month), known_at), networks_seen(caller))
    )
    if fact is None:
        raise BedsNotFound(f"No number of beds was supplied for {network} and {month}.")
    return fact


async def correct_beds(
    session: AsyncSession,
    network: str,
    month: str,
    beds: int,
    note: str,
    if_match: str | None,
    *,
    caller: Caller,
    now: datetime,
) -> BedCount:
    """Put another number in place of one supplied; runs made before keep theirs, the next pays the difference.

    Raises `BedsNotFound` and `NotYoursToDecide`.
    """
    await session.execute(select(Network.code).where(Network.code == network).with_for_update())
    held = await beds_seen(session, network, month, caller)
    await must_decide(session, caller, network, london_day(now))
    require_match(held, if_match)
    made = _count(network, month, beds, note, caller=caller, now=now)
    await record(session, made, key=["network"], now=now)
    return made


async def beds_of(
    session: AsyncSession,
    months: Sequence[str],
    *,
    networks: Collection[str] | None = None,
    known_at: datetime | None = None,
) -> dict[tuple[str, str], Beds]:
    """By network and month: the number that counts, which is the last one supplied for that month or before it."""
    if not months:
        return {}
    wanted: Any = select(BedCount.network, BedCount.month, BedCount.beds).where(
        believed(BedCount, known_at), BedCount.month <= months[-1]
    )
    if networks is not None:
        wanted = wanted.where(BedCount.network.in_(networks))
    supplied: dict[str, dict[str, Beds]] = {}
    for network, month, beds in await session.execute(wanted.order_by(BedCount.network, BedCount.month)):
        supplied.setdefault(network, {})[month] = Beds(Decimal(beds), month)
    found: dict[tuple[str, str], Beds] = {}
    for network, by_month in supplied.items():
        last = next((by_month[month] for month in reversed(by_month) if month < months[0]), None)
        for month in months:
            last = by_month.get(month, last)
            if last is not None:
                found[network, month] = last
    return found
