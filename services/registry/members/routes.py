from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from services.registry.applications.refusals import PracticeListAllocated
from services.registry.codes import Day, OrganisationCode
from services.registry.members import operations, queries
from services.registry.members.operations import MembershipEnded
from services.registry.networks.model import (
    Membership,
    MembershipNotFound,
    NetworkNotFound,
    NetworkNotOpen,
    PracticeAlreadyMember,
    SharesExceedOne,
)
from services.registry.networks.queries import read_network
from services.registry.practices.model import NotACoreContract, PracticeNotOpen
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import NotYoursToDecide
from services.registry.windows.model import NoticeTooShort, OutsideWindow
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    PointReads,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["members"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]
Share = Annotated[Decimal, Field(gt=0, le=1, max_digits=12, decimal_places=10)]
MEMBER = "/networks/{code}/members/{practice}/{first_day}"
UNFIT = (
    NetworkNotFound,
    NetworkNotOpen,
    NotYoursToDecide,
    PracticeNotFound,
    PracticeNotOpen,
    NotACoreContract,
    PracticeListAllocated,
    PracticeAlreadyMember,
    SharesExceedOne,
)


class MemberOut(Out):
    """`valid_to` is the last day; `crosses_border` says that the practice has another commissioner than the lead."""

    practice: str
    practice_name: str | None
    valid_from: date
    valid_to: date | None
    share: Decimal
    round: str | None
    application: str | None
    practice_commissioner: str | None
    lead_commissioner: str | None
    crosses_border: bool
    reason: str | None
    known_from: datetime


class MembershipOut(Out):
    network: str
    practice: str
    valid_from: date
    valid_to: date | None
    share: Decimal
    round: str | None
    application: str | None
    reason: str | None
    recorded_by: str | None


class JoiningIn(In):
    practice: OrganisationCode
    valid_from: Day
    valid_to: Day | None = None
    share: Share = Decimal(1)
    reason: Reason


class DepartureIn(In):
    """`last_day` of the membership; `notified_on`, today unless given; `agreement` where no window is open."""

    last_day: Day
    reason: Reason
    notified_on: Day | None = None
    agreement: Reason | None = None


class MembershipCorrectionIn(In):
    """The days as they really are, the last one null while it is open; the share stays as it is unless given."""

    valid_from: Day
    valid_to: Day | None
    share: Share | None = None
    reason: Reason


class MembershipWithdrawalIn(In):
    reason: Reason


@router.get("/networks/{code}/members", response_model=Page[MemberOut], responses=refusals(NetworkNotFound))
async def list_members(
    code: str,
    session: Reading,
    points: PointReads,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    history: Annotated[bool, Query(description="Every membership there has been instead of those of one day")] = False,
) -> dict[str, Any]:
    """The core members of a network on a day, or all it has ever had."""
    day = as_at or today
    await read_network(points, code, day, known_at)
    statement = queries.members_of(code, None if history else day, known_at)
    rows, following = await page(session, statement, [Membership.practice, Membership.fact_id], paging)
    return {"items": [queries.shown(row) for row in rows], "next": following}


@router.post("/networks/{code}/members", response_model=MembershipOut, status_code=201, responses=refusals(*UNFIT))
async def join(
    code: str,
    joining: JoiningIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    _: Idempotent,
) -> Membership:
    """Make a practice a core member of the network from a day on, which may lie in the past."""
    made = await operations.join_network(
        session,
        code,
        joining.practice,
        first=joining.valid_from,
        last=joining.valid_to,
        share=joining.share,
        reason=joining.reason,
        caller=caller,
        now=now,
    )
    response.headers["Location"] = f"/registry/v1/networks/{code}/members/{made.practice}/{made.valid_from}"
    tag(response, made)
    return made


@router.get(MEMBER, response_model=MembershipOut, responses=refusals(MembershipNotFound))
async def read_membership(
    code: str,
    practice: str,
    first_day: date,
    session: Reading,
    response: Response,
    _: Anyone,
    known_at: KnownAt = None,
) -> Membership:
    """One membership by the day it begins, why it is as it is and who recorded it, as known now or then."""
    found = await operations.find_membership(session, code, practice, first_day, known_at)
    tag(response, found)
    return found


@router.put(
    f"{MEMBER}/departure",
    response_model=MembershipOut,
    responses=refusals(
        NetworkNotOpen, MembershipNotFound, NotYoursToDecide, MembershipEnded, OutsideWindow, NoticeTooShort
    ),
)
async def leave(
    code: str,
    practice: str,
    first_day: date,
    departure: DepartureIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Membership:
    """End a membership: in a window after due notice, or at any time with the commissioner's recorded agreement."""
    ended = await operations.end_membership(
        session,
        code,
        practice,
        first_day,
        last_day=departure.last_day,
        reason=departure.reason,
        notified_on=departure.notified_on,
        agreement=departure.agreement,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, ended)
    return ended


@router.put(f"{MEMBER}/correction", response_model=MembershipOut, responses=refusals(*UNFIT, MembershipNotFound))
async def correct(
    code: str,
    practice: str,
    first_day: date,
    correction: MembershipCorrectionIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Membership:
    """Put right the days or the share of a membership after the fact; `known_at` still gives what was believed."""
    right = await operations.correct_membership(
        session,
        code,
        practice,
        first_day,
        valid=operations.span_of(correction.valid_from, correction.valid_to),
        share=correction.share,
        reason=correction.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, right)
    return right


@router.put(
    f"{MEMBER}/withdrawal",
    status_code=204,
    responses=refusals(NetworkNotOpen, MembershipNotFound, NotYoursToDecide),
)
async def withdraw(
    code: str,
    practice: str,
    first_day: date,
    withdrawal: MembershipWithdrawalIn,
    session: Transaction,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> None:
    """Take back a membership recorded in error: it is believed no longer, and never was true."""
    await operations.withdraw_membership(
        session,
        code,
        practice,
        first_day,
        reason=withdrawal.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
