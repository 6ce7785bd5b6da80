"""Projections equal what the log gives: every received event is handled again, into empty copies of the tables.

The copies are temporary tables of the same names in one transaction that is rolled back, so the service's own handlers
run unchanged and nothing of the service is touched or locked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from deploy.doctor.finding import SHOWN, Finding, Patient, Row, judged
from shared.database import engine_for
from shared.events.base import Envelope
from shared.messaging.inbox import Receiver
from shared.messaging.tables import PlumbingBase

BATCH = 500
BOOKKEEPING = {"fact_id", "known", "position", "closing_position", "heirs_position", "sequence"} | {
    "outcome_sequence", "submitted_sequence", "state_sequence", "opened_at", "entered_at", "version"
}  # fmt: skip
"""When and by which event a row came to be; the same facts may have come in another order."""


@dataclass(frozen=True)
class Projections:
    """Tables that hold nothing but what events said, and the tables whose content a handler reads beside them."""

    tables: Mapping[str, tuple[str, ...]]
    """By table the columns to compare; none named means all but the bookkeeping."""
    beside: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str, str], ...] = ()
    """Table, key and column: null where it was held before the column was kept and nothing told it since."""


PROJECTIONS: dict[str, Projections] = {
    "funding": Projections(
        {
            **dict.fromkeys(("commissioners", "practices", "networks", "memberships", "allocations", "payees",
                             "practice_heirs"), ()),
            "populations": (),
            "accounts": ("network", "opened_on"),
            "claims": (
                "id", "network", "post", "role", "zone", "wte", "month", "worked_from", "worked_to", "salary",
                "employer_ni", "employer_pension", "supplier_fee", "additional", "made_on",
            ),
        },
        beside=("tariffs",),
        unknown=(("networks", "code", "by_application"),),
    ),
    "workforce": Projections(
        dict.fromkeys(
            ("commissioners", "practices", "list_sizes", "networks", "memberships", "ceilings", "budgets",
             "claim_outcomes", "variations", "network_terms"), ()
        )
    ),
    "reporting": Projections({}),
}  # fmt: skip
"""Of reporting, every table."""


async def projections_equal_log(patient: Patient, patients: Mapping[str, Patient]) -> Finding:
    """What a service holds of others is what their events say, no more and no less."""
    check = f"projections-{patient.name}"
    wanted = PROJECTIONS[patient.name]
    tables = sorted(patient.service.base.metadata.tables)
    compared = wanted.tables or dict.fromkeys(tables, ())
    engine = engine_for(patient.url, pool_size=1)
    try:
        async with engine.connect() as connection:
            transaction = await connection.begin()
            # the same snapshot as the inbox was read in, or what came since would look like a difference
            snapshot = patient.received("SELECT pg_export_snapshot() AS id")[0]["id"]
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await connection.execute(text(f"SET TRANSACTION SNAPSHOT '{snapshot}'"))
            schema = (await connection.execute(text("SELECT current_schema()"))).scalar_one()
            await _shadow(connection, schema, tables, wanted.beside)
            handled, unhandled = await _replay(connection, patient, patients)
            differing = [*unhandled]
            for table, key, column in wanted.unknown:
                await connection.execute(
                    text(
                        f'UPDATE pg_temp."{table}" AS g SET "{column}" = NULL FROM "{schema}"."{table}" AS h '  # noqa: S608
                        f'WHERE h."{key}" = g."{key}" AND h."{column}" IS NULL'
                    )
                )
            for table, columns in compared.items():
                differing += await _differences(connection, schema, table, columns)
            await transaction.rollback()
    finally:
        await engine.dispose()
    return judged(check, f"{len(compared)} tables against {handled} events", differing)


async def _shadow(connection: AsyncConnection, schema: str, tables: Sequence[str], beside: Sequence[str]) -> None:
    for table in (*tables, *PlumbingBase.metadata.tables):
        await connection.execute(
            text(f'CREATE TEMP TABLE "{table}" (LIKE "{schema}"."{table}" INCLUDING ALL) ON COMMIT DROP')
        )
    for table in beside:
        await connection.execute(text(f'INSERT INTO "{table}" SELECT * FROM "{schema}"."{table}"'))  # noqa: S608


async def _replay(
    connection: AsyncConnection, patient: Patient, patients: Mapping[str, Patient]
) -> tuple[int, list[Row]]:
    sessions = async_sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
    service = patient.service
    receiver = Receiver(sessions, service.handlers, name=service.name, finish=service.finish)
    handled, envelopes = 0, _received(patient, patients)
    while batch := list(islice(envelopes, BATCH)):
        await receiver.receive(batch)
        handled += len(batch)
    async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
        parked = await session.execute(text("SELECT source, subject, type, code, event_id FROM parked ORDER BY id"))
        return handled, [{"fault": "cannot be handled again", **row} for row in parked.mappings()]


def _received(patient: Patient, patients: Mapping[str, Patient]) -> Iterator[Envelope]:
    """What a service has handled, in the order in which it did."""
    order: dict[Any, datetime] = {
        row["event_id"]: row["received_at"] for row in patient.received("SELECT event_id, received_at FROM inbox")
    }
    rows: list[tuple[datetime, str, int, Row]] = []
    for publisher in patients.values():
        kinds = sorted(patient.listens_to & {kind.event_type() for kind in publisher.service.announces})
        if kinds:
            source = publisher.service.source
            for row in publisher.announced(
                "SELECT event_id, position, type, subject, time, correlation_id, data FROM outbox "
                "WHERE type = ANY(%(kinds)s)",
                kinds=kinds,
            ):
                if row["event_id"] in order:
                    rows.append((order[row["event_id"]], source, row["position"], row))
    rows.sort(key=lambda one: one[:3])
    for _, source, position, row in rows:
        yield Envelope(
            id=row["event_id"],
            source=source,
            type=row["type"],
            subject=row["subject"],
            time=row["time"],
            sequence=f"{position:020d}",
            correlationid=row["correlation_id"],
            data=row["data"],
        )


async def _differences(
    connection: AsyncConnection, schema: str, table: str, columns: Sequence[str]
) -> list[dict[str, Any]]:
    there = await connection.execute(
        text("SELECT column_name FROM information_schema.columns WHERE table_schema = :schema AND table_name = :table"),
        {"schema": schema, "table": table},
    )
    names = set(there.scalars())
    kept = [name for name in (columns or sorted(names - BOOKKEEPING)) if name != "valid" or columns]
    listed = ", ".join(f'"{name}"' for name in kept)
    current = "WHERE upper_inf(known)" if "known" in names else ""
    # the days of a fact may lie in several rows: together they must be the same days
    whole = ", CAST(range_agg(valid) AS text) AS valid" if "valid" in names else ""
    grouped = f"GROUP BY {listed}" if whole else ""
    rows = f'SELECT {listed}{whole} FROM {{}}."{table}" {current} {grouped}'  # noqa: S608
    held, given = rows.format(f'"{schema}"'), rows.format("pg_temp")
    found = await connection.execute(
        text(
            f"(SELECT 'held, not in the log' AS fault, h.* FROM ({held} EXCEPT ALL {given}) h) UNION ALL "  # noqa: S608
            f"(SELECT 'in the log, not held', g.* FROM ({given} EXCEPT ALL {held}) g)"
        )
    )
    return [{"table": table, **row} for row in islice(found.mappings(), 10 * SHOWN)]
