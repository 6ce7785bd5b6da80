"""What runs in one process: some of the services, each with its relay and receiver, behind one HTTP port."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence

from aiokafka.errors import KafkaError
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.gateway import create_gateway, serve_app
from shared.app import create_app
from shared.events import CATALOGUE
from shared.log import logger
from shared.messaging.embedded import EmbeddedTransport
from shared.messaging.kafka import KafkaConsumer, KafkaTransport, create_topics
from shared.service import Runtime, Service
from shared.settings import CommonSettings

SERVICES = ("registry", "funding", "workforce", "reporting")

log = logger(__name__)


class SettingsWrong(RuntimeError):
    """A setting is missing or cannot be used; the message names the variable."""


class NoTransport(RuntimeError):
    """A service by itself needs a broker to reach the others."""


def build_service(name: str, *, database_url: str | None = None) -> Service:
    """The service called `name`, set up from the environment; `database_url` wins over it."""
    settings_class = importlib.import_module(f"services.{name}.settings").Settings
    try:
        settings = settings_class(**({"database_url": database_url} if database_url else {}))
    except ValidationError as error:
        faults = [f"{name.upper()}_{'_'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in error.errors()]
        raise SettingsWrong("; ".join(faults)) from error
    service: Service = importlib.import_module(f"services.{name}.main").service(settings)
    return service


def database_variable(name: str) -> str:
    return f"{name.upper()}_DATABASE_URL"


class Front:
    """All services behind one port, each under its own prefix; anything else goes to `other`."""

    def __init__(self, apps: Mapping[str, ASGIApp], other: ASGIApp) -> None:
        self._apps = apps
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("path", "/").split("/", 2)[1] if scope["type"] == "http" else ""
        await self._apps.get(name, self._other)(scope, receive, send)


def front_of(apps: Mapping[str, ASGIApp], *, jwks_url: str | None) -> ASGIApp:
    """The services of one process as one application; what is not theirs (index, health of all) the gateway answers."""
    return Front(apps, create_gateway({}, apps=apps, jwks_url=jwks_url))


async def _topics(common: CommonSettings, servers: str) -> None:
    pause = 0.5
    while True:
        try:
            await create_topics(
                servers,
                {event.topic() for event in CATALOGUE.values()},
                prefix=common.kafka_topic_prefix,
                partitions=common.kafka_partitions,
                replicas=common.kafka_replicas,
            )
            return
        except (KafkaError, OSError) as error:
            log.warning("waiting for the broker", trouble=repr(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


async def run_services(
    services: Sequence[Service],
    common: CommonSettings,
    *,
    front: Callable[[Mapping[str, ASGIApp]], ASGIApp],
    host: str,
    port: int,
    answering: bool = True,
    working: bool = True,
) -> None:
    """Run services until the process is told to stop; then finish the work in hand and close.

    `answering` without `working` is an API that only answers, `working` without `answering` relays and receives and
    shows nothing but its health. Raises `NoTransport` where events could not reach the other services.
    """
    servers = common.kafka_bootstrap_servers
    if servers is None and {service.name for service in services} != set(SERVICES):
        raise NoTransport("Set KAFKA_BOOTSTRAP_SERVERS to run one service by itself.")
    runtimes = {service.name: Runtime(service) for service in services}
    transports: list[KafkaTransport] = []
    apps = {
        name: create_app(runtime.service, common, runtime=runtime, answering=answering)
        for name, runtime in runtimes.items()
    }
    try:
        if working and servers is None:
            embedded = EmbeddedTransport()
            for runtime in runtimes.values():
                embedded.subscribe(runtime.receiver)
            for runtime in runtimes.values():
                runtime.start(embedded)
        elif working and servers is not None:
            await _topics(common, servers)
            for name, runtime in runtimes.items():
                transport = KafkaTransport(servers, client_id=f"pcn.{name}", prefix=common.kafka_topic_prefix)
                transports.append(transport)
                consumer = (
                    KafkaConsumer(
                        servers,
                        runtime.receiver,
                        prefix=common.kafka_topic_prefix,
                        max_poll_seconds=common.kafka_max_poll_seconds,
                    )
                    if runtime.receiver.topics
                    else None
                )
                runtime.start(transport, consumer)
        await serve_app(front(apps), host=host, port=port, lifespan="off")
    finally:
        await asyncio.gather(*(runtime.stop() for runtime in runtimes.values()))
        await asyncio.gather(*(transport.stop() for transport in transports))
