"""Redistributions over HTTP: offered by one network, accepted by another, agreed to by their commissioner."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import or_, select

from services.funding.claims.routes import Decides, Seen
from services.funding.codes import OrganisationCode
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.redistributions import operations
from services.funding.redistributions.model import (
    BeyondWhatIsLeft,
    NotTheReceiver,
    Redistribution,
    RedistributionNotAllowed,
    RedistributionNotOpen,
    RedistributionStep,
)
from services.funding.redistributions.operations import RedistributionNotFound
from services.funding.scope import network_codes_seen
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    MoneyIn,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import ContractYear

router = service_router("funding", tags=["budgets"])

RedistributionId = Annotated[str, Path(max_length=64)]
Network = Annotated[Caller, allow(Role.NETWORK)]
_STALE = (RedistributionNotFound, RedistributionNotOpen, PreconditionFailed, PreconditionMissing)


class RedistributionIn(In):
    """What `giver` will not use of its sum, for `receiver`."""

    contract_year: ContractYear
    giver: OrganisationCode
    receiver: OrganisationCode
    amount: Annotated[MoneyIn, Field(gt=0)]


class RedistributionRefusalIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class RedistributionOut(Out):
    id: str
    contract_year: str
    giver: str
    receiver: str
    amount: MoneyOut
    status: RedistributionStep
    offered_on: date
    offered_by: str
    accepted_on: date | None
    accepted_by: str | None
    decided_on: date | None
    decided_by: str | None
    reason: str | None


def _shown(response: Response, found: Redistribution) -> RedistributionOut:
    tag(response, found)
    return RedistributionOut.model_validate(found)


@router.post(
    "/redistributions",
    status_code=201,
    responses=refusals(RedistributionNotFound, RedistributionNotAllowed, BeyondWhatIsLeft, RedistributionNotOpen),
    summary="Give up part of a sum for another network",
)
async def offer(
    wanted: RedistributionIn, session: Transaction, response: Response, caller: Network, now: Now, _: Idempotent
) -> RedistributionOut:
    """Offered by the giver; nothing moves before the receiver and the commissioner agree."""
    if wanted.giver == wanted.receiver:
        raise RedistributionNotOpen("A network gives nothing to itself.")
    made = await operations.offer(
        session, wanted.contract_year, wanted.giver, wanted.receiver, wanted.amount, caller=caller, now=now
    )
    response.headers["Location"] = f"/funding/v1/redistributions/{made.id}"
    return _shown(response, made)


@router.get("/redistributions", summary="Redistributions between networks")
async def list_redistributions(
    session: Reading,
    paging: Paging,
    caller: Seen,
    contract_year: ContractYear | None = None,
    network: Annotated[str | None, Query(max_length=32)] = None,
    status: RedistributionStep | None = None,
    known_at: KnownAt = None,
) -> Page[RedistributionOut]:
    """Those of the networks the caller may see, given or received."""
    stood = as_known(Redistribution, known_at)
    statement = select(stood)
    if not caller.everywhere:
        codes = network_codes_seen(caller)
        statement = statement.where(or_(stood.giver.in_(codes), stood.receiver.in_(codes)))
    if contract_year is not None:
        statement = statement.where(stood.contract_year == contract_year)
    if network is not None:
        statement = statement.where(or_(stood.giver == network, stood.receiver == network))
    if status is not None:
        statement = statement.where(stood.status == status)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[RedistributionOut.model_validate(row[0]) for row in found], next=following)


@router.get("/redistributions/{redistribution_id}", responses=refusals(RedistributionNotFound), summary="One of them")
async def read_redistribution(
    session: Reading,
    response: Response,
    caller: Seen,
    redistribution_id: RedistributionId,
    known_at: KnownAt = None,
) -> RedistributionOut:
    """Who gives what to whom, and how far it has come."""
    return _shown(response, await operations.redistribution_seen(session, redistribution_id, caller, known_at=known_at))


@router.put(
    "/redistributions/{redistribution_id}/acceptance", responses=refusals(NotTheReceiver, *_STALE), summary="Accept"
)
async def accept(
    session: Transaction,
    response: Response,
    caller: Network,
    now: Now,
    redistribution_id: RedistributionId,
    if_match: IfMatch = None,
) -> RedistributionOut:
    """The receiver accepts what is offered."""
    return _shown(response, await operations.accept(session, redistribution_id, if_match, caller=caller, now=now))


@router.put(
    "/redistributions/{redistribution_id}/approval",
    responses=refusals(NotYoursToDecide, BeyondWhatIsLeft, *_STALE),
    summary="Agree to a redistribution",
)
async def approve(
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    redistribution_id: RedistributionId,
    if_match: IfMatch = None,
) -> RedistributionOut:
    """The commissioner of both networks agrees: both sums are set again at once."""
    return _shown(response, await operations.approve(session, redistribution_id, if_match, caller=caller, now=now))


@router.put(
    "/redistributions/{redistribution_id}/refusal",
    responses=refusals(NotYoursToDecide, *_STALE),
    summary="Refuse a redistribution",
)
async def refuse(
    refusal: RedistributionRefusalIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)],
    now: Now,
    redistribution_id: RedistributionId,
    if_match: IfMatch = None,
) -> RedistributionOut:
    """The receiver or the commissioner says no, with a reason."""
    return _shown(
        response,
        await operations.refuse(session, redistribution_id, if_match, refusal.reason, caller=caller, now=now),
    )
