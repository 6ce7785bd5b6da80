"""Loading everything a year's money depends on, in a few statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.agreements.operations import lacking_agreement
from services.funding.beds.operations import beds_of
from services.funding.consents.queries import scopes_of
from services.funding.lines.words import Trace
from services.funding.membership_rules.operations import rules_of
from services.funding.networks.model import Practice
from services.funding.networks.queries import load_served
from services.funding.payments.engine import Key, Year
from services.funding.payments.heads import Populations, Serving
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.populations.model import Population
from services.funding.relabellings.model import in_month
from services.funding.relabellings.operations import relabellings_of
from services.funding.tariffs.model import NATIONAL, Basis
from services.funding.tariffs.operations import scoped_rates_of
from shared.clock import london_day
from shared.years import months_of, snapshot_of


async def load_year(
    session: AsyncSession,
    contract_year: str,
    through: str,
    now: datetime,
    *,
    networks: Collection[str] | None = None,
    known_at: datetime | None = None,
) -> Year:
    """What is known of a contract year up to a month, of all networks or of some: now, or as it was at `known_at`."""
    months = tuple(month for month in months_of(contract_year) if month <= through)
    rules = await rules_of(session, months, known_at)
    months = tuple(month for month in months if month not in rules or (rules[month].paid_from or "") <= through)
    snapshot = snapshot_of(contract_year)
    scopes = await scopes_of(session, contract_year, known_at=known_at)
    served = await load_served(session, months, rules, scopes, networks=networks, known_at=known_at)
    local = {scope for agreed in scopes.values() for _, scope in agreed}
    rates = await scoped_rates_of(session, months, known_at or now, [NATIONAL, *sorted(local)])
    relabelled = await relabellings_of(session, [contract_year], london_day(known_at or now))
    rule_told = {month: rule.told(month) for month, rule in rules.items()}
    return Year(
        contract_year=contract_year,
        months=months,
        rates=rates.get(NATIONAL, {}),
        scoped=rates,
        populations=await populations_of(
            session, snapshot, None if networks is None else served.by_month, served.commissioners, known_at
        ),
        commissioners=served.commissioners,
        served=served.by_month,
        beds=await beds_of(session, months, networks=networks, known_at=known_at),
        paid=await paid_so_far(session, contract_year, networks, known_at),
        withdrawn=served.withdrawn,
        waiting=await lacking_agreement(session, months, now, networks=networks, known_at=known_at),
        rules={month: told for month, told in rule_told.items() if told is not None},
        relabelled={
            month: tuple(one.told() for one in held) for month in months if (held := in_month(relabelled, month))
        },
    )


async def populations_of(
    session: AsyncSession,
    snapshot: date,
    served: Mapping[str, Mapping[str, tuple[Serving, ...]]] | None,
    commissioners: Mapping[str, str],
    known_at: datetime | None,
) -> Populations:
    """The figures of a snapshot: everybody's, or those of the practices served."""
    known = func.upper_inf(Population.known) if known_at is None else Population.known.contains(known_at)
    held = (Population.snapshot == snapshot, known)
    wanted = select(Population.basis, Population.practice, Population.value, Population.commissioner).where(*held)
    registered = select(Practice.code, Practice.commissioner)
    if served is not None:
        codes = {who.practice for months in served.values() for whom in months.values() for who in whom}
        wanted = wanted.where(Population.practice.in_(codes))
        registered = registered.where(Practice.code.in_(codes))
    figures: dict[str, dict[str, Decimal]] = {basis.value: {} for basis in Basis}
    published = set()
    for basis, practice, value, commissioner in await session.execute(wanted):
        figures[basis][practice] = value
        if basis == "registered":
            published.add(commissioner)
    of = {row.code: row.commissioner for row in await session.execute(registered)}
    if served is not None:
        around = {*of.values(), *commissioners.values()}
        lists = select(Population.commissioner).where(
            *held, Population.basis == Basis.REGISTERED, Population.commissioner.in_(around)
        )
        published.update((await session.scalars(lists.distinct())).all())
    return Populations(snapshot, figures, frozenset(published), of)


