"""Checking a practice's claim as things stand: everything it is judged by, loaded and put to the rules."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.mergers import mergers_on
from services.funding.networks.model import Membership, Practice
from services.funding.practice_scheme.ceilings import granted_to, practice_ceiling
from services.funding.practice_scheme.hours import twice_here
from services.funding.practice_scheme.model import (
    GRANTED,
    PracticeClaim,
    not_open,
)
from services.funding.practice_scheme.rules import Kind, Outcome, assess, maximum_of
from shared.clock import london_day
from shared.errors import Fault
from shared.facts import as_at
from shared.years import first_day


async def check(session: AsyncSession, claim: PracticeClaim, now: datetime) -> Outcome:
    """Check a claim as things stand and remember what was found."""
    maximum = maximum_of(claim.kind, claim.zone, first_day(claim.month), london_day(now))
    mergers = await mergers_on(session, london_day(now))
    family = mergers.family_of(claim.practice)
    ceiling = await practice_ceiling(session, family, claim.contract_year, now)
    room = None
    if ceiling.amount is not None:
        room = ceiling.amount - await granted_to(session, family, claim.contract_year)
    faults = [*await twice_here(session, claim, family), *await _of_an_open_practice(session, claim)]
    if ceiling.hold is not None:
        scheme_closed = ceiling.hold.code == "scheme-not-open"
        faults.append(
            not_open(claim.month)
            if scheme_closed
            else Fault("practice", ceiling.hold.code.replace("-", "_"), ceiling.hold.detail)
        )
    if claim.kind is Kind.CONTINUATION:
        faults += await _of_a_core_member(session, claim)
    before, given = await _granted_before(session, claim, family)
    outcome = assess(claim.work, maximum, before=before, given=given, room=room, faults=faults)
    claim.note(outcome, before, given)
    return outcome


async def _of_a_core_member(session: AsyncSession, claim: PracticeClaim) -> list[Fault]:
    """A post paid until now from network money is carried on by core members of a network only."""
    faults = []
    member = await session.scalar(
        select(Membership.network).where(Membership.practice == claim.practice, as_at(Membership, claim.worked_from))
    )
    if member is None:
        faults.append(Fault("practice", "not_core_member", f"{claim.practice} was in no network then."))
    if claim.funded_before is None:
        faults.append(Fault("funded_before", "missing", "Say from which network money the post was paid until now."))
    return faults


async def _of_an_open_practice(session: AsyncSession, claim: PracticeClaim) -> list[Fault]:
    """From the day a practice closes, or goes over into another, that one claims and not itself."""
    heir = (await mergers_on(session, claim.worked_to)).into.get(claim.practice)
    if heir is not None:
        return [Fault("practice", "went_over", f"{claim.practice} is part of {heir} by {claim.worked_to}: it claims.")]
    closed_on = await session.scalar(select(Practice.closed_on).where(Practice.code == claim.practice))
    if closed_on is not None and claim.worked_to > closed_on:
        return [Fault("practice", "practice_closed", f"{claim.practice} closed on {closed_on}.")]
    return []


async def _granted_before(
    session: AsyncSession, claim: PracticeClaim, family: Collection[str]
) -> tuple[list[Fraction], Decimal]:
    """The exact shares of this GP's maximum that were granted in the year, and what they came to in pence."""
    found = await session.scalars(
        select(PracticeClaim).where(
            PracticeClaim.practice.in_(family),
            PracticeClaim.person == claim.person,
            PracticeClaim.kind == claim.kind,
            PracticeClaim.contract_year == claim.contract_year,
            PracticeClaim.status.in_(GRANTED),
            PracticeClaim.id != claim.id,
        )
    )
    granted = found.all()
    return [one.granted_share for one in granted], sum((one.granted_most for one in granted), Decimal("0.00"))
