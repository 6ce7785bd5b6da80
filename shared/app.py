"""A service as an ASGI application: its routes, one error shape, health, metrics, messages and audit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import context
from shared.errors import (
    Conflict,
    DomainError,
    Fault,
    Invalid,
    PreconditionFailed,
    Unavailable,
)
from shared.identity import Issuer
from shared.log import logger
from shared.messaging.inbox import database_trouble
from shared.openapi import describe
from shared.operating import operating_router
from shared.problems import MALFORMED, Problem, ProblemFault, faults_of
from shared.service import Runtime, Service
from shared.settings import CommonSettings

log = logger(__name__)

PROBLEM_JSON = "application/problem+json"


def problem(error: DomainError, path: str) -> JSONResponse:
    """A refusal as problem+json."""
    body = Problem(
        type=f"urn:pcn:problem:{error.code}",
        title=error.title,
        status=error.status,
        detail=str(error),
        code=error.code,
        instance=path,
        errors=[
            ProblemFault(field=_placed(fault, error), code=fault.code, message=fault.message) for fault in error.errors
        ],
    )
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["www-authenticate"] = 'Bearer realm="pcn"'
    if error.status == 503:
        headers["retry-after"] = "2"
    return JSONResponse(body.model_dump(), error.status, headers=headers, media_type=PROBLEM_JSON)


_PLACES = ("body", "query", "path", "header", "cookie")


def _placed(fault: Fault, error: DomainError) -> str:
    """Where the fault stands in the request: a rule that finds input malformed knows its fields, not that they came
    in a body. A business refusal speaks of what is stored, and keeps its names."""
    if not isinstance(error, Invalid) or fault.field.partition(".")[0] in _PLACES:
        return fault.field
    return f"body.{fault.field}"


def refusal_of(error: Exception) -> DomainError | None:
    """What a failure of the machinery means to the caller, where it means anything."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, RequestValidationError):
        return Invalid(MALFORMED, errors=faults_of(error.errors(), body=error.body))
    if isinstance(error, HTTPException):
        return PlainRefusal(error.status_code, str(error.detail))
    if isinstance(error, StaleDataError):
        return PreconditionFailed("Somebody else changed this at the same time; read it again.")
    if isinstance(error, IntegrityError):
        name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        return Conflict(f"The database refuses this: {name or 'a constraint'} would be broken.")
    if isinstance(error, DataError | psycopg.DataError):
        return Invalid("A value lies outside what can be stored.")
    if isinstance(error, PoolTimeoutError) or database_trouble(error):
        return Unavailable("The database does not answer just now.")
    return None


class PlainRefusal(DomainError):
    """A refusal of the framework itself: no such path, wrong method, unreadable body."""

    KNOWN = {
        400: ("BadRequest", "Not readable", None),
        404: ("NotFound", "Not found", "There is nothing at this address."),
        405: ("MethodNotAllowed", "Method not allowed", "This address does not take that method."),
        413: ("TooLarge", "Too large", None),
    }

    def __init__(self, status: int, detail: str) -> None:
        self._code, self.title, said = self.KNOWN.get(status, ("HttpError", self.title, None))
        super().__init__(said or detail)
        self.status = status

    @property
    def code(self) -> str:
        return self._code


class Metrics:
    """What Prometheus is told about one service."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "pcn_requests", "Requests answered", ["service", "method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "pcn_request_seconds", "Time to answer", ["service", "method", "route"], registry=self.registry
        )
        self.waiting = Gauge("pcn_outbox_waiting", "Events not sent yet", ["service"], registry=self.registry)
        self.waiting_age = Gauge(
            "pcn_outbox_oldest_seconds", "Age of the oldest event not sent", ["service"], registry=self.registry
        )
        self.parked = Gauge("pcn_parked", "Messages parked", ["service"], registry=self.registry)
        self.service = service
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; what its labels stand for is looked up once, for every request comes by here."""
        counted = self._children.get((method, route, status))
        if counted is None:
            labels = (self.service, method, route)
            counted = self.requests.labels(*labels, str(status)), self.seconds.labels(*labels)
            self._children[method, route, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)


