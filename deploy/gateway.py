"""One address for the four services: passes each request on to the service its path names, as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

# RFC 9110, 7.6.1: they belong to one connection; the last two would tell a service what only we may tell it.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "forwarded", "host"}
)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
PRIVATE = ("metrics",)  # scraped from each service, not from outside
READY_SECONDS = 3.0


def create_gateway(
    upstreams: Mapping[str, str],
    *,
    apps: Mapping[str, ASGIApp] | None = None,
    jwks_url: str | None = None,
    read_seconds: float = 300.0,
) -> Starlette:
    """The gateway over `{"registry": "http://registry:8000", ...}`; every path reaches its service unchanged.

    `apps` are services of this very process, asked without a network. `jwks_url` is published under
    `/.well-known/jwks.json` where it is a file, that is where the stack has an issuer of its own.
    """
    gateway = _Gateway(upstreams, apps or {}, read_seconds=read_seconds)
    routes = [Route("/", gateway.index), Route("/health/live", _live), Route("/health/ready", gateway.ready)]
    if jwks_url is not None and jwks_url.startswith("file:"):
        key_set = Path(url2pathname(urlsplit(jwks_url).path))

        async def keys(_: Request) -> Response:
            return FileResponse(key_set, media_type="application/json")

        routes.append(Route("/.well-known/jwks.json", keys))
    for name in gateway.upstreams:
        routes += [
            Route(f"/{name}", gateway.service_index),
            Route(f"/{name}/{{rest:path}}", gateway.forward, methods=METHODS),
        ]
    return Starlette(
        routes=routes,
        lifespan=gateway.lifespan,
        exception_handlers={404: _not_found, 405: _not_found, ClientDisconnect: _gone},
    )


async def serve_app(app: ASGIApp, *, host: str, port: int, lifespan: Literal["on", "off"] = "on") -> None:
    """Answers on this port until the process is told to stop; requests in hand are finished first."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # each service logs its requests; a second line says no more
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        lifespan=lifespan,
        # Only operators know whether something before us may say who is asking (FORWARDED_ALLOW_IPS, read by uvicorn).
        proxy_headers="FORWARDED_ALLOW_IPS" in os.environ,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    await _Server(config).serve()


