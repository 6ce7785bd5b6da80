from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import (
    Commissioner,
    CommissionerCodeTaken,
    CommissionerNotFound,
    CommissionerNotPlaced,
    Delegation,
    Level,
    Placement,
    Plan,
    SuccessionNotPossible,
    System,
    SystemNotFound,
)
from services.registry.hierarchy.pieces import in_order
from services.registry.hierarchy.placing import PLACED, enter, placed_events, touch
from services.registry.hierarchy.queries import names_of
from services.registry.hierarchy.succession import ROWS, Recording, succeed
from services.registry.networks.operations import lock_register
from services.registry.ods.reconcile import Reconciled, held_pieces
from shared.errors import Fault, Invalid
from shared.facts import currently_known, days, record
from shared.http import one_fault, require_match
from shared.messaging import announce, announce_many

NOT_FOUND = {Level.COMMISSIONER: CommissionerNotFound, Level.SYSTEM: SystemNotFound}


async def register_commissioner(
    session: AsyncSession, code: str, name: str, where: dict[str, Any], *, first: date, last: date | None, now: datetime
) -> Commissioner:
    """Enter a commissioner and where it stands from `first` on.

    Raises `CommissionerCodeTaken`; `Invalid` where the system is new and not described.
    """
    await lock_register(session)
    if await session.get(Commissioner, code) is not None:
        raise CommissionerCodeTaken(f"The code {code} is on the register.")
    made = Commissioner(code=code, changed_at=now)
    session.add(made)
    await _place(session, made, name, where, first=first, last=last, now=now)
    return made


async def place_commissioner(
    session: AsyncSession,
    code: str,
    name: str,
    where: dict[str, Any],
    *,
    first: date,
    last: date | None,
    if_match: str | None,
    now: datetime,
) -> Commissioner | System:
    """From `first` to `last` a commissioner bears this name and stands in this system.

    Raises `CommissionerNotFound`, `Invalid`.
    """
    await lock_register(session)
    commissioner = await find(session, Level.COMMISSIONER, code, if_match)
    await _place(session, commissioner, name, where, first=first, last=last, now=now)
    return commissioner


async def _place(
    session: AsyncSession,
    commissioner: Commissioner | System,
    name: str,
    where: dict[str, Any],
    *,
    first: date,
    last: date | None,
    now: datetime,
) -> None:
    _require_order(first, last)
    values = (name, where["system"], *await described(session, first, **where))
    made = Placement(commissioner=commissioner.code, **dict(zip(PLACED, values, strict=True)), valid=days(first, last))
    await record(session, made, key=["commissioner"], now=now)
    await enter(session, System, [where["system"]])
    await touch(session, System, [where["system"]], now)
    commissioner.changed_at = now
    held = await held_pieces(session, Placement, "commissioner", PLACED, [commissioner.code])
    announce(session, *placed_events(Reconciled(begun={(code,): in_order(held[code]) for code in held})))
    await session.flush()


async def described(
    session: AsyncSession,
    day: date,
    *,
    system: str,
    system_name: str | None,
    region: str | None,
    region_name: str | None,
) -> tuple[str, str, str]:
    """Name and region of a system, as given or as the register has them of that day or, if it came later, at first.

    Raises `Invalid` naming what is missing.
    """
    held = (
        await session.execute(
            select(Placement.system_name, Placement.region, Placement.region_name)
            .where(Placement.system == system, currently_known(Placement))
            .order_by(Placement.valid.contains(day).desc(), func.lower(Placement.valid), Placement.commissioner)
            .limit(1)
        )
    ).first()
    given = {"system_name": system_name, "region": region, "region_name": region_name}
    found = {key: value or (held[place] if held else None) for place, (key, value) in enumerate(given.items())}
    missing = [key for key, value in found.items() if value is None]
    if missing:
        faults = [Fault(key, "missing", f"{system} is new to the register: say its {key}.") for key in missing]
        raise Invalid(f"The system {system} is not on the register.", errors=faults)
    return str(found["system_name"]), str(found["region"]), str(found["region_name"])


