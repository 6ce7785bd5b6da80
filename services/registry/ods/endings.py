"""What outlived its practice or its network when a register file closed them: it ends with them, and is told."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime

from sqlalchemy import ColumnElement, Text, any_, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY, Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.closed import follow_lives
from services.registry.allocations.model import Allocation
from services.registry.base import Rooted
from services.registry.members.moves import moves_since, spells_of
from services.registry.networks.model import Membership, NetworkEntry, Payee
from services.registry.practices.model import PracticeEntry
from services.registry.splits.model import Split
from shared.events import Event
from shared.facts import currently_known, parts_outside, withdraw

RESTS_ON: tuple[tuple[type[Rooted], str, type[Rooted]], ...] = (
    (Membership, "practice", PracticeEntry),
    (Membership, "network", NetworkEntry),
    (Allocation, "practice", PracticeEntry),
    (Allocation, "network", NetworkEntry),
    (Payee, "network", NetworkEntry),
    (Split, "practice", PracticeEntry),
)


async def end_with_entries(session: AsyncSession, published: datetime, now: datetime) -> list[Event]:
    """Cut what is believed of members, payees and allocated lists to the life of what they belong to.

    The belief ends with the day of publication, or now where something was learned since.
    """
    events: list[Event] = []
    for model, column, root in RESTS_ON:
        for fact, outside in await _outliving(session, model, column, root):
            began = fact.known.lower
            moment = now if began is None or began >= published else published
            before = await spells_of(session, [fact.practice]) if isinstance(fact, Membership) else frozenset()
            for part in outside:
                await withdraw(session, model, now=moment, days=part, **_key(fact))
            if isinstance(fact, Membership):
                events.extend(await moves_since(session, before, [fact.practice]))
            elif isinstance(fact, Allocation):
                last = max((part.lower for part in outside if part.lower is not None), default=fact.valid_from)
                ended = fact.ended(None if last <= fact.valid_from else date.fromordinal(last.toordinal() - 1))
                events.extend([ended] if ended is not None else [])
    return [*events, *await follow_lives(session, now)]


def _key(fact: Rooted) -> dict[str, str]:
    if isinstance(fact, Allocation):
        return {"id": fact.id}
    if isinstance(fact, Membership):
        return {"network": fact.network, "practice": fact.practice}
    return {"network": fact.network} if isinstance(fact, Payee) else {"practice": getattr(fact, "practice", "")}


def _of_lives(model: type[Rooted], root: type[Rooted]) -> ColumnElement[bool]:
    """The list of a practice that has closed is served outside its life."""
    return ~Allocation.after_closing if model is Allocation and root is PracticeEntry else true()


async def _outliving(
    session: AsyncSession, model: type[Rooted], column: str, root: type[Rooted]
) -> list[tuple[Rooted, list[Range[date]]]]:
    """Each fact with days outside the life of its root, and those days."""
    ours, theirs = getattr(model, column), getattr(root, column)
    lives = (
        select(theirs.label("code"), func.range_agg(root.valid).label("life"))
        .where(currently_known(root))
        .group_by(theirs)
        .subquery()
    )
    held = (
        await session.scalars(
            select(model)
            .outerjoin(lives, lives.c.code == ours)
            .where(
                currently_known(model),
                _of_lives(model, root),
                ours.is_not(None),
                ~func.coalesce(lives.c.life.op("@>")(model.valid), False),
            )
            .order_by(model.fact_id)
        )
    ).all()
    codes = sorted({getattr(fact, column) for fact in held})
    entries: dict[str, list[Range[date]]] = defaultdict(list)
    for entry in await session.scalars(
        select(root).where(currently_known(root), theirs == any_(literal(codes, ARRAY(Text))))
    ):
        entries[getattr(entry, column)].append(entry.valid)
    found = []
    for fact in held:
        outside = [fact.valid]
        for life in entries[getattr(fact, column)]:
            outside = [part for left in outside for part in parts_outside(left, life)]
        found.append((fact, outside))
    return found
