"""The most a practice may be reimbursed in a year: its adjusted population times the rate, as known at a moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.money import to_pence
from services.funding.payments.heads import Hold
from services.funding.populations.model import Population
from services.funding.practice_scheme.model import GRANTED, STREAM, PracticeClaim
from services.funding.tariffs.model import NATIONAL, Basis, Tariff, TariffKind, in_force
from shared.clock import london_day
from shared.years import snapshot_of, year_end


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A practice's ceiling of a year: rate × population, or why it cannot be told."""

    practice: str
    contract_year: str
    snapshot: date
    tariff: str | None
    rate: Decimal | None
    confidence: str | None
    population: Decimal | None
    amount: Decimal | None
    hold: Hold | None


def ceiling_of(practice: str, contract_year: str, tariff: Tariff | None, population: Decimal | None) -> Ceiling:
    """Rate × adjusted population to the penny; held while either is not known."""
    amount, hold = None, None
    rate = None if tariff is None else tariff.value
    if tariff is None:
        hold = Hold("scheme-not-open", f"No practice is reimbursed for GPs in {contract_year}.")
    elif rate is None:
        hold = Hold("rate-unknown", f"The rate {tariff.id} is not known.")
    elif population is None:
        hold = Hold("population-missing", f"No adjusted population of {practice} at {snapshot_of(contract_year)}.")
    else:
        amount = to_pence(rate * population)
    return Ceiling(
        practice=practice,
        contract_year=contract_year,
        snapshot=snapshot_of(contract_year),
        tariff=None if tariff is None else tariff.id,
        rate=rate,
        confidence=None if tariff is None else tariff.confidence.value,
        population=population,
        amount=amount,
        hold=hold,
    )


async def rate_of_year(session: AsyncSession, contract_year: str, known_at: datetime) -> Tariff | None:
    """The rate of the scheme in a contract year as known at a moment."""
    found = await session.scalars(
        select(Tariff).where(
            Tariff.kind == TariffKind.STREAM,
            Tariff.code == STREAM,
            Tariff.scope == NATIONAL,
            Tariff.contract_year == contract_year,
        )
    )
    return in_force(found.all(), year_end(contract_year), london_day(known_at), known_at)


def known_populations(contract_year: str, known_at: datetime | None) -> Sequence[ColumnElement[bool]]:
    """True of the adjusted populations of a year's snapshot known at a moment, or now."""
    known = func.upper_inf(Population.known) if known_at is None else Population.known.contains(known_at)
    return [Population.basis == Basis.ADJUSTED, Population.snapshot == snapshot_of(contract_year), known]


async def practice_ceiling(
    session: AsyncSession, family: Collection[str], contract_year: str, now: datetime
) -> Ceiling:
    """What is known now of the one ceiling of practices that are one: on the lists of all of them."""
    figures = await session.scalars(
        select(Population.value).where(Population.practice.in_(family), *known_populations(contract_year, None))
    )
    population = together(figures.all())
    return ceiling_of(min(family), contract_year, await rate_of_year(session, contract_year, now), population)


def together(figures: Collection[Decimal]) -> Decimal | None:
    """The patients of practices that are one; of a practice that has only just opened its predecessors' are known."""
    return sum(figures, Decimal(0)) if figures else None


async def granted_to(session: AsyncSession, family: Collection[str], contract_year: str) -> Decimal:
    """What approved and paid claims of practices that are one have taken of their ceiling."""
    taken = await session.scalar(
        select(func.coalesce(func.sum(PracticeClaim.payable), 0)).where(
            PracticeClaim.practice.in_(family),
            PracticeClaim.contract_year == contract_year,
            PracticeClaim.status.in_(GRANTED),
        )
    )
    return Decimal(taken or 0)
