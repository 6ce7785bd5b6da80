"""What every service shows its operators and auditors: health, metrics, messages and the audit trail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field
from sqlalchemy import func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from shared.audit import audit
from shared.errors import NotFound
from shared.http import In, Out, Page, Paging, PcnRoute, Reading, Transaction, page, refusals
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.messaging.tables import AuditEntry, Inbox, Outbox, Parked
from shared.migrations import current_of, head_of


class Health(Out):
    status: str
    service: str
    checks: dict[str, Any] = {}


class Messages(Out):
    """Counts by event type of what was announced and what was received here, and what waits or is parked."""

    service: str
    announced: dict[str, int]
    received: dict[str, int]
    listens_to: list[str]
    waiting: int
    parked: int


class ParkedOut(Out):
    event_id: UUID
    source: str
    subject: str
    type: str
    code: str
    reason: str
    parked_at: datetime
    attempts: int


class Replayed(Out):
    source: str
    subject: str
    replayed: int


class AuditOut(Out):
    position: int
    at: datetime
    subject: str
    roles: list[str]
    organisations: list[str]
    address: str | None
    correlation_id: str
    request: str
    action: str
    record: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def operating_router(service: str) -> APIRouter:
    """Health and metrics answer under the service's prefix and, in a container of its own, at the root."""
    router = APIRouter(route_class=PcnRoute)
    for prefix in ("", f"/{service}"):
        router.add_api_route(
            f"{prefix}/health/live", _live, tags=["operating"], response_model=Health, include_in_schema=bool(prefix)
        )
        router.add_api_route(
            f"{prefix}/health/ready", _ready, tags=["operating"], response_model=Health, include_in_schema=bool(prefix)
        )
        router.add_api_route(f"{prefix}/metrics", _metrics, tags=["operating"], include_in_schema=bool(prefix))
    if service:
        router.add_api_route("/openapi.json", _describe, include_in_schema=False)
        router.add_api_route("/docs", _documented, include_in_schema=False)
        base = f"/{service}/v1"
        router.add_api_route(f"{base}/messages", _messages, tags=["operating"], response_model=Messages)
        router.add_api_route(f"{base}/messages/parked", _parked, tags=["operating"], response_model=Page[ParkedOut])
        router.add_api_route(
            f"{base}/messages/parked/{{event_id}}/replay",
            _replay,
            methods=["PUT"],
            tags=["operating"],
            response_model=Replayed,
            responses=refusals(NotFound),
        )
        router.add_api_route(
            f"{base}/messages/parked/{{event_id}}/dismissal",
            _dismiss,
            methods=["PUT"],
            tags=["operating"],
            response_model=ParkedOut,
            responses=refusals(NotFound),
        )
        router.add_api_route(f"{base}/audit", _audit, tags=["operating"], response_model=Page[AuditOut])
    return router


async def _live(request: Request, response: Response) -> Health:
    """Alive: answers, and no worker of it has died."""
    runtime = request.app.state.runtime
    if not runtime.working:
        response.status_code = 503
    return Health(status="live" if runtime.working else "dead", service=runtime.service.name)


async def _ready(request: Request, response: Response) -> Health:
    """Ready: database reachable and migrated, and a consumer that has polled within the last half minute.

    Trouble of relay or consumer is shown by kind: events then wait, and requests are answered all the same.
    """
    runtime = request.app.state.runtime
    name = runtime.service.name
    checks: dict[str, Any] = {}
    try:
        async with runtime.engine.connect() as connection:
            checks["migration"] = await connection.run_sync(current_of)
            waiting = await connection.execute(
                select(func.count(), func.min(Outbox.time)).where(Outbox.published_at.is_(None))
            )
            count, oldest = waiting.one()
        checks["database"] = "up"
        checks["outbox_waiting"] = count
        checks["outbox_oldest_seconds"] = round((datetime.now(UTC) - oldest).total_seconds(), 1) if oldest else 0
        ready = checks["migration"] == head_of(name)
    except (SQLAlchemyError, OSError) as error:
        checks["database"], ready = type(error).__name__, False
    if runtime.relay is not None:
        checks["relay"] = runtime.relay.trouble or "up"
    if runtime.consumer is not None:
        consumer = runtime.consumer
        age = (datetime.now(UTC) - consumer.last_poll).total_seconds() if consumer.last_poll else None
        checks["consumer"] = consumer.trouble or "up"
        checks["consumer_last_poll_seconds"] = age
        ready = ready and age is not None and age < 30
    if not ready:
        response.status_code = 503
    return Health(status="ready" if ready else "not ready", service=name, checks=checks)


