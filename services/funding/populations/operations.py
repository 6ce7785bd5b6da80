"""Keeping published populations, restatements included."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Numeric, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import london_day
from shared.events.registry import ListSizesPublished

_INCOMING = """
    unnest(:practices, :networks, :figures)
    AS incoming (practice, network, value)
"""

# A figure counts as known from the day it was published, or from now if something else was known from that day on.
# The same figure published again stands for the newer publication, so that an older one cannot replace it.
_READ = f"""
UPDATE populations AS p
SET known = CASE
        WHEN (p.value, p.network) IS NOT DISTINCT FROM (incoming.value, incoming.network) THEN p.known
        WHEN lower(p.known) < :known THEN tstzrange(lower(p.known), :known)
        ELSE tstzrange(lower(p.known), greatest(:now, lower(p.known) + interval '1 microsecond')) END,
    published_on = CASE
        WHEN (p.value, p.network) IS NOT DISTINCT FROM (incoming.value, incoming.network) THEN :published_on
        ELSE p.published_on END,
    commissioner = CASE
        WHEN (p.value, p.network) IS NOT DISTINCT FROM (incoming.value, incoming.network) THEN :commissioner
        ELSE p.commissioner END,
    source = CASE
        WHEN (p.value, p.network) IS NOT DISTINCT FROM (incoming.value, incoming.network) THEN :source
        ELSE p.source END,
    confidence = CASE
        WHEN (p.value, p.network) IS NOT DISTINCT FROM (incoming.value, incoming.network) THEN :confidence
        ELSE p.confidence END,
    position = CASE
        WHEN (p.value, p.network) IS NOT DISTINCT FROM (incoming.value, incoming.network) THEN :position
        ELSE p.position END
FROM {_INCOMING}
WHERE p.practice = incoming.practice AND p.basis = :basis AND p.snapshot = :snapshot AND upper_inf(p.known)
  AND (p.published_on, p.position) < (:published_on, :position)
"""  # noqa: S608 - put together from constants of this file

# What was held is looked up practice by practice: an anti-join went through all England once for each.
_ADDED = f"""
INSERT INTO populations (practice, basis, snapshot, value, network, commissioner, source, confidence, published_on,
                         known, position)
SELECT incoming.practice, :basis, :snapshot, incoming.value, incoming.network, :commissioner, :source, :confidence,
       :published_on,
       tstzrange(coalesce(before.until, :known), NULL), :position
FROM {_INCOMING}
CROSS JOIN LATERAL (SELECT max(upper(p.known)) AS until, bool_or(upper_inf(p.known)) AS still FROM populations AS p
                    WHERE p.practice = incoming.practice AND p.basis = :basis AND p.snapshot = :snapshot) AS before
WHERE before.still IS NOT TRUE
RETURNING practice
"""  # noqa: S608 - put together from constants of this file


_TYPES = (
    bindparam("practices", type_=ARRAY(Text)),
    bindparam("networks", type_=ARRAY(Text)),
    bindparam("figures", type_=ARRAY(Numeric)),
    bindparam("basis", type_=Text),
    bindparam("snapshot", type_=Date),
    bindparam("published_on", type_=Date),
    bindparam("known", type_=DateTime(timezone=True)),
    bindparam("position", type_=BigInteger),
)
_SAID_BY = tuple(bindparam(name, type_=Text) for name in ("commissioner", "source", "confidence"))
_UPDATE = text(_READ).bindparams(*_TYPES, *_SAID_BY, bindparam("now", type_=DateTime(timezone=True)))
_ADD = text(_ADDED).bindparams(*_TYPES, *_SAID_BY)


def _morning(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


async def keep_populations(session: AsyncSession, event: ListSizesPublished, position: int, now: datetime) -> list[str]:
    """Keep a publication's figures in place of older ones that differ; gives the practices whose figure is new.

    A publication older than what is held changes nothing, in whatever order they arrive.
    """
    sizes = {size.practice: size for size in event.sizes}
    if not sizes:
        return []
    values: dict[str, Any] = {
        "practices": list(sizes),
        "networks": [size.network for size in sizes.values()],
        "figures": [size.value for size in sizes.values()],
        "basis": event.basis,
        "snapshot": event.snapshot,
        "commissioner": event.commissioner,
        "source": event.source[:200],
        "confidence": event.confidence,
        "published_on": event.known_from,
        # what is published today is known from the moment it is heard of, or an answer given this morning would change
        "known": now if event.known_from == london_day(now) else _morning(event.known_from),
        "now": now,
        "position": position,
    }
    await session.execute(_UPDATE, values)
    return list((await session.scalars(_ADD, values)).all())
