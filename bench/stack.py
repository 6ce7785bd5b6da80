"""The embedded stack as people start it: how soon it is ready, and what it holds in memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from bench.ground import Ground
from bench.measure import Row, Target
from bench.reads import free_port
from deploy.stack import SERVICES
from shared.migrations import ROOT

WARM_STARTS = 3
MEGABYTE = 1024 * 1024
READY_SECONDS = 120


async def start_and_memory(ground: Ground) -> list[Row]:
    """Warm starts of `pcn up` on a home made before, and the memory of the whole tree of processes once it answers."""
    home = ground.home / "stack"
    await _once(home)
    starts, whole, resident = [], [], []
    for _ in range(WARM_STARTS):
        ready, own, seen = await _once(home)
        starts.append(ready)
        whole.append(own)
        resident.append(seen)
    return [
        Row("stack, warm start", "s", starts, Target(value_at_most=5)),
        Row(
            "stack, memory (PSS)", "MB", whole, Target(value_at_most=400), (), {"rss_mb_shared_counted_often": resident}
        ),
    ]


async def _once(home: Path) -> tuple[float, float, float]:
    port = free_port()
    unwanted = ("_DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
    given = {name: value for name, value in os.environ.items() if not name.endswith(unwanted)}
    given["PYTHONPYCACHEPREFIX"] = str(home.with_name("bytecode"))  # warm also where nothing may be written beside code
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: ASYNC220 - begun here, waited for in a thread
        [sys.executable, "-m", "deploy.cli", "up", "--port", str(port)],
        cwd=ROOT,
        env={**given, "PYTHONPATH": str(ROOT), "PCN_HOME": str(home), "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            while True:
                assert process.poll() is None, "the stack did not start"
                assert time.perf_counter() - begun < READY_SECONDS, "the stack was not ready"
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/health/ready")).status_code == 200:
                        break
                await asyncio.sleep(0.02)
            ready = time.perf_counter() - begun
            for name in SERVICES:  # what nobody has asked anything weighs less than it will
                await client.get(f"/{name}/openapi.json")
        await asyncio.sleep(1)
        return ready, *memory(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait)


def memory(pid: int) -> tuple[float, float]:
    """Megabytes of a tree of processes: shared pages counted once (PSS), and as often as they are mapped (RSS)."""
    own = seen = 0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            held = process.memory_full_info()
            own += getattr(held, "pss", held.rss)
            seen += held.rss
    return own / MEGABYTE, seen / MEGABYTE
