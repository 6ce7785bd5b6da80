"""What a check found, and the snapshots it looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from shared.service import Service

SHOWN = 5
"""How many offending rows a finding shows; it counts them all."""

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


class State(StrEnum):
    """`unsettled` is neither well nor broken: events are on their way, so there is nothing to compare yet."""

    OK = "ok"
    BROKEN = "broken"
    UNSETTLED = "unsettled"


@dataclass(frozen=True)
class Finding:
    """One check by its stable name: its state, a sentence, and the first offending rows."""

    check: str
    state: State
    detail: str
    rows: list[Row] = field(default_factory=list)


def judged(check: str, looked_at: str, offending: Iterable[Row]) -> Finding:
    """Well if nothing offends; otherwise broken, with how many rows do and the first of them."""
    rows = list(offending)
    if not rows:
        return Finding(check, State.OK, looked_at)
    return Finding(check, State.BROKEN, f"{len(rows)} of {looked_at} offend", rows[:SHOWN])


@dataclass(frozen=True)
class Announced:
    """One row of an outbox."""

    event_id: UUID
    source: str
    position: int
    type: str
    published: bool
    age: float


@dataclass
class Patient:
    """One service: a snapshot of what it had received, and a later one of what it had announced.

    As everybody's receipts are looked at before anybody's announcements, whatever was received had been announced.
    """

    service: Service
    url: str
    receipts: Connection
    announcements: Connection
    inbox: dict[UUID, str] = field(default_factory=dict)
    parked: set[UUID] = field(default_factory=set)
    dismissed: set[UUID] = field(default_factory=set)
    """Given up by an operator: they will never have an effect here."""
    outbox: dict[UUID, Announced] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def listens_to(self) -> frozenset[str]:
        return frozenset(kind.event_type() for kind in self.service.handlers)

    def received(self, statement: LiteralString, **values: Any) -> list[Row]:
        return self.receipts.execute(statement, values or None).fetchall()

    def announced(self, statement: LiteralString, **values: Any) -> list[Row]:
        return self.announcements.execute(statement, values or None).fetchall()


@contextlib.contextmanager
def admitted(services: Mapping[str, Service], urls: Mapping[str, str]) -> Iterator[dict[str, Patient]]:
    """Look at all four: first what each had received, then what each had announced. Nothing is written."""
    with contextlib.ExitStack() as open_ones:
        opened = [
            {name: open_ones.enter_context(_snapshot(urls[name])) for name in services}
            for _ in ("received", "announced")
        ]
        for snapshots in opened:
            for connection in snapshots.values():
                connection.execute("SELECT 1 FROM inbox LIMIT 1")  # a snapshot begins with its first look
        patients = {
            name: Patient(service, urls[name], opened[0][name], opened[1][name]) for name, service in services.items()
        }
        for patient in patients.values():
            _take_history(patient)
        yield patients


@contextlib.contextmanager
def _snapshot(url: str) -> Iterator[Connection]:
    with psycopg.connect(url.replace("+psycopg", ""), row_factory=dict_row, connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
        connection.rollback()


def _take_history(patient: Patient) -> None:
    patient.inbox = {row["event_id"]: row["type"] for row in patient.received("SELECT event_id, type FROM inbox")}
    patient.parked = {
        row["event_id"] for row in patient.received("SELECT event_id FROM parked WHERE replayed_at IS NULL")
    }
    patient.dismissed = {
        row["event_id"]
        for row in patient.received(
            "SELECT event_id FROM parked WHERE code = 'Dismissed' AND replayed_at IS NOT NULL "
            "AND NOT EXISTS (SELECT FROM inbox WHERE inbox.event_id = parked.event_id)"
        )
    }
    for row in patient.announced(
        "SELECT event_id, position, type, published_at IS NOT NULL AS published, "
        "CAST(extract(epoch FROM now() - coalesce(published_at, time)) AS float8) AS age FROM outbox"
    ):
        patient.outbox[row["event_id"]] = Announced(source=patient.service.source, **row)
