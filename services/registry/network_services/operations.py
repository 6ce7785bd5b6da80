from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

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
from services.registry.networks.model import Membership
from services.registry.partners.model import PartnerTerm
from services.registry.periods import ALWAYS, days_without, end_after, period_of, refused_by
from services.registry.service_menu.model import MenuTerm
from services.registry.voice import act_for
from shared.clock import london_day
from shared.database import new_id
from shared.facts import Dated, as_at, believed, currently_known, days, left_over, since, withdraw
from shared.http import require_match
from shared.identity import Caller


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which service, by which practice or partner, under whose lead, on which days.

    Without a last day it runs as long as the service is on the menu of the contract year of its first.
    """

    service: str
    practice: str | None
    partner: str | None
    lead: str | None
    valid_from: date
    valid_to: date | None


def services_on(code: str, day: date | None, known_at: datetime | None) -> Select[Any]:
    """What a network delivers on a day, or ever, and the days on which its provider is not there to deliver it."""
    held = believed(SignUpTerm, known_at) if day is None else as_at(SignUpTerm, day, known_at)
    member = days_without(
        SignUpTerm,
        Membership,
        known_at,
        Membership.network == SignUpTerm.network,
        Membership.practice == SignUpTerm.practice,
    )
    partner = days_without(SignUpTerm, PartnerTerm, known_at, PartnerTerm.partner == SignUpTerm.partner)
    columns: list[Any] = [
        SignUpTerm.sign_up.label("id"),
        SignUpTerm.network,
        SignUpTerm.service,
        SignUpTerm.practice,
        SignUpTerm.partner,
        SignUpTerm.lead,
        case((SignUpTerm.practice.is_not(None), member), else_=partner).label("outside"),
        *period_of(SignUpTerm),
    ]
    return select(*columns).where(SignUpTerm.network == code, held)


async def find_sign_up(session: AsyncSession, code: str, id: str) -> SignUp:
    """Raises `SignUpNotFound`."""
    found = await session.get(SignUp, id)
    if found is None or found.network != code:
        raise SignUpNotFound(f"{code} took on nothing under {id}.")
    return found


async def sign_up(session: AsyncSession, code: str, delivery: Delivery, *, caller: Caller, now: datetime) -> SignUp:
    """Take a service on.

    Raises `NetworkNotFound`, `NotYoursToActFor`, `ServiceNotOnMenu`, `ProviderNotMember`, `ProviderNotPartner`,
    `SignedUpAlready`.
    """
    await act_for(session, code, caller, london_day(now))
    made = SignUp(id=new_id("sgn"), network=code, changed_at=now)
    session.add(made)
    await _believe(session, made, delivery, now)
    return made


async def sign_up_to_change(
    session: AsyncSession, code: str, id: str, *, caller: Caller, if_match: str | None, reason: str, now: datetime
) -> SignUp:
    """Raises `NetworkNotFound`, `NotYoursToActFor`, `SignUpNotFound`."""
    await act_for(session, code, caller, london_day(now))
    found = await find_sign_up(session, code, id)
    require_match(found, if_match)
    found.reason, found.changed_at = reason, now
    await session.flush()
    return found


async def correct_sign_up(session: AsyncSession, held: SignUp, delivery: Delivery, *, now: datetime) -> None:
    """Say what was delivered all along; what was believed before stays answerable."""
    await withdraw_sign_up(session, held, now=now)
    await _believe(session, held, delivery, now)


async def end_sign_up(session: AsyncSession, held: SignUp, last_day: date, *, now: datetime) -> None:
    """The service is delivered to `last_day` and not longer. Raises `SignUpNotRunning`."""
    refusal = SignUpNotRunning(f"{held.id} does not run over {last_day}.")
    await end_after(session, SignUpTerm, last_day, now=now, refusal=refusal, sign_up=held.id)


async def withdraw_sign_up(session: AsyncSession, held: SignUp, *, now: datetime) -> None:
    """It was entered by mistake: the network never took it on."""
    await withdraw(session, SignUpTerm, now=now, days=ALWAYS, sign_up=held.id)


async def _believe(session: AsyncSession, made: SignUp, delivery: Delivery, now: datetime) -> None:
    code, last = made.network, delivery.valid_to
    if last is None:
        last = await session.scalar(
            select(func.upper(MenuTerm.valid) - 1).where(
                MenuTerm.service == delivery.service, as_at(MenuTerm, delivery.valid_from)
            )
        )
    held = days(delivery.valid_from, last or delivery.valid_from)
    await _require(
        session,
        held,
        MenuTerm,
        ServiceNotOnMenu(f"{delivery.service} is not on the menu on all of these days."),
        MenuTerm.service == delivery.service,
    )
    if delivery.practice is not None:
        await _require(
            session,
            held,
            Membership,
            ProviderNotMember(f"{delivery.practice} is no member of {code} on all of these days."),
            Membership.network == code,
            Membership.practice == delivery.practice,
        )
    else:
        await _require(
            session,
            held,
            PartnerTerm,
            ProviderNotPartner(f"{delivery.partner} is no partner of {code} on all of these days."),
            PartnerTerm.network == code,
            PartnerTerm.partner == delivery.partner,
        )
    term = SignUpTerm(
        sign_up=made.id,
        network=code,
        service=delivery.service,
        provider=delivery.practice or delivery.partner or "",
        practice=delivery.practice,
        partner=delivery.partner,
        lead=delivery.lead,
        valid=held,
        known=since(now),
    )
    refusal = SignedUpAlready(f"{code} has {delivery.service} from {term.provider} on some of these days.")
    async with refused_by(session, "ex_service_sign_up_terms_overlap", refusal):
        session.add(term)


async def _require(
    session: AsyncSession, held: Range[date], model: type[Dated], refusal: Exception, *same: ColumnElement[bool]
) -> None:
    """Raises the refusal unless what is known now of these facts holds on every one of the days."""
    there = await session.scalars(select(model.valid).where(*same, currently_known(model)))
    if left_over(held, there.all()):
        raise refusal
