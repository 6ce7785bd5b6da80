"""What a stack holds, row by row, in a form that is the same for the same history.

Ids made by chance are told apart by what refers to them: an id is labelled by the rows it stands in, these by the
labels of the ids in them, until nothing changes. Moments and places in a log are left out.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections import Counter
from collections.abc import Mapping

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from deploy.stack import SERVICES, build_service
from shared.migrations import ROOT

ID = re.compile(r"\b([a-z]+)-([0-9a-hj-kmnp-tv-z]{18})(?![0-9a-z])")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|\+00|Z)?")
ROUNDS = 6

LEFT_OUT = re.compile(r"fact_id|known|([a-z]+_)?(position|sequence)")
"""When, and by which event, a row came to be."""
MOVING = {
    ("funding", "budgets"): {"version"},  # how many events were handled together is not a fact
    ("funding", "claims"): {"version"},
    ("funding", "payment_lines"): {"id"},  # a number within the run
}

PASSING = {("funding", "budget_versions")}
"""What was believed for a while: how often depends on which events were handled together."""

State = dict[str, Counter[str]]


def state_of(urls: Mapping[str, str]) -> State:
    """Every row of every service's own tables; keys are like `funding.payment_lines`."""
    rows: list[tuple[str, str]] = []
    for name in SERVICES:
        for model in (ROOT / "services" / name).glob("*/model.py"):
            importlib.import_module(f"services.{name}.{model.parent.name}.model")
        tables = build_service(name, database_url=urls[name]).base.metadata.tables
        with psycopg.connect(urls[name].replace("+psycopg", ""), row_factory=tuple_row) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            for table in sorted(table for table in tables if (name, table) not in PASSING):
                rows += ((f"{name}.{table}", row) for row in _rows(connection, name, table))
    return _labelled(rows)


def _rows(connection: psycopg.Connection[tuple[object, ...]], service: str, table: str) -> list[str]:
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND table_name = %s AND is_identity = 'NO' ORDER BY column_name",
        [table],
    ).fetchall()
    names = {str(name) for name, _ in columns}
    kept = [
        str(name)
        for name, kind in columns
        if kind != "timestamp with time zone"
        and name not in MOVING.get((service, table), set())
        and not LEFT_OUT.fullmatch(str(name))
    ]
    plain = [name for name in kept if name != "valid"] if "known" in names else kept
    listed = sql.SQL(", ").join(map(sql.Identifier, plain))
    whole = "valid" in names and "known" in names
    statement = sql.SQL("SELECT CAST(to_jsonb(held) AS text) FROM (SELECT {listed}{days} FROM {table}{current}) held")
    found = connection.execute(
        statement.format(
            listed=listed,
            days=sql.SQL(", CAST(range_agg(valid) AS text) AS valid") if whole else sql.SQL(""),
            table=sql.Identifier(table),
            current=sql.SQL(" WHERE upper_inf(known)") + (sql.SQL(" GROUP BY ") + listed if whole else sql.SQL(""))
            if "known" in names
            else sql.SQL(""),
        )
    ).fetchall()
    return [MOMENT.sub("<moment>", json.dumps(json.loads(str(row)), sort_keys=True)) for (row,) in found]


def _labelled(rows: list[tuple[str, str]]) -> State:
    labels: dict[str, str] = {}

    def written(row: str, here: str = "") -> str:
        return ID.sub(lambda id: "<here>" if id[2] == here else f"{id[1]}-<{labels.get(id[2], '')}>", row)

    for _ in range(ROUNDS):
        places: dict[str, list[str]] = {}
        for table, row in rows:
            for here in {found[2] for found in ID.finditer(row)}:
                places.setdefault(here, []).append(f"{table} {written(row, here)}")
        labels = {
            id: hashlib.sha256("\n".join(sorted(where)).encode()).hexdigest()[:10] for id, where in places.items()
        }
    state: State = {}
    for table, row in rows:
        state.setdefault(table, Counter())[written(row)] += 1
    return state


def differences(undisturbed: State, stormy: State) -> list[str]:
    """Rows that only one of the two holds, table by table."""
    found = []
    for table in sorted(undisturbed.keys() | stormy.keys()):
        one, other = undisturbed.get(table, Counter()), stormy.get(table, Counter())
        found += [f"missing in {table}: {row}" for row in sorted((one - other).elements())]
        found += [f"too much in {table}: {row}" for row in sorted((other - one).elements())]
    return found
