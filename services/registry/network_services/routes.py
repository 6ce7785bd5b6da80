from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field, ValidationInfo, field_validator
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.shapes import ReasonIn
from services.registry.codes import OrganisationCode
from services.registry.network_services import operations
from services.registry.network_services.model import (
    ProviderNotMember,
    ProviderNotPartner,
    ServiceNotOnMenu,
    SignedUpAlready,
    SignUp,
    SignUpNotFound,
    SignUpNotRunning,
    SignUpTerm,
)
from services.registry.network_services.operations import Delivery
from services.registry.networks.model import NetworkNotFound
from services.registry.networks.queries import read_network
from services.registry.periods import BreachOut, CorrectionIn, LastDayIn, Line, PeriodIn, PeriodOut, gaps
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

router = service_router("registry", tags=["services"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Voice = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)]
ServiceCode = Annotated[str, Field(pattern=r"^[a-z][a-z-]{2,30}$")]


class SignUpIn(PeriodIn):
    """What the network takes on, from a practice or a partner; without a last day, while the year's menu has it."""

    service: ServiceCode
    practice: OrganisationCode | None = None
    partner: Annotated[str | None, Field(max_length=32, validate_default=True)] = None
    lead: Line | None = None

    @field_validator("partner")
    @classmethod
    def _one_provider(cls, partner: str | None, info: ValidationInfo) -> str | None:
        if (partner is None) == (info.data.get("practice") is None):
            raise ValueError("name a practice or a partner, one of the two")
        return partner

    def delivery(self) -> Delivery:
        return Delivery(self.service, self.practice, self.partner, self.lead, self.valid_from, self.valid_to)


class SignUpCorrectionIn(SignUpIn, CorrectionIn):
    """All that is now known of it."""


class ServiceOut(PeriodOut):
    """A service the network delivers; a breach is a stretch of days on which its provider is no member or partner."""

    id: str
    network: str
    service: str
    practice: str | None
    partner: str | None
    lead: str | None
    breaches: list[BreachOut]


class SignUpOut(Out):
    """What the network took on and all that is known of it; nothing when it was withdrawn."""

    id: str
    network: str
    terms: list[ServiceOut]


_REFUSED = refusals(ServiceNotOnMenu, ProviderNotMember, ProviderNotPartner, SignedUpAlready)
_CHANGE = refusals(NetworkNotFound, SignUpNotFound, NotYoursToActFor)


def _shown(row: Any) -> ServiceOut:
    held = dict(row._mapping)
    return ServiceOut(
        **{name: held[name] for name in ServiceOut.model_fields if name != "breaches"}, breaches=gaps(held["outside"])
    )


async def _record(
    session: AsyncSession,
    held: SignUp,
    response: Response,
    day: date | None = None,
    known_at: datetime | None = None,
) -> SignUpOut:
    tag(response, held)
    statement = operations.services_on(held.network, day, known_at).where(SignUpTerm.sign_up == held.id)
    rows = (await session.execute(statement.order_by(SignUpTerm.valid))).all()
    return SignUpOut(id=held.id, network=held.network, terms=[_shown(row) for row in rows])


@router.get("/networks/{code}/services", response_model=Page[ServiceOut], responses=refusals(NetworkNotFound))
async def list_services(
    code: str,
    session: Reading,
    points: PointReads,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    history: Annotated[bool, Query(description="Everything there has been instead of that of one day")] = False,
) -> dict[str, Any]:
    """Which services a network delivers on a day, by whom, and who leads them."""
    day = as_at or today
    await read_network(points, code, day, known_at)
    statement = operations.services_on(code, None if history else day, known_at)
    rows, following = await page(session, statement, [SignUpTerm.service, SignUpTerm.fact_id], paging)
    return {"items": [_shown(row) for row in rows], "next": following}


@router.get("/networks/{code}/services/{id}", response_model=SignUpOut, responses=refusals(SignUpNotFound))
async def read_service(
    code: str, id: str, session: Reading, response: Response, _: Anyone, as_at: AsAt = None, known_at: KnownAt = None
) -> SignUpOut:
    """One service the network took on, on all its days or on one, as known then or now."""
    return await _record(session, await operations.find_sign_up(session, code, id), response, as_at, known_at)


@router.post(
    "/networks/{code}/services",
    response_model=SignUpOut,
    status_code=201,
    responses=refusals(
        NetworkNotFound, NotYoursToActFor, ServiceNotOnMenu, ProviderNotMember, ProviderNotPartner, SignedUpAlready
    ),
)
async def sign_up(
    code: str, wanted: SignUpIn, session: Transaction, response: Response, caller: Voice, now: Now, _: Idempotent
) -> SignUpOut:
    """Take a service of the menu on, delivered by a member practice or a partner."""
    made = await operations.sign_up(session, code, wanted.delivery(), caller=caller, now=now)
    response.headers["Location"] = f"/registry/v1/networks/{code}/services/{made.id}"
    return await _record(session, made, response)


@router.put("/networks/{code}/services/{id}", response_model=SignUpOut, responses=_CHANGE | _REFUSED)
async def correct(
    code: str,
    id: str,
    wanted: SignUpCorrectionIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> SignUpOut:
    """Say what was delivered all along."""
    held = await operations.sign_up_to_change(
        session, code, id, caller=caller, if_match=if_match, reason=wanted.reason, now=now
    )
    await operations.correct_sign_up(session, held, wanted.delivery(), now=now)
    return await _record(session, held, response)


@router.put(
    "/networks/{code}/services/{id}/ending",
    response_model=SignUpOut,
    responses=_CHANGE | refusals(SignUpNotRunning),
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
) -> SignUpOut:
    """Deliver the service to a last day."""
    held = await operations.sign_up_to_change(
        session, code, id, caller=caller, if_match=if_match, reason=ending.reason, now=now
    )
    await operations.end_sign_up(session, held, ending.last_day, now=now)
    return await _record(session, held, response)


@router.put("/networks/{code}/services/{id}/withdrawal", response_model=SignUpOut, responses=_CHANGE)
async def withdraw(
    code: str,
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> SignUpOut:
    """Take back what was entered by mistake."""
    held = await operations.sign_up_to_change(
        session, code, id, caller=caller, if_match=if_match, reason=why.reason, now=now
    )
    await operations.withdraw_sign_up(session, held, now=now)
    return await _record(session, held, response)
