"""Reading over HTTP: one row with one worker, and lists of England ten times over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from bench import imports, money
from bench.country import invented, invented_files
from bench.ground import Bench, Ground, connect
from bench.measure import Row, Target
from shared.identity import Role
from shared.migrations import ROOT

CALLERS = 8
ROUNDS = 7
ROUND_SECONDS = 1.2
LIST_REPEATS = 25
TEN = 10


@dataclass
class Asking:
    """One GET, again and again over kept connections, with as little work of our own as can be."""

    port: int
    request: bytes

    @classmethod
    def of(cls, port: int, path: str, headers: dict[str, str]) -> Asking:
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return cls(port, f"GET {path} HTTP/1.1\r\nHost: bench\r\n{said}\r\n".encode())

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return head, await reader.readexactly(length)

    async def body(self) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(self.request)
        head, body = await self._answer(reader)
        writer.close()
        assert head.startswith(b"HTTP/1.1 200"), (head, body)
        return body

    async def per_second(self, duration: float) -> float:
        done = 0
        until = time.perf_counter() + duration

        async def caller() -> None:
            nonlocal done
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            while time.perf_counter() < until:
                writer.write(self.request)
                head, _ = await self._answer(reader)
                assert head.startswith(b"HTTP/1.1 200"), head
                done += 1
            writer.close()

        begun = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return done / (time.perf_counter() - begun)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(what: str, url: str, jwks_url: str, log: Path) -> AsyncIterator[int]:
    """One worker in a process of its own: a service, or the floor on the bare driver."""
    port = free_port()
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: ASYNC220 - begun here, waited for in a thread
            [sys.executable, "-m", "bench.serve", what, url, jwks_url, str(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=file,
        )
    try:
        for _ in range(300):
            assert process.poll() is None, f"see {log}"
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def beside(name: str, bench: Bench, ground: Ground, path: str, floor: str) -> Row:
    """Requests a second of a service, turn about with those of the floor."""
    headers = bench.token(Role.NATIONAL)
    log = ground.home / "serve.log"
    service = bench.runtime.service.name
    async with (
        serving(service, bench.url, ground.issuer.jwks_url, log) as ours,
        serving(floor, bench.url, ground.issuer.jwks_url, log) as bare,
    ):
        asked, floored = Asking.of(ours, path, headers), Asking.of(bare, path, {})
        assert await asked.body() == await floored.body(), "both must give the same row"
        for warm in (asked, floored):
            await warm.per_second(ROUND_SECONDS / 2)
        samples, floors = [], []
        for _ in range(ROUNDS):
            samples.append(await asked.per_second(ROUND_SECONDS))
            floors.append(await floored.per_second(ROUND_SECONDS))
    return Row(name, "req/s", samples, Target(ratio_at_least=0.60), floors)


async def england_registered(ground: Ground) -> Bench:
    """The register of England by its own imports."""

    async def registered() -> Bench:
        bench = await ground.open("registry")
        await imports.take_in(bench, imports.files_of(ground))
        return bench

    bench: Bench = await ground.once("registry of England", registered)
    return bench


async def point(ground: Ground) -> list[Row]:
    """A network's account from funding and a network from the registry, by code."""
    funding = await money.england_paid_to_april(ground)
    registry = await england_registered(ground)
    rows = []
    for name, bench, table, path, floor in (
        ("point read, account", funding, "accounts ORDER BY network", "/funding/v1/accounts/{}", "floor-account"),
        ("point read, network", registry, "networks ORDER BY code", "/registry/v1/networks/{}", "floor-network"),
    ):
        async with await connect(bench.url) as connection:
            found = await (await connection.execute(f"SELECT * FROM {table} OFFSET 600 LIMIT 1")).fetchone()
        assert found is not None
        code = next(value for value in found if isinstance(value, str) and value.startswith("U"))
        rows.append(await beside(name, bench, ground, path.format(code) + "?as_at=2022-04-01", floor))
    return rows


THEN = {"as_at": "2022-04-01", "known_at": "2022-06-01T00:00:00Z"}
"""A day of the past as it was believed at an instant of the past, when England's files were on the register."""
NOW = {"as_at": "2022-04-01"}


