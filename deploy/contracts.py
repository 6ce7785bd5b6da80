"""What others build on: OpenAPI per service and one AsyncAPI document, made from the code and kept under docs/api."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from deploy.stack import SERVICES, build_service
from shared.app import create_app
from shared.events import CATALOGUE, Envelope
from shared.migrations import ROOT
from shared.settings import CommonSettings

FOLDER = ROOT / "docs" / "api"


def openapi(name: str) -> dict[str, Any]:
    """The OpenAPI document of one service."""
    app = create_app(build_service(name, database_url="postgresql+psycopg://"), CommonSettings(), runtime=None)
    document: dict[str, Any] = app.openapi()
    return document


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of every event, with who sends and who receives it."""
    listeners = {name: build_service(name, database_url="postgresql+psycopg://").handlers for name in SERVICES}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    envelope = Envelope.model_json_schema()
    for kind, event in sorted(CATALOGUE.items()):
        if event.publisher not in SERVICES:
            continue
        topic = event.topic()
        key = kind.replace(".", "_")
        channel = channels.setdefault(topic.replace(".", "_"), {"address": topic, "messages": {}})
        channel["messages"][key] = {"$ref": f"#/components/messages/{key}"}
        messages[key] = {
            "name": kind,
            "title": event.name,
            "summary": (event.__doc__ or "").strip().splitlines()[0],
            "contentType": "application/cloudevents+json",
            "payload": {
                **envelope,
                "properties": {
                    **envelope["properties"],
                    "type": {"const": kind},
                    "data": event.model_json_schema(
                        ref_template=f"#/components/messages/{key}/payload/$defs/{{model}}"
                    ),
                },
            },
            "x-received-by": sorted(name for name, handled in listeners.items() if event in handled),
        }
        definitions = messages[key]["payload"]["properties"]["data"].pop("$defs", None)
        if definitions:
            messages[key]["payload"]["$defs"] = definitions
        operations[f"send_{key}"] = {
            "action": "send",
            "title": f"pcn.{event.publisher} announces",
            "channel": {"$ref": f"#/channels/{topic.replace('.', '_')}"},
            "messages": [{"$ref": f"#/channels/{topic.replace('.', '_')}/messages/{key}"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of the Primary Care Network back office",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 in structured JSON, keyed by subject, ordered within a subject.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def documents() -> dict[str, dict[str, Any]]:
    """Every contract document by file name."""
    return {**{f"{name}.openapi.json": openapi(name) for name in SERVICES}, "asyncapi.json": asyncapi()}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_contracts(folder: Path = FOLDER, *, breaking: bool = False) -> int:
    """Write the documents. What would break callers is listed and nothing written, unless that is meant."""
    made = documents()
    broken = [
        f"{name} would break callers: {what}"
        for name, document in made.items()
        if (folder / name).exists()
        for what in breaking_changes(json.loads((folder / name).read_text()), document)
    ]
    if broken and not breaking:
        for line in broken:
            typer.echo(line, err=True)
        typer.echo("nothing was written: raise the major version, or say --break where nobody calls yet", err=True)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in made.items():
        (folder / name).write_text(_text(document))
        typer.echo(f"wrote {name}")
    return 0


def check_contracts(folder: Path = FOLDER) -> int:
    """Say what differs between the code and docs/api, breaking changes by name; 0 when nothing does."""
    trouble: list[str] = []
    for name, document in documents().items():
        kept = folder / name
        if not kept.exists():
            trouble.append(f"{name} is missing")
            continue
        before = json.loads(kept.read_text())
        if before != json.loads(_text(document)):
            trouble.append(f"{name} differs from the code: run `.venv/bin/pcn contracts` and read the change")
            trouble += [f"{name} would break callers: {what}" for what in breaking_changes(before, document)]
    for line in trouble:
        typer.echo(line, err=True)
    return 1 if trouble else 0


def breaking_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What a caller of `before` would miss in `after`, unless the major version moved.

    Gone: a path, a method, a message or a field of one. New: a field that must be sent, or that became another type.
    """
    if _major(before) != _major(after):
        return []
    found: list[str] = []
    for path, methods in before.get("paths", {}).items():
        for method in methods:
            if method not in after.get("paths", {}).get(path, {}):
                found.append(f"{method.upper()} {path} is gone")
    pairs = [
        (name, schema, after.get("components", {}).get("schemas", {}).get(name))
        for name, schema in before.get("components", {}).get("schemas", {}).items()
    ] + [
        (
            name,
            message["payload"]["properties"]["data"],
            after.get("components", {})
            .get("messages", {})
            .get(name, {})
            .get("payload", {})
            .get("properties", {})
            .get("data"),
        )
        for name, message in before.get("components", {}).get("messages", {}).items()
    ]
    for name, old, new in pairs:
        if new is None:
            found.append(f"{name} is gone")
            continue
        for field, shape in old.get("properties", {}).items():
            changed = new.get("properties", {}).get(field)
            if changed is None:
                found.append(f"{name}.{field} is gone")
            elif _type(shape) != _type(changed):
                found.append(f"{name}.{field} was {_type(shape)} and is {_type(changed)}")
        found += [
            f"{name}.{field} must now be given"
            for field in set(new.get("required", [])) - set(old.get("required", []))
            if not name.endswith("Out")
        ]
    return sorted(found)


def _major(document: dict[str, Any]) -> str:
    return str(document["info"]["version"]).split(".")[0]


def _type(shape: dict[str, Any]) -> str:
    if "anyOf" in shape:
        return "|".join(sorted(_type(option) for option in shape["anyOf"]))
    return str(shape.get("$ref") or shape.get("type") or shape.get("const") or "any")
