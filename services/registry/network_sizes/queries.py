"""Networks measured on any day by the rule of that day: registered patients of the newest lists, exceptions counted.

The list of a practice that went over into a member since it was counted is the member's: nobody shrinks by a merger.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, Integer, Numeric, String, Subquery, Text, TextClause, bindparam, column, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.list_sizes.queries import ALIASES, SNAPSHOTS, WENT_OVER, listed, taken_over
from services.registry.statistics.queries import believed


class SizeState(StrEnum):
    """`excepted`: too small, with a reasoned exception; `unknown`: lists that may matter are missing."""

    WITHIN = "within"
    UNDER_SMALLEST = "under_smallest"
    EXCEPTED = "excepted"
    OVER_LARGE = "over_large"
    UNKNOWN = "unknown"


class SizeAsked(StrEnum):
    """What a list of networks is narrowed to; `outside` are those under the smallest size and over the large one."""

    OUTSIDE = "outside"
    WITHIN = "within"
    UNDER_SMALLEST = "under_smallest"
    EXCEPTED = "excepted"
    OVER_LARGE = "over_large"
    UNKNOWN = "unknown"

    @property
    def states(self) -> tuple[SizeState, ...]:
        if self is SizeAsked.OUTSIDE:
            return (SizeState.UNDER_SMALLEST, SizeState.OVER_LARGE)
        return (SizeState(self.value),)


# `pairs` are networks with the days they are measured on
_MEASURED = f"""
{SNAPSHOTS}, counted as (
    select pairs.network, pairs.day, max(snapshots.day) as snapshot
    from pairs left join snapshots on snapshots.day <= pairs.day group by pairs.network, pairs.day
), brought as (
    select c.network, c.day, c.snapshot, m.practice, upper(m.portion) - lower(m.portion) as share, l.value,
        {taken_over("m.practice", "c.snapshot", "c.day")} as taken_over
    from counted c join memberships m on m.network = any(array[c.network]) and m.valid @> c.day and {{m_known}}
    left join list_sizes l on {listed("m.practice", "c.snapshot")}
), sized as (
    select c.network, c.day, c.snapshot, sum(b.share * (coalesce(b.value, 0) + coalesce(b.taken_over, 0)))
            filter (where b.value is not null or b.taken_over is not null) as patients,
        count(distinct b.practice)::int as practices,
        coalesce(array_agg(b.practice order by b.practice) filter (where b.value is null and b.practice is not null),
            '{{{{}}}}') as without_list
    from counted c left join brought b using (network, day) group by c.network, c.day, c.snapshot
), measured as (
    select z.*, r.smallest, r.large, w.not_below, case
        when z.patients is null or r.smallest is null then 'unknown'
        when z.patients > r.large then 'over_large'
        when z.patients >= r.smallest then 'within'
        when z.without_list <> '{{{{}}}}' then 'unknown'
        when w.fact_id is not null and z.patients >= coalesce(w.not_below, 0) then 'excepted'
        else 'under_smallest' end as state
    from sized z left join size_rules r on r.valid @> z.day and {{r_known}}
    left join waivers w on w.subject = z.network and w.finding = 'under_smallest' and w.valid @> z.day and {{w_known}}
)
"""  # noqa: S608 - no value is put in

_OPEN = f"""
with recursive {WENT_OVER}, pairs as (
    select network, cast(:day as date) as day from network_entries where valid @> cast(:day as date) and {{known}}
), {{measured}}
select network, state from measured
"""  # noqa: S608 - no value is put in

# a network is measured anew on every day on which something it is measured by changes
_SINCE = f"""
with recursive {WENT_OVER}, wanted as (
    select unnest(cast(:networks as text[])) as network
), turns as (
    select w.network, e.day from wanted w join memberships m on m.network = any(array[w.network]) and {{m_known}}
    cross join lateral (values (lower(m.valid)), (upper(m.valid))) as e (day)
    union select w.network, e.day from wanted w join memberships m on m.network = any(array[w.network])
        and {{m_known}} join went_over g on g.heir = m.practice
    cross join lateral (values (lower(g.days)), (upper(g.days))) as e (day)
    union select w.network, e.day from wanted w join waivers x on x.subject = w.network and {{x_known}}
    cross join lateral (values (lower(x.valid)), (upper(x.valid))) as e (day)
    union select w.network, lower(r.valid) from wanted w cross join size_rules r where {{r_known}}
    union select w.network, l.day from wanted w cross join (
        select distinct lower(valid) as day from list_sizes where basis = 'registered' and {{known}}) l
    union select network, cast(:day as date) from wanted
), pairs as (
    select t.network, t.day from turns t join network_entries n on n.network = any(array[t.network])
        and n.valid @> t.day and {{n_known}} where t.day <= cast(:day as date)
), {{measured}}, changed as (
    select network, day, state, lag(state) over (partition by network order by day) is distinct from state as turned
    from measured
)
select m.*, (select max(c.day) from changed c where c.network = m.network and c.turned) as since
from measured m where m.day = cast(:day as date) order by m.network
"""  # noqa: S608 - no value is put in


def _written(statement: str, known_at: datetime | None) -> TextClause:
    beliefs = {"known": believed("", known_at)}
    beliefs |= {f"{name}_known": believed(name, known_at) for name in (*ALIASES, "m", "r", "w", "x", "n")}
    clause = text(statement.format(measured=_MEASURED.format(**beliefs), **beliefs))
    return clause if known_at is None else clause.bindparams(known_at=known_at)


def networks_in(asked: SizeAsked, day: date, known_at: datetime | None) -> Subquery:
    """The networks open on a day that are of the size asked for."""
    measured = _written(_OPEN, known_at).bindparams(day=day)
    states = measured.columns(column("network", String), column("state", String)).subquery()
    return select(states.c.network).where(states.c.state.in_([state.value for state in asked.states])).subquery()


async def sizes_of(
    session: AsyncSession, networks: Sequence[str], day: date, known_at: datetime | None = None
) -> dict[str, dict[str, Any]]:
    """The size of each of these networks on a day, by which rule, in which state, and since when it is in it."""
    number = Numeric(asdecimal=True)
    statement = (
        _written(_SINCE, known_at)
        .bindparams(bindparam("networks", list(networks), type_=ARRAY(Text)), day=day)
        .columns(
            network=String,
            day=Date,
            state=String,
            since=Date,
            snapshot=Date,
            patients=number,
            practices=Integer,
            without_list=ARRAY(String),
            smallest=number,
            large=number,
            not_below=number,
        )
    )
    rows = await session.execute(statement)
    return {row.network: {**row._mapping, "as_at": row.day} for row in rows}
