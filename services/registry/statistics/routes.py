from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query

from services.registry.scope import area_of
from services.registry.size_rules.queries import NoSizeRule, rule_on
from services.registry.statistics import queries
from services.registry.statistics.areas import By, areas, changes
from services.registry.statistics.queries import MembersFrom
from shared.http import AsAt, KnownAt, Out, Page, Paging, Reading, Today, page, refusals, service_router
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["statistics"])
AREA_ROLES = (Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.LMC)


Snapshot = Annotated[date | None, Query(description="The day of the lists; the latest up to the day unless given")]
FromWhom = Annotated[MembersFrom, Query(description="Whose word is taken for who is in which network")]


def plainly(value: Any) -> Any:
    """A number of patients without empty decimals."""
    if not isinstance(value, Decimal):
        return value
    return value.normalize() if value != value.to_integral_value() else value.quantize(Decimal(1))


class Statistics(Out):
    """Sizes are those of the rule of the day: `under_30000` reads under its smallest, `over_50000` over its large one.

    `networks` are those whose members have registered patients; sizes are their registered patients."""

    as_at: date
    snapshot: date | None
    members_from: MembersFrom = MembersFrom.REGISTER
    practices: int
    practices_with_empty_lists: int = 0
    registered_patients: Decimal
    networks_with_members: int
    networks: int
    networks_under_30000: int
    networks_30000_to_50000: int
    networks_over_50000: int
    networks_over_100000: int = 0
    smallest_network: Decimal | None
    median_network: Decimal | None
    largest_network: Decimal | None
    practices_in_no_network: int
    patients_in_no_network: Decimal
    one_practice_networks: int
    networks_spanning_commissioners: int
    commissioners: int
    systems: int
    regions: int


@router.get("/statistics", response_model=Statistics, responses=refusals(NoSizeRule))
async def read_statistics(
    session: Reading,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    snapshot: Snapshot = None,
    members_from: FromWhom = MembersFrom.REGISTER,
) -> dict[str, Any]:
    """Figures of the register on a day: of everywhere for national users, of their own area or network for others."""
    day = as_at or today
    found = await queries.figures(
        session,
        day,
        known_at,
        rule=await rule_on(session, day, known_at),
        snapshot=snapshot,
        members=members_from,
        area=await area_of(session, caller, today),
        codes=caller.organisations,
    )
    return {"as_at": day, "members_from": members_from, **{name: plainly(value) for name, value in found.items()}}


class AreaFigures(Out):
    """Lists of one area. An empty code takes those of practices that have no place on the map asked for."""

    code: str
    name: str | None
    practices: int
    registered_patients: Decimal
    networks: int
    practices_in_no_network: int
    patients_in_no_network: Decimal


@router.get("/statistics/areas", response_model=Page[AreaFigures])
async def list_areas(
    session: Reading,
    caller: Annotated[Caller, allow(*AREA_ROLES)],
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    snapshot: Snapshot = None,
    members_from: FromWhom = MembersFrom.REGISTER,
    by: By = By.COMMISSIONER,
    map_of: Annotated[
        date | None, Query(description="The day whose commissioners and systems the lists are shown on")
    ] = None,
) -> dict[str, Any]:
    """Lists and networks by commissioner, system or region, on the map of the day or of any other."""
    found = areas(
        as_at or today,
        known_at,
        snapshot=snapshot,
        members=members_from,
        by=by,
        map_of=map_of,
        area=await area_of(session, caller, today),
    )
    rows, following = await page(session, found, [found.selected_columns.code], paging)
    return {"items": [{k: plainly(v) for k, v in row._mapping.items()} for row in rows], "next": following}


class Changes(Out):
    """What differs between two days. Networks are compared by code; one that closed counts as it was at its last."""

    since: date
    as_at: date
    networks_then: int
    networks_now: int
    networks_with_another_commissioner: int
    networks_renamed: int
    networks_closed: int
    networks_new: int
    members_then: int
    members_now: int
    practices_in_another_network: int
    practices_left: int
    practices_joined: int


@router.get("/statistics/changes", response_model=Changes)
async def read_changes(
    session: Reading,
    _: Annotated[Caller, allow(*ANY_ROLE)],
    today: Today,
    since: Annotated[date, Query(description="The earlier day")],
    since_known_at: KnownAt = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """How networks and memberships of the public register differ between two days, each as known when asked for."""
    day = as_at or today
    row = (await session.execute(changes(since, since_known_at, day, known_at))).one()
    return {"since": since, "as_at": day, **row._mapping}