async def _metrics(request: Request, session: Reading) -> Response:
    """Requests, times and waiting events, as Prometheus reads them."""
    metrics = request.app.state.metrics
    count, oldest = (
        await session.execute(select(func.count(), func.min(Outbox.time)).where(Outbox.published_at.is_(None)))
    ).one()
    metrics.waiting.labels(metrics.service).set(count)
    metrics.waiting_age.labels(metrics.service).set((datetime.now(UTC) - oldest).total_seconds() if oldest else 0)
    parked = await session.scalar(select(func.count()).where(Parked.replayed_at.is_(None)))
    metrics.parked.labels(metrics.service).set(parked or 0)
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _describe(request: Request) -> Any:
    return request.app.openapi()


async def _documented(request: Request) -> Response:
    return Response(status_code=307, headers={"location": f"/{request.app.state.service.name}/docs"})


async def _messages(
    request: Request, session: Reading, caller: Annotated[Caller, allow(Role.OPERATOR, Role.NATIONAL)]
) -> Messages:
    """How far events have come: what this service announced and received, by type."""
    runtime = request.app.state.runtime
    announced = await session.execute(select(Outbox.type, func.count()).group_by(Outbox.type))
    received = await session.execute(select(Inbox.type, func.count()).group_by(Inbox.type))
    return Messages(
        service=runtime.service.name,
        announced=dict(announced.all()),
        received=dict(received.all()),
        listens_to=sorted(runtime.receiver.types),
        waiting=await session.scalar(select(func.count()).where(Outbox.published_at.is_(None))) or 0,
        parked=await session.scalar(select(func.count()).where(Parked.replayed_at.is_(None))) or 0,
    )


async def _parked(session: Reading, caller: Annotated[Caller, allow(Role.OPERATOR)], paging: Paging) -> Page[ParkedOut]:
    """Messages that could not be handled, oldest first, each with its reason."""
    rows, following = await page(session, select(Parked).where(Parked.replayed_at.is_(None)), [Parked.id], paging)
    return Page(items=[ParkedOut.model_validate(row[0]) for row in rows], next=following)


async def _replay(
    request: Request, event_id: UUID, session: Reading, caller: Annotated[Caller, allow(Role.OPERATOR)]
) -> Replayed:
    """Handle a parked message and what waits behind it again, in order."""
    row = (
        await session.execute(
            select(Parked.source, Parked.subject).where(Parked.event_id == event_id, Parked.replayed_at.is_(None))
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"No parked message {event_id}.")
    done = await request.app.state.runtime.receiver.replay(row.source, row.subject)
    return Replayed(source=row.source, subject=row.subject, replayed=done)


class DismissalIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


async def _dismiss(
    request: Request,
    event_id: UUID,
    dismissal: DismissalIn,
    session: Transaction,
    caller: Annotated[Caller, allow(Role.OPERATOR)],
) -> ParkedOut:
    """Give a parked message up for good, with the reason: it will never have its effect."""
    row = await request.app.state.runtime.receiver.dismiss(session, event_id, dismissal.reason)
    audit(
        session,
        action="dismissed",
        record=f"parked/{event_id}",
        after={"reason": dismissal.reason, "source": row.source, "subject": row.subject, "type": row.type},
    )
    return ParkedOut.model_validate(row)


async def _audit(
    session: Reading,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    paging: Paging,
    record: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[AuditOut]:
    """Who changed what: what concerns the caller's organisations, or what the caller's organisations did.

    A local medical committee names the commissioners it speaks to, which are not it: it reads what committees did.
    """
    statement = select(AuditEntry)
    if not caller.everywhere:
        mine = list(caller.organisations)
        did = AuditEntry.organisations.overlap(mine)
        if caller.roles == {Role.LMC}:
            statement = statement.where(did, AuditEntry.roles.contains([Role.LMC.value]))
        else:
            statement = statement.where(or_(AuditEntry.concerns.overlap(mine), did))
    if record is not None:
        statement = statement.where(AuditEntry.record == record)
    rows, following = await page(session, statement, [AuditEntry.position], paging)
    return Page(items=[AuditOut.model_validate(row[0]) for row in rows], next=following)
