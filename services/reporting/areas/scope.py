"""The map of a day, and which part of it a caller may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.identity import Caller, Role

MAP = """
    SELECT DISTINCT ON (commissioner) commissioner, name, system, system_name, region, region_name
    FROM commissioners
    ORDER BY commissioner, valid_from <= :map_of DESC, abs(valid_from - CAST(:map_of AS date))
"""
"""Each commissioner on the map of a day: its newest entry by then, or its first one where it came later."""

LED = """
    SELECT n.network,
           coalesce(n.name, (SELECT name FROM practices alone WHERE alone.practice = n.network)) AS name,
           coalesce(
               d.commissioner, n.commissioner,
               (SELECT b.commissioner FROM practice_commissioners b WHERE b.practice = n.network
                AND b.valid_from <= :led_on AND (b.valid_to IS NULL OR b.valid_to >= :led_on)
                ORDER BY b.valid_from DESC LIMIT 1),
               (SELECT commissioner FROM practices alone WHERE alone.practice = n.network)
           ) AS commissioner
    FROM networks n LEFT JOIN network_leads d ON d.network = n.network AND d.valid_from <= :led_on
         AND (d.valid_to IS NULL OR d.valid_to >= :led_on)
"""
"""Each network with the commissioner that leads it on a day; outside its own days, with the last one named.

Money of a practice outside every network stands under its own code, and so under its own commissioner.
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """The commissioners and networks a caller may see; `everywhere` for national users and operators."""

    everywhere: bool
    commissioners: list[str]
    networks: list[str]

    def sees(self, *, network: str | None = None, commissioner: str = "commissioner") -> str:
        """The condition for rows the caller may see; the columns are named by the query, the values bound later.

        Only what applies is written, so that a prepared plan uses the index of the one area asked about.
        """
        if self.everywhere:
            return "TRUE"
        ways = [f"{commissioner} = ANY(CAST(:commissioners AS text[]))"]
        if network is not None and self.networks:
            ways.append(f"{network} = ANY(CAST(:networks AS text[]))")
        return f"({' OR '.join(ways)})"

    def params(self) -> dict[str, Any]:
        return {"commissioners": self.commissioners, "networks": self.networks}


def bound(statement: str, values: Mapping[str, Any]) -> TextClause:
    """A statement with those of the values bound that it names."""
    clause = text(statement)
    return clause.bindparams(**{name: value for name, value in values.items() if name in clause._bindparams})


_HELD = text(
    """
    WITH RECURSIVE links AS (
        SELECT commissioner, successor FROM successions WHERE succeeded_on <= :today
    ), gone AS (
        SELECT commissioner FROM links GROUP BY commissioner HAVING NOT bool_or(successor = commissioner)
    ), held (code) AS (
        SELECT code FROM unnest(CAST(:codes AS text[])) AS asked (code)
        WHERE code NOT IN (SELECT commissioner FROM gone)
        UNION
        SELECT l.commissioner FROM links l JOIN held ON l.successor = held.code
        WHERE l.commissioner IN (SELECT commissioner FROM gone)
    )
    SELECT code FROM held ORDER BY code
    """
)


async def scope_of(session: AsyncSession, caller: Caller, today: date) -> Scope:
    """What a caller may see today: whoever took over sees what those that are gone saw, and they see nothing more."""
    commissioners: set[str] = set()
    if caller.has(Role.COMMISSIONER):
        commissioners |= caller.organisations
    if caller.has(Role.SYSTEM) and not caller.everywhere:
        found = await session.execute(
            text(
                "SELECT commissioner FROM (SELECT DISTINCT ON (commissioner) commissioner, system FROM commissioners "
                "ORDER BY commissioner, valid_from DESC) newest WHERE system = ANY(CAST(:systems AS text[]))"
            ),
            {"systems": sorted(caller.organisations)},
        )
        commissioners |= set(found.scalars())
    networks = sorted(caller.organisations) if caller.has(Role.NETWORK) else []
    if commissioners:
        held = await session.scalars(_HELD, {"codes": sorted(commissioners), "today": today})
        commissioners = set(held)
    return Scope(caller.everywhere, sorted(commissioners), networks)
