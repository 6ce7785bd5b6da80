"""The embedded PostgreSQL, for real: nothing written is lost and nothing is left behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.postgres import EmbeddedPostgres, PostgresUnavailable
from deploy.process import living
from deploy.up import kept_alive

ROOT = Path(__file__).resolve().parents[2]

OWNER = """
import sys, time
from pathlib import Path
from deploy.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        server.ensure_databases(["registry"])
        yield server


def ask(server: EmbeddedPostgres, statement: str, database: str = "registry") -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(database).replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_it_keeps_every_commit_and_listens_to_nobody_else(server: EmbeddedPostgres) -> None:
    settings = {str(name): str(value) for name, value in ask(server, "SELECT name, setting FROM pg_settings")}

    assert settings["fsync"] == settings["synchronous_commit"] == settings["full_page_writes"] == "on"
    assert settings["listen_addresses"] == ""
    assert settings["TimeZone"] == "UTC"
    assert settings["server_version"].startswith("18.")
    assert server.sockets.stat().st_mode & 0o077 == 0
    assert ask(server, "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == [
        ("b", "C.UTF-8", "UTF8")
    ]


def test_what_was_written_survives_a_stop(server: EmbeddedPostgres) -> None:
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    address = server.url("registry")

    server.stop()
    assert not server.running
    server.start()

    assert server.url("registry") == address
    assert ask(server, "SELECT answer FROM kept") == [(42,)]


def test_what_was_committed_survives_the_kill_of_the_server(server: EmbeddedPostgres) -> None:
    ask(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    killed = server.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    while living(killed):
        time.sleep(0.001)

    server.start()

    assert ask(server, "SELECT count(*) FROM kept") == [(1000,)]


def test_a_server_that_is_killed_beside_its_owner_comes_back_by_itself(server: EmbeddedPostgres) -> None:
    ask(server, "create table kept as select 1 as n")
    killed = server.pid
    assert killed is not None
    with kept_alive(server):
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + 120
        while server.pid in (None, killed) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert server.pid not in (None, killed)
    assert ask(server, "select n from kept") == [(1,)]


def test_the_next_start_just_works_after_the_kill_of_the_owner(tmp_path: Path) -> None:
    home = tmp_path / "postgres"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        old = int(owner.stdout.readline())
        guest = EmbeddedPostgres(home)
        guest.start()
        assert (guest.pid, guest.owned) == (old, False)
        guest.ensure_databases(["registry"])
        ask(guest, "CREATE TABLE kept AS SELECT 1 AS n")
        owner.kill()

    with EmbeddedPostgres(home) as server:
        assert server.owned
        assert server.pid != old
        assert living(old) is None
        assert ask(server, "SELECT n FROM kept") == [(1,)]
    assert living(old) is None


def test_a_guest_never_stops_what_it_does_not_own(server: EmbeddedPostgres) -> None:
    with EmbeddedPostgres(server.home) as guest:
        assert not guest.owned
        assert ask(guest, "SELECT 1") == [(1,)]

    assert ask(server, "SELECT 1") == [(1,)]


def test_two_homes_live_side_by_side_even_with_odd_names(server: EmbeddedPostgres, tmp_path: Path) -> None:
    ask(server, "CREATE TABLE mine (n int)")
    with EmbeddedPostgres(tmp_path / "second home, née Größe" / "postgres") as other:
        other.ensure_databases(["registry", "funding"])
        other.ensure_databases(["registry", "reporting"])

        assert other.pid != server.pid
        assert ask(other, "SELECT to_regclass('mine')") == [(None,)]
        assert ask(other, "SELECT 1", "funding") == ask(other, "SELECT 1", "reporting") == [(1,)]
        sockets = other.sockets
    assert not sockets.exists()
    assert ask(server, "SELECT count(*) FROM mine") == [(0,)]


def test_a_pid_file_that_names_a_stranger_is_no_server(server: EmbeddedPostgres) -> None:
    server.stop()
    note = f"{os.getpid()}\n{server.data}\n1\n5432\n{server.sockets}\n\n\nready\n"
    (server.data / "postmaster.pid").write_text(note)
    assert not server.running

    server.start()

    assert ask(server, "SELECT 1") == [(1,)]


def test_an_interrupt_of_the_terminal_does_not_reach_it(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    assert os.getsid(server.pid) != os.getsid(0)


def test_data_of_another_version_and_other_peoples_folders_are_refused(tmp_path: Path) -> None:
    old = tmp_path / "old" / "data"
    old.mkdir(parents=True)
    (old / "PG_VERSION").write_text("17\n")
    with pytest.raises(PostgresUnavailable, match="PostgreSQL 17"):
        EmbeddedPostgres(tmp_path / "old").start()
    assert (old / "PG_VERSION").exists()

    (tmp_path / "letters" / "data").mkdir(parents=True)
    (tmp_path / "letters" / "data" / "dear.txt").write_text("me")
    with pytest.raises(PostgresUnavailable, match="not a PostgreSQL"):
        EmbeddedPostgres(tmp_path / "letters").start()
    assert (tmp_path / "letters" / "data" / "dear.txt").read_text() == "me"
