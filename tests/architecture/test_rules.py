"""The house keeps its rules, and every rule is seen to catch a breach."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine

from deploy.contracts import asyncapi, breaking_changes, openapi
from deploy.stack import SERVICES, build_service
from shared.events import CATALOGUE, Event
from shared.http import service_router
from shared.identity import Caller, Role, allow
from shared.messaging.tables import PlumbingBase
from shared.operating import operating_router
from tests.architecture import rules
from tests.conftest import ROOT, _database

SAMPLES = ROOT / "shared" / "events" / "samples"


@pytest.mark.parametrize("name", SERVICES)
def test_every_route_names_its_callers_is_safe_to_retry_and_changes_by_version(name: str) -> None:
    own = rules.routes_of(build_service(name, database_url="postgresql+psycopg://").routers)
    routes = [*own, *rules.routes_of([operating_router(name)])]
    assert own
    assert {route.path.split("/")[1] for route in own} == {name}
    assert rules.routes_without_callers(routes) == []
    assert rules.posts_that_are_not_safe_to_retry(routes) == []
    assert rules.changes_without_a_version(routes) == []


def test_a_planted_route_without_these_is_seen() -> None:
    router = service_router("planted")

    @router.get("/open")
    async def _open() -> str:
        return ""

    @router.get("/closed")
    async def _closed(caller: Annotated[Caller, allow(Role.NATIONAL)]) -> str:
        return ""

    @router.post("/things")
    async def _make(caller: Annotated[Caller, allow(Role.NATIONAL)]) -> str:
        return ""

    @router.put("/things/{thing}")
    async def _change(thing: str, caller: Annotated[Caller, allow(Role.NATIONAL)]) -> str:
        return ""

    routes = rules.routes_of([router])
    assert rules.routes_without_callers(routes) == ["GET /planted/v1/open"]
    assert rules.posts_that_are_not_safe_to_retry(routes) == ["POST /planted/v1/things"]
    assert rules.changes_without_a_version(routes) == ["PUT /planted/v1/things/{thing}"]


def _events() -> tuple[set[type[Event]], set[type[Event]], set[str]]:
    services = [build_service(name, database_url="postgresql+psycopg://") for name in SERVICES]
    announced = {event for service in services for event in service.announces}
    handled = {event for service in services for event in service.handlers}
    described = {message["name"] for message in asyncapi()["components"]["messages"].values()}
    return announced, handled, described


def own_catalogue() -> dict[str, type[Event]]:
    return {kind: event for kind, event in CATALOGUE.items() if event.publisher in SERVICES}


def test_every_event_has_an_announcer_a_sample_and_a_description() -> None:
    announced, handled, described = _events()
    assert rules.events_out_of_order(own_catalogue(), announced, handled, SAMPLES, described) == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_announces_only_its_own_events_and_handles_only_others(name: str) -> None:
    service = build_service(name, database_url="postgresql+psycopg://")
    assert {event.publisher for event in service.announces} <= {name}
    assert name not in {event.publisher for event in service.handlers}


def test_a_planted_event_without_these_is_seen() -> None:
    class StatusChanged(Event):
        publisher: ClassVar[str] = "planted"
        noun: ClassVar[str] = "things"
        name: ClassVar[str] = "status-changed"

    kind = StatusChanged.event_type()
    assert rules.events_out_of_order({kind: StatusChanged}, [], [StatusChanged], SAMPLES, []) == [
        f"{kind} has no announcer",
        f"{kind} has no sample",
        f"{kind} is handled and never announced",
        f"{kind} is not in the AsyncAPI document",
        f"{kind} says nothing: name what happened",
    ]


def test_only_shared_commits_and_rules_are_told_the_time() -> None:
    assert rules.commits_outside_shared(ROOT) == []
    assert rules.clocks_in_rules(ROOT) == []


def test_a_planted_commit_and_a_planted_clock_are_seen(tmp_path: Path) -> None:
    planted = tmp_path / "services" / "registry" / "operations.py"
    planted.parent.mkdir(parents=True)
    planted.write_text("async def f(session):\n    await session.commit()\n    return date.today()\n")
    assert rules.commits_outside_shared(tmp_path) == ["services/registry/operations.py:2"]
    assert rules.clocks_in_rules(tmp_path) == ["services/registry/operations.py:3"]


@pytest.mark.parametrize("name", SERVICES)
async def test_the_migrations_make_what_the_models_say(name: str, migrated: Callable[[str], str]) -> None:
    engine = create_engine(_database(migrated(name)))
    own = build_service(name, database_url="postgresql+psycopg://").base.metadata
    try:
        with engine.connect() as connection:
            assert rules.differences_from_models(connection, own, PlumbingBase.metadata) == []
            planted = MetaData()
            Table("planted", planted, Column("id", Integer, primary_key=True))
            seen = rules.differences_from_models(connection, own, PlumbingBase.metadata, planted)
            assert len(seen) == 1
            assert "planted" in seen[0]
    finally:
        engine.dispose()


BREACHES = {
    "services/registry/networks/model.py": "import services.funding.base\nimport fastapi\n",
    "shared/errors.py": "import services.registry.base\n",
    "shared/facts.py": "import fastapi\n",
    "services/registry/base.py": "import services.registry.main\n",
    "services/registry/networks/operations.py": "import services.registry.networks.routes\n",
    "services/registry/practices/model.py": "import services.registry.networks.operations\n",
}


@pytest.mark.slow
def test_every_import_rule_is_seen_to_break(tmp_path: Path) -> None:
    for folder in ("services", "shared", "deploy"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, line in BREACHES.items():
        planted = tmp_path / path
        planted.write_text(planted.read_text().replace("from __future__ import annotations\n", "", 1))
        planted.write_text(line + planted.read_text())
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    kept = [line for line in done.stdout.splitlines() if line.rstrip().endswith("KEPT")]
    assert kept == [], done.stdout


def test_a_breaking_change_of_a_contract_is_named() -> None:
    before = openapi("registry")
    assert breaking_changes(before, before) == []
    path = next(iter(before["paths"]))
    schemas = before["components"]["schemas"]
    name = next(n for n, s in schemas.items() if len(s.get("properties", {})) > 1 and n.endswith("Out"))
    field = next(iter(schemas[name]["properties"]))
    without_path = {**before, "paths": {p: m for p, m in before["paths"].items() if p != path}}
    assert any(path in line for line in breaking_changes(before, without_path))
    thinner = {k: v for k, v in schemas[name]["properties"].items() if k != field}
    without_field = {
        **before,
        "components": {**before["components"], "schemas": {**schemas, name: {**schemas[name], "properties": thinner}}},
    }
    assert breaking_changes(before, without_field) == [f"{name}.{field} is gone"]
    moved = {**without_path, "info": {**before["info"], "version": "2.0.0"}}
    assert breaking_changes(before, moved) == []
