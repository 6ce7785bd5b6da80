"""Refusals as callers see them: problem+json (RFC 9457), with every fault of a request in words they can use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from shared.errors import DomainError, Fault


class ProblemFault(BaseModel):
    """One thing wrong with a request: where, a stable code, and a sentence."""

    field: str
    code: str
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 has it. `code` is stable; `errors` lists every fault at once."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    errors: list[ProblemFault] = []


MALFORMED = "The request is not valid; errors lists every fault."


def faults_of(errors: Iterable[Any], *, body: Any = None) -> list[Fault]:
    """What pydantic and FastAPI found wrong, as faults a caller can read; `body` as FastAPI had it."""
    found: dict[Fault, None] = {}  # each once, in order; a body of many unknown fields has as many faults
    for error in errors:
        place, message = [str(part) for part in error["loc"]], str(error["msg"])
        if place[:1] == ["body"] and isinstance(body, bytes):
            # FastAPI leaves a body as bytes when its type is not JSON, and each field of it then seems wrong
            fault = Fault(
                "header.Content-Type", "not_json", "Send the body as JSON, with Content-Type: application/json."
            )
        elif error["type"] == "json_invalid":
            reason = error.get("ctx", {}).get("error", message)
            fault = Fault("body", "json_invalid", f"The body is not JSON: {reason} at position {place[-1]}.")
        else:
            message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
            fault = Fault(storable(".".join(place)), str(error["type"]), storable(message))
        found[fault] = None
    return list(found)


def storable(text: str) -> str:
    return text.encode(errors="replace").decode()


def refusals(*errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """What a route may refuse with, for its `responses=`."""
    found: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        entry = found.setdefault(
            error.status, {"description": "", "content": {"application/problem+json": {"schema": _PROBLEM_REF}}}
        )
        entry["description"] = ", ".join(filter(None, [entry["description"], error.__name__]))
    return found


_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
