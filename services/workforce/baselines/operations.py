"""Record the baseline of 31 March 2019 and what became of its posts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.baselines.model import Baseline, BaselineAlreadyRecorded, grace_ends
from services.workforce.networks.model import Membership, Network, Practice
from services.workforce.networks.operations import commissioned, of_caller
from shared.database import new_id
from shared.errors import NotFound
from shared.facts import ONE_DAY
from shared.http import require_match
from shared.identity import Caller, Role


def of_practice(caller: Caller) -> ColumnElement[bool]:
    """True of practices the caller may see the baseline of: itself, its network's members, its area."""
    if caller.everywhere:
        return true()
    ways: list[ColumnElement[bool]] = list(commissioned(caller, Practice.commissioner))
    if caller.has(Role.PRACTICE):
        ways.append(Practice.practice.in_(caller.organisations))
    if caller.has(Role.NETWORK):
        own = select(Membership.practice).where(of_caller(caller, Membership.network))
        ways.append(Practice.practice.in_(own))
    return or_(*ways) if ways else ~true()


def visible_baselines(caller: Caller) -> Select[Baseline]:
    return select(Baseline).join(Practice, Practice.practice == Baseline.practice).where(of_practice(caller))


async def find_baseline(session: AsyncSession, baseline_id: str, *, caller: Caller, lock: bool = False) -> Baseline:
    statement = visible_baselines(caller).where(Baseline.id == baseline_id)
    baseline = await session.scalar(statement.with_for_update(of=Baseline) if lock else statement)
    if baseline is None:
        raise NotFound(f"No baseline {baseline_id}.")
    return baseline


async def record_baseline(
    session: AsyncSession, *, practice: str, role: str, wte: Decimal, source: str | None, caller: Caller
) -> Baseline:
    """Put on record what a practice had of a role on the baseline day."""
    seen = await session.scalar(select(Practice.practice).where(Practice.practice == practice, of_practice(caller)))
    if seen is None:
        raise NotFound(f"No practice {practice}.")
    held = await session.scalar(select(Baseline.id).where(Baseline.practice == practice, Baseline.role == role))
    if held is not None:
        raise BaselineAlreadyRecorded(f"The baseline of {role} at {practice} is on record: {held}.")
    baseline = Baseline(id=new_id("base"), practice=practice, role=role, wte=wte, source=source)
    session.add(baseline)
    await session.flush()
    return baseline


async def note_vacancy(
    session: AsyncSession,
    baseline_id: str,
    *,
    vacant_from: date | None,
    filled_on: date | None,
    caller: Caller,
    if_match: str | None,
) -> Baseline:
    baseline = await find_baseline(session, baseline_id, caller=caller, lock=True)
    require_match(baseline, if_match)
    if vacant_from is not None:
        baseline.fall_vacant(vacant_from)
    if filled_on is not None:
        baseline.fill(filled_on)
    await session.flush()
    return baseline


async def vacant_baseline(session: AsyncSession, network: Network, role: str, day: date) -> list[date]:
    """Since when baseline posts of a role stand empty at the network's members of a day."""
    return [since for one in await _fallen_vacant(session, network, {role}, day) if (since := one.vacant()) is not None]


async def barring(
    session: AsyncSession, network: Network, roles: Collection[str], day: date
) -> dict[str, list[tuple[date, date | None]]]:
    """By role, from which day on each baseline post bars one whole-time equivalent, and the day it was filled."""
    found: dict[str, list[tuple[date, date | None]]] = {}
    for one in await _fallen_vacant(session, network, roles, day):
        if one.vacant_from is not None:
            found.setdefault(one.role, []).append((grace_ends(one.vacant_from) + ONE_DAY, one.filled_on))
    return found


async def _fallen_vacant(
    session: AsyncSession, network: Network, roles: Collection[str], day: date
) -> Sequence[Baseline]:
    members = select(Membership.practice).where(
        Membership.network == network.network,
        Membership.valid_from <= day,
        or_(Membership.valid_to.is_(None), Membership.valid_to >= day),
    )
    found = await session.scalars(
        select(Baseline).where(
            Baseline.practice.in_(members), Baseline.role.in_(roles), Baseline.vacant_from.is_not(None)
        )
    )
    return found.all()
