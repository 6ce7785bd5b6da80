from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.hierarchy import operations
from services.registry.hierarchy.model import Commissioner, Placement
from services.registry.hierarchy.operations import CommissionerNotFound, SystemNotFound
from shared.facts import as_at as true_at
from shared.http import (
    AsAt,
    IfMatch,
    In,
    KnownAt,
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


class DelegationIn(In):
    """Whether the commissioner decides for its own area; where it does not, the national team does."""

    delegated: bool
    reason: Annotated[str, Field(min_length=3, max_length=2000)]


@router.get("/systems", response_model=Page[SystemOut])
async def list_systems(
    session: Reading, _: Anyone, paging: Paging, today: Today, as_at: AsAt = None, known_at: KnownAt = None
) -> dict[str, Any]:
    """Systems (STPs, later ICBs) with the commissioners placed in them on a day."""
    systems = operations.systems_on(as_at or today, known_at).subquery()
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
    statement = operations.systems_on(as_at or today, known_at).where(Placement.system == code)
    row = (await session.execute(statement)).first()
    if row is None:
        raise SystemNotFound(f"No system {code} on that day.")
    response.headers["ETag"] = f'"{operations.fingerprint(row)}"'
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
    statement = (
        select(Commissioner.code, Commissioner.delegated, *operations.PLACE)
        .join(Placement, Placement.commissioner == Commissioner.code)
        .where(true_at(Placement, as_at or today, known_at))
    )
    if system is not None:
        statement = statement.where(Placement.system == system)
    rows, following = await page(session, statement, [Commissioner.code], paging)
    return {"items": [operations.placed(row) for row in rows], "next": following}


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
    commissioner = await session.get(Commissioner, code)
    if commissioner is None:
        raise CommissionerNotFound(f"No commissioner {code}.")
    statement = (
        select(Commissioner.code, Commissioner.delegated, *operations.PLACE)
        .outerjoin(
            Placement, (Placement.commissioner == Commissioner.code) & true_at(Placement, as_at or today, known_at)
        )
        .where(Commissioner.code == code)
    )
    tag(response, commissioner)
    return operations.placed((await session.execute(statement)).one())


@router.put("/commissioners/{code}/delegation", status_code=204, responses=refusals(CommissionerNotFound))
async def delegate(
    code: str,
    delegation: DelegationIn,
    session: Transaction,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    if_match: IfMatch = None,
) -> None:
    """Say whether a commissioner decides for its own area."""
    await operations.delegate(session, code, delegation.delegated, delegation.reason, if_match=if_match)
