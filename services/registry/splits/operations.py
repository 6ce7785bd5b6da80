from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.endings import Change, end_with
from services.registry.members.moves import moves_since, spells_of
from services.registry.members.operations import fit_member, span_of
from services.registry.networks.model import Membership
from services.registry.networks.operations import settle_register, touch_network
from services.registry.practice_life.operations import change_practice, commissioner_of
from services.registry.splits.model import Portion, Split, SplitNotFound, require_whole
from shared.errors import Fault, Invalid
from shared.facts import ONE_DAY, as_at, days, record, since, withdraw
from shared.identity import Caller
from shared.messaging import announce


async def find_split(session: AsyncSession, practice: str, day: date, known_at: datetime | None = None) -> Split:
    """The split that holds on a day, as known now or then. Raises `SplitNotFound`."""
    found = await session.scalar(select(Split).where(Split.practice == practice, as_at(Split, day, known_at)))
    if found is None:
        raise SplitNotFound(f"The list of {practice} is not split on {day}.")
    return found


async def parts_on(session: AsyncSession, practice: str, day: date, known_at: datetime | None = None) -> list[Portion]:
    """The networks a practice's list goes with on a day, and with which shares."""
    held = await session.scalars(
        select(Membership)
        .where(Membership.practice == practice, as_at(Membership, day, known_at))
        .order_by(func.lower(Membership.portion))
    )
    return [Portion(m.network, m.share) for m in held]


async def declare_split(
    session: AsyncSession,
    code: str,
    parts: Sequence[Portion],
    *,
    first: date,
    last: date | None,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Split:
    """On those days a practice's list is divided between these networks, in place of whatever was believed of it then.

    Raises `PracticeNotFound`, `NotYoursToDecide`, `NetworkNotFound`, `NetworkNotOpen`, `PracticeNotOpen`,
    `NotACoreContract`, `PracticeListAllocated`, and `Invalid` for parts that are not one whole list.
    """
    require_whole(parts)
    valid = span_of(first, last)
    await change_practice(session, code, caller, first, if_match, now)
    before = await spells_of(session, [code])
    await withdraw(session, Membership, now=now, days=valid, practice=code)
    explained = {"practice": code, "valid": valid, "reason": reason, "recorded_by": caller.subject}
    for part in parts:
        await touch_network(session, part.network, now)
        membership = Membership(network=part.network, known=since(now), **explained)
        await fit_member(session, membership, part.share)
        session.add(membership)
        await session.flush()
    split = Split(**explained)
    await record(session, split, key=["practice"], now=now)
    await settle_register(session)
    moves = await moves_since(session, before, [code])
    announce(session, *moves, split.declared(await commissioner_of(session, code, first) or "", parts))
    await session.flush()
    return split


async def end_split(
    session: AsyncSession,
    code: str,
    last_day: date,
    network: str | None,
    *,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Split:
    """A split has this last day; from the next on the whole list goes with one network, or with none.

    Raises `PracticeNotFound`, `SplitNotFound`, `NotYoursToDecide`, and as a joining does.
    """
    await change_practice(session, code, caller, last_day, if_match, now)
    held = await find_split(session, code, last_day)
    if held.valid_to is not None and last_day >= held.valid_to:
        fault = Fault("last_day", "ends_already", f"The split ends on {held.valid_to} already.")
        raise Invalid("The split ends sooner.", errors=[fault])
    before = await spells_of(session, [code])
    change = Change(reason, caller.subject, now)
    end = held.valid_to
    after = days(last_day + ONE_DAY, end)
    await withdraw(session, Membership, now=now, days=after, practice=code)
    await end_with(session, Split, last_day, change, practice=code)
    if network is not None:
        await touch_network(session, network, now)
        whole = Membership(
            network=network,
            practice=code,
            valid=after,
            known=since(now),
            reason=reason,
            recorded_by=caller.subject,
        )
        await fit_member(session, whole, Decimal(1))
        session.add(whole)
    await settle_register(session)
    announce(session, *await moves_since(session, before, [code]))
    await session.flush()
    return await find_split(session, code, last_day)
