"""The wire of the storms: whole, cut and slow, on real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.chaos.wires import Wire


@asynccontextmanager
async def echoing(socket: Path) -> AsyncIterator[None]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_unix_server(echo, socket)
    yield
    server.close()


async def test_nothing_passes_a_cut_wire_and_what_was_under_way_arrives_once_it_is_mended(tmp_path: Path) -> None:
    far, near = tmp_path / "far", tmp_path / "near"
    async with echoing(far):
        with Wire(near, lambda: far).laid() as wire:
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(b"one")
            assert await asyncio.wait_for(reader.readexactly(3), 60) == b"one"
            wire.cut()
            await asyncio.sleep(0.05)
            writer.write(b"two")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(3), 0.3)
            wire.mend()
            assert await asyncio.wait_for(reader.readexactly(3), 60) == b"two"
            writer.close()


async def test_a_slow_wire_keeps_the_order(tmp_path: Path) -> None:
    far, near = tmp_path / "far", tmp_path / "near"
    async with echoing(far):
        with Wire(near, lambda: far).laid() as wire:
            wire.delay(0.2)
            reader, writer = await asyncio.open_unix_connection(near)
            begun = time.monotonic()
            for word in (b"a", b"b", b"c"):
                writer.write(word)
                await asyncio.sleep(0.01)
            assert await asyncio.wait_for(reader.readexactly(3), 60) == b"abc"
            assert time.monotonic() - begun >= 0.4
            writer.close()


async def test_where_nobody_listens_the_connection_ends(tmp_path: Path) -> None:
    with Wire(tmp_path / "near", lambda: tmp_path / "far").laid():
        reader, writer = await asyncio.open_unix_connection(tmp_path / "near")
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()
