"""Vacancies over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import Response
from pydantic import Field

from services.workforce.networks.model import NetworkNotApproved
from services.workforce.posts.model import OverFullTime
from services.workforce.posts.routes import PostOut
from services.workforce.shapes import Day, EmployerKind, Number, OrganisationCode, RoleCode, Wte, Zone
from services.workforce.vacancies import operations
from services.workforce.vacancies.model import (
    Check,
    ChecksNotDone,
    MoreThanTheVacancy,
    NotStartedYet,
    Stage,
    StageOutOfOrder,
    StepBeforeTheLast,
    Vacancy,
    VacancyNotOpen,
    VacancyRefused,
)
from services.workforce.vacancies.operations import Appointment, Opening
from shared.errors import Invalid, NotFound, PreconditionFailed, PreconditionMissing
from shared.http import (
    Idempotent,
    IfMatch,
    In,
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

router = service_router("workforce", tags=["vacancies"])

Reader = Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)]
Recruiter = Annotated[Caller, allow(Role.NETWORK)]
Stale = (NotFound, PreconditionFailed, PreconditionMissing)


class VacancyIn(In):
    """`baseline` names the 31 March 2019 post this one replaces, which makes it not additional."""

    network: OrganisationCode
    role: RoleCode
    wte: Wte
    zone: Zone = Zone.NATIONAL
    employer: OrganisationCode
    employer_kind: EmployerKind | None = None
    opened_on: Day
    plan: str | None = None
    baseline: str | None = None


class StageIn(In):
    """The next stage and its day; at the stage checks, the day each check was done."""

    stage: Stage
    on: Day
    checks: dict[Check, Day] = {}


class WithdrawalIn(In):
    on: Day
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class AppointmentIn(In):
    candidate: str
    started_on: Day
    wte: Wte
    zone: Zone | None = None
    salary_basis: Annotated[str, Field(max_length=200)] | None = None
    over_full_time_reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class VacancyOut(Out):
    id: str
    network: str
    plan: str | None
    baseline: str | None
    role: str
    wte: Number
    zone: str
    employer: str
    employer_kind: str
    additional: bool
    opened_on: date
    stage: Stage
    steps: dict[str, date]
    checks: dict[str, date]
    withdrawn_reason: str | None


@router.post("/vacancies", status_code=201, responses=refusals(VacancyRefused, NetworkNotApproved, NotFound, Invalid))
async def open_vacancy(
    vacancy: VacancyIn,
    session: Transaction,
    caller: Recruiter,
    response: Response,
    now: Now,
    today: Today,
    _: Idempotent,
) -> VacancyOut:
    """Open a vacancy; a refusal lists every reason at once."""
    made = await operations.open_vacancy(
        session,
        Opening(
            network=vacancy.network,
            role=vacancy.role,
            wte=vacancy.wte,
            zone=vacancy.zone.value,
            employer=vacancy.employer,
            employer_kind=None if vacancy.employer_kind is None else vacancy.employer_kind.value,
            opened_on=vacancy.opened_on,
            plan=vacancy.plan,
            baseline=vacancy.baseline,
        ),
        caller=caller,
        now=now,
        today=today,
    )
    response.headers["Location"] = f"/workforce/v1/vacancies/{made.id}"
    tag(response, made)
    return VacancyOut.model_validate(made)


@router.get("/vacancies")
async def list_vacancies(
    session: Reading,
    caller: Reader,
    paging: Paging,
    network: str | None = None,
    role: str | None = None,
    stage: Stage | None = None,
) -> Page[VacancyOut]:
    """Vacancies the caller may see, with the stage each has reached."""
    statement = operations.visible_vacancies(caller)
    if network is not None:
        statement = statement.where(Vacancy.network == network)
    if role is not None:
        statement = statement.where(Vacancy.role == role)
    if stage is not None:
        statement = statement.where(Vacancy.stage == stage)
    rows, following = await page(session, statement, [Vacancy.__table__.c.id], paging)
    return Page(items=[VacancyOut.model_validate(row[0]) for row in rows], next=following)


@router.get("/vacancies/{vacancy_id}", responses=refusals(NotFound))
async def read_vacancy(vacancy_id: str, session: Reading, caller: Reader, response: Response) -> VacancyOut:
    """One vacancy, with its stages and checks."""
    vacancy = await operations.find_vacancy(session, vacancy_id, caller=caller)
    tag(response, vacancy)
    return VacancyOut.model_validate(vacancy)


@router.put(
    "/vacancies/{vacancy_id}/stage", responses=refusals(VacancyNotOpen, StageOutOfOrder, StepBeforeTheLast, *Stale)
)
async def reach_stage(
    vacancy_id: str,
    step: StageIn,
    session: Transaction,
    caller: Recruiter,
    response: Response,
    if_match: IfMatch = None,
) -> VacancyOut:
    """Record that the next stage was reached, or which checks were done."""
    vacancy = await operations.reach_stage(
        session, vacancy_id, stage=step.stage, on=step.on, checks=step.checks, caller=caller, if_match=if_match
    )
    tag(response, vacancy)
    return VacancyOut.model_validate(vacancy)


@router.put("/vacancies/{vacancy_id}/withdrawal", responses=refusals(VacancyNotOpen, StepBeforeTheLast, *Stale))
async def withdraw_vacancy(
    vacancy_id: str,
    withdrawal: WithdrawalIn,
    session: Transaction,
    caller: Recruiter,
    response: Response,
    if_match: IfMatch = None,
) -> VacancyOut:
    """Stop looking: the room in plan and sum is free again."""
    vacancy = await operations.withdraw_vacancy(
        session, vacancy_id, on=withdrawal.on, reason=withdrawal.reason, caller=caller, if_match=if_match
    )
    tag(response, vacancy)
    return VacancyOut.model_validate(vacancy)


@router.put(
    "/vacancies/{vacancy_id}/appointment",
    responses=refusals(
        VacancyNotOpen,
        StageOutOfOrder,
        ChecksNotDone,
        MoreThanTheVacancy,
        NotStartedYet,
        OverFullTime,
        VacancyRefused,
        *Stale,
    ),
)
async def appoint(
    vacancy_id: str,
    appointment: AppointmentIn,
    session: Transaction,
    caller: Recruiter,
    response: Response,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> PostOut:
    """Put a candidate in post."""
    post = await operations.appoint(
        session,
        vacancy_id,
        Appointment(
            candidate=appointment.candidate,
            started_on=appointment.started_on,
            wte=appointment.wte,
            zone=None if appointment.zone is None else appointment.zone.value,
            salary_basis=appointment.salary_basis,
            over_full_time_reason=appointment.over_full_time_reason,
        ),
        caller=caller,
        if_match=if_match,
        now=now,
        today=today,
    )
    tag(response, post)
    return PostOut.model_validate(post)
