"""Where it is measured: an embedded PostgreSQL, fresh databases by the dozen, the services' own applications."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx
import psycopg
from psycopg import sql

from deploy.issuer import EmbeddedIssuer
from deploy.migrating import bring_up
from deploy.postgres import EmbeddedPostgres
from deploy.stack import build_service
from shared.app import create_app
from shared.events.base import Envelope, Event
from shared.identity import Role
from shared.migrations import ROOT
from shared.service import Runtime
from shared.settings import CommonSettings

REAL_DATA = ROOT.parent / "shared" / "data"


class Bench:
    """One service over one database, spoken to as callers do."""

    def __init__(self, runtime: Runtime, issuer: EmbeddedIssuer) -> None:
        self.runtime = runtime
        self._issuer = issuer
        self.app = create_app(runtime.service, CommonSettings(jwks_url=issuer.jwks_url), runtime=runtime)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://bench", timeout=600)
        self._position = itertools.count(1_000_000)

    @property
    def url(self) -> str:
        return self.runtime.service.settings.database_url

    def token(self, *roles: Role, organisations: Iterable[str] = (), subject: str = "alice") -> dict[str, str]:
        return {"Authorization": f"Bearer {self._issuer.token(roles, organisations, subject=subject)}"}

    async def get(self, path: str, headers: dict[str, str], **params: Any) -> Any:
        reply = await self.client.get(path, params=params, headers=headers)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, headers: dict[str, str], **more: Any) -> Any:
        reply = await self.client.post(path, headers={**headers, "Idempotency-Key": uuid4().hex}, **more)
        assert reply.status_code == 201, reply.text
        return reply.json()

    async def put(self, path: str, headers: dict[str, str], json: Any = None) -> Any:
        """A change of state on the version that stands now."""
        tag = (await self.client.get(path.rsplit("/", 1)[0], headers=headers)).headers["etag"]
        reply = await self.client.put(path, json=json, headers={**headers, "If-Match": tag})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def envelope(self, event: Event) -> Envelope:
        return Envelope(
            id=uuid4(),
            source=f"pcn.{event.publisher}",
            type=event.event_type(),
            subject=event.subject(),
            time=datetime.now(UTC),
            sequence=f"{next(self._position):020d}",
            data=event.model_dump(mode="json"),
        )

    async def deliver(self, events: Iterable[Event], batch: int = 500) -> None:
        """As if these events had arrived; none may be parked."""
        envelopes = [self.envelope(event) for event in events]
        for start in range(0, len(envelopes), batch):
            await self.runtime.receiver.receive(envelopes[start : start + batch])
        await self.none_parked()

    async def none_parked(self) -> None:
        async with await connect(self.url) as connection:
            parked = await (await connection.execute("SELECT type, code, reason FROM parked LIMIT 3")).fetchall()
        assert not parked, parked

    async def close(self) -> None:
        await self.client.aclose()
        await self.runtime.stop()


class Ground:
    """The server, and one migrated and seeded template for each service, copied as often as asked for."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="pcn-bench-"))
        # PostgreSQL runs as another user where we are root, and must be able to reach its folder
        self.home.chmod(0o755)
        self._server = EmbeddedPostgres(self.home / "postgres")
        self.issuer = EmbeddedIssuer(self.home).ensure()
        self._templates: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        self._number = itertools.count(1)
        self._open: list[Bench] = []

    def __enter__(self) -> Self:
        try:
            self._server.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def data(self) -> Path | None:
        """The real files, where they lie beside the checkout."""
        return REAL_DATA if REAL_DATA.is_dir() else None

    async def database(self, service: str) -> str:
        """A fresh database of a service, migrated and seeded; gives its URL."""
        if service not in self._templates:
            name = f"template_{service}"
            self._server.ensure_databases([name])
            await bring_up(build_service(service, database_url=self._server.url(name)), self._server.url(name))
            self._templates[service] = name
        name = f"{service}_{next(self._number)}"
        async with await connect(self._server.url("postgres")) as server:
            await server.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(name), sql.Identifier(self._templates[service])
                )
            )
        return self._server.url(name)

    async def open(self, service: str, url: str | None = None) -> Bench:
        """A service over a fresh database, or over the one given; closed at the end."""
        runtime = Runtime(build_service(service, database_url=url or await self.database(service)))
        bench = Bench(runtime, self.issuer)
        self._open.append(bench)
        return bench

    @contextlib.asynccontextmanager
    async def lent(self, service: str) -> AsyncIterator[Bench]:
        """A service over a fresh database that is dropped afterwards."""
        bench = await self.open(service)
        try:
            yield bench
        finally:
            self._open.remove(bench)
            await bench.close()
            await self.drop(bench.url)

    async def drop(self, url: str) -> None:
        name = url.split("@/")[1].split("?")[0]
        async with await connect(self._server.url("postgres")) as server:
            await server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    async def once(self, key: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """What several rows stand on is made by the first that needs it."""
        if key not in self._made:
            self._made[key] = await make()
        return self._made[key]

    async def close(self) -> None:
        await asyncio.gather(*(bench.close() for bench in self._open))


async def connect(url: str, *, autocommit: bool = True) -> psycopg.AsyncConnection[Any]:
    """The bare driver."""
    return await psycopg.AsyncConnection.connect(
        url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=autocommit
    )


async def copy_in(
    connection: psycopg.AsyncConnection[Any], table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Rows by COPY, values as the driver writes them."""
    async with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            await copy.write_row(row)


async def copied_out(connection: psycopg.AsyncConnection[Any], what: str) -> list[bytes]:
    """Rows as COPY gives them, to be put in elsewhere."""
    async with connection.cursor() as cursor, cursor.copy(f"COPY {what} TO STDOUT") as copy:
        return [bytes(block) async for block in copy]


async def copied_in(connection: psycopg.AsyncConnection[Any], what: str, blocks: Sequence[bytes]) -> None:
    async with connection.cursor() as cursor, cursor.copy(f"COPY {what} FROM STDIN") as copy:
        for start in range(0, len(blocks), 1000):
            await copy.write(b"".join(blocks[start : start + 1000]))