def _require_order(first: date, last: date | None) -> None:
    if last is not None and last < first:
        raise one_fault("valid_to", "before_valid_from", f"{last} lies before {first}.")


async def delegate(
    session: AsyncSession,
    code: str,
    delegated: bool,
    reason: str,
    *,
    first: date,
    last: date | None,
    if_match: str | None,
    now: datetime,
) -> None:
    """From `first` to `last` the commissioner decides for its own area, or the national team in its place."""
    await lock_register(session)  # nobody decides the area meanwhile by the right it had
    commissioner = await find(session, Level.COMMISSIONER, code, if_match)
    _require_order(first, last)
    fact = Delegation(commissioner=code, delegated=delegated, reason=reason, valid=days(first, last))
    await record(session, fact, key=["commissioner"], now=now)
    commissioner.changed_at = now
    await session.flush()


async def find(session: AsyncSession, level: Level, code: str, if_match: str | None) -> Commissioner | System:
    """A commissioner or system, locked for a change of it. Raises `CommissionerNotFound`, `SystemNotFound`."""
    found: Commissioner | System | None = await session.get(ROWS[level], code, with_for_update=True)
    if found is None:
        raise NOT_FOUND[level](f"No {level} {code}.")
    require_match(found, if_match)
    return found


async def look_up(
    session: AsyncSession, level: Level, code: str, known_at: datetime | None = None
) -> Commissioner | System:
    """A commissioner or system the register knows, or knew at a moment. Raises `CommissionerNotFound`,
    `SystemNotFound`.
    """
    found: Commissioner | System | None = await session.get(ROWS[level], code)
    if found is not None and known_at is not None:
        key = Placement.commissioner if level is Level.COMMISSIONER else Placement.system
        told = await session.scalar(select(func.min(func.lower(Placement.known))).where(key == code))
        if told is not None and told > known_at:
            found = None
    if found is None:
        raise NOT_FOUND[level](f"No {level} {code}.")
    return found


async def record_succession(
    session: AsyncSession, plan: Plan, *, by: str, if_match: str | None, now: datetime
) -> Commissioner | System:
    """Record who succeeds a commissioner or a system, or put right what was recorded; all that follows is done with it.

    Raises `CommissionerNotFound`, `SystemNotFound`, `CommissionerNotPlaced`, `SuccessionNotPossible`, `Invalid`.
    """
    await lock_register(session)
    row = await find(session, plan.level, plan.predecessor, if_match)
    if plan.level is Level.COMMISSIONER and not await _ever_placed(session, plan.predecessor):
        raise CommissionerNotPlaced(f"{plan.predecessor} stands in no system; say where before it is succeeded.")
    known = await names_of(session, plan.level, plan.codes, None)
    nameless = [heir.code for heir in plan.heirs if heir.name is None and heir.code not in known]
    if nameless:
        faults = [Fault("successors", "name_missing", f"{code} is new to the register: name it.") for code in nameless]
        raise Invalid("A successor has no name.", errors=faults)
    followed = await succeed(session, [_with_names(plan, known)], Recording(by, now, now))
    faults = followed.refused[plan.predecessor]
    if any(fault.code in ("gone", "heir_later") for fault in faults):
        raise SuccessionNotPossible(faults[0].message, errors=faults)
    if faults:
        raise Invalid("The succession does not fit what the register has.", errors=faults)
    await announce_many(session, followed.events)
    await session.refresh(row)
    return row


def _with_names(plan: Plan, known: dict[str, str]) -> Plan:
    heirs = tuple(replace(heir, name=heir.name or known.get(heir.code)) for heir in plan.heirs)
    return replace(plan, heirs=heirs)


async def _ever_placed(session: AsyncSession, code: str) -> bool:
    held = select(Placement.fact_id).where(Placement.commissioner == code, currently_known(Placement)).limit(1)
    return await session.scalar(held) is not None
