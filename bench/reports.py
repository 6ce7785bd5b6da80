"""Every report over ten Englands and five years."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bench.country import COMMISSIONERS, NETWORKS, REGIONS, SYSTEMS
from bench.ground import Bench, Ground, connect
from bench.measure import Row, Target, percentile
from services.reporting.coverage.queries import By as CoverageBy
from services.reporting.coverage.queries import State
from services.reporting.spend.queries import By as SpendBy
from services.reporting.workforce.queries import By as WorkforceBy
from shared.identity import Role

TIMES, YEARS = 10, 5
ASKED = 25
DAY = "2024-01-15"
YEAR = "2023-24"

# As many rows as five years of events would have left: monthly payments, quarterly lists, a year's plan each April,
# twenty people a network. Rows no report reads (single claims, single lists) are left out.
SYNTHETIC = """
INSERT INTO commissioners
SELECT 'C' || lpad(to_hex(c), 4, '0'), '2019-04-01', NULL, 'Commissioner ' || c, 'Q' || c * {systems} / {commissioners},
       'System ' || c * {systems} / {commissioners}, 'Y' || c * {regions} / {commissioners}, 'Region', c
FROM generate_series(0, {commissioners} * {times} - 1) AS c;

INSERT INTO networks (network, name, commissioner, approved_on, valid_from, decided_by, sequence)
SELECT 'U' || lpad(n::text, 5, '0'), 'Network ' || n, 'C' || lpad(to_hex(n * {commissioners} / {networks}), 4, '0'),
       '2019-07-01', '2019-07-01', 'register', n
FROM generate_series(0, {networks} * {times} - 1) AS n;

INSERT INTO practices (practice, name, commissioner, status, sequence)
SELECT 'P' || right(network, 5) || p, 'Surgery ' || p, commissioner, 'active', 1
FROM networks, generate_series(1, 5) AS p;

INSERT INTO memberships
SELECT 'U' || substr(practice, 2, 5), practice, '2019-07-01', NULL, 1 FROM practices WHERE sequence = 1;

INSERT INTO practice_coverage
SELECT practice, first::date, (first + interval '3 months')::date, commissioner, 9000, c, 0, 9000 - c, 0
FROM practices, generate_series(date '2019-07-01', date '2024-04-01', interval '3 months') AS first,
     LATERAL (SELECT CASE WHEN abs(hashtext(practice)) % 200 = 0 THEN 0 ELSE 9000 END AS c) AS covered;

INSERT INTO coverage_changes
SELECT commissioner, first, count(*) * 9000, sum(covered), 0, sum(uncovered), 0, count(*),
       count(*) FILTER (WHERE uncovered > 0)
FROM practice_coverage GROUP BY 1, 2;
UPDATE coverage_changes SET registered = practices, covered = 0, uncovered = 0, practices = 0, practices_uncovered = 0
WHERE day > '2019-07-01';

CREATE TEMP TABLE months AS
SELECT to_char(m, 'YYYY-MM') AS month, y || '-' || lpad(((y + 1) % 100)::text, 2, '0') AS year, m::date AS day
FROM generate_series(date '2019-07-01', date '2024-06-01', interval '1 month') AS m,
     LATERAL (SELECT extract(year FROM m)::int - (extract(month FROM m) < 4)::int AS y) AS years;

INSERT INTO spend
SELECT 'run-' || month, network, '', stream, month, year, commissioner, month, day, 5234.56, 1
FROM months, networks,
     unnest(ARRAY['core_registered', 'clinical_director', 'extended_hours', 'leadership_management', 'arrs']) AS stream;
INSERT INTO spend
SELECT 'run-' || month, 'U' || substr(practice, 2, 5), practice, 'network_participation', month, year, commissioner,
       month, day, 1234.56, 1
FROM months, practices;

INSERT INTO commissioner_spend
SELECT contract_year, commissioner, stream, month, sum(amount), sum(lines) FROM spend GROUP BY 1, 2, 3, 4;

INSERT INTO budgets
SELECT year, network, commissioner, 700000, NULL, 1 FROM (SELECT DISTINCT year FROM months) AS years, networks;

INSERT INTO network_claims SELECT year, month, network, 20400, 6 FROM months, networks;
INSERT INTO network_claims
SELECT contract_year, '', network, sum(claimed), sum(claims) FROM network_claims GROUP BY 1, 3;

INSERT INTO posts
SELECT network || '-' || p, network, 'role_' || p % 15, 0.8, 'national', network,
       date '2019-10-01' + p * 80 % 1500, CASE WHEN p % 4 = 0 THEN date '2019-10-01' + p * 80 % 1500 + 500 END,
       true, 60, 1
FROM networks, generate_series(1, 20) AS p;

