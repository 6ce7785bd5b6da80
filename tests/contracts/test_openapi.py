"""What a service's document says of every operation, so that a caller needs nothing else to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Response

from deploy.contracts import openapi
from deploy.gateway import create_gateway
from deploy.stack import SERVICES, build_service
from shared.app import create_app
from shared.errors import Refused
from shared.http import Idempotent, IfMatch, refusals, service_router, tag
from shared.identity import Caller, Role, allow
from shared.openapi import describe
from shared.settings import CommonSettings
from tests.architecture.rules import routes_of
from tests.harness import undeclared_in


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def unsaid(document: dict[str, Any]) -> list[str]:
    """What operations leave a caller to find out."""
    found = []
    for name, operation in operations(document):
        answers = set(operation["responses"])
        headers = {
            parameter["name"]: parameter for parameter in operation.get("parameters", ()) if parameter["in"] == "header"
        }
        wanted = set() if operation.get("security") == [] else {"401", "403", "422"}
        if "If-Match" in headers:
            wanted |= {"412", "428"}
            if not headers["If-Match"]["required"]:
                found.append(f"{name}: If-Match is said to be optional")
        found += [f"{name}: {status} is not said" for status in sorted(wanted - answers)]
        if not operation.get("description"):
            found.append(f"{name}: nothing says what it does")
        for status in answers:
            if status >= "4" and "application/problem+json" not in operation["responses"][status].get("content", {}):
                found.append(f"{name}: {status} is no problem+json")
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_says_what_it_does_asks_and_refuses(name: str) -> None:
    assert unsaid(openapi(name)) == []


def test_what_an_operation_leaves_unsaid_is_seen() -> None:
    document = openapi("registry")
    operation = document["paths"]["/registry/v1/rounds/{id}/decision"]["put"]
    for status in ("401", "428"):
        del operation["responses"][status]
    del operation["description"]
    (if_match,) = (p for p in operation["parameters"] if p["name"] == "If-Match")
    if_match["required"] = False
    where = "PUT /registry/v1/rounds/{id}/decision"
    assert unsaid(document) == [
        f"{where}: If-Match is said to be optional",
        f"{where}: 401 is not said",
        f"{where}: 428 is not said",
        f"{where}: nothing says what it does",
    ]


def test_a_fault_has_a_shape_and_a_planted_route_is_described_whole() -> None:
    router = service_router("registry")

    @router.post("/things", status_code=201)
    async def make(
        response: Response, caller: Annotated[Caller, allow(Role.NATIONAL)], _: Idempotent, if_match: IfMatch = None
    ) -> None:
        """Make a thing."""
        response.headers["Location"] = "/registry/v1/things/1"
        _tagged(response)

    app = create_app(build_service("registry", database_url="postgresql+psycopg://"), CommonSettings(), runtime=None)
    app.include_router(router)
    document = describe(app, "registry", routes_of([router]))
    responses = document["paths"]["/registry/v1/things"]["post"]["responses"]
    assert list(responses) == ["201", "401", "403", "412", "422", "428"]
    assert set(responses["201"]["headers"]) == {"ETag", "Location"}
    schemas = document["components"]["schemas"]
    assert schemas["Problem"]["properties"]["errors"]["items"] == {"$ref": "#/components/schemas/ProblemFault"}
    assert schemas["ProblemFault"]["required"] == ["field", "code", "message"]


def _tagged(response: Response) -> None:
    tag(response, None)  # type: ignore[arg-type]


async def test_a_service_and_the_gateway_say_in_the_same_words_that_nothing_is_there() -> None:
    service = build_service("registry", database_url="postgresql+psycopg://")
    gateway = create_gateway({}, apps={"registry": create_app(service, CommonSettings(), runtime=None)})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway") as client:
        theirs = await client.get("/registry/v1/nothing")
        ours = await client.get("/elsewhere/v1/nothing")
        wrong = [await client.delete(path) for path in ("/registry/v1/rounds", "/health/live")]
    assert theirs.json()["instance"] == "/registry/v1/nothing"
    for one, other in ((theirs, ours), wrong):
        assert one.status_code == other.status_code
        assert {**one.json(), "instance": None} == {**other.json(), "instance": None}


def test_an_answer_its_route_does_not_speak_of_is_seen() -> None:
    class TooDull(Refused):
        """The thing is too dull."""

    router = service_router("planted")

    @router.put("/things/{thing}", responses=refusals(TooDull))
    async def change(thing: str, response: Response) -> None:
        tag(response, None)  # type: ignore[arg-type]

    (route,) = routes_of([router])

    def answered(status: int, code: str = "", **headers: str) -> httpx.Response:
        kind = {"content-type": "application/problem+json" if code else "application/json"}
        return httpx.Response(status, json={"code": code}, headers=kind | headers)

    assert undeclared_in(route, answered(409, "TooDull")) == []
    assert undeclared_in(route, answered(404, "NotFound")) == []
    assert undeclared_in(route, answered(409, "TooBright")) == ["TooBright (409)"]
    assert undeclared_in(route, answered(200, etag='"1"')) == []
    assert undeclared_in(route, answered(200)) == ["ETag (it is missing)"]
    assert undeclared_in(route, answered(200, etag='"1"', location="/x")) == ["Location (it comes)"]
