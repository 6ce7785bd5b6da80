"""Ceilings of the practice scheme over HTTP."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from sqlalchemy import case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.mergers import mergers_on
from services.funding.populations.model import Population
from services.funding.practice_scheme.ceilings import ceiling_of, known_populations, rate_of_year
from services.funding.practice_scheme.model import GRANTED, PracticeClaim, Step
from services.funding.practice_scheme.operations import (
    practice_codes_seen,
)
from services.funding.practice_scheme.shapes import (
    NumberOut,
)
from shared.clock import london_day
from shared.history import as_known
from shared.http import (
    KnownAt,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    page,
    service_router,
)
from shared.identity import Caller, Role, allow
from shared.years import ContractYear

router = service_router("funding", tags=["practice scheme"])

Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.PRACTICE)]


class PracticeCeilingOut(Out):
    """The most a practice may be reimbursed in a year, and what of it is taken; `amount` is null while held.

    Practices that are one have one ceiling: `shared_with` names the others, `population` and `left` are of all.
    """

    practice: str
    contract_year: str
    snapshot: date
    tariff: str | None
    rate: NumberOut | None
    confidence: str | None
    population: NumberOut | None
    amount: MoneyOut | None
    held_code: str | None
    held_reason: str | None
    approved: MoneyOut
    paid: MoneyOut
    waiting: MoneyOut
    left: MoneyOut | None
    shared_with: list[str] = []


async def _shared(
    session: AsyncSession, families: Mapping[str, frozenset[str]], contract_year: str, known_at: datetime | None
) -> dict[str, tuple[Decimal, Decimal]]:
    """By practice: the patients of practices that are one, and what their claims took of the ceiling together."""
    merged = {code: family for code, family in families.items() if len(family) > 1}
    members = {code for family in merged.values() for code in family}
    if not members:
        return {}
    stood = as_known(PracticeClaim, known_at)
    lists = await session.execute(
        select(Population.practice, Population.value).where(
            Population.practice.in_(members), *known_populations(contract_year, known_at)
        )
    )
    granted = await session.execute(
        select(stood.practice, func.sum(stood.payable))
        .where(stood.practice.in_(members), stood.contract_year == contract_year, stood.status.in_(GRANTED))
        .group_by(stood.practice)
    )
    heads, taken = dict(lists.all()), dict(granted.all())
    nothing = Decimal(0)
    return {
        code: (sum((heads.get(one, nothing) for one in family), nothing),
               sum((taken.get(one) or nothing for one in family), nothing))
        for family in merged.values()
        for code in family
    }  # fmt: skip


@router.get("/practice-ceilings", summary="The most practices may be reimbursed for GPs")
async def list_ceilings(
    session: Reading,
    paging: Paging,
    caller: Seen,
    now: Now,
    contract_year: ContractYear,
    practice: Annotated[str | None, Query(max_length=32)] = None,
    known_at: KnownAt = None,
) -> Page[PracticeCeilingOut]:
    """Ceilings of the practices with an adjusted population at the year's snapshot, and what claims took of them.

    Practices that are one share the ceiling of the one they went over into, and each shows what is left of it.
    """
    stood = as_known(PracticeClaim, known_at)
    taken = {
        name: func.coalesce(func.sum(case((stood.status.in_(steps), stood.payable))), literal(0))
        for name, steps in (("approved", GRANTED), ("paid", (Step.PAID,)), ("waiting", (Step.SUBMITTED,)))
    }
    sums = (
        select(stood.practice, *(column.label(name) for name, column in taken.items()))
        .where(stood.contract_year == contract_year)
        .group_by(stood.practice)
        .subquery()
    )
    statement = (
        select(Population.practice, Population.value, sums.c.approved, sums.c.paid, sums.c.waiting)
        .outerjoin(sums, sums.c.practice == Population.practice)
        .where(*known_populations(contract_year, known_at), Population.practice.in_(practice_codes_seen(caller)))
    )
    if practice is not None:
        statement = statement.where(Population.practice == practice)
    tariff = await rate_of_year(session, contract_year, known_at or now)
    found, following = await page(session, statement, [Population.practice], paging)
    mergers = await mergers_on(session, london_day(known_at or now), known_at)
    families = {row.practice: mergers.family_of(row.practice) for row in found}
    shared = await _shared(session, families, contract_year, known_at)
    items = []
    for row in found:
        lists, granted = shared.get(row.practice, (row.value, row.approved or 0))
        ceiling = ceiling_of(row.practice, contract_year, tariff, lists)
        items.append(
            PracticeCeilingOut(
                practice=ceiling.practice,
                contract_year=contract_year,
                snapshot=ceiling.snapshot,
                tariff=ceiling.tariff,
                rate=ceiling.rate,
                confidence=ceiling.confidence,
                population=ceiling.population,
                amount=ceiling.amount,
                held_code=None if ceiling.hold is None else ceiling.hold.code,
                held_reason=None if ceiling.hold is None else ceiling.hold.detail,
                approved=row.approved or 0,
                paid=row.paid or 0,
                waiting=row.waiting or 0,
                left=None if ceiling.amount is None else ceiling.amount - granted,
                shared_with=sorted(families[row.practice] - {row.practice}),
            )
        )
    return Page(items=items, next=following)
