"""What the registry's events do to funding's copy. Each may arrive late, twice or before what it builds on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, and_, any_, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.model import Allocation, Commissioner, Membership, Network, Practice, PracticeHeir
from shared.events.registry import (
    AllocationEnded,
    CommissionerRegistered,
    Member,
    NetworkApproved,
    NetworkClosed,
    NetworkRestated,
    PatientsAllocated,
    PracticeClosed,
    PracticeFact,
    PracticeJoined,
    PracticeLeft,
    PracticeSucceeded,
)
from shared.facts import ONE_DAY, currently_known, days, record, since, withdraw


async def keep_commissioner(session: AsyncSession, event: CommissionerRegistered, position: int) -> None:
    row = insert(Commissioner).values(
        code=event.commissioner,
        name=event.commissioner_name,
        system=event.system,
        system_name=event.system_name,
        region=event.region,
        region_name=event.region_name,
        position=position,
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={
                name: row.excluded[name]
                for name in ("name", "system", "system_name", "region", "region_name", "position")
            },
            where=Commissioner.position < row.excluded.position,
        )
    )


async def keep_practices(session: AsyncSession, practices: Sequence[PracticeFact], position: int) -> None:
    if not practices:
        return
    row = insert(Practice)
    names = ("name", "commissioner", "opened_on", "closed_on", "status", "position")
    upsert = row.on_conflict_do_update(
        index_elements=["code"],
        set_={name: row.excluded[name] for name in names},
        where=Practice.position <= row.excluded.position,
    )
    values = [
        {
            "code": p.practice,
            "name": p.practice_name,
            "commissioner": p.commissioner,
            "opened_on": p.opened_on,
            "closed_on": p.closed_on,
            "status": p.status,
            "position": position,
        }
        for p in {p.practice: p for p in practices}.values()
    ]
    await session.execute(upsert, values)


async def approve_network(session: AsyncSession, event: NetworkApproved, position: int, now: datetime) -> bool:
    """A network may be funded, with the members the event gives in place of those held; false if it is old news."""
    row = insert(Network).values(
        code=event.network,
        name=event.network_name,
        commissioner=event.commissioner,
        approved_on=event.approved_on,
        valid_from=event.valid_from,
        valid_to=event.valid_to,
        position=position,
        closing_position=0,
    )
    kept = case((Network.closing_position > row.excluded.position, Network.valid_to), else_=row.excluded.valid_to)
    names = ("name", "commissioner", "approved_on", "valid_from", "position")
    applied = await session.scalar(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={**{name: row.excluded[name] for name in names}, "valid_to": kept},
            where=Network.position < row.excluded.position,
        ).returning(Network.code)
    )
    if applied is None:
        return False
    await _replace_members(session, event.network, event.members, position, now)
    return True


async def restate_network(session: AsyncSession, event: NetworkRestated, position: int, now: datetime) -> bool:
    """A network's name, lead, life and members as the register now has them; false if it is old news."""
    row = insert(Network).values(
        code=event.network,
        name=event.network_name,
        commissioner=event.commissioner,
        approved_on=event.valid_from,
        valid_from=event.valid_from,
        valid_to=event.valid_to,
        position=position,
        closing_position=position,
    )
    names = ("name", "commissioner", "valid_from", "valid_to", "position", "closing_position")
    applied = await session.scalar(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={name: row.excluded[name] for name in names},
            where=and_(Network.position < position, Network.closing_position < position),
        ).returning(Network.code)
    )
    if applied is None:
        return False
    await _replace_members(session, event.network, event.members, position, now)
    return True


async def close_practice(session: AsyncSession, event: PracticeClosed, position: int) -> None:
    """A practice has seen its last day; one not heard of yet is kept by its code until it is."""
    row = insert(Practice).values(
        code=event.practice,
        name="",
        commissioner=event.commissioner,
        closed_on=event.closed_on,
        status="closed",
        position=position,
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={name: row.excluded[name] for name in ("closed_on", "status", "position")},
            where=Practice.position < position,
        )
    )


async def succeed_practice(session: AsyncSession, event: PracticeSucceeded, position: int, now: datetime) -> bool:
    """A practice went over into another, whose patients its own now are; false if it is old news."""
    held = select(func.max(PracticeHeir.position)).where(PracticeHeir.practice == event.practice)
    undone = select(Practice.code).where(
        Practice.code == event.practice, Practice.position > position, Practice.closed_on.is_(None)
    )
    if (await session.scalar(held) or 0) >= position or await session.scalar(undone) is not None:
        return False
    await withdraw(session, PracticeHeir, now=now, days=Range(None, None), practice=event.practice)
    heir = PracticeHeir(
        practice=event.practice, successor=event.successor, valid=days(event.succeeded_on), position=position
    )
    await record(session, heir, key=["practice"], now=now)
    return True


async def take_back_successions(
    session: AsyncSession, practices: Sequence[PracticeFact], position: int, now: datetime
) -> None:
    """A practice that is open has gone over into none."""
    there = [fact.practice for fact in practices if fact.closed_on is None]
    held = select(PracticeHeir.practice).where(
        PracticeHeir.practice == any_(literal(there, ARRAY(Text))),
        currently_known(PracticeHeir),
        PracticeHeir.position < position,
    )
    for practice in (await session.scalars(held)).all():
        await withdraw(session, PracticeHeir, now=now, days=Range(None, None), practice=practice)


async def close_network(session: AsyncSession, event: NetworkClosed, position: int) -> None:
    row = insert(Network).values(
        code=event.network,
        name="",
        commissioner=event.commissioner,
        valid_to=event.closed_on,
        position=0,
        closing_position=position,
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={"valid_to": row.excluded.valid_to, "closing_position": position},
            where=and_(Network.position < position, Network.closing_position < position),
        )
    )


async def _replace_members(
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


async def allocate_patients(session: AsyncSession, event: PatientsAllocated, position: int, now: datetime) -> None:
    """The list of a practice is served by a network; news older than what is held of those days is ignored."""
    valid = days(event.valid_from, event.valid_to)
    newer = await session.scalar(
        select(Allocation.fact_id)
        .where(
            Allocation.practice == event.practice,
            currently_known(Allocation),
            Allocation.valid.overlaps(valid),
            Allocation.position > position,
        )
        .limit(1)
    )
    if newer is None:
        fact = Allocation(network=event.network, practice=event.practice, valid=valid, position=position)
        await record(session, fact, key=["practice"], now=now)


async def end_allocation(session: AsyncSession, event: AllocationEnded, position: int, now: datetime) -> None:
    """The network serves these patients no longer; what newer news says of those days stays."""
    first = max(event.valid_from, event.valid_to + ONE_DAY)
    if event.until is not None and event.until < first:
        return
    gone = days(first, event.until)
    held = await session.scalars(
        select(Allocation.position).where(
            Allocation.practice == event.practice,
            Allocation.network == event.network,
            currently_known(Allocation),
            Allocation.valid.overlaps(gone),
        )
    )
    for known in set(held.all()):
        if known < position:
            await withdraw(
                session, Allocation, now=now, days=gone, practice=event.practice, network=event.network, position=known
            )


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
