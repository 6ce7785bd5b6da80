from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from services.registry.applications import operations
from services.registry.applications.model import (
    Application,
    ApplicationNotFound,
    ApplicationNotOpen,
    ApplicationNotSubmitted,
    ApplicationStatus,
    LmcOpinion,
    NetworkAppliedAlready,
    NetworkTooSmall,
    NotYoursToChange,
    PracticeAppliesElsewhere,
    PracticeInAnotherNetwork,
    PracticeListAllocated,
)
from services.registry.applications.operations import Assessed
from services.registry.applications.queries import find_application, visible_applications
from services.registry.codes import NetworkCode, OrganisationCode
from services.registry.networks.model import NetworkCodeTaken, NetworkNotFound
from services.registry.rounds.model import CoverageIncomplete, NotYoursToDecide, RoundAlreadyDecided, RoundNotFound
from shared.http import (
    Idempotent,
    IfMatch,
    In,
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


def _a_share(value: Decimal) -> Decimal:
    if not value.is_finite() or not 0 < value <= 1 or value != round(value, 6):
        raise ValueError("a share is over 0, at most 1, with up to six decimal places")
    return value


class PracticeIn(In):
    practice: OrganisationCode
    share: Annotated[Decimal, AfterValidator(_a_share)] = Decimal(1)
    leaves: NetworkCode | None = None


class DirectorIn(In):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    practice: OrganisationCode
    professional_registration: Annotated[str | None, Field(max_length=50)] = None


class ApplicationFields(In):
    network: NetworkCode | None = None
    proposed_code: NetworkCode | None = None
    practices: Annotated[list[PracticeIn], Field(max_length=200)] = []
    clinical_director: DirectorIn | None = None
    payee: OrganisationCode | None = None
    agreement_signed_by: Annotated[list[OrganisationCode], Field(max_length=200)] = []
    area_description: Annotated[str | None, Field(max_length=10_000)] = None
    size_waiver_reason: Annotated[str | None, Field(max_length=10_000)] = None

    def fields(self) -> dict[str, Any]:
        """What was sent, as columns; the practices apart."""
        sent = self.model_dump(include=self.model_fields_set - {"practices", "clinical_director", "round"})
        if "clinical_director" in self.model_fields_set:
            director = self.clinical_director
            sent["director_name"] = director.name if director else None
            sent["director_practice"] = director.practice if director else None
            sent["director_registration"] = director.professional_registration if director else None
        return sent

    def lines(self) -> list[tuple[str, Decimal, str | None]]:
        return [(line.practice, line.share, line.leaves) for line in self.practices]


class ApplicationIn(ApplicationFields):
    """The registration form, as far as it is filled in."""

    round: Annotated[str, Field(max_length=32)]
    network_name: Annotated[str, Field(min_length=1, max_length=200)]


class ApplicationChange(ApplicationFields):
    """Only what is sent changes; practices are sent as a whole."""

    network_name: Annotated[str, Field(min_length=1, max_length=200)] = ""


class SubmissionIn(In):
    received_on: date | None = None


class ReasonIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=10_000)]


class OpinionIn(In):
    opinion: LmcOpinion
    reason: Annotated[str | None, Field(max_length=10_000)] = None


class PracticeOut(Out):
    practice: str
    share: Decimal
    leaves: str | None


class WarningOut(Out):
    field: str
    code: str
    message: str


class ApplicationOut(Out):
    id: str
    round: str
    commissioner: str
    contract_year: str
    status: ApplicationStatus
    network_name: str
    network: str | None
    proposed_code: str | None
    practices: list[PracticeOut]
    director_name: str | None
    director_practice: str | None
    director_registration: str | None
    payee: str | None
    agreement_signed_by: list[str]
    area_description: str | None
    size_waiver_reason: str | None
    registered_patients: Decimal | None
    submitted_on: date | None
    submitted_by: str | None
    late: bool
    waived_by: str | None
    returned_on: date | None
    decision_reason: str | None
    found_approvable_on: date | None
    found_approvable_by: str | None
    decided_on: date | None
    decided_by: str | None
    opinion: LmcOpinion | None
    opinion_reason: str | None
    warnings: list[WarningOut] = []


