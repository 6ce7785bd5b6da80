"""Stacks as their users start them, and the ways to hurt them. Whatever is started here ends with the block."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import psutil

from deploy.broker import LocalBroker
from deploy.postgres import EmbeddedPostgres
from deploy.process import living
from deploy.stack import SERVICES, database_variable
from deploy.up import Home
from tests.chaos.wires import Wire
from tests.conftest import ROOT
from tests.journeys.stack import environment, free_port

READY_SECONDS = 120.0
POLL_SECONDS = 8
"""How long a handler of the stack over Kafka may take before its consumer counts as gone."""


@dataclass
class Stack:
    """`pcn up` in a home of its own. With a broker it is a process per service, and PostgreSQL is ours to kill."""

    home: Path
    port: int
    log: IO[bytes]
    broker: LocalBroker | None = None
    server: EmbeddedPostgres | None = None
    process: subprocess.Popen[bytes] | None = None
    wires: dict[str, Wire] = field(default_factory=dict)
    """What leads from the services to the `broker` and to `postgres`, where that is ours to cut."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def urls(self) -> dict[str, str]:
        server = self.server or EmbeddedPostgres(self.home / "postgres")
        suffix = Home(self.home).suffix()
        return {name: server.url(f"{name}{suffix}") for name in SERVICES}

    def up(self) -> None:
        """Start it and wait until it is ready."""
        # a service of the stack before may still be closing
        self._await(lambda: not self._taken(), "the ports of the stack before are not free")
        surroundings = environment(self.home, self.port) | {"PCN_LOG_LEVEL": "WARNING"}
        if self.broker is not None:
            surroundings["KAFKA_BOOTSTRAP_SERVERS"] = self.broker.bootstrap
            surroundings["PCN_KAFKA_MAX_POLL_SECONDS"] = str(POLL_SECONDS)
        if "postgres" in self.wires:
            near = str(self.home / "wire")
            for name, url in self.urls.items():
                surroundings[database_variable(name)] = re.sub(r"(?<=\?host=)[^&]*", near, url)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up", "--port", str(self.port)],
            cwd=ROOT, env=surroundings, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        self.await_ready()

    def await_ready(self) -> None:
        self._await(self._ready, "the stack is not ready")

    def _await(self, there: object, what: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not there():  # type: ignore[operator]
            if self.process is not None and self.process.poll() is not None and "not ready" in what:
                raise RuntimeError(f"pcn up ended with {self.process.returncode}; see {self.log.name}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} after {READY_SECONDS:.0f} s; see {self.log.name}")
            time.sleep(0.1)

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        return False

    def _taken(self) -> bool:
        ports = range(self.port, self.port + (5 if self.broker else 1))
        return any(_listens(port) for port in ports)

    def kill(self) -> None:
        """SIGKILL to what `pcn up` runs in."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()

    def postmaster(self) -> int:
        """The process of the database server."""
        return int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])

    def children(self) -> dict[str, psutil.Process]:
        """Over Kafka: the process of each service."""
        found = {}
        if self.process is not None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    words = child.cmdline()
                    if "serve" in words:
                        found[words[words.index("serve") + 1]] = child
        return found

    def down(self) -> None:
        """Stop it as Ctrl-C does, or by force."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()


SOCKET = ".s.PGSQL.5432"
"""What PostgreSQL's clients look for in the folder they are given as host."""


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def embedded(home: Path) -> Iterator[Stack]:
    """All services in one process that owns its PostgreSQL."""
    home.mkdir(parents=True)
    with (home / "stack.log").open("ab") as log:
        stack = Stack(home, free_port(), log)
        try:
            stack.up()
            yield stack
        finally:
            stack.down()
            _end_server(home)


@contextlib.contextmanager
def over_kafka(home: Path) -> Iterator[Stack]:
    """A process per service over a broker, with PostgreSQL and the broker in our hands."""
    home.mkdir(parents=True)
    Home(home).hold("own", "kafka")
    port = free_port()
    server, broker = EmbeddedPostgres(home / "postgres"), LocalBroker(home / "kafka", advertised=port + 6)
    (home / "wire").mkdir()
    wires = {
        "broker": Wire(port + 6, lambda: broker.port or 0),
        "postgres": Wire(home / "wire" / SOCKET, lambda: server.sockets / SOCKET),
    }
    with contextlib.ExitStack() as held:
        log = held.enter_context((home / "stack.log").open("ab"))
        for wire in wires.values():
            held.enter_context(wire.laid())
        try:
            server.start()
            broker.start()
            stack = Stack(home, port, log, broker, server, wires=wires)
            server.ensure_databases([f"{name}{Home(home).suffix()}" for name in SERVICES])
            try:
                stack.up()
                yield stack
            finally:
                stack.down()
        finally:
            broker.stop()
            server.stop()
            _end_server(home)


def _end_server(home: Path) -> None:
    """A killed owner leaves a server that is already closing; it has closed when we leave."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        deadline = time.monotonic() + 20
        while (process := living(pid)) is not None and process.name() == "postgres":
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGQUIT)
                break
            os.kill(pid, signal.SIGINT)
            time.sleep(0.2)
