"""What follows when a commissioner or a system is succeeded: places, practices and networks change hands that day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Level, Placement, Plan
from services.registry.hierarchy.pieces import Values, begun_by, given_back, handed_over, taken_back
from services.registry.hierarchy.placing import PLACED, SYSTEM
from services.registry.hierarchy.queries import gone_by, links_of
from services.registry.networks.model import Membership, NetworkEntry
from services.registry.ods.reconcile import Key, Piece, held_pieces
from services.registry.practices.model import PracticeCommissioner
from shared.errors import Fault
from shared.facts import Dated, as_at, currently_known

LED = ("name", "commissioner")
LEAD = LED.index("commissioner")
COMMISSIONED = ("commissioner",)

Held = dict[str, list[Piece]]


@dataclass(frozen=True, slots=True)
class Was:
    """What was recorded of a predecessor before: the day, and its heirs then."""

    on: date
    heirs: tuple[str, ...]


@dataclass(slots=True)
class Ground:
    """The successions of one level on one day, and what the register holds of those they touch."""

    plans: dict[str, Plan]
    was: Mapping[str, Was]
    on: date

    @property
    def codes(self) -> list[str]:
        heirs = {code for plan in self.plans.values() for code in plan.codes}
        return sorted({*self.plans, *heirs, *(code for was in self.was.values() for code in was.heirs)})

    @property
    def since(self) -> date:
        return min([self.on, *(was.on for was in self.was.values())])

    def before(self, held: Held, at: int, *, reopened: bool = False, gone: Collection[str] = ()) -> Held:
        """As if nothing had been recorded of these predecessors. What is `gone` for a reason of its own stays so."""
        back = dict(held)
        for code, was in self.was.items():
            named = self.plans[code].parts if code in self.plans else frozenset()
            for key, pieces in back.items():
                again = reopened and key not in gone
                left = taken_back(pieces, was.on, code, was.heirs, at=at, reopened=again)
                back[key] = given_back(left, was.on, code, was.heirs, at=at) if key in named else left
        return back

    def parts(self, held: Held, at: int) -> dict[str, list[str]]:
        """Per predecessor, what is its own on the day."""
        own: dict[str, list[str]] = {code: [] for code in self.plans}
        for key, pieces in sorted(held.items()):
            for piece in pieces:
                code = piece.values[at]
                if code in own and piece.span[0] <= self.on < (piece.span[1] or date.max):
                    own[code].append(key)
        return own


async def touched(session: AsyncSession, model: type[Dated], key: str, column: str, ground: Ground) -> list[str]:
    """Keys of a kind of fact that name one of these codes on the day or later."""
    named, wanted = getattr(model, column), any_(literal(ground.codes, ARRAY(Text)))
    still = func.upper_inf(model.valid) | (func.upper(model.valid) >= ground.since)
    statement = select(getattr(model, key)).where(named == wanted, currently_known(model), still).distinct()
    return sorted((await session.scalars(statement)).all())


async def practices_of(session: AsyncSession, ground: Ground) -> Held:
    """Who commissions the practices concerned, with what was recorded before taken back."""
    codes = await touched(session, PracticeCommissioner, "practice", "commissioner", ground)
    return ground.before(await held_pieces(session, PracticeCommissioner, "practice", COMMISSIONED, codes), 0)


def practices_follow(ground: Ground, held: Held) -> dict[Key, list[Piece]]:
    """Each practice goes to the heir that names it, or to the one that takes all."""

    def becomes(practice: str, values: Values) -> Values:
        plan = ground.plans.get(values[0])
        return values if plan is None else (plan.goes_to(practice) or plan.main_heir,)

    return {
        (practice,): handed_over(pieces, ground.on, lambda values, code=practice: becomes(code, values))  # type: ignore[misc]
        for practice, pieces in held.items()
    }


async def networks_follow(
    session: AsyncSession, ground: Ground, practices: Mapping[Key, Sequence[Piece]]
) -> dict[Key, list[Piece]]:
    """Each network is led by the heir that names it, or by the one with most of its practices, or by the main heir."""
    codes = await touched(session, NetworkEntry, "network", "commissioner", ground)
    held = ground.before(await held_pieces(session, NetworkEntry, "network", LED, codes), LEAD)
    members = await session.execute(
        select(Membership.network, Membership.practice).where(
            as_at(Membership, ground.on), Membership.network == any_(literal(codes, ARRAY(Text)))
        )
    )
    of_network: dict[str, Counter[str]] = {}
    for network, practice in members:
        for piece in practices.get((practice,), []):
            if piece.span[0] <= ground.on < (piece.span[1] or date.max):
                of_network.setdefault(network, Counter())[piece.values[0]] += 1

    def becomes(network: str, values: Values) -> Values:
        plan = ground.plans.get(values[LEAD])
        if plan is None:
            return values
        named = next((heir.code for heir in plan.heirs if network in heir.networks), None)
        most = of_network.get(network, Counter())
        heirs = sorted(plan.codes, key=lambda code: (-most[code], code != plan.main_heir, code))
        return (values[0], named or heirs[0])

    return {
        (network,): handed_over(pieces, ground.on, lambda values, code=network: becomes(code, values))  # type: ignore[misc]
        for network, pieces in held.items()
    }


async def places_of(session: AsyncSession, codes: list[str]) -> Held:
    return await held_pieces(session, Placement, "commissioner", PLACED, codes)


async def commissioners_follow(
    session: AsyncSession, ground: Ground, faults: dict[str, list[Fault]]
) -> dict[Key, list[Piece]]:
    """Places of predecessors that do not go on end; those of their heirs begin, in the same system unless said.

    Nobody comes to stand in a system that was itself succeeded by that day: then it has to be said.
    """
    held = await places_of(session, ground.codes)
    gone = await gone_by(session, Level.SYSTEM, ground.on)
    others: dict[str, date] = {}
    for link in await links_of(session, Level.COMMISSIONER, ground.codes):
        if link.predecessor not in ground.plans and link.predecessor != link.successor:
            others.setdefault(link.successor, link.valid_from)
    places = {code: held.get(code, []) for code in ground.codes}
    for code, was in ground.was.items():
        places[code] = (
            taken_back(places[code], was.on, places[code][-1].values[SYSTEM], (), at=SYSTEM, reopened=True)
            if places[code]
            else []
        )
    for code, plan in ground.plans.items():
        if not places[code] and plan.stood is not None:
            places[code] = [Piece((min(plan.stood[0], plan.on), None), plan.stood[1])]
        there = [p for p in places[code] if p.span[0] <= plan.on and (p.span[1] is None or p.span[1] >= plan.on)]
        stood = [piece.values for piece in there if piece.values[SYSTEM] not in gone]
        before = ground.was.get(code)
        for heir in plan.heirs:
            if heir.code == code:
                continue
            stands = heir.stands or (stood[-1][1:] if stood else None)
            if stands is None and not places[heir.code]:
                faults.setdefault(code, []).append(
                    Fault("successors", "not_placed", f"Say in which system {heir.code} stands.")
                )
                continue
            values = (heir.name or heir.code, *(stands or ()))
            # whoever else it takes over from was its own from an earlier day, whatever is put right of this one
            begins = min(plan.on, others.get(heir.code, plan.on))
            places[heir.code] = begun_by(places[heir.code], begins, before.on if before else None, values)
        if not plan.goes_on:
            places[code] = handed_over(places[code], plan.on, lambda _: None)
    return {(code,): pieces for code, pieces in places.items() if pieces}


async def systems_follow(session: AsyncSession, ground: Ground, held: Held) -> dict[Key, list[Piece]]:
    """Each commissioner of a system goes to the heir that names it, or to the one that takes all, or stands nowhere."""
    known = await _systems_on(session, ground)

    def becomes(commissioner: str, values: Values) -> Values | None:
        plan = ground.plans.get(values[SYSTEM])
        if plan is None:
            return values
        code = plan.goes_to(commissioner)
        if code is None:
            return None
        if code == plan.predecessor:
            return values
        heir = next(heir for heir in plan.heirs if heir.code == code)
        name, *where = known.get(code, (heir.name or code, *(heir.stands or values[3:])))
        return (values[0], code, heir.name or name, *where)

    return {
        (code,): handed_over(pieces, ground.on, lambda values, code=code: becomes(code, values))  # type: ignore[misc]
        for code, pieces in held.items()
    }


async def commissioners_of(session: AsyncSession, ground: Ground) -> Held:
    """Where the commissioners concerned stand, with what was recorded before taken back."""
    codes = await touched(session, Placement, "commissioner", "system", ground)
    gone = await gone_by(session, Level.COMMISSIONER, ground.on)
    return ground.before(await places_of(session, codes), SYSTEM, reopened=True, gone=gone)


async def _systems_on(session: AsyncSession, ground: Ground) -> dict[str, tuple[Any, ...]]:
    """How systems there already are called, and their region."""
    statement = select(Placement.system, Placement.system_name, Placement.region, Placement.region_name).where(
        as_at(Placement, ground.on), Placement.system == any_(literal(ground.codes, ARRAY(Text)))
    )
    return {row[0]: tuple(row[1:]) for row in await session.execute(statement)}
