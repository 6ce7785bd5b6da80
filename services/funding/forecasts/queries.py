"""The figures of a year's sums, by network, by role and month, or pooled on the map of a day.

A month already claimed counts as its claim is payable. A month still open to be claimed counts for each person in post
as the mean of what the post's claims of the year were paid for a day of one whole-time equivalent, within the ceiling
of the month; and at the ceiling while nothing was claimed. A month that can no longer be claimed, one sent back and
not made again in time, or one the network has no right to be paid for counts nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache

from sqlalchemy import RowMapping, TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.arrears.model import ArrearsClaim
from services.funding.claims.model import GP_YEAR, Claim, scope_of
from services.funding.deadlines.operations import deadline_of
from services.funding.forecasts.model import Figures, Post
from services.funding.heirs.model import SystemPlace, Tenure
from services.funding.networks.model import Commissioner, Network
from services.funding.queries.model import PaymentQuery
from services.funding.scope import network_codes_seen
from services.funding.tariffs.model import Tariff, TariffKind, in_force
from shared.clock import london_day
from shared.history import as_known, relation_as_known
from shared.identity import Caller
from shared.years import first_day, last_day, months_of, year_end, year_start


class Pool(StrEnum):
    """What figures are pooled by: the commissioner of the day, or the system it belonged to."""

    COMMISSIONER = "commissioner"
    SYSTEM = "system"


_FIGURES = """
WITH open_months AS (
    SELECT month, CAST(month || '-01' AS date) AS first,
           CAST(CAST(month || '-01' AS date) + INTERVAL '1 month - 1 day' AS date) AS last
    FROM unnest(CAST(:open AS text[])) AS month
), ceilings AS (
    SELECT * FROM unnest(CAST(:roles AS text[]), CAST(:zones AS text[]), CAST(:months AS text[]),
                         CAST(:values AS numeric[]), CAST(:scopes AS text[])) AS c (role, zone, month, value, variation)
), made AS (
    SELECT c.network, c.scope, c.role, c.month, c.post, c.status, c.payable, c.counted,
           c.paid AS was_paid, c.taken_back,
           c.salary + c.employer_ni + c.employer_pension + c.supplier_fee AS cost
    FROM {claims} AS c
    WHERE c.contract_year = :year AND c.network = ANY(:networks) AND c.status IN ('submitted', 'approved', 'paid')
), means AS (
    SELECT post, sum(payable) / sum(counted) AS a_day FROM made WHERE payable IS NOT NULL AND counted > 0 GROUP BY post
), ahead AS (
    SELECT p.network, p.role, m.month,
           CASE WHEN :split THEN CASE WHEN p.role = 'gp' THEN 'gp_only' ELSE 'all_roles_except_gp' END
                ELSE 'all_roles' END AS scope,
           p.wte * (least(m.last, p.ended_on) - greatest(m.first, p.started_on) + 1) AS days,
           extract(day FROM m.last) AS of_days, coalesce(l.value, c.value, a.ceiling) AS value, means.a_day
    FROM {posts} AS p
    JOIN open_months AS m ON p.started_on <= m.last AND (p.ended_on IS NULL OR p.ended_on >= m.first)
    LEFT JOIN ceilings AS c
      ON c.role = p.role AND c.zone = p.zone AND c.month = m.month AND c.variation = 'national'
    LEFT JOIN local_terms AS t
      ON t.network = p.network AND t.every_member AND {terms} AND t.valid @> m.first
    LEFT JOIN ceilings AS l
      ON l.role = p.role AND l.month = m.month AND l.variation = t.variation
     AND (l.zone = p.zone OR starts_with(l.role, 'local_'))
    LEFT JOIN agreed_roles AS a
      ON a.network = p.network AND a.role = p.role AND {agreed} AND a.valid @> greatest(m.first, p.started_on)
    LEFT JOIN means ON means.post = p.id
    WHERE p.network = ANY(:networks) AND p.additional
      AND NOT EXISTS (SELECT FROM made WHERE made.post = p.id AND made.month = m.month)
      AND NOT EXISTS (
          SELECT FROM withdrawals AS w
          WHERE w.network = p.network AND w.practice IS NULL AND upper_inf(w.known) AND w.valid @> m.first
      )
), parts AS (
    SELECT network, scope, role, month, cost AS claimed,
           CASE WHEN status = 'submitted' THEN payable END AS waiting,
           CASE WHEN status = 'approved' THEN payable - was_paid END AS approved,
           was_paid - taken_back AS paid,
           NULL::numeric AS arrears, NULL::numeric AS expected, 0 AS unknown
    FROM made
    UNION ALL
    SELECT network, scope, '', '', NULL, NULL, NULL, NULL, payable - taken_back, NULL, 0 FROM {arrears} AS a
    WHERE contract_year = :year AND network = ANY(:networks) AND status IN ('approved', 'paid')
    UNION ALL
    SELECT q.network, coalesce(c.scope, a.scope), coalesce(c.role, ''), coalesce(c.month, ''), NULL, NULL, NULL,
           CASE WHEN c.id IS NOT NULL THEN q.adjustment END, CASE WHEN c.id IS NULL THEN q.adjustment END, NULL, 0
    FROM {queries} AS q JOIN payment_lines AS l ON l.id = q.line
    LEFT JOIN {claims} AS c ON split_part(l.reference, '~', 1) = 'claims/' || c.id
    LEFT JOIN {arrears} AS a ON split_part(l.reference, '~', 1) = 'arrears/' || a.id
    WHERE q.contract_year = :year AND q.network = ANY(:networks) AND q.state = 'answered'
      AND q.adjustment IS NOT NULL AND coalesce(c.id, a.id) IS NOT NULL
    UNION ALL
    SELECT network, scope, role, month, NULL, NULL, NULL, NULL, NULL,
           least(a_day * days, value * days / (12 * of_days)), CASE WHEN value IS NULL THEN 1 ELSE 0 END
    FROM ahead
)
SELECT {by}, sum(claimed) AS claimed, sum(waiting) AS waiting, sum(approved) AS approved, sum(paid) AS paid,
       sum(arrears) AS arrears, sum(CASE WHEN unknown = 0 THEN expected END) AS expected, sum(unknown) AS unknown
