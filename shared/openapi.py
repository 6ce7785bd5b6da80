"""What a service says of itself: FastAPI's document, with what the house adds to every route filled in."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from shared.errors import (
    DomainError,
    Forbidden,
    Invalid,
    PreconditionFailed,
    PreconditionMissing,
    Unauthenticated,
)
from shared.http import guard_of
from shared.problems import Problem, refusals

_ETAG = {"description": "The version of the resource, for `If-Match`.", "schema": {"type": "string"}}
_LOCATION = {"description": "Where the new resource is.", "schema": {"type": "string"}}


def describe(app: FastAPI, name: str, routes: Iterable[APIRoute]) -> dict[str, Any]:
    """The OpenAPI document of one service; `routes` are those of `app` that the house guards."""
    document = get_openapi(
        title=f"PCN {name}",
        version="1.0.0",
        routes=app.routes,
        description=f"The {name} service. Errors are problem+json (RFC 9457).",
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs"), "Problem": problem}
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    document["security"] = [{"bearer": []}]
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route)
    return document


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    """Everything one operation answers that its signature alone does not say."""
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    secured = guard_of(route.dependant) is not None
    generic: list[type[DomainError]] = []
    if secured:
        generic += [Unauthenticated, Forbidden, Invalid]
    else:
        operation["security"] = []
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header" and parameter["name"] == "If-Match":
            # optional to FastAPI, so that its absence is a 428 and not one of many faults
            parameter |= {"required": True, "schema": {"type": "string"}}
            generic += [PreconditionFailed, PreconditionMissing]
    for status, entry in refusals(*generic).items():
        said = responses.setdefault(str(status), entry)
        if said is not entry:
            said["description"] = ", ".join([said["description"], entry["description"]])
    for status, response in responses.items():
        if status.startswith("2"):
            headers = {key: what for key, what in (("ETag", _ETAG), ("Location", _LOCATION)) if sets(route, key)}
            if headers:
                response["headers"] = headers
    operation["responses"] = dict(sorted(responses.items()))


def sets(route: APIRoute, header: str) -> bool:
    """Whether a route's code gives its answer this header, itself or by what it calls in its module and `tag`.

    Read from the code, so that no route can forget to say so.
    """
    return any(header in function.__code__.co_consts for function in _reached(route.endpoint, set()))


def _reached(function: Callable[..., Any], seen: set[str]) -> Iterator[FunctionType]:
    if not isinstance(function, FunctionType) or function.__qualname__ in seen:
        return
    seen.add(function.__qualname__)
    yield function
    for instruction in dis.get_instructions(function):
        called = function.__globals__.get(instruction.argval) if instruction.opname == "LOAD_GLOBAL" else None
        if isinstance(called, FunctionType) and called.__module__ in (function.__module__, "shared.http"):
            yield from _reached(called, seen)
