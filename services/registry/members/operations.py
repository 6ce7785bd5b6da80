from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.model import Allocation
from services.registry.applications.refusals import PracticeListAllocated
from services.registry.members.moves import moves_since, spells_of
from services.registry.networks.model import Membership, MembershipNotFound, NetworkEntry, NetworkNotOpen
from services.registry.networks.operations import lock_register, require_lead, settle_register, touch_network
from services.registry.practices.model import (
    CORE_CONTRACTS,
    NotACoreContract,
    PracticeContract,
    PracticeEntry,
    PracticeNotOpen,
    PracticeStatus,
)
from services.registry.practices.queries import PracticeNotFound
from services.registry.windows.queries import require_window
from shared.audit import audit
from shared.clock import london_day
from shared.errors import Conflict, Fault, Invalid
from shared.facts import another, believed, currently_known, days, parts_outside, since, withdraw
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


class MembershipEnded(Conflict):
    """A membership ends once; a last day recorded in error is put right by a correction."""


async def find_membership(
    session: AsyncSession, code: str, practice: str, first: date, known_at: datetime | None = None
) -> Membership:
    """The membership that begins on that day, as known now or then. Raises `MembershipNotFound`."""
    belief = believed(Membership, known_at)
    found = await session.scalar(
        select(Membership).where(
            Membership.network == code,
            Membership.practice == practice,
            func.lower(Membership.valid) == first,
            belief,
        )
    )
    if found is None:
        raise MembershipNotFound(f"{practice} has no membership of {code} that begins on {first}.")
    return found


def span_of(first: date, last: date | None) -> Range[date]:
    """The days of a membership. Raises `Invalid` when the last one lies before the first."""
    if last is not None and last < first:
        fault = Fault("valid_to", "before_valid_from", f"{last} lies before {first}.")
        raise Invalid("The days are not in order.", errors=[fault])
    return days(first, last)


async def join_network(
    session: AsyncSession,
    code: str,
    practice: str,
    *,
    first: date,
    last: date | None,
    share: Decimal,
    reason: str,
    caller: Caller,
    now: datetime,
) -> Membership:
    """Make a practice a core member of a network from a day on, which may lie in the past.

    Raises `NetworkNotFound`, `NetworkNotOpen`, `NotYoursToDecide`, `PracticeNotFound`, `PracticeNotOpen`,
    `NotACoreContract`, `PracticeListAllocated`, `PracticeAlreadyMember`, `SharesExceedOne`, `Invalid`.
    """
    valid = span_of(first, last)
    await lock_register(session)
    await touch_network(session, code, now)
    await require_lead(session, code, caller, first, today=london_day(now))
    membership = Membership(network=code, practice=practice, valid=valid, reason=reason, recorded_by=caller.subject)
    await put_member(session, membership, share, now=now)
    return membership


async def put_member(
    session: AsyncSession, membership: Membership, share: Decimal, *, now: datetime, replaces: Membership | None = None
) -> None:
    """Believe in this membership from now on, in place of the one it replaces, and tell whoever must know."""
    before = await spells_of(session, [membership.practice])
    await fit_member(session, membership, share, besides=replaces)
    if replaces is not None:
        await _forget(session, replaces, now)
    membership.known = since(now)
    session.add(membership)
    await settle_register(session)
    announce(session, *await moves_since(session, before, [membership.practice]))
    await session.flush()


async def _forget(session: AsyncSession, membership: Membership, now: datetime) -> None:
    await withdraw(
        session,
        Membership,
        now=now,
        days=membership.valid,
        network=membership.network,
        practice=membership.practice,
    )


async def fit_member(
    session: AsyncSession, membership: Membership, share: Decimal, *, besides: Membership | None = None
) -> None:
    """Refuse a membership that cannot be: outside the life of practice or network, or of a list that goes elsewhere."""
    practice, valid = membership.practice, membership.valid

    def of(model: Any, column: Any, code: str) -> Any:
        return select(model).where(currently_known(model), column == code, model.valid.overlaps(valid))

    entries = (await session.scalars(of(PracticeEntry, PracticeEntry.practice, practice))).all()
    known = select(PracticeEntry.fact_id).where(PracticeEntry.practice == practice, currently_known(PracticeEntry))
    if not entries and await session.scalar(known.limit(1)) is None:
        raise PracticeNotFound(f"No practice {practice}.")
    if outside := _uncovered(valid, [e.valid for e in entries if e.status is not PracticeStatus.PROPOSED]):
        raise PracticeNotOpen(f"{practice} is not open {_words(outside[0])}.")
    networks = (await session.scalars(of(NetworkEntry, NetworkEntry.network, membership.network))).all()
    if outside := _uncovered(valid, [entry.valid for entry in networks]):
        raise NetworkNotOpen(f"{membership.network} is not open {_words(outside[0])}.")
    contracts = (await session.scalars(of(PracticeContract, PracticeContract.practice, practice))).all()
    for held in contracts:
        if held.contract not in CORE_CONTRACTS:
            raise NotACoreContract(f"{practice} holds a contract of kind {held.contract} from {held.valid_from} on.")
    allocation = (await session.scalars(of(Allocation, Allocation.practice, practice).limit(1))).first()
    if allocation is not None:
        by = allocation.network or allocation.application
        raise PracticeListAllocated(f"The list of {practice} is allocated to {by} from {allocation.valid_from} on.")
    others = (await session.scalars(of(Membership, Membership.practice, practice))).all()
    membership.take(share, [m for m in others if m is not besides])


