"""The workforce picture over HTTP."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel
from sqlalchemy import select

from services.reporting.areas.scope import scope_of
from services.reporting.shapes import Number
from services.reporting.workforce import queries
from services.reporting.workforce.queries import By
from shared.http import AsAt, Out, Paging, Reading, Today, page, service_router
from shared.identity import Caller, Role, allow

router = service_router("reporting", tags=["workforce"])


class WorkforceOut(Out):
    """People in post on the day, in heads and WTE, and the WTE the plan of the year has by that month."""

    key: str
    name: str | None
    heads: int
    wte: Number
    additional_wte: Number
    planned_wte: Number


class WorkforceReport(BaseModel):
    as_at: date
    by: By
    items: list[WorkforceOut]
    next: str | None = None


@router.get("/workforce")
async def workforce(
    session: Reading,
    caller: Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)],
    paging: Paging,
    today: Today,
    by: By = By.COMMISSIONER,
    as_at: AsAt = None,
    map_of: AsAt = None,
    commissioner: str | None = None,
    role: str | None = None,
) -> WorkforceReport:
    """Who is in post on a day, against what was planned."""
    day = as_at or today
    scope = await scope_of(session, caller, today)
    if by is By.NETWORK:
        # the page is chosen before anything is counted: the last page costs what the first does
        codes = queries.staffed(scope, as_at=day, commissioner=commissioner, role=role)
        keys, following = await page(session, select(codes), [codes.c.key], paging)
        only = [row.key for row in keys]
        found = queries.workforce(
            by, scope, as_at=day, map_of=map_of or day, commissioner=commissioner, role=role, only=only
        )
        rows = list((await session.execute(select(found).order_by(found.c.key))).all())
    else:
        found = queries.workforce(
            by, scope, as_at=day, map_of=map_of or day, commissioner=commissioner, role=role, only=None
        )
        rows, following = await page(session, select(found), [found.c.key], paging)
    return WorkforceReport(as_at=day, by=by, items=[WorkforceOut.model_validate(row) for row in rows], next=following)
