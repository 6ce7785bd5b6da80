"""Can I claim this? Asked before a vacancy opens."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import Query

from services.workforce.claimability.operations import position_of
from services.workforce.claimability.rules import Answer, Wish, assess
from services.workforce.networks.model import NetworkNotApproved
from services.workforce.networks.operations import own_network
from services.workforce.shapes import FaultOut, Month, Number, OrganisationCode, RoleCode, Zone
from shared.errors import NotFound
from shared.http import Moment, MoneyOut, Out, Today, refusals, service_router
from shared.identity import Caller, Role, allow
from shared.years import first_day, year_of_day

router = service_router("workforce", tags=["claimability"])


class MonthOut(Out):
    """One month: the part of cost paid, the ceiling of a WTE and year, the most this post may cost, the room left."""

    month: str
    claimable: bool
    share: Number
    ceiling: MoneyOut | None
    most: MoneyOut | None
    room: MoneyOut | None
    cap: Number | None
    cap_used: Number
    reasons: list[FaultOut]


class ClaimabilityOut(Out):
    network: str
    role: str
    wte: Number
    zone: str
    contract_year: str
    known_on: date
    claimable: bool
    budget: MoneyOut | None
    reasons: list[FaultOut]
    months: list[MonthOut]


@router.get("/claimability", responses=refusals(NotFound, NetworkNotApproved))
async def ask(
    session: Moment,
    caller: Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)],
    today: Today,
    network: OrganisationCode,
    role: RoleCode,
    wte: Annotated[Decimal, Query(gt=0, le=1, max_digits=5, decimal_places=4)],
    month: Month,
    zone: Zone = Zone.NATIONAL,
) -> ClaimabilityOut:
    """Whether a post could be claimed from a month to the end of its contract year, with a reason for every no."""
    held = await own_network(session, network, caller)
    start = first_day(month)
    position = await position_of(session, held, role, day=start, known=today)
    answer: Answer = assess(position, Wish(role, zone.value, wte, start))
    return ClaimabilityOut(
        network=network,
        role=role,
        wte=wte,
        zone=zone.value,
        contract_year=year_of_day(start),
        known_on=today,
        claimable=not answer.faults(),
        budget=position.budget,
        reasons=[FaultOut.model_validate(reason) for reason in answer.reasons],
        months=[MonthOut.model_validate(one) for one in answer.months],
    )
