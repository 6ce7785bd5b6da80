"""Between services over a real Apache Kafka: everything once, in order, whatever restarts, repeats or dawdles."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import func, select

from shared.messaging import Receiver, Relay, announce
from shared.messaging.inbox import Handler
from shared.messaging.kafka import KafkaConsumer, KafkaTransport, create_topics
from shared.messaging.tables import Inbox, Outbox, Parked
from tests.harness import Harness
from tests.shared.toy import CounterRaised, Seen, see

pytestmark = [pytest.mark.kafka]

TOPIC = CounterRaised.topic()


@pytest.fixture
async def prefix(broker: str) -> str:
    """A topic of the test's own."""
    name = f"t{uuid4().hex[:8]}."
    await create_topics(broker, [TOPIC], prefix=name, partitions=3)
    return name


@contextlib.asynccontextmanager
async def working(*runs: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Relays and consumers at work until the block ends, then stopped as a process stops them."""
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(run(stop)) for run in runs]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 120)


def relay_of(harness: Harness, transport: KafkaTransport) -> Relay:
    return Relay(
        harness.runtime.sessions,
        transport,
        source="pcn.toy",
        database_url=harness.service.settings.database_url,
        batch=50,
        poll_seconds=0.2,
    )


def receiver_of(harness: Harness, handler: Handler = see) -> Receiver:
    return Receiver(harness.runtime.sessions, {CounterRaised: handler}, name=f"toy-{uuid4().hex[:6]}")


async def announce_counts(harness: Harness, count: int, subjects: int = 5) -> None:
    async with harness.session() as session:
        announce(
            session,
            *(CounterRaised(counter=f"s{n % subjects}", owner="X1", raised=n // subjects) for n in range(count)),
        )


async def until(harness: Harness, count: int, seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while True:
            async with harness.session() as session:
                if (await session.scalar(select(func.count()).select_from(Inbox)) or 0) >= count:
                    return
            await asyncio.sleep(0.05)


async def assert_each_once_in_order(harness: Harness, count: int, subjects: int = 5) -> None:
    async with harness.session() as session:
        rows = (await session.scalars(select(Seen))).all()
        assert await session.scalar(select(func.count()).select_from(Parked)) == 0
    assert {row.counter: row.history for row in rows} == {
        f"s{n}": ",".join(str(height) for height in range(count // subjects)) for n in range(subjects)
    }


async def test_topics_are_made_once_and_left_as_they_are(broker: str, prefix: str) -> None:
    await create_topics(broker, [TOPIC], prefix=prefix, partitions=7)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    described = await admin.describe_topics([prefix + TOPIC])
    await admin.close()
    assert len(described[0]["partitions"]) == 3


async def test_every_event_has_its_effect_once_and_in_order(toy_live: Harness, broker: str, prefix: str) -> None:
    transport = KafkaTransport(broker, client_id="toy", prefix=prefix)
    consumer = KafkaConsumer(broker, receiver_of(toy_live), prefix=prefix)
    async with working(relay_of(toy_live, transport).run, consumer.run):
        await announce_counts(toy_live, 500)
        await until(toy_live, 500)
    await transport.stop()
    await assert_each_once_in_order(toy_live, 500)
    assert consumer.last_poll is not None
    assert consumer.trouble is None


async def test_a_consumer_that_stops_resumes_where_it_was(toy_live: Harness, broker: str, prefix: str) -> None:
    transport, receiver = KafkaTransport(broker, client_id="toy", prefix=prefix), receiver_of(toy_live)
    for turn in (1, 2, 3):
        consumer = KafkaConsumer(broker, receiver, prefix=prefix)
        async with working(relay_of(toy_live, transport).run, consumer.run):
            async with toy_live.session() as session:
                start = (turn - 1) * 100
                announce(
                    session,
                    *(CounterRaised(counter=f"s{n % 5}", owner="X1", raised=n // 5) for n in range(start, start + 100)),
                )
            await until(toy_live, turn * 100)
    await transport.stop()
    await assert_each_once_in_order(toy_live, 300)


async def test_messages_sent_twice_have_one_effect(toy_live: Harness, broker: str, prefix: str) -> None:
    transport = KafkaTransport(broker, client_id="toy", prefix=prefix)
    await announce_counts(toy_live, 100)
    relay = relay_of(toy_live, transport)
    for _ in range(2):
        while await relay.send_waiting():
            pass
        async with toy_live.session() as session:
            for row in await session.scalars(select(Outbox)):
                row.published_at = None
    while await relay.send_waiting():
        pass
    consumer = KafkaConsumer(broker, receiver_of(toy_live), prefix=prefix)
    async with working(consumer.run):
        await until(toy_live, 100)
        await asyncio.sleep(1)
    await transport.stop()
    await assert_each_once_in_order(toy_live, 100)


async def test_a_second_consumer_joins_while_the_first_is_handling(toy_live: Harness, broker: str, prefix: str) -> None:
    async def slowly(session, event, arrival):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0.002)
        await see(session, event, arrival)

    receiver = receiver_of(toy_live, slowly)
    transport = KafkaTransport(broker, client_id="toy", prefix=prefix)
    first, second = (KafkaConsumer(broker, receiver, prefix=prefix, batch=20) for _ in range(2))
    async with working(relay_of(toy_live, transport).run, first.run):
        await announce_counts(toy_live, 600)
        await until(toy_live, 60)
        async with working(second.run):
            await until(toy_live, 600, seconds=60)
    await transport.stop()
    await assert_each_once_in_order(toy_live, 600)


async def test_a_handler_slower_than_the_poll_interval_loses_nothing(
    toy_live: Harness, broker: str, prefix: str
) -> None:
    dawdled = False

    async def dawdling(session, event, arrival):  # type: ignore[no-untyped-def]
        nonlocal dawdled
        if not dawdled:
            dawdled = True
            await asyncio.sleep(4)
        await see(session, event, arrival)

    transport = KafkaTransport(broker, client_id="toy", prefix=prefix)
    consumer = KafkaConsumer(broker, receiver_of(toy_live, dawdling), prefix=prefix, max_poll_seconds=1.5)
    async with working(relay_of(toy_live, transport).run, consumer.run):
        await announce_counts(toy_live, 100)
        await until(toy_live, 100, seconds=60)
        await announce_again(toy_live)
        await until(toy_live, 105, seconds=60)
    await transport.stop()
    async with toy_live.session() as session:
        histories = (await session.scalars(select(Seen.history))).all()
    assert all(history == ",".join(str(n) for n in range(21)) for history in histories)


async def announce_again(harness: Harness) -> None:
    async with harness.session() as session:
        announce(session, *(CounterRaised(counter=f"s{n}", owner="X1", raised=20) for n in range(5)))


async def test_what_cannot_be_read_is_parked_and_what_follows_is_handled(
    toy_live: Harness, broker: str, prefix: str
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    for junk in (b"\xff\xfe\x00", b"{}", b'{"id": "x"}', b"[" * 50_000):
        await producer.send_and_wait(prefix + TOPIC, junk, key=b"s0")
    await producer.stop()
    transport = KafkaTransport(broker, client_id="toy", prefix=prefix)
    consumer = KafkaConsumer(broker, receiver_of(toy_live), prefix=prefix)
    async with working(relay_of(toy_live, transport).run, consumer.run):
        await announce_counts(toy_live, 10)
        await until(toy_live, 10)
    await transport.stop()
    async with toy_live.session() as session:
        parked = (await session.scalars(select(Parked))).all()
        assert [row.code for row in parked] == ["Unreadable"] * 4
        assert {row.envelope["data"]["place"].split("/")[0] for row in parked} == {prefix + TOPIC}
        assert len((await session.scalars(select(Seen))).all()) == 5


async def test_an_event_of_a_later_day_is_passed_over(toy_live: Harness, broker: str, prefix: str) -> None:
    unknown = toy_live.envelope(CounterRaised(counter="s0", owner="X1", raised=1))
    later = unknown.model_copy(update={"type": "pcn.toy.counter-melted.v9"})
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    for envelope in (later, unknown):
        await producer.send_and_wait(prefix + TOPIC, envelope.model_dump_json().encode(), key=b"s0")
    await producer.stop()
    consumer = KafkaConsumer(broker, receiver_of(toy_live), prefix=prefix)
    async with working(consumer.run):
        await until(toy_live, 1)
    async with toy_live.session() as session:
        assert (await session.get_one(Seen, "s0")).times == 1
        assert await session.scalar(select(func.count()).select_from(Parked)) == 0
