from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, false, or_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.members.operations import end_on, put_member
from services.registry.networks.model import Membership, MembershipNotFound, NetworkNotOpen
from services.registry.networks.operations import lock_register
from services.registry.networks.queries import lead_of
from services.registry.notices.model import (
    Notice,
    NoticeGivenAlready,
    NoticeKind,
    NoticeNotFound,
    NoticeStatus,
    NotYoursToConsent,
    NotYoursToGive,
    Side,
)
from services.registry.rounds.queries import require_decider
from services.registry.scope import area_of
from services.registry.windows.queries import windows_on
from shared.clock import london_day
from shared.database import new_id
from shared.facts import as_at, days
from shared.http import require_match
from shared.identity import Caller, Role
from shared.years import months_before


async def visible_notices(session: AsyncSession, caller: Caller, today: date) -> ColumnElement[bool]:
    """Notices of the caller's area, of its practices and of its network."""
    area = await area_of(session, caller, today)
    if area is None:
        return true()
    seen: list[ColumnElement[bool]] = [Notice.commissioner.in_(area)] if area else []
    if caller.has(Role.NETWORK):
        seen.append(Notice.network.in_(caller.organisations))
    if caller.has(Role.PRACTICE):
        seen.append(Notice.practice.in_(caller.organisations))
    return or_(*seen) if seen else false()


async def find_notice(session: AsyncSession, id: str, caller: Caller, today: date, *, lock: bool = False) -> Notice:
    """A notice the caller may see. Raises `NoticeNotFound`."""
    statement = select(Notice).where(Notice.id == id, await visible_notices(session, caller, today))
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NoticeNotFound(f"No notice {id}.")
    return found


def _speaks(caller: Caller, side: Side, code: str) -> bool:
    role = Role.PRACTICE if side is Side.PRACTICE else Role.NETWORK
    return caller.has(role) and code in caller.organisations


async def give_notice(
    session: AsyncSession,
    *,
    kind: NoticeKind,
    network: str,
    practice: str,
    effective_on: date,
    reason: str,
    caller: Caller,
    now: datetime,
) -> Notice:
    """A practice or a network gives notice; that of a practice which leaves in a window takes effect by itself.

    Raises `NotYoursToGive`, `NetworkNotOpen`, `MembershipNotFound`, `NoticeGivenAlready`, and as a joining does.
    """
    sides = [side for side, code in ((Side.PRACTICE, practice), (Side.NETWORK, network)) if _speaks(caller, side, code)]
    if not sides:
        raise NotYoursToGive(f"Notice about {practice} and {network} is theirs to give.")
    await lock_register(session)
    lead = await lead_of(session, network, effective_on)
    if lead is None:
        raise NetworkNotOpen(f"{network} is not open on {effective_on}.")
    if kind is NoticeKind.LEAVE:
        await _membership(session, network, practice, effective_on)
    notice = Notice(
        id=new_id("ntc"),
        kind=kind,
        network=network,
        practice=practice,
        commissioner=lead,
        effective_on=effective_on,
        reason=reason,
        side=sides[0],
        given_on=london_day(now),
        given_by=caller.subject,
        status=NoticeStatus.GIVEN,
    )
    try:
        async with session.begin_nested():
            session.add(notice)
    except IntegrityError as error:
        if "uq_notices_waiting" in str(error.orig):
            raise NoticeGivenAlready(f"A notice of {practice} about {network} waits already.") from error
        raise
    await _work_by_itself(session, notice, caller, now)
    await session.flush()
    return notice


async def _membership(session: AsyncSession, network: str, practice: str, day: date) -> Membership:
    found = await session.scalar(
        select(Membership).where(Membership.network == network, Membership.practice == practice, as_at(Membership, day))
    )
    if found is None:
        raise MembershipNotFound(f"{practice} is no member of {network} on {day}.")
    return found


async def _work_by_itself(session: AsyncSession, notice: Notice, caller: Caller, now: datetime) -> None:
    """Where a window is open and the notice is long enough, nobody else is asked."""
    if not notice.works_by_itself:
        return
    for window in await windows_on(session, notice.given_on):
        if notice.effective_on >= months_before(notice.given_on, -window.notice_months):
            notice.window = window.id
            await _take_effect(session, notice, caller, None, now)
            return


async def _take_effect(session: AsyncSession, notice: Notice, caller: Caller, why: str | None, now: datetime) -> None:
    notice.settle(NoticeStatus.IN_EFFECT, london_day(now), caller.subject, why)
    if notice.kind is NoticeKind.LEAVE:
        held = await _membership(session, notice.network, notice.practice, notice.effective_on)
        await end_on(session, held, notice.effective_on, reason=notice.reason, by=caller.subject, now=now)
        return
    joining = Membership(
        network=notice.network,
        practice=notice.practice,
        valid=days(notice.effective_on),
        reason=notice.reason,
        recorded_by=caller.subject,
    )
    await put_member(session, joining, Decimal(1), now=now)


async def consent_to_notice(
    session: AsyncSession, id: str, *, caller: Caller, if_match: str | None, now: datetime
) -> Notice:
    """The other side agrees to a joining, which in a window takes effect with that.

    Raises `NoticeNotFound`, `NotYoursToConsent`, `NoticeSettled`, `ConsentNotNeeded`, and as a joining does.
    """
    await lock_register(session)
    notice = await find_notice(session, id, caller, london_day(now), lock=True)
    other = Side.NETWORK if notice.side is Side.PRACTICE else Side.PRACTICE
    if not _speaks(caller, other, notice.other):
        raise NotYoursToConsent(f"{notice.other} agrees for itself.")
    require_match(notice, if_match)
    notice.consent(london_day(now), caller.subject)
    await _work_by_itself(session, notice, caller, now)
    await session.flush()
    return notice


async def decide_notice(
    session: AsyncSession,
    id: str,
    status: NoticeStatus,
    *,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Notice:
    """The commissioner accepts a notice, which then takes effect on the day it names, or refuses it.

    Raises `NoticeNotFound`, `NotYoursToDecide`, `NoticeSettled`, `ConsentMissing`, and as a joining does.
    """
    await lock_register(session)
    today = london_day(now)
    notice = await find_notice(session, id, caller, today, lock=True)
    lead = await lead_of(session, notice.network, notice.effective_on) or notice.commissioner
    await require_decider(session, lead, caller, max(today, notice.effective_on))
    require_match(notice, if_match)
    notice.require_waiting()
    if status is NoticeStatus.IN_EFFECT:
        notice.require_consent()
        await _take_effect(session, notice, caller, reason, now)
    else:
        notice.settle(status, today, caller.subject, reason)
    await session.flush()
    return notice


async def withdraw_notice(
    session: AsyncSession, id: str, *, reason: str, caller: Caller, if_match: str | None, now: datetime
) -> Notice:
    """Who gave a notice takes it back before it took effect, or the national team for them.

    Raises `NoticeNotFound`, `NotYoursToGive`, `NoticeSettled`.
    """
    notice = await find_notice(session, id, caller, london_day(now), lock=True)
    giver = notice.practice if notice.side is Side.PRACTICE else notice.network
    if not caller.has(Role.NATIONAL) and not _speaks(caller, notice.side, giver):
        raise NotYoursToGive(f"The notice {id} is withdrawn by who gave it.")
    require_match(notice, if_match)
    notice.settle(NoticeStatus.WITHDRAWN, london_day(now), caller.subject, reason)
    await session.flush()
    return notice
