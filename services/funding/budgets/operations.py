"""Setting budgets whenever something they depend on arrives, and announcing only those that changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budgets.model import Budget, BudgetVersion, Sum, with_moves
from services.funding.budgets.sums import Agreed, sums_of_network
from services.funding.claims.operations import recheck_waiting
from services.funding.consents.queries import scopes_of
from services.funding.networks.model import Network
from services.funding.redistributions.model import Redistribution, RedistributionStep
from services.funding.tariffs.model import NATIONAL, Tariff, TariffKind
from services.funding.tariffs.shipped import posts
from shared.clock import london_day
from shared.events.funding import BudgetSet
from shared.messaging import announce_many
from shared.years import snapshot_of, year_end, year_start

# One row per practice a network serves on the day that decides its budget: the later of the year's first day (1 July in
# 2019, when networks began) and the network's own, with the practice's figures at the year's snapshot.
_SERVED = text("""
WITH RECURSIVE over (practice, successor, valid) AS (
    SELECT practice, successor, valid FROM practice_heirs WHERE upper_inf(known)
    UNION
    SELECT over.practice, h.successor, over.valid * h.valid
    FROM over JOIN practice_heirs AS h ON h.practice = over.successor AND upper_inf(h.known) AND over.valid && h.valid
)
SELECT n.code AS network, n.commissioner, y.contract_year, s.practice, s.share, s.how, s.went_into,
       greatest(y.begins, n.valid_from) AS counted_on,
       p.commissioner AS practice_commissioner,
       max(f.value) FILTER (WHERE f.basis = 'weighted') AS weighted,
       max(f.value) FILTER (WHERE f.basis = 'registered') AS registered,
       coalesce(bool_or(pub.commissioner IS NOT NULL), false) AS published
FROM networks AS n
CROSS JOIN unnest(CAST(:years AS text[]), CAST(:begins AS date[]), CAST(:ends AS date[]), CAST(:snapshots AS date[]))
    AS y (contract_year, begins, ends, snapshot)
LEFT JOIN LATERAL (
    SELECT m.practice, m.share, 'member' AS how, '' AS went_into FROM memberships AS m
    WHERE m.network = n.code AND upper_inf(m.known) AND m.valid @> greatest(y.begins, n.valid_from)
    UNION ALL
    SELECT a.practice, 1, 'allocated', '' FROM allocations AS a
    WHERE a.network = n.code AND upper_inf(a.known) AND a.valid @> greatest(y.begins, n.valid_from)
    UNION ALL
    SELECT o.practice, m.share, 'merged', m.practice FROM memberships AS m JOIN over AS o ON o.successor = m.practice
    WHERE m.network = n.code AND upper_inf(m.known) AND m.valid @> greatest(y.begins, n.valid_from)
      AND o.valid @> greatest(y.begins, n.valid_from)
    UNION ALL
    SELECT o.practice, 1, 'merged', a.practice FROM allocations AS a JOIN over AS o ON o.successor = a.practice
    WHERE a.network = n.code AND upper_inf(a.known) AND a.valid @> greatest(y.begins, n.valid_from)
      AND o.valid @> greatest(y.begins, n.valid_from)
) AS s ON true
LEFT JOIN practices AS p ON p.code = s.practice
LEFT JOIN populations AS f
    ON f.practice = s.practice AND f.snapshot = y.snapshot AND upper_inf(f.known)
    AND f.basis IN ('weighted', 'registered')
LEFT JOIN LATERAL (
    SELECT q.commissioner FROM populations AS q
    WHERE f.practice IS NULL AND q.snapshot = y.snapshot AND q.basis = 'registered' AND upper_inf(q.known)
      AND q.commissioner IN (p.commissioner, n.commissioner) LIMIT 1
) AS pub ON true
WHERE n.approved_on IS NOT NULL AND n.valid_from <= y.ends AND (n.valid_to IS NULL OR n.valid_to >= y.begins)
  AND n.code = ANY(:networks)
