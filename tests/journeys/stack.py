"""The whole stack as its users start it: a process of its own, real ports, a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.issuer import EmbeddedIssuer
from shared.identity import Role
from tests.conftest import ROOT

PORTS_OF_A_STACK = 5


def free_port() -> int:
    """A port with the next ones free too, as a stack over Kafka needs them."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        if first + PORTS_OF_A_STACK < 32_000 and all(_free(first + n) for n in range(PORTS_OF_A_STACK)):
            return first
        candidate = 20_000 + first % 10_000
        if all(_free(candidate + n) for n in range(PORTS_OF_A_STACK)):
            return candidate


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Stack:
    """A stack after its journey: `found` is what its table says."""

    home: Path
    port: int
    found: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, *roles: Role, organisation: str = "", subject: str = "alice") -> httpx.Client:
        token = EmbeddedIssuer(self.home).token(roles, [organisation] if organisation else [], subject=subject)
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def environment(home: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    return {**kept, "PCN_HOME": str(home), "PORT": str(port), "PYTHONPATH": str(ROOT)}


def journey(home: Path, port: int, *words: str, seconds: float = 400) -> subprocess.CompletedProcess[str]:
    """`pcn journey --once` with these words, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "journey", "--once", *words],
        cwd=ROOT,
        env=environment(home, port),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def table_of(home: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((home / "journey.json").read_text())
    return found


@contextlib.contextmanager
def running(home: Path, *words: str, seconds: float = 400) -> Iterator[Stack]:
    """A stack left running by its journey, stopped as Ctrl-C stops it."""
    port = free_port()
    with (home / "journey.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "journey", *words],
            cwd=ROOT,
            env=environment(home, port),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + seconds
            while not (home / "journey.json").exists():
                said = (home / "journey.log").read_text()
                assert process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.2)
            yield Stack(home, port, table_of(home))
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(90) == 0
