"""The faults of a storm, each bounded: it hurts, it ends, and it leaves nothing behind but its effects."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import LiteralString

import psycopg
from psycopg import sql

from deploy.stack import SERVICES
from tests.chaos.stacks import POLL_SECONDS, Stack
from tests.conftest import ROOT

CONSUMERS = ("funding", "workforce", "reporting")
PUBLISHERS = ("registry", "funding", "workforce")

LONG = 5.0
"""From here on a lasting fault is one of a long storm."""

Fault = Callable[[Stack, Random, float], str]
"""Takes the stack, chance, and how long a lasting fault lasts; gives what it did. Raises `LeftOut`."""


class LeftOut(Exception):
    """This machine cannot do that to itself."""


@contextlib.contextmanager
def database(stack: Stack, name: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    url = stack.urls[name].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, connect_timeout=5, options="-c lock_timeout=5s") as connection:
        yield connection


def ask(
    stack: Stack, name: str, statement: LiteralString | sql.Composed, values: Sequence[object] = ()
) -> list[tuple[object, ...]]:
    """The rows of a statement, asked again while the database is in trouble: what a fault began it must end."""
    deadline = time.monotonic() + 90
    while True:
        try:
            with database(stack, name) as connection:
                found = connection.execute(statement, values or None)
                return found.fetchall() if found.description else []
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def insist(stack: Stack, name: str, *statements: LiteralString | sql.Composed) -> None:
    for statement in statements:
        ask(stack, name, statement)


def kill_stack(stack: Stack, chance: Random, seconds: float) -> str:
    """kill -9 of everything at once: the services' process, whose end takes PostgreSQL along."""
    stack.kill()
    stack.up()
    return "stack killed and started"


def kill_stack_and_postgres(stack: Stack, chance: Random, seconds: float) -> str:
    with contextlib.suppress(ProcessLookupError, OSError):
        os.kill(stack.postmaster(), signal.SIGKILL)
    stack.kill()
    stack.up()
    return "stack and PostgreSQL killed and started"


def kill_backend(stack: Stack, chance: Random, seconds: float) -> str:
    """kill -9 of one database session: PostgreSQL ends all others and recovers from its log."""
    with database(stack, chance.choice(SERVICES)) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    if rows:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(str(chance.choice(rows)[0])), signal.SIGKILL)
    stack.await_ready()
    return "PostgreSQL crashed and recovered"


def kill_postgres(stack: Stack, chance: Random, seconds: float) -> str:
    """kill -9 of the database server itself; it is away for a while, or `pcn up` that owns it starts it again."""
    os.kill(stack.postmaster(), signal.SIGKILL)
    if stack.server is None:
        time.sleep(2)
        stack.await_ready()
        return "PostgreSQL killed, pcn up started it"
    time.sleep(chance.uniform(0, seconds / 4))
    stack.server.start()
    stack.await_ready()
    return "PostgreSQL killed and started"


def kill_service(stack: Stack, chance: Random, seconds: float) -> str:
    """kill -9 of one service's process: its API, relay and consumer; `pcn up` starts it again."""
    children = stack.children()
    name = chance.choice(sorted(children))
    children[name].kill()
    time.sleep(1.5)
    stack.await_ready()
    return f"{name} killed"


def kill_all_services(stack: Stack, chance: Random, seconds: float) -> str:
    for child in stack.children().values():
        child.kill()
    time.sleep(1.5)
    stack.await_ready()
    return "all four services killed"


def kill_broker(stack: Stack, chance: Random, seconds: float) -> str:
    if stack.broker is None:
        raise LeftOut
    stack.broker.kill()
    stack.broker.start()
    return "broker killed and started"


def broker_away(stack: Stack, chance: Random, seconds: float) -> str:
    if stack.broker is None:
        raise LeftOut
    stack.broker.kill()
    time.sleep(seconds * 3)
    stack.broker.start()
    return f"broker away for {seconds * 3:.0f} s"


def broker_away_a_minute(stack: Stack, chance: Random, seconds: float) -> str:
    """Long enough for every session, request and delivery to run out of time."""
    if stack.broker is None or seconds < LONG:
        raise LeftOut
    stack.broker.kill()
    time.sleep(60)
    stack.broker.start()
    return "broker away for a minute"


def _cut(stack: Stack, what: str, seconds: float) -> None:
    wire = stack.wires[what]
    wire.cut()
    try:
        time.sleep(seconds)
    finally:
        wire.mend()
    stack.await_ready()


def broker_cut_off(stack: Stack, chance: Random, seconds: float) -> str:
    """The network to the broker carries nothing, now and then for longer than a session lasts; nobody is told."""
    if "broker" not in stack.wires:
        raise LeftOut
    lasts = chance.uniform(seconds / 2, seconds * 2.5)
    _cut(stack, "broker", lasts)
    return f"broker cut off for {lasts:.0f} s"


