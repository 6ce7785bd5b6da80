"""`make chaos`: both stacks in a storm, then the same without, and a table of faults and outcomes."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploy.broker import BrokerUnavailable, packages
from tests.chaos import faults, storm
from tests.chaos.stacks import embedded, over_kafka
from tests.chaos.storm import Storm, Weather, say

SHARES = {"embedded": 0.35, "kafka": 0.5}
"""Of the time given; the rest is for the undisturbed run."""
SHOWN = 20


def main() -> int:
    seconds = float(os.environ.get("CHAOS_SECONDS") or 600)
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
    say(f"chaos for about {seconds:.0f} s, CHAOS_SEED={seed}")
    root = Path(tempfile.mkdtemp(prefix="pcn-chaos-"))
    begun = time.monotonic()
    try:
        storms = run(root, seed, seconds)
        show(storms, time.monotonic() - begun)
        broken = [line for one in storms for line in one.broken]
        for line in broken[:SHOWN]:
            say(line)
        if broken:
            say(f"{len(broken)} things are not as they must be; CHAOS_KEEP=1 keeps the logs.")
        return int(bool(broken))
    finally:
        if not os.environ.get("CHAOS_KEEP"):
            shutil.rmtree(root, ignore_errors=True)


def run(root: Path, seed: int, seconds: float) -> list[Storm]:
    storms = []
    lasting = min(10.0, max(2.0, seconds / 100))
    pause = (0.5, lasting / 2)
    weather = Weather(seconds * SHARES["embedded"], lasting, pause, areas=2)
    with embedded(root / "embedded") as stack:
        storms.append(storm.blow("embedded", stack, faults.ON_EMBEDDED, seed, weather))
    try:
        packages()
        weather = Weather(seconds * SHARES["kafka"], lasting, pause, areas=2)
        with over_kafka(root / "kafka") as stack:
            storms.append(storm.blow("kafka", stack, faults.OVER_KAFKA, seed, weather))
    except BrokerUnavailable as why:
        say(f"!!! NO STORM OVER KAFKA: {why}")
    with embedded(root / "calm") as stack:
        undisturbed, states = storm.calm(stack, seed, max(one.counts.waves for one in storms), 2)
    for one in storms:
        storm.compare(one, states)
    return [*storms, undisturbed]


def show(storms: list[Storm], seconds: float) -> None:
    say(f"\n{'fault':<38}{'stack':<10}{'times':>6}{'seconds':>9}")
    for one in storms:
        for name, times in sorted(one.faults.items()):
            say(f"{name:<38}{one.name:<10}{times:>6}{one.seconds[name]:>9}")
        for name in sorted(one.left_out):
            say(f"{name:<38}{one.name:<10}{'left out on this machine':>15}")
    say(f"\n{'outcome':<38}" + "".join(f"{one.name:>12}" for one in storms))
    rows: dict[str, Callable[[Storm], int]] = {
        "waves": lambda one: one.counts.waves,
        "rounds decided": lambda one: one.counts.rounds,
        "people recruited and claimed": lambda one: one.counts.people,
        "months paid": lambda one: one.counts.months,
        "faults": lambda one: sum(one.faults.values()),
        "requests accepted": lambda one: len(one.ledger.accepted),
        "requests refused, as they must be": lambda one: len(one.ledger.refused),
        "answers uncertain, asked again": lambda one: sum(one.ledger.troubles.values()),
        "accepted and not there": lambda one: len(one.lost),
        "refused and there": lambda one: len(one.ghosts),
        "rows held": lambda one: sum(sum(rows.values()) for rows in one.state.values()),
        "rows that differ from calm": lambda one: len(one.differences),
        "checks of the doctor": lambda one: len(one.findings),
        "of them not well": lambda one: sum(finding.state != "ok" for finding in one.findings),
        "other trouble": lambda one: len(one.trouble),
    }
    for what, figure in rows.items():
        say(f"{what:<38}" + "".join(f"{figure(one):>12}" for one in storms))
    say(f"\n{seconds:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
