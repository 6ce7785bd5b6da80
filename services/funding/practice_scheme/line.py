"""How a practice's approved claim reaches a payment run, and how its line recomputes and explains itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.lines.words import Trace, doubts, pounds
from services.funding.money import to_pence
from services.funding.networks.mergers import mergers_on
from services.funding.networks.model import Membership
from services.funding.payments.payables import Payable, Source, ids_of
from services.funding.practice_scheme.model import STREAM, PracticeClaim, Step
from services.funding.practice_scheme.operations import KIND
from services.funding.practice_scheme.rules import SESSIONS
from shared.clock import london_day
from shared.events.base import Event
from shared.facts import currently_known


async def unpaid(session: AsyncSession, month: str, now: datetime) -> list[Payable]:
    """Every approved claim of a practice that has not been paid, of this month or an earlier one.

    One that went over into another has no account any more: that one is paid.
    """
    found = (
        await session.scalars(
            select(PracticeClaim)
            .where(PracticeClaim.status == Step.APPROVED, PracticeClaim.month <= month)
            .order_by(PracticeClaim.practice, PracticeClaim.decided_at, PracticeClaim.id)
        )
    ).all()
    if not found:
        return []
    mergers = await mergers_on(session, london_day(now))
    heirs = {claim.practice: mergers.heir_of(claim.practice) for claim in found}
    networks = await _networks(session, heirs.values())
    return [
        Payable(
            reference=f"{KIND}/{claim.id}",
            # a practice outside every network keeps its entitlement: its lines stand under its own code
            network=networks.get(heirs[claim.practice], heirs[claim.practice]),
            practice=heirs[claim.practice],
            payee=heirs[claim.practice],
            stream=STREAM,
            month=claim.month,
            amount=claim.payable,
            cause="due" if claim.month == month else "claim-late",
            trace=claim.trace(),
        )
        for claim in found
        if claim.payable is not None
    ]


async def _networks(session: AsyncSession, practices: Collection[str]) -> dict[str, str]:
    """The network each practice is in, or was in last."""
    rows = await session.execute(
        select(Membership.practice, Membership.network)
        .where(Membership.practice.in_(practices), currently_known(Membership))
        .order_by(Membership.valid)
    )
    return dict(rows.all())


async def pay(session: AsyncSession, references: Collection[str], run: str, _: datetime) -> list[Event]:
    """The claims were part of an issued run. Raises `PracticeClaimNotOpen` where one is no longer approved."""
    found = await session.scalars(
        select(PracticeClaim)
        .where(PracticeClaim.id.in_(ids_of(references)))
        .order_by(PracticeClaim.id)
        .with_for_update()
    )
    return [claim.pay(run) for claim in found.all()]


PRACTICE_CLAIMS = Source(KIND, unpaid, pay)


def _most(trace: Trace) -> Decimal:
    maximum, before = Fraction(trace["maximum"]), Fraction(*trace["before"])
    if trace["per"] == "hour":
        share = maximum * Fraction(trace["hours"])
    else:
        share = maximum * Fraction(trace["sessions"]) * trace["days_worked"] / (SESSIONS * 12 * trace["days_in_month"])
    total = before + share
    return max(
        to_pence(Decimal(total.numerator), Decimal(total.denominator)) - Decimal(trace["given"]), Decimal("0.00")
    )


def recompute(trace: Trace) -> Decimal:
    """The least of the actual cost, the person's maximum and what was left of the practice's ceiling."""
    return min(Decimal(trace["cost"]), _most(trace), Decimal(trace["room"]))


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """The claim's cost, each limit on it, and what to be wary of."""
    if trace["per"] == "hour":
        share = f"£{trace['maximum']} an hour × {trace['hours']} hours"
    else:
        share = (
            f"£{trace['maximum']} a year × {trace['sessions']}/{SESSIONS} sessions a week / 12 × "
            f"{trace['days_worked']}/{trace['days_in_month']} days"
        )
    lines = [
        f"Cost claimed: {pounds(trace['salary'])} salary + {pounds(trace['ni_allowed'])} employer NI + "
        f"{pounds(trace['employer_pension'])} employer pension = {pounds(trace['cost'])}",
        f"The GP's maximum: {share} (rate {trace['tariff']}), with the months granted before and without their "
        f"{pounds(trace['given'])} = {pounds(trace['most'])}",
        f"Left of the practice's ceiling for the year: {pounds(trace['room'])}",
        f"To pay, the least of these: {pounds(trace['amount'])} (limited by: {trace['limited_by']})",
    ]
    return lines, doubts(trace["tariff"], trace["confidence"])
