"""`make bench`: every row beside its floor; the table on the screen, everything in results.json."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import events, growth, imports, money, reads, reports, rounds, stack
from bench.ground import Ground
from bench.measure import HEAD, Row
from shared import log

RESULTS = Path(__file__).with_name("results.json")

ROWS: dict[str, Callable[[Ground], Awaitable[list[Row]]]] = {
    "point": reads.point,
    "known": reads.as_then_known,
    "import": imports.england,
    "history": imports.history,
    "run": money.month_run,
    "year": money.year_run,
    "events": events.embedded,
    "kafka": events.kafka,
    "visible": events.visible,
    "rebuild": events.rebuild,
    "reports": reports.reports,
    "growth": growth.growth,
    "list": reads.lists,
    "round": rounds.decision,
    "stack": stack.start_and_memory,
}
WIDTHS = [34, 9, 9, 8, 9, 7, 26, 7]


def line(cells: list[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


async def measure(chosen: list[str], ground: Ground) -> list[Row]:
    rows: list[Row] = []
    print(line(HEAD), flush=True)
    try:
        for name in chosen:
            begun = time.perf_counter()
            made = await ROWS[name](ground)
            for row in made:
                print(line(row.cells()), flush=True)
            rows.extend(made)
            if "PCN_BENCH_TIMES" in os.environ:
                print(f"    ({name} took {time.perf_counter() - begun:.0f} s)", flush=True)
    finally:
        await ground.close()
    return rows


def main() -> int:
    chosen = [name for word in sys.argv[1:] for name in word.replace(",", " ").split()] or list(ROWS)
    unknown = [name for name in chosen if name not in ROWS]
    if unknown:
        print(f"No row {', '.join(unknown)}; there are {', '.join(ROWS)}.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was begun is cleared away
    log.configure("ERROR")
    logging.getLogger("aiokafka").setLevel("CRITICAL")  # a broker that has only just started is waited for
    begun = time.perf_counter()
    with Ground() as ground:
        data = "the real register files" if ground.data else "an invented England"
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, on {data}\n", flush=True)
        rows = asyncio.run(measure(chosen, ground))
    RESULTS.write_text(
        json.dumps(
            {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": {"cores": os.cpu_count(), "load": os.getloadavg(), "python": platform.python_version()},
                "data": data,
                "seconds": round(time.perf_counter() - begun),
                "rows": [row.as_json() for row in rows],
            },
            indent=1,
            default=str,
        )
        + "\n"
    )
    short = [row.name for row in rows if not row.ok]
    print(f"\n{len(rows)} rows in {time.perf_counter() - begun:.0f} s; short: {', '.join(short) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
