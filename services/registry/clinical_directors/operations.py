from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.clinical_directors.model import (
    Appointment,
    AppointmentNotRunning,
    DirectorNotFound,
    DirectorOutsideNetwork,
    DirectorTerm,
    Method,
    OfficeTaken,
    places_for,
    said,
)
from services.registry.networks.model import Membership
from services.registry.periods import ALWAYS, end_after, refused_by
from services.registry.voice import act_for, lead_for
from shared.clock import london_day
from shared.database import new_id
from shared.events import Event
from shared.events.registry import ClinicalDirectorAppointed
from shared.facts import ONE_DAY, currently_known, days, left_over, since, withdraw
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


@dataclass(frozen=True, slots=True)
class Director:
    """Who, where they work clinically, which part of the office they hold, and on which days."""

    name: str
    practice: str
    registration_body: str | None
    registration_number: str | None
    method: Method
    portion: Decimal
    valid_from: date
    valid_to: date | None


async def appoint_director(
    session: AsyncSession,
    code: str,
    director: Director,
    *,
    by: str,
    now: datetime,
    election: str | None = None,
    application: str | None = None,
) -> Appointment:
    """Give a clinician the office, whole or in part. The network is locked by the caller.

    Raises `DirectorOutsideNetwork`, `OfficeTaken`.
    """
    made = Appointment(
        id=new_id("cda"), network=code, election=election, application=application, appointed_by=by, changed_at=now
    )
    session.add(made)
    announce(session, await _believe(session, made, director, now))
    return made


async def appoint_by_choice(
    session: AsyncSession, code: str, director: Director, *, caller: Caller, now: datetime
) -> Appointment:
    """Appoint whom the network chose. Raises `NetworkNotFound`, `NotYoursToActFor` and what the appointment refuses."""
    await act_for(session, code, caller, london_day(now))
    return await appoint_director(session, code, director, by=caller.subject, now=now)


async def rotate_directors(
    session: AsyncSession, code: str, turns: Sequence[Director], *, caller: Caller, now: datetime
) -> list[Appointment]:
    """Enter a series of turns in the office, all of them or none."""
    await act_for(session, code, caller, london_day(now))
    return [await appoint_director(session, code, turn, by=caller.subject, now=now) for turn in turns]


async def find_appointment(session: AsyncSession, code: str, id: str) -> Appointment:
    """Raises `DirectorNotFound`."""
    found = await session.get(Appointment, id)
    if found is None or found.network != code:
        raise DirectorNotFound(f"No clinical director {id} of {code}.")
    return found


async def appointment_to_change(
    session: AsyncSession, code: str, id: str, *, caller: Caller, if_match: str | None, now: datetime
) -> Appointment:
    """Raises `NetworkNotFound`, `NotYoursToActFor`, `DirectorNotFound`."""
    await act_for(session, code, caller, london_day(now))
    appointment = await find_appointment(session, code, id)
    require_match(appointment, if_match)
    return appointment


async def correct_appointment(
    session: AsyncSession, appointment: Appointment, director: Director, reason: str, *, now: datetime
) -> None:
    """Replace all that is believed of an appointment; what was believed before stays answerable."""
    before = await terms_of(session, appointment.id)
    await withdraw(session, DirectorTerm, now=now, days=ALWAYS, appointment=appointment.id)
    event = await _believe(session, appointment, director, now)
    if before and before[0].valid_from != director.valid_from:
        announce(session, before[0].left(event.commissioner, before[0].valid_from - ONE_DAY))
    announce(session, event)
    appointment.reason, appointment.changed_at = reason, now
    await session.flush()