def database_cut_off(stack: Stack, chance: Random, seconds: float) -> str:
    """The network to PostgreSQL carries nothing: sessions wait with their transactions open."""
    if "postgres" not in stack.wires:
        raise LeftOut
    lasts = chance.uniform(seconds / 2, seconds * 1.5)
    _cut(stack, "postgres", lasts)
    return f"PostgreSQL cut off for {lasts:.0f} s"


def late_delivery(stack: Stack, chance: Random, seconds: float) -> str:
    """Whatever goes to the broker and comes from it arrives in order, but late."""
    if "broker" not in stack.wires:
        raise LeftOut
    late = chance.uniform(0.3, 1.5)
    stack.wires["broker"].delay(late)
    try:
        time.sleep(seconds * 2)
    finally:
        stack.wires["broker"].mend()
    stack.await_ready()
    return f"everything delivered {late:.1f} s late"


def second_worker(stack: Stack, chance: Random, seconds: float) -> str:
    """A second relay and consumer of one service: the group shares its partitions anew, then one is killed."""
    name = chance.choice(PUBLISHERS)
    child = stack.children().get(name)
    if child is None:
        raise LeftOut
    second = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "work", name, "--port", str(stack.port + 7)],
        cwd=ROOT, env=child.environ(), stdout=stack.log, stderr=stack.log, start_new_session=True,
    )  # fmt: skip
    try:
        time.sleep(max(seconds, 6.0))  # it takes a while to start
        if chance.random() < 0.5 and child.is_running():
            child.kill()
            time.sleep(seconds / 2)
    finally:
        second.kill()
        second.wait()
    stack.await_ready()
    return "two relays of one service"


def send_again(stack: Stack, chance: Random, seconds: float) -> str:
    """Events sent long ago are sent again, after newer ones."""
    for name in PUBLISHERS:
        insist(stack, name, "UPDATE outbox SET published_at = NULL WHERE random() < 0.3")
    return "a third of all events sent again"


def exhaust_connections(stack: Stack, chance: Random, seconds: float) -> str:
    url = stack.urls["funding"].replace("+psycopg", "")
    held: list[psycopg.Connection[tuple[object, ...]]] = []
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            try:
                held.append(psycopg.connect(url, connect_timeout=5, autocommit=True))
            except psycopg.OperationalError:
                with contextlib.suppress(psycopg.Error):  # the sessions of the services end, so that they need new ones
                    held[0].execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                        "AND state = 'idle' AND NOT pid = ANY(%s)",
                        [[connection.info.backend_pid for connection in held]],
                    )
                time.sleep(0.05)
    finally:
        for connection in held:
            connection.close()
    stack.await_ready()
    return "no connection left"


