from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Select, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Commissioner, Delegation, Level, Placement, Succession
from shared.facts import ONE_DAY, as_at, believed

PLACE = (
    Placement.name,
    Placement.system,
    Placement.system_name,
    Placement.region,
    Placement.region_name,
    func.lower(Placement.valid).label("valid_from"),
    func.upper(Placement.valid).label("valid_until"),
)


def systems_on(day: date, known_at: datetime | None) -> Select[str, str, str, str, Sequence[str]]:
    """Systems of a day with their commissioners. A name given by several rows is the first by alphabet."""
    return (
        select(
            Placement.system.label("code"),
            func.min(Placement.system_name).label("name"),
            func.min(Placement.region).label("region"),
            func.min(Placement.region_name).label("region_name"),
            func.array_agg(aggregate_order_by(Placement.commissioner, Placement.commissioner)).label("commissioners"),
        )
        .where(as_at(Placement, day, known_at))
        .group_by(Placement.system)
    )


def commissioners_on(day: date, known_at: datetime | None, *, everyone: bool = False) -> Select[Any]:
    """Commissioners with their place on a day and whether they decide; `everyone` shows those without a place too."""
    delegated = (
        select(Delegation.delegated)
        .where(Delegation.commissioner == Commissioner.code, as_at(Delegation, day, known_at))
        .scalar_subquery()
    )
    found = select(Commissioner.code, func.coalesce(delegated, literal(True)).label("delegated"), *PLACE)
    placed = (Placement.commissioner == Commissioner.code) & as_at(Placement, day, known_at)
    return found.join(Placement, placed, isouter=everyone)


def shown(row: Row[Any]) -> dict[str, Any]:
    """A commissioner and its place as callers see it: the last day included, `None` while open."""
    place = dict(row._mapping)
    until = place.pop("valid_until")
    return {**place, "valid_to": None if until is None else until - ONE_DAY}


async def links_of(
    session: AsyncSession, level: Level, codes: Sequence[str], known_at: datetime | None = None
) -> list[Succession]:
    """What is believed of the successions these codes are part of, by day."""
    wanted = any_(literal(list(codes), ARRAY(Text)))
    statement = (
        select(Succession)
        .where(Succession.level == level, believed(Succession, known_at))
        .where((Succession.predecessor == wanted) | (Succession.successor == wanted))
        .order_by(func.lower(Succession.valid), Succession.predecessor, Succession.successor)
    )
    return list((await session.scalars(statement)).all())


async def gone_by(session: AsyncSession, level: Level, day: date) -> frozenset[str]:
    """Who was succeeded by a day and does not go on."""
    goes_on = func.bool_or(Succession.successor == Succession.predecessor)
    statement = (
        select(Succession.predecessor)
        .where(Succession.level == level, as_at(Succession, day))
        .group_by(Succession.predecessor)
        .having(~goes_on)
    )
    return frozenset((await session.scalars(statement)).all())


async def names_of(
    session: AsyncSession, level: Level, codes: Sequence[str], known_at: datetime | None
) -> dict[str, str]:
    """The last name each commissioner or system bore."""
    key, name = (
        (Placement.commissioner, Placement.name)
        if level is Level.COMMISSIONER
        else (Placement.system, Placement.system_name)
    )
    statement = (
        select(key, name)
        .where(key == any_(literal(list(codes), ARRAY(Text))), believed(Placement, known_at))
        .order_by(func.lower(Placement.valid), Placement.commissioner)
    )
    return dict((await session.execute(statement)).all())
