"""One worker in a process of its own: a service as `pcn serve` runs it, or the same row on the bare driver."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Any

from fastapi import FastAPI, Query, Response
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from deploy.gateway import serve_app
from deploy.stack import build_service
from services.funding.accounts.routes import AccountOut
from services.registry.networks.routes import NetworkOut
from shared import log
from shared.app import create_app
from shared.service import Runtime
from shared.settings import CommonSettings

ACCOUNT = """
    SELECT a.network, n.name AS network_name, n.commissioner, coalesce(p.payee, a.network) AS payee,
           p.payee IS NOT NULL AS appointed, a.opened_on, a.version
    FROM accounts a JOIN networks n ON n.code = a.network
    LEFT JOIN payees p ON p.network = a.network AND p.valid @> %(day)s AND upper_inf(p.known)
    WHERE a.network = %(code)s
"""
NETWORK = """
    SELECT n.code, n.version, e.name, e.commissioner,
           (SELECT min(lower(valid)) FROM network_entries WHERE network = n.code AND upper_inf(known)) AS opened_on,
           (SELECT max(upper(valid)) - 1 FROM network_entries WHERE network = n.code AND upper_inf(known)
            HAVING NOT bool_or(upper_inf(valid))) AS closed_on,
           (SELECT payee FROM payees WHERE network = n.code AND valid @> %(day)s AND upper_inf(known)) AS payee,
           (SELECT count(DISTINCT practice) FROM memberships
            WHERE network = n.code AND valid @> %(day)s AND upper_inf(known)) AS members,
           f.number AS agreement,
           f.number IS NOT NULL
           AND EXISTS (SELECT FROM memberships m
                       WHERE m.network = n.code AND m.valid @> %(day)s AND upper_inf(m.known))
           AND NOT EXISTS (
               SELECT FROM memberships m
               WHERE m.network = n.code AND m.valid @> %(day)s AND upper_inf(m.known)
               AND (NOT EXISTS (SELECT FROM agreement_signatures s
                                WHERE s.network = n.code AND s.number = f.number AND s.practice = m.practice
                                AND s.valid @> %(day)s AND upper_inf(s.known))
                    OR EXISTS (SELECT FROM agreement_named_partners p
                               WHERE p.network = n.code AND p.number = f.number AND p.practice = m.practice
                               AND NOT EXISTS (SELECT FROM agreement_signatures s
                                               WHERE s.network = n.code AND s.number = f.number
                                               AND s.practice = p.practice AND s.person = p.person
                                               AND s.valid @> %(day)s AND upper_inf(s.known)))))
           AND NOT EXISTS (
               SELECT FROM partner_terms t
               WHERE t.network = n.code AND t.party AND t.valid @> %(day)s AND upper_inf(t.known)
               AND NOT EXISTS (SELECT FROM agreement_signatures s
                               WHERE s.network = n.code AND s.number = f.number AND s.partner = t.partner
                               AND s.valid @> %(day)s AND upper_inf(s.known))) AS live
    FROM networks n JOIN network_entries e ON e.network = n.code AND e.valid @> %(day)s AND upper_inf(e.known)
    LEFT JOIN agreements_in_force f ON f.network = n.code AND f.valid @> %(day)s AND upper_inf(f.known)
    WHERE n.code = %(code)s
"""


def floor(url: str) -> FastAPI:
    """What FastAPI and psycopg alone need for the same answer."""
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        url.replace("postgresql+psycopg://", "postgresql://", 1),
        min_size=5,
        max_size=10,
        open=False,
        kwargs={"autocommit": True, "row_factory": dict_row},
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=life)

    async def row(statement: str, code: str, day: date, response: Response) -> Any:
        async with pool.connection() as connection:
            found = await (await connection.execute(statement, {"code": code, "day": day})).fetchone()
        assert found is not None
        response.headers["ETag"] = f'"{found.pop("version")}"'
        return found

    @app.get("/funding/v1/accounts/{network}")
    async def account(network: str, response: Response, as_at: Annotated[date, Query()]) -> AccountOut:
        return AccountOut(**await row(ACCOUNT, network, as_at, response))

    @app.get("/registry/v1/networks/{code}")
    async def network(code: str, response: Response, as_at: Annotated[date, Query()]) -> NetworkOut:
        return NetworkOut(**await row(NETWORK, code, as_at, response))

    return app


async def serve(what: str, url: str, jwks_url: str, port: int) -> None:
    if what.startswith("floor"):
        await serve_app(floor(url), host="127.0.0.1", port=port)
        return
    runtime = Runtime(build_service(what, database_url=url))
    try:
        app = create_app(runtime.service, CommonSettings(jwks_url=jwks_url), runtime=runtime)
        await serve_app(app, host="127.0.0.1", port=port, lifespan="off")
    finally:
        await runtime.stop()


if __name__ == "__main__":
    log.configure("INFO")
    asyncio.run(serve(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