async def end_appointment(
    session: AsyncSession, appointment: Appointment, last_day: date, reason: str, *, now: datetime
) -> None:
    """The office is held to `last_day` and not longer. Raises `AppointmentNotRunning`."""
    terms = await terms_of(session, appointment.id)
    refusal = AppointmentNotRunning(f"The appointment {appointment.id} does not run on {last_day} and after it.")
    await end_after(session, DirectorTerm, last_day, now=now, refusal=refusal, appointment=appointment.id)
    announce(session, terms[0].left(await lead_for(session, appointment.network, last_day, now), last_day))
    appointment.reason, appointment.changed_at = reason, now
    await session.flush()


async def withdraw_appointment(session: AsyncSession, appointment: Appointment, reason: str, *, now: datetime) -> None:
    """It was entered by mistake: nobody held the office by it. Raises `AppointmentNotRunning`."""
    terms = await terms_of(session, appointment.id)
    if not terms:
        raise AppointmentNotRunning(f"The appointment {appointment.id} was taken back already.")
    await withdraw(session, DirectorTerm, now=now, days=ALWAYS, appointment=appointment.id)
    lead = await lead_for(session, appointment.network, terms[0].valid_from, now)
    announce(session, terms[0].left(lead, terms[0].valid_from - ONE_DAY))
    appointment.reason, appointment.changed_at = reason, now
    await session.flush()


async def take_office(
    session: AsyncSession, code: str, directors: Sequence[Director], *, application: str, by: str, now: datetime
) -> None:
    """Make the directors an approved application names the first ones, in place of whoever else holds the office then.

    Where all of them hold it already, under the same names and in the same practices, everything stays as it is.
    """
    if not directors:
        return
    begin = directors[0].valid_from
    held = await _others(session, code, days(begin), "")
    if {(d.name, d.practice) for d in directors} <= {(t.name, t.practice) for t in held}:
        return
    events: list[Event] = []
    lead = await lead_for(session, code, begin, now)
    for id in sorted({term.appointment for term in held}):
        first = (await terms_of(session, id))[0]
        events.append(first.left(lead, max(begin, first.valid_from) - ONE_DAY))
        await withdraw(session, DirectorTerm, now=now, days=days(begin), appointment=id)
    announce(session, *events)
    for director in directors:
        await appoint_director(session, code, director, by=by, now=now, application=application)


async def terms_of(session: AsyncSession, appointment: str) -> Sequence[DirectorTerm]:
    """What is believed now of an appointment, in order of days."""
    statement = select(DirectorTerm).where(DirectorTerm.appointment == appointment, currently_known(DirectorTerm))
    return (await session.scalars(statement.order_by(DirectorTerm.valid))).all()


async def _others(session: AsyncSession, code: str, held: Range[date], apart: str) -> Sequence[DirectorTerm]:
    statement = select(DirectorTerm).where(
        DirectorTerm.network == code,
        DirectorTerm.appointment != apart,
        currently_known(DirectorTerm),
        DirectorTerm.valid.overlaps(held),
    )
    return (await session.scalars(statement)).all()


async def _believe(
    session: AsyncSession, appointment: Appointment, director: Director, now: datetime
) -> ClinicalDirectorAppointed:
    code, held = appointment.network, days(director.valid_from, director.valid_to)
    memberships = await session.scalars(
        select(Membership.valid).where(
            Membership.network == code, Membership.practice == director.practice, currently_known(Membership)
        )
    )
    outside = left_over(held, memberships.all())
    if outside:
        raise DirectorOutsideNetwork(f"{director.practice} is no member of {code} {said(outside[0])}.")
    places = places_for(director.portion, held, await _others(session, code, held, appointment.id))
    terms = [
        DirectorTerm(
            appointment=appointment.id,
            network=code,
            name=director.name,
            practice=director.practice,
            registration_body=director.registration_body,
            registration_number=director.registration_number,
            method=director.method,
            portion=place,
            valid=stretch,
            known=since(now),
        )
        for stretch, place in places
    ]
    async with refused_by(session, "ex_director_terms_overlap", OfficeTaken("The office is taken on these days.")):
        session.add_all(terms)
    return terms[0].appointed(await lead_for(session, code, director.valid_from, now), director.valid_to)
