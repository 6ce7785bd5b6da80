"""The whole stack on one machine: `pcn up` in one process, or with Apache Kafka as one process per service."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy import migrating
from deploy.gateway import create_gateway, serve_app
from deploy.issuer import EmbeddedIssuer
from deploy.postgres import EmbeddedPostgres, PostgresUnavailable
from deploy.process import end, launcher, living
from deploy.stack import SERVICES, build_service, database_variable, front_of, run_services
from shared.log import logger
from shared.migrations import ROOT
from shared.service import Service
from shared.settings import EMBEDDED_ISSUER, CommonSettings

log = logger(__name__)

PORTS_AFTER = {name: number for number, name in enumerate(SERVICES, start=1)}
"""Over Kafka each service listens on the stack's port and this many more, on loopback."""


class PortTaken(RuntimeError):
    """Something else answers on the port the stack was to use."""


@dataclass(frozen=True)
class Home:
    """The folder that holds all state of one stack."""

    path: Path

    @classmethod
    def given(cls) -> Home:
        """`PCN_HOME`, or `.local` in the checkout."""
        return cls(Path(os.environ.get("PCN_HOME") or ROOT / ".local").resolve())

    @property
    def _note(self) -> Path:
        return self.path / "holds.json"

    def holds(self) -> dict[str, str]:
        """Which data the stack works on, and how its events travel."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(self._note.read_text())
            return {"data": str(found["data"]), "transport": str(found["transport"])}
        return {"data": "own", "transport": "embedded"}

    def hold(self, data: str, transport: str) -> None:
        """Turn to this data; what the home held before stays where it is and comes back when asked for."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / ".gitignore").write_text("*\n")  # keys and databases, also where the home lies in a checkout
        fresh = self._note.with_suffix(".new")
        fresh.write_text(json.dumps({"data": data, "transport": transport}))
        fresh.replace(self._note)

    def suffix(self) -> str:
        """What tells the databases and topics of one holding from those of another."""
        held = self.holds()
        return "" if held == {"data": "own", "transport": "embedded"} else f"_{held['data']}_{held['transport']}"


def name_of(data: Path | None) -> str:
    """A short name for a folder of data, the same for the same folder."""
    if data is None:
        return "sample"
    return "data" + hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:8]


def free_or_refuse(host: str, port: int) -> None:
    """Raises `PortTaken` unless the port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"Port {port} is in use; give another one, like PORT={port + 10}.") from error
            raise PortTaken(f"{host}:{port} cannot be listened on: {error.strerror}.") from error


@contextlib.contextmanager
def databases(home: Home) -> Iterator[dict[str, str]]:
    """The URL of each service's database: from the environment where given, else on the embedded server."""
    given = {name: os.environ[database_variable(name)] for name in SERVICES if os.environ.get(database_variable(name))}
    own = [name for name in SERVICES if name not in given]
    if not own:
        yield given
        return
    with EmbeddedPostgres(home.path / "postgres") as server:
        named = {name: f"{name}{home.suffix()}" for name in own}
        server.ensure_databases(named.values())
        with kept_alive(server):
            yield {**given, **{name: server.url(database) for name, database in named.items()}}