def _shown(assessed: Assessed, response: Response) -> ApplicationOut:
    tag(response, assessed.application)
    out = ApplicationOut.model_validate(assessed.application)
    out.warnings = [WarningOut.model_validate(warning) for warning in assessed.warnings]
    return out


@router.post(
    "/applications",
    response_model=ApplicationOut,
    status_code=201,
    responses=refusals(RoundNotFound, RoundAlreadyDecided, NotYoursToChange, NetworkNotFound, NetworkCodeTaken),
)
async def draft(
    application: ApplicationIn,
    session: Transaction,
    response: Response,
    caller: Applicant,
    today: Today,
    _: Idempotent,
) -> ApplicationOut:
    """Begin an application; it may be incomplete until it is submitted."""
    made = await operations.draft_application(
        session,
        caller=caller,
        round=application.round,
        fields=application.fields(),
        practices=application.lines(),
        today=today,
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
) -> dict[str, Any]:
    statement = (
        select(Application)
        .where(await visible_applications(session, caller, today))
        .options(selectinload(Application.practices))
    )
    if round is not None:
        statement = statement.where(Application.round == round)
    if commissioner is not None:
        statement = statement.where(Application.commissioner == commissioner)
    if status is not None:
        statement = statement.where(Application.status == status)
    rows, following = await page(session, statement, [Application.id], paging)
    return {"items": [ApplicationOut.model_validate(row[0]) for row in rows], "next": following}


@router.get("/applications/{id}", response_model=ApplicationOut, responses=refusals(ApplicationNotFound))
async def read_application(
    id: str, session: Reading, response: Response, caller: Reader, today: Today
) -> ApplicationOut:
    found = await find_application(session, id, caller, today)
    return _shown(await operations.assess(session, found), response)


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
    today: Today,
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
        today=today,
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
        NetworkTooSmall,
        PracticeAppliesElsewhere,
        PracticeInAnotherNetwork,
        PracticeListAllocated,
        NetworkAppliedAlready,
    ),
)
async def submit(
    id: str,
    session: Transaction,
    response: Response,
    caller: Applicant,
    today: Today,
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
        today=today,
    )
    return _shown(assessed, response)


_JUDGED = refusals(ApplicationNotFound, ApplicationNotSubmitted, NotYoursToDecide, RoundAlreadyDecided)


@router.put("/applications/{id}/return", response_model=ApplicationOut, responses=_JUDGED)
async def send_back(
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    today: Today,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Give the application back to be put right."""
    judged = await operations.judge_application(
        session,
        id,
        lambda application: application.send_back(why.reason, on=today),
        caller=caller,
        if_match=if_match,
        today=today,
    )
    return _shown(await operations.assess(session, judged), response)


@router.put("/applications/{id}/refusal", response_model=ApplicationOut, responses=_JUDGED)
async def refuse(
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    today: Today,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Refuse one application before the area is decided."""
    judged = await operations.judge_application(
        session,
        id,
        lambda application: application.refuse(why.reason, on=today, by=caller.subject),
        caller=caller,
        if_match=if_match,
        today=today,
    )
    return _shown(await operations.assess(session, judged), response)


@router.put(
    "/applications/{id}/approval",
    response_model=ApplicationOut,
    responses=refusals(
        ApplicationNotFound, ApplicationNotSubmitted, NotYoursToDecide, RoundAlreadyDecided, CoverageIncomplete
    ),
)
async def approve(
    id: str, session: Transaction, response: Response, caller: Decider, today: Today, if_match: IfMatch = None
) -> ApplicationOut:
    """Find the application approvable; it takes effect when the whole area is decided."""
    found = await operations.find_approvable(session, id, caller=caller, if_match=if_match, today=today)
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
    today: Today,
    if_match: IfMatch = None,
) -> ApplicationOut:
    """Record the local medical committee's opinion of the boundary."""
    found = await operations.give_opinion(
        session, id, opinion.opinion, opinion.reason, caller=caller, if_match=if_match, today=today
    )
    return _shown(await operations.assess(session, found), response)
