from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.shapes import ReasonIn
from services.registry.codes import OrganisationCode
from services.registry.networks.model import NetworkNotFound
from services.registry.networks.queries import read_network
from services.registry.partners import operations
from services.registry.partners.model import (
    Partner,
    PartnerAlready,
    PartnerIsCoreMember,
    PartnerKind,
    PartnerNotFound,
    PartnershipNotRunning,
    PartnerTerm,
)
from services.registry.periods import CorrectionIn, LastDayIn, Line, PeriodIn, PeriodOut, Text
from services.registry.voice import NotYoursToActFor
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
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

router = service_router("registry", tags=["partners"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Voice = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)]


class PartIn(PeriodIn):
    """What an organisation does in the network, and whether it signs the network agreement."""

    name: Line
    kind: PartnerKind
    part: Text
    party: bool = False


class PartnerIn(PartIn):
    organisation: OrganisationCode


class PartnerCorrectionIn(PartIn, CorrectionIn):
    """All that is now known of the partner."""


class PartnerOut(PeriodOut):
    id: str
    network: str
    organisation: str
    name: str
    kind: PartnerKind
    part: str
    party: bool


class PartnerRecordOut(Out):
    """A partner and all that is known of it, one entry for each stretch of days; none when it was withdrawn."""

    id: str
    network: str
    organisation: str
    terms: list[PartnerOut]


_CHANGE = refusals(NetworkNotFound, PartnerNotFound, NotYoursToActFor)


@router.get("/networks/{code}/partners", response_model=Page[PartnerOut], responses=refusals(NetworkNotFound))
async def list_partners(
    code: str,
    session: Reading,
    points: PointReads,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    history: Annotated[bool, Query(description="Every partner there has been instead of those of one day")] = False,
) -> dict[str, Any]:
    """Organisations beside the core members on a day, each with its part."""
    day = as_at or today
    await read_network(points, code, day, known_at)
    statement = operations.partners_on(code, None if history else day, known_at)
    rows, following = await page(session, statement, [PartnerTerm.partner, PartnerTerm.fact_id], paging)
    return {"items": [PartnerOut.model_validate(row) for row in rows], "next": following}


async def _record(
    session: AsyncSession,
    partner: Partner,
    response: Response,
    day: date | None = None,
    known_at: datetime | None = None,
) -> PartnerRecordOut:
    tag(response, partner)
    held = operations.partners_on(partner.network, day, known_at).where(PartnerTerm.partner == partner.id)
    rows = (await session.execute(held.order_by(PartnerTerm.valid))).all()
    return PartnerRecordOut(
        id=partner.id,
        network=partner.network,
        organisation=partner.organisation,
        terms=[PartnerOut.model_validate(row) for row in rows],
    )


@router.get(
    "/networks/{code}/partners/{id}",
    response_model=PartnerRecordOut,
    responses=refusals(PartnerNotFound),
)
async def read_partner(
    code: str, id: str, session: Reading, response: Response, _: Anyone, as_at: AsAt = None, known_at: KnownAt = None
) -> PartnerRecordOut:
    """One partner of a network, with every part it played, or the one of a day, as known then or now."""
    return await _record(session, await operations.find_partner(session, code, id), response, as_at, known_at)


@router.post(
    "/networks/{code}/partners",
    response_model=PartnerRecordOut,
    status_code=201,
    responses=refusals(NetworkNotFound, NotYoursToActFor, PartnerIsCoreMember, PartnerAlready),
)
async def take(
    code: str, partner: PartnerIn, session: Transaction, response: Response, caller: Voice, now: Now, _: Idempotent
) -> PartnerRecordOut:
    """Enter an organisation as partner of the network."""
    made = await operations.take_partner(
        session,
        code,
        caller=caller,
        organisation=partner.organisation,
        term=partner.model_dump(exclude={"organisation"}),
        now=now,
    )
    response.headers["Location"] = f"/registry/v1/networks/{code}/partners/{made.id}"
    return await _record(session, made, response)


@router.put(
    "/networks/{code}/partners/{id}",
    response_model=PartnerRecordOut,
    responses=_CHANGE | refusals(PartnerIsCoreMember, PartnerAlready),
)
async def correct(
    code: str,
    id: str,
    correction: PartnerCorrectionIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> PartnerRecordOut:
    """Say what was true all along; what was believed before stays answerable."""
    partner = await operations.partner_to_change(session, code, id, caller=caller, if_match=if_match, now=now)
    term = correction.model_dump(exclude={"reason"})
    await operations.correct_partner(session, partner, term=term, reason=correction.reason, now=now)
    return await _record(session, partner, response)


@router.put(
    "/networks/{code}/partners/{id}/ending",
    response_model=PartnerRecordOut,
    responses=_CHANGE | refusals(PartnershipNotRunning),
)
async def end(
    code: str,
    id: str,
    ending: LastDayIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> PartnerRecordOut:
    """End the partnership after a last day."""
    partner = await operations.partner_to_change(session, code, id, caller=caller, if_match=if_match, now=now)
    await operations.end_partner(session, partner, ending.last_day, reason=ending.reason, now=now)
    return await _record(session, partner, response)


@router.put("/networks/{code}/partners/{id}/withdrawal", response_model=PartnerRecordOut, responses=_CHANGE)
async def withdraw(
    code: str,
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> PartnerRecordOut:
    """Take back a partner entered by mistake."""
    partner = await operations.partner_to_change(session, code, id, caller=caller, if_match=if_match, now=now)
    await operations.withdraw_partner(session, partner, reason=why.reason, now=now)
    return await _record(session, partner, response)
