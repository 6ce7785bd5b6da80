"""Which local variation counts for each practice, and when."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.consents.model import Consent
from services.funding.payments.serving import Days
from services.funding.variations.model import Variation, VariationStatus
from shared.facts import believed, days
from shared.years import first_day, last_day, months_of


async def scopes_of(
    session: AsyncSession, contract_year: str, *, known_at: datetime | None = None
) -> dict[str, list[tuple[Days, str]]]:
    """By practice: on which days which approved variation counts for it."""
    months = months_of(contract_year)
    window = days(first_day(months[0]), last_day(months[-1]))
    wanted = (
        select(Consent.practice, Consent.variation, Consent.valid)
        .join(Variation, Variation.id == Consent.variation)
        .where(
            Variation.status == VariationStatus.APPROVED, believed(Consent, known_at), Consent.valid.overlaps(window)
        )
    )
    if known_at is not None:
        wanted = wanted.where(Variation.decided_at <= known_at)
    found: dict[str, list[tuple[Days, str]]] = defaultdict(list)
    for practice, variation, valid in await session.execute(wanted):
        found[practice].append(((valid.lower or date.min, valid.upper or date.max), variation))
    return found
