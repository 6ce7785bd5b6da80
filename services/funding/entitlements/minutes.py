"""What a network delivers, and the minutes of access in a week: so many for each thousand of the patients it serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.duties.model import Duty, standing
from services.funding.duties.operations import duties_on
from services.funding.entitlements.queries import populations_of
from services.funding.money import plain
from services.funding.payments.engine import Year
from services.funding.payments.heads import Headcount
from shared.years import first_day, snapshot_of


@dataclass(frozen=True, slots=True)
class Minutes:
    """A duty in one week of a month. `time` is hours and minutes as a rota has them; `scope` is the local variation
    that asks for it, or `national`."""

    duty: str
    scope: str
    month: str
    per_1000: Decimal
    basis: str
    snapshot: date
    population: Decimal | None
    minutes: Decimal | None
    time: str | None
    rounded_to: int | None
    confidence: str
    held: str | None


@dataclass(frozen=True, slots=True)
class Owed:
    """A duty of a month and the practices whose patients it is for."""

    duty: Duty
    practices: tuple[str, ...]


def weekly(duty: Duty, month: str, heads: Headcount) -> Minutes | None:
    """Patients ÷ 1000 × minutes; where the rule says so, to the nearest quarter of an hour. Nothing for a service."""
    if duty.basis is None or duty.per_1000 is None:
        return None
    population = None if heads.hold else heads.population
    minutes: Decimal | None = None
    if population is not None:
        minutes = population * duty.per_1000 / 1000
        if duty.rounded_to is not None:
            minutes = (minutes / duty.rounded_to).quantize(Decimal(1), ROUND_HALF_UP) * duty.rounded_to
    return Minutes(
        duty=duty.duty,
        scope=duty.scope,
        month=month,
        per_1000=duty.per_1000,
        basis=duty.basis.value,
        snapshot=heads.snapshot or date.min,
        population=population,
        minutes=None if minutes is None else Decimal(plain(minutes)),
        time=None if minutes is None else f"{int(minutes // 60)}:{plain(minutes % 60).zfill(2)}",
        rounded_to=duty.rounded_to,
        confidence=duty.confidence.value,
        held=None if heads.hold is None else heads.hold.detail,
    )


async def duties_of(
    session: AsyncSession, year: Year, network: str, *, known_at: datetime | None = None
) -> tuple[list[Owed], list[Minutes]]:
    """What a network delivers in the last month of what was loaded, and the minutes of it in a week.

    Each duty is for the patients of those it serves then: a variation's for those of practices that agreed to it, the
    national one it stands in for for all others.
    """
    if not year.months:
        return [], []
    month = year.months[-1]
    whom = year.served.get(network, {}).get(month, ())
    if not any(who.how == "member" for who in whom):
        return [], []
    scopes = {who.scope for who in whom}
    every = await duties_on(session, first_day(month), sorted(scopes - {""}), known_at)
    by_scope = {scope: standing(every, scope) for scope in scopes}
    owed, made = [], []
    for duty in every:
        some = tuple(who._replace(scope="") for who in whom if duty in by_scope[who.scope])
        if not some:
            continue
        owed.append(Owed(duty, tuple(who.practice for who in some)))
        if duty.basis is None:
            continue
        counted = year.populations
        if duty.counted_at is not None and duty.counted_at != snapshot_of(year.contract_year):
            counted = await populations_of(session, duty.counted_at, year.served, year.commissioners, known_at)
        minutes = weekly(duty, month, counted.count(duty.basis, some, year.commissioners.get(network, "")))
        made += [] if minutes is None else [minutes]
    return owed, made
