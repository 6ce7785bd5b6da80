from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.codes import Day, OrganisationCode
from services.registry.hierarchy import operations, queries
from services.registry.hierarchy.model import (
    Commissioner,
    CommissionerCodeTaken,
    CommissionerNotFound,
    Level,
    Placement,
    System,
    SystemNotFound,
)
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Page,
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

router = service_router("registry", tags=["hierarchy"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
National = Annotated[Caller, allow(Role.NATIONAL)]
Name = Annotated[str, Field(min_length=2, max_length=500)]


class SystemOut(Out):
    code: str
    name: str
    region: str
    region_name: str
    commissioners: list[str]


class CommissionerOut(Out):
    code: str
    name: str | None
    system: str | None
    system_name: str | None
    region: str | None
    region_name: str | None
    valid_from: date | None
    valid_to: date | None
    delegated: bool


class PlacementIn(In):
    """Where a commissioner stands. What is not said of the system is as the register has it."""

    name: Name
    system: OrganisationCode
    system_name: Name | None = None
    region: OrganisationCode | None = None
    region_name: Name | None = None
    valid_from: Day
    valid_to: Day | None = None

    def where(self) -> dict[str, Any]:
        return self.model_dump(include={"system", "system_name", "region", "region_name"})


class CommissionerIn(PlacementIn):
    code: OrganisationCode


class DelegationIn(In):
    """Whether the commissioner decides for its own area; where it does not, the national team does."""

    delegated: bool
    reason: Annotated[str, Field(min_length=3, max_length=2000)]
    valid_from: Annotated[Day | None, Field(description="The first day; today unless given")] = None
    valid_to: Day | None = None


@router.get("/systems", response_model=Page[SystemOut])
async def list_systems(
    session: Reading, _: Anyone, paging: Paging, today: Today, as_at: AsAt = None, known_at: KnownAt = None
) -> dict[str, Any]:
    """Systems (STPs, later ICBs) with the commissioners placed in them on a day."""
    systems = queries.systems_on(as_at or today, known_at).subquery()
    rows, following = await page(session, select(systems), [systems.c.code], paging)
    return {"items": [SystemOut.model_validate(row) for row in rows], "next": following}


@router.get("/systems/{code}", response_model=SystemOut, responses=refusals(SystemNotFound))
async def read_system(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> SystemOut:
    """One system and the commissioners placed in it on a day."""
    statement = (
        queries.systems_on(as_at or today, known_at)
        .add_columns(System.version)
        .join(System, System.code == Placement.system)
        .where(Placement.system == code)
        .group_by(System.version)
    )
    row = (await session.execute(statement)).first()
    if row is None:
        raise SystemNotFound(f"No system {code} on that day.")
    response.headers["ETag"] = f'"{row.version}"'
    return SystemOut.model_validate(row)


@router.get("/commissioners", response_model=Page[CommissionerOut])
async def list_commissioners(
    session: Reading,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    system: Annotated[str | None, Query(max_length=12)] = None,
) -> dict[str, Any]:
    """Commissioners and where they stand on a day."""
    statement = queries.commissioners_on(as_at or today, known_at)
    if system is not None:
        statement = statement.where(Placement.system == system)
    rows, following = await page(session, statement, [Commissioner.code], paging)
    return {"items": [queries.shown(row) for row in rows], "next": following}


@router.post(
    "/commissioners", response_model=CommissionerOut, status_code=201, responses=refusals(CommissionerCodeTaken)
)
async def register_commissioner(
    commissioner: CommissionerIn, session: Transaction, response: Response, _: National, now: Now, __: Idempotent
) -> dict[str, Any]:
    """Enter a commissioner that no file brought, with its place."""
    made = await operations.register_commissioner(
        session,
        commissioner.code,
        commissioner.name,
        commissioner.where(),
        first=commissioner.valid_from,
        last=commissioner.valid_to,
        now=now,
    )
    response.headers["Location"] = f"/registry/v1/commissioners/{made.code}"
    tag(response, made)
    statement = queries.commissioners_on(commissioner.valid_from, None).where(Commissioner.code == made.code)
    return queries.shown((await session.execute(statement)).one())


@router.get("/commissioners/{code}", response_model=CommissionerOut, responses=refusals(CommissionerNotFound))
async def read_commissioner(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """One commissioner, and where it stands on a day."""
    commissioner = await operations.look_up(session, Level.COMMISSIONER, code, known_at)
    statement = queries.commissioners_on(as_at or today, known_at, everyone=True).where(Commissioner.code == code)
    tag(response, commissioner)
    return queries.shown((await session.execute(statement)).one())


@router.put("/commissioners/{code}/placement", response_model=CommissionerOut, responses=refusals(CommissionerNotFound))
async def place_commissioner(
    code: str,
    placement: PlacementIn,
    session: Transaction,
    response: Response,
    _: National,
    now: Now,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Say how a commissioner is called and in which system it stands from a day on; also a day long past."""
    changed = await operations.place_commissioner(
        session,
        code,
        placement.name,
        placement.where(),
        first=placement.valid_from,
        last=placement.valid_to,
        if_match=if_match,
        now=now,
    )
    tag(response, changed)
    statement = queries.commissioners_on(placement.valid_from, None).where(Commissioner.code == code)
    return queries.shown((await session.execute(statement)).one())


@router.put("/commissioners/{code}/delegation", status_code=204, responses=refusals(CommissionerNotFound))
async def delegate(
    code: str,
    delegation: DelegationIn,
    session: Transaction,
    caller: National,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> None:
    """Say whether a commissioner decides for its own area, from a day on."""
    await operations.delegate(
        session,
        code,
        delegation.delegated,
        delegation.reason,
        first=delegation.valid_from or today,
        last=delegation.valid_to,
        if_match=if_match,
        now=now,
    )
