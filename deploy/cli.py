"""The `pcn` command: run the stack or a part of it, and look after it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from starlette.types import ASGIApp

from deploy.issuer import EmbeddedIssuer
from deploy.postgres import PostgresUnavailable
from deploy.up import Home, PortTaken
from shared.identity import Role
from shared.settings import CommonSettings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

Port = Annotated[int, typer.Option(envvar="PORT", min=1, max=65000, help="The port to listen on")]
Host = Annotated[str, typer.Option(envvar="HOST", help="The address to listen on")]


class ServiceName(StrEnum):
    REGISTRY = "registry"
    FUNDING = "funding"
    WORKFORCE = "workforce"
    REPORTING = "reporting"


ServiceArgument = Annotated[ServiceName, typer.Argument(help="The service", show_choices=True)]


@app.callback()
def _root(command: typer.Context) -> None:
    """The back office of England's Primary Care Networks."""
    from shared import log

    serving = command.invoked_subcommand in {"up", "serve", "work", "gateway"}
    log.configure(os.environ.get("PCN_LOG_LEVEL", "INFO" if serving else "WARNING"))


@app.command()
def up(
    port: Port = 8000,
    host: Host = "127.0.0.1",
    kafka: Annotated[bool, typer.Option(help="Turn to what PCN_HOME holds over Apache Kafka")] = False,
) -> None:
    """Start PostgreSQL, migrate, and run the four services on one port until interrupted."""
    from deploy.up import run_up

    home = Home.given()
    if kafka:
        home.hold(home.holds()["data"], "kafka")
    typer.echo(f"Starting on http://{host}:{port}, with the state under {home.path}; the log follows.")
    run_up(home, host=host, port=port)


@app.command()
def journey(
    data: Annotated[Path | None, typer.Option(help="Folder of real files; the invented sample unless given")] = None,
    once: Annotated[bool, typer.Option(help="Stop the stack after the table")] = False,
    kafka: Annotated[bool, typer.Option(help="Four processes over Apache Kafka")] = False,
    url: Annotated[str | None, typer.Option(help="Use the stack that answers there instead of starting one")] = None,
    port: Port = 8000,
) -> None:
    """Run the main job: practices become approved networks that are paid, staffed and reported."""
    from deploy.journey.run import run_journey

    raise typer.Exit(run_journey(Home.given(), data=data, once=once, kafka=kafka, url=url, port=port))


@app.command()
def serve(name: ServiceArgument, port: Port = 8000, host: Host = "127.0.0.1", worker: bool = True) -> None:
    """Run one service, API and worker in one process; `--no-worker` leaves relaying and receiving to `pcn work`."""
    _run_one(name, host, port, answering=True, working=worker)


@app.command()
def work(name: ServiceArgument, port: Port = 8000, host: Host = "127.0.0.1") -> None:
    """Relay and receive for one service; shows health and metrics only."""
    _run_one(name, host, port, answering=False, working=True)


def _run_one(name: str, host: str, port: int, *, answering: bool, working: bool) -> None:
    from deploy.stack import build_service, run_services

    common = CommonSettings()
    if answering and common.jwks_url is None:
        raise typer.BadParameter("set PCN_JWKS_URL to the key set of your issuer")

    def alone(apps: Mapping[str, ASGIApp]) -> ASGIApp:
        return apps[name]

    service = build_service(name)
    asyncio.run(
        run_services([service], common, front=alone, host=host, port=port, answering=answering, working=working)
    )


@app.command()
def migrate(names: Annotated[list[ServiceName] | None, typer.Argument(help="All unless given")] = None) -> None:
    """Bring databases to the newest migration and load the reference data that ships with the code."""
    from deploy.migrating import bring_up
    from deploy.stack import build_service
    from deploy.up import databases

    with databases(Home.given()) as urls:
        for name in names or ServiceName:
            asyncio.run(bring_up(build_service(name, database_url=urls[name]), urls[name]))
            typer.echo(f"{name}: migrated")


@app.command()
def migration(
    name: ServiceArgument, message: Annotated[str, typer.Argument(help="What it does, in a few words")]
) -> None:
    """Write the next numbered migration by comparing models with history; read it before keeping it."""
    from deploy.migrating import new_migration

    new_migration(name, message)


@app.command()
def token(
    role: Annotated[list[Role], typer.Option(help="May be repeated")],
    organisation: Annotated[list[str] | None, typer.Option(help="ODS code; may be repeated")] = None,
    subject: Annotated[str, typer.Option("--subject", help="Who it is: two people are two subjects")] = "someone",
) -> None:
    """Print one bearer token of the embedded issuer, and nothing else."""
    issuer = EmbeddedIssuer(Home.given().path, audience=CommonSettings().audience).ensure()
    typer.echo(issuer.token(role, organisation or (), subject=subject))


@app.command()
def issuer() -> None:
    """Make the embedded issuer's keys under PCN_HOME, for trying the stack out; production has an issuer of its own."""
    typer.echo(EmbeddedIssuer(Home.given().path).ensure().jwks_url)


