"""One GP's sessions, claimed by practices and by networks: no hour is paid twice.

A GP may work part of a week for a practice and part for a network. What both claim may not be more than full time; and
where the network's GP is employed by the claiming practice, or nobody said by whom, not more than that one contract.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.claims.decision import TAKES
from services.funding.claims.model import Claim
from services.funding.networks.mergers import mergers_on
from services.funding.practice_scheme.model import GRANTED, PracticeClaim
from services.funding.practice_scheme.rules import SESSIONS
from shared.errors import Fault

PERSON_KEY_FROM = date(2026, 4, 1)
"""From this day on practices claim GPs too, and a network's claim for one must say who it is."""


async def lock_person(session: AsyncSession, person: str, month: str) -> None:
    """Let nobody else decide on this person's month until the transaction ends, whoever claims it."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:person, 5201908))"), {"person": f"{person}/{month}"}
    )


async def twice_here(session: AsyncSession, claim: PracticeClaim, family: Collection[str]) -> list[Fault]:
    """Why a practice's claim would pay hours again: those networks and other practices were paid for on the same days.

    Practices that are one now, `family`, are one employer.
    """
    networks = (
        await session.execute(
            select(Claim.wte, Claim.employer).where(
                Claim.person == claim.person,
                Claim.month == claim.month,
                Claim.status.in_(TAKES),
                Claim.worked_from <= claim.worked_to,
                Claim.worked_to >= claim.worked_from,
            )
        )
    ).all()
    there = sum((wte * SESSIONS for wte, _ in networks), Decimal(0))
    same_contract = sum((wte * SESSIONS for wte, at in networks if at is None or at in family), Decimal(0))
    others = await session.execute(
        select(PracticeClaim.practice, func.sum(PracticeClaim.sessions))
        .where(
            PracticeClaim.person == claim.person,
            PracticeClaim.month == claim.month,
            PracticeClaim.status.in_(GRANTED),
            PracticeClaim.id != claim.id,
            PracticeClaim.worked_from <= claim.worked_to,
            PracticeClaim.worked_to >= claim.worked_from,
        )
        .group_by(PracticeClaim.practice)
    )
    claimed: dict[str, Decimal] = dict(others.all())
    here = sum((claimed.get(code, Decimal(0)) for code in family), Decimal(0))
    everywhere = there + sum(claimed.values(), Decimal(0)) + claim.sessions
    if everywhere > SESSIONS:
        return [_twice(f"{everywhere} sessions a week are claimed in all, more than the {SESSIONS} of full time.")]
    if same_contract + here + claim.sessions > claim.contracted_sessions:
        return [
            _twice(
                f"{same_contract + here + claim.sessions} sessions a week are claimed of a contract for "
                f"{claim.contracted_sessions}."
            )
        ]
    return []


async def twice_there(session: AsyncSession, claim: Claim) -> list[Fault]:
    """Why a network's claim for a GP would pay hours again that practices were paid for."""
    if claim.role != "gp" or claim.worked_to < PERSON_KEY_FROM:
        return []
    if claim.person is None:
        return [Fault("person", "person_unstated", "Say who the GP is, so that no hour is paid to a practice too.")]
    rows = (
        await session.execute(
            select(PracticeClaim.practice, PracticeClaim.sessions, PracticeClaim.contracted_sessions).where(
                PracticeClaim.person == claim.person,
                PracticeClaim.month == claim.month,
                PracticeClaim.status.in_(GRANTED),
                PracticeClaim.worked_from <= claim.worked_to,
                PracticeClaim.worked_to >= claim.worked_from,
            )
        )
    ).all()
    elsewhere = await session.scalar(
        select(func.coalesce(func.sum(Claim.wte), 0)).where(
            Claim.person == claim.person,
            Claim.month == claim.month,
            Claim.status.in_(TAKES),
            Claim.id != claim.id,
            Claim.worked_from <= claim.worked_to,
            Claim.worked_to >= claim.worked_from,
        )
    )
    wanted = claim.wte * SESSIONS
    everywhere = wanted + Decimal(elsewhere or 0) * SESSIONS + sum((row.sessions for row in rows), Decimal(0))
    if everywhere > SESSIONS:
        return [_twice(f"{everywhere} sessions a week are claimed in all, more than the {SESSIONS} of full time.")]
    mergers = await mergers_on(session, claim.worked_to)
    employer = None if claim.employer is None else mergers.heir_of(claim.employer)
    same = [row for row in rows if employer in (None, mergers.heir_of(row.practice))]
    here = wanted + sum((row.sessions for row in same), Decimal(0))
    if same and here > max(row.contracted_sessions for row in same):
        return [_twice(f"{here} sessions a week are claimed of a contract with {same[0].practice} for fewer.")]
    return []


def _twice(message: str) -> Fault:
    return Fault("person", "hours_claimed_twice", message)
