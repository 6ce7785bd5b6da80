"""A registration round of twenty networks, decided in one transaction."""

from __future__ import annotations

import math
import time
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from bench.country import Country, invented_files
from bench.ground import Bench, Ground, connect, copied_in, copied_out
from bench.imports import take_in
from bench.measure import Row, Target
from shared.identity import Role

NETWORKS, MEMBERS, REPEATS = 20, 5, 3
AREA = "A00"
V1 = "/registry/v1"
CORNERS = 200
"""Positions of each network's area."""

WRITTEN = ("network_entries", "memberships", "payees", "network_areas", "allocations", "waivers")
"""Dated tables a decision writes; of each the rows it came to believe."""


def one_area() -> Country:
    """A commissioner with twenty networks of five practices, and one practice outside."""
    country = Country(commissioners=[AREA], sizes={"registered": {}, "adjusted": {}, "weighted": {}})
    opened = date(2019, 7, 1)
    for number in range(NETWORKS * MEMBERS + 1):
        code, network = f"A{number:05d}", f"U{number // MEMBERS + 1:05d}"
        country.practices[code] = AREA
        if number < NETWORKS * MEMBERS:
            country.networks[network] = (AREA, opened, None)
            country.members.append((network, code, opened, None))
        country.named[code] = network if number < NETWORKS * MEMBERS else None
        country.sizes["registered"][code] = Decimal(8_000 + number)
        country.sizes["adjusted"][code] = country.sizes["weighted"][code] = Decimal(8_000)
    return country


def _ground_of(number: int) -> dict[str, Any]:
    """A round area of its own for each network, side by side."""
    east, north = -2 + number % 5 * 0.1, 53 + number // 5 * 0.1
    turns = [2 * math.pi * corner / CORNERS for corner in range(CORNERS)]
    ring = [[east + 0.04 * math.cos(turn), north + 0.04 * math.sin(turn)] for turn in turns]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def _form(round: str, number: int) -> dict[str, Any]:
    """Each network goes on, but hands its last practice to the next one."""
    own = [number * MEMBERS + place for place in range(MEMBERS - 1)]
    before = (number - 1) % NETWORKS
    taken = before * MEMBERS + MEMBERS - 1
    lines = [{"practice": f"A{practice:05d}"} for practice in own]
    lines.append({"practice": f"A{taken:05d}", "leaves": f"U{before + 1:05d}"})
    return {
        "round": round,
        "network_name": f"NETWORK {number + 1}",
        "network": f"U{number + 1:05d}",
        "practices": lines,
        "clinical_director": {"name": "Dr Invented", "practice": lines[0]["practice"]},
        "payee": lines[0]["practice"],
        "agreement_signed_by": [line["practice"] for line in lines],
        "area_description": "A circle",
        "area": _ground_of(number),
    }


async def ready(bench: Bench) -> tuple[str, dict[str, str]]:
    """The round with its twenty applications handed in, and its commissioner."""
    await take_in(bench, invented_files(one_area()))
    decider = bench.token(Role.COMMISSIONER, organisations=[AREA], subject="carol")
    terms = {
        "commissioner": AREA,
        "contract_year": "2022-23",
        "opens_on": "2022-01-10",
        "apply_by": "2022-02-28",
        "decide_by": "2022-03-31",
        "starts_on": "2022-04-01",
        "snapshot": "2022-01-01",
    }
    round = str((await bench.post(f"{V1}/rounds", decider, json=terms))["id"])
    for number in range(NETWORKS):
        made = await bench.post(f"{V1}/applications", decider, json=_form(round, number))
        await bench.put(f"{V1}/applications/{made['id']}/submission", decider, {"received_on": "2022-02-14"})
    outside = {
        "practice": f"A{NETWORKS * MEMBERS:05d}",
        "network": "U00001",
        "valid_from": "2022-04-01",
        "reason": "It stays out.",
    }
    await bench.post(f"{V1}/allocations", decider, json=outside)
    return round, decider


async def _stored(connection: psycopg.AsyncConnection[Any], table: str) -> str:
    """The columns of a table that are not computed from others."""
    asked = await connection.execute(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
        [table],
    )
    (found,) = await asked.fetchone() or ("",)
    return str(found)


async def decision(ground: Ground) -> list[Row]:
    """`PUT /rounds/{id}/decision` to the commit; the floor puts the rows it wrote into an empty register by COPY."""
    samples, floors, written = [], [], 0
    for _ in range(REPEATS):
        async with ground.lent("registry") as bench:
            round, decider = await ready(bench)
            async with await connect(bench.url) as connection:
                before: Any = await (await connection.execute("SELECT now(), max(position) FROM outbox")).fetchone()
                begun = time.perf_counter()
                decided = await bench.put(f"{V1}/rounds/{round}/decision", decider, {"decided_on": "2022-03-28"})
                samples.append(time.perf_counter() - begun)
                assert decided["status"] == "decided"
                rows = {}
                for table, of_it in [
                    *((table, f"lower(known) >= '{before[0].isoformat()}'") for table in WRITTEN),
                    ("outbox", f"position > {int(before[1])}"),
                ]:
                    columns = await _stored(connection, table)
                    rows[f"{table} ({columns})"] = await copied_out(
                        connection, f"(SELECT {columns} FROM {table} WHERE {of_it})"
                    )
        written = sum(len(blocks) for blocks in rows.values())
        async with ground.lent("registry") as empty, await connect(empty.url, autocommit=False) as connection:
            await connection.execute("SET LOCAL session_replication_role = replica")  # nothing they hang on is there
            begun = time.perf_counter()
            for into, blocks in rows.items():
                await copied_in(connection, into, blocks)
            await connection.commit()
            floors.append(time.perf_counter() - begun)
    more = {"networks": NETWORKS, "rows_written": written}
    return [Row("round of 20 networks decided", "s", samples, Target(value_at_most=1), floors, more)]