@contextlib.contextmanager
def kept_alive(server: EmbeddedPostgres) -> Iterator[None]:
    """While this lasts, a server of ours that dies (killed for its memory, say) is started again, a second later."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1):
            if server.died:
                log.warning("PostgreSQL died and is started again")
                try:
                    server.start()
                except PostgresUnavailable as trouble:
                    log.error("PostgreSQL does not start", trouble=str(trouble))

    watcher = threading.Thread(target=watch, name="postgres", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def common_settings(home: Home, bootstrap_servers: str | None) -> CommonSettings:
    """Settings all services share; without an issuer of their own they trust the embedded one."""
    settings = CommonSettings()
    if settings.jwks_url is None:
        issuer = EmbeddedIssuer(home.path, audience=settings.audience).ensure()
        settings = settings.model_copy(update={"jwks_url": issuer.jwks_url, "issuer": EMBEDDED_ISSUER})
    prefix = settings.kafka_topic_prefix or home.suffix().strip("_").replace("_", ".")
    return settings.model_copy(
        update={
            "home": home.path,
            "kafka_bootstrap_servers": bootstrap_servers,
            "kafka_topic_prefix": f"{prefix}." if prefix and not prefix.endswith(".") else prefix,
        }
    )


def run_up(home: Home, *, host: str, port: int) -> None:
    """Start what the home holds and run it until interrupted."""
    if home.holds()["transport"] == "kafka" or os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        _run_over_kafka(home, host=host, port=port)
    else:
        _run_embedded(home, host=host, port=port)


def _run_embedded(home: Home, *, host: str, port: int) -> None:
    free_or_refuse(host, port)
    with databases(home) as urls:
        services = [build_service(name, database_url=urls[name]) for name in SERVICES]
        common = common_settings(home, None)
        asyncio.run(_prepare_and_run(services, urls, common, host, port))


async def _prepare_and_run(
    services: list[Service], urls: dict[str, str], common: CommonSettings, host: str, port: int
) -> None:
    for service in services:
        await migrating.bring_up(service, urls[service.name])
    await run_services(
        services,
        common,
        front=lambda apps: front_of(apps, jwks_url=common.jwks_url),
        host=host,
        port=port,
    )


def _run_over_kafka(home: Home, *, host: str, port: int) -> None:
    from deploy.broker import bootstrap_servers

    for number in (0, *PORTS_AFTER.values()):
        free_or_refuse(host, port + number)
    with databases(home) as urls, bootstrap_servers(home.path / "kafka") as servers:
        common = common_settings(home, servers)
        asyncio.run(_bring_up_all(urls))
        children = Children(urls, common, port)
        try:
            children.start()
            upstreams = {name: f"http://127.0.0.1:{port + number}" for name, number in PORTS_AFTER.items()}
            asyncio.run(_gateway(upstreams, common, host, port, children))
        finally:
            children.stop()


async def _bring_up_all(urls: dict[str, str]) -> None:
    for name, url in urls.items():
        await migrating.bring_up(build_service(name, database_url=url), url)


async def _gateway(upstreams: dict[str, str], common: CommonSettings, host: str, port: int, children: Children) -> None:
    watch = asyncio.create_task(children.watch())
    try:
        await serve_app(create_gateway(upstreams, jwks_url=common.jwks_url), host=host, port=port)
    finally:
        watch.cancel()


class Children:
    """The four services as processes of their own; one that dies is started again."""

    def __init__(self, urls: dict[str, str], common: CommonSettings, port: int) -> None:
        self._common = common
        self._urls = urls
        self._port = port
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._launched: dict[str, float] = {}
        self._pause: dict[str, float] = {}

    def start(self) -> None:
        for name in SERVICES:
            self._launch(name)

    def _launch(self, name: str) -> None:
        environment = {
            **os.environ,
            database_variable(name): self._urls[name],
            "KAFKA_BOOTSTRAP_SERVERS": str(self._common.kafka_bootstrap_servers),
            "PCN_KAFKA_TOPIC_PREFIX": self._common.kafka_topic_prefix,
            "PCN_ISSUER": self._common.issuer,
            "PCN_JWKS_URL": str(self._common.jwks_url),
            "FORWARDED_ALLOW_IPS": "127.0.0.1",
        }
        words = ["serve", name, "--host", "127.0.0.1", "--port", str(self._port + PORTS_AFTER[name])]
        self._launched[name] = time.monotonic()
        self._running[name] = subprocess.Popen(
            [*launcher(), sys.executable, "-m", "deploy.cli", *words],
            cwd=ROOT,
            env=environment,
            start_new_session=True,  # an interrupt at the terminal is ours to pass on, once
        )

    async def watch(self) -> None:
        """Start again what died."""
        while True:
            await asyncio.sleep(1)
            for name, process in list(self._running.items()):
                lived = time.monotonic() - self._launched[name]
                if process.poll() is not None and lived > self._pause.get(name, 0.0):
                    # one that dies as soon as it starts is given more and more time
                    self._pause[name] = 0.0 if lived > 10 else min(2 * self._pause.get(name, 0.0) + 1, 30.0)
                    log.warning("service died and is started again", service=name, code=process.returncode)
                    self._launch(name)

    def stop(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            if living(process.pid):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
            end(process.pid, (signal.SIGKILL, 5.0))
            process.wait()
