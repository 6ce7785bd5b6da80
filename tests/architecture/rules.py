"""The rules of the house as functions that list breaches, so that each can be shown a breach and must see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import Connection, MetaData

from shared.events import Event
from shared.http import _idempotent
from shared.identity import Allowed
from shared.migrations import compared

OPEN_TO_ALL = ("/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs")
BANNED_WORDS = {"updated", "changed", "processed", "completed", "handled", "started", "failed", "status"}


def routes_of(routers: Iterable[APIRouter]) -> list[APIRoute]:
    """Every route of some routers, as FastAPI will answer it."""
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def _calls(dependant: Dependant) -> Iterable[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)


def _methods(route: APIRoute) -> set[str]:
    return set(route.methods or ())


def _name(route: APIRoute) -> str:
    return f"{','.join(sorted(_methods(route)))} {route.path}"


def routes_without_callers(routes: Iterable[APIRoute]) -> list[str]:
    """Routes that do not say who may call them, but for health, metrics and descriptions."""
    return [
        _name(route)
        for route in routes
        if not route.path.endswith(OPEN_TO_ALL) and not any(isinstance(c, Allowed) for c in _calls(route.dependant))
    ]


def posts_that_are_not_safe_to_retry(routes: Iterable[APIRoute]) -> list[str]:
    """POST routes that take no Idempotency-Key."""
    return [
        _name(route) for route in routes if "POST" in _methods(route) and _idempotent not in _calls(route.dependant)
    ]


def _headers(dependant: Dependant) -> set[str]:
    found = {field.alias.lower() for field in dependant.header_params}
    for inner in dependant.dependencies:
        found |= _headers(inner)
    return found


def changes_without_a_version(routes: Iterable[APIRoute]) -> list[str]:
    """PUT, PATCH and DELETE routes that do not ask which version they change."""
    return [
        _name(route)
        for route in routes
        if _methods(route) & {"PUT", "PATCH", "DELETE"}
        and not route.path.endswith(("/replay", "/dismissal"))  # a message is parked or not: no version to miss
        and "if-match" not in _headers(route.dependant)
    ]


def commits_outside_shared(root: Path, folders: Iterable[str] = ("services", "deploy")) -> list[str]:
    """Calls of `.commit(` where the transaction is not the caller's to end."""
    found = []
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
                    found.append(f"{path.relative_to(root)}:{node.lineno}")
    return found


def clocks_in_rules(root: Path) -> list[str]:
    """Rules and operations that ask the clock instead of being told the time."""
    found = []
    for path in sorted((root / "services").rglob("*.py")):
        if path.name in {"routes.py", "main.py", "env.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"now", "utcnow", "today"}
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"datetime", "date"}
            ):
                found.append(f"{path.relative_to(root)}:{node.lineno}")
    return found


def events_out_of_order(
    catalogue: Mapping[str, type[Event]],
    announced: Iterable[type[Event]],
    handled: Iterable[type[Event]],
    samples: Path,
    described: Iterable[str],
) -> list[str]:
    """Events without an announcer, a sample or a place in the AsyncAPI document; handled ones nobody announces."""
    said, described = set(announced), set(described)
    found = []
    for kind, event in catalogue.items():
        if event not in said:
            found.append(f"{kind} has no announcer")
        if not (samples / f"{kind}.json").exists():
            found.append(f"{kind} has no sample")
        if kind not in described:
            found.append(f"{kind} is not in the AsyncAPI document")
        if BANNED_WORDS & set(event.name.split("-")):
            found.append(f"{kind} says nothing: name what happened")
    found += [f"{event.event_type()} is handled and never announced" for event in set(handled) - said]
    return sorted(found)


def differences_from_models(connection: Connection, *metadata: MetaData) -> list[str]:
    """What Alembic would still change in a migrated database to make it what the models say."""
    options = compared(connection)
    context = MigrationContext.configure(
        connection, opts={key: value for key, value in options.items() if key != "connection"}
    )
    return [str(difference) for difference in compare_metadata(context, list(metadata))]  # type: ignore[arg-type]


_PATH = re.compile(r"(?<![\w/.-])(?:services|shared|deploy|tests|docs|bench|requirements)/[\w./<>*-]*[\w/>*]")
_FILE = re.compile(r"`(\w+\.py)`")
_CODE = re.compile(r"```.*?```|`[^`\n]+`|^ {4}[^\n]+$", re.DOTALL | re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
_PCN = re.compile(r"(?<![\w/-])(?:\.venv/bin/)?pcn ([a-z][a-z-]*)")


def words_without_a_thing(root: Path, text: str, commands: Iterable[str]) -> list[str]:
    """Paths, `make` targets and `pcn` commands a page names and nobody would find; what is made here may be ignored."""
    known, made = set(commands), set((root / ".gitignore").read_text().split())
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(_CODE.findall(text))
    paths = set(_PATH.findall(text)) - made
    found = {f"path {path}" for path in paths if not any(root.glob(re.sub(r"<\w+>", "*", path)))}
    found |= {f"file {name}" for name in _FILE.findall(text) if not any(_sources(root, name))}
    found |= {f"make {target}" for target in _MAKE.findall(code) if target not in targets}
    found |= {f"pcn {command}" for command in _PCN.findall(code) if command not in known}
    return sorted(found)


def _sources(root: Path, name: str) -> Iterable[Path]:
    for folder in ("services", "shared", "deploy", "tests", "bench"):
        yield from (root / folder).rglob(name)
