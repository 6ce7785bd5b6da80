"""The same journey as four processes over a real Apache Kafka ends in the same table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.stack import free_port, journey, table_of

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_the_sample_over_kafka_ends_in_the_same_table(tmp_path: Path, broker: str) -> None:
    port = free_port()
    over_kafka = journey(tmp_path, port, "--kafka")
    assert over_kafka.returncode == 0, over_kafka.stdout + over_kafka.stderr
    found = table_of(tmp_path)
    embedded = journey(tmp_path, port)
    assert embedded.returncode == 0, embedded.stdout + embedded.stderr
    assert table_of(tmp_path) == found
    assert found["Claim paid"] == "£3,074.27 in the run of 2022-05"
