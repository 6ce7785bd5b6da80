from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.applications.model import RefusalGround
from services.registry.applications.refusals import (
    AgreementIsNoGround,
    ApplicationOvertaken,
    NetworkNotWhollyDivided,
)
from services.registry.areas.model import FindingsNotAccepted
from services.registry.codes import Day, OrganisationCode
from services.registry.hierarchy.model import CommissionerNotFound
from services.registry.networks.model import NetworkCodeTaken, NetworkNotOpen, PracticeAlreadyMember
from services.registry.practices.model import PracticeNotOpen
from services.registry.rounds import operations
from services.registry.rounds.coverage import Cover, CoverageIncomplete, PatientsCoveredTwice
from services.registry.rounds.model import (
    NotYoursToDecide,
    OnlyNationalOverrides,
    Round,
    RoundAlreadyDecided,
    RoundAlreadyOpen,
    RoundGivenUp,
    RoundInUse,
    RoundNotFound,
    RoundStatus,
)
from services.registry.rounds.queries import find_round, status_then, visible_rounds
from shared.errors import Invalid
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    Moment,
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
from shared.paging import paged
from shared.years import ContractYear

router = service_router("registry", tags=["rounds"])
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reader = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.LMC, Role.NETWORK, Role.PRACTICE),
]
AreaReader = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.LMC)]


class RoundIn(In):
    """`starts_on`: from when members count; `snapshot`: the day of the list sizes."""

    commissioner: OrganisationCode
    contract_year: ContractYear
    opens_on: Day
    apply_by: Day
    decide_by: Day
    starts_on: Day
    snapshot: Day


class RoundOut(Out):
    id: str
    commissioner: str
    contract_year: str
    opens_on: date
    apply_by: date
    decide_by: date
    starts_on: date
    snapshot: date
    status: RoundStatus
    decided_on: date | None
    decided_by: str | None
    decided_at: datetime | None
    override_reason: str | None
    abandoned_on: date | None
    abandoned_by: str | None
    abandon_reason: str | None
    opened_at: datetime


class CoverageState(StrEnum):
    COVERED = "covered"
    PARTLY = "partly"
    UNCOVERED = "uncovered"
    TWICE = "twice"
    DISPERSED = "dispersed"


class CoveredBy(Out):
    kind: str
    by: str


class CoverOut(Out):
    """`merged_into`: the practice whose list its own goes with now; `dispersed`: why nobody need serve its patients.

    `left_out_from`: the day of the year from which they are left out, where somebody serves them until then.
    """

    practice: str
    name: str
    patients: Decimal
    uncovered: Decimal
    covered_by: list[CoveredBy]
    merged_into: str | None
    dispersed: str | None
    left_out_from: date | None


class CoverageOut(Out):
    """`as_at`: the first day on which members and allocations are looked at; `of_decision`: what the round was decided
    on."""

    round: str
    as_at: date
    of_decision: bool
    complete: bool
    patients: Decimal
    patients_uncovered: Decimal
    patients_dispersed: Decimal
    uncovered: list[CoverOut]
    dispersed: list[CoverOut]
    covered_twice: list[CoverOut]
    partly_covered: list[CoverOut]
    practices: list[CoverOut]


class RefusalIn(In):
    application: Annotated[str, Field(max_length=32)]
    ground: RefusalGround = RefusalGround.OTHER
    reason: Annotated[str, Field(min_length=3, max_length=10_000)]


class DecisionIn(In):
    decided_on: Day
    refusals: Annotated[list[RefusalIn], Field(max_length=500)] = []
    override_reason: Annotated[str | None, Field(min_length=3, max_length=10_000)] = None


class AbandonmentIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=10_000)]


@router.post(
    "/rounds",
    response_model=RoundOut,
    status_code=201,
    responses=refusals(CommissionerNotFound, NotYoursToDecide, RoundAlreadyOpen, Invalid),
)
async def open_round(
    terms: RoundIn, session: Transaction, response: Response, caller: Decider, now: Now, _: Idempotent
) -> Round:
    """Open a registration round of a commissioner's area."""
    made = await operations.open_round(session, caller=caller, now=now, **terms.model_dump())
    await session.flush()
    response.headers["Location"] = f"/registry/v1/rounds/{made.id}"
    tag(response, made)
    return made