async def as_then_known(ground: Ground) -> list[Row]:
    """What was believed then beside what is believed now: a network by its code, and lists of both."""
    registry = await england_registered(ground)
    headers = registry.token(Role.NATIONAL)
    path = "/registry/v1/networks/U00070"
    async with serving("registry", registry.url, ground.issuer.jwks_url, ground.home / "serve.log") as port:
        then, now = (Asking.of(port, f"{path}?{urlencode(asked)}", headers) for asked in (THEN, NOW))
        assert await then.body() == await now.body(), "nothing of it was put right since"
        samples, floors = [], []
        for turn in range(ROUNDS + 1):
            rates = await then.per_second(ROUND_SECONDS), await now.per_second(ROUND_SECONDS)
            if turn:  # the first warms both
                samples.append(rates[0])
                floors.append(rates[1])
    return [
        Row("point read, as then known", "req/s", samples, Target(ratio_at_least=0.80), floors),
        await by_turns("networks, as then known", registry, "/registry/v1/networks", THEN, NOW),
        await by_turns("practices, as then known", registry, "/registry/v1/practices", THEN, NOW),
    ]


async def tenfold_funding(ground: Ground) -> Bench:
    bench: Bench = await ground.once("funding x10", lambda: money.funded(ground, invented(TEN)))
    return bench


async def tenfold_registry(ground: Ground) -> tuple[Bench, float]:
    """The register of ten Englands by its own imports, and how long they took."""

    async def make() -> tuple[Bench, float]:
        bench = await ground.open("registry")
        taken = await imports.take_in(bench, invented_files(invented(TEN)))
        return bench, sum(taken.values())

    made: tuple[Bench, float] = await ground.once("registry x10", make)
    return made


async def last_cursor(bench: Bench, path: str, headers: dict[str, str]) -> str:
    """The cursor of the last full page of a hundred rows, found by walking the list."""
    before: list[str] = []
    cursor: str | None = None
    while True:
        page = await bench.get(path, headers, limit="1000", **({"cursor": cursor} if cursor else {}))
        if page["next"] is None:
            break
        cursor = page["next"]
        before.append(cursor)
    cursor = before[-2]  # a whole thousand before the last one given
    walked = []
    while True:
        page = await bench.get(path, headers, limit="100", cursor=cursor)
        walked.append(cursor)
        if page["next"] is None:
            break
        cursor = page["next"]
    return walked[-1] if len(page["items"]) == 100 else walked[-2]


async def pages(name: str, bench: Bench, path: str) -> Row:
    """Milliseconds of the last full page beside those of the first, by turns."""
    cursor = await last_cursor(bench, path, bench.token(Role.NATIONAL))
    return await by_turns(name, bench, path, {"cursor": cursor}, {})


async def by_turns(name: str, bench: Bench, path: str, asked: dict[str, str], floor: dict[str, str]) -> Row:
    """Milliseconds of a full page asked for in one way beside those of another, by turns."""
    headers = bench.token(Role.NATIONAL)

    async def took(params: dict[str, str]) -> float:
        begun = time.perf_counter()
        page = await bench.get(path, headers, limit="100", **params)
        taken = (time.perf_counter() - begun) * 1000
        assert len(page["items"]) == 100
        return taken

    for _ in range(7):  # the driver prepares a statement at its fifth use
        await took(floor)
        await took(asked)
    samples, floors = [], []
    for _ in range(LIST_REPEATS):
        floors.append(await took(floor))
        samples.append(await took(asked))
    # single requests are short: a hiccup of the machine in one of a pair says nothing of the list
    return Row(name, "ms", [median(samples)], Target(ratio_at_most=1.2), [median(floors)], {"pages": samples})


async def lists(ground: Ground) -> list[Row]:
    """Four lists of England ten times over: practices, networks, accounts, lines of a run."""
    registry, _ = await tenfold_registry(ground)
    funding = await tenfold_funding(ground)
    rows = [
        await pages("list x10, practices", registry, "/registry/v1/practices?as_at=2022-04-01"),
        await pages("list x10, networks", registry, "/registry/v1/networks?as_at=2022-04-01"),
        await pages("list x10, accounts", funding, "/funding/v1/accounts?as_at=2022-04-01"),
    ]
    _, run = await money.calculate(funding, money.APRIL)
    rows.append(await pages("list x10, payment lines", funding, f"{money.RUNS}/{run['id']}/lines"))
    await money.give_up(funding, run)
    return rows
