"""Servers that we start beside ourselves: one per folder, ended with us, never left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psutil

LAUNCHER = Path(__file__).with_name("unprivileged.py")


def lock(path: Path) -> IO[str] | None:
    """Takes this lock until its file is closed or we die; None if another living process has it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def launcher(*, uid: int = -1, gid: int = -1, ends_with_us: bool = True) -> list[str]:
    """The words to put before a command, so that it runs as that user (-1: as us) and is interrupted when we die."""
    # The system ties a child to the thread that starts it, so only the main thread may ask for that.
    tied = ends_with_us and threading.current_thread() is threading.main_thread()
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(uid), str(gid), str(os.getpid() if tied else 0)]


def living(pid: int) -> psutil.Process | None:
    """The process of this id, unless it is gone or only waits to be buried."""
    with contextlib.suppress(psutil.Error, ValueError):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def end(pid: int, *steps: tuple[signal.Signals, float]) -> None:
    """Sends each signal in turn until the process is gone, giving each its seconds."""
    for how, seconds in steps:
        process = living(pid)
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)
        deadline = time.monotonic() + seconds
        while living(pid) == process and time.monotonic() < deadline:
            time.sleep(0.01)
