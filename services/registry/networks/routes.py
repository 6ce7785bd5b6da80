from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.codes import Day, OrganisationCode
from services.registry.hierarchy.model import CommissionerNotFound
from services.registry.network_sizes.queries import SizeAsked, networks_in, sizes_of
from services.registry.network_sizes.shapes import SizeOut
from services.registry.networks import operations, queries
from services.registry.networks.model import (
    Network,
    NetworkNotClosed,
    NetworkNotFound,
    NetworkNotOpen,
    NetworkServesPatients,
)
from services.registry.practices.model import PracticeNotOpen
from services.registry.rounds.model import NotYoursToDecide
from shared.errors import Invalid
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
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]


class NetworkOut(Out):
    """`size` comes where a list is narrowed by it; of one network, `/networks/{code}/size` tells it."""

    code: str
    name: str
    commissioner: str
    opened_on: date
    closed_on: date | None
    payee: str | None
    members: int
    agreement: int | None
    live: bool
    size: SizeOut | None = None


class NetworkClosureIn(In):
    """`closed_on` is the network's last day."""

    closed_on: Day
    reason: Reason


class ClosureWithdrawalIn(In):
    reason: Reason


class NetworkNameIn(In):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason


class LeadCommissionerIn(In):
    commissioner: OrganisationCode
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason


class ChangedOut(Out):
    code: str


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
    size: Annotated[SizeAsked | None, Query(description="Only those outside the size rule, or as it says")] = None,
) -> dict[str, Any]:
    """Networks open on a day; narrowed by size, with what their sizes are and since when."""
    day = as_at or today
    found = queries.networks_on(day, known_at, commissioner=commissioner, live=live)
    if size is not None:
        found = found.where(Network.code.in_(select(networks_in(size, day, known_at))))
    rows, following = await page(session, found, [Network.code], paging)
    items = [queries.shown(row._asdict()) for row in rows]
    if size is not None:
        sizes = await sizes_of(session, [item["code"] for item in items], day, known_at)
        items = [{**item, "size": sizes.get(item["code"])} for item in items]
    return {"items": items, "next": following}


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


@router.put(
    "/networks/{code}/closure",
    response_model=ChangedOut,
    responses=refusals(NetworkNotFound, NetworkNotOpen, NotYoursToDecide, NetworkServesPatients, Invalid),
)
async def close(
    code: str,
    closure: NetworkClosureIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Network:
    """Close a network, or put right the day it closes; its members and its payee end with it."""
    closed = await operations.close_network(
        session, code, closure.closed_on, reason=closure.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, closed)
    return closed


@router.put(
    "/networks/{code}/closure/withdrawal",
    response_model=ChangedOut,
    responses=refusals(NetworkNotFound, NetworkNotOpen, NotYoursToDecide, NetworkNotClosed, PracticeNotOpen),
)
async def reopen(
    code: str,
    withdrawal: ClosureWithdrawalIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Network:
    """Take back a closure recorded in error; the members and the payee that ended with it go on."""
    opened = await operations.reopen_network(
        session, code, reason=withdrawal.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, opened)
    return opened


@router.put(
    "/networks/{code}/name",
    response_model=ChangedOut,
    responses=refusals(NetworkNotFound, NetworkNotOpen, NotYoursToDecide, Invalid),
)
async def rename(
    code: str,
    named: NetworkNameIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Network:
    """Give a network another name from a day on, or for some days."""
    network = await operations.describe_network(
        session,
        code,
        first=named.valid_from,
        last=named.valid_to,
        values={"name": named.name},
        reason=named.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, network)
    return network


@router.put(
    "/networks/{code}/lead-commissioner",
    response_model=ChangedOut,
    responses=refusals(NetworkNotFound, NetworkNotOpen, NotYoursToDecide, CommissionerNotFound, Invalid),
)
async def hand_over(
    code: str,
    lead: LeadCommissionerIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Network:
    """Have another commissioner lead a network from a day on; who leads it then hands it over."""
    network = await operations.describe_network(
        session,
        code,
        first=lead.valid_from,
        last=lead.valid_to,
        values={"commissioner": lead.commissioner},
        reason=lead.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, network)
    return network
