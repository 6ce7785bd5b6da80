"""The gateway before real little services on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from deploy.gateway import create_gateway

NAMES = ("registry", "funding", "workforce", "reporting")


@contextlib.contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """The app on a free port of this machine, in a thread of its own."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1, proxy_headers=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [chosen]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{chosen.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class Upstream:
    """Tells what reached it; `second` lets the second half of a streamed answer go."""

    def __init__(self) -> None:
        self.second = threading.Event()
        self.arrived = threading.Event()
        self.ready = True

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health/ready", self._ready),
                Route("/registry/v1/slow", self._slow),
                Route("/registry/v1/halves", self._halves),
                Route("/registry/v1/broken", self._broken),
                Route("/registry/v1/first-bytes", self._first_bytes, methods=["POST"]),
                Route("/registry/v1/too-large", self._too_large, methods=["POST"]),
                Route("/{path:path}", self._echo, methods=["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
            ]
        )

    async def _ready(self, _: Request) -> Response:
        return JSONResponse({}, 200 if self.ready else 503)

    async def _echo(self, request: Request) -> Response:
        seen = {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": [[key.decode(), value.decode()] for key, value in request.headers.raw],
            "body": (await request.body()).decode("latin-1"),
        }
        reply = JSONResponse(seen, 207, headers={"connection": "x-private", "x-private": "1", "etag": '"7"'})
        reply.set_cookie("a", "1")
        reply.set_cookie("b", "2")
        return reply

    async def _slow(self, _: Request) -> Response:
        await asyncio.sleep(1)
        return Response()

    async def _halves(self, _: Request) -> Response:
        async def halves() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.to_thread(self.second.wait, 60)
            yield b"second"

        return StreamingResponse(halves())

    async def _broken(self, _: Request) -> Response:
        async def half() -> AsyncIterator[bytes]:
            yield b"half of"
            raise ConnectionResetError

        return StreamingResponse(half())

    async def _too_large(self, request: Request) -> Response:
        await anext(request.stream())
        return Response("too large", 413)

    async def _first_bytes(self, request: Request) -> Response:
        body = request.stream()
        first = await anext(body)
        self.arrived.set()
        async for _ in body:
            pass
        return Response(first)


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = tmp_path_factory.mktemp("keys with space") / "jwks.json"
    keys.write_text('{"keys": []}')
    with listening(upstream.app()) as address:
        app = create_gateway(dict.fromkeys(NAMES, address), jwks_url=keys.as_uri(), read_seconds=0.3)
        with listening(app) as front:
            yield front


@pytest.fixture
async def client(gateway: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway, trust_env=False) as client:
        yield client


async def test_a_request_arrives_as_it_was_sent(client: httpx.AsyncClient) -> None:
    answer = await client.put(
        "/funding/v1/lines/a%2Fb%20c?limit=1&limit=2&q=%C3%A9",
        content=b"\x00body\xff",
        headers={"if-match": '"3"', "authorization": "Bearer x", "idempotency-key": "k"},
    )

    seen = answer.json()
    assert answer.status_code == 207
    assert (seen["method"], seen["body"]) == ("PUT", "\x00body\xff")
    assert seen["path"] == "/funding/v1/lines/a%2Fb%20c"
    assert seen["query"] == "limit=1&limit=2&q=%C3%A9"
    headers = dict(seen["headers"])
    assert headers["if-match"] == '"3"'
    assert headers["authorization"] == "Bearer x"
    assert headers["content-length"] == "6"


async def test_what_belongs_to_one_connection_stays_there(client: httpx.AsyncClient) -> None:
    answer = await client.get(
        "/registry/v1/practices",
        headers={"connection": "x-hop, keep-alive", "x-hop": "1", "te": "trailers", "upgrade": "h2c"},
    )

    names = {key for key, _ in answer.json()["headers"]}
    assert names.isdisjoint({"x-hop", "te", "upgrade", "keep-alive", "transfer-encoding"})
    assert "x-private" not in answer.headers
    assert answer.headers["etag"] == '"7"'
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/; SameSite=lax", "b=2; Path=/; SameSite=lax"]


