"""A month paid for all of England, and a year recomputed after a restatement."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from bench.country import SNAPSHOT, Country, copy_into_funding, england
from bench.ground import Bench, Ground, connect, copied_in, copied_out
from bench.measure import Row, Target
from services.funding.payments.engine import NEVER_BY_HEAD, Rate
from services.funding.tariffs.operations import rates_of
from services.funding.tariffs.shipped import counted_on
from shared.database import sessions_for
from shared.events.registry import ListSize, ListSizesPublished
from shared.identity import Role

RUNS = "/funding/v1/payment-runs"
APRIL, MAY, FEBRUARY, MARCH = "2022-04", "2022-05", "2023-02", "2023-03"
REPEATS = 5
YEAR_REPEATS = 3


async def funded(ground: Ground, country: Country) -> Bench:
    """Funding over a database that holds this country."""
    bench = await ground.open("funding")
    async with await connect(bench.url) as connection:
        await copy_into_funding(connection, country)
    return bench


async def calculate(bench: Bench, month: str) -> tuple[float, dict[str, Any]]:
    """Seconds from the request to the answer, committed; and the run."""
    alice = bench.token(Role.NATIONAL)
    begun = time.perf_counter()
    run = await bench.post(RUNS, alice, json={"month": month})
    return time.perf_counter() - begun, run


async def give_up(bench: Bench, run: dict[str, Any]) -> None:
    """Abandon a run and have its rows forgotten, so that the next is calculated on the same ground."""
    await bench.put(f"{RUNS}/{run['id']}/abandonment", bench.token(Role.NATIONAL))


async def pay(bench: Bench, month: str) -> dict[str, Any]:
    """Calculate, approve and issue."""
    _, run = await calculate(bench, month)
    second = bench.token(Role.NATIONAL, subject="bob")
    noted = [{"kind": kind, "reason": "as measured"} for kind in run["findings"]]
    await bench.put(f"{RUNS}/{run['id']}/approval", second, {"acknowledgements": noted})
    paid: dict[str, Any] = await bench.put(f"{RUNS}/{run['id']}/issue", second)
    return paid


@dataclass
class Frames:
    """What the floor computes with: everything a month depends on, in memory already."""

    members: pl.DataFrame
    sizes: pl.DataFrame
    rates: dict[str, tuple[Rate, ...]]

    @classmethod
    async def of(cls, bench: Bench, months: Sequence[str]) -> Frames:
        async with await connect(bench.url) as connection:
            members = await (
                await connection.execute(
                    "SELECT m.network, m.practice, greatest(lower(m.valid), n.valid_from),"
                    " least(coalesce(upper(m.valid) - 1, date '9999-01-01'), coalesce(n.valid_to, date '9999-01-01'))"
                    " FROM memberships m JOIN networks n ON n.code = m.network"
                )
            ).fetchall()
            sizes = await (
                await connection.execute("SELECT practice, basis, CAST(value AS float8) FROM populations")
            ).fetchall()
        async with sessions_for(bench.runtime.engine).begin() as session:
            rates = await rates_of(session, months, datetime.now(UTC))
        return cls(
            pl.DataFrame(members, schema=["network", "practice", "first", "last"], orient="row"),
            pl.DataFrame(sizes, schema=["practice", "basis", "value"], orient="row"),
            dict(rates),
        )

    def products(self, months: Sequence[str]) -> float:
        """Cumulative amounts of every payee, stream and month, rounded and told apart by month; the last one's sum."""
        days = pl.DataFrame({"month": list(months), "day": [counted_on(month) for month in months]})
        rates = pl.DataFrame(
            [
                (month, rate.stream, rate.payee, rate.basis, float(rate.value), float(rate.parts))
                for month, held in self.rates.items()
                for rate in held
                if rate.value is not None and rate.stream not in NEVER_BY_HEAD and rate.basis != "beds"
            ],
            schema=["month", "stream", "payee", "basis", "rate", "months"],
            orient="row",
        )
        served = self.members.join(days, how="cross").filter(pl.col("day").is_between("first", "last"))
        heads = served.join(self.sizes, on="practice").join(rates, on=["month", "basis"])
        networks = (
            heads.filter(pl.col("payee") == "network")
            .group_by("network", "stream", "month", "rate", "months")
            .agg(pl.col("value").sum())
            .with_columns(practice=pl.lit(""))
        )
        own = heads.filter(pl.col("payee") == "practice").select(networks.columns)
        lines = (
            pl.concat([networks, own])
            .sort("network", "practice", "stream", "month")
            .with_columns(due=pl.col("rate") * pl.col("value") / pl.col("months"))
            .with_columns(
                cumulative=pl.col("due").cum_sum().over("network", "practice", "stream").round(2, "half_away_from_zero")
            )
            .with_columns(
                amount=pl.col("cumulative")
                - pl.col("cumulative").shift(1).over("network", "practice", "stream").fill_null(0.0)
            )
        )
        return float(lines.filter(pl.col("month") == months[-1])["amount"].sum())


