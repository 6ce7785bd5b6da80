from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import func, select

from services.registry.codes import Day, OrganisationCode
from services.registry.networks.model import NetworkNotFound, NetworkNotOpen, Payee
from services.registry.networks.queries import read_network
from services.registry.payees import operations
from services.registry.payees.operations import NoPayeeThen, NotYoursToAppoint
from shared.facts import ONE_DAY, believed
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

router = service_router("registry", tags=["payees"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Appointing = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]


class PayeeIn(In):
    payee: OrganisationCode
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason | None = None


class PayeeOut(Out):
    network: str
    payee: str
    valid_from: date
    valid_to: date | None


class PastPayeeOut(PayeeOut):
    """`known_from`: since when the register has it so."""

    reason: str | None
    known_from: datetime


class PayeeWithdrawalIn(In):
    """The days on which nobody was appointed after all; the last one null for all days from the first on."""

    valid_from: Day
    valid_to: Day | None = None
    reason: Reason


@router.get("/networks/{code}/payee", response_model=Page[PastPayeeOut], responses=refusals(NetworkNotFound))
async def list_payees(
    code: str,
    session: Reading,
    points: PointReads,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    history: Annotated[bool, Query(description="Everybody there has been instead of who it is on one day")] = False,
) -> dict[str, Any]:
    """Who receives the network's money on a day, or all who ever did, as known now or then."""
    await read_network(points, code, as_at or today, known_at)
    belief = believed(Payee, known_at)
    statement = select(
        Payee.network,
        Payee.payee,
        func.lower(Payee.valid).label("valid_from"),
        func.upper(Payee.valid).label("valid_until"),
        Payee.reason,
        func.lower(Payee.known).label("known_from"),
    ).where(Payee.network == code, belief if history else true_at(Payee, as_at or today, known_at))
    rows, following = await page(session, statement, [func.lower(Payee.valid), Payee.fact_id], paging)
    items = [
        {**row._mapping, "valid_to": None if row.valid_until is None else row.valid_until - ONE_DAY} for row in rows
    ]
    return {"items": items, "next": following}


@router.put(
    "/networks/{code}/payee",
    response_model=PayeeOut,
    responses=refusals(NetworkNotFound, NotYoursToAppoint, NetworkNotOpen),
)
async def appoint_payee(
    code: str,
    payee: PayeeIn,
    session: Transaction,
    response: Response,
    caller: Appointing,
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
        reason=payee.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, network)
    return {"network": code, **payee.model_dump()}


@router.put(
    "/networks/{code}/payee/withdrawal",
    status_code=204,
    responses=refusals(NetworkNotFound, NotYoursToAppoint, NoPayeeThen),
)
async def withdraw_payee(
    code: str,
    withdrawal: PayeeWithdrawalIn,
    session: Transaction,
    caller: Appointing,
    now: Now,
    if_match: IfMatch = None,
) -> None:
    """Take back an appointment recorded in error, for some days or all; the version is that of the network."""
    await operations.withdraw_payee(
        session,
        code,
        first=withdrawal.valid_from,
        last=withdrawal.valid_to,
        reason=withdrawal.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
