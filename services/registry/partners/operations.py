from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Membership
from services.registry.partners.model import (
    Partner,
    PartnerAlready,
    PartnerIsCoreMember,
    PartnerNotFound,
    PartnershipNotRunning,
    PartnerTerm,
)
from services.registry.periods import ALWAYS, end_after, period_of, refused_by
from services.registry.voice import act_for
from shared.clock import london_day
from shared.database import new_id
from shared.facts import as_at, believed, currently_known, days, since, withdraw
from shared.http import require_match
from shared.identity import Caller


def partners_on(code: str, day: date | None, known_at: datetime | None) -> Select[Any]:
    """Partners of a network on a day, or on all days where none is given, as known at an instant."""
    held = believed(PartnerTerm, known_at) if day is None else as_at(PartnerTerm, day, known_at)
    return select(
        PartnerTerm.partner.label("id"),
        PartnerTerm.network,
        PartnerTerm.organisation,
        PartnerTerm.name,
        PartnerTerm.kind,
        PartnerTerm.part,
        PartnerTerm.party,
        *period_of(PartnerTerm),
    ).where(PartnerTerm.network == code, held)


async def find_partner(session: AsyncSession, code: str, id: str) -> Partner:
    """Raises `PartnerNotFound`."""
    found = await session.get(Partner, id)
    if found is None or found.network != code:
        raise PartnerNotFound(f"No partner {id} of {code}.")
    return found


async def take_partner(
    session: AsyncSession, code: str, *, caller: Caller, organisation: str, term: dict[str, Any], now: datetime
) -> Partner:
    """Enter an organisation as partner of a network from a day on.

    Raises `NetworkNotFound`, `NotYoursToActFor`, `PartnerIsCoreMember`, `PartnerAlready`.
    """
    await act_for(session, code, caller, london_day(now))
    made = Partner(id=new_id("par"), network=code, organisation=organisation, changed_at=now)
    session.add(made)
    await _believe(session, made, term, now)
    return made


async def partner_to_change(
    session: AsyncSession, code: str, id: str, *, caller: Caller, if_match: str | None, now: datetime
) -> Partner:
    await act_for(session, code, caller, london_day(now))
    partner = await find_partner(session, code, id)
    require_match(partner, if_match)
    return partner


async def correct_partner(
    session: AsyncSession, partner: Partner, *, term: dict[str, Any], reason: str, now: datetime
) -> None:
    """Replace all that is believed of a partner; what was believed before stays answerable."""
    await withdraw(session, PartnerTerm, now=now, days=ALWAYS, partner=partner.id)
    await _believe(session, partner, term, now)
    partner.reason, partner.changed_at = reason, now
    await session.flush()


async def end_partner(session: AsyncSession, partner: Partner, last_day: date, *, reason: str, now: datetime) -> None:
    """The organisation is a partner to `last_day` and not longer. Raises `PartnershipNotRunning`."""
    refusal = PartnershipNotRunning(f"{partner.organisation} is no partner of {partner.network} by {last_day}.")
    await end_after(session, PartnerTerm, last_day, now=now, refusal=refusal, partner=partner.id)
    partner.reason, partner.changed_at = reason, now
    await session.flush()


async def withdraw_partner(session: AsyncSession, partner: Partner, *, reason: str, now: datetime) -> None:
    """It was entered by mistake: from now on the organisation never was a partner."""
    await withdraw(session, PartnerTerm, now=now, days=ALWAYS, partner=partner.id)
    partner.reason, partner.changed_at = reason, now
    await session.flush()


async def _believe(session: AsyncSession, partner: Partner, term: dict[str, Any], now: datetime) -> None:
    held = days(term.pop("valid_from"), term.pop("valid_to"))
    member = select(Membership.practice).where(
        currently_known(Membership),
        Membership.network == partner.network,
        Membership.practice == partner.organisation,
        Membership.valid.overlaps(held),
    )
    if await session.scalar(member.limit(1)) is not None:
        raise PartnerIsCoreMember(f"{partner.organisation} is a core member of {partner.network} on these days.")
    refusal = PartnerAlready(f"{partner.organisation} is a partner of {partner.network} on some of these days.")
    async with refused_by(session, "ex_partner_terms_overlap", refusal):
        session.add(
            PartnerTerm(
                partner=partner.id,
                network=partner.network,
                organisation=partner.organisation,
                valid=held,
                known=since(now),
                **term,
            )
        )
