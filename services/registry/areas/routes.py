from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.areas import operations
from services.registry.areas.model import (
    AreaNotFound,
    Finding,
    FindingsNotAccepted,
    LocationNotFound,
    NetworkArea,
    PracticeLocation,
)
from services.registry.codes import Day
from services.registry.networks.model import NetworkEntry, NetworkNotFound
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import NotYoursToDecide
from services.registry.size_rules.queries import NoSizeRule
from shared.errors import Fault, Invalid
from shared.facts import as_at as true_at
from shared.facts import days
from shared.http import (
    AsAt,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["areas"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]


class AreaProperties(Out):
    network: str
    name: str | None
    commissioner: str | None
    valid_from: date
    valid_to: date | None
    square_metres: Decimal


class AreaFeature(Out):
    """A GeoJSON Feature: the area of one network, and since when it is that."""

    type: str = "Feature"
    id: str
    geometry: dict[str, Any]
    properties: AreaProperties


class Areas(Out):
    """A GeoJSON FeatureCollection, one page of it; `next` is the cursor of the following one."""

    type: str = "FeatureCollection"
    features: list[AreaFeature]
    next: str | None


class AreaIn(In):
    """The area as GeoJSON, its days, and in `exceptions` the reason for each finding by its key."""

    area: dict[str, Any]
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason
    exceptions: dict[Annotated[str, Field(max_length=100)], Reason] = {}


class LocationIn(In):
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    valid_from: Day
    valid_to: Day | None = None
    source: Annotated[str, Field(min_length=3, max_length=1_000)]


class LocationOut(Out):
    practice: str
    longitude: float
    latitude: float
    source: str
    valid_from: date
    valid_to: date | None


class FoundOut(Out):
    key: str
    code: str
    message: str
    place: tuple[float, float] | None
    square_metres: int | None
    blocking: bool
    reason: str | None


class DrawnOut(Out):
    """The area as it is kept, and what was found of it."""

    area: AreaFeature
    findings: list[FoundOut]


def _in_order(first: date, last: date | None) -> None:
    if last is not None and last < first:
        fault = Fault("valid_to", "before_valid_from", f"{last} lies before {first}.")
        raise Invalid("The days are not in order.", errors=[fault])


def _feature(area: NetworkArea, name: str, commissioner: str) -> AreaFeature:
    return AreaFeature(
        id=area.network,
        geometry=area.geometry,
        properties=AreaProperties(
            network=area.network,
            name=name,
            commissioner=commissioner,
            valid_from=area.valid_from,
            valid_to=area.valid_to,
            square_metres=area.square_metres,
        ),
    )


@router.get("/areas", response_model=Areas)
async def list_areas(
    session: Reading,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
) -> Areas:
    """The areas of networks on a day, as a GeoJSON FeatureCollection."""
    day = as_at or today
    entry: tuple[Any, ...] = (NetworkArea, NetworkEntry.name, NetworkEntry.commissioner)
    statement = (
        select(*entry)
        .join(NetworkEntry, NetworkEntry.network == NetworkArea.network)
        .where(true_at(NetworkArea, day, known_at), true_at(NetworkEntry, day, known_at))
    )
    if commissioner is not None:
        statement = statement.where(NetworkEntry.commissioner == commissioner)
    rows, following = await page(session, statement, [NetworkArea.network], paging)
    return Areas(features=[_feature(row[0], row.name, row.commissioner) for row in rows], next=following)


@router.get("/networks/{code}/area", response_model=AreaFeature, responses=refusals(AreaNotFound))
async def read_area(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> AreaFeature:
    """The area of one network on a day, as a GeoJSON Feature."""
    day = as_at or today
    entry = select(NetworkEntry.name, NetworkEntry.commissioner).where(
        NetworkEntry.network == code, true_at(NetworkEntry, day, known_at)
    )
    found = await session.scalar(
        select(NetworkArea).where(NetworkArea.network == code, true_at(NetworkArea, day, known_at))
    )
    named = (await session.execute(entry)).first()
    if found is None or named is None:
        raise AreaNotFound(f"No area of {code} is known on {day}.")
    response.headers["ETag"] = f'"{found.fact_id}"'
    return _feature(found, named.name, named.commissioner)


@router.put(
    "/networks/{code}/area",
    response_model=DrawnOut,
    responses=refusals(NetworkNotFound, NotYoursToDecide, FindingsNotAccepted, NoSizeRule),
)
async def draw_area(
    code: str,
    wanted: AreaIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)],
    now: Now,
    if_match: IfMatch = None,
) -> DrawnOut:
    """Draw or correct the area of a network on some days; the version is that of the network."""
    _in_order(wanted.valid_from, wanted.valid_to)
    made, network, found = await operations.record_area(
        session,
        code,
        wanted.area,
        days=days(wanted.valid_from, wanted.valid_to),
        reason=wanted.reason,
        exceptions=wanted.exceptions,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, network)
    entry = select(NetworkEntry.name, NetworkEntry.commissioner).where(
        NetworkEntry.network == code, true_at(NetworkEntry, made.valid_from)
    )
    name, lead = (await session.execute(entry)).one()
    return DrawnOut(area=_feature(made, name, lead), findings=[_found(finding) for finding in found])


def _found(finding: Finding) -> FoundOut:
    return FoundOut.model_validate(finding)


@router.get("/practices/{code}/location", response_model=LocationOut, responses=refusals(LocationNotFound))
async def read_location(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> PracticeLocation:
    """Where a practice is on a day, if anybody has said."""
    found = await session.scalar(
        select(PracticeLocation).where(
            PracticeLocation.practice == code, true_at(PracticeLocation, as_at or today, known_at)
        )
    )
    if found is None:
        raise LocationNotFound(f"Nobody has said where {code} is.")
    response.headers["ETag"] = f'"{found.fact_id}"'
    return found


@router.put(
    "/practices/{code}/location",
    response_model=LocationOut,
    responses=refusals(PracticeNotFound, NotYoursToDecide),
)
async def locate_practice(
    code: str,
    where: LocationIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.PRACTICE)],
    now: Now,
    if_match: IfMatch = None,
) -> PracticeLocation:
    """Say or correct where a practice is on some days; the version is that of the practice."""
    _in_order(where.valid_from, where.valid_to)
    made, practice = await operations.locate_practice(
        session,
        code,
        where.longitude,
        where.latitude,
        days=days(where.valid_from, where.valid_to),
        source=where.source,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, practice)
    return made