async def floor_of(bench: Bench, run: dict[str, Any], months: Sequence[str]) -> Callable[[], Awaitable[float]]:
    """The same products vectorised, and as many rows of the same width by COPY into a table of the same shape."""
    frames = await Frames.of(bench, months)
    async with await connect(bench.url) as connection:
        blocks = await copied_out(connection, f"(SELECT * FROM payment_lines WHERE run = '{run['id']}')")
        await connection.execute("DROP TABLE IF EXISTS floor_lines")
        await connection.execute("CREATE TABLE floor_lines (LIKE payment_lines INCLUDING ALL)")
    assert len(blocks) >= run["lines"]

    async def once() -> float:
        async with await connect(bench.url, autocommit=False) as connection:
            await connection.execute("TRUNCATE floor_lines")
            await connection.commit()
            begun = time.perf_counter()
            total = frames.products(months)
            await copied_in(connection, "floor_lines", blocks)
            await connection.commit()
            taken = time.perf_counter() - begun
        assert abs(total - float(run["total"])) < 1, (total, run["total"])
        return taken

    return once


async def england_paid_to_april(ground: Ground) -> Bench:
    async def make() -> Bench:
        bench = await funded(ground, england(ground.data))
        await pay(bench, APRIL)
        return bench

    made: Bench = await ground.once("funding with April paid", make)
    return made


async def month_run(ground: Ground) -> list[Row]:
    """May, with April paid: what every payee is due for both and has not had."""
    bench = await england_paid_to_april(ground)
    _, run = await calculate(bench, MAY)
    floor = await floor_of(bench, run, [APRIL, MAY])
    await give_up(bench, run)
    samples, floors = [], []
    for _ in range(REPEATS):
        taken, run = await calculate(bench, MAY)
        await give_up(bench, run)
        samples.append(taken)
        floors.append(await floor())
    more = {"lines": run["lines"], "total": run["total"], "held": run["held"]}
    return [Row("payment run, a month", "s", samples, Target(ratio_at_most=5, value_at_most=3), floors, more)]


async def restate(bench: Bench, commissioners: int) -> int:
    """Registered and weighted lists of some areas come out again, one patient more in each practice."""
    async with await connect(bench.url) as connection:
        rows = await (
            await connection.execute(
                "SELECT commissioner, basis, practice, network, value FROM populations WHERE upper_inf(known)"
                " AND commissioner IN (SELECT DISTINCT commissioner FROM networks ORDER BY 1 LIMIT %s)"
                " ORDER BY 1, 2, 3",
                [commissioners],
            )
        ).fetchall()
    grouped: dict[tuple[str, str], list[ListSize]] = {}
    for commissioner, basis, practice, network, value in rows:
        size = ListSize(practice=practice, network=network, value=value + Decimal(1))
        grouped.setdefault((commissioner, basis), []).append(size)
    await bench.deliver(
        ListSizesPublished(
            commissioner=commissioner,
            basis=basis,
            snapshot=SNAPSHOT,
            known_from=date(2022, 9, 1),
            source="restated",
            sizes=sizes,
        )
        for (commissioner, basis), sizes in grouped.items()
    )
    return len({row[2] for row in rows})


async def year_run(ground: Ground) -> list[Row]:
    """March, with eleven months paid and the lists of one area restated: all of the year is worked out anew."""
    bench = await funded(ground, england(ground.data))
    floors = []
    await pay(bench, APRIL)
    for _ in range(YEAR_REPEATS):
        taken, run = await calculate(bench, MAY)
        await give_up(bench, run)
        floors.append(taken)
    await pay(bench, FEBRUARY)
    practices = await restate(bench, 1)
    samples = []
    for _ in range(YEAR_REPEATS):
        taken, run = await calculate(bench, MARCH)
        samples.append(taken)
        await give_up(bench, run)
    more = {"lines": run["lines"], "practices_restated": practices}
    return [Row("full-year recomputation", "s", samples, Target(ratio_at_most=3), floors, more)]
