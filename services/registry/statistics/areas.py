"""Lists summed by area, on the map of the day or of any other: who commissions there follows the successions."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Integer, Numeric, Select, String, Text, TextClause, bindparam, column, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.registry.statistics.queries import MembersFrom, believed, written


class By(StrEnum):
    """What the map is cut into."""

    COMMISSIONER = "commissioner"
    SYSTEM = "system"
    REGION = "region"


CODE = {By.COMMISSIONER: "commissioner", By.SYSTEM: "system", By.REGION: "region"}
NAME = {By.COMMISSIONER: "name", By.SYSTEM: "system_name", By.REGION: "region_name"}

# A practice stands where it was commissioned on the day of the map, or where its list says. A commissioner that was not
# there that day is followed to the one heir it had by then, or back to the one it came from; else it has no place.
_AREAS = """
with recursive {lists}, {members}, scoped as (
    select practice, value, commissioner from lists where :everywhere or commissioner = any(:area)
), placed as (
    select commissioner, name, system, system_name, region, region_name from placements
    where valid @> :map_of and {known}
), begun as (
    select s.practice, s.value, coalesce(c.commissioner, s.commissioner) as code from scoped s
    left join practice_commissioners c on :moved and c.practice = s.practice and c.valid @> :map_of and {c_known}
), links as (
    select predecessor, successor, lower(valid) as since,
        count(*) over (partition by predecessor) as heirs, count(*) over (partition by successor) as parents
    from successions where level = 'commissioner' and predecessor <> successor and {known}
), way (code, at, forward) as (
    select distinct code, code, side from begun cross join (values (true), (false)) as sides (side)
    union
    select way.code, case when way.forward then l.successor else l.predecessor end, way.forward
    from way join links l on case when way.forward then l.predecessor else l.successor end = way.at
    where way.at not in (select commissioner from placed) and case when way.forward
        then l.heirs = 1 and l.since <= :map_of else l.parents = 1 and l.since > :map_of end
), stands as (
    select distinct on (way.code) way.code, placed.{code} as area, placed.{name} as name
    from way join placed on placed.commissioner = way.at order by way.code, way.forward desc
)
select coalesce(a.area, '') as code, min(a.name) as name, count(distinct b.practice)::int as practices,
    sum(b.value * coalesce(m.share, 1)) as registered_patients, count(distinct m.network)::int as networks,
    count(distinct b.practice) filter (where m.network is null)::int as practices_in_no_network,
    coalesce(sum(b.value) filter (where m.network is null), 0) as patients_in_no_network
from begun b left join stands a using (code) left join members m using (practice)
group by coalesce(a.area, '')
"""


def areas(
    day: date,
    known_at: datetime | None,
    *,
    snapshot: date | None,
    members: MembersFrom,
    by: By,
    map_of: date | None,
    area: frozenset[str] | None,
) -> Select[Any]:
    """One row an area; patients of practices with no place on that map stand under an empty code."""
    statement = written(_AREAS, known_at, members, snapshot, code=CODE[by], name=NAME[by])
    values: dict[str, Any] = {
        "day": day,
        "everywhere": area is None,
        "map_of": map_of or day,
        "moved": map_of is not None,
    }
    if known_at is not None:
        values["known_at"] = known_at
    if snapshot is not None:
        values["snapshot"] = snapshot
    rows = (
        text(statement)
        .bindparams(bindparam("area", sorted(area or ()), type_=ARRAY(Text)), **values)
        .columns(
            column("code", String),
            column("name", String),
            column("practices", Integer),
            column("registered_patients", Numeric),
            column("networks", Integer),
            column("practices_in_no_network", Integer),
            column("patients_in_no_network", Numeric),
        )
        .subquery()
    )
    return select(rows)


_CHANGES = """
with then_entries as (
    select network, name, commissioner from network_entries where valid @> :since and {then_known}
), ever as (
    select distinct on (network) network, name, commissioner, valid @> :day as open from network_entries
    where lower(valid) <= :day and {known} order by network, lower(valid) desc
), then_members as (
    select practice, array_agg(network order by network) as networks from memberships
    where valid @> :since and {then_known} group by practice
), now_members as (
    select practice, array_agg(network order by network) as networks from memberships
    where valid @> :day and {known} group by practice
)
select
    (select count(*) from then_entries) as networks_then,
    (select count(*) from ever where open) as networks_now,
    (select count(*) from then_entries t join ever e using (network) where t.commissioner <> e.commissioner)
        as networks_with_another_commissioner,
    (select count(*) from then_entries t join ever e using (network) where t.name <> e.name) as networks_renamed,
    (select count(*) from then_entries t join ever e using (network) where not e.open) as networks_closed,
    (select count(*) from ever where open and network not in (select network from then_entries)) as networks_new,
    (select count(*) from then_members) as members_then,
    (select count(*) from now_members) as members_now,
    (select count(*) from then_members t join now_members n using (practice) where t.networks <> n.networks)
        as practices_in_another_network,
    (select count(*) from then_members where practice not in (select practice from now_members)) as practices_left,
    (select count(*) from now_members where practice not in (select practice from then_members)) as practices_joined
"""


def changes(since: date, since_known_at: datetime | None, day: date, known_at: datetime | None) -> TextClause:
    """What differs between two days, each as known when it is asked for; a closed network as it was at its last."""
    then = believed("", since_known_at).replace(":known_at", ":since_known_at")
    statement = _CHANGES.format(known=believed("", known_at), then_known=then)
    values: dict[str, Any] = {"since": since, "day": day}
    if known_at is not None:
        values["known_at"] = known_at
    if since_known_at is not None:
        values["since_known_at"] = since_known_at
    return text(statement).bindparams(**values)