@app.command()
def gateway(port: Port = 8000, host: Host = "127.0.0.1") -> None:
    """One port before the four services; REGISTRY_URL, FUNDING_URL, WORKFORCE_URL, REPORTING_URL say where they are."""
    from deploy.gateway import create_gateway, serve_app
    from deploy.stack import SERVICES

    missing = [f"{name.upper()}_URL" for name in SERVICES if not os.environ.get(f"{name.upper()}_URL")]
    if missing:
        raise typer.BadParameter(f"set {', '.join(missing)} to where the services answer")
    upstreams = {name: os.environ[f"{name.upper()}_URL"] for name in SERVICES}
    asyncio.run(serve_app(create_gateway(upstreams, jwks_url=CommonSettings().jwks_url), host=host, port=port))


@app.command()
def contracts(
    check: Annotated[bool, typer.Option(help="Fail where docs/api differs or breaks, instead of writing it")] = False,
    breaking: Annotated[bool, typer.Option("--break", help="Write it even where callers would break")] = False,
) -> None:
    """Write the OpenAPI and AsyncAPI documents under docs/api from the code."""
    from deploy.contracts import check_contracts, write_contracts

    raise typer.Exit(check_contracts() if check else write_contracts(breaking=breaking))


@app.command()
def replay(
    name: ServiceArgument,
    source: Annotated[str, typer.Argument(help="Who announced it, like pcn.registry")],
    subject: Annotated[str, typer.Argument(help="The record it is about")],
) -> None:
    """Handle the parked messages of one subject again, in order."""
    from deploy.stack import build_service
    from deploy.up import databases
    from shared.service import Runtime

    async def run(url: str) -> int:
        runtime = Runtime(build_service(name, database_url=url))
        try:
            return await runtime.receiver.replay(source, subject)
        finally:
            await runtime.stop()

    with databases(Home.given()) as urls:
        typer.echo(f"{asyncio.run(run(urls[name]))} replayed")


@app.command()
def redeliver(
    name: ServiceArgument,
    publisher: Annotated[ServiceName, typer.Argument(help="The service whose log is read", show_choices=True)],
    first: Annotated[int, typer.Option("--from", min=1, help="The position of the log to begin with")] = 1,
) -> None:
    """Hand a service's log to another once more: what never had its effect there has it now, the rest stays."""
    from deploy.redelivering import redeliver as redelivered
    from deploy.up import databases

    with databases(Home.given()) as urls:
        done = asyncio.run(redelivered(urls, name, publisher, first=first))
    typer.echo(f"{done.read:,} events read, {done.effects:,} had their effect now, {done.parked:,} messages are parked")


@app.command()
def rebuild() -> None:
    """Empty reporting's projections and make them anew from the logs of the other services."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from deploy.rebuilding import rebuild as rebuilt
    from deploy.up import databases

    console = Console()
    shown = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with (
        databases(Home.given()) as urls,
        Progress(*shown, console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("rebuilding", total=None)
        done = asyncio.run(rebuilt(urls, lambda name, count: progress.update(task, description=f"{name}: {count:,}")))
    typer.echo(f"reporting was made anew from {done:,} events")


@app.command()
def rotate_bank_keys(
    forget: Annotated[bool, typer.Option(help="Keep only the new key afterwards")] = False,
) -> None:
    """Put sealed bank details under a new key, beside a running stack or a stopped one."""
    from deploy.bank_keys import rotate
    from deploy.up import databases
    from services.funding.settings import Settings

    home = Home.given()
    with databases(home) as urls:
        settings = Settings(database_url=urls["funding"], home=home.path)
        typer.echo(f"{asyncio.run(rotate(settings, forget=forget))} sealed anew")


@app.command()
def rotate_reply_keys(
    forget: Annotated[bool, typer.Option(help="Drop the older keys that no kept answer needs")] = False,
) -> None:
    """Mark kept answers with a new key from now on, beside a running stack or a stopped one."""
    from deploy.reply_keys import rotate
    from deploy.up import common_settings, databases

    home = Home.given()
    with databases(home) as urls:
        kept = asyncio.run(rotate(common_settings(home, None), urls, forget=forget))
        typer.echo(f"{kept} keys at hand")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON")] = False,
    patience: Annotated[float, typer.Option(help="Seconds an event may be on its way before it counts as lost")] = 60.0,
) -> None:
    """Check what must always hold across the four databases, beside a running stack or a stopped one; reads only."""
    from deploy.doctor.examination import run_doctor

    raise typer.Exit(run_doctor(Home.given(), as_json=as_json, patience=patience))


def main() -> None:
    """Run the command; a trouble an operator can mend is one line, not a traceback."""
    from deploy.broker import BrokerUnavailable
    from deploy.stack import NoTransport, SettingsWrong
    from shared.errors import DomainError

    # a supervisor's SIGTERM ends things as Ctrl-C does, also before the services answer; what is started in the
    # background of a script begins with interrupts ignored
    for how in (signal.SIGTERM, signal.SIGINT):
        signal.signal(how, signal.default_int_handler)
    try:
        app(prog_name="pcn")
    except (PortTaken, PostgresUnavailable, BrokerUnavailable, SettingsWrong, NoTransport, DomainError) as trouble:
        typer.echo(f"pcn: {trouble}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
