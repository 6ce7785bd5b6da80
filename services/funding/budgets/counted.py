"""Whom networks serve for their sums of a year, with their lists: loaded in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budget_rules.model import BudgetRuleKind
from services.funding.budget_rules.operations import kinds_of
from services.funding.membership_rules.operations import rules_of
from services.funding.networks.model import Practice
from services.funding.networks.queries import approved_networks, load_grounds
from services.funding.networks.withdrawals import withdrawals_of
from services.funding.payments.heads import Populations, Serving
from services.funding.payments.serving import Ground, served_by_month, served_on
from services.funding.populations.model import Population
from services.funding.tariffs.model import Basis
from shared.facts import days
from shared.years import first_day, last_day, months_between, snapshot_of, year_end, year_start

FIRST_NETWORKS = date(2019, 7, 1)
"""When networks began: sums of 2019/20 are for the nine months from then."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Whom a network serves for its sums of a year, month by month; a month without anybody it may be paid for is left
    out. `members_known` is false where nobody belongs to it: then its sums cannot be told."""

    commissioner: str
    counted_on: date
    by_month: Mapping[str, tuple[Serving, ...]]
    members_known: bool
    populations: Populations


def months_counted(year: str) -> tuple[str, ...]:
    return months_between(max(FIRST_NETWORKS, year_start(year)), year_end(year))


async def load_counted(
    session: AsyncSession, networks: Collection[str], years: Sequence[str]
) -> dict[tuple[str, str], Counted]:
    """By network and year, for the years a network lived in: whom its sums count, as known now."""
    if not years:
        return {}
    approved = await approved_networks(session, networks)
    months = tuple(month for year in years for month in months_counted(year))
    rules = await rules_of(session, months, None)
    kinds = await kinds_of(session, years)
    deciding = [rules[month].day_of(month) if month in rules else first_day(month) for month in months]
    window = days(min(*deciding, first_day(months[0])), max(*deciding, last_day(months[-1])))
    withdrawals = await withdrawals_of(session, window, networks, None)
    grounds = await load_grounds(session, approved, window, withdrawals, networks=networks)
    by_month = served_by_month(grounds, months, rules)
    found: dict[tuple[str, str], tuple[str, date, dict[str, tuple[Serving, ...]], bool]] = {}
    for code, commissioner, opened, closed in approved:
        for year in years if opened is not None else ():
            begins = max(FIRST_NETWORKS, year_start(year))
            if opened is None or opened > year_end(year) or (closed is not None and closed < begins):
                continue
            ground, counted_on = grounds[code], max(begins, opened)
            if kinds[year] is BudgetRuleKind.YEAR:
                whom = served_on(replace(ground, without={}, scopes={}), counted_on) or ()
                served = dict.fromkeys(months_counted(year), whom) if whom else {}
            else:
                months_of_network = by_month.get(code, {})
                served = {m: months_of_network[m] for m in months_counted(year) if months_of_network.get(m)}
            found[code, year] = (commissioner, counted_on, served, bool(served) or _has_members(ground, year))
    populations = await _populations(session, found, years)
    return {
        (code, year): Counted(commissioner, counted_on, served, known, populations[year])
        for (code, year), (commissioner, counted_on, served, known) in found.items()
    }


def _has_members(ground: Ground, year: str) -> bool:
    """Whether anybody belongs to the network in the year, with the right to be paid or without."""
    return any(
        span.how == "member" and span.begin <= year_end(year) and span.end > year_start(year) for span in ground.spans
    )


async def _populations(
    session: AsyncSession,
    found: Mapping[tuple[str, str], tuple[str, date, dict[str, tuple[Serving, ...]], bool]],
    years: Sequence[str],
) -> dict[str, Populations]:
    """The weighted and registered figures of everybody counted, at each year's snapshot."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for (_, year), (_, _, served, _) in found.items():
        for whom in set(served.values()):
            wanted[year] |= {who.practice for who in whom}
    snapshots = {snapshot_of(year): year for year in years}
    everybody = sorted({practice for practices in wanted.values() for practice in practices})
    figures: dict[str, dict[str, dict[str, Decimal]]] = {year: {"weighted": {}, "registered": {}} for year in years}
    rows = await session.execute(
        select(Population.snapshot, Population.basis, Population.practice, Population.value).where(
            Population.practice.in_(everybody),
            Population.snapshot.in_(list(snapshots)),
            Population.basis.in_([Basis.WEIGHTED, Basis.REGISTERED]),
            func.upper_inf(Population.known),
        )
    )
    for snapshot, basis, practice, value in rows:
        figures[snapshots[snapshot]][basis.value][practice] = value
    missing = {
        (year, practice)
        for year, practices in wanted.items()
        for practice in practices
        if practice not in figures[year]["weighted"] or practice not in figures[year]["registered"]
    }
    published: dict[str, set[str]] = defaultdict(set)
    of: dict[str, str] = {}
    if missing:
        codes = sorted({practice for _, practice in missing})
        of = dict(
            (await session.execute(select(Practice.code, Practice.commissioner).where(Practice.code.in_(codes)))).all()
        )
        around = {*of.values(), *(commissioner for commissioner, *_ in found.values())}
        lists = select(Population.snapshot, Population.commissioner).where(
            Population.snapshot.in_(list(snapshots)),
            Population.basis == Basis.REGISTERED,
            Population.commissioner.in_(around),
            func.upper_inf(Population.known),
        )
        for snapshot, commissioner in await session.execute(lists.distinct()):
            published[snapshots[snapshot]].add(commissioner)
    return {
        year: Populations(
            snapshot=snapshot_of(year),
            figures=figures[year],
            published=frozenset(published[year]),
            commissioners=of,
        )
        for year in years
    }