FROM parts GROUP BY {by} ORDER BY {by}
"""
_MAP = """
SELECT n.code AS network, coalesce(t.commissioner, n.commissioner) AS commissioner,
       coalesce(s.system, c.system, '') AS system
FROM {networks} AS n
LEFT JOIN {tenures} AS t ON t.network = n.code AND t.valid_from <= :day AND (t.valid_to IS NULL OR t.valid_to >= :day)
LEFT JOIN LATERAL (
    SELECT p.system FROM {places} AS p
    WHERE p.commissioner = coalesce(t.commissioner, n.commissioner) AND p.valid_from <= :day
      AND (p.valid_to IS NULL OR p.valid_to >= :day)
    ORDER BY p.valid_from DESC LIMIT 1
) AS s ON true
LEFT JOIN {commissioners} AS c ON c.code = coalesce(t.commissioner, n.commissioner)
WHERE n.code = ANY(:networks)
"""


def _believed(fact: str, *, then: bool) -> str:
    return f"{fact}.known @> CAST(:known_at AS timestamptz)" if then else f"upper_inf({fact}.known)"


@cache
def _figures(by: str, *, then: bool) -> TextClause:
    """The statement of the figures, now or (with `known_at` among its values) as they were then."""
    return text(
        _FIGURES.format(
            by=by,
            agreed=_believed("a", then=then),
            terms=_believed("t", then=then),
            claims=relation_as_known(Claim, then=then),
            arrears=relation_as_known(ArrearsClaim, then=then),
            queries=relation_as_known(PaymentQuery, then=then),
            posts=relation_as_known(Post, then=then),
        )
    )


async def codes_seen(
    session: AsyncSession, caller: Caller, contract_year: str, known_at: datetime | None = None
) -> list[str]:
    """The networks of a year, as known now or then, that a caller may see."""
    network = as_known(Network, known_at)
    found = await session.scalars(
        select(network.code).where(
            network.code.in_(network_codes_seen(caller)),
            network.approved_on.is_not(None),
            network.valid_from <= year_end(contract_year),
            network.valid_to.is_(None) | (network.valid_to >= year_start(contract_year)),
        )
    )
    return sorted(found.all())


async def figures_of(
    session: AsyncSession, networks: Collection[str], contract_year: str, now: datetime, known_at: datetime | None
) -> dict[tuple[str, str], Figures]:
    """The figures of each network and sum of a year, now or as they were foretold at `known_at`."""
    rows = await _rows(session, "network, scope", networks, contract_year, now, known_at)
    return {(row["network"], row["scope"]): figures_from(row) for row in rows}


async def months_expected(
    session: AsyncSession, network: str, contract_year: str, now: datetime, known_at: datetime | None
) -> list[tuple[str, str, str, Figures]]:
    """The figures of a network's sums by role and month."""
    rows = await _rows(session, "network, scope, role, month", [network], contract_year, now, known_at)
    return [(row["scope"], row["role"], row["month"], figures_from(row)) for row in rows]


