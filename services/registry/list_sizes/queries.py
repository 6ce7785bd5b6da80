"""The newest lists on a day: whose patients are counted with whom, for everything that measures by them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Date, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.list_sizes.model import Basis, ListSize
from services.registry.statistics.queries import believed
from shared.facts import believed as believed_facts

# each practice with whoever it, or its successor in turn, went over into, and since when it is not there itself
WENT_OVER = """
went_over (practice, heir, days, since) as (
    select s.practice, s.successor, s.valid, lower(s.valid) from practice_successions s where {s_known}
    union
    select w.practice, s.successor, w.days * s.valid, w.since
    from went_over w join practice_successions s on s.practice = w.heir
    where {s_known} and not isempty(w.days * s.valid)
)
"""

# the days on which patients were counted
SNAPSHOTS = """
snapshots as (
    select distinct lower(valid) as day from list_sizes where basis = 'registered' and {known}
)
"""


def listed(practice: str, snapshot: str) -> str:
    """SQL: a practice's own list of a snapshot day; keys are looked up as lists of one, as `of_key` says why."""
    return f"l.practice = any(array[{practice}]) and l.basis = 'registered' and l.valid @> {snapshot} and {{l_known}}"


def taken_over(practice: str, snapshot: str, day: str) -> str:
    """SQL: the patients who were counted elsewhere and are the practice's by a day, for theirs went over into it."""
    return f"""(
        select sum(gone.value) from went_over w join list_sizes gone on gone.practice = any(array[w.practice])
            and gone.basis = 'registered' and gone.valid @> {snapshot} and {{gone_known}}
        where w.heir = {practice} and w.days @> {day} and w.since > {snapshot}
    )"""  # noqa: S608 - the parts put in are columns named by other statements


ALIASES = ("l", "s", "gone")
"""The names of tables whose beliefs the fragments above speak of, as `{name_known}`; `{known}` is that of no alias."""

_PATIENTS = f"""
with recursive {WENT_OVER}, {SNAPSHOTS}, counted as (
    select max(day) as snapshot from snapshots where day <= :day
)
select p.practice, coalesce(l.value, 0) + coalesce({taken_over("p.practice", "c.snapshot", ":day")}, 0) as patients
from unnest(:practices) as p (practice) cross join counted c
left join list_sizes l on {listed("p.practice", "c.snapshot")}
"""  # noqa: S608 - no value is put in


async def patients_on(
    session: AsyncSession, practices: Collection[str], day: date, known_at: datetime | None = None
) -> dict[str, Decimal]:
    """The registered patients of each of these practices by the newest lists of a day, with those that went over."""
    beliefs = {"known": believed("", known_at), **{f"{name}_known": believed(name, known_at) for name in ALIASES}}
    statement = text(_PATIENTS.format(**beliefs)).bindparams(
        bindparam("practices", sorted(practices), type_=ARRAY(Text)), bindparam("day", day, type_=Date)
    )
    if known_at is not None:
        statement = statement.bindparams(known_at=known_at)
    return {row.practice: row.patients for row in await session.execute(statement)}


async def latest_snapshot(session: AsyncSession, day: date, known_at: datetime | None = None) -> date | None:
    """The day of the newest lists of a day; `None` where nobody was counted yet."""
    latest: date | None = await session.scalar(
        select(func.max(func.lower(ListSize.valid))).where(
            ListSize.basis == Basis.REGISTERED, func.lower(ListSize.valid) <= day, believed_facts(ListSize, known_at)
        )
    )
    return latest
