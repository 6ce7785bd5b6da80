from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.operations import allocate_patients
from services.registry.applications.form import ApplicationKind
from services.registry.applications.operations import draft_application
from services.registry.areas.geojson import read_area
from services.registry.hierarchy.model import Commissioner, CommissionerNotFound
from services.registry.list_sizes.queries import latest_snapshot
from services.registry.networks.model import Membership, NetworkNotFound
from services.registry.networks.queries import lead_of
from services.registry.scope import acts_for, area_of
from services.registry.what_ifs.evaluation import evaluate
from services.registry.what_ifs.model import NotYoursToPropose, WhatIf, WhatIfNotFound
from services.registry.what_ifs.shapes import ApplyIn, GroupIn, WhatIfIn
from shared.clock import london_day
from shared.database import new_id
from shared.errors import DomainError, Fault, Invalid
from shared.facts import as_at
from shared.identity import Caller, Role


async def visible_what_ifs(session: AsyncSession, caller: Caller, today: date) -> ColumnElement[bool]:
    """What-ifs of the caller's area, and those its own organisations asked."""
    area = await area_of(session, caller, today)
    if area is None:
        return true()
    return or_(WhatIf.commissioner.in_(area), WhatIf.organisations.overlap(sorted(caller.organisations)))


async def find_what_if(session: AsyncSession, id: str, caller: Caller, today: date, *, lock: bool = False) -> WhatIf:
    """A what-if the caller may see. Raises `WhatIfNotFound`."""
    statement = select(WhatIf).where(WhatIf.id == id, await visible_what_ifs(session, caller, today))
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise WhatIfNotFound(f"No what-if {id}.")
    return found


async def ask(session: AsyncSession, wanted: WhatIfIn, *, caller: Caller, now: datetime) -> WhatIf:
    """Say what any grouping of practices would mean, and keep the question with its answer.

    Raises `CommissionerNotFound`, `NetworkNotFound`, `NotYoursToPropose`, `NoSizeRule`, `Invalid`.
    """
    if await session.get(Commissioner, wanted.commissioner) is None:
        raise CommissionerNotFound(f"No commissioner {wanted.commissioner}.")
    await _require_part(session, wanted, caller, london_day(now))
    for code in sorted({*wanted.ends, *(group.network for group in wanted.groups if group.network)}):
        if await lead_of(session, code, wanted.starts_on) is None:
            raise NetworkNotFound(f"No network {code} on {wanted.starts_on}.")
    faults = _faults(wanted)
    if faults:
        raise Invalid("The groups do not fit together.", errors=faults)
    wanted = wanted.model_copy(update={"groups": [_drawn(number, g) for number, g in enumerate(wanted.groups)]})
    snapshot = wanted.snapshot or await latest_snapshot(session, wanted.starts_on)
    if snapshot is None:
        fault = Fault("snapshot", "no_lists", f"No lists are known up to {wanted.starts_on}.")
        raise Invalid("There is nothing to measure by.", errors=[fault])
    answer = await evaluate(session, wanted, snapshot)
    made = WhatIf(
        id=new_id("wif"),
        title=wanted.title,
        commissioner=wanted.commissioner,
        starts_on=wanted.starts_on,
        snapshot=snapshot,
        asked_by=caller.subject,
        asked_at=now,
        organisations=sorted(caller.organisations),
        proposal=wanted.model_dump(mode="json"),
        answer=answer.model_dump(mode="json"),
        applications=[],
    )
    session.add(made)
    await session.flush()
    return made


async def _require_part(session: AsyncSession, wanted: WhatIfIn, caller: Caller, today: date) -> None:
    if caller.has(Role.NATIONAL) or await acts_for(session, wanted.commissioner, caller, today):
        return
    practices = {line.practice for group in wanted.groups for line in group.practices}
    if caller.has(Role.PRACTICE) and practices & caller.organisations:
        return
    if caller.has(Role.NETWORK):
        held = select(Membership.network).where(as_at(Membership, wanted.starts_on), Membership.practice.in_(practices))
        networks = {*(await session.scalars(held)).all(), *(group.network for group in wanted.groups)}
        if networks & caller.organisations:
            return
    raise NotYoursToPropose("The grouping is proposed by the area's commissioner or by who has a part in it.")


def _faults(wanted: WhatIfIn) -> list[Fault]:
    found = []
    names = [group.name for group in wanted.groups]
    networks = [group.network for group in wanted.groups if group.network]
    for number, group in enumerate(wanted.groups):
        field = f"groups.{number}"
        if names.index(group.name) != number:
            found.append(Fault(f"{field}.name", "repeated", f"There is a group {group.name} already."))
        if group.network and networks.count(group.network) > 1:
            found.append(Fault(f"{field}.network", "repeated", f"{group.network} goes on as one group."))
        if group.network in wanted.ends:
            found.append(Fault(f"{field}.network", "ends", f"{group.network} cannot both go on and end."))
        codes = [line.practice for line in group.practices]
        found += [
            Fault(f"{field}.practices", "repeated", f"{code} is named twice.")
            for code in sorted({code for code in codes if codes.count(code) > 1})
        ]
    for number, served in enumerate(wanted.allocations):
        field = f"allocations.{number}"
        if (served.group is None) == (served.network is None):
            found.append(Fault(field, "one_of_two", "Name a group or a network, one of the two."))
        if served.group is not None and served.group not in names:
            found.append(Fault(f"{field}.group", "unknown_group", f"There is no group {served.group}."))
    return found


