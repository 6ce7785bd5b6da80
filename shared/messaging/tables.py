"""The tables every service has beside its own: outbox, inbox, parked messages, replies kept for retries, audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import Timestamp, metadata


class PlumbingBase(DeclarativeBase):
    metadata = metadata()


class Outbox(PlumbingBase):
    """An announced event. Rows are kept: they are the service's event log, in monthly partitions."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "position", postgresql_where=text("published_at IS NULL")),
        Index("ix_outbox_type", "type"),
        {"postgresql_partition_by": "RANGE (time)"},
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    event_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(String(120))
    topic: Mapped[str] = mapped_column(String(120))
    subject: Mapped[str] = mapped_column(String(200))
    correlation_id: Mapped[str | None] = mapped_column(String(64))
    traceparent: Mapped[str | None] = mapped_column(String(55))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Inbox(PlumbingBase):
    """An event that has had its effect here; its row and the effect share one transaction."""

    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_type", "type"),)

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(120))
    received_at: Mapped[Timestamp]


class Parked(PlumbingBase):
    """A message that could not be handled, or that follows one of its subject that could not."""

    __tablename__ = "parked"
    __table_args__ = (
        UniqueConstraint("event_id"),
        Index("ix_parked_subject", "source", "subject", postgresql_where=text("replayed_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[UUID]
    source: Mapped[str] = mapped_column(String(120))
    subject: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(120))
    envelope: Mapped[dict[str, Any]] = mapped_column(JSONB)
    code: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)
    parked_at: Mapped[Timestamp]
    attempts: Mapped[int] = mapped_column(default=1)
    replayed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class KeptReply(PlumbingBase):
    """The answer given to a POST, so that the same Idempotency-Key gets it again."""

    __tablename__ = "kept_replies"
    __table_args__ = (Index("ix_kept_replies_created_at", "created_at"),)

    caller: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[Timestamp]
    status: Mapped[int | None]
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class AuditEntry(PlumbingBase):
    """Who did what, when, from where, to which record, before and after; the database refuses to change one."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_concerns", "concerns", postgresql_using="gin"),
        Index("ix_audit_record", "record"),
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[Timestamp]
    subject: Mapped[str] = mapped_column(String(200))
    roles: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    organisations: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    address: Mapped[str | None] = mapped_column(String(64))
    correlation_id: Mapped[str] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(32))
    record: Mapped[str] = mapped_column(String(200))
    concerns: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
