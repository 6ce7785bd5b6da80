"""Keep what funding announces of local variations, and say which one a network stands under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.variations.model import NetworkTerms, Variation
from shared.events import funding


async def note_variation(session: AsyncSession, event: funding.VariationApproved, sequence: int) -> None:
    row = insert(Variation).values(
        variation=event.variation,
        name=event.variation_name,
        commissioner=event.commissioner,
        valid_from=event.valid_from,
        valid_to=event.valid_to,
        caps=[cap.model_dump(mode="json") for cap in event.caps],
        sequence=sequence,
    )
    names = ("name", "commissioner", "valid_from", "valid_to", "caps", "sequence")
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["variation"],
            set_={name: row.excluded[name] for name in names},
            where=Variation.sequence < row.excluded.sequence,
        )
    )


async def note_network_terms(session: AsyncSession, event: funding.NetworkVaried, sequence: int) -> None:
    """What is said of a network takes the place of all that was said before."""
    spans = [span.model_dump(mode="json") for span in event.spans]
    row = insert(NetworkTerms).values(network=event.network, spans=spans, sequence=sequence)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["network"],
            set_={"spans": row.excluded.spans, "sequence": row.excluded.sequence},
            where=NetworkTerms.sequence < row.excluded.sequence,
        )
    )


@dataclass(frozen=True, slots=True)
class Span:
    """From a day to another a whole network stands under a variation."""

    variation: str
    first: date
    last: date

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


async def spans_of(session: AsyncSession, network: str) -> list[Span]:
    """The days on which every member of a network agreed to a variation."""
    held = await session.scalar(select(NetworkTerms.spans).where(NetworkTerms.network == network))
    return [
        Span(one["variation"], date.fromisoformat(one["valid_from"]), date.fromisoformat(one["valid_to"]))
        for one in held or ()
        if one["every_member"]
    ]


@dataclass(frozen=True, slots=True)
class LocalCap:
    """A variation's cap on a role in days of a network; no figures where any number counts."""

    first: date
    last: date
    below_100000: Decimal | None
    from_100000: Decimal | None


async def local_caps_of(session: AsyncSession, spans: Sequence[Span], role: str) -> list[LocalCap]:
    """The caps on a role in the spans of a network."""
    if not spans:
        return []
    rows = await session.execute(
        select(Variation.variation, Variation.caps).where(Variation.variation.in_({span.variation for span in spans}))
    )
    caps = {row.variation: row.caps for row in rows}
    return [
        LocalCap(span.first, span.last, _figure(cap["below_100000"]), _figure(cap["from_100000"]))
        for span in spans
        for cap in caps.get(span.variation, ())
        if cap["role"] == role
    ]


def _figure(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
