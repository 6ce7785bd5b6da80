from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.shapes import ReasonIn
from services.registry.clinical_directors import operations
from services.registry.clinical_directors.model import (
    Appointment,
    AppointmentNotRunning,
    DirectorNotFound,
    DirectorOutsideNetwork,
    DirectorTerm,
    Method,
    OfficeTaken,
)
from services.registry.clinical_directors.operations import Director
from services.registry.clinical_directors.queries import directors_of
from services.registry.codes import OrganisationCode
from services.registry.networks.model import NetworkNotFound
from services.registry.networks.queries import read_network, speaks_for
from services.registry.periods import (
    BreachOut,
    CorrectionIn,
    LastDayIn,
    Line,
    PeriodIn,
    PeriodOut,
    Portion,
    RegistrationIn,
    gaps,
)
from services.registry.voice import NotYoursToActFor
from shared.facts import as_at as true_at
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

router = service_router("registry", tags=["clinical directors"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Voice = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)]


class TurnIn(PeriodIn):
    """Who holds the office, or a part of it, and the member practice in which they work clinically."""

    name: Line
    practice: OrganisationCode
    registration: RegistrationIn | None = None
    portion: Portion = Decimal(1)

    def director(self, method: Method) -> Director:
        return Director(
            name=self.name,
            practice=self.practice,
            registration_body=self.registration.body if self.registration else None,
            registration_number=self.registration.number if self.registration else None,
            method=method,
            portion=self.portion,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
        )


class RotationIn(In):
    """Turns in the office, in whatever order; each has its own days."""

    turns: Annotated[list[TurnIn], Field(min_length=2, max_length=100)]


class DirectorCorrectionIn(TurnIn, CorrectionIn):
    """All that is now known of the appointment."""

    method: Method = Method.APPOINTED


class DirectorOut(PeriodOut):
    """A clinical director on some days. The entry in a professional register is shown to who acts for the network."""

    id: str
    network: str
    name: str
    practice: str
    registration_body: str | None
    registration_number: str | None
    method: Method
    portion: Decimal
    election: str | None
    application: str | None
    breaches: list[BreachOut]


class AppointmentOut(Out):
    """One appointment and all that is known of it, one entry for each stretch of days; none when it was taken back."""

    id: str
    network: str
    terms: list[DirectorOut]


def _shown(row: Any, *, inside: bool) -> DirectorOut:
    director = dict(row._mapping)
    pieces: Sequence[Range[Decimal]] = director.pop("pieces")
    outside: Sequence[Range[date]] = director.pop("outside")
    if not inside:
        director |= {"registration_body": None, "registration_number": None}
    return DirectorOut(
        **{name: director[name] for name in DirectorOut.model_fields if name in director},
        portion=sum((p.upper - p.lower for p in pieces if p.upper is not None and p.lower is not None), Decimal(0)),
        breaches=gaps(outside),
    )


async def _record(
    session: AsyncSession,
    appointment: Appointment,
    response: Response,
    *,
    inside: bool,
    day: date | None = None,
    known_at: datetime | None = None,
) -> AppointmentOut:
    tag(response, appointment)
    held = directors_of(appointment.network, known_at).where(DirectorTerm.appointment == appointment.id)
    if day is not None:
        held = held.where(DirectorTerm.valid.contains(day))
    rows = (await session.execute(held.order_by(DirectorTerm.valid))).all()
    return AppointmentOut(
        id=appointment.id, network=appointment.network, terms=[_shown(row, inside=inside) for row in rows]
    )


_APPOINT = refusals(NetworkNotFound, NotYoursToActFor, DirectorOutsideNetwork, OfficeTaken)
_CHANGE = refusals(NetworkNotFound, DirectorNotFound, NotYoursToActFor)


