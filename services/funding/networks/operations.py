"""What the registry's events do to funding's copy. Each may arrive late, twice or before what it builds on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Text, and_, any_, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.members import replace_members
from services.funding.networks.model import Commissioner, Network, Practice, PracticeHeir
from shared.events.registry import (
    CommissionerRegistered,
    NetworkApproved,
    NetworkClosed,
    NetworkRestated,
    PracticeClosed,
    PracticeFact,
    PracticeSucceeded,
)
from shared.facts import currently_known, days, record, since, withdraw


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


async def keep_practices(session: AsyncSession, practices: Sequence[PracticeFact], position: int) -> set[str]:
    """Hold practices as the newest description has them; gives those that have another commissioner by it.

    A closure announced after a description stands, whichever was heard of first.
    """
    if not practices:
        return set()
    commissioners = {p.practice: p.commissioner for p in practices}
    among = any_(literal(sorted(commissioners), ARRAY(Text)))
    before = dict(
        (await session.execute(select(Practice.code, Practice.commissioner).where(Practice.code == among))).all()
    )
    row = insert(Practice)
    closed = Practice.closing_position > row.excluded.position
    upsert = row.on_conflict_do_update(
        index_elements=["code"],
        set_={
            **{name: row.excluded[name] for name in ("name", "commissioner", "opened_on", "position")},
            **{
                name: case((closed, getattr(Practice, name)), else_=row.excluded[name])
                for name in ("closed_on", "status")
            },
        },
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
    after = await session.execute(select(Practice.code, Practice.commissioner).where(Practice.code == among))
    return {code for code, commissioner in after if before.get(code) != commissioner}


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
        by_application=event.decided_by == "round",
    )
    kept = case((Network.closing_position > row.excluded.position, Network.valid_to), else_=row.excluded.valid_to)
    names = ("name", "commissioner", "approved_on", "valid_from", "position", "by_application")
    applied = await session.scalar(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={**{name: row.excluded[name] for name in names}, "valid_to": kept},
            where=Network.position < row.excluded.position,
        ).returning(Network.code)
    )
    if applied is None:
        return False
    await replace_members(session, event.network, event.members, position, now)
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
    await replace_members(session, event.network, event.members, position, now)
    return True


async def close_practice(session: AsyncSession, event: PracticeClosed, position: int) -> None:
    """A practice has seen its last day; one not heard of yet is kept by its code until it is."""
    row = insert(Practice).values(
        code=event.practice,
        name="",
        commissioner=event.commissioner,
        closed_on=event.closed_on,
        status="closed",
        position=0,
        closing_position=position,
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={name: row.excluded[name] for name in ("closed_on", "status", "closing_position")},
            where=and_(Practice.position < position, Practice.closing_position < position),
        )
    )


async def succeed_practice(session: AsyncSession, event: PracticeSucceeded, position: int, now: datetime) -> set[str]:
    """A practice went over into another, whose patients its own now are; gives the practices that gain or lose them:
    none if it is old news."""
    held = select(func.max(PracticeHeir.position)).where(PracticeHeir.practice == event.practice)
    told = select(Practice.code).where(Practice.code == event.practice, Practice.heirs_position > position)
    if (await session.scalar(held) or 0) >= position or await session.scalar(told) is not None:
        return set()
    going_on = select(func.lower(PracticeHeir.valid), PracticeHeir.successor).where(
        PracticeHeir.practice == event.practice, currently_known(PracticeHeir), func.upper_inf(PracticeHeir.valid)
    )
    before = (await session.execute(going_on)).all()
    if before:  # it is put right by this; what ended when the practice opened anew stands
        await withdraw(
            session, PracticeHeir, now=now, days=days(min(first for first, _ in before)), practice=event.practice
        )
    heir = PracticeHeir(
        practice=event.practice, successor=event.successor, valid=days(event.succeeded_on), position=position
    )
    await record(session, heir, key=["practice"], now=now)
    return {event.successor, *(successor for _, successor in before)}


async def keep_successions(
    session: AsyncSession, practices: Sequence[PracticeFact], position: int, now: datetime
) -> set[str]:
    """Hold exactly the successions told of these practices; gives the successors for whom that changes something.

    Of a practice that is open and of which none are told it is none.
    """
    told = {
        fact.practice: [(one.successor, days(one.valid_from, one.valid_to)) for one in fact.went_over or ()]
        for fact in practices
        if fact.went_over is not None or fact.closed_on is None
    }
    wanted = any_(literal(sorted(told), ARRAY(Text)))
    held: dict[str, list[tuple[str, Range[date]]]] = defaultdict(list)
    believed = select(PracticeHeir.practice, PracticeHeir.successor, PracticeHeir.valid).where(
        PracticeHeir.practice == wanted, currently_known(PracticeHeir)
    )
    for practice, successor, valid in await session.execute(believed.order_by(func.lower(PracticeHeir.valid))):
        held[practice].append((successor, valid))
    changed = [practice for practice, spells in told.items() if spells != held[practice]]
    among = any_(literal(changed, ARRAY(Text)))
    newer = select(PracticeHeir.practice).where(PracticeHeir.practice == among, PracticeHeir.position >= position)
    since_then = select(Practice.code).where(Practice.code == among, Practice.heirs_position > position)
    old_news = set((await session.scalars(newer.union(since_then))).all()) if changed else set[str]()
    await session.execute(
        update(Practice)
        .where(Practice.code == wanted, Practice.heirs_position < position)
        .values(heirs_position=position)
        .execution_options(synchronize_session=False)
    )
    touched = set[str]()
    for practice in changed:
        if practice not in old_news:
            await withdraw(session, PracticeHeir, now=now, days=Range(None, None), practice=practice)
            await session.flush()
            session.add_all(
                PracticeHeir(practice=practice, successor=successor, valid=valid, position=position, known=since(now))
                for successor, valid in told[practice]
            )
            touched |= {successor for successor, _ in [*held[practice], *told[practice]]}
    await session.flush()
    return touched


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
