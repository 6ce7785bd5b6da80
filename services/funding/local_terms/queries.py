"""Finding the variation a network stands under."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.local_terms.model import LocalTerms
from services.funding.variations.model import Variation
from shared.facts import as_at


async def variation_of(session: AsyncSession, network: str, day: date) -> Variation | None:
    """The variation a whole network stands under on a day, as known now: every member agreed to it."""
    held: Variation | None = await session.scalar(
        select(Variation)
        .join(LocalTerms, LocalTerms.variation == Variation.id)
        .where(LocalTerms.network == network, LocalTerms.every_member, as_at(LocalTerms, day))
    )
    return held