@router.get("/rounds", response_model=Page[RoundOut])
async def list_rounds(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
    contract_year: ContractYear | None = None,
    status: RoundStatus | None = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """Registration rounds the caller may see, of every area or of one, as known now or then."""
    statement = select(Round).where(await visible_rounds(session, caller, today))
    if known_at is not None:
        statement = statement.where(Round.opened_at <= known_at)
    if commissioner is not None:
        statement = statement.where(Round.commissioner == commissioner)
    if contract_year is not None:
        statement = statement.where(Round.contract_year == contract_year)
    if status is not None:
        statement = statement.where(status_then(known_at) == status)
    rows, following = await page(session, statement, [Round.id], paging)
    return {"items": [row[0].known_then(known_at) for row in rows], "next": following}


@router.get("/rounds/{id}", response_model=RoundOut, responses=refusals(RoundNotFound))
async def read_round(
    id: str, session: Reading, response: Response, caller: Reader, today: Today, known_at: KnownAt = None
) -> Round:
    """One registration round: its days, and whether it was decided, as known now or then."""
    found = await find_round(session, id, caller, today, known_at=known_at)
    tag(response, found)
    return found.known_then(known_at)


def _shown(cover: Cover) -> CoverOut:
    return CoverOut(
        practice=cover.practice,
        name=cover.name,
        patients=cover.patients,
        uncovered=cover.uncovered,
        covered_by=[CoveredBy(kind=kind, by=by) for kind, by in cover.by],
        merged_into=cover.merged_into,
        dispersed=cover.dispersed,
        left_out_from=cover.left_out_from,
    )


@router.get("/rounds/{id}/coverage", response_model=CoverageOut, responses=refusals(RoundNotFound))
async def read_coverage(
    id: str, session: Moment, caller: AreaReader, today: Today, as_at: AsAt = None, known_at: KnownAt = None
) -> dict[str, Any]:
    """How every patient of the area's practices is covered, who is left out, and who would be served twice.

    All the year from the day on which the round takes effect, as known, or on another day; once it is decided, what
    the decision was taken on.
    """
    assessed = await operations.assess_coverage(session, id, caller, today, as_at=as_at, known_at=known_at)
    coverage = assessed.coverage
    return {
        "round": id,
        "as_at": assessed.day,
        "of_decision": assessed.of_decision,
        "complete": coverage.complete,
        "patients": coverage.patients,
        "patients_uncovered": coverage.patients_uncovered,
        "patients_dispersed": coverage.patients_dispersed,
        "uncovered": [_shown(cover) for cover in coverage.uncovered],
        "dispersed": [_shown(cover) for cover in coverage.dispersed],
        "covered_twice": [_shown(cover) for cover in coverage.twice],
        "partly_covered": [_shown(cover) for cover in coverage.partly],
        "practices": [_shown(cover) for cover in coverage.practices],
    }


@router.get("/rounds/{id}/coverage/practices", response_model=Page[CoverOut], responses=refusals(RoundNotFound))
async def list_coverage(
    id: str,
    session: Moment,
    caller: AreaReader,
    paging: Paging,
    today: Today,
    state: CoverageState | None = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """The practices of an area with how their patients are covered, page by page; of one state if asked."""
    assessed = await operations.assess_coverage(session, id, caller, today, as_at=as_at, known_at=known_at)
    coverage = assessed.coverage
    chosen = {
        None: coverage.practices,
        CoverageState.COVERED: coverage.covered,
        CoverageState.PARTLY: coverage.partly,
        CoverageState.UNCOVERED: coverage.uncovered,
        CoverageState.TWICE: coverage.twice,
        CoverageState.DISPERSED: coverage.dispersed,
    }[state]
    covers, following = paged(chosen, lambda cover: cover.practice, paging)
    return {"items": [_shown(cover) for cover in covers], "next": following}


@router.put(
    "/rounds/{id}/decision",
    response_model=RoundOut,
    responses=refusals(
        RoundNotFound,
        NotYoursToDecide,
        OnlyNationalOverrides,
        RoundAlreadyDecided,
        RoundGivenUp,
        CoverageIncomplete,
        PatientsCoveredTwice,
        FindingsNotAccepted,
        AgreementIsNoGround,
        ApplicationOvertaken,
        NetworkNotWhollyDivided,
        NetworkCodeTaken,
        NetworkNotOpen,
        PracticeNotOpen,
        PracticeAlreadyMember,
    ),
)
async def decide(
    id: str,
    decision: DecisionIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Round:
    """Decide all submitted applications of the area together."""
    decided = await operations.decide_round(
        session,
        id,
        caller=caller,
        decided_on=decision.decided_on,
        refusals={refusal.application: (refusal.ground, refusal.reason) for refusal in decision.refusals},
        override_reason=decision.override_reason,
        if_match=if_match,
        now=now,
    )
    tag(response, decided)
    return decided


@router.put(
    "/rounds/{id}/abandonment",
    response_model=RoundOut,
    responses=refusals(RoundNotFound, NotYoursToDecide, RoundAlreadyDecided, RoundGivenUp, RoundInUse),
)
async def abandon(
    id: str,
    abandonment: AbandonmentIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Round:
    """Give up a round that was opened by mistake, so that its area can open another."""
    given_up = await operations.abandon_round(
        session, id, abandonment.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, given_up)
    return given_up
