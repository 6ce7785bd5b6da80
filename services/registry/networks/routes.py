from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query, Response
from sqlalchemy import func, select

from services.registry.codes import Day, OrganisationCode
from services.registry.networks import operations, queries
from services.registry.networks.model import Membership, Network, NetworkNotFound
from services.registry.networks.operations import NotYoursToAppoint
from services.registry.practices.model import PracticeEntry
from shared.facts import ONE_DAY, currently_known, of_key
from shared.facts import as_at as true_at
from shared.http import (
    AsAt,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    PointReads,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["networks"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]


class NetworkOut(Out):
    code: str
    name: str
    commissioner: str
    opened_on: date
    closed_on: date | None
    payee: str | None
    members: int
    agreement: int | None
    live: bool


class MemberOut(Out):
    practice: str
    practice_name: str | None
    valid_from: date
    valid_to: date | None
    share: Decimal
    round: str | None
    application: str | None


class PayeeIn(In):
    payee: OrganisationCode
    valid_from: Day
    valid_to: Day | None = None


class PayeeOut(Out):
    network: str
    payee: str
    valid_from: date
    valid_to: date | None


@router.get("/networks", response_model=Page[NetworkOut])
async def list_networks(
    session: Reading,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
    live: Annotated[bool | None, Query(description="Only those with a signed agreement in force, or without")] = None,
) -> dict[str, Any]:
    """Networks open on a day."""
    found = queries.networks_on(as_at or today, known_at, commissioner=commissioner, live=live)
    rows, following = await page(session, found, [Network.code], paging)
    return {"items": [queries.shown(row._asdict()) for row in rows], "next": following}


@router.get("/networks/{code}", response_model=NetworkOut, responses=refusals(NetworkNotFound))
async def read_network(
    code: str,
    points: PointReads,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """One network on a day; a closed one stays on the register and says when it closed."""
    row = await queries.read_network(points, code, as_at or today, known_at)
    response.headers["ETag"] = f'"{row["version"]}"'
    return queries.shown(row)


@router.get("/networks/{code}/members", response_model=Page[MemberOut], responses=refusals(NetworkNotFound))
async def list_members(
    code: str,
    session: Reading,
    points: PointReads,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    history: Annotated[bool, Query(description="Every membership there has been instead of those of one day")] = False,
) -> dict[str, Any]:
    """The core members of a network on a day, or all it has ever had."""
    day = as_at or today
    await queries.read_network(points, code, day, known_at)
    belief = currently_known(Membership) if known_at is None else Membership.known.contains(known_at)
    name = (
        select(PracticeEntry.name)
        .where(of_key(PracticeEntry.practice, Membership.practice), currently_known(PracticeEntry))
        .order_by(func.lower(PracticeEntry.valid).desc())
        .limit(1)
        .scalar_subquery()
    )

    statement = select(
        Membership.practice,
        name.label("practice_name"),
        func.lower(Membership.valid).label("valid_from"),
        func.upper(Membership.valid).label("valid_until"),
        (func.upper(Membership.portion) - func.lower(Membership.portion)).label("share"),
        Membership.round,
        Membership.application,
    ).where(Membership.network == code)
    statement = statement.where(belief if history else true_at(Membership, day, known_at))
    rows, following = await page(session, statement, [Membership.practice, Membership.fact_id], paging)
    items = [
        {**row._mapping, "valid_to": None if row.valid_until is None else row.valid_until - ONE_DAY} for row in rows
    ]
    return {"items": items, "next": following}


@router.put("/networks/{code}/payee", response_model=PayeeOut, responses=refusals(NetworkNotFound, NotYoursToAppoint))
async def appoint_payee(
    code: str,
    payee: PayeeIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)],
    now: Now,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Appoint who receives the network's money from a day on, by ODS code; the version is that of the network."""
    network = await operations.appoint_payee(
        session,
        code,
        payee.payee,
        first=payee.valid_from,
        last=payee.valid_to,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, network)
    return {"network": code, **payee.model_dump()}
