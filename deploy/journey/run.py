"""`pcn journey`: start the stack, go through the steps showing progress, print the table, leave the stack running."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.issuer import EmbeddedIssuer
from deploy.journey import data as journey_data
from deploy.journey.desk import CallRefused
from deploy.journey.steps import STEPS, Journey, JourneyFailed
from deploy.process import launcher
from deploy.up import Home, free_or_refuse, name_of
from shared.migrations import ROOT

START_SECONDS = 120.0

console = Console(width=None if sys.stdout.isatty() else 120)


def run_journey(home: Home, *, data: Path | None, once: bool, kafka: bool, url: str | None, port: int) -> int:
    """Run it; gives the exit code: 0 only when every step did what it must."""
    try:
        loaded = journey_data.load(data)
    except FileNotFoundError as trouble:
        console.print(f"[red]{trouble}[/]")
        return 1
    if url is not None:
        return _go(url, home, loaded)
    free_or_refuse("127.0.0.1", port)
    home.hold(name_of(data), "kafka" if kafka else "embedded")
    address = f"http://127.0.0.1:{port}"
    with _stack(home, port) as stack:
        if not _answering(stack, address):
            return 1
        code = _go(address, home, loaded)
        if once or code:
            return code
        console.print("The stack goes on running; press Ctrl-C to stop it.")
        try:
            return stack.wait()
        except KeyboardInterrupt:
            return 0


@contextmanager
def _stack(home: Home, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`pcn up` beside us, stopped and waited for when we are done."""
    home.path.mkdir(parents=True, exist_ok=True)
    with (home.path / "stack.log").open("ab") as log:
        stack = subprocess.Popen(
            [*launcher(), sys.executable, "-m", "deploy.cli", "up", "--port", str(port)],
            cwd=ROOT,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        try:
            yield stack
        finally:
            if stack.poll() is None:
                stack.send_signal(signal.SIGINT)
            try:
                stack.wait(60)
            except subprocess.TimeoutExpired:
                stack.kill()
                stack.wait()


def _answering(stack: subprocess.Popen[bytes], address: str) -> bool:
    started = time.monotonic()
    with console.status("Starting PostgreSQL and the four services"):
        while time.monotonic() - started < START_SECONDS:
            if stack.poll() is not None:
                console.print("[red]The stack did not start; stack.log in PCN_HOME says why.[/]")
                return False
            try:
                if httpx.get(f"{address}/health/ready", timeout=5).status_code == 200:
                    console.print(f"The stack answers after {time.monotonic() - started:.1f} s.")
                    return True
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    console.print(f"[red]The stack is not ready after {START_SECONDS:.0f} s.[/]")
    return False


def _go(address: str, home: Home, loaded: journey_data.JourneyData) -> int:
    issuer = EmbeddedIssuer(home.path)
    with httpx.Client(base_url=address, timeout=httpx.Timeout(300, connect=10)) as client:
        journey = Journey(client, issuer, loaded)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[now]}"),
        )
        with Progress(*columns, console=console) as progress:
            for title, step in STEPS:
                task = progress.add_task(title, total=1, now="")
                try:
                    step(journey, partial(_tell, progress, task))
                except (CallRefused, JourneyFailed, httpx.TransportError) as trouble:
                    progress.stop()
                    console.print(f"[red]{title}: {trouble}[/]", soft_wrap=True)
                    return 1
                progress.update(task, completed=1, now="")
    with suppress(OSError):  # a home given read-only still shows its table
        (home.path / "journey.json").write_text(json.dumps(journey.found, indent=1, ensure_ascii=False) + "\n")
    _show(journey, address, home)
    return 0


def _tell(progress: Progress, task: TaskID, now: str) -> None:
    progress.update(task, now=now)


def _show(journey: Journey, address: str, home: Home) -> None:
    table = Table(
        title=f"What happened with {journey.data.title}", title_justify="left", show_header=False, pad_edge=False
    )
    table.add_column("what")
    table.add_column("figure", justify="right")
    for what, figure in journey.found.items():
        table.add_row(what, figure)
    console.print(table)
    console.print(f"API descriptions: {address}/registry/docs  /funding/docs  /workforce/docs  /reporting/docs")
    console.print(f"Health: {address}/health/ready")
    console.print(f"A token: {_at_home(home)}.venv/bin/pcn token --role national", soft_wrap=True)


def _at_home(home: Home) -> str:
    """What goes before a command so that it speaks to this stack; nothing for the home everybody has."""
    return "" if home.path == ROOT / ".local" else f"PCN_HOME={shlex.quote(str(home.path))} "