@router.get(
    "/networks/{code}/clinical-directors", response_model=Page[DirectorOut], responses=refusals(NetworkNotFound)
)
async def list_directors(
    code: str,
    session: Reading,
    points: PointReads,
    caller: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    history: Annotated[bool, Query(description="Every director there has been instead of those of one day")] = False,
) -> dict[str, Any]:
    """Who holds the office on a day, with a breach wherever their practice is no member on a day they hold it."""
    day = as_at or today
    await read_network(points, code, day, known_at)
    statement = directors_of(code, known_at)
    if not history:
        statement = statement.where(true_at(DirectorTerm, day, known_at))
    inside = await speaks_for(session, code, caller, day)
    rows, following = await page(session, statement, [DirectorTerm.appointment, DirectorTerm.fact_id], paging)
    return {"items": [_shown(row, inside=inside) for row in rows], "next": following}


@router.get(
    "/networks/{code}/clinical-directors/{id}", response_model=AppointmentOut, responses=refusals(DirectorNotFound)
)
async def read_director(
    code: str,
    id: str,
    session: Reading,
    response: Response,
    caller: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> AppointmentOut:
    """One appointment, on all its days or on one, as known then or now."""
    found = await operations.find_appointment(session, code, id)
    inside = await speaks_for(session, code, caller, today)
    return await _record(session, found, response, inside=inside, day=as_at, known_at=known_at)


@router.post("/networks/{code}/clinical-directors", response_model=AppointmentOut, status_code=201, responses=_APPOINT)
async def appoint(
    code: str, turn: TurnIn, session: Transaction, response: Response, caller: Voice, now: Now, _: Idempotent
) -> AppointmentOut:
    """Appoint a clinical director, for all of the office or a part of it."""
    made = await operations.appoint_by_choice(session, code, turn.director(Method.APPOINTED), caller=caller, now=now)
    response.headers["Location"] = f"/registry/v1/networks/{code}/clinical-directors/{made.id}"
    return await _record(session, made, response, inside=True)


@router.post(
    "/networks/{code}/clinical-directors/rotation",
    response_model=list[DirectorOut],
    status_code=201,
    responses=_APPOINT,
)
async def rotate(
    code: str, rotation: RotationIn, session: Transaction, caller: Voice, now: Now, _: Idempotent
) -> list[DirectorOut]:
    """Enter the turns of a rotating office, all of them or none."""
    turns = [turn.director(Method.ROTATING) for turn in rotation.turns]
    made = await operations.rotate_directors(session, code, turns, caller=caller, now=now)
    held = directors_of(code, None).where(DirectorTerm.appointment.in_([a.id for a in made]))
    rows = (await session.execute(held.order_by(DirectorTerm.valid))).all()
    return [_shown(row, inside=True) for row in rows]


@router.put(
    "/networks/{code}/clinical-directors/{id}",
    response_model=AppointmentOut,
    responses=_CHANGE | refusals(DirectorOutsideNetwork, OfficeTaken),
)
async def correct(
    code: str,
    id: str,
    correction: DirectorCorrectionIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> AppointmentOut:
    """Say who held the office all along; what was believed before stays answerable."""
    appointment = await operations.appointment_to_change(session, code, id, caller=caller, if_match=if_match, now=now)
    director = correction.director(correction.method)
    await operations.correct_appointment(session, appointment, director, correction.reason, now=now)
    return await _record(session, appointment, response, inside=True)


@router.put(
    "/networks/{code}/clinical-directors/{id}/ending",
    response_model=AppointmentOut,
    responses=_CHANGE | refusals(AppointmentNotRunning),
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
) -> AppointmentOut:
    """End an appointment after a last day."""
    appointment = await operations.appointment_to_change(session, code, id, caller=caller, if_match=if_match, now=now)
    await operations.end_appointment(session, appointment, ending.last_day, ending.reason, now=now)
    return await _record(session, appointment, response, inside=True)


@router.put(
    "/networks/{code}/clinical-directors/{id}/withdrawal",
    response_model=AppointmentOut,
    responses=_CHANGE | refusals(AppointmentNotRunning),
)
async def withdraw(
    code: str,
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> AppointmentOut:
    """Take back an appointment entered by mistake."""
    appointment = await operations.appointment_to_change(session, code, id, caller=caller, if_match=if_match, now=now)
    await operations.withdraw_appointment(session, appointment, why.reason, now=now)
    return await _record(session, appointment, response, inside=True)