class Edge:
    """The outermost layer: begins the context, counts and logs each request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, max_body_bytes: int) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        here = context.begin(headers.get("x-correlation-id"), headers.get("traceparent"))
        started, status, seen = time.perf_counter(), 500, 0

        async def bounded() -> Message:
            # FastAPI's own limit answers in plain text when the length is said beforehand
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body_bytes:
                raise HTTPException(413, f"A request may have {self._max_body_bytes} bytes at the most.")
            return message

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-correlation-id", here.correlation_id.encode()),
                    (b"traceparent", here.trace.traceparent.encode()),
                ]
            await send(message)

        path = scope["path"]
        refused: DomainError | None = None
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body_bytes:
            refused = PlainRefusal(413, f"A request may have {self._max_body_bytes} bytes at the most.")
        elif "\x00" in path or b"%00" in scope.get("query_string", b""):
            refused = Invalid("The address must not contain NUL.")
        if refused is not None:
            await problem(refused, path.replace("\x00", "")[:200])(scope, receive, told)
        else:
            await self._app(scope, bounded, told)
        route = getattr(scope.get("route"), "path", "none")
        seconds = time.perf_counter() - started
        self._metrics.answered(scope["method"], route, status, seconds)
        log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))


def _openapi(app: FastAPI, service: Service) -> Callable[[], dict[str, Any]]:
    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            routers = [*service.routers, operating_router(service.name)]
            routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
            app.openapi_schema = describe(app, service.name, routes)
        return app.openapi_schema

    return build


def create_app(service: Service, common: CommonSettings, *, runtime: Runtime | None, answering: bool = True) -> FastAPI:
    """The application of one service.

    Without a runtime it can only describe itself; when not `answering` it shows its health and metrics alone.
    """
    # the page that shows the API brings its own script: no browser here needs the open internet
    app = FastAPIOffline(
        title=f"PCN {service.name}",
        openapi_url=f"/{service.name}/openapi.json",
        docs_url=f"/{service.name}/docs",
        redoc_url=None,
        static_url=f"/{service.name}/docs-assets",
        # an id that is a slash would else be sent on to the list, at an address made from the Host header
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    metrics = Metrics(service.name)
    app.state.service = service
    app.state.metrics = metrics
    app.state.reply_keys = common.reply_key_ring
    if runtime is not None:
        app.state.runtime = runtime
        app.state.sessions = runtime.sessions
        app.state.reading = runtime.reading
        app.state.points = runtime.points
    if common.jwks_url is not None:
        app.state.issuer = Issuer(issuer=common.issuer, audience=common.audience, jwks_url=common.jwks_url)
    for router in service.routers if answering else ():
        app.include_router(router)
    app.include_router(operating_router(service.name))

    async def refuse(request: Request, error: Exception) -> Response:
        refusal = refusal_of(error)
        if refusal is None:
            raise error
        return problem(refusal, request.url.path)

    for kind in (
        DomainError,
        RequestValidationError,
        HTTPException,
        StaleDataError,
        DBAPIError,
        psycopg.Error,
        PoolTimeoutError,
    ):
        app.add_exception_handler(kind, refuse)

    async def fail(request: Request, error: Exception) -> Response:
        log.error("unexpected error", path=request.url.path, exc_info=error)
        unexpected = _Unexpected("Something went wrong on our side; quote the correlation id when you ask.")
        answer = problem(unexpected, request.url.path)
        # this answer passes by the Edge, which names the correlation of every other
        answer.headers["x-correlation-id"] = context.current().correlation_id
        return answer

    app.add_exception_handler(Exception, fail)
    app.add_middleware(Edge, metrics=metrics, max_body_bytes=service.settings.max_body_bytes)
    app.openapi = _openapi(app, service)  # type: ignore[method-assign]
    return app


class _Unexpected(DomainError):
    status = 500
    title = "Unexpected error"

    @property
    def code(self) -> str:
        return "Unexpected"
