"""Roles agreed locally over HTTP: agreed by the commissioner, read by the network."""

from datetime import date, datetime
from typing import Annotated, Self

from fastapi import Query, Response
from pydantic import Field, model_validator
from sqlalchemy import select

from services.funding.agreed_roles.model import AgreedRole, RolesNotOpenYet
from services.funding.agreed_roles.operations import AgreedNetworkNotFound, Agreement, agree_role
from services.funding.claims.operations import recheck_waiting
from services.funding.claims.routes import Decides, Seen
from services.funding.codes import OrganisationCode
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.scope import network_codes_seen
from shared.facts import as_at as held_on
from shared.facts import believed
from shared.http import (
    AsAt,
    Idempotent,
    In,
    KnownAt,
    MoneyIn,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
)

Day = Annotated[date, Field(ge=date(2019, 4, 1), le=date(2099, 3, 31))]
router = service_router("funding", tags=["claims"])


class AgreedRoleIn(In):
    """`short` is a word for the role's code; `ceiling` is £ a year for one whole-time equivalent."""

    network: OrganisationCode
    short: Annotated[str, Field(min_length=2, max_length=14, pattern=r"^[a-z_]+$")]
    name: Annotated[str, Field(min_length=3, max_length=200)]
    ceiling: Annotated[MoneyIn, Field(gt=0, le=500_000)]
    valid_from: Day
    valid_to: Day | None = None
    agreed_on: Day
    note: Annotated[str, Field(max_length=1000)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class AgreedRoleOut(Out):
    network: str
    role: str
    name: str
    ceiling: MoneyOut
    valid_from: date
    valid_to: date | None
    agreed_on: date
    agreed_by: str
    note: str
    known_from: datetime


def _shown(role: AgreedRole) -> AgreedRoleOut:
    return AgreedRoleOut(
        network=role.network,
        role=role.role,
        name=role.name,
        ceiling=role.ceiling,
        valid_from=role.valid_from,
        valid_to=role.valid_to,
        agreed_on=role.agreed_on,
        agreed_by=role.agreed_by,
        note=role.note,
        known_from=role.known.lower,
    )


@router.post(
    "/agreed-roles",
    status_code=201,
    responses=refusals(AgreedNetworkNotFound, NotYoursToDecide, RolesNotOpenYet),
    summary="Agree on a role outside the national list",
)
async def agree(
    agreed: AgreedRoleIn, session: Transaction, response: Response, caller: Decides, now: Now, _: Idempotent
) -> AgreedRoleOut:
    """The commissioner agrees that a network is reimbursed for a role; agreed again, the later one holds."""
    role = await agree_role(session, Agreement(**agreed.model_dump()), caller=caller, now=now)
    await recheck_waiting(session, now, role=role.role)
    response.headers["Location"] = f"/funding/v1/agreed-roles?network={role.network}"
    return _shown(role)


@router.get("/agreed-roles", summary="Roles agreed locally")
async def list_agreed(
    session: Reading,
    paging: Paging,
    caller: Seen,
    network: Annotated[str | None, Query(max_length=32)] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[AgreedRoleOut]:
    """The agreements with the networks the caller may see, those of a day or all, as known now or at a moment."""
    known = believed(AgreedRole, known_at)
    statement = select(AgreedRole).where(known if as_at is None else held_on(AgreedRole, as_at, known_at))
    if not caller.everywhere:
        statement = statement.where(AgreedRole.network.in_(network_codes_seen(caller)))
    if network is not None:
        statement = statement.where(AgreedRole.network == network)
    found, following = await page(session, statement, [AgreedRole.role, AgreedRole.fact_id], paging)
    return Page(items=[_shown(row[0]) for row in found], next=following)
