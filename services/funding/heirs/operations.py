"""Keeping who followed whom, and saying who decides for a network on a day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.heirs.model import Succession, SystemPlace, Tenure, holders, who_decides
from services.funding.networks.model import Membership, Network, Practice
from shared.errors import Forbidden
from shared.events.registry import CommissionerRegistered, CommissionerSucceeded, Entry
from shared.facts import ONE_DAY, as_at
from shared.identity import Caller, Role


class NotYoursToDecide(Forbidden):
    """Another commissioner decides for the network now: it was taken over, or the caller only inherited part."""


async def keep_succession(session: AsyncSession, event: CommissionerSucceeded, position: int) -> None:
    """Hold exactly the successors the newest announcement of a commissioner names."""
    newest = await session.scalar(
        select(Succession.position).where(Succession.commissioner == event.commissioner).limit(1).with_for_update()
    )
    if newest is not None and newest >= position:
        return
    await session.execute(delete(Succession).where(Succession.commissioner == event.commissioner))
    await session.execute(
        insert(Succession),
        [
            {
                "commissioner": event.commissioner,
                "successor": heir.commissioner,
                "succeeded_on": event.succeeded_on,
                "kind": event.kind,
                "position": position,
            }
            for heir in {heir.commissioner: heir for heir in event.successors}.values()
        ],
    )


async def keep_system_place(session: AsyncSession, event: CommissionerRegistered, position: int) -> None:
    """Hold which system a commissioner belongs to from a day on."""
    row = insert(SystemPlace).values(
        commissioner=event.commissioner,
        valid_from=event.valid_from,
        system=event.system,
        valid_to=event.valid_to,
        position=position,
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["commissioner", "valid_from"],
            set_={name: row.excluded[name] for name in ("system", "valid_to", "position")},
            where=SystemPlace.position < row.excluded.position,
        )
    )


async def keep_tenure(session: AsyncSession, network: str, commissioner: str, valid_from: date, day: date) -> None:
    """Hold who commissions a network: from its first day, and another from the day it took over, if that is known.

    `day` is when the news came, which stands in where no succession says when.
    """
    open_one = await session.scalar(
        select(Tenure).where(Tenure.network == network, Tenure.valid_to.is_(None)).with_for_update()
    )
    if open_one is None:
        session.add(Tenure(network=network, valid_from=valid_from, commissioner=commissioner, valid_to=None))
        await session.flush()
        return
    if open_one.commissioner == commissioner:
        return
    took_over = await session.scalar(
        select(Succession.succeeded_on).where(
            Succession.commissioner == open_one.commissioner, Succession.successor == commissioner
        )
    )
    first = took_over or day
    if first <= open_one.valid_from:
        open_one.commissioner = commissioner
    else:
        open_one.valid_to = first - timedelta(days=1)
        await session.flush()
        session.add(Tenure(network=network, valid_from=first, commissioner=commissioner, valid_to=None))
    await session.flush()


async def keep_tenures(session: AsyncSession, network: str, entries: Sequence[Entry]) -> None:
    """Hold exactly who commissioned a network on which days, as the register has it now, days to come included."""
    spells: list[dict[str, Any]] = []
    for entry in sorted(entries, key=lambda entry: entry.valid_from):
        before = spells[-1] if spells else None
        if before and before["commissioner"] == entry.commissioner and before["valid_to"] == entry.valid_from - ONE_DAY:
            before["valid_to"] = entry.valid_to
        else:
            days = {"valid_from": entry.valid_from, "valid_to": entry.valid_to}
            spells.append({"network": network, "commissioner": entry.commissioner, **days})
    if spells:
        await session.execute(delete(Tenure).where(Tenure.network == network))
        await session.execute(insert(Tenure), spells)


async def deciders(session: AsyncSession, network: str, today: date) -> frozenset[str]:
    """The commissioners that decide for a network on a day: its own of that day, or the heirs of its own.

    A practice outside every network stands for itself where its lines are paid.
    """
    on_the_day = select(Tenure.commissioner).where(
        Tenure.network == network, Tenure.valid_from <= today, or_(Tenure.valid_to.is_(None), Tenure.valid_to >= today)
    )
    held = await session.scalar(on_the_day)
    if held is None:
        held = await session.scalar(select(Network.commissioner).where(Network.code == network))
    if held is None:
        held = await session.scalar(select(Practice.commissioner).where(Practice.code == network))
    if held is None:
        return frozenset()
    successions = (await session.scalars(select(Succession))).all()
    candidates = holders(held, successions, today)
    if len(candidates) == 1:
        return candidates
    members = await session.scalars(
        select(Practice.commissioner)
        .join(Membership, Membership.practice == Practice.code)
        .where(Membership.network == network, as_at(Membership, today))
        .distinct()
    )
    return who_decides(candidates, set(members.all()))


async def must_decide_all(session: AsyncSession, caller: Caller, networks: Collection[str], today: date) -> None:
    """Raises `NotYoursToDecide` unless the caller is national or decides for every one of these networks now."""
    if caller.has(Role.NATIONAL):
        return
    rows = await session.execute(select(Network.code, Network.commissioner).where(Network.code.in_(networks)))
    successions = (await session.scalars(select(Succession))).all()
    for network, commissioner in rows.all():
        if holders(commissioner, successions, today) - caller.organisations:
            await must_decide(session, caller, network, today)


async def must_decide(session: AsyncSession, caller: Caller, network: str, today: date) -> None:
    """Raises `NotYoursToDecide` unless the caller is national or the commissioner that decides for the network now."""
    if caller.has(Role.NATIONAL):
        return
    if not await deciders(session, network, today) & caller.organisations:
        raise NotYoursToDecide(f"The commissioner that decides for {network} now is another.")