def _uncovered(wanted: Range[date], pieces: list[Range[date]]) -> list[Range[date]]:
    """The days of `wanted` that lie in none of the pieces."""
    left = [wanted]
    for piece in pieces:
        left = [part for held in left for part in parts_outside(held, piece)]
    return left


def _words(span: Range[date]) -> str:
    return f"from {span.lower} on" if span.upper is None else f"between {span.lower} and {span.upper}"


async def end_membership(
    session: AsyncSession,
    code: str,
    practice: str,
    first: date,
    *,
    last_day: date,
    reason: str,
    notified_on: date | None,
    agreement: str | None,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Membership:
    """A practice leaves a network; `agreement` is the commissioner's, needed outside a window.

    Raises `MembershipNotFound`, `MembershipEnded`, `NotYoursToDecide`, `NetworkNotOpen`, `OutsideWindow`,
    `NoticeTooShort`, `Invalid`.
    """
    await lock_register(session)
    held = await find_membership(session, code, practice, first)
    if last_day < held.valid_from:
        why = f"The membership begins on {held.valid_from}; withdraw it if it never was."
        raise Invalid("The last day lies before the first.", errors=[Fault("last_day", "before_valid_from", why)])
    await require_lead(session, code, caller, min(last_day, held.valid_to or last_day), today=london_day(now))
    require_match(held, if_match)
    if held.valid_to is not None and last_day >= held.valid_to:
        raise MembershipEnded(f"The membership ends on {held.valid_to} already.")
    if notified_on is not None and notified_on > london_day(now):
        fault = Fault("notified_on", "in_the_future", f"{notified_on} has not come yet.")
        raise Invalid("Notice is given before it is recorded.", errors=[fault])
    if agreement is None:
        await require_window(session, notified_on or london_day(now), last_day)
    return await end_on(session, held, last_day, reason=reason, by=caller.subject, now=now)


async def end_on(
    session: AsyncSession, held: Membership, last_day: date, *, reason: str, by: str, now: datetime
) -> Membership:
    """The membership has this last day from now on, whatever was believed before."""
    await touch_network(session, held.network, now)
    left = _again(held, days(held.valid_from, last_day), reason, by, now)
    await put_member(session, left, held.share, now=now, replaces=held)
    return left


def _again(held: Membership, valid: Range[date], reason: str, by: str, now: datetime) -> Membership:
    version = another(held, valid, since(now))
    version.reason, version.recorded_by = reason, by
    return version


async def correct_membership(
    session: AsyncSession,
    code: str,
    practice: str,
    first: date,
    *,
    valid: Range[date],
    share: Decimal | None,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Membership:
    """Put right the days or the share of a membership; what was believed before can still be asked for.

    Raises as `join_network` does, and `MembershipNotFound`.
    """
    await lock_register(session)
    held = await find_membership(session, code, practice, first)
    await require_lead(session, code, caller, held.valid_from, today=london_day(now))
    require_match(held, if_match)
    await touch_network(session, code, now)
    right = _again(held, valid, reason, caller.subject, now)
    await put_member(session, right, held.share if share is None else share, now=now, replaces=held)
    return right


async def withdraw_membership(
    session: AsyncSession,
    code: str,
    practice: str,
    first: date,
    *,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> None:
    """A membership that never was is believed no longer. Raises `MembershipNotFound`, `NotYoursToDecide`."""
    await lock_register(session)
    held = await find_membership(session, code, practice, first)
    await require_lead(session, code, caller, held.valid_from, today=london_day(now))
    require_match(held, if_match)
    await touch_network(session, code, now)
    before = await spells_of(session, [practice])
    audit(
        session,
        action="withdrawn",
        record=f"memberships/{held.fact_id}",
        concerns=held.concerns(),
        after={"reason": reason},
    )
    await _forget(session, held, now)
    await settle_register(session)
    announce(session, *await moves_since(session, before, [practice]))
