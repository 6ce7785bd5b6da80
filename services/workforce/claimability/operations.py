"""Load what the answer needs: the network, its plan, sum, ceilings, caps and everything it has committed to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.baselines.operations import vacant_baseline
from services.workforce.calendar import year_start
from services.workforce.claimability.rules import Cap, Commitment, Position, Share, Terms
from services.workforce.claims.model import Claim, Outcome, OutcomeState
from services.workforce.networks.model import Network
from services.workforce.networks.operations import patients_of
from services.workforce.plans.operations import submitted_plan
from services.workforce.posts.model import Post
from services.workforce.rates.operations import budget_of, ceilings_of
from services.workforce.roles.model import Role
from services.workforce.roles.operations import caps_of, shares_of
from services.workforce.vacancies.model import CLOSED, Vacancy
from services.workforce.variations.operations import local_caps_of, spans_of
from shared.years import year_end, year_of_day


async def commitments_of(
    session: AsyncSession, network: str, year: str, *, without: str | None = None
) -> list[Commitment]:
    """Additional posts and open vacancies that take of the year's sum; `without` leaves one vacancy out."""
    posts = (
        await session.scalars(
            select(Post).where(
                Post.network == network,
                Post.additional,
                Post.started_on <= year_end(year),
                or_(Post.ended_on.is_(None), Post.ended_on >= year_start(year)),
            )
        )
    ).all()
    vacancies = (
        await session.scalars(
            select(Vacancy).where(
                Vacancy.network == network,
                Vacancy.additional,
                Vacancy.stage.not_in(CLOSED),
                Vacancy.opened_on <= year_end(year),
                Vacancy.id != (without or ""),
            )
        )
    ).all()
    claimed = await _claimed(session, network)
    return [Commitment(p.id, p.role, p.zone, p.wte, p.started_on, p.ended_on, claimed.get(p.id, {})) for p in posts] + [
        Commitment(v.id, v.role, v.zone, v.wte, v.opened_on) for v in vacancies
    ]


async def _claimed(session: AsyncSession, network: str) -> dict[str, dict[str, Decimal]]:
    """What funding decided of claims, by post and month: nothing for one it rejected, the payable part otherwise."""
    rows = await session.execute(
        select(Claim.post, Claim.month, Outcome.state, Outcome.payable, Outcome.paid)
        .join(Outcome, Outcome.claim == Claim.id)
        .where(Claim.network == network)
        .order_by(Claim.attempt)
    )
    found: dict[str, dict[str, Decimal]] = {}
    for post, month, state, payable, paid in rows:
        taken = Decimal("0.00") if state is OutcomeState.REJECTED else payable if payable is not None else paid
        if taken is not None:
            found.setdefault(post, {})[month] = taken
    return found


async def position_of(
    session: AsyncSession, network: Network, role: str, *, day: date, known: date, without: str | None = None
) -> Position:
    """Where the network stands for a role in the contract year of a day, by what is known on another."""
    year = year_of_day(day)
    terms = await session.get(Role, role)
    commitments = await commitments_of(session, network.network, year, without=without)
    ceilings = await ceilings_of(session, network.network, [role, *(c.role for c in commitments)])
    budget = await budget_of(session, network.network, year)
    plan = await submitted_plan(session, network.network, year)
    return Position(
        network=network.network,
        network_from=network.valid_from,
        network_to=network.closed_on,
        terms=None if terms is None else Terms(terms.code, terms.name, terms.claimable_from, terms.claimable_to),
        ceilings=ceilings,
        known=known,
        budget=None if budget is None else budget.amount,
        budget_reason=None if budget is None else budget.held_reason,
        caps=await _caps(session, network.network, role),
        shares=[Share(s.valid_from, s.valid_to, s.share) for s in await shares_of(session, role)],
        patients=await patients_of(session, network.network, year, day),
        commitments=commitments,
        planned=None if plan is None else plan.planned(role),
        vacant_baseline=await vacant_baseline(session, network, role, day),
    )


async def _caps(session: AsyncSession, network: str, role: str) -> list[Cap]:
    """The caps on a role: on the days of a variation its own, if it has one, before the national."""
    local = await local_caps_of(session, await spans_of(session, network), role)
    return [
        *(Cap(c.first, c.last, c.below_100000, c.from_100000) for c in local),
        *(Cap(c.valid_from, c.valid_to, c.below_100000, c.from_100000) for c in await caps_of(session, role)),
    ]
