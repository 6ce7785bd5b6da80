from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.applications.refusals import PracticeListAllocated
from services.registry.codes import Day, NetworkCode, OrganisationCode
from services.registry.networks.model import (
    MembershipNotFound,
    NetworkNotFound,
    NetworkNotOpen,
    PracticeAlreadyMember,
    SharesExceedOne,
)
from services.registry.notices import operations
from services.registry.notices.model import (
    ConsentMissing,
    ConsentNotNeeded,
    Notice,
    NoticeGivenAlready,
    NoticeKind,
    NoticeNotFound,
    NoticeSettled,
    NoticeStatus,
    NotYoursToConsent,
    NotYoursToGive,
    Side,
)
from services.registry.practices.model import NotACoreContract, PracticeNotOpen
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import NotYoursToDecide
from shared.audit import as_it_was
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    KnownAt,
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

router = service_router("registry", tags=["notices"])
Giver = Annotated[Caller, allow(Role.NETWORK, Role.PRACTICE)]
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reader = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.LMC, Role.NETWORK, Role.PRACTICE),
]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]
MOVES = (
    MembershipNotFound,
    NetworkNotFound,
    NetworkNotOpen,
    PracticeNotFound,
    PracticeNotOpen,
    NotACoreContract,
    PracticeListAllocated,
    PracticeAlreadyMember,
    SharesExceedOne,
)


class MoveNoticeIn(In):
    """`effective_on`: the last day of the membership for a leaving, the first for a joining."""

    kind: NoticeKind
    network: NetworkCode
    practice: OrganisationCode
    effective_on: Day
    reason: Reason


class NoticeReasonIn(In):
    reason: Reason


class MoveNoticeOut(Out):
    id: str
    kind: NoticeKind
    network: str
    practice: str
    commissioner: str
    effective_on: date
    reason: str
    side: Side
    given_on: date
    given_by: str
    status: NoticeStatus
    window: str | None
    consented_on: date | None
    settled_on: date | None
    settled_by: str | None
    settled_reason: str | None


@router.post(
    "/notices",
    response_model=MoveNoticeOut,
    status_code=201,
    responses=refusals(NotYoursToGive, NoticeGivenAlready, *MOVES),
)
async def give(
    wanted: MoveNoticeIn, session: Transaction, response: Response, caller: Giver, now: Now, _: Idempotent
) -> Notice:
    """Give notice that a practice leaves or joins a network."""
    made = await operations.give_notice(session, caller=caller, now=now, **wanted.model_dump())
    response.headers["Location"] = f"/registry/v1/notices/{made.id}"
    tag(response, made)
    return made


@router.get("/notices", response_model=Page[MoveNoticeOut])
async def list_notices(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    network: Annotated[str | None, Query(max_length=6)] = None,
    practice: Annotated[str | None, Query(max_length=12)] = None,
    status: NoticeStatus | None = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """Notices the caller may see, of every network or of one, as known now or then."""
    statement = select(Notice).where(await operations.visible_notices(session, caller, today))
    if network is not None:
        statement = statement.where(Notice.network == network)
    if practice is not None:
        statement = statement.where(Notice.practice == practice)
    if status is not None and known_at is None:
        statement = statement.where(Notice.status == status)
    rows, following = await page(session, statement, [Notice.id], paging)
    stood = await as_it_was(session, [row[0] for row in rows], known_at)
    return {"items": [notice for notice in stood if status in (None, notice.status)], "next": following}


@router.get("/notices/{id}", response_model=MoveNoticeOut, responses=refusals(NoticeNotFound))
async def read_notice(
    id: str, session: Reading, response: Response, caller: Reader, today: Today, known_at: KnownAt = None
) -> Notice:
    """One notice, and what became of it, as known now or then."""
    found = await operations.find_notice(session, id, caller, today)
    tag(response, found)
    stood = await as_it_was(session, [found], known_at)
    if not stood:
        raise NoticeNotFound(f"No notice {id} was known then.")
    return stood[0]


@router.put(
    "/notices/{id}/consent",
    response_model=MoveNoticeOut,
    responses=refusals(NoticeNotFound, NotYoursToConsent, NoticeSettled, ConsentNotNeeded, *MOVES),
)
async def consent(
    id: str, session: Transaction, response: Response, caller: Giver, now: Now, if_match: IfMatch = None
) -> Notice:
    """Agree to a joining, as the side that did not give the notice."""
    notice = await operations.consent_to_notice(session, id, caller=caller, if_match=if_match, now=now)
    tag(response, notice)
    return notice


@router.put(
    "/notices/{id}/acceptance",
    response_model=MoveNoticeOut,
    responses=refusals(NoticeNotFound, NotYoursToDecide, NoticeSettled, ConsentMissing, *MOVES),
)
async def accept(
    id: str,
    why: NoticeReasonIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Notice:
    """Accept a notice outside a window: it takes effect on the day it names."""
    notice = await operations.decide_notice(
        session, id, NoticeStatus.IN_EFFECT, reason=why.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, notice)
    return notice


@router.put(
    "/notices/{id}/refusal",
    response_model=MoveNoticeOut,
    responses=refusals(NoticeNotFound, NotYoursToDecide, NoticeSettled),
)
async def refuse(
    id: str,
    why: NoticeReasonIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Notice:
    """Refuse a notice given outside a window."""
    notice = await operations.decide_notice(
        session, id, NoticeStatus.REFUSED, reason=why.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, notice)
    return notice


@router.put(
    "/notices/{id}/withdrawal",
    response_model=MoveNoticeOut,
    responses=refusals(NoticeNotFound, NotYoursToGive, NoticeSettled),
)
async def withdraw(
    id: str,
    why: NoticeReasonIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.NETWORK, Role.PRACTICE)],
    now: Now,
    if_match: IfMatch = None,
) -> Notice:
    """Take a notice back before it takes effect."""
    notice = await operations.withdraw_notice(session, id, reason=why.reason, caller=caller, if_match=if_match, now=now)
    tag(response, notice)
    return notice
