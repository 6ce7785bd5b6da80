"""Count again how practices are covered whenever a list, a membership, an allocation or a closing changes.

A practice counts with its newest list by the day, and with those of the practices that went over into it since it was
counted; one that has closed until patients are next counted (or longer, where that list still has it). It counts in the
area its list was published for, or in that of whoever took it over after the list was counted.
What networks hold of it is covered, for as long as they last; what an allocation serves of the rest is allocated; of a
closed one that dispersed the rest is registered elsewhere; what is left is not covered. Shares above the whole, and an
allocation beside a whole membership, are covered twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import registry

_ADD_UP = """
    INSERT INTO coverage_changes AS held (
        commissioner, day, registered, covered, allocated, dispersed, uncovered, twice, practices, practices_uncovered
    )
    SELECT commissioner, day, sum(sign * registered), sum(sign * covered), sum(sign * allocated),
           sum(sign * dispersed), sum(sign * uncovered), sum(sign * twice), sum(sign),
           sum(sign * CAST(uncovered > 0 AS int))
    FROM changes GROUP BY commissioner, day
    ON CONFLICT (commissioner, day) DO UPDATE SET
        registered = held.registered + excluded.registered,
        covered = held.covered + excluded.covered,
        allocated = held.allocated + excluded.allocated,
        dispersed = held.dispersed + excluded.dispersed,
        uncovered = held.uncovered + excluded.uncovered,
        twice = held.twice + excluded.twice,
        practices = held.practices + excluded.practices,
        practices_uncovered = held.practices_uncovered + excluded.practices_uncovered
