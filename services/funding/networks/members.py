"""Who belongs to a network and whose patients it serves, as the registry's events say it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, any_, delete, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.model import Allocation, Membership, Network, Practice, PracticeHeir
from shared.events.registry import (
    Member,
    PracticeJoined,
    PracticeLeft,
)
from shared.facts import currently_known, days, since


async def replace_members(
    session: AsyncSession, network: str, members: Iterable[Member], position: int, now: datetime
) -> None:
    """Hold exactly these memberships, but for those a newer event has spoken of."""
    held = (
        await session.execute(
            select(
                Membership.fact_id,
                Membership.practice,
                Membership.share,
                Membership.valid,
                Membership.known,
                Membership.position,
            ).where(Membership.network == network, currently_known(Membership))
        )
    ).all()
    newer = [row for row in held if row.position > position]
    wanted: dict[tuple[str, Range[date]], Decimal] = {}
    for member in members:
        valid = days(member.valid_from, member.valid_to)
        if not any(row.practice == member.practice and row.valid.overlaps(valid) for row in newer):
            wanted[member.practice, valid] = member.share
    kept = {(row.practice, row.valid): row for row in held if row.position <= position}
    same = {key for key, share in wanted.items() if key in kept and kept[key].share == share}
    await _end_belief(session, [row for key, row in kept.items() if key not in same], now)
    added = [
        {
            "network": network,
            "practice": practice,
            "share": share,
            "valid": valid,
            "known": since(now),
            "position": position,
        }
        for (practice, valid), share in wanted.items()
        if (practice, valid) not in same
    ]
    if added:
        await session.execute(insert(Membership), added)


async def _end_belief(session: AsyncSession, rows: Sequence[Any], now: datetime) -> None:
    """Stop believing in memberships from now on; what was believed for no time at all leaves no trace."""
    fresh = [row.fact_id for row in rows if row.known.lower >= now]
    old = [row.fact_id for row in rows if row.known.lower < now]
    if fresh:
        await session.execute(delete(Membership).where(Membership.fact_id.in_(fresh)))
    for fact_id, known in [(row.fact_id, row.known) for row in rows if row.fact_id in old]:
        await session.execute(
            update(Membership).where(Membership.fact_id == fact_id).values(known=Range(known.lower, now))
        )


async def join_network(session: AsyncSession, event: PracticeJoined, position: int, now: datetime) -> None:
    await _keep_membership(
        session, event.network, event.practice, event.valid_from, event.valid_to, event.share, position, now
    )


async def leave_network(session: AsyncSession, event: PracticeLeft, position: int, now: datetime) -> None:
    await _keep_membership(
        session, event.network, event.practice, event.valid_from, event.valid_to, None, position, now
    )


async def _keep_membership(
    session: AsyncSession,
    network: str,
    practice: str,
    first: date,
    last: date | None,
    share: Decimal | None,
    position: int,
    now: datetime,
) -> None:
    """Hold one membership, known by its first day, unless the network was told about with newer news."""
    approved = await session.scalar(select(Network.position).where(Network.code == network))
    if approved is not None and approved > position:
        return
    held = (
        await session.scalars(
            select(Membership)
            .where(
                Membership.network == network,
                Membership.practice == practice,
                currently_known(Membership),
                Membership.valid.overlaps(days(first, None)),
            )
            .with_for_update()
        )
    ).all()
    same = [fact for fact in held if fact.valid_from == first]
    if any(fact.position > position for fact in same):
        return
    kept_share = share if share is not None else same[0].share if same else Decimal(1)
    await _withdraw_same(session, same, now)
    ahead = [fact.valid_from for fact in held if fact.valid_from > first]
    if ahead and (last is None or last >= min(ahead)):
        last = min(ahead) - timedelta(days=1)
    session.add(
        Membership(
            network=network,
            practice=practice,
            share=kept_share,
            valid=days(first, last),
            known=since(now),
            position=position,
        )
    )
    await session.flush()


async def _withdraw_same(session: AsyncSession, facts: Sequence[Membership], now: datetime) -> None:
    for fact in facts:
        if fact.known.lower is not None and fact.known.lower >= now:
            await session.delete(fact)
        else:
            fact.known = Range(fact.known.lower, now)
    await session.flush()


async def with_heirs(session: AsyncSession, practices: Iterable[str]) -> set[str]:
    """These practices and those they went over into, as known now."""
    found, fresh = set[str](), set(practices)
    while fresh := fresh - found:
        found |= fresh
        heirs = select(PracticeHeir.successor).where(
            PracticeHeir.practice == any_(literal(sorted(fresh), ARRAY(Text))), currently_known(PracticeHeir)
        )
        fresh = set((await session.scalars(heirs)).all())
    return found


async def networks_of(session: AsyncSession, practices: Iterable[str]) -> set[str]:
    """The networks that serve any of these practices on any day, as known now."""
    codes = list(practices)
    members = select(Membership.network).where(Membership.practice.in_(codes), currently_known(Membership))
    served = select(Allocation.network).where(Allocation.practice.in_(codes), currently_known(Allocation))
    return set((await session.scalars(members.union(served))).all())


async def networks_around(session: AsyncSession, commissioner: str) -> set[str]:
    """The networks a commissioner leads, and those that serve any of its practices."""
    led = (await session.scalars(select(Network.code).where(Network.commissioner == commissioner))).all()
    practices = (await session.scalars(select(Practice.code).where(Practice.commissioner == commissioner))).all()
    return {*led, *await networks_of(session, await with_heirs(session, practices))}


async def all_networks(session: AsyncSession) -> set[str]:
    return set((await session.scalars(select(Network.code).where(Network.approved_on.is_not(None)))).all())
