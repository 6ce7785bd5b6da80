"""What readers are told when members moved: each join and leave by itself, the rest as a network's whole history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Membership, NetworkEntry
from services.registry.networks.queries import member_histories, payee_histories
from shared.events import Event
from shared.events.registry import NetworkRestated, PracticeJoined, PracticeLeft
from shared.facts import currently_known


@dataclass(frozen=True, slots=True, order=True)
class Spell:
    """One membership as readers know it; `last` is the last day of it."""

    network: str
    practice: str
    first: date
    last: date | None
    share: Decimal

    def overlaps(self, other: Spell) -> bool:
        return self.first <= (other.last or date.max) and other.first <= (self.last or date.max)


async def spells_of(session: AsyncSession, practices: Iterable[str]) -> frozenset[Spell]:
    """Every membership these practices have had, as believed now."""
    wanted = literal(sorted(set(practices)), ARRAY(Text))
    held = await session.scalars(
        select(Membership).where(currently_known(Membership), Membership.practice == any_(wanted))
    )
    return frozenset(Spell(m.network, m.practice, m.valid_from, m.valid_to, m.share) for m in held)


async def moves_since(
    session: AsyncSession, before: frozenset[Spell], practices: Iterable[str], *, restated: Iterable[str] = ()
) -> list[Event]:
    """What to announce of these practices' memberships, which were `before` when the change began.

    Networks named in `restated` are told whole in any case.
    """
    await session.flush()
    after = await spells_of(session, practices)
    gone, new = before - after, after - before
    leads = await _leads(session, {spell.network for spell in gone | new})
    events: list[Event] = []
    whole = set(restated)
    for spell in sorted(new, key=lambda s: (s.first, s.practice, s.network)):
        old = next(
            (s for s in gone if (s.network, s.practice, s.first) == (spell.network, spell.practice, spell.first)), None
        )
        if old is None and not any(
            (s.network, s.practice) == (spell.network, spell.practice) and s.overlaps(spell) for s in gone
        ):
            events.append(_joined(spell, leads))
        elif old is not None and old.share == spell.share and _ends_sooner(spell, old):
            gone -= {old}
            events.append(_left(spell, leads))
    whole |= {spell.network for spell in gone}
    # who leaves is told before who joins, so that a reader counting shares never counts one list twice
    events.sort(key=lambda event: isinstance(event, PracticeJoined))
    return [*events, *await restatements(session, whole)]


def _ends_sooner(spell: Spell, old: Spell) -> bool:
    return spell.last is not None and (old.last is None or spell.last < old.last)


async def _leads(session: AsyncSession, networks: Iterable[str]) -> Mapping[str, Sequence[NetworkEntry]]:
    entries: dict[str, list[NetworkEntry]] = defaultdict(list)
    for entry in await _entries(session, networks):
        entries[entry.network].append(entry)
    return entries


async def _entries(session: AsyncSession, networks: Iterable[str]) -> Sequence[NetworkEntry]:
    statement = (
        select(NetworkEntry)
        .where(currently_known(NetworkEntry), NetworkEntry.network == any_(literal(sorted(set(networks)), ARRAY(Text))))
        .order_by(NetworkEntry.network, func.lower(NetworkEntry.valid))
    )
    return (await session.scalars(statement)).all()


def _lead(leads: Mapping[str, Sequence[NetworkEntry]], network: str, day: date) -> str:
    held = leads.get(network, ())
    led = next((entry for entry in held if day in entry.valid), held[-1] if held else None)
    return "" if led is None else led.commissioner


def _joined(spell: Spell, leads: Mapping[str, Sequence[NetworkEntry]]) -> PracticeJoined:
    return PracticeJoined(
        network=spell.network,
        commissioner=_lead(leads, spell.network, spell.first),
        practice=spell.practice,
        valid_from=spell.first,
        valid_to=spell.last,
        share=spell.share,
    )


def _left(spell: Spell, leads: Mapping[str, Sequence[NetworkEntry]]) -> PracticeLeft:
    last = spell.last or date.max
    return PracticeLeft(
        network=spell.network,
        commissioner=_lead(leads, spell.network, last),
        practice=spell.practice,
        valid_from=spell.first,
        valid_to=last,
    )


async def restatements(session: AsyncSession, networks: Iterable[str]) -> list[NetworkRestated]:
    """The whole of what is believed of these networks now, each as one event in place of what readers held."""
    codes = sorted(set(networks))
    if not codes:
        return []
    await session.flush()
    entries = await _leads(session, codes)
    members = await member_histories(session, codes)
    payees = await payee_histories(session, codes)
    return [
        NetworkRestated(
            network=code,
            network_name=entries[code][-1].name,
            commissioner=entries[code][-1].commissioner,
            valid_from=entries[code][0].valid_from,
            valid_to=entries[code][-1].valid_to,
            entries=[entry.told() for entry in entries[code]],
            members=[membership.told() for membership in members.get(code, [])],
            payees=[payee.told() for payee in payees[code]],
        )
        for code in codes
        if code in entries
    ]
