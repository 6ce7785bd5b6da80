"""Events: from the outbox to their effect elsewhere, how soon a report shows one, and a rebuild from the whole log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy import select

from bench import country, imports, money
from bench.ground import Bench, Ground, connect
from bench.measure import Row, Target, percentile
from deploy.broker import BrokerUnavailable, bootstrap_servers
from services.reporting.rebuild import clear_projections
from services.reporting.spend.operations import _BUDGET
from shared.database import sessions_for
from shared.events.base import CATALOGUE, Envelope, Event
from shared.events.funding import BudgetSet, ClaimApproved, ClaimPaid
from shared.events.workforce import ClaimMade, RoleRecruited
from shared.identity import Role
from shared.messaging import announce, announce_many
from shared.messaging.embedded import EmbeddedTransport
from shared.messaging.kafka import KafkaConsumer, KafkaTransport, create_topics
from shared.messaging.outbox import Relay, envelope_of
from shared.messaging.tables import Outbox

EVENTS = 3000
BATCH = 500
REPEATS = 3
STEADY, STEADY_SECONDS, EVERY, ANNOUNCERS = 200, 10, 16, 4


def budgets(count: int, *, first: int = 0) -> list[BudgetSet]:
    return [
        BudgetSet(
            network=f"U{number % 5000:05d}",
            commissioner="99F",
            contract_year="2022-23",
            amount=Decimal(700_000 + number),
        )
        for number in range(first, first + count)
    ]


async def announced(bench: Bench, events: Sequence[Event]) -> None:
    async with sessions_for(bench.runtime.engine).begin() as session:
        await announce_many(session, events)


def relay_of(bench: Bench, transport: Any) -> Relay:
    return Relay(
        bench.runtime.sessions,
        transport,
        source=bench.runtime.service.source,
        database_url=bench.url,
        batch=BATCH,
    )


TAKE = "SELECT * FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT %s"
ENTER = "INSERT INTO inbox (event_id, type, received_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING event_id"
STAMP = "UPDATE outbox SET published_at = %s WHERE position = ANY(%s) AND time BETWEEN %s AND %s"
EFFECT = _BUDGET.text
for name in ("contract_year", "network", "commissioner", "amount", "held_reason", "sequence"):
    EFFECT = EFFECT.replace(f":{name}", f"%({name})s")


async def bare(source: str, target: str) -> float:
    """The same statements in the same transactions by nothing but the driver; events a second."""
    done = 0
    async with (
        await connect(source, autocommit=False) as outbox,
        await connect(target, autocommit=False) as inbox,
        outbox.cursor(row_factory=dict_row) as reader,
        inbox.cursor() as writer,
    ):
        begun = time.perf_counter()
        while True:
            await reader.execute("SELECT pg_try_advisory_xact_lock(7201904)")
            rows = await (await reader.execute(TAKE, [BATCH])).fetchall()
            if not rows:
                break
            now = datetime.now(UTC)
            await writer.executemany(ENTER, [(row["event_id"], row["type"], now) for row in rows], returning=True)
            for row in rows:
                await writer.execute(EFFECT, {**row["data"], "sequence": row["position"]})
            await inbox.commit()
            times = [row["time"] for row in rows]
            await reader.execute(STAMP, [now, [row["position"] for row in rows], min(times), max(times)])
            await outbox.commit()
            done += len(rows)
        return done / (time.perf_counter() - begun)


async def paired(
    ground: Ground, name: str, carry: Callable[[Bench, Bench], Awaitable[None]], target: Target
) -> list[Row]:
    """Budgets carried from funding to reporting, turn about with the bare driver between two databases like them."""
    samples, floors = [], []
    async with (
        ground.lent("funding") as funding,
        ground.lent("reporting") as reporting,
        ground.lent("funding") as bare_from,
        ground.lent("reporting") as bare_to,
    ):
        for source in (funding, bare_from):
            await _nothing_waiting(source)
        for turn in range(REPEATS + 1):
            events = budgets(EVENTS, first=turn * EVENTS)
            await announced(funding, events)
            await announced(bare_from, events)
            begun = time.perf_counter()
            await carry(funding, reporting)
            taken, floor = time.perf_counter() - begun, await bare(bare_from.url, bare_to.url)
            if turn:  # the first turn joins the consumer group and prepares statements
                samples.append(EVENTS / taken)
                floors.append(floor)
            assert await _inbox(reporting) == await _inbox(bare_to) == EVENTS * (turn + 1)
            await reporting.none_parked()
    return [Row(name, "ev/s", samples, target, floors)]


async def _nothing_waiting(bench: Bench) -> None:
    """The shipped rates are announced with the first start; they are not what is measured."""
    async with await connect(bench.url) as connection:
        await connection.execute("UPDATE outbox SET published_at = now() WHERE published_at IS NULL")


async def _inbox(bench: Bench) -> int:
    async with await connect(bench.url) as connection:
        row = await (await connection.execute("SELECT count(*) FROM inbox")).fetchone()
    assert row is not None
    return int(row[0])


async def _drain(relay: Relay) -> None:
    while await relay.send_waiting():
        pass


async def embedded(ground: Ground) -> list[Row]:
    """In one process: the relay hands each batch to the receiver and stamps it when that has committed."""

    async def carry(funding: Bench, reporting: Bench) -> None:
        transport = EmbeddedTransport()
        transport.subscribe(reporting.runtime.receiver)
        await _drain(relay_of(funding, transport))

    return await paired(ground, "events, embedded", carry, Target(ratio_at_least=0.35))


async def kafka(ground: Ground) -> list[Row]:
    """Over a real broker, with the consumer running beside the relay; the floor has no broker at all."""
    try:
        with bootstrap_servers(ground.home / "kafka") as servers:
            return await _over_kafka(ground, servers)
    except BrokerUnavailable as trouble:
        print(f"  events over Kafka not measured: {trouble}", flush=True)
        return []


async def _over_kafka(ground: Ground, servers: str) -> list[Row]:
    await create_topics(servers, {event.topic() for event in CATALOGUE.values()})
    stop = asyncio.Event()
    transport = KafkaTransport(servers, client_id="bench")
    tasks: list[asyncio.Task[None]] = []

    async def carry(funding: Bench, reporting: Bench) -> None:
        wanted = await _inbox(reporting) + EVENTS
        if not tasks:
            tasks.append(asyncio.create_task(KafkaConsumer(servers, reporting.runtime.receiver).run(stop)))
        await _drain(relay_of(funding, transport))
        deadline = time.monotonic() + 60
        while await _inbox(reporting) < wanted:
            assert time.monotonic() < deadline, "the events did not arrive"
            await asyncio.sleep(0.005)

    try:
        return await paired(ground, "events, Kafka", carry, Target(ratio_at_least=0.35))
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        await transport.stop()


async def visible(ground: Ground) -> list[Row]:
    """A budget announced in a transaction of its own until the spend report shows it, at a steady rate."""
    async with ground.lent("funding") as funding, ground.lent("reporting") as reporting:
        transport = EmbeddedTransport()
        transport.subscribe(reporting.runtime.receiver)
        await _nothing_waiting(funding)
        funding.runtime.start(transport)
        headers = reporting.token(Role.NATIONAL)
        waits: list[float] = []
        watching: list[asyncio.Task[None]] = []

        async def watch(event: BudgetSet, announced_at: float) -> None:
            asked = {"by": "network", "network": event.network, "contract_year": event.contract_year}
            while True:
                items = (await reporting.get("/reporting/v1/spend", headers, **asked))["items"]
                if items and items[0]["budget"] == f"{event.amount:.2f}":
                    waits.append(time.perf_counter() - announced_at)
                    return
                assert time.perf_counter() - announced_at < 30, event
                await asyncio.sleep(0.02)

        begun = time.perf_counter()
        late = 0.0

        async def announcer(share: Sequence[tuple[int, BudgetSet]]) -> None:
            nonlocal late
            for number, event in share:
                pause = begun + number / STEADY - time.perf_counter()
                late = max(late, -pause)
                if pause > 0:
                    await asyncio.sleep(pause)
                async with funding.runtime.sessions.begin() as session:
                    announce(session, event)
                if number % EVERY == 0:
                    watching.append(asyncio.create_task(watch(event, time.perf_counter())))

        numbered = list(enumerate(budgets(STEADY * STEADY_SECONDS)))
        await asyncio.gather(*(announcer(numbered[first::ANNOUNCERS]) for first in range(ANNOUNCERS)))
        rate = STEADY * STEADY_SECONDS / (time.perf_counter() - begun)
        await asyncio.gather(*watching)
        await reporting.none_parked()
    more = {"announced_a_second": rate, "median_ms": percentile(waits, 0.5) * 1000, "latest_start_s": late}
    return [
        Row(
            f"announced to reported, {rate:.0f}/s, p99",
            "s",
            [percentile(waits, 0.99)],
            Target(value_at_most=1),
            (),
            more,
        )
    ]


def people_and_claims(networks: Sequence[str]) -> Iterator[tuple[str, Event]]:
    """Two people a network and two months of their claims, each made, approved and paid."""
    for network in networks:
        for number in range(2):
            post = f"post-{network}-{number}"
            yield (
                "pcn.workforce",
                RoleRecruited(
                    post=post,
                    vacancy=f"vacancy-{post}",
                    network=network,
                    role="clinical_pharmacist",
                    wte=Decimal("0.8"),
                    zone="national",
                    employer=network,
                    started_on=date(2022, 4, 1),
                    additional=True,
                    days_to_hire=60,
                ),
            )
            for month in range(4, 6):
                claim = {
                    "claim": f"claim-{post}-{month}",
                    "network": network,
                    "post": post,
                    "month": f"2022-{month:02d}",
                }
                yield "pcn.workforce", _claim_made(claim)
                yield "pcn.funding", ClaimApproved(**claim, claimed=Decimal("3400.00"), payable=Decimal("3400.00"))
                yield "pcn.funding", ClaimPaid(**claim, run="run-1", amount=Decimal("3400.00"))


def _claim_made(claim: dict[str, str]) -> ClaimMade:
    return ClaimMade(
        **claim,
        role="clinical_pharmacist",
        wte=Decimal("0.8"),
        zone="national",
        salary=Decimal("2600.00"),
        employer_ni=Decimal("300.00"),
        employer_pension=Decimal("500.00"),
        supplier_fee=Decimal(0),
        worked_from=date(2022, 4, 1),
        worked_to=date(2022, 4, 30),
        additional=True,
        made_on=date(2022, 7, 1),
    )


async def _log_of(bench: Bench) -> list[Envelope]:
    async with bench.runtime.sessions() as session:
        found = (await session.scalars(select(Outbox).order_by(Outbox.position))).all()
        return [envelope_of(row, bench.runtime.service.source) for row in found]


async def rebuild(ground: Ground) -> list[Row]:
    """Reporting emptied and filled again from the logs: England's register, a month's payments, people and claims."""
    async with ground.lent("registry") as registry:
        await imports.take_in(registry, imports.files_of(ground))
        log = await _log_of(registry)
    england = country.england(ground.data)
    funding = await money.funded(ground, england)
    await money.pay(funding, money.APRIL)
    log += await _log_of(funding)
    other = [(source, event) for source, event in people_and_claims(list(england.networks))]
    async with ground.lent("reporting") as reporting:
        log += [reporting.envelope(event).model_copy(update={"source": source}) for source, event in other]
        samples = []
        for _ in range(REPEATS):
            async with sessions_for(reporting.runtime.engine).begin() as session:
                await clear_projections(session)
            begun = time.perf_counter()
            for start in range(0, len(log), BATCH):
                await reporting.runtime.receiver.receive(log[start : start + BATCH])
            samples.append(len(log) / (time.perf_counter() - begun))
            await reporting.none_parked()
    return [Row("rebuild of reporting", "ev/s", samples, Target(value_at_least=5000), (), {"events": len(log)})]
