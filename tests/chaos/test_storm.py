"""The short form of `make chaos`, over Kafka; the long one is `python -m tests.chaos`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.broker import BrokerUnavailable, packages
from tests.chaos import faults, storm
from tests.chaos.stacks import embedded, over_kafka
from tests.chaos.storm import Weather

SHORT = (
    "kill -9 of a service",
    "kill -9 of the broker",
    "kill -9 of PostgreSQL",
    "network to the broker cut",
    "network to PostgreSQL cut",
    "events sent again, out of order",
    "commit fails",
)


@pytest.mark.kafka
@pytest.mark.slow
def test_a_short_storm_leaves_what_a_calm_day_leaves(tmp_path: Path) -> None:
    try:
        packages()
    except BrokerUnavailable as why:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"KAFKA TESTS NOT RUN: {why}")
    seed = int(os.environ.get("CHAOS_SEED") or 4)
    weather = Weather(seconds=None, lasting=1.5, pause=(0.1, 0.5), areas=1)
    with over_kafka(tmp_path / "kafka") as stack:
        stormy = storm.blow("kafka", stack, {name: faults.OVER_KAFKA[name] for name in SHORT}, seed, weather)
    with embedded(tmp_path / "calm") as stack:
        undisturbed, states = storm.calm(stack, seed, stormy.counts.waves, areas=1)
    storm.compare(stormy, states)
    assert undisturbed.broken == []
    assert stormy.broken == []
    assert set(stormy.faults) == {*SHORT, storm.POISONED}, "every fault struck"
    assert stormy.ledger.troubles, "nobody felt it"
    assert stormy.ledger.refused, "nothing was refused"
