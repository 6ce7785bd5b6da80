"""The whole examination, and how `pcn doctor` shows it."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
from collections.abc import Mapping

import psycopg
import typer
from sqlalchemy import create_engine, pool

from deploy.doctor import copies, messages, money, trail
from deploy.doctor.finding import Finding, Patient, State, admitted, judged
from deploy.doctor.replays import projections_equal_log
from deploy.stack import SERVICES, build_service, database_variable
from deploy.up import Home, databases
from shared.errors import DomainError
from shared.migrations import ROOT, current_of, head_of
from shared.service import Service


class NothingToExamine(DomainError):
    """There is no stack here, or its databases do not answer."""


def run_doctor(home: Home, *, as_json: bool, patience: float) -> int:
    """Examine what the home holds, or the databases the environment names; 1 when anything is broken.

    Raises `NothingToExamine`.
    """
    elsewhere = all(os.environ.get(database_variable(name)) for name in SERVICES)
    if not elsewhere and not (home.path / "postgres" / "data" / "PG_VERSION").exists():
        raise NothingToExamine(f"{home.path} holds no stack, and the environment names no databases.")
    with databases(home) as urls:
        try:
            findings = examine(urls, patience=patience)
        except psycopg.OperationalError as error:
            raise NothingToExamine(f"A database does not answer: {error}") from error
    if as_json:
        typer.echo(json.dumps([_plain(finding) for finding in findings], indent=1, default=str))
    else:
        _show(findings)
    return int(any(finding.state is State.BROKEN for finding in findings))


def examine(urls: Mapping[str, str], *, patience: float = 60.0) -> list[Finding]:
    """Every check over the four databases; an event may be on its way for `patience` seconds before it counts as lost.

    Reads only. Beside a running stack a difference that events still under way may explain is called unsettled.
    """
    services = {name: _service(name, urls[name]) for name in SERVICES}
    behind = _behind(services, urls)
    if behind.state is State.BROKEN:
        return [behind]
    with admitted(services, urls) as patients:
        return [
            behind,
            messages.outbox_published(patients, patience),
            messages.outbox_unique(patients),
            messages.events_received(patients, patience),
            messages.inbox_announced(patients),
            messages.nothing_parked(patients),
            *_projections(patients),
            *copies.copies_agree(patients),
            *money.money_adds_up(patients),
            trail.facts_do_not_overlap(patients),
            trail.audit_is_whole(patients),
        ]


def _service(name: str, url: str) -> Service:
    """The service with all its tables known, also those that its code names in SQL only."""
    for model in sorted((ROOT / "services" / name).glob("*/model.py")):
        importlib.import_module(f"services.{name}.{model.parent.name}.model")
    return build_service(name, database_url=url)


def _behind(services: Mapping[str, Service], urls: Mapping[str, str]) -> Finding:
    """A database of another version of the code cannot be judged by this one."""
    behind = []
    for name in services:
        engine = create_engine(urls[name], poolclass=pool.NullPool)
        with engine.connect() as connection:
            stands, wanted = current_of(connection), head_of(name)
        if stands != wanted:
            behind.append({"service": name, "migration": stands, "wanted": wanted})
    return judged("migrated", f"{len(services)} databases", behind)


def _projections(patients: Mapping[str, Patient]) -> list[Finding]:
    async def replayed() -> list[Finding]:
        return [
            await projections_equal_log(patient, patients) for patient in patients.values() if patient.service.handlers
        ]

    return asyncio.run(replayed())


def _plain(finding: Finding) -> dict[str, object]:
    return {"check": finding.check, "state": finding.state, "detail": finding.detail, "rows": finding.rows}


def _show(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        typer.echo(f"{finding.state:<9}  {finding.check:<{width}}  {finding.detail}")
        for row in finding.rows:
            typer.echo(
                "".join((" " * 13, ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)))
            )
