"""Figures of the register on a day, in one statement, for everywhere or for what a caller may see."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

SMALL, LARGE = 30_000, 50_000

# `known` is written twice because "as known now" is an open range and "as known then" a point inside one
_FIGURES = """
with taken as (
    select max(lower(valid)) as day from list_sizes
    where basis = 'registered' and lower(valid) <= :day and {known}
), lists as (
    select practice, value, commissioner from list_sizes, taken
    where basis = 'registered' and valid @> taken.day and {known}
), members as (
    select practice, network, upper(portion) - lower(portion) as share from memberships where valid @> :day and {known}
), paid as (
    select network from payees where valid @> :day and {known} and payee = any(:codes)
), scoped as (
    select l.practice, l.value, l.commissioner from lists l
    where :everywhere or l.commissioner = any(:area) or l.practice = any(:codes) or exists (
        select from members m where m.practice = l.practice
        and (m.network = any(:codes) or m.network in (select network from paid)))
), sizes as (
    select m.network, sum(l.value * m.share) as patients, count(*) as practices,
        count(distinct l.commissioner) as commissioners
    from members m join lists l using (practice)
    where m.network in (select network from members join scoped using (practice))
    group by m.network having sum(l.value) > 0
), outside as (
    select s.practice, s.value from scoped s where not exists (select from members m where m.practice = s.practice)
), placed as (
    select system, region from placements
    where valid @> :day and {known} and commissioner in (select commissioner from scoped)
)
select (select day from taken) as snapshot,
    (select count(*) from scoped) as practices,
    (select coalesce(sum(value), 0) from scoped) as registered_patients,
    (select count(distinct network) from members join scoped using (practice)) as networks_with_members,
    (select count(*) from sizes) as networks,
    (select count(*) from sizes where patients < :small) as networks_under_30000,
    (select count(*) from sizes where patients between :small and :large) as networks_30000_to_50000,
    (select count(*) from sizes where patients > :large) as networks_over_50000,
    (select min(patients) from sizes) as smallest_network,
    (select avg(patients) from (
        select patients, row_number() over (order by patients) as place, count(*) over () as n from sizes) ranked
        where place between n / 2.0 and n / 2.0 + 1) as median_network,
    (select max(patients) from sizes) as largest_network,
    (select count(*) from outside) as practices_in_no_network,
    (select coalesce(sum(value), 0) from outside) as patients_in_no_network,
    (select count(*) from sizes where practices = 1) as one_practice_networks,
    (select count(*) from sizes where commissioners > 1) as networks_spanning_commissioners,
    (select count(distinct commissioner) from scoped) as commissioners,
    (select count(distinct system) from placed) as systems,
    (select count(distinct region) from placed) as regions
"""


async def figures(
    session: AsyncSession, day: date, known_at: datetime | None, *, area: frozenset[str] | None, codes: frozenset[str]
) -> dict[str, Any]:
    """Counts of practices, patients and networks on `day`, lists being those of the latest snapshot up to it."""
    belief = "upper_inf(known)" if known_at is None else "known @> cast(:known_at as timestamptz)"
    given: dict[str, Any] = {
        "day": day,
        "everywhere": area is None,
        "area": sorted(area or ()),
        "codes": sorted(codes),
        "small": SMALL,
        "large": LARGE,
    }
    if known_at is not None:
        given["known_at"] = known_at
    row = (await session.execute(text(_FIGURES.format(known=belief)), given)).one()
    return dict(row._mapping)