GROUP BY n.code, y.contract_year, y.begins, s.practice, s.share, s.how, s.went_into, p.commissioner
ORDER BY n.code, y.contract_year, s.practice
""")


_WEIGHTED = text("""
SELECT y.contract_year FROM unnest(CAST(:years AS text[]), CAST(:snapshots AS date[])) AS y (contract_year, snapshot)
WHERE EXISTS (SELECT FROM populations AS p WHERE p.snapshot = y.snapshot AND p.basis = 'weighted')
""")
_KEPT = "funding.years_with_weights"
_NOTHING = Decimal("0.00")
_KEPT_SUMS = "funding.sums"


def _begins(year: str) -> date:
    return date(2019, 7, 1) if year == "2019-20" else year_start(year)


async def set_budgets(
    session: AsyncSession, networks: Collection[str], years: Iterable[str], now: datetime, *, only: bool = False
) -> list[BudgetSet]:
    """Compute the budgets of networks in these years and those set before, keep what changed and announce it."""
    columns = (Budget.network, Budget.contract_year, Budget.scope, Budget.amount, Budget.held_reason, Budget.trace)
    before_now = (await session.execute(select(*columns).where(Budget.network.in_(networks)))).all()
    held = {(b.network, b.contract_year, b.scope): b for b in before_now}
    chosen = sorted({*years, *(() if only else (year for _, year, _ in held))})
    if not networks or not chosen:
        return []
    rows = (
        await session.execute(
            _SERVED,
            {
                "years": chosen,
                "begins": [_begins(year) for year in chosen],
                "ends": [year_end(year) for year in chosen],
                "snapshots": [snapshot_of(year) for year in chosen],
                "networks": sorted(networks),
            },
        )
    ).all()
    grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.network, row.contract_year].append(row)
    if not grouped:
        return []
    tariffs = await _tariffs(session, chosen)
    agreed = await _agreed(session, chosen, tariffs)
    moves = await _moves(session, networks, chosen)
    changed: dict[tuple[str, str], list[Sum]] = {}
    values: list[dict[str, Any]] = []
    for (network, year), served in grouped.items():
        given, received = moves.get((network, year), (_NOTHING, _NOTHING))
        sums = [
            with_moves(made, given, received)
            for made in sums_of_network(year, served, tariffs, agreed.get(year, {}), london_day(now))
        ]
        for made in sums:
            before = held.get((network, year, made.scope))
            if before is None or (before.amount, before.trace, before.held_reason) != (
                made.amount,
                made.trace,
                made.hold.detail if made.hold else None,
            ):
                values.append(_values(network, served[0].commissioner, year, made, now))
            if before is None or before.amount != made.amount or (before.held_reason is None) != (made.hold is None):
                changed[network, year] = sums
    if values:
        upsert = insert(Budget)
        names = ("commissioner", "amount", "held_code", "held_reason", "trace", "set_at")
        await session.execute(
            upsert.on_conflict_do_update(
                index_elements=["network", "contract_year", "scope"],
                set_={**{name: upsert.excluded[name] for name in names}, "version": Budget.version + 1},
            ),
            values,
        )
        versions = [{name: value for name, value in row.items() if name != "version"} for row in values]
        await session.execute(insert(BudgetVersion), versions)
    events = [
        _announcement(network, grouped[network, year][0].commissioner, year, sums)
        for (network, year), sums in changed.items()
    ]
    await announce_many(session, events)
    return events


def _values(network: str, commissioner: str, year: str, made: Sum, now: datetime) -> dict[str, Any]:
    return {
        "network": network,
        "contract_year": year,
        "scope": made.scope,
        "commissioner": commissioner,
        "amount": made.amount,
        "held_code": made.hold.code if made.hold else None,
        "held_reason": made.hold.detail if made.hold else None,
        "trace": made.trace,
        "set_at": now,
        "version": 1,
    }


def _announcement(network: str, commissioner: str, year: str, sums: Iterable[Sum]) -> BudgetSet:
    """One announcement for a year: the sums together, or held while one of them is."""
    made = list(sums)
    reasons = [s.hold.detail for s in made if s.hold is not None]
    amounts = [s.amount for s in made if s.amount is not None]
    return BudgetSet(
        network=network,
        commissioner=commissioner,
        contract_year=year,
        amount=None if reasons else sum(amounts, Decimal("0.00")),
        held_reason=" ".join(reasons) or None,
    )


async def _moves(
    session: AsyncSession, networks: Collection[str], years: Collection[str]
) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """What networks gave up and took on, by network and year, as agreed by their commissioner."""
    found = await session.execute(
        select(
            Redistribution.giver, Redistribution.receiver, Redistribution.contract_year, Redistribution.amount
        ).where(
            Redistribution.status == RedistributionStep.APPROVED,
            Redistribution.contract_year.in_(years),
            or_(Redistribution.giver.in_(networks), Redistribution.receiver.in_(networks)),
        )
    )
    moves: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for giver, receiver, year, amount in found:
        for network, part in ((giver, (amount, _NOTHING)), (receiver, (_NOTHING, amount))):
            given, received = moves.get((network, year), (_NOTHING, _NOTHING))
            moves[network, year] = (given + part[0], received + part[1])
    return moves


async def _tariffs(session: AsyncSession, years: Collection[str]) -> list[Tariff]:
    """The sums of those years, local ones among them, and the ceilings of posts where a year has no sum per head;
    looked up once."""
    kept: dict[tuple[str, ...], list[Tariff]] = session.info.setdefault(_KEPT_SUMS, {})
    if tuple(years) in kept:
        return kept[tuple(years)]
    sums = (Tariff.kind == TariffKind.ARRS_SUM) & Tariff.contract_year.in_(years)
    roles = {post.role for post in posts() if post.contract_year in years}
    wanted = (
        sums
        if not roles
        else sums | ((Tariff.kind == TariffKind.ROLE_MAXIMUM) & Tariff.code.in_(roles) & (Tariff.scope == NATIONAL))
    )
    kept[tuple(years)] = list((await session.scalars(select(Tariff).where(wanted))).all())
    return kept[tuple(years)]


async def _agreed(session: AsyncSession, years: Collection[str], tariffs: list[Tariff]) -> dict[str, Agreed]:
    """By year in which a local variation has a sum of its own: who agreed to which."""
    varied = {t.contract_year for t in tariffs if t.kind is TariffKind.ARRS_SUM and t.variation is not None}
    return {year: await scopes_of(session, year) for year in years if year in varied}


async def follow_tariff(session: AsyncSession, tariff: Tariff, now: datetime) -> None:
    """A new sum sets the budgets that rest on it; a new ceiling changes what waiting claims would be paid."""
    await session.flush()
    session.info.pop(_KEPT_SUMS, None)
    if tariff.kind is TariffKind.ARRS_SUM:
        year = tariff.contract_year
        approved = select(Network.code).where(Network.approved_on.is_not(None))
        set_before = select(Budget.network).where(Budget.contract_year == year).distinct()
        weighted = year in await years_with_weights(session, now)
        networks = (await session.scalars(approved if weighted else set_before)).all()
        await set_budgets(session, networks, {year}, now, only=True)
        await recheck_waiting(session, now, networks=networks)
    elif tariff.kind is TariffKind.ROLE_MAXIMUM:
        await recheck_waiting(session, now, role=tariff.code)


async def years_with_weights(session: AsyncSession, now: datetime) -> frozenset[str]:
    """The contract years for which any weighted population is held; looked up once in a transaction."""
    kept: frozenset[str] | None = session.info.get(_KEPT)
    if kept is None:
        years = [f"{start}-{(start + 1) % 100:02d}" for start in range(2019, now.year + 1)]
        found = await session.scalars(_WEIGHTED, {"years": years, "snapshots": [snapshot_of(year) for year in years]})
        kept = session.info[_KEPT] = frozenset(found.all())
    return kept


def weights_arrived(session: AsyncSession) -> None:
    """Forget which years have weighted populations: more have come in this transaction."""
    session.info.pop(_KEPT, None)