INSERT INTO planned_roles
SELECT year, network, 'role_' || p, left(year, 4) || '-04', 1
FROM (SELECT DISTINCT year FROM months) AS years, networks, generate_series(0, 7) AS p;

INSERT INTO rounds
SELECT 'round-' || commissioner || '-' || y, commissioner, y || '-' || lpad(((y + 1) % 100)::text, 2, '0'),
       make_date(y, 2, 28), make_date(y, 3, 31), make_date(y, 3, 28), NULL
FROM commissioners, generate_series(2020, 2024) AS y;

INSERT INTO applications (application, round, state, state_sequence, practices, patients, late, submitted_sequence)
SELECT 'app-' || network || '-' || y, 'round-' || commissioner || '-' || y, 'approved', 1, ARRAY['P1', 'P2'], 45000,
       false, 1
FROM networks, generate_series(2020, 2024) AS y;
"""


async def filled(ground: Ground, times: int) -> Bench:
    """Reporting over so many Englands; indexes are built after the rows, as a restore would."""
    bench = await ground.open("reporting")
    parts = {"times": times, "commissioners": COMMISSIONERS, "networks": NETWORKS, "systems": SYSTEMS}
    async with await connect(bench.url) as connection:
        await connection.execute("SET maintenance_work_mem = '512MB'; SET work_mem = '128MB'")
        async with connection.transaction():
            # new in this transaction: PostgreSQL then writes no log of what goes in
            await connection.execute("TRUNCATE spend")
            await connection.execute("ALTER TABLE spend DROP CONSTRAINT pk_spend; DROP INDEX ix_spend_network")
            await connection.execute(SYNTHETIC.format(**parts, regions=REGIONS))
            await connection.execute(
                "ALTER TABLE spend ADD CONSTRAINT pk_spend PRIMARY KEY (run, network, practice, stream, month)"
            )
            await connection.execute("CREATE INDEX ix_spend_network ON spend (network, contract_year)")
        await connection.execute("VACUUM ANALYZE")
    return bench


def questions() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every report cut every way it can be, for all that is there."""
    for coverage in CoverageBy:
        yield "coverage", "/reporting/v1/coverage", {"by": coverage.value, "as_at": DAY}
    for state in State:
        yield "coverage, practices", "/reporting/v1/coverage/practices", {"state": state.value, "as_at": DAY}
    for spend in SpendBy:
        yield "spend", "/reporting/v1/spend", {"by": spend.value, "contract_year": YEAR}
    yield "spend", "/reporting/v1/spend", {"by": "commissioner", "contract_year": YEAR, "stream": "arrs"}
    yield "spend", "/reporting/v1/spend", {"by": "network", "contract_year": YEAR, "month": "2023-10"}
    for workforce in WorkforceBy:
        yield "workforce", "/reporting/v1/workforce", {"by": workforce.value, "as_at": DAY}
    yield "deadlines", "/reporting/v1/deadlines", {"as_at": DAY}
    yield "deadlines", "/reporting/v1/deadlines", {"as_at": DAY, "contract_year": YEAR}


async def answered(bench: Bench, times: int = ASKED) -> dict[str, tuple[str, list[float]]]:
    """Milliseconds of each question, asked in turn so that none has a quiet minute to itself."""
    headers = bench.token(Role.NATIONAL)
    taken: dict[str, tuple[str, list[float]]] = {}
    for turn in range(times + 6):
        for report, path, params in questions():
            begun = time.perf_counter()
            found = await bench.get(path, headers, **params)
            spent = (time.perf_counter() - begun) * 1000
            assert found["items"] or "state" in params, (path, params)
            asked = " ".join([report, *(str(value) for value in params.values())])
            if turn >= 6:  # the driver prepares a statement at its fifth use
                taken.setdefault(asked, (report, []))[1].append(spent)
    return taken


async def tenfold(ground: Ground) -> Bench:
    bench: Bench = await ground.once(f"reporting x{TIMES}", lambda: filled(ground, TIMES))
    return bench


async def reports(ground: Ground) -> list[Row]:
    """One row a report: the slowest of its questions."""
    taken = await answered(await tenfold(ground))
    slowest: dict[str, tuple[str, list[float]]] = {}
    for asked, (report, spent) in taken.items():
        if report not in slowest or percentile(spent, 0.99) > percentile(slowest[report][1], 0.99):
            slowest[report] = (asked, spent)
    everything = {asked: percentile(spent, 0.99) for asked, (_, spent) in taken.items()}
    return [
        Row(
            f"report {report} x10 5y, p99",
            "ms",
            [percentile(spent, 0.99)],
            Target(value_at_most=100),
            (),
            {"slowest": asked, "median": percentile(spent, 0.5), "p99_of_all": everything},
        )
        for report, (asked, spent) in slowest.items()
    ]
