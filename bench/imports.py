"""England's register files through the API."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from bench import country
from bench.country import RegisterFile
from bench.ground import Bench, Ground, connect, copied_in, copied_out
from bench.measure import Row, Target
from services.registry.imports.operations import CHANGED_TABLES
from shared.identity import Role

REPEATS = 3
TABLES = ["commissioners", "systems", *CHANGED_TABLES, "outbox"]


async def take_in(bench: Bench, files: Sequence[RegisterFile]) -> dict[str, float]:
    """Send the files in their order; gives the seconds of each, commit included."""
    operator = bench.token(Role.OPERATOR)
    taken = {}
    for number, file in enumerate(files):
        begun = time.perf_counter()
        report = await bench.post("/registry/v1/imports", operator, data=file.form, files=file.files)
        taken[f"{number} {file.form['kind']}"] = time.perf_counter() - begun
        assert report["loaded"] > 0, report
    return taken


def files_of(ground: Ground) -> list[RegisterFile]:
    """The real files, or the same kinds for an invented England."""
    return country.real_files(ground.data) if ground.data else country.invented_files(country.invented())


async def england(ground: Ground) -> list[Row]:
    """The files of the manifest; the floor puts the rows they became into an empty register by plain COPY."""
    return [
        await _row(ground, "import of England", files_of(ground), REPEATS, Target(ratio_at_most=10, value_at_most=15))
    ]


async def history(ground: Ground) -> list[Row]:
    """England from December 2019 on, every publication in its turn; without the real files there is none."""
    if ground.data is None:
        return []
    files = country.listed_files("england-history.yaml", ground.data)
    return [await _row(ground, "England's history", files, 1, Target(value_at_most=60))]


async def _row(ground: Ground, name: str, files: Sequence[RegisterFile], repeats: int, target: Target) -> Row:
    samples, floors, each, written = [], [], [], 0
    for _ in range(repeats):
        async with ground.lent("registry") as bench:
            each.append(await take_in(bench, files))
            samples.append(sum(each[-1].values()))
            rows = {}
            async with await connect(bench.url) as connection:
                for table in TABLES:
                    columns = await _columns(connection, table)
                    rows[f"{table} ({columns})"] = await copied_out(connection, f"(SELECT {columns} FROM {table})")
        written = sum(len(blocks) for blocks in rows.values())
        async with ground.lent("registry") as empty, await connect(empty.url, autocommit=False) as connection:
            begun = time.perf_counter()
            for table, blocks in rows.items():
                await copied_in(connection, table, blocks)
            await connection.commit()
            floors.append(time.perf_counter() - begun)
    more = {"rows_written": written, "seconds_by_file": each}
    return Row(name, "s", samples, target, floors, more)


async def _columns(connection: psycopg.AsyncConnection[Any], table: str) -> str:
    """The columns of a table that COPY may write; the database works the others out by itself."""
    written = await connection.execute(
        "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns "
        "WHERE table_name = %s AND is_generated = 'NEVER'",
        [table],
    )
    found = await written.fetchone()
    assert found is not None
    return str(found[0])