async def paid_so_far(
    session: AsyncSession,
    contract_year: str,
    networks: Collection[str] | None = None,
    known_at: datetime | None = None,
) -> dict[Key, dict[str, Decimal]]:
    """What issued runs paid by head or bed for each month of a year, the month first paid first."""
    chosen = "" if networks is None else "AND l.network = ANY(:networks)"
    issued = "" if known_at is None else "AND r.issued_at <= :known_at"
    rows = await session.execute(
        text(f"""
            SELECT network, practice, stream, array_agg(month ORDER BY first_line),
                   array_agg(amount ORDER BY first_line)
            FROM (
                SELECT l.network COLLATE "C" AS network, l.practice COLLATE "C" AS practice,
                       l.stream COLLATE "C" AS stream, l.month, sum(l.amount) AS amount,
                       min(l.id COLLATE "C") AS first_line
                FROM payment_lines AS l JOIN payment_runs AS r ON r.id = l.run AND r.status = 'issued'
                WHERE l.contract_year = :year AND l.amount IS NOT NULL AND l.reference IS NULL {chosen} {issued}
                GROUP BY l.network, l.practice, l.stream, l.month
            ) AS by_month
            GROUP BY network, practice, stream
            ORDER BY network, practice NULLS FIRST, stream
        """),  # noqa: S608 - the only parts put in are constants
        {
            "year": contract_year,
            **({} if networks is None else {"networks": sorted(networks)}),
            **({} if known_at is None else {"known_at": known_at}),
        },
    )
    return {
        Key(network, practice, stream): dict(zip(months, amounts, strict=True))
        for network, practice, stream, months, amounts in rows
    }


async def last_traces(
    session: AsyncSession, contract_year: str, wanted: Collection[tuple[Key, str]]
) -> dict[tuple[Key, str], Trace]:
    """The trace of the newest issued line for each key and month."""
    if not wanted:
        return {}
    rows = await session.execute(
        text("""
            SELECT DISTINCT ON (w.network, w.practice, w.stream, w.month)
                   w.network, w.practice, w.stream, w.month, l.trace
            FROM unnest(CAST(:networks AS text[]), CAST(:practices AS text[]), CAST(:streams AS text[]),
                        CAST(:months AS text[])) AS w (network, practice, stream, month)
            JOIN payment_lines AS l
              ON l.contract_year = :year AND l.network = w.network AND l.practice IS NOT DISTINCT FROM w.practice
             AND l.stream = w.stream AND l.month = w.month AND l.amount IS NOT NULL AND l.reference IS NULL
            JOIN payment_runs AS r ON r.id = l.run AND r.status = 'issued'
            ORDER BY w.network, w.practice, w.stream, w.month, r.issued_at DESC
        """),
        {
            "year": contract_year,
            "networks": [key.network for key, _ in wanted],
            "practices": [key.practice for key, _ in wanted],
            "streams": [key.stream for key, _ in wanted],
            "months": [month for _, month in wanted],
        },
    )
    return {(Key(network, practice, stream), month): trace for network, practice, stream, month, trace in rows}


async def years_paid(session: AsyncSession, before: str) -> list[tuple[str, str]]:
    """Earlier contract years, each with the last month a run was issued for: late news of months run is still paid."""
    found = await session.execute(
        select(PaymentRun.contract_year, func.max(PaymentRun.month))
        .where(PaymentRun.status == RunStatus.ISSUED, PaymentRun.contract_year < before)
        .group_by(PaymentRun.contract_year)
        .order_by(PaymentRun.contract_year)
    )
    return [(year, month) for year, month in found]


async def totals_of(session: AsyncSession, run: str) -> dict[str, tuple[int, Decimal]]:
    """Lines and amount by stream, as stored."""
    rows = await session.execute(
        select(PaymentLine.stream, func.count(), func.sum(PaymentLine.amount))
        .where(PaymentLine.run == run, PaymentLine.amount.is_not(None))
        .group_by(PaymentLine.stream)
    )
    return {stream: (count, amount or Decimal("0.00")) for stream, count, amount in rows}
