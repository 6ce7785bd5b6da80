"""Minutes of access a network offers in a week: so many for each thousand of the patients it serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.entitlements.queries import populations_of
from services.funding.money import plain
from services.funding.payments.engine import Year
from services.funding.payments.heads import Headcount
from services.funding.tariffs.shipped import Duty, duties
from shared.years import first_day, snapshot_of


@dataclass(frozen=True, slots=True)
class Minutes:
    """A duty in one week of a month. `time` is hours and minutes as a rota has them."""

    duty: str
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


def weekly(duty: Duty, month: str, heads: Headcount) -> Minutes:
    """Patients ÷ 1000 × minutes; where the year's rule says so, to the nearest quarter of an hour."""
    population = None if heads.hold else heads.population
    minutes: Decimal | None = None
    if population is not None:
        minutes = population * duty.per_1000 / 1000
        if duty.rounded_to is not None:
            minutes = (minutes / duty.rounded_to).quantize(Decimal(1), ROUND_HALF_UP) * duty.rounded_to
    return Minutes(
        duty=duty.duty,
        month=month,
        per_1000=duty.per_1000,
        basis=duty.basis,
        snapshot=heads.snapshot or date.min,
        population=population,
        minutes=None if minutes is None else Decimal(plain(minutes)),
        time=None if minutes is None else f"{int(minutes // 60)}:{plain(minutes % 60).zfill(2)}",
        rounded_to=duty.rounded_to,
        confidence=duty.confidence,
        held=None if heads.hold is None else heads.hold.detail,
    )


async def minutes_of(
    session: AsyncSession, year: Year, network: str, *, known_at: datetime | None = None
) -> list[Minutes]:
    """The minutes a network owes in the last month of what was loaded: those of whoever it serves then."""
    if not year.months:
        return []
    month = year.months[-1]
    whom = year.served.get(network, {}).get(month, ())
    if not any(who.how == "member" for who in whom):
        return []
    made = []
    for duty in duties():
        if not duty.valid_from <= first_day(month) <= duty.valid_to:
            continue
        counted = year.populations
        if duty.counted_at is not None and duty.counted_at != snapshot_of(year.contract_year):
            counted = await populations_of(session, duty.counted_at, year.served, year.commissioners, known_at)
        whole = tuple(who._replace(scope="") for who in whom)
        made.append(weekly(duty, month, counted.count(duty.basis, whole, year.commissioners.get(network, ""))))
    return made
