from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import Field

from services.registry.codes import Day, OrganisationCode
from services.registry.hierarchy.model import CommissionerNotFound
from services.registry.networks.model import NetworkNotOpen, PracticeAlreadyMember
from services.registry.practice_life import closing, operations, queries
from services.registry.practices.model import (
    NotACoreContract,
    Practice,
    PracticeCodeTaken,
    PracticeNotClosed,
    PracticeNotOpen,
    PracticeStatus,
    PracticeSucceedsItself,
)
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import NotYoursToDecide
from shared.errors import Invalid
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Reading,
    Transaction,
    refusals,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["practice life"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]
Contract = Literal["GMS", "PMS", "APMS", "OTHER"]
OWN = (PracticeNotFound, NotYoursToDecide)


class PracticeIn(In):
    """A practice that opens; `proposed` while it is only planned."""

    code: OrganisationCode
    name: Annotated[str, Field(min_length=1, max_length=200)]
    commissioner: OrganisationCode
    opened_on: Day
    contract: Contract | None = None
    proposed: bool = False
    reason: Reason


class PracticeClosureIn(In):
    """`closed_on` is the practice's last day."""

    closed_on: Day
    reason: Reason


class ReasonIn(In):
    reason: Reason


class PracticeSuccessionIn(In):
    """`succeeded_on`: the first day on which its patients are the successor's."""

    successor: OrganisationCode
    succeeded_on: Day
    reason: Reason


class _DaysIn(In):
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason


class DormancyIn(_DaysIn):
    """The days on which the practice is dormant, the last one null until it is known."""


class ReopeningIn(In):
    reopened_on: Day
    reason: Reason


class PracticeCommissionerIn(_DaysIn):
    commissioner: OrganisationCode


class ContractIn(_DaysIn):
    contract: Contract


class PracticeCodeOut(Out):
    code: str


class _PieceOut(Out):
    valid_from: date
    valid_to: date | None
    reason: str | None


class EntryOut(_PieceOut):
    name: str
    status: PracticeStatus


class CommissionedOut(_PieceOut):
    commissioner: str


class ContractOut(_PieceOut):
    contract: str


class PastMembershipOut(_PieceOut):
    network: str
    share: Decimal


class PracticeSuccessionOut(_PieceOut):
    successor: str


class PracticeDispersalOut(_PieceOut):
    """The days on which patients of the closed practice are registered elsewhere."""


class PracticeHistoryOut(Out):
    entries: list[EntryOut]
    commissioners: list[CommissionedOut]
    contracts: list[ContractOut]
    memberships: list[PastMembershipOut]
    successions: list[PracticeSuccessionOut]
    dispersals: list[PracticeDispersalOut]


@router.get("/practices/{code}/history", response_model=PracticeHistoryOut, responses=refusals(PracticeNotFound))
async def read_history(code: str, session: Reading, _: Anyone, known_at: KnownAt = None) -> dict[str, Any]:
    """Everything dated about a practice, as known now or then."""
    return await queries.history_of(session, code, known_at)


@router.post(
    "/practices",
    response_model=PracticeCodeOut,
    status_code=201,
    responses=refusals(CommissionerNotFound, NotYoursToDecide, PracticeCodeTaken),
)
async def register(
    wanted: PracticeIn, session: Transaction, response: Response, caller: Decider, now: Now, _: Idempotent
) -> Practice:
    """Enter a practice that opens."""
    made = await operations.register_practice(session, caller=caller, now=now, **wanted.model_dump())
    response.headers["Location"] = f"/registry/v1/practices/{made.code}"
    tag(response, made)
    return made


@router.put("/practices/{code}/closure", response_model=PracticeCodeOut, responses=refusals(*OWN, Invalid))
async def close(
    code: str,
    closure: PracticeClosureIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """Close a practice, or put right the day it closes; its membership ends with it."""
    closed = await closing.close_practice(
        session, code, closure.closed_on, reason=closure.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, closed)
    return closed


@router.put(
    "/practices/{code}/closure/withdrawal",
    response_model=PracticeCodeOut,
    responses=refusals(*OWN, PracticeNotClosed, NetworkNotOpen, PracticeAlreadyMember),
)
async def reopen_closed(
    code: str,
    withdrawal: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """Take back a closure recorded in error; the membership that ended with it goes on."""
    opened = await closing.reopen_closed(
        session, code, reason=withdrawal.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, opened)
    return opened


@router.put(
    "/practices/{code}/succession",
    response_model=PracticeCodeOut,
    responses=refusals(*OWN, PracticeNotOpen, PracticeSucceedsItself, Invalid),
)
async def succeed(
    code: str,
    succession: PracticeSuccessionIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """Merge a practice into another: it closes the day before, and the other's membership goes on."""
    gone = await closing.succeed_practice(
        session,
        code,
        succession.successor,
        succession.succeeded_on,
        reason=succession.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, gone)
    return gone


@router.put("/practices/{code}/dormancy", response_model=PracticeCodeOut, responses=refusals(*OWN, PracticeNotOpen))
async def rest(
    code: str,
    dormancy: DormancyIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """Record that a practice is dormant from a day on, or was for some days; its membership stays."""
    resting = await operations.set_status(
        session,
        code,
        PracticeStatus.DORMANT,
        first=dormancy.valid_from,
        last=dormancy.valid_to,
        reason=dormancy.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, resting)
    return resting


@router.put("/practices/{code}/reopening", response_model=PracticeCodeOut, responses=refusals(*OWN, PracticeNotOpen))
async def reopen(
    code: str,
    reopening: ReopeningIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """A dormant, proposed or closed practice is open and active from a day on."""
    opened = await operations.set_status(
        session,
        code,
        PracticeStatus.ACTIVE,
        first=reopening.reopened_on,
        last=None,
        reason=reopening.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, opened)
    return opened


@router.put(
    "/practices/{code}/commissioner",
    response_model=PracticeCodeOut,
    responses=refusals(*OWN, PracticeNotOpen, CommissionerNotFound),
)
async def move(
    code: str,
    moved: PracticeCommissionerIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """Have another commissioner commission a practice from a day on; it stays in its network."""
    practice = await operations.move_practice(
        session,
        code,
        moved.commissioner,
        first=moved.valid_from,
        last=moved.valid_to,
        reason=moved.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, practice)
    return practice


@router.put("/practices/{code}/contract", response_model=PracticeCodeOut, responses=refusals(*OWN, NotACoreContract))
async def set_contract(
    code: str,
    held: ContractIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """Record the kind of contract a practice holds, from a day on or on some days."""
    practice = await operations.set_contract(
        session,
        code,
        held.contract,
        first=held.valid_from,
        last=held.valid_to,
        reason=held.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, practice)
    return practice
