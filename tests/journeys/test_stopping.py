"""A stack that is told to stop stops cleanly, whoever tells it, and a port in use is a clear refusal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import ROOT
from tests.journeys.stack import environment, free_port, journey

pytestmark = pytest.mark.slow


def up(home: Path, port: int) -> subprocess.Popen[bytes]:
    with (home / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up"], cwd=ROOT, env=environment(home, port), stdout=log, stderr=log
        )
    deadline = time.monotonic() + 180
    while True:
        assert process.poll() is None, (home / "up.log").read_text()
        assert time.monotonic() < deadline
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_told_to_stop_everything_ends_and_postgresql_is_shut_down_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    process = up(tmp_path, free_port())
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("postgres" in child.name() for child in children)
    process.send_signal(how)
    assert process.wait(120) == 0
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    assert "database system is shut down" in (tmp_path / "postgres" / "postgres.log").read_text()


def test_a_port_in_use_is_refused_in_one_line_and_the_other_stack_is_left_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.mkdir()
    port = free_port()
    process = up(first, port)
    try:
        refused = journey(second, port)
        assert refused.returncode == 1
        assert refused.stderr.strip() == f"pcn: Port {port} is in use; give another one, like PORT={port + 10}."
        assert not (second / "holds.json").exists()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
