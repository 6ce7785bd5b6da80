from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from services.registry.applications.refusals import PracticeListAllocated
from services.registry.codes import Day, NetworkCode
from services.registry.networks.model import NetworkNotFound, NetworkNotOpen, PracticeAlreadyMember, SharesExceedOne
from services.registry.practices.model import NotACoreContract, Practice, PracticeNotOpen
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import NotYoursToDecide
from services.registry.splits import operations
from services.registry.splits.model import Portion, Split, SplitNotFound
from shared.errors import Invalid
from shared.http import AsAt, IfMatch, In, KnownAt, Now, Out, Reading, Today, Transaction, refusals, service_router, tag
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["splits"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]
Share = Annotated[Decimal, Field(gt=0, lt=1, max_digits=12, decimal_places=10)]
UNFIT = (
    PracticeNotFound,
    NotYoursToDecide,
    NetworkNotFound,
    NetworkNotOpen,
    PracticeNotOpen,
    NotACoreContract,
    PracticeListAllocated,
    PracticeAlreadyMember,
    SharesExceedOne,
    Invalid,
)


class SplitPartIn(In):
    network: NetworkCode
    share: Share


class SplitIn(In):
    """The parts of one list: two networks or more, with shares that add up to exactly 1."""

    parts: Annotated[list[SplitPartIn], Field(min_length=2, max_length=20)]
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason


class SplitEndingIn(In):
    """The last day of the split, and the network the whole list goes with afterwards, if any."""

    last_day: Day
    network: NetworkCode | None
    reason: Reason


class SplitPartOut(Out):
    network: str
    share: Decimal


class SplitOut(Out):
    practice: str
    parts: list[SplitPartOut]
    valid_from: date
    valid_to: date | None
    reason: str | None
    recorded_by: str | None


def _shown(split: Split, parts: list[Portion]) -> dict[str, Any]:
    return {
        "practice": split.practice,
        "parts": parts,
        "valid_from": split.valid_from,
        "valid_to": split.valid_to,
        "reason": split.reason,
        "recorded_by": split.recorded_by,
    }


@router.get("/practices/{code}/split", response_model=SplitOut, responses=refusals(SplitNotFound))
async def read_split(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """How a practice's list is divided between networks on a day, and why; the version is that of the practice."""
    day = as_at or today
    found = await operations.find_split(session, code, day, known_at)
    tag(response, await session.get_one(Practice, code))
    return _shown(found, await operations.parts_on(session, code, day, known_at))


@router.put("/practices/{code}/split", response_model=SplitOut, responses=refusals(*UNFIT))
async def declare(
    code: str,
    wanted: SplitIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Declare that a practice's list is divided between networks on those days; the version is that of the practice."""
    parts = [Portion(part.network, part.share) for part in wanted.parts]
    split = await operations.declare_split(
        session,
        code,
        parts,
        first=wanted.valid_from,
        last=wanted.valid_to,
        reason=wanted.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, await session.get_one(Practice, code))
    return _shown(split, parts)


@router.put("/practices/{code}/split/ending", response_model=SplitOut, responses=refusals(*UNFIT, SplitNotFound))
async def end(
    code: str,
    ending: SplitEndingIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """End a split: the whole list goes with one network again, or with none; the version is that of the practice."""
    split = await operations.end_split(
        session,
        code,
        ending.last_day,
        ending.network,
        reason=ending.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, await session.get_one(Practice, code))
    return _shown(split, await operations.parts_on(session, code, ending.last_day))