def slow_handler(stack: Stack, chance: Random, seconds: float) -> str:
    """Every handler of one service waits for a lock that somebody holds."""
    name = chance.choice(CONSUMERS)
    with contextlib.suppress(psycopg.OperationalError), database(stack, name) as connection, connection.transaction():
        connection.execute("LOCK TABLE networks IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)
    return "handlers held up"


def handler_beyond_the_poll(stack: Stack, chance: Random, seconds: float) -> str:
    """A handler takes so long that its consumer is taken for gone and its partitions go to nobody, then back."""
    name = chance.choice(CONSUMERS)
    with contextlib.suppress(psycopg.OperationalError), database(stack, name) as connection, connection.transaction():
        connection.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        time.sleep(POLL_SECONDS * 1.5)
    return "handler beyond the poll interval"


def commit_fails(stack: Stack, chance: Random, seconds: float) -> str:
    """Most transactions fail at COMMIT, of requests and of handlers alike."""
    name = chance.choice(PUBLISHERS)
    try:
        insist(
            stack, name,
            "CREATE OR REPLACE FUNCTION chaos_fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF random() < 0.7 THEN RAISE EXCEPTION 'the commit fails' USING ERRCODE = TG_ARGV[0]; END IF; "
            "RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER chaos_fails AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION chaos_fails('P0001')",
            "CREATE CONSTRAINT TRIGGER chaos_fails AFTER INSERT ON inbox DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION chaos_fails('40001')",
        )  # fmt: skip
        time.sleep(seconds)
    finally:
        insist(
            stack, name,
            "DROP TRIGGER IF EXISTS chaos_fails ON audit",
            "DROP TRIGGER IF EXISTS chaos_fails ON inbox",
            "DROP FUNCTION IF EXISTS chaos_fails",
        )  # fmt: skip
    return "commits fail"


def disk_full(stack: Stack, chance: Random, seconds: float) -> str:
    """The disk under audit and inbox of one service has no block left (a small tmpfs as their tablespace)."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        raise LeftOut
    name = chance.choice(PUBLISHERS)
    place = Path(tempfile.mkdtemp(prefix="pcn-chaos-full-"))
    with database(stack, name) as connection:
        rows = connection.execute("SELECT pg_table_size('audit') + pg_table_size('inbox')").fetchall()
    size = int(str(rows[0][0])) + 65_536
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)],  # noqa: S607
        check=False, capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        place.rmdir()
        raise LeftOut
    try:
        owner = (stack.home / "postgres" / "data").stat()
        os.chown(place, owner.st_uid, owner.st_gid)
        place.chmod(0o700)
        insist(stack, name, sql.SQL("CREATE TABLESPACE chaos_full LOCATION {}").format(sql.Literal(str(place))))
        for table in ("audit", "inbox"):
            with contextlib.suppress(psycopg.OperationalError):
                insist(stack, name, sql.SQL("ALTER TABLE {} SET TABLESPACE chaos_full").format(sql.Identifier(table)))
        # what is left is taken, to the last block
        with contextlib.suppress(OSError), (place / "taken").open("wb", buffering=0) as taken:
            while taken.write(bytes(4096)):
                pass
        time.sleep(seconds)
    finally:
        insist(
            stack, name,
            "ALTER TABLE audit SET TABLESPACE pg_default",
            "ALTER TABLE inbox SET TABLESPACE pg_default",
        )  # fmt: skip
        insist(stack, name, "CHECKPOINT", "DROP TABLESPACE IF EXISTS chaos_full")
        # a session that still has a file there open lets it go in its own time
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607
        place.rmdir()
    return "disk full"


def log_disk_full(stack: Stack, chance: Random, seconds: float) -> str:
    """The disk under PostgreSQL's write-ahead log is full: the server stops itself, and recovers once there is room."""
    if stack.server is None or shutil.which("mount") is None or os.geteuid() != 0:
        raise LeftOut
    log = stack.home / "postgres" / "data" / "pg_wal"
    owner, aside = log.stat(), log.with_name("pg_wal.aside")
    stack.server.stop()
    log.rename(aside)
    log.mkdir(mode=0o700)
    room = sum(file.stat().st_size for file in aside.rglob("*") if file.is_file()) + 2 * WAL_SEGMENT
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={room},mode=0700", "tmpfs", str(log)],  # noqa: S607
        check=False, capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        log.rmdir()
        aside.rename(log)
        stack.server.start()
        stack.await_ready()
        raise LeftOut
    try:
        _move_log(aside, log, owner)
        stack.server.start()
        with contextlib.suppress(OSError), (log / "taken").open("wb", buffering=0) as taken:
            while taken.write(bytes(65_536)):
                pass
        until = time.monotonic() + seconds
        while time.monotonic() < until:  # a new segment is asked for, and there is no room for it
            with contextlib.suppress(psycopg.OperationalError), database(stack, "registry") as connection:
                connection.execute("SELECT pg_logical_emit_message(false, 'chaos', repeat('x', 4194304))")
            time.sleep(0.2)
    finally:
        (log / "taken").unlink(missing_ok=True)
        stack.server.stop()
        _move_log(log, aside, owner)
        subprocess.run(["umount", "--lazy", str(log)], check=True)  # noqa: S607
        log.rmdir()
        aside.rename(log)
        stack.server.start()
    stack.await_ready()
    return "disk of the write-ahead log full"


WAL_SEGMENT = 16 * 1024 * 1024


def _move_log(here: Path, there: Path, owner: os.stat_result) -> None:
    there.mkdir(mode=0o700, exist_ok=True)
    os.chown(there, owner.st_uid, owner.st_gid)
    for entry in here.iterdir():
        if entry.is_dir():
            _move_log(entry, there / entry.name, owner)
            entry.rmdir()
        else:
            shutil.copy2(entry, there / entry.name)
            os.chown(there / entry.name, owner.st_uid, owner.st_gid)
            entry.unlink()


ON_EMBEDDED: dict[str, Fault] = {
    "kill -9 of the stack": kill_stack,
    "kill -9 of the stack and PostgreSQL": kill_stack_and_postgres,
    "kill -9 of PostgreSQL": kill_postgres,
    "kill -9 of a database session": kill_backend,
    "events sent again, out of order": send_again,
    "connections exhausted": exhaust_connections,
    "slow handler": slow_handler,
    "commit fails": commit_fails,
    "disk full": disk_full,
}
OVER_KAFKA: dict[str, Fault] = {
    "kill -9 of a service": kill_service,
    "kill -9 of all services": kill_all_services,
    "kill -9 of pcn up": kill_stack,
    "kill -9 of the broker": kill_broker,
    "broker away": broker_away,
    "broker away for a minute": broker_away_a_minute,
    "network to the broker cut": broker_cut_off,
    "network to PostgreSQL cut": database_cut_off,
    "everything delivered late": late_delivery,
    "handler beyond the poll interval": handler_beyond_the_poll,
    "disk of the write-ahead log full": log_disk_full,
    "kill -9 of PostgreSQL": kill_postgres,
    "kill -9 of a database session": kill_backend,
    "two relays, one killed": second_worker,
    "events sent again, out of order": send_again,
    "connections exhausted": exhaust_connections,
    "slow handler": slow_handler,
    "commit fails": commit_fails,
    "disk full": disk_full,
}
