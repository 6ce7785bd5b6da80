"""A commissioner or a system is succeeded: recorded, put right, and announced with all that follows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy import following
from services.registry.hierarchy.following import COMMISSIONED, LED, Ground, Held, Was
from services.registry.hierarchy.model import Commissioner, Level, Placement, Plan, Succession, System
from services.registry.hierarchy.placing import PLACED, SYSTEM, enter, note_placed, placed_events, touch
from services.registry.hierarchy.queries import links_of, names_of
from services.registry.networks.model import NetworkEntry
from services.registry.ods.network_events import tell_networks
from services.registry.ods.practice_events import tell_practices_held
from services.registry.ods.reconcile import Key, Piece, Reconciled, reconcile
from services.registry.practices.model import PracticeCommissioner
from shared.audit import audit
from shared.errors import Fault
from shared.events import Event
from shared.events.registry import CommissionerSucceeded, Heir
from shared.facts import Dated

LINK = ("kind", "inherits", "reason", "recorded_by")
ROWS: dict[Level, type[Commissioner] | type[System]] = {Level.COMMISSIONER: Commissioner, Level.SYSTEM: System}


@dataclass(slots=True)
class Followed:
    """What successions changed, what to announce, who was refused and why, and the parts nobody was named for."""

    changes: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    refused: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    left_over: list[tuple[Plan, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recording:
    """Who records, from when the belief dates, and whether a divided system may leave a commissioner nowhere."""

    by: str
    published: datetime
    now: datetime
    partly: bool = False

    async def believe(
        self,
        session: AsyncSession,
        model: type[Dated],
        key: Sequence[str],
        values: Sequence[str],
        desired: dict[Key, list[Piece]],
    ) -> Reconciled:
        return await reconcile(
            session, model, key=key, values=values, desired=desired, published=self.published, now=self.now
        )


async def succeed(session: AsyncSession, plans: Sequence[Plan], recording: Recording) -> Followed:
    """Record successions with all that follows from them. Whoever asks holds the register's lock.

    What was recorded of a predecessor before is put right: as if it had not been, and then as it is said now.
    """
    followed, moved, led = Followed(), set[str](), set[str]()
    in_turn = sorted(plans, key=lambda plan: (plan.on, plan.level is Level.COMMISSIONER))
    for (on, level), group in groupby(in_turn, key=lambda plan: (plan.on, plan.level)):
        ground = await _ground(session, level, on, list(group), followed)
        if not ground.plans:
            continue
        if level is Level.COMMISSIONER:
            await _commissioners(session, ground, recording, followed, moved, led)
        else:
            await _systems(session, ground, recording, followed)
        await _record(session, level, ground, recording, followed)
    day = recording.published.date()
    followed.changes["practices that changed hands"] = len(moved)
    followed.changes["networks that changed hands"] = len(led)
    followed.events += await tell_practices_held(session, sorted(moved), day)
    followed.events += await tell_networks(session, sorted(led), day)
    return followed


async def _ground(session: AsyncSession, level: Level, on: date, plans: list[Plan], followed: Followed) -> Ground:
    """The plans that are possible, with what was recorded of their predecessors before."""
    codes = sorted({code for plan in plans for code in (plan.predecessor, *plan.codes)})
    standing: dict[str, list[Succession]] = defaultdict(list)
    entering: dict[str, list[Succession]] = defaultdict(list)
    for link in await links_of(session, level, codes):
        standing[link.predecessor].append(link)
        if link.predecessor != link.successor:
            entering[link.successor].append(link)
    ground = Ground({}, {}, on)
    was: dict[str, Was] = {}
    for plan in plans:
        faults = followed.refused[plan.predecessor]
        for code in plan.codes:
            gone = [link for link in standing[code] if link.valid_from <= on and code != plan.predecessor]
            if gone and all(link.successor != code for link in gone):
                faults.append(Fault("successors", "gone", f"{code} was itself succeeded on {gone[0].valid_from}."))
        later = [link for link in entering[plan.predecessor] if link.valid_from > on]
        if later and not plan.goes_on:
            message = f"{plan.predecessor} takes over {later[0].predecessor} on {later[0].valid_from}."
            faults.append(Fault("succeeded_on", "heir_later", message))
        if faults:
            continue
        ground.plans[plan.predecessor] = plan
        if standing[plan.predecessor]:
            links = standing[plan.predecessor]
            was[plan.predecessor] = Was(links[0].valid_from, tuple(link.successor for link in links))
    ground.was = was
    return ground


def _faults(ground: Ground, held: Held, at: int, followed: Followed, *, partly: bool) -> None:
    """Take out what cannot be done as it is said."""
    for code, parts in ground.parts(held, at).items():
        plan = ground.plans[code]
        faults = plan.faults(parts)
        if partly:
            followed.left_over += [(plan, part) for part in parts if plan.goes_to(part) is None]
            faults = [fault for fault in faults if fault.code != "part_missing"]
        if faults:
            followed.refused[code] += faults
            del ground.plans[code]


async def _commissioners(
    session: AsyncSession, ground: Ground, recording: Recording, followed: Followed, moved: set[str], led: set[str]
) -> None:
    held = await following.practices_of(session, ground)
    _faults(ground, held, 0, followed, partly=False)
    places = await following.commissioners_follow(session, ground, followed.refused)
    for code in [code for code in ground.plans if followed.refused[code]]:
        del ground.plans[code]
    if not ground.plans:
        return
    await enter(session, Commissioner, [code for (code,) in places])
    await _place(session, recording, places, followed)
    practices = following.practices_follow(ground, held)
    networks = await following.networks_follow(session, ground, practices)
    changed = await recording.believe(session, PracticeCommissioner, ["practice"], COMMISSIONED, practices)
    moved |= {practice for (practice,) in changed.changed}
    entries = await recording.believe(session, NetworkEntry, ["network"], LED, networks)
    led |= {network for (network,) in entries.changed}


async def _systems(session: AsyncSession, ground: Ground, recording: Recording, followed: Followed) -> None:
    held = await following.commissioners_of(session, ground)
    _faults(ground, held, SYSTEM, followed, partly=recording.partly)
    if ground.plans:
        await _place(session, recording, await following.systems_follow(session, ground, held), followed)


async def _place(
    session: AsyncSession, recording: Recording, places: dict[Key, list[Piece]], followed: Followed
) -> None:
    done = await recording.believe(session, Placement, ["commissioner"], PLACED, places)
    followed.changes["commissioners placed"] += len(done.changed)
    followed.changed |= {code for (code,) in done.changed}
    await note_placed(session, done, recording.now)
    followed.events += placed_events(done)


async def _record(
    session: AsyncSession, level: Level, ground: Ground, recording: Recording, followed: Followed
) -> None:
    """The links themselves; those that no longer hold are believed no more."""
    desired: dict[Key, list[Piece]] = {}
    for code, plan in ground.plans.items():
        for old in ground.was[code].heirs if code in ground.was else ():
            desired[code, level.value, old] = []
        for heir in plan.codes:
            values = (plan.kind, heir == plan.main_heir, plan.reason, recording.by)
            desired[code, level.value, heir] = [Piece((plan.on, None), values)]
    links = await recording.believe(session, Succession, ["predecessor", "level", "successor"], LINK, desired)
    touched = {code for code, _, _ in links.changed}
    await enter(session, ROWS[level], {*ground.plans, *(code for plan in ground.plans.values() for code in plan.codes)})
    await touch(session, ROWS[level], touched, recording.now)
    followed.changed |= touched
    followed.changes[f"{level}s succeeded"] += len(touched)
    names = await names_of(session, level, ground.codes, None)
    for code in sorted(touched):
        plan = ground.plans[code]
        audit(
            session,
            action="succession",
            record=f"successions/{level}/{code}",
            concerns=[code, *plan.codes],
            before={"successors": ground.was[code].heirs, "on": ground.was[code].on} if code in ground.was else None,
            after={"kind": plan.kind, "on": plan.on, "successors": plan.codes, "reason": plan.reason},
        )
        if level is Level.COMMISSIONER:
            followed.events.append(
                CommissionerSucceeded(
                    commissioner=code,
                    kind=plan.kind.value,
                    succeeded_on=plan.on,
                    successors=[
                        Heir(
                            commissioner=heir, commissioner_name=names.get(heir, heir), inherits=heir == plan.main_heir
                        )
                        for heir in plan.codes
                    ],
                )
            )
