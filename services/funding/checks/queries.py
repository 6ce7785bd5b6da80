"""The dated facts a comparison rests on, in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.checks.files import FileKind
from services.funding.checks.model import Check, CheckRow
from services.funding.comparisons.cases import Term
from services.funding.networks.model import Allocation, Membership, Network, Practice
from services.funding.payments.engine import Rate
from services.funding.populations.model import Population
from services.funding.tariffs.model import Tariff, TariffKind
from services.funding.tariffs.operations import rates_of
from services.funding.tariffs.shipped import counted_on
from shared.facts import currently_known, days
from shared.years import months_of, snapshot_of, year_end, year_start

REGISTER_BEGAN = date(2019, 10, 1)
"""The first day of the register's membership history: the networks are older, since 1 July 2019, and were paid from
1 April; a membership that begins on this day is taken to have held from the start of the contract."""


@dataclass(frozen=True, slots=True)
class Spell:
    network: str
    first: date
    last: date


@dataclass(frozen=True)
class Facts:
    """Everything known about a contract year that a comparison may use.

    `members` are by practice, `served` by network; `populations` by snapshot day, basis and practice; `files` the rows
    of publications by contract year and practice, `habits` how many months each commissioner paid in them.
    """

    contract_year: str
    months: tuple[str, ...]
    rates: Mapping[str, tuple[Rate, ...]]
    members: Mapping[str, tuple[Spell, ...]]
    allocated: Mapping[str, str]
    closed: Mapping[str, date]
    commissioners: Mapping[str, str]
    networks: Mapping[str, tuple[date, date]]
    network_commissioners: Mapping[str, str]
    populations: Mapping[date, Mapping[str, Mapping[str, Decimal]]]
    other_rates: Mapping[str, tuple[tuple[str, Decimal], ...]] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, CheckRow]] = field(default_factory=dict)
    habits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)

    def months_of_member(self, practice: str) -> int:
        """In how many months of the year so far a practice was a member of any network, counted as payments count."""
        spells = self.members.get(practice, ())
        return sum(1 for month in self.months if any(s.first <= counted_on(month) <= s.last for s in spells))

    def months_of_network(self, network: str) -> int:
        first, last = self.networks.get(network, (date.max, date.min))
        return sum(1 for month in self.months if _early(first) <= counted_on(month) <= last)

    def practices_of(self, network: str) -> list[str]:
        """Who was a member on any day of the year."""
        return sorted(p for p, spells in self.members.items() if any(spell.network == network for spell in spells))

    def terms(self, streams: Sequence[str]) -> tuple[tuple[Term, ...], list[str]]:
        """The rates of these streams through the year so far, and why any is not known."""
        terms, unknown = [], []
        for stream in streams:
            found: dict[str, list[Rate]] = defaultdict(list)
            for month in self.months:
                for rate in self.rates.get(month, ()):
                    if rate.stream == stream:
                        found[rate.tariff].append(rate)
            for tariff, rates in found.items():
                rate = rates[0]
                if rate.value is None:
                    unknown.append(f"The rate {tariff} is not known.")
                else:
                    terms.append(Term(stream, tariff, rate.basis, rate.value, rate.parts, len(rates)))
        return tuple(terms), unknown


def _early(first: date) -> date:
    return date.min if first == REGISTER_BEGAN else first


async def facts_of(session: AsyncSession, check: Check, now: datetime) -> Facts:
    """What is known now of a check's contract year."""
    year = check.contract_year
    months = tuple(month for month in months_of(year) if month <= check.through)
    window = days(year_start(year), year_end(year))
    members: dict[str, list[Spell]] = defaultdict(list)
    closings = {
        code: (first or date.min, last or date.max, commissioner)
        for code, first, last, commissioner in await session.execute(
            select(Network.code, Network.valid_from, Network.valid_to, Network.commissioner).where(
                Network.approved_on.is_not(None)
            )
        )
    }
    for practice, network, valid in await session.execute(
        select(Membership.practice, Membership.network, Membership.valid).where(
            currently_known(Membership), Membership.valid.overlaps(window)
        )
    ):
        _, closed, _ = closings.get(network, (date.min, date.max, ""))
        last = date.max if valid.upper is None else date.fromordinal(valid.upper.toordinal() - 1)
        members[practice].append(Spell(network, _early(valid.lower or date.min), min(last, closed)))
    allocated = await session.execute(
        select(Allocation.practice, Allocation.network).where(
            currently_known(Allocation), Allocation.valid.overlaps(window)
        )
    )
    practices = (await session.execute(select(Practice.code, Practice.commissioner, Practice.closed_on))).all()
    files, habits, named = await _publications(session, year)
    return Facts(
        contract_year=year,
        months=months,
        rates=await rates_of(session, months, now),
        members={practice: tuple(sorted(spells, key=lambda s: s.first)) for practice, spells in members.items()},
        allocated={row.practice: row.network for row in allocated},
        closed={row.code: row.closed_on for row in practices if row.closed_on is not None},
        commissioners={row.code: row.commissioner for row in practices},
        networks={code: (first, last) for code, (first, last, _) in closings.items()},
        network_commissioners={code: commissioner for code, (_, _, commissioner) in closings.items()},
        populations=await _populations(session, year),
        other_rates=await _other_rates(session),
        files=files,
        habits=habits,
        named=named,
    )