async def test_nobody_can_pretend_to_come_from_elsewhere(client: httpx.AsyncClient) -> None:
    answer = await client.get(
        "/registry/v1/x", headers={"x-forwarded-for": "10.0.0.1", "x-forwarded-user": "root", "forwarded": "for=1"}
    )

    headers = [(key, value) for key, value in answer.json()["headers"] if "forwarded" in key]
    assert sorted(headers) == [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", client.base_url.netloc.decode()),
        ("x-forwarded-proto", "http"),
    ]


async def test_an_answer_is_passed_on_as_it_comes(client: httpx.AsyncClient, upstream: Upstream) -> None:
    async with client.stream("GET", "/registry/v1/halves") as answer:
        parts = answer.aiter_raw()
        assert await anext(parts) == b"first"
        upstream.second.set()
        assert await anext(parts) == b"second"


async def test_a_request_is_passed_on_as_it_comes(client: httpx.AsyncClient, upstream: Upstream) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        assert await asyncio.to_thread(upstream.arrived.wait, 60), "the gateway waited for the whole request"
        yield b"two"

    answer = await client.post("/registry/v1/first-bytes", content=body())
    assert answer.content == b"one"


async def test_an_answer_cut_short_is_not_made_to_look_whole(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/registry/v1/broken")


async def test_a_service_that_is_slow_or_gone_is_said_so(client: httpx.AsyncClient) -> None:
    slow = await client.get("/registry/v1/slow")
    assert (slow.status_code, slow.json()["code"]) == (504, "ServiceTooSlow")
    assert slow.headers["content-type"] == "application/problem+json"

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    app = create_gateway({"registry": nowhere})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as direct:
        gone = await direct.get("/registry/v1/networks")
        ready = await direct.get("/health/ready")
    assert (gone.status_code, gone.json()["code"]) == (502, "ServiceUnreachable")
    assert gone.json()["instance"] == "/registry/v1/networks"
    assert (ready.status_code, ready.json()["services"]) == (503, {"registry": "unreachable"})


async def test_it_is_ready_when_all_four_are(client: httpx.AsyncClient, upstream: Upstream) -> None:
    assert (await client.get("/health/ready")).json() == {"status": "ready", "services": dict.fromkeys(NAMES, "ready")}

    upstream.ready = False
    answer = await client.get("/health/ready")
    upstream.ready = True

    assert answer.status_code == 503
    assert set(answer.json()["services"].values()) == {"not ready"}
    assert (await client.get("/health/live")).status_code == 200


async def test_services_of_the_same_process_are_asked_without_a_network(upstream: Upstream) -> None:
    app = create_gateway({}, apps=dict.fromkeys(NAMES, upstream.app()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as direct:
        assert (await direct.get("/health/ready")).status_code == 200


async def test_what_is_not_for_outside_is_not_there(client: httpx.AsyncClient) -> None:
    for path in ("/registry/metrics", "/elsewhere/v1/x", "/registryx/v1"):
        answer = await client.get(path)
        assert (path, answer.status_code, answer.json()["code"]) == (path, 404, "NotFound")


async def test_it_has_an_index_and_publishes_the_key_set(client: httpx.AsyncClient) -> None:
    index = await client.get("/")
    assert all(f'href="/{name}/docs"' in index.text for name in NAMES)
    assert (await client.get("/.well-known/jwks.json")).json() == {"keys": []}
    assert (await client.get("/registry")).headers["location"] == "/registry/docs"


async def test_a_refusal_in_the_middle_of_a_request_still_arrives(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2000):
            yield b"x" * 65536

    answer = await client.post("/registry/v1/too-large", content=endless())

    assert (answer.status_code, answer.text) == (413, "too large")
