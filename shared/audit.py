"""The audit trail: every change a person makes through the ORM is written down with it, in the same transaction.

What events change in a service's copies is not audited again: the event says who and when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Date, DateTime, Numeric, event, inspect, select
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, UOWTransaction
from sqlalchemy.types import TypeEngine

from shared import context
from shared.messaging.tables import AuditEntry, PlumbingBase

_ACTOR = "pcn_actor"
RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in a transaction, and through which request."""

    subject: str
    roles: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    address: str | None = None
    request: str = ""


def act_as(session: AsyncSession, actor: Callable[[], Actor | None]) -> None:
    """Name who is responsible for what this transaction changes; asked when the first change is written."""
    session.info[_ACTOR] = actor


def act_alike(session: AsyncSession, other: AsyncSession) -> None:
    """Whoever is responsible for what `other` changes is so for what this transaction changes."""
    session.info[_ACTOR] = other.info.get(_ACTOR)


def _actor(session: AsyncSession | Session) -> Actor | None:
    named: Callable[[], Actor | None] | None = session.info.get(_ACTOR)
    return None if named is None else named()


def audit(
    session: AsyncSession | Session,
    *,
    action: str,
    record: str,
    concerns: Iterable[str] = (),
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one audit entry by hand, for changes that do not go through the ORM (COPY, bulk statements)."""
    actor = _actor(session) or Actor(subject="system", request="system")
    session.add(
        AuditEntry(
            at=datetime.now(UTC),
            subject=actor.subject,
            roles=list(actor.roles),
            organisations=list(actor.organisations),
            address=actor.address,
            correlation_id=context.current().correlation_id,
            request=actor.request,
            action=action,
            record=record,
            concerns=sorted(set(concerns)),
            before=None if before is None else _plain(dict(before)),
            after=None if after is None else _plain(dict(after)),
        )
    )


def _plain(value: Any) -> Any:
    """A value as JSON holds it: decimals and dates as text, ranges as their two ends."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Range):
        return [_plain(value.lower), _plain(value.upper)]
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return str(value)


def _state(target: Any, *, only: set[str] | None = None) -> dict[str, Any]:
    hidden = getattr(target, "secret_columns", ())
    return {
        attribute.key: "***" if attribute.key in hidden else _plain(getattr(target, attribute.key))
        for attribute in inspect(type(target)).column_attrs
        if only is None or attribute.key in only
    }


def _record_of(target: Any) -> str:
    identity = inspect(target).mapper.primary_key_from_instance(target)
    return "/".join([target.__tablename__, *("new" if part is None else str(part) for part in identity)])


def _concerns(target: Any) -> Iterable[str]:
    named = getattr(target, "concerns", None)
    return [code for code in named() if code] if callable(named) else ()


async def as_it_was(session: AsyncSession, targets: Sequence[RecordT], known_at: datetime | None) -> list[RecordT]:
    """Records as they stood at a moment, by the audit trail, in their order; those entered later are left out.

    For records that change and are no dated facts. What is given is apart from the session: it cannot be written back.
    Secret columns are not told.
    """
    if known_at is None or not targets:
        return list(targets)
    stood = {_record_of(target): (type(target), _values_of(target)) for target in targets}
    changes = await session.execute(
        select(AuditEntry.record, AuditEntry.action, AuditEntry.before)
        .where(AuditEntry.record.in_(list(stood)), AuditEntry.at > known_at)
        .order_by(AuditEntry.position.desc())
    )
    for record, action, before in changes:
        if action == "created":
            stood.pop(record, None)
        elif action == "changed" and record in stood:
            kind, values = stood[record]
            columns = inspect(kind).columns
            values |= {name: _typed(columns[name].type, value) for name, value in before.items() if name in columns}
    return [kind(**values) for kind, values in stood.values()]


def _values_of(target: Any) -> dict[str, Any]:
    return {attribute.key: getattr(target, attribute.key) for attribute in inspect(type(target)).column_attrs}


def _typed(kind: TypeEngine[Any], value: Any) -> Any:
    """A value as the record holds it, from what the trail's JSON says of it."""
    if not isinstance(value, str):
        return value
    if isinstance(kind, sqltypes.Enum) and kind.enum_class is not None:
        return kind.enum_class(value)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    if isinstance(kind, Numeric):
        return Decimal(value)
    return value


@event.listens_for(Session, "after_flush")
def _audit_flush(session: Session, _: UOWTransaction) -> None:
    if _actor(session) is None:
        return
    entries: list[tuple[str, Any, dict[str, Any] | None, dict[str, Any] | None]] = []
    for target in session.new:
        entries.append(("created", target, None, None))
    for target in session.dirty:
        changed = {
            attribute.key: attribute.history.deleted[0] if attribute.history.deleted else None
            for attribute in inspect(target).attrs
            if attribute.history.has_changes() and attribute.key in inspect(type(target)).column_attrs
        }
        if changed:
            entries.append(("changed", target, {key: _plain(value) for key, value in changed.items()}, None))
    for target in session.deleted:
        entries.append(("deleted", target, _state(target), None))
    for action, target, before, after in entries:
        if isinstance(target, PlumbingBase):
            continue
        hidden = set(getattr(target, "secret_columns", ()))
        if action == "created":
            after = _state(target)
        elif action == "changed" and before is not None:
            after = _state(target, only=set(before))
            before = {key: "***" if key in hidden else value for key, value in before.items()}
        audit(session, action=action, record=_record_of(target), concerns=_concerns(target), before=before, after=after)
