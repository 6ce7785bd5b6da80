from typing import Annotated, Any

from fastapi import Query, Response
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from services.registry.applications import operations
from services.registry.applications.history import ApplicationStep, ApplicationVersion, Step
from services.registry.applications.model import Application, ApplicationStatus
from services.registry.applications.operations import Assessed
from services.registry.applications.queries import find_application, recall_application, visible_applications
from services.registry.applications.refusals import (
    AgreementIsNoGround,
    ApplicationNotFound,
    ApplicationNotOpen,
    ApplicationNotSubmitted,
    ApplicationOvertaken,
    NetworkAppliedAlready,
    NetworkLedElsewhere,
    NetworkTooSmall,
    NotYoursToChange,
    PracticeAppliesElsewhere,
    PracticeInAnotherNetwork,
    PracticeListAllocated,
)
from services.registry.applications.shapes import (
    ApplicationChange,
    ApplicationIn,
    ApplicationOut,
    FindingOut,
    OpinionIn,
    ReasonIn,
    RefusedIn,
    StepOut,
    SubmissionIn,
    WarningOut,
)
from services.registry.areas.model import FindingsNotAccepted
from services.registry.networks.model import NetworkCodeTaken, NetworkNotFound, NetworkNotOpen
from services.registry.rounds.coverage import CoverageIncomplete, PatientsCoveredTwice
from services.registry.rounds.model import NotYoursToDecide, RoundAlreadyDecided, RoundGivenUp, RoundNotFound
from shared.clock import london_day
from shared.http import (
    Idempotent,
    IfMatch,
    KnownAt,
    Now,
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

router = service_router("registry", tags=["applications"])
Reader = Annotated[
    Caller,
    allow(
        Role.NATIONAL,
        Role.OPERATOR,
        Role.SYSTEM,
        Role.COMMISSIONER,
        Role.NETWORK,
        Role.PRACTICE,
        Role.PAYEE,
        Role.LMC,
    ),
]
Applicant = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)]
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]


def _shown(assessed: Assessed, response: Response) -> ApplicationOut:
    tag(response, assessed.application)
    out = ApplicationOut.model_validate(assessed.application)
    out.warnings = [WarningOut.model_validate(warning) for warning in assessed.warnings]
    out.findings = [FindingOut.model_validate(finding) for finding in assessed.findings]
    for line in out.practices:
        line.patients = assessed.patients.get(line.practice)
    return out


@router.post(
    "/applications",
    response_model=ApplicationOut,
    status_code=201,
    responses=refusals(
        RoundNotFound, RoundAlreadyDecided, RoundGivenUp, NotYoursToChange, NetworkNotFound, NetworkCodeTaken
    ),
)
async def draft(
    application: ApplicationIn,
    session: Transaction,
    response: Response,
    caller: Applicant,
    now: Now,
    _: Idempotent,
) -> ApplicationOut:
    """Begin an application; it may be incomplete until it is submitted."""
    made = await operations.draft_application(
        session,
        caller=caller,
        round=application.round,
        fields=application.fields(),
        practices=application.lines(),
        now=now,
    )
    response.headers["Location"] = f"/registry/v1/applications/{made.id}"
    return _shown(await operations.assess(session, made), response)


