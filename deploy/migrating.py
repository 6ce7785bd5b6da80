"""Migrations from the command line: bring databases up, load what ships with the code, write the next migration."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from alembic import command
from alembic.script import Script

from deploy.postgres import EmbeddedPostgres
from shared import migrations
from shared.database import engine_for, sessions_for
from shared.service import Service


def new_migration(
    service: Annotated[str, typer.Argument(help="registry, funding, workforce or reporting")],
    message: Annotated[str, typer.Argument(help="what it does, in a few words")],
) -> None:
    """Write the next numbered migration by comparing a service's models with its history; read it before keeping it."""
    with tempfile.TemporaryDirectory(prefix="pcn-migration-") as folder, EmbeddedPostgres(Path(folder)) as server:
        server.ensure_databases([service])
        url = server.url(service)
        config = migrations.config_for(service, url)
        versions = migrations.ROOT / "services" / service / "migrations" / "versions"
        number = len(list(versions.glob("[0-9]*.py"))) + 1
        if number > 1:
            command.upgrade(config, "head")
        # Alembic wants its template in each history's folder; one is enough, so it is lent for the moment
        template = versions.parent / "script.py.mako"
        shutil.copyfile(Path(__file__).with_name("migration.py.mako"), template)
        try:
            made = command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
        finally:
            template.unlink()
    if isinstance(made, Script):
        tidy(Path(made.path))


def tidy(written: Path) -> None:
    """Bring a generated file to the house's rules; those who only run the stack have no ruff, and no need of it."""
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(line for line in lines if not line.lstrip().startswith("# ###")))
    if importlib.util.find_spec("ruff") is None:
        typer.echo("ruff is not here (make dev brings it): the file is as Alembic wrote it", err=True)
        return
    for words in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *words, "--config", str(migrations.ROOT / "pyproject.toml"), str(written)]
        subprocess.run(ruff, cwd=migrations.ROOT, check=False)


async def bring_up(service: Service, url: str) -> None:
    """Migrate one service's database if it is behind, then load the reference data that ships with the code."""
    engine = engine_for(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            at = await connection.run_sync(migrations.current_of)
        if at != migrations.head_of(service.name):
            await asyncio.to_thread(migrations.upgrade, service.name, url)
        if service.seed is not None:
            async with sessions_for(engine).begin() as session:
                await service.seed(session, datetime.now(UTC))
    finally:
        await engine.dispose()
