"""Workforce plans over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import Response
from pydantic import Field

from services.workforce.networks.model import NetworkNotApproved
from services.workforce.plans import operations
from services.workforce.plans.model import (
    Plan,
    PlanAlreadyExists,
    PlanAlreadySubmitted,
    PlanEmpty,
    PlanLine,
    PlanStatus,
)
from services.workforce.shapes import (
    Day,
    FaultOut,
    Month,
    Number,
    OrganisationCode,
    PlannedWte,
    RoleCode,
    Zone,
)
from shared.errors import Invalid, NotFound, PreconditionFailed, PreconditionMissing
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    MoneyOut,
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
from shared.identity import Caller, Role, allow
from shared.years import ContractYear

router = service_router("workforce", tags=["plans"])

Reader = Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)]
Planner = Annotated[Caller, allow(Role.NETWORK)]


class PlanLineIn(In):
    role: RoleCode
    wte: PlannedWte
    start_month: Month
    zone: Zone = Zone.NATIONAL

    def line(self) -> PlanLine:
        return PlanLine(self.role, self.wte, self.start_month, self.zone.value)


class PlanIn(In):
    network: OrganisationCode
    contract_year: ContractYear
    roles: Annotated[list[PlanLineIn], Field(max_length=100)] = []


class PlanChangeIn(In):
    roles: Annotated[list[PlanLineIn], Field(max_length=100)]


class SubmissionIn(In):
    submitted_on: Day | None = None


class PlanLineOut(Out):
    role: str
    wte: Number
    start_month: str
    zone: str


class PlanOut(Out):
    id: str
    network: str
    contract_year: str
    status: PlanStatus
    roles: list[PlanLineOut] = Field(validation_alias="lines")
    submitted_on: date | None
    planned_cost: MoneyOut | None
    warnings: list[FaultOut]


@router.post("/plans", status_code=201, responses=refusals(NetworkNotApproved, PlanAlreadyExists, NotFound, Invalid))
async def draft_plan(
    plan: PlanIn, session: Transaction, caller: Planner, response: Response, now: Now, _: Idempotent
) -> PlanOut:
    """Begin the one plan of a network and year."""
    made = await operations.draft_plan(
        session,
        network=plan.network,
        year=plan.contract_year,
        lines=[line.line() for line in plan.roles],
        caller=caller,
        now=now,
    )
    response.headers["Location"] = f"/workforce/v1/plans/{made.id}"
    tag(response, made)
    return PlanOut.model_validate(made)


@router.get("/plans")
async def list_plans(
    session: Reading,
    caller: Reader,
    paging: Paging,
    network: str | None = None,
    contract_year: ContractYear | None = None,
    status: PlanStatus | None = None,
) -> Page[PlanOut]:
    """Workforce plans the caller may see."""
    statement = operations.visible_plans(caller)
    if network is not None:
        statement = statement.where(Plan.network == network)
    if contract_year is not None:
        statement = statement.where(Plan.contract_year == contract_year)
    if status is not None:
        statement = statement.where(Plan.status == status)
    rows, following = await page(session, statement, [Plan.__table__.c.id], paging)
    return Page(items=[PlanOut.model_validate(row[0]) for row in rows], next=following)


@router.get("/plans/{plan_id}", responses=refusals(NotFound))
async def read_plan(plan_id: str, session: Reading, caller: Reader, response: Response) -> PlanOut:
    """One workforce plan, role by role."""
    plan = await operations.find_plan(session, plan_id, caller=caller)
    tag(response, plan)
    return PlanOut.model_validate(plan)


@router.patch("/plans/{plan_id}", responses=refusals(NotFound, Invalid, PreconditionFailed, PreconditionMissing))
async def rewrite_plan(
    plan_id: str,
    change: PlanChangeIn,
    session: Transaction,
    caller: Planner,
    response: Response,
    if_match: IfMatch = None,
) -> PlanOut:
    """Give the plan other roles; a plan handed in before is a draft again."""
    plan = await operations.rewrite_plan(
        session, plan_id, lines=[line.line() for line in change.roles], caller=caller, if_match=if_match
    )
    tag(response, plan)
    return PlanOut.model_validate(plan)


@router.put(
    "/plans/{plan_id}/submission",
    responses=refusals(PlanAlreadySubmitted, PlanEmpty, NotFound, PreconditionFailed, PreconditionMissing),
)
async def submit_plan(
    plan_id: str,
    submission: SubmissionIn,
    session: Transaction,
    caller: Planner,
    response: Response,
    today: Today,
    if_match: IfMatch = None,
) -> PlanOut:
    """Hand the plan in; it is costed at the ceilings and compared with the network's sum."""
    plan = await operations.submit_plan(
        session, plan_id, on=submission.submitted_on or today, caller=caller, if_match=if_match, known=today
    )
    tag(response, plan)
    return PlanOut.model_validate(plan)