@router.get("/applications", response_model=Page[ApplicationOut])
async def list_applications(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    round: Annotated[str | None, Query(max_length=32)] = None,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
    status: ApplicationStatus | None = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """Applications the caller may see, of one round or of all, as known now or then."""
    state = Application.status.expression if known_at is None else ApplicationVersion.says("status")
    wanted = [await visible_applications(session, caller, today)]
    if round is not None:
        wanted.append(Application.round == round)
    if commissioner is not None:
        wanted.append(Application.commissioner == commissioner)
    if status is not None:
        wanted.append(state == status.value)
    if known_at is not None:
        then = select(ApplicationVersion.state).join(Application, Application.id == ApplicationVersion.application)
        then = then.where(ApplicationVersion.id == ApplicationVersion.latest(known_at), *wanted)
        states, following = await page(session, then, [Application.id], paging)
        recalled = [Application.remembered(row[0]) for row in states]
        return {"items": [ApplicationOut.model_validate(made) for made in recalled], "next": following}
    statement = select(Application).where(*wanted).options(selectinload(Application.practices))
    rows, following = await page(session, statement, [Application.id], paging)
    return {"items": [ApplicationOut.model_validate(row[0]) for row in rows], "next": following}


@router.get("/applications/{id}", response_model=ApplicationOut, responses=refusals(ApplicationNotFound))
async def read_application(
    id: str, session: Reading, response: Response, caller: Reader, today: Today, known_at: KnownAt = None
) -> ApplicationOut:
    """One application, with what is to be looked at in it, as known now or then."""
    if known_at is None:
        found = await find_application(session, id, caller, today)
    else:
        found = await recall_application(session, id, caller, today, known_at)
    return _shown(await operations.assess(session, found, known_at), response)


@router.get("/applications/{id}/history", response_model=Page[StepOut], responses=refusals(ApplicationNotFound))
async def read_history(
    id: str, session: Reading, caller: Reader, paging: Paging, today: Today, known_at: KnownAt = None
) -> dict[str, Any]:
    """Every step of an application in order, with the form as it was each time it came in."""
    await find_application(session, id, caller, today)
    statement = select(ApplicationStep).where(ApplicationStep.application == id)
    if known_at is not None:
        statement = statement.where(ApplicationStep.taken_at <= known_at)
    rows, following = await page(session, statement, [ApplicationStep.id], paging)
    return {"items": [row[0] for row in rows], "next": following}


@router.patch(
    "/applications/{id}",
    response_model=ApplicationOut,
    responses=refusals(ApplicationNotFound, ApplicationNotOpen, NotYoursToChange, NetworkNotFound, NetworkCodeTaken),
)
async def change(
    id: str,
    changes: ApplicationChange,
    session: Transaction,
    response: Response,
    caller: Applicant,
    now: Now,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Change a draft or a returned application."""
    changed = await operations.change_application(
        session,
        id,
        caller=caller,
        fields=changes.fields(),
        practices=changes.lines() if "practices" in changes.model_fields_set else None,
        if_match=if_match,
        now=now,
    )
    return _shown(await operations.assess(session, changed), response)


@router.put(
    "/applications/{id}/submission",
    response_model=ApplicationOut,
    responses=refusals(
        ApplicationNotFound,
        ApplicationNotOpen,
        NotYoursToChange,
        RoundAlreadyDecided,
        RoundGivenUp,
        NetworkTooSmall,
        PracticeAppliesElsewhere,
        PracticeInAnotherNetwork,
        PracticeListAllocated,
        NetworkAppliedAlready,
        NetworkNotOpen,
        NetworkLedElsewhere,
    ),
)
async def submit(
    id: str,
    session: Transaction,
    response: Response,
    caller: Applicant,
    now: Now,
    submission: SubmissionIn | None = None,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Hand the application in; everything missing is listed at once."""
    assessed = await operations.submit_application(
        session,
        id,
        caller=caller,
        received_on=submission.received_on if submission else None,
        if_match=if_match,
        now=now,
    )
    return _shown(assessed, response)


_JUDGED = refusals(ApplicationNotFound, ApplicationNotSubmitted, NotYoursToDecide, RoundAlreadyDecided, RoundGivenUp)
_REFUSED = refusals(
    ApplicationNotFound,
    ApplicationNotSubmitted,
    NotYoursToDecide,
    RoundAlreadyDecided,
    RoundGivenUp,
    AgreementIsNoGround,
)


@router.put("/applications/{id}/return", response_model=ApplicationOut, responses=_JUDGED)
async def send_back(
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Give the application back to be put right."""
    judged = await operations.judge_application(
        session,
        id,
        lambda application: application.send_back(why.reason, on=london_day(now)),
        Step.RETURNED,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    return _shown(await operations.assess(session, judged), response)


@router.put("/applications/{id}/refusal", response_model=ApplicationOut, responses=_REFUSED)
async def refuse(
    id: str,
    why: RefusedIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Refuse one application before the area is decided."""
    judged = await operations.judge_application(
        session,
        id,
        lambda application: application.refuse(why.reason, why.ground, on=london_day(now), by=caller.subject),
        Step.REFUSED,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    return _shown(await operations.assess(session, judged), response)


@router.put(
    "/applications/{id}/approval",
    response_model=ApplicationOut,
    responses=refusals(
        ApplicationNotFound,
        ApplicationNotSubmitted,
        NotYoursToDecide,
        RoundAlreadyDecided,
        RoundGivenUp,
        CoverageIncomplete,
        PatientsCoveredTwice,
        FindingsNotAccepted,
        ApplicationOvertaken,
    ),
)
async def approve(
    id: str, session: Transaction, response: Response, caller: Decider, now: Now, if_match: IfMatch = None
) -> ApplicationOut:
    """Find the application approvable; it takes effect when the whole area is decided."""
    found = await operations.find_approvable(session, id, caller=caller, if_match=if_match, now=now)
    return _shown(await operations.assess(session, found), response)


@router.put(
    "/applications/{id}/opinion",
    response_model=ApplicationOut,
    responses=refusals(ApplicationNotFound, ApplicationNotSubmitted),
)
async def give_opinion(
    id: str,
    opinion: OpinionIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.LMC)],
    now: Now,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Record the local medical committee's opinion of the boundary."""
    found = await operations.give_opinion(
        session, id, opinion.opinion, opinion.reason, caller=caller, if_match=if_match, now=now
    )
    return _shown(await operations.assess(session, found), response)
