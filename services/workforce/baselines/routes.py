"""The baseline of 31 March 2019 over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import Response
from pydantic import Field

from services.workforce.baselines import operations
from services.workforce.baselines.model import Baseline, BaselineAlreadyRecorded, VacancyBeforeBaseline
from services.workforce.shapes import Day, Number, OrganisationCode, PlannedWte, RoleCode
from shared.errors import NotFound, PreconditionFailed, PreconditionMissing
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("workforce", tags=["baselines"])

Reader = Annotated[
    Caller, allow(Role.PRACTICE, Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)
]
Recorder = Annotated[Caller, allow(Role.PRACTICE, Role.COMMISSIONER, Role.NATIONAL)]


class BaselineIn(In):
    """WTE of a role a practice had on 31 March 2019, and where the figure comes from."""

    practice: OrganisationCode
    role: RoleCode
    wte: PlannedWte
    source: Annotated[str, Field(max_length=500)] | None = None


class BaselineVacancyIn(In):
    vacant_from: Day | None = None
    filled_on: Day | None = None


class BaselineOut(Out):
    id: str
    practice: str
    role: str
    wte: Number
    vacant_from: date | None
    filled_on: date | None
    source: str | None


@router.post("/baselines", status_code=201, responses=refusals(BaselineAlreadyRecorded, NotFound))
async def record_baseline(
    baseline: BaselineIn, session: Transaction, caller: Recorder, response: Response, _: Idempotent
) -> BaselineOut:
    """Record what a practice had of a role on 31 March 2019; only staff above it can be claimed."""
    made = await operations.record_baseline(
        session,
        practice=baseline.practice,
        role=baseline.role,
        wte=baseline.wte,
        source=baseline.source,
        caller=caller,
    )
    response.headers["Location"] = f"/workforce/v1/baselines/{made.id}"
    tag(response, made)
    return BaselineOut.model_validate(made)


@router.get("/baselines")
async def list_baselines(
    session: Reading, caller: Reader, paging: Paging, practice: str | None = None, role: str | None = None
) -> Page[BaselineOut]:
    """Posts practices had on 31 March 2019, above which staff are additional."""
    statement = operations.visible_baselines(caller)
    if practice is not None:
        statement = statement.where(Baseline.practice == practice)
    if role is not None:
        statement = statement.where(Baseline.role == role)
    rows, following = await page(session, statement, [Baseline.__table__.c.id], paging)
    return Page(items=[BaselineOut.model_validate(row[0]) for row in rows], next=following)


@router.get("/baselines/{baseline_id}", responses=refusals(NotFound))
async def read_baseline(baseline_id: str, session: Reading, caller: Reader, response: Response) -> BaselineOut:
    """One post a practice had on 31 March 2019."""
    baseline = await operations.find_baseline(session, baseline_id, caller=caller)
    tag(response, baseline)
    return BaselineOut.model_validate(baseline)


@router.put(
    "/baselines/{baseline_id}/vacancy",
    responses=refusals(VacancyBeforeBaseline, NotFound, PreconditionFailed, PreconditionMissing),
)
async def note_vacancy(
    baseline_id: str,
    vacancy: BaselineVacancyIn,
    session: Transaction,
    caller: Recorder,
    response: Response,
    if_match: IfMatch = None,
) -> BaselineOut:
    """Say since when a baseline post stands empty, or when it was filled again."""
    baseline = await operations.note_vacancy(
        session,
        baseline_id,
        vacant_from=vacancy.vacant_from,
        filled_on=vacancy.filled_on,
        caller=caller,
        if_match=if_match,
    )
    tag(response, baseline)
    return BaselineOut.model_validate(baseline)
