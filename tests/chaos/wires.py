"""The network between the services and what they need, in our hands: cut, slow, or as it should be."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

Address = int | Path
"""A port on loopback, or a socket in the file system."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """Carries bytes from one address to another.

    Cut, it carries nothing and says nothing, as a network that is gone: connections stay open, new ones wait, and what
    was under way arrives once it is mended. With a delay everything arrives in order, only later.
    """

    def __init__(self, here: Address, there: Callable[[], Address]) -> None:
        self._here, self._there = here, there
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._whole.set()
        self._delay = 0.0
        self._held: set[asyncio.Task[None]] = set()
        self.carried = 0

    @contextlib.contextmanager
    def laid(self) -> Iterator[Wire]:
        """The wire carries while this lasts."""
        thread = threading.Thread(target=self._loop.run_forever, name=f"wire from {self._here}", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._whole.clear)

    def delay(self, seconds: float) -> None:
        self._delay = seconds

    def mend(self) -> None:
        self._delay = 0.0
        self._loop.call_soon_threadsafe(self._whole.set)

    async def _listen(self) -> None:
        if isinstance(self._here, Path):
            self._here.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._carry, self._here)
        else:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._here)

    async def _end(self) -> None:
        self._server.close()
        for task in list(self._held):
            task.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)

    async def _reach(self) -> Streams:
        there = self._there()
        if isinstance(there, Path):
            return await asyncio.open_unix_connection(there)
        return await asyncio.open_connection("127.0.0.1", there)

    async def _carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._held.add(task)
        try:
            await self._whole.wait()
            far_in, far_out = await self._reach()
            try:
                ends = [self._pump(near_in, far_out), self._pump(far_in, near_out)]
                await _until_one_ends(ends)
            finally:
                far_out.close()
        except (OSError, asyncio.CancelledError):
            pass  # nobody there, or the wire is taken up: the near end sees its connection close
        finally:
            near_out.close()
            self._held.discard(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._whole.wait()
            sink.write(data)
            self.carried += len(data)
            await sink.drain()


async def _until_one_ends(ends: Sequence[Awaitable[None]]) -> None:
    tasks = [asyncio.ensure_future(end) for end in ends]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
