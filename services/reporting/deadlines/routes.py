"""Registration progress over HTTP."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel
from sqlalchemy import and_, case, func, select

from services.reporting.areas.scope import scope_of
from services.reporting.deadlines.model import Application, ApplicationState, Round
from shared.http import AsAt, Out, Paging, Reading, Today, page, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear

router = service_router("reporting", tags=["deadlines"])


class RoundOut(Out):
    """A round: applications by their newest state, and what is past its day. `applied` counts every application.

    A round given up is never overdue.
    """

    round: str
    commissioner: str
    contract_year: str
    apply_by: date | None
    decide_by: date | None
    decided_on: date | None
    decided_late: bool
    overdue: bool
    override_reason: str | None
    abandoned_on: date | None
    applied: int
    late: int
    waiting: int
    returned: int
    approved: int
    refused: int
    practices: int
    patients: int


class DeadlinesReport(BaseModel):
    as_at: date
    items: list[RoundOut]
    next: str | None = None


@router.get("/deadlines")
async def deadlines(
    session: Reading,
    caller: Annotated[Caller, allow(Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)],
    paging: Paging,
    today: Today,
    contract_year: ContractYear | None = None,
    commissioner: str | None = None,
    as_at: AsAt = None,
) -> DeadlinesReport:
    """How each area's round stands against its day to apply and its day to decide."""
    day = as_at or today
    scope = await scope_of(session, caller, today)

    statement = (
        select(
            *(c for c in Round.__table__.c),
            and_(Round.decided_on.is_not(None), Round.decided_on > Round.decide_by).label("decided_late"),
            and_(Round.decided_on.is_(None), Round.abandoned_on.is_(None), Round.decide_by < day).label("overdue"),
            func.count(Application.application).label("applied"),
            func.count(case((Application.late.is_(True), 1))).label("late"),
            *(
                func.count(case((Application.state == state, 1))).label(name)
                for name, state in (
                    ("waiting", ApplicationState.APPLIED),
                    ("returned", ApplicationState.RETURNED),
                    ("approved", ApplicationState.APPROVED),
                    ("refused", ApplicationState.REFUSED),
                )
            ),
            func.coalesce(func.sum(func.cardinality(Application.practices)), 0).label("practices"),
            func.coalesce(func.sum(Application.patients), 0).label("patients"),
        )
        .outerjoin(Application, Application.round == Round.round)
        .group_by(Round.round)
    )
    if not scope.everywhere:
        statement = statement.where(Round.commissioner.in_(scope.commissioners))
    if contract_year is not None:
        statement = statement.where(Round.contract_year == contract_year)
    if commissioner is not None:
        statement = statement.where(Round.commissioner == commissioner)
    rows, following = await page(session, statement, [Round.__table__.c.round], paging)
    return DeadlinesReport(
        as_at=day,
        items=[
            RoundOut.model_validate(
                {**row._mapping, "decided_late": bool(row.decided_late), "overdue": bool(row.overdue)}
            )
            for row in rows
        ],
        next=following,
    )