async def _rows(
    session: AsyncSession,
    by: str,
    networks: Collection[str],
    contract_year: str,
    now: datetime,
    known_at: datetime | None,
) -> list[RowMapping]:
    day = london_day(known_at or now)
    ceilings = await _ceilings(session, contract_year, day, known_at)
    found = await session.execute(
        _figures(by, then=known_at is not None),
        {
            **({} if known_at is None else {"known_at": known_at}),
            "year": contract_year,
            "networks": list(networks),
            "open": await months_open(session, contract_year, day, known_at),
            "split": contract_year == GP_YEAR,
            "roles": [role for role, _, _, _ in ceilings],
            "zones": [zone for _, zone, _, _ in ceilings],
            "months": [month for _, _, month, _ in ceilings],
            "scopes": [scope for _, _, _, scope in ceilings],
            "values": list(ceilings.values()),
        },
    )
    return list(found.mappings())


async def months_open(
    session: AsyncSession, contract_year: str, today: date, known_at: datetime | None = None
) -> list[str]:
    """The months of a year that may still be claimed, those to come among them."""
    deadline = await deadline_of(session, months_of(contract_year)[0], known_at)
    untils = {month: None if deadline is None else deadline.last_day_of(month) for month in months_of(contract_year)}
    return [
        m for m, until in untils.items() if last_day(m) >= first_day("2019-07") and (until is None or today <= until)
    ]


async def _ceilings(
    session: AsyncSession, contract_year: str, known_on: date, known_at: datetime | None
) -> dict[tuple[str, str, str, str], Decimal]:
    """The ceiling of every role, zone and month of a year, national and of each variation, as known on a day; parts of
    London fall back on all of it."""
    found = await session.scalars(
        select(Tariff).where(
            Tariff.kind == TariffKind.ROLE_MAXIMUM,
            Tariff.valid_from <= year_end(contract_year),
            Tariff.valid_to >= year_start(contract_year),
        )
    )
    rates: dict[tuple[str, str, str], list[Tariff]] = {}
    for tariff in found.all():
        rates.setdefault((tariff.code, tariff.zone, tariff.scope), []).append(tariff)
    values: dict[tuple[str, str, str, str], Decimal] = {}
    for (role, zone, scope), held in sorted(rates.items(), key=lambda item: item[0][1] != "london"):
        for month in months_of(contract_year):
            rate = in_force(held, first_day(month), known_on, known_at)
            if rate is not None and rate.value is not None:
                for place in ("london", "inner_london", "outer_london") if zone == "london" else (zone,):
                    values[role, place, month, scope] = rate.value
    return values


def figures_from(row: RowMapping) -> Figures:
    names = ("claimed", "waiting", "approved", "paid", "arrears", "expected")
    return Figures(**{name: row[name] or Decimal("0.00") for name in names}, unknown=int(row["unknown"]))


@cache
def _map(*, then: bool) -> TextClause:
    return text(
        _MAP.format(
            networks=relation_as_known(Network, then=then),
            tenures=relation_as_known(Tenure, then=then),
            places=relation_as_known(SystemPlace, then=then),
            commissioners=relation_as_known(Commissioner, then=then),
        )
    )


async def on_the_map(
    session: AsyncSession, networks: Collection[str], day: date, known_at: datetime | None = None
) -> dict[str, tuple[str, str]]:
    """The commissioner and the system of each network on a day."""
    values = {"networks": list(networks), "day": day} | ({} if known_at is None else {"known_at": known_at})
    rows = await session.execute(_map(then=known_at is not None), values)
    return {row.network: (row.commissioner, row.system) for row in rows}


def scopes_of(contract_year: str) -> list[str]:
    """The sums of a year."""
    return sorted({scope_of("gp", contract_year), scope_of("", contract_year)})
