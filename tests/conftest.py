"""One PostgreSQL for the run, one database per service and worker, migrated once; every test is rolled back."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from psycopg import sql
from sqlalchemy.orm import close_all_sessions

from deploy.broker import BrokerUnavailable, bootstrap_servers
from deploy.issuer import EmbeddedIssuer
from deploy.postgres import EmbeddedPostgres
from shared import migrations
from shared.database import engine_for, sessions_for
from shared.service import Runtime, Service
from tests.harness import Harness

settings.register_profile(
    "house",
    deadline=None,
    # the same examples every time, unless somebody goes looking for new ones
    derandomize="PCN_EXPLORE" not in os.environ,
    database=None,
    # one database serves all examples, and a busy machine makes none of them wrong
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("house")

SERVICES = ("registry", "funding", "workforce", "reporting")
ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = ROOT.parent / "shared" / "data"
_SERVER = "PCN_TEST_POSTGRES"

_running: EmbeddedPostgres | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that distributes the tests; workers find it by the environment."""
    global _running
    os.environ.setdefault("FUNDING_BACS_USER_NUMBER", "654321")
    os.environ.setdefault("FUNDING_BACS_SORT_CODE", "112233")
    os.environ.setdefault("FUNDING_BACS_ACCOUNT_NUMBER", "44556677")
    os.environ.setdefault("FUNDING_BANK_KEYS", Fernet.generate_key().decode())
    os.environ.setdefault("PCN_REPLY_KEYS", Fernet.generate_key().decode())
    if hasattr(config, "workerinput") or os.environ.get(_SERVER):
        return
    # a folder of its own: two runs at once must not end each other's server
    _running = EmbeddedPostgres(Path(tempfile.mkdtemp(prefix="pcn-test-")))
    _running.start()
    os.environ[_SERVER] = _running.url("postgres")


def pytest_unconfigure(config: pytest.Config) -> None:
    global _running
    if _running is not None:
        _running.stop()
        shutil.rmtree(_running.home, ignore_errors=True)
        _running = None
        os.environ.pop(_SERVER, None)


def _admin() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(os.environ[_SERVER].replace("+psycopg", ""), autocommit=True)


def _database(name: str) -> str:
    server = os.environ[_SERVER]
    if "/postgres?" in server:
        return server.replace("/postgres?", f"/{name}?")
    return server.removesuffix("/postgres") + f"/{name}"


def make_database(name: str, template: str = "template0") -> str:
    """A new database on the run's server (dropped first if there); gives its URL."""
    with _admin() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return _database(name)


def drop_database(name: str) -> None:
    with _admin() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def build(name: str, url: str) -> Service:
    """The service called `name` over the database at `url`."""
    # a machine that stands still for a while must not turn into answers of 503
    settings = importlib.import_module(f"services.{name}.settings").Settings(database_url=url, wait_seconds=300)
    service: Service = importlib.import_module(f"services.{name}.main").service(settings)
    return service


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    return f"{os.getpid()}_{getattr(request.config, 'workerinput', {}).get('workerid', 'main')}"


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedIssuer:
    return EmbeddedIssuer(tmp_path_factory.mktemp("issuer")).ensure()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Apache Kafka for the whole run: the one KAFKA_BOOTSTRAP_SERVERS names, else a local one from packages."""
    with contextlib.ExitStack() as stack:
        try:
            servers = stack.enter_context(bootstrap_servers(tmp_path_factory.mktemp("kafka")))
        except BrokerUnavailable as why:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"KAFKA TESTS NOT RUN: {why}")
        yield servers


@pytest.fixture(scope="session")
async def migrated(worker: str) -> AsyncIterator[Callable[[str], str]]:
    """A function giving the name of the migrated and seeded database of a service; made at first use."""
    made: dict[str, str] = {}

    def database(name: str) -> str:
        if name not in made:
            made[name] = f"test_{name}_{worker}"
            migrations.upgrade(name, make_database(made[name]))
        return made[name]

    yield database
    for name in made.values():
        drop_database(name)


_seeded: set[str] = set()


async def seeded(name: str, database: str) -> str:
    url = _database(database)
    if database not in _seeded:
        service = build(name, url)
        if service.seed is not None:
            from datetime import UTC, datetime

            engine = engine_for(url)
            async with sessions_for(engine).begin() as session:
                await service.seed(session, datetime.now(UTC))
            await engine.dispose()
        _seeded.add(database)
    return url


@contextlib.asynccontextmanager
async def rolled_back(name: str, database: str, issuer: EmbeddedIssuer) -> AsyncIterator[Harness]:
    """A harness whose every commit is undone when the block ends."""
    runtime = Runtime(build(name, await seeded(name, database)))
    async with runtime.engine.connect() as connection:
        outer = await connection.begin()
        harness = Harness(runtime, issuer, connection)
        try:
            yield harness
        finally:
            await harness.client.aclose()
            close_all_sessions()
            await outer.rollback()
    await runtime.engine.dispose()


@contextlib.asynccontextmanager
async def live(name: str, database: str, issuer: EmbeddedIssuer) -> AsyncIterator[Harness]:
    """A harness over a database of its own, for tests of locking, relaying and failing commits."""
    await seeded(name, database)
    copy = f"live_{name}_{uuid4().hex[:12]}"
    runtime = Runtime(build(name, make_database(copy, database)))
    harness = Harness(runtime, issuer, None)
    try:
        yield harness
    finally:
        await harness.client.aclose()
        await runtime.stop()
        drop_database(copy)


def _fixture(name: str, *, alive: bool) -> Callable[..., AsyncIterator[Harness]]:
    async def harness(migrated: Callable[[str], str], issuer: EmbeddedIssuer) -> AsyncIterator[Harness]:
        make = live if alive else rolled_back
        async with make(name, migrated(name), issuer) as made:
            yield made

    return pytest.fixture(harness)


registry_app = _fixture("registry", alive=False)
funding_app = _fixture("funding", alive=False)
workforce_app = _fixture("workforce", alive=False)
reporting_app = _fixture("reporting", alive=False)
registry_live = _fixture("registry", alive=True)
funding_live = _fixture("funding", alive=True)
workforce_live = _fixture("workforce", alive=True)
reporting_live = _fixture("reporting", alive=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real NHS files beside the checkout; tests that need it are skipped, loudly, where it is not."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real NHS files are not beside the checkout (../shared/data)")
    return REAL_DATA
