from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Commissioner, Placement
from shared.errors import NotFound
from shared.facts import ONE_DAY, as_at
from shared.http import require_match

PLACE = (
    Placement.name,
    Placement.system,
    Placement.system_name,
    Placement.region,
    Placement.region_name,
    func.lower(Placement.valid).label("valid_from"),
    func.upper(Placement.valid).label("valid_until"),
)


class CommissionerNotFound(NotFound):
    """No such commissioner."""


class SystemNotFound(NotFound):
    """No such system on that day."""


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


def placed(row: Row[Any]) -> dict[str, Any]:
    """A commissioner and its place as callers see it: the last day included, `None` while open."""
    place = dict(row._mapping)
    until = place.pop("valid_until")
    return {**place, "valid_to": None if until is None else until - ONE_DAY}


def fingerprint(row: Sequence[Any]) -> str:
    """An ETag for what is put together from several records."""
    return hashlib.sha256(repr(tuple(row)).encode()).hexdigest()[:16]


async def delegate(session: AsyncSession, code: str, delegated: bool, reason: str, *, if_match: str | None) -> None:
    commissioner = await session.get(Commissioner, code, with_for_update=True)
    if commissioner is None:
        raise CommissionerNotFound(f"No commissioner {code}.")
    require_match(commissioner, if_match)
    commissioner.delegate(delegated, reason)
