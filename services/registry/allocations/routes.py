from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.allocations import operations
from services.registry.allocations.model import (
    Allocation,
    AllocationNotFound,
    PracticeAlreadyAllocated,
    PracticeIsMember,
)
from services.registry.applications.refusals import ApplicationNotFound
from services.registry.codes import Day, NetworkCode, OrganisationCode
from services.registry.networks.model import NetworkNotFound, NetworkNotOpen
from services.registry.practices.model import ListWentOver, PatientsDispersed, PracticeNotOpen
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import NotYoursToDecide, RoundAlreadyDecided, RoundGivenUp, RoundNotFound
from shared.facts import as_at as true_at
from shared.facts import believed
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
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
)
from shared.identity import Caller, Role, allow

router = service_router("registry", tags=["allocations"])
Reader = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.LMC, Role.NETWORK, Role.PRACTICE),
]

Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]


class AllocationIn(In):
    """Whose list, and the network or the application that serves it."""

    practice: OrganisationCode
    network: NetworkCode | None = None
    application: Annotated[str | None, Field(max_length=32)] = None
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason
    round: Annotated[str | None, Field(max_length=32)] = None


class CorrectionIn(In):
    """The allocation as it should have been; `network` only where another one serves."""

    network: NetworkCode | None = None
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason


class EndingIn(In):
    ends_on: Day
    reason: Reason


class ErrorIn(In):
    reason: Reason


class AllocationOut(Out):
    """`after_closing`: the practice had closed, and its list is served until patients are counted again."""

    id: str
    practice: str
    commissioner: str
    network: str | None
    application: str | None
    valid_from: date
    valid_to: date | None
    after_closing: bool
    reason: str
    round: str | None
    made_by: str


_LIST = (ListWentOver, PatientsDispersed, PracticeNotOpen, NetworkNotOpen)


@router.post(
    "/allocations",
    response_model=AllocationOut,
    status_code=201,
    responses=refusals(
        PracticeNotFound,
        NetworkNotFound,
        ApplicationNotFound,
        NotYoursToDecide,
        PracticeIsMember,
        PracticeAlreadyAllocated,
        *_LIST,
        RoundNotFound,
        RoundAlreadyDecided,
        RoundGivenUp,
    ),
)
async def allocate(
    wanted: AllocationIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    _: Idempotent,
) -> Allocation:
    """Have the list of a practice outside every network served by a network of the area."""
    made = await operations.allocate_patients(
        session,
        caller=caller,
        practice=wanted.practice,
        network=wanted.network,
        application=wanted.application,
        first=wanted.valid_from,
        last=wanted.valid_to,
        reason=wanted.reason,
        round=wanted.round,
        now=now,
    )
    response.headers["Location"] = f"/registry/v1/allocations/{made.id}"
    response.headers["ETag"] = f'"{made.fact_id}"'
    return made


@router.get("/allocations", response_model=Page[AllocationOut])
async def list_allocations(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    network: Annotated[str | None, Query(max_length=6)] = None,
    practice: Annotated[str | None, Query(max_length=12)] = None,
    round: Annotated[str | None, Query(max_length=32)] = None,
) -> dict[str, Any]:
    """Allocations known now or then; with `as_at` those that hold on that day."""
    statement = select(Allocation).where(await operations.visible_allocations(session, caller, today))
    if as_at is not None:
        statement = statement.where(true_at(Allocation, as_at, known_at))
    else:
        known = believed(Allocation, known_at)
        statement = statement.where(known)
    if network is not None:
        statement = statement.where(Allocation.network == network)
    if practice is not None:
        statement = statement.where(Allocation.practice == practice)
    if round is not None:
        statement = statement.where(Allocation.round == round)
    rows, following = await page(session, statement, [Allocation.id, Allocation.fact_id], paging)
    return {"items": [row[0] for row in rows], "next": following}


@router.get("/allocations/{id}", response_model=AllocationOut, responses=refusals(AllocationNotFound))
async def read_allocation(
    id: str,
    session: Reading,
    response: Response,
    caller: Reader,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Allocation:
    """Who serves the patients of one practice, and since when, as known now or then."""
    found = await operations.find_allocation(session, id, caller, today, as_at=as_at, known_at=known_at)
    response.headers["ETag"] = f'"{found.fact_id}"'
    return found


@router.put(
    "/allocations/{id}/correction",
    response_model=AllocationOut,
    responses=refusals(
        *(AllocationNotFound, NotYoursToDecide, NetworkNotFound, PracticeIsMember, PracticeAlreadyAllocated),
        *(PracticeNotFound, *_LIST),
    ),
)
async def correct(
    id: str,
    better: CorrectionIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Allocation:
    """Correct the days of an allocation or the network that serves, after the fact."""
    made = await operations.correct_allocation(
        session,
        id,
        caller=caller,
        network=better.network,
        first=better.valid_from,
        last=better.valid_to,
        reason=better.reason,
        if_match=if_match,
        now=now,
    )
    response.headers["ETag"] = f'"{made.fact_id}"'
    return made


@router.put(
    "/allocations/{id}/ending",
    response_model=AllocationOut,
    responses=refusals(AllocationNotFound, NotYoursToDecide, PracticeAlreadyAllocated),
)
async def end(
    id: str,
    ending: EndingIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Allocation:
    """End an allocation after a day."""
    made = await operations.end_allocation(
        session, id, ending.ends_on, ending.reason, caller=caller, if_match=if_match, now=now
    )
    response.headers["ETag"] = f'"{made.fact_id}"'
    return made


@router.put(
    "/allocations/{id}/withdrawal",
    response_model=AllocationOut,
    responses=refusals(AllocationNotFound, NotYoursToDecide),
)
async def withdraw(
    id: str, why: ErrorIn, session: Transaction, caller: Decider, now: Now, if_match: IfMatch = None
) -> Allocation:
    """Take back an allocation that was recorded in error; the answer is what had been believed of it."""
    return await operations.withdraw_allocation(session, id, why.reason, caller=caller, if_match=if_match, now=now)