def _drawn(number: int, group: GroupIn) -> GroupIn:
    if group.area is None:
        return group
    _, geometry = read_area(group.area, f"groups.{number}.area")
    return group.model_copy(update={"area": geometry})


async def apply_for(
    session: AsyncSession, id: str, applying: ApplyIn, *, caller: Caller, now: datetime
) -> tuple[WhatIf, bool]:
    """Make each group a draft application of a round; asked again, the same ones are answered.

    Gives the what-if and whether the applications are new. Raises `WhatIfNotFound`, `AppliedForAlready`,
    `RoundNotFound`, `RoundAlreadyDecided`, `RoundGivenUp`, `NotYoursToChange`, `Invalid`.
    """
    today = london_day(now)
    found = await find_what_if(session, id, caller, today, lock=True)
    found.require_unapplied(applying.round)
    if found.applications:
        return found, False
    wanted = WhatIfIn.model_validate(found.proposal)
    divided = await _wholly_divided(session, wanted)
    made = []
    for group in wanted.groups:
        fields, lines = await _form(session, group, wanted, divided, applying)
        application = await draft_application(
            session,
            caller=caller,
            round=applying.round,
            fields={**fields, "what_if": id},
            practices=lines,
            now=now,
        )
        made.append(application.id)
    drafts = {group.name: draft for group, draft in zip(wanted.groups, made, strict=True)}
    allocated, left = await _allocate(session, wanted, drafts, applying.round, found.title, caller=caller, now=now)
    found.applied_for(applying.round, made, allocated, left)
    await session.flush()
    return found, True


async def _allocate(
    session: AsyncSession,
    wanted: WhatIfIn,
    drafts: Mapping[str, str],
    round: str,
    title: str,
    *,
    caller: Caller,
    now: datetime,
) -> tuple[list[str], list[dict[str, Any]]]:
    """The lists the proposal has served, each by its group's application or a network; those refused, with why."""
    made, left = [], []
    for served in wanted.allocations:
        try:
            async with session.begin_nested():
                allocation = await allocate_patients(
                    session,
                    caller=caller,
                    practice=served.practice,
                    network=served.network,
                    application=drafts[served.group] if served.group is not None else None,
                    first=wanted.starts_on,
                    last=None,
                    reason=f"As proposed: {title}",
                    round=round,
                    now=now,
                )
        except DomainError as refusal:
            left.append({"practice": served.practice, "code": refusal.code, "message": str(refusal)})
        else:
            made.append(allocation.id)
    return made, left


async def _wholly_divided(session: AsyncSession, wanted: WhatIfIn) -> frozenset[str]:
    """Networks of today whose every practice goes to a group, and which are formed anew as more than one."""
    placed = {line.practice for group in wanted.groups for line in group.practices}
    members = select(Membership.network, Membership.practice).where(
        as_at(Membership, wanted.starts_on),
        Membership.network.in_(
            select(Membership.network).where(as_at(Membership, wanted.starts_on), Membership.practice.in_(placed))
        ),
    )
    held: dict[str, set[str]] = {}
    for network, practice in await session.execute(members):
        held.setdefault(network, set()).add(practice)
    return frozenset(network for network, practices in held.items() if practices <= placed)


async def _form(
    session: AsyncSession, group: GroupIn, wanted: WhatIfIn, divided: frozenset[str], applying: ApplyIn
) -> tuple[dict[str, Any], Sequence[tuple[str, Decimal, str | None]]]:
    """A group as the registration form: what it leaves, and what it forms anew where a reason for that is given."""
    codes = [line.practice for line in group.practices]
    held = select(Membership.practice, Membership.network).where(
        as_at(Membership, wanted.starts_on), Membership.practice.in_(codes), Membership.network != (group.network or "")
    )
    leaves: dict[str, str] = dict((await session.execute(held.order_by(Membership.network.desc()))).all())
    reforms = sorted({network for network in leaves.values() if network in divided})
    fields: dict[str, Any] = {
        "network_name": group.name,
        "network": group.network,
        "area": group.area,
        "area_description": group.area_description,
        "localities": [locality.model_dump() for locality in group.localities],
        "size_waiver_reason": group.size_waiver_reason,
    }
    if reforms and applying.reform_reason is not None:
        fields |= {
            "kind": ApplicationKind.REFORM,
            "reforms": reforms,
            "reform_reason": applying.reform_reason,
            "reform_explanation": applying.reform_explanation,
        }
    return fields, [(line.practice, line.share, line.leaves or leaves.get(line.practice)) for line in group.practices]
