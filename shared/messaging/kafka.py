"""Apache Kafka between services: an idempotent producer that waits for every replica, offsets after the effect."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CommitFailedError, IllegalStateError, TopicAlreadyExistsError, for_code
from pydantic import ValidationError

from shared.events.base import CATALOGUE, Envelope
from shared.log import logger
from shared.messaging.inbox import Receiver, database_trouble

log = logger(__name__)

MAX_POLL_SECONDS = 300
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


async def create_topics(
    bootstrap_servers: str, topics: Iterable[str], *, prefix: str = "", partitions: int = 6, replicas: int = 1
) -> None:
    """Make the topics that are not there yet; those that are keep their partitions and replicas."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = sorted({prefix + topic for topic in topics} - there)
        if missing:
            response = await admin.create_topics([NewTopic(topic, partitions, replicas) for topic in missing])
            for topic, code, *_ in response.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise error(f"{topic} cannot be made")
    finally:
        await admin.close()


class KafkaTransport:
    """Sends envelopes keyed by subject. After trouble the producer is made anew; the relay sends the batch again."""

    def __init__(self, bootstrap_servers: str, *, client_id: str, prefix: str = "") -> None:
        self._bootstrap_servers = bootstrap_servers
        self._client_id = client_id
        self._prefix = prefix
        self._producer: AIOKafkaProducer | None = None

    async def send(self, batch: Sequence[Envelope]) -> None:
        try:
            producer = await self._started()
            sent = [
                await producer.send(
                    self._prefix + CATALOGUE[envelope.type].topic(),
                    value=envelope.model_dump_json(exclude_none=True).encode(),
                    key=envelope.subject.encode(),
                    headers=[CONTENT_TYPE],
                )
                for envelope in batch
            ]
            await asyncio.gather(*sent)
        except BaseException:
            await self.stop()
            raise

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers,
                client_id=self._client_id,
                enable_idempotence=True,
                acks="all",
                linger_ms=2,
                request_timeout_ms=15_000,
                max_batch_size=262_144,
                max_request_size=8 * 1024 * 1024,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(producer.stop(), 5)


class KafkaConsumer:
    """Reads the topics a service listens to and hands them over in order; offsets follow the effect, never lead it."""

    def __init__(
        self,
        bootstrap_servers: str,
        receiver: Receiver,
        *,
        prefix: str = "",
        batch: int = 500,
        max_poll_seconds: float = MAX_POLL_SECONDS,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._max_poll_ms = round(max_poll_seconds * 1000)
        self._receiver = receiver
        self._prefix = prefix
        self._batch = batch
        self.last_poll: datetime | None = None
        self.trouble: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; broker trouble is waited out."""
        pause = 0.2
        while not stop.is_set():
            try:
                await self._consume(stop)
                pause = 0.2
            except Exception as error:  # whatever it is, a consumer that ended would be noticed by nobody
                self.trouble = type(error).__name__
                log.warning("consumer starts again", service=self._receiver.name, trouble=repr(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                pause = min(pause * 2, 5.0)

    async def _consume(self, stop: asyncio.Event) -> None:
        consumer = AIOKafkaConsumer(
            *sorted(self._prefix + topic for topic in self._receiver.topics),
            bootstrap_servers=self._bootstrap_servers,
            group_id=f"{self._prefix}pcn.{self._receiver.name}",
            client_id=f"pcn.{self._receiver.name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=self._max_poll_ms,
            max_poll_records=self._batch,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            metadata_max_age_ms=30_000,
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
        try:
            await consumer.start()
            while not stop.is_set():
                records = await consumer.getmany(timeout_ms=250)
                self.last_poll, self.trouble = datetime.now(UTC), None
                if records:
                    await self._handle(consumer, records, stop)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(consumer.stop(), 10)

    async def _handle(
        self,
        consumer: AIOKafkaConsumer,
        records: dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]],
        stop: asyncio.Event,
    ) -> None:
        for batch in records.values():
            envelopes: list[Envelope] = []
            for record in batch:
                try:
                    envelopes.append(Envelope.model_validate_json(record.value or b""))
                except ValidationError as error:
                    await self._receiver.park(_unreadable(record), "Unreadable", str(error))
            if not await self._receive(envelopes, stop):
                return
        try:
            await consumer.commit({partition: batch[-1].offset + 1 for partition, batch in records.items()})
        except (CommitFailedError, IllegalStateError) as error:
            # the partitions went to another consumer while we worked: it sees these again, and the inbox refuses them
            log.warning("offsets not committed", service=self._receiver.name, trouble=repr(error))

    async def _receive(self, envelopes: list[Envelope], stop: asyncio.Event) -> bool:
        pause = 0.1
        while True:
            try:
                await self._receiver.receive(envelopes)
                return True
            except Exception as error:
                if not database_trouble(error):
                    raise
                self.trouble = type(error).__name__
                log.warning("receiver waits for its database", service=self._receiver.name, trouble=repr(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                if stop.is_set():
                    return False
                pause = min(pause * 2, 5.0)


def _unreadable(record: ConsumerRecord[bytes, bytes]) -> Envelope:
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return Envelope(
        id=uuid5(NAMESPACE_URL, place),
        source=record.topic,
        type="unreadable",
        subject=(record.key or b"").decode(errors="replace").replace("\x00", "\ufffd") or place,
        time=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        sequence=f"{record.offset:020d}",
        data={"place": place, "base64": base64.b64encode(record.value or b"").decode()},
    )