class _Server(uvicorn.Server):
    """Stops when told to and returns, so that what runs behind it is stopped too.

    uvicorn itself raises the signal again afterwards, and a SIGTERM would end the process there and then.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {how: signal.signal(how, self.handle_exit) for how in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for how, handler in before.items():
                signal.signal(how, handler)


class _Gateway:
    def __init__(self, upstreams: Mapping[str, str], apps: Mapping[str, ASGIApp], *, read_seconds: float) -> None:
        self.upstreams = {name: url.rstrip("/") for name, url in upstreams.items()}
        self.upstreams |= {name: f"http://{name}.here" for name in apps}
        # Kept shorter than the services keep an idle connection, so that none is used just as it is closed.
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=3)
        self.client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(limits=limits, retries=1),
            mounts={f"all://{name}.here": httpx.ASGITransport(app) for name, app in apps.items()},
            timeout=httpx.Timeout(read_seconds, connect=5, pool=10),
            follow_redirects=False,
            trust_env=False,
        )

    @contextlib.asynccontextmanager
    async def lifespan(self, _: ASGIApp) -> AsyncIterator[None]:
        async with self.client:
            yield

    async def forward(self, request: Request) -> Response:
        """The service's own answer, body and all, as it comes."""
        raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
        path = raw.partition(b"?")[0]
        name, _, rest = request.url.path[1:].partition("/")
        if rest.rstrip("/") in PRIVATE:
            return _problem(404, "NotFound", "There is nothing at this address.", request)
        url = httpx.URL(self.upstreams[name]).copy_with(raw_path=path + _query(request))
        passed = self.client.build_request(
            request.method, url, headers=_onward(request), content=request.stream() if _has_body(request) else None
        )
        try:
            answer = await self.client.send(passed, stream=True)
        except httpx.ConnectTimeout:
            return _problem(502, "ServiceUnreachable", f"The {name} service does not take connections.", request)
        except httpx.TimeoutException:
            return _problem(504, "ServiceTooSlow", f"The {name} service did not answer in time.", request)
        except httpx.TransportError:
            return _problem(502, "ServiceUnreachable", f"The {name} service cannot be reached just now.", request)
        reply = _Passing(answer)
        reply.raw_headers = [
            (key.lower(), value) for key, value in answer.headers.raw if _end_to_end(key, answer.headers)
        ]
        return reply

    async def ready(self, _: Request) -> Response:
        """Ready when all four are, and which are not."""
        states = await asyncio.gather(*(self._state(url) for url in self.upstreams.values()))
        services = dict(zip(self.upstreams, states, strict=True))
        ready = all(state == "ready" for state in states)
        body = {"status": "ready" if ready else "not ready", "services": services}
        return JSONResponse(body, 200 if ready else 503)

    async def _state(self, url: str) -> str:
        try:
            answer = await self.client.get(f"{url}/health/ready", timeout=READY_SECONDS)
        except httpx.TransportError:
            return "unreachable"
        return "ready" if answer.status_code == 200 else "not ready"

    async def index(self, _: Request) -> Response:
        links = "".join(
            f'<li><a href="/{name}/docs">{name}</a> (<a href="/{name}/openapi.json">OpenAPI</a>,'
            f' <a href="/{name}/health/ready">health</a>)</li>'
            for name in self.upstreams
        )
        return HTMLResponse(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Primary Care Networks</title>'
            f"<h1>Primary Care Networks</h1><ul>{links}</ul>"
            '<p><a href="/health/ready">Health of all</a></p></html>'
        )

    async def service_index(self, request: Request) -> Response:
        return Response(status_code=307, headers={"location": f"{request.url.path}/docs"})


class _Passing(StreamingResponse):
    """A reply passed on as it arrives; the service is let go even when the caller leaves half-way."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.aiter_raw(), answer.status_code)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with contextlib.suppress(ClientDisconnect):
                await super().__call__(scope, receive, send)
        finally:
            await asyncio.shield(self._answer.aclose())


def _end_to_end(key: bytes, headers: httpx.Headers) -> bool:
    name = key.decode("latin-1").lower()
    return name not in HOP_BY_HOP and name not in _connection_names(headers.get("connection", ""))


def _connection_names(value: str) -> set[str]:
    return {name.strip().lower() for name in value.split(",")}


def _onward(request: Request) -> list[tuple[bytes, bytes]]:
    dropped = HOP_BY_HOP | _connection_names(request.headers.get("connection", ""))
    headers = [
        (key, value)
        for key, value in request.headers.raw
        if (name := key.decode("latin-1").lower()) not in dropped and not name.startswith("x-forwarded-")
    ]
    # We are the edge: what a caller says about where it comes from is dropped, not continued.
    client = request.client.host if request.client else "unknown"
    known = {"for": client, "proto": request.url.scheme, "host": request.headers.get("host", "")}
    return headers + [(f"x-forwarded-{name}".encode(), value.encode("latin-1")) for name, value in known.items()]


def _query(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return b"?" + query if query else b""


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


async def _live(_: Request) -> Response:
    return JSONResponse({"status": "live"})


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    code, detail = (
        ("MethodNotAllowed", "This address does not take that method.")
        if status == 405
        else ("NotFound", "There is nothing at this address.")
    )
    return _problem(status, code, detail, request)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


def _problem(status: int, code: str, detail: str, request: Request) -> Response:
    titles = {404: "Not found", 405: "Method not allowed", 502: "Bad gateway", 504: "Gateway timeout"}
    body = {
        "type": f"urn:pcn:problem:{code}",
        "title": titles[status],
        "status": status,
        "detail": detail,
        "code": code,
        "instance": request.url.path,
        "errors": [],
    }
    headers = {"retry-after": "2"} if status in (502, 504) else {}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")