async def _other_rates(session: AsyncSession) -> dict[str, tuple[tuple[str, Decimal], ...]]:
    """Every rate by head that a stream ever had."""
    found: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
    rows = await session.execute(
        select(Tariff.code, Tariff.id, Tariff.value)
        .where(Tariff.kind == TariffKind.STREAM, Tariff.zone == "national")
        .order_by(Tariff.valid_from, Tariff.id)
    )
    for stream, tariff, value in rows:
        if value is not None:
            found[stream].append((tariff, value))
    return {stream: tuple(rates) for stream, rates in found.items()}


async def _populations(session: AsyncSession, year: str) -> dict[date, dict[str, dict[str, Decimal]]]:
    """Lists by practice on the snapshot days of the year and of those beside it."""
    start = snapshot_of(year).year
    wanted = [date(start + step, 1, 1) for step in (-1, 0, 1, 2)]
    found: dict[date, dict[str, dict[str, Decimal]]] = {day: defaultdict(dict) for day in wanted}
    rows = await session.execute(
        select(Population.snapshot, Population.basis, Population.practice, Population.value).where(
            Population.snapshot.in_(wanted), func.upper_inf(Population.known)
        )
    )
    for snapshot, basis, practice, value in rows:
        found[snapshot][basis.value][practice] = value
    return found


async def _publications(
    session: AsyncSession, year: str
) -> tuple[dict[str, dict[str, CheckRow]], dict[str, Any], dict[str, str]]:
    """The newest publication of every contract year, by practice, with what was found of its commissioners' habits."""
    received = await session.scalars(
        select(Check).where(Check.kind == FileKind.PUBLISHED).order_by(Check.received_at, Check.id)
    )
    checks = list({check.contract_year: check for check in received}.values())
    by_id = {check.id: check for check in checks}
    files: dict[str, dict[str, CheckRow]] = {check.contract_year: {} for check in checks}
    for row in await session.scalars(select(CheckRow).where(CheckRow.check.in_(by_id))):
        if row.practice is not None:
            files[by_id[row.check].contract_year][row.practice] = row
    return (
        files,
        {check.contract_year: check.habits for check in checks if check.contract_year != year},
        {check.contract_year: check.id for check in checks},
    )


def figures(row: CheckRow | None) -> dict[str, Decimal]:
    """The lists a row publishes, by basis; a list of nobody is none."""
    if row is None:
        return {}
    told = {"registered": row.registered, "weighted": row.weighted}
    return {basis: heads for basis, heads in told.items() if heads is not None and heads > 0}


def summed(heads: Collection[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Lists of a network's practices added up, on each basis that all of them have."""
    bases = set.intersection(*(set(each) for each in heads)) if heads else set()
    return {basis: sum((each[basis] for each in heads), Decimal(0)) for basis in sorted(bases)}