"""

_TAKE_OUT = text(
    """
    WITH old AS (
        DELETE FROM practice_coverage WHERE practice = ANY(CAST(:practices AS text[])) RETURNING *
    ), changes AS (
        SELECT old.*, first AS day, -1 AS sign FROM old
        UNION ALL
        SELECT old.*, until, 1 FROM old WHERE until IS NOT NULL
    )
    """  # noqa: S608 - both parts are constants of this module
    + _ADD_UP
    + " RETURNING commissioner"
)

_PUT_IN = text(
    """
    WITH RECURSIVE touched AS (
        SELECT unnest(CAST(:practices AS text[])) AS practice
    ), line AS (
        SELECT s.successor AS practice, s.practice AS origin, s.succeeded_on AS since, s.valid_to,
               s.succeeded_on AS went, s.valid_to AS back
        FROM practice_successions s JOIN touched ON touched.practice = s.successor
        UNION
        SELECT line.practice, s.practice, greatest(line.since, s.succeeded_on), least(line.valid_to, s.valid_to),
               s.succeeded_on, s.valid_to
        FROM line JOIN practice_successions s ON s.successor = line.origin
             AND (s.valid_to IS NULL OR s.valid_to >= line.since)
             AND (line.valid_to IS NULL OR line.valid_to >= s.succeeded_on)
        WHERE NOT EXISTS (
            SELECT FROM list_sizes l WHERE l.practice = line.origin AND l.snapshot >= s.succeeded_on
                AND (line.back IS NULL OR l.snapshot <= line.back)
        )
    ), taken_over AS (
        SELECT line.practice, line.origin, line.since, line.valid_to, last.patients, last.commissioner
        FROM line JOIN practices p ON p.practice = line.origin AND (p.closed_on < line.went OR line.back IS NOT NULL)
        CROSS JOIN LATERAL (
            SELECT l.patients, l.commissioner, l.snapshot FROM list_sizes l
            WHERE l.practice = line.origin AND (line.back IS NULL OR l.snapshot <= line.back)
            ORDER BY l.snapshot DESC LIMIT 1
        ) AS last
        WHERE last.snapshot < line.went
    ), away AS (
        SELECT s.practice, s.succeeded_on, s.valid_to
        FROM practice_successions s JOIN touched USING (practice)
    ), joined AS (
        SELECT m.practice, m.valid_from, m.share, least(m.valid_to, n.closed_on) AS valid_to
        FROM memberships m JOIN touched USING (practice) LEFT JOIN networks n USING (network)
    ), helped AS (
        SELECT a.practice, a.valid_from, least(a.valid_to, n.closed_on) AS valid_to
        FROM allocations a JOIN touched USING (practice) LEFT JOIN networks n USING (network)
    ), turns AS (
        SELECT practice, snapshot AS day FROM list_sizes JOIN touched USING (practice)
        UNION SELECT practice, valid_from FROM joined
        UNION SELECT practice, valid_to + 1 FROM joined WHERE valid_to IS NOT NULL
        UNION SELECT practice, valid_from FROM helped
        UNION SELECT practice, valid_to + 1 FROM helped WHERE valid_to IS NOT NULL
        UNION SELECT practice, closed_on + 1 FROM practices JOIN touched USING (practice) WHERE closed_on IS NOT NULL
        UNION SELECT practice, next.day FROM practices JOIN touched USING (practice) CROSS JOIN LATERAL (
            SELECT min(snapshot) AS day FROM list_snapshots WHERE snapshot > closed_on
        ) AS next WHERE next.day IS NOT NULL
        UNION SELECT practice, valid_from FROM practice_dispersals JOIN touched USING (practice)
        UNION SELECT practice, valid_to + 1 FROM practice_dispersals JOIN touched USING (practice)
            WHERE valid_to IS NOT NULL
        UNION SELECT practice, since FROM taken_over
        UNION SELECT practice, valid_to + 1 FROM taken_over WHERE valid_to IS NOT NULL
        UNION SELECT practice, succeeded_on FROM away
        UNION SELECT practice, valid_to + 1 FROM away WHERE valid_to IS NOT NULL
        UNION SELECT practice, valid_from FROM practice_commissioners JOIN touched USING (practice)
    ), stretches AS (
        SELECT practice, day AS first, lead(day) OVER (PARTITION BY practice ORDER BY day) AS until FROM turns
    ), shares AS (
        SELECT s.practice, s.first, sum(j.share) AS share
        FROM stretches s JOIN joined j ON j.practice = s.practice AND j.valid_from <= s.first
             AND (j.valid_to IS NULL OR j.valid_to >= s.first)
        GROUP BY s.practice, s.first
    ), serving AS (
        SELECT DISTINCT s.practice, s.first
        FROM stretches s JOIN helped h ON h.practice = s.practice AND h.valid_from <= s.first
             AND (h.valid_to IS NULL OR h.valid_to >= s.first)
    ), counted AS (
        SELECT s.practice, s.first, s.until, coalesce(moved.commissioner, list.commissioner, more.commissioner)
                   AS commissioner, coalesce(list.patients, 0) + coalesce(more.patients, 0) AS patients,
               coalesce(shares.share, 0) AS share, serving.practice IS NOT NULL AS served,
               coalesce(more.merged, '{}') AS merged, EXISTS (
                   SELECT FROM practice_dispersals d WHERE d.practice = s.practice AND d.valid_from <= s.first
                       AND (d.valid_to IS NULL OR d.valid_to >= s.first)
                       AND coalesce(list.snapshot < d.valid_from, TRUE)
               ) AS gone
        FROM stretches s
        LEFT JOIN LATERAL (
            SELECT l.commissioner, l.patients, l.snapshot FROM list_sizes l
            WHERE l.practice = s.practice AND l.snapshot <= s.first ORDER BY l.snapshot DESC LIMIT 1
        ) AS list ON TRUE
        LEFT JOIN LATERAL (
            SELECT sum(t.patients) AS patients, min(t.commissioner) AS commissioner,
                   array_agg(DISTINCT t.origin ORDER BY t.origin) AS merged
            FROM taken_over t
            WHERE t.practice = s.practice AND t.since <= s.first AND (t.valid_to IS NULL OR t.valid_to >= s.first)
                  AND (list.snapshot IS NULL OR list.snapshot < t.since)
        ) AS more ON TRUE
        LEFT JOIN LATERAL (
            SELECT c.commissioner FROM practice_commissioners c
            WHERE c.practice = s.practice AND c.valid_from <= s.first
                  AND (c.valid_to IS NULL OR c.valid_to >= s.first)
                  AND (list.snapshot IS NULL OR c.valid_from > list.snapshot)
            ORDER BY c.valid_from DESC LIMIT 1
        ) AS moved ON TRUE
        LEFT JOIN practices p ON p.practice = s.practice
        LEFT JOIN shares ON shares.practice = s.practice AND shares.first = s.first
        LEFT JOIN serving ON serving.practice = s.practice AND serving.first = s.first
        WHERE coalesce(list.patients, 0) + coalesce(more.patients, 0) > 0
              AND (p.closed_on IS NULL OR p.closed_on >= s.first OR list.snapshot > p.closed_on OR NOT EXISTS (
                  SELECT FROM list_snapshots n WHERE n.snapshot > p.closed_on AND n.snapshot <= s.first
              ))
              AND NOT EXISTS (
                  SELECT FROM away WHERE away.practice = s.practice AND s.first >= away.succeeded_on
                      AND (away.valid_to IS NULL OR s.first <= away.valid_to)
                      AND coalesce(list.snapshot < away.succeeded_on, TRUE)
              )
    ), new AS (
        INSERT INTO practice_coverage (
            practice, first, until, commissioner, registered, covered, allocated, dispersed, uncovered, twice, merged
        )
        SELECT practice, first, until, commissioner, patients,
               patients * least(share, 1),
               CASE WHEN served THEN patients * (1 - least(share, 1)) ELSE 0 END,
               CASE WHEN gone AND NOT served THEN patients * (1 - least(share, 1)) ELSE 0 END,
               CASE WHEN gone OR served THEN 0 ELSE patients * (1 - least(share, 1)) END,
               CASE WHEN served AND share >= 1 THEN patients ELSE patients * greatest(share - 1, 0) END,
               merged
        FROM counted
        RETURNING *
    ), changes AS (
        SELECT new.*, first AS day, 1 AS sign FROM new
        UNION ALL
        SELECT new.*, until, -1 FROM new WHERE until IS NOT NULL
    )
    """  # noqa: S608 - both parts are constants of this module
    + _ADD_UP
    + " RETURNING commissioner"
)

# a day on which nothing changes any more is no row, or a rebuild would not come out the same
_TIDY = text(
    """
    DELETE FROM coverage_changes
    WHERE commissioner = ANY(CAST(:commissioners AS text[])) AND practices = 0 AND practices_uncovered = 0
      AND registered = 0 AND covered = 0 AND allocated = 0 AND dispersed = 0 AND uncovered = 0 AND twice = 0
    """
)

_AND_HEIRS = text(
    """
    WITH RECURSIVE touched (practice) AS (
        SELECT unnest(CAST(:practices AS text[]))
        UNION
        SELECT s.successor FROM touched JOIN practice_successions s USING (practice)
    )
    SELECT practice FROM touched
    """
)

_LISTS = text(
    """
    INSERT INTO list_sizes AS held (practice, snapshot, patients, commissioner, sequence)
    SELECT new.practice, :snapshot, new.patients, :commissioner, :sequence
    FROM unnest(CAST(:practices AS text[]), CAST(:patients AS numeric[])) AS new (practice, patients)
    ON CONFLICT (practice, snapshot) DO UPDATE SET
        patients = excluded.patients, commissioner = excluded.commissioner, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    RETURNING practice
    """
)


# those that had closed by the day of a count are counted no longer from then on
_COUNTED_ANEW = text(
    """
    WITH fresh AS (
        INSERT INTO list_snapshots (snapshot) VALUES (:snapshot) ON CONFLICT DO NOTHING RETURNING snapshot
    )
    SELECT DISTINCT c.practice FROM fresh
    JOIN practices p ON p.closed_on < fresh.snapshot
    JOIN practice_coverage c ON c.practice = p.practice AND (c.until IS NULL OR c.until > fresh.snapshot)
    """
)

_TOUCHED = "coverage.touched"


def recount(session: AsyncSession, practices: Iterable[str]) -> None:
    """Have these practices counted anew before this transaction commits: once, however many events touch them."""
    session.info.setdefault(_TOUCHED, set()).update(practices)


async def count_touched(session: AsyncSession, now: datetime) -> None:
    """Work out anew how the practices touched are covered, and what that changes for their areas."""
    touched: set[str] = session.info.pop(_TOUCHED, set())
    if not touched:
        return
    heirs = await session.scalars(_AND_HEIRS, {"practices": sorted(touched)})
    params = {"practices": sorted(heirs)}
    areas = set((await session.execute(_TAKE_OUT, params)).scalars())
    areas |= set((await session.execute(_PUT_IN, params)).scalars())
    if areas:
        await session.execute(_TIDY, {"commissioners": sorted(areas)})


async def note_list_sizes(session: AsyncSession, event: registry.ListSizesPublished, sequence: int) -> None:
    """Registered lists say who is to be covered; weighted and adjusted ones count money, not people."""
    if event.basis != "registered" or not event.sizes:
        return
    sizes = {size.practice: size.value for size in event.sizes}
    recount(session, await session.scalars(_COUNTED_ANEW, {"snapshot": event.snapshot}))
    touched = await session.scalars(
        _LISTS,
        {
            "practices": list(sizes),
            "patients": list(sizes.values()),
            "snapshot": event.snapshot,
            "commissioner": event.commissioner,
            "sequence": sequence,
        },
    )
    recount(session, touched.all())


_ALLOCATION = text(
    """
    INSERT INTO allocations (practice, network, valid_from, valid_to) VALUES (:practice, :network, :first, :last)
    ON CONFLICT (practice, network, valid_from) DO UPDATE SET valid_to = excluded.valid_to
    """
)

_ALLOCATION_ENDED = text(
    """
    DELETE FROM allocations WHERE practice = :practice AND network = :network AND valid_from = :first
    """
)


async def note_allocation_end(session: AsyncSession, event: registry.AllocationEnded) -> None:
    """The allocation goes on to its last day; one that never held is gone."""
    days = {"practice": event.practice, "network": event.network, "first": event.valid_from, "last": event.valid_to}
    if event.valid_to < event.valid_from:
        await session.execute(_ALLOCATION_ENDED, days)
    else:
        await session.execute(_ALLOCATION, days)
    recount(session, [event.practice])


async def note_allocation(session: AsyncSession, event: registry.PatientsAllocated) -> None:
    await session.execute(
        _ALLOCATION,
        {
            "practice": event.practice,
            "network": event.network,
            "first": event.valid_from,
            "last": event.valid_to,
        },
    )
    recount(session, [event.practice])
