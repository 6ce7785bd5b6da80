"""Dated facts without overlap, and an audit trail without a gap that can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from psycopg import sql
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from deploy.doctor.finding import Finding, Patient, Row, judged

BY_PEOPLE: dict[str, tuple[str, ...]] = {
    "registry": ("rounds", "applications", "imports"),
    "funding": ("payment_runs", "bank_details", "payment_files", "payment_queries", "distributions"),
    "workforce": ("plans", "vacancies", "candidates", "posts", "claims"),
    "reporting": (),
}
"""Tables whose rows only ever come from a request, which leaves its entry."""

COUNTED: dict[str, tuple[str, ...]] = {
    "registry": ("rounds",),
    "funding": ("payment_runs",),
    "workforce": ("vacancies",),
}
"""Of these, each version is one change by one request: as many entries as versions."""


def facts_do_not_overlap(patients: Mapping[str, Patient]) -> Finding:
    """No two versions of one fact are true on one day and believed at one time, and the database would refuse them."""
    offending: list[Row] = []
    tables = 0
    for patient in patients.values():
        for table, constraint in _dated(patient):
            tables += 1
            place = {"service": patient.name, "table": table.name}
            if not patient.announced("SELECT 1 FROM pg_constraint WHERE conname = %(name)s", name=str(constraint.name)):
                offending.append({**place, "fault": f"the constraint {constraint.name} is not there"})
            found = patient.announcements.execute(_overlaps(table, constraint)).fetchall()
            offending += ({**place, "fault": "overlap", **row} for row in found)
    return judged("facts-do-not-overlap", f"{tables} tables of dated facts", offending)


def _dated(patient: Patient) -> Iterator[tuple[Table, ExcludeConstraint]]:
    for table in patient.service.base.metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, ExcludeConstraint):
                yield table, constraint


def _overlaps(table: Table, constraint: ExcludeConstraint) -> sql.Composed:
    one, other = sql.SQL("one"), sql.SQL("other")
    same = sql.SQL(" AND ").join(
        sql.SQL("{}.{} {} {}.{}").format(one, column, sql.SQL(operator), other, column)
        for column, operator in ((sql.Identifier(str(name)), op) for _, name, op in constraint._render_exprs)
    )
    # some constraints hold of some rows only: of several heirs one decides what was left open
    held = sql.SQL("TRUE" if constraint.where is None else str(constraint.where))
    return sql.SQL(
        "WITH held AS (SELECT * FROM {table} WHERE {held}) "
        "SELECT one.fact_id AS one, other.fact_id AS other FROM held one JOIN held other "
        "ON one.fact_id < other.fact_id AND {same} ORDER BY 1, 2"
    ).format(table=sql.Identifier(table.name), held=held, same=same)


def audit_is_whole(patients: Mapping[str, Patient]) -> Finding:
    """Whatever people made or changed has its entries, and the database lets nobody take one away."""
    offending: list[Row] = []
    entries = 0
    for patient in patients.values():
        place: Row = {"service": patient.name}
        entries += patient.announced("SELECT count(*) AS entries FROM audit")[0]["entries"]
        guarded = patient.announced(
            "SELECT 1 FROM pg_trigger WHERE tgrelid = 'audit'::regclass AND tgname = 'audit_append_only' "
            "AND tgenabled IN ('O', 'A')"
        )
        if not guarded:
            offending.append({**place, "fault": "the trigger audit_append_only is not there"})
        for table in BY_PEOPLE[patient.name]:
            offending += ({**place, "fault": "nobody made it", **row} for row in _unmade(patient, table))
        for table in COUNTED.get(patient.name, ()):
            offending += ({**place, "fault": "entries lack", **row} for row in _uncounted(patient, table))
    return judged("audit-is-whole", f"{entries} entries", offending)


def _unmade(patient: Patient, table: str) -> list[Row]:
    statement = sql.SQL(
        "SELECT {name} || '/' || t.id AS record FROM {table} t WHERE NOT EXISTS ("
        "SELECT FROM audit a WHERE a.record = {name} || '/' || t.id AND a.action = 'created') ORDER BY 1"
    ).format(name=sql.Literal(table), table=sql.Identifier(table))
    return patient.announcements.execute(statement).fetchall()


def _uncounted(patient: Patient, table: str) -> list[Row]:
    statement = sql.SQL(
        "SELECT {name} || '/' || t.id AS record, t.version, count(a.position) AS entries FROM {table} t "
        "LEFT JOIN audit a ON a.record = {name} || '/' || t.id AND a.action IN ('created', 'changed') "
        "GROUP BY t.id, t.version HAVING count(a.position) < t.version ORDER BY 1"
    ).format(name=sql.Literal(table), table=sql.Identifier(table))
    return patient.announcements.execute(statement).fetchall()
