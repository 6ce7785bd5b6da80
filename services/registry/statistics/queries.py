"""Figures of the register on a day, in one statement, for everywhere or for what a caller may see."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.size_rules.model import SizeRule


class MembersFrom(StrEnum):
    """Who says which practice is in which network: the register, or the publication the lists are of."""

    REGISTER = "register"
    PUBLICATION = "publication"


# `known` is written twice because "as known now" is an open range and "as known then" a point inside one
LISTS = """
taken as (
    select max(lower(valid)) as day from list_sizes
    where basis = 'registered' and {counted} and {known}
), lists as (
    select practice, value, commissioner, network from list_sizes, taken
    where basis = 'registered' and valid @> taken.day and {known}
)
"""

MEMBERS = {
    MembersFrom.REGISTER: """
members as (
    select practice, network, upper(portion) - lower(portion) as share from memberships where valid @> :day and {known}
), sized as (
    select practice, m.network, share, value from members m join lists using (practice)
), leads as (
    select m.network, count(distinct c.commissioner) as commissioners
    from members m join practice_commissioners c using (practice) where c.valid @> :day and {c_known} group by m.network
)
""",
    MembersFrom.PUBLICATION: """
members as (
    select practice, lists.network, 1::numeric as share, value from lists where lists.network is not null
), sized as (
    select practice, network, share, value from members
), leads as (
    select network, count(distinct commissioner) as commissioners from lists where network is not null group by network
)
""",
}

_FIGURES = """
with {lists}, {members}, paid as (
    select network from payees where valid @> :day and {known} and payee = any(:codes)
), scoped as (
    select l.practice, l.value, l.commissioner from lists l
    where :everywhere or l.commissioner = any(:area) or l.practice = any(:codes) or l.practice in (
        select practice from members m where m.network = any(:codes) or m.network in (select network from paid))
), sizes as (
    select network, sum(value * share) as patients, count(*) as practices
    from sized where :everywhere or network in (select m.network from members m join scoped using (practice))
    group by network having sum(value) > 0
), outside as (
    select s.practice, s.value from scoped s where s.practice not in (select practice from members)
), placed as (
    select system, region from placements
    where valid @> :day and {known} and commissioner in (select commissioner from scoped)
)
select (select day from taken) as snapshot,
    (select count(*) from scoped) as practices,
    (select count(*) from scoped where value = 0) as practices_with_empty_lists,
    (select coalesce(sum(value), 0) from scoped) as registered_patients,
    (select count(distinct network) from sized where :everywhere or practice in (select practice from scoped))
        as networks_with_members,
    (select count(*) from sizes) as networks,
    (select count(*) from sizes where patients < :small) as networks_under_30000,
    (select count(*) from sizes where patients between :small and :large) as networks_30000_to_50000,
    (select count(*) from sizes where patients > :large) as networks_over_50000,
    (select count(*) from sizes where patients > :localities) as networks_over_100000,
    (select min(patients) from sizes) as smallest_network,
    (select avg(patients) from (
        select patients, row_number() over (order by patients) as place, count(*) over () as n from sizes) ranked
        where place between n / 2.0 and n / 2.0 + 1) as median_network,
    (select max(patients) from sizes) as largest_network,
    (select count(*) from outside) as practices_in_no_network,
    (select coalesce(sum(value), 0) from outside) as patients_in_no_network,
    (select count(*) from sizes where practices = 1) as one_practice_networks,
    (select count(*) from sizes join leads using (network) where commissioners > 1) as networks_spanning_commissioners,
    (select count(distinct commissioner) from scoped) as commissioners,
    (select count(distinct system) from placed) as systems,
    (select count(distinct region) from placed) as regions
"""


def believed(alias: str, known_at: datetime | None) -> str:
    """The condition for what is believed now, or was then."""
    known = f"{alias}.known" if alias else "known"
    return f"upper_inf({known})" if known_at is None else f"{known} @> cast(:known_at as timestamptz)"


def written(
    statement: str, known_at: datetime | None, members: MembersFrom, snapshot: date | None, **words: str
) -> str:
    """A statement over lists and members of a day; no value is put into it."""
    known = believed("", known_at)
    counted = "lower(valid) <= :day" if snapshot is None else "lower(valid) = :snapshot"
    return statement.format(
        lists=LISTS.format(known=known, counted=counted),
        members=MEMBERS[members].format(known=known, c_known=believed("c", known_at)),
        known=known,
        c_known=believed("c", known_at),
        **words,
    )


async def figures(
    session: AsyncSession,
    day: date,
    known_at: datetime | None,
    *,
    rule: SizeRule,
    snapshot: date | None,
    members: MembersFrom,
    area: frozenset[str] | None,
    codes: frozenset[str],
) -> dict[str, Any]:
    """Counts of practices, patients and networks on `day`; lists are of `snapshot`, or the latest up to the day.

    Networks are counted by the sizes the rule names.
    """
    given: dict[str, Any] = {
        "day": day,
        "everywhere": area is None,
        "area": sorted(area or ()),
        "codes": sorted(codes),
        "small": rule.smallest,
        "large": rule.large,
        "localities": rule.localities_from,
    }
    if known_at is not None:
        given["known_at"] = known_at
    if snapshot is not None:
        given["snapshot"] = snapshot
    row = (await session.execute(text(written(_FIGURES, known_at, members, snapshot)), given)).one()
    return dict(row._mapping)
