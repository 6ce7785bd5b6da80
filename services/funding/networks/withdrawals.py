"""Rights to be paid that were withdrawn or given back: what the registry announced, in whatever order it comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.funding.networks.model import Withdrawal
from shared.events.registry import EntitlementRestored, EntitlementWithdrawn
from shared.facts import believed, currently_known, since


async def withdraw_entitlement(
    session: AsyncSession, event: EntitlementWithdrawn, position: int, now: datetime
) -> None:
    await _keep(session, event, position, now)


async def restore_entitlement(session: AsyncSession, event: EntitlementRestored, position: int, now: datetime) -> None:
    await _keep(session, event, position, now)


async def _keep(
    session: AsyncSession, event: EntitlementWithdrawn | EntitlementRestored, position: int, now: datetime
) -> None:
    """Believe from now on what the event adds to what is held of the withdrawal; older news adds nothing."""
    held = (
        await session.scalars(
            select(Withdrawal)
            .where(Withdrawal.withdrawal == event.withdrawal, currently_known(Withdrawal))
            .with_for_update()
        )
    ).first()
    first, back = (None, None) if held is None else (held.withdrawn_from, held.restored_from)
    older = held is not None and held.position > position
    reason, stay, heard_at = ("", None, None) if held is None else (held.reason, held.salaries_stay, held.heard_at)
    if isinstance(event, EntitlementWithdrawn):
        heard_at = heard_at or now
        if not (older and first is not None):
            first, reason, stay = event.withdrawn_from, event.reason, event.salaries_stay
    elif not (older and back is not None):
        back = event.restored_from
    fact = Withdrawal(
        withdrawal=event.withdrawal,
        network=event.network,
        practice=event.practice,
        withdrawn_from=first,
        restored_from=back,
        reason=reason,
        salaries_stay=stay,
        heard_at=heard_at,
        position=position if held is None else max(position, held.position),
        known=since(now),
    )
    fact.valid = fact.days_without()
    if held is not None:
        if (fact.withdrawn_from, fact.restored_from) == (held.withdrawn_from, held.restored_from):
            return
        if held.known.lower is not None and held.known.lower >= now:
            await session.delete(held)
        else:
            held.known = Range(held.known.lower, now)
        await session.flush()
    session.add(fact)
    await session.flush()


async def withdrawals_of(
    session: AsyncSession, during: Range[date], networks: Collection[str] | None, known_at: datetime | None
) -> dict[str, list[Withdrawal]]:
    """By network: the withdrawals that touch these days, as known then or now."""
    wanted = select(Withdrawal).where(believed(Withdrawal, known_at), Withdrawal.valid.overlaps(during))
    if networks is not None:
        wanted = wanted.where(Withdrawal.network.in_(networks))
    found: dict[str, list[Withdrawal]] = defaultdict(list)
    for fact in await session.scalars(wanted.order_by(Withdrawal.withdrawal)):
        found[fact.network].append(fact)
    return found


def month_without_right(network: InstrumentedAttribute[str], month: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """True where the network had no right to be paid on the first of the month, as known now."""
    return exists().where(
        Withdrawal.network == network,
        Withdrawal.practice.is_(None),
        currently_known(Withdrawal),
        Withdrawal.valid.op("@>")(func.to_date(month, "YYYY-MM")),
    )
