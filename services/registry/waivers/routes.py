from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import select

from services.registry.applications.refusals import ApplicationNotFound
from services.registry.codes import Day, NetworkCode
from services.registry.networks.model import NetworkNotFound
from services.registry.rounds.model import NotYoursToDecide, RoundAlreadyDecided, RoundGivenUp
from services.registry.waivers import operations, queries
from services.registry.waivers.model import TOO_SMALL, ExceptedAlready, FindingNotThere, Waiver, WaiverNotFound
from shared.errors import Fault, Invalid
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

router = service_router("registry", tags=["waivers"])
Reader = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.LMC, Role.NETWORK)]
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]
Patients = Annotated[
    Decimal,
    Field(gt=0, lt=100_000_000, max_digits=8, decimal_places=0, description="How far down a network may shrink"),
]


class WaiverIn(In):
    """Which finding, by its key, of which application or network is excepted, and why.

    For a network the exception has days; for an application it holds from the day the network starts.
    """

    application: Annotated[str | None, Field(max_length=32)] = None
    network: NetworkCode | None = None
    finding: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Reason
    valid_from: Day | None = None
    valid_to: Day | None = None
    not_below: Patients | None = None

    def faults(self) -> list[Fault]:
        found = []
        if (self.application is None) == (self.network is None):
            found.append(Fault("network", "one_of_two", "Name an application or a network, one of the two."))
        if self.not_below is not None and self.finding != TOO_SMALL:
            message = "Only an exception from the smallest size says how far down."
            found.append(Fault("not_below", "not_of_size", message))
        if self.network is not None and self.valid_from is None:
            found.append(Fault("valid_from", "missing", "Say from which day on the exception holds."))
        if self.valid_to is not None and (self.valid_from is None or self.valid_to < self.valid_from):
            found.append(Fault("valid_to", "before_valid_from", f"{self.valid_to} lies before the first day."))
        return found


class BetterWaiverIn(In):
    valid_from: Day
    valid_to: Day | None = None
    reason: Reason
    not_below: Patients | None = None


class ErrorIn(In):
    reason: Reason


class WaiverOut(Out):
    id: str
    network: str | None
    application: str | None
    commissioner: str
    finding: str
    message: str
    reason: str
    not_below: Decimal | None
    given_by: str
    valid_from: date
    valid_to: date | None


@router.post(
    "/waivers",
    response_model=WaiverOut,
    status_code=201,
    responses=refusals(
        ApplicationNotFound,
        NetworkNotFound,
        FindingNotThere,
        NotYoursToDecide,
        RoundAlreadyDecided,
        RoundGivenUp,
        ExceptedAlready,
    ),
)
async def make_exception(
    wanted: WaiverIn, session: Transaction, response: Response, caller: Decider, now: Now, _: Idempotent
) -> Waiver:
    """Except one finding of an application or a network from the rules, with the reason."""
    faults = wanted.faults()
    if faults:
        raise Invalid("The exception is not complete.", errors=faults)
    if wanted.application is not None:
        made = await operations.except_application(
            session,
            wanted.application,
            wanted.finding,
            wanted.reason,
            not_below=wanted.not_below,
            caller=caller,
            now=now,
        )
    else:
        made = await operations.except_network(
            session,
            wanted.network or "",
            wanted.finding,
            wanted.reason,
            first=wanted.valid_from or date.min,
            last=wanted.valid_to,
            not_below=wanted.not_below,
            caller=caller,
            now=now,
        )
    response.headers["Location"] = f"/registry/v1/waivers/{made.id}"
    response.headers["ETag"] = f'"{made.fact_id}"'
    return made


@router.get("/waivers", response_model=Page[WaiverOut])
async def list_waivers(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    network: Annotated[str | None, Query(max_length=6)] = None,
    application: Annotated[str | None, Query(max_length=32)] = None,
    finding: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Exceptions known now or then, with who gave them, when and why; with `as_at` those that hold on that day."""
    known = believed(Waiver, known_at)
    statement = select(Waiver).where(
        await queries.visible_waivers(session, caller, today),
        known if as_at is None else true_at(Waiver, as_at, known_at),
    )
    if network is not None:
        statement = statement.where(Waiver.network == network)
    if application is not None:
        statement = statement.where(Waiver.application == application)
    if finding is not None:
        statement = statement.where(Waiver.finding == finding)
    rows, following = await page(session, statement, [Waiver.id, Waiver.fact_id], paging)
    return {"items": [row[0] for row in rows], "next": following}


@router.get("/waivers/{id}", response_model=WaiverOut, responses=refusals(WaiverNotFound))
async def read_waiver(
    id: str, session: Reading, response: Response, caller: Reader, today: Today, known_at: KnownAt = None
) -> Waiver:
    """One exception, as known now or then."""
    found = await queries.find_waiver(session, id, caller, today, known_at=known_at)
    response.headers["ETag"] = f'"{found.fact_id}"'
    return found


@router.put(
    "/waivers/{id}/correction",
    response_model=WaiverOut,
    responses=refusals(WaiverNotFound, NotYoursToDecide, ExceptedAlready),
)
async def correct(
    id: str,
    better: BetterWaiverIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Waiver:
    """Correct the days or the reason of an exception; a last day ends it."""
    made = await operations.correct_waiver(
        session,
        id,
        first=better.valid_from,
        last=better.valid_to,
        reason=better.reason,
        not_below=better.not_below,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    response.headers["ETag"] = f'"{made.fact_id}"'
    return made


@router.put("/waivers/{id}/withdrawal", response_model=WaiverOut, responses=refusals(WaiverNotFound, NotYoursToDecide))
async def withdraw(
    id: str, why: ErrorIn, session: Transaction, caller: Decider, now: Now, if_match: IfMatch = None
) -> Waiver:
    """Take back an exception that was given in error; the answer is what had been believed of it."""
    return await operations.withdraw_waiver(session, id, why.reason, caller=caller, if_match=if_match, now=now)
