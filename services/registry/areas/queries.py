from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.areas.findings import Drawn, Located
from services.registry.areas.geojson import shape_of
from services.registry.areas.model import NetworkArea, PracticeLocation
from services.registry.networks.model import NetworkEntry
from services.registry.practices.model import PracticeEntry
from shared.facts import as_at, believed


async def drawn_networks(
    session: AsyncSession,
    day: date,
    shapes: Sequence[BaseGeometry],
    *,
    but: Iterable[str] = (),
    known_at: datetime | None = None,
) -> list[Drawn]:
    """The areas, on a day, of the networks whose bounds touch any of these shapes, by the names the networks have."""
    if not shapes:
        return []
    bounds = [shape.bounds for shape in shapes]
    statement = (
        select(NetworkArea.network, NetworkArea.geometry, NetworkEntry.name)
        .join(NetworkEntry, NetworkEntry.network == NetworkArea.network)
        .where(
            as_at(NetworkArea, day, known_at),
            as_at(NetworkEntry, day, known_at),
            NetworkArea.west <= max(b[2] for b in bounds),
            NetworkArea.east >= min(b[0] for b in bounds),
            NetworkArea.south <= max(b[3] for b in bounds),
            NetworkArea.north >= min(b[1] for b in bounds),
            NetworkArea.network.not_in(list(but)),
        )
        .order_by(NetworkArea.network)
    )
    rows = await session.execute(statement)
    return [Drawn(network, f"{name} ({network})", shape_of(geometry)) for network, geometry, name in rows]


async def areas_on(
    session: AsyncSession, networks: Iterable[str], day: date, known_at: datetime | None = None
) -> dict[str, dict[str, Any]]:
    """The area each of these networks has on a day, where one was drawn, as GeoJSON."""
    statement = select(NetworkArea.network, NetworkArea.geometry).where(
        as_at(NetworkArea, day, known_at), NetworkArea.network == any_(literal(sorted(networks), ARRAY(Text)))
    )
    return dict((await session.execute(statement)).all())


async def located(
    session: AsyncSession, practices: Iterable[str], day: date, known_at: datetime | None = None
) -> dict[str, Located]:
    """Where these practices are on a day, as far as anybody has said."""
    name = (
        select(PracticeEntry.name)
        .where(PracticeEntry.practice == PracticeLocation.practice, believed(PracticeEntry, known_at))
        .order_by(func.lower(PracticeEntry.valid).desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = select(PracticeLocation.practice, name, PracticeLocation.longitude, PracticeLocation.latitude).where(
        as_at(PracticeLocation, day, known_at),
        PracticeLocation.practice == any_(literal(sorted(set(practices)), ARRAY(Text))),
    )
    rows = await session.execute(statement)
    return {code: Located(code, name or code, east, north) for code, name, east, north in rows}
