"""A service under test: its real application, on real PostgreSQL, with events put in and taken out by hand."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker
from starlette.routing import Match

from deploy.issuer import EmbeddedIssuer
from shared.app import create_app
from shared.events import CATALOGUE, Envelope, Event
from shared.identity import Role
from shared.messaging.inbox import Receiver
from shared.messaging.tables import Outbox, Parked
from shared.openapi import sets
from shared.points import Lend, Points
from shared.service import Runtime, Service
from shared.settings import CommonSettings

GENERIC = {
    *("Unauthenticated", "Forbidden", "Invalid", "NotFound", "PreconditionFailed", "PreconditionMissing"),
    *("Conflict", "Unavailable", "BadRequest", "TooLarge"),
}
"""What the plumbing says for every route; the rest is a route's own to declare."""


def undeclared_in(route: APIRoute, response: httpx.Response) -> list[str]:
    """What an answer brings that the route's part of the contract does not speak of: a refusal, an ETag, a Location."""
    if response.is_success:
        return [
            f"{header} (it {'comes' if header in response.headers else 'is missing'})"
            for header in ("ETag", "Location")
            if "idempotency-replayed" not in response.headers and (header in response.headers) != sets(route, header)
        ]
    if response.headers["content-type"] != "application/problem+json" or response.status_code >= 500:
        return []
    code = response.json()["code"]
    declared = str(route.responses.get(response.status_code, {}).get("description", "")).split(", ")
    return [] if code in GENERIC or code in declared else [f"{code} ({response.status_code})"]


def _lending(connection: AsyncConnection) -> Lend:
    """The driver under the connection that is rolled back."""

    @contextlib.asynccontextmanager
    async def lend() -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)
        yield driver

    return lend


class Harness:
    """One service. Over a rolled-back connection the app commits to savepoints; a live one commits for real."""

    def __init__(self, runtime: Runtime, issuer: EmbeddedIssuer, connection: AsyncConnection | None) -> None:
        self.runtime = runtime
        self.issuer = issuer
        if connection is not None:
            maker = async_sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
            runtime.sessions = maker
            runtime.reading = lambda: maker()  # type: ignore[method-assign,assignment,return-value]
            runtime.moment = lambda: maker()  # type: ignore[method-assign,assignment,return-value]
            runtime.points = Points(_lending(connection))
            runtime.receiver = Receiver(
                maker, runtime.service.handlers, name=runtime.service.name, finish=runtime.service.finish
            )
        common = CommonSettings(jwks_url=issuer.jwks_url)
        self.app = create_app(runtime.service, common, runtime=runtime)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://test",
            event_hooks={"response": [self._as_declared]},
        )
        self._routes = [route for router in runtime.service.routers for route in router.routes]
        self._position = 0

    async def _as_declared(self, response: httpx.Response) -> None:
        """Fails the test when one of the service's own routes answers what its contract does not say."""
        request = response.request
        scope = {"type": "http", "path": request.url.path, "method": request.method, "headers": []}
        for route in self._routes:
            if isinstance(route, APIRoute) and route.matches(scope)[0] is Match.FULL:
                await response.aread()
                undeclared = undeclared_in(route, response)
                assert not undeclared, f"{request.method} {route.path} does not declare {', '.join(undeclared)}"
                return

    @property
    def service(self) -> Service:
        return self.runtime.service

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction of its own, committed when the block ends well."""
        async with self.runtime.sessions.begin() as session:
            yield session

    def token(self, *roles: Role, organisations: Iterable[str] = (), subject: str = "alice") -> dict[str, str]:
        """Headers of a caller with these roles and organisations."""
        return {"Authorization": f"Bearer {self.issuer.token(roles, organisations, subject=subject)}"}

    async def post(
        self, path: str, json: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """POST with an Idempotency-Key of its own unless `headers` brings one."""
        keyed = {"Idempotency-Key": uuid4().hex, **(headers or {})}
        return await self.client.post(path, json=json, headers=keyed, **more)

    async def put(self, path: str, json: Any, headers: dict[str, str], *, match: str | None = None) -> httpx.Response:
        """PUT with If-Match: the ETag given, or the one `path`'s resource shows now (its last noun cut off)."""
        if match is None:
            current = await self.client.get(path.rsplit("/", 1)[0], headers=headers)
            assert current.status_code < 500, current.text
            match = current.headers.get("etag", "")
        return await self.client.put(path, json=json, headers={**headers, "If-Match": match})

    def envelope(self, event: Event, *, position: int | None = None) -> Envelope:
        """An envelope as the publisher's relay would make it; positions grow unless given."""
        self._position += 1
        return Envelope(
            id=uuid4(),
            source=f"pcn.{event.publisher}",
            type=event.event_type(),
            subject=event.subject(),
            time=datetime.now(UTC),
            sequence=f"{self._position if position is None else position:020d}",
            data=event.model_dump(mode="json"),
        )

    async def deliver(self, *events: Event, position: int | None = None) -> None:
        """As if these events had arrived, in this order. Fails the test when one of them is parked."""
        await self.receive(*(self.envelope(event, position=position) for event in events))
        async with self.session() as session:
            parked = (await session.execute(select(Parked.type, Parked.code, Parked.reason))).all()
        assert not parked, f"parked: {parked}"

    async def receive(self, *envelopes: Envelope) -> None:
        """As if these envelopes had arrived; what cannot be handled is parked."""
        await self.runtime.receiver.receive(envelopes)

    async def announced(self) -> list[Event]:
        """Every event this service announced, in outbox order."""
        async with self.session() as session:
            rows = (await session.execute(select(Outbox.type, Outbox.data).order_by(Outbox.position))).all()
        return [CATALOGUE[kind].model_validate(data) for kind, data in rows]
