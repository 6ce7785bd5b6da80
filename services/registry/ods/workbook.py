"""Reads a workbook in a process of its own, with little memory and time: a sheet of a few bytes may claim 17 billion
cells, and whoever opens it would fall over with everything beside it.

Run as a file, on the workbook's bytes; answers with the pickled sheets, or ends with one of the codes below.
"""

from __future__ import annotations

import io
import pickle
import resource
import subprocess
import sys
import zipfile
import zlib
from contextlib import suppress
from typing import Any

import python_calamine

TOO_LARGE, NO_WORKBOOK = 3, 4
LARGEST_UNPACKED = 64 * 1024 * 1024
MEMORY = 1024 * 1024 * 1024
SECONDS = 20
LOCAL_HEADER = 30

Rows = list[list[Any]]


class WorkbookTooLarge(Exception):
    """It unpacks to more than may be read."""


class NotAWorkbook(Exception):
    """It cannot be read as a workbook."""


def sheets_of(data: bytes) -> list[tuple[str, Rows]]:
    """Name and rows of every sheet of a workbook. Raises `WorkbookTooLarge` and `NotAWorkbook`."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__], input=data, capture_output=True, timeout=3 * SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WorkbookTooLarge from error
    if done.returncode == NO_WORKBOOK:
        raise NotAWorkbook
    if done.returncode != 0:  # its own word, or ended for want of memory or time
        raise WorkbookTooLarge
    sheets: list[tuple[str, Rows]] = pickle.loads(done.stdout)  # noqa: S301 - written by this file
    return sheets


def _unpacked(data: bytes) -> int:
    """Bytes a workbook really unpacks to, counted no further than allowed; what its directory says is not believed."""
    total = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "xl/workbook.xml" not in archive.namelist() or "content.xml" in archive.namelist():
            raise zipfile.BadZipFile
        for entry in archive.infolist():
            header = data[entry.header_offset : entry.header_offset + LOCAL_HEADER]
            start = (
                entry.header_offset
                + LOCAL_HEADER
                + sum(int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
            )
            packed = memoryview(data)[start : start + entry.compress_size]
            if entry.compress_type == zipfile.ZIP_STORED:
                total += len(packed)
            elif entry.compress_type == zipfile.ZIP_DEFLATED:
                total += len(zlib.decompressobj(-15).decompress(packed, LARGEST_UNPACKED - total + 1))
            else:
                raise zipfile.BadZipFile
            if total > LARGEST_UNPACKED:
                return total
    return total


def _read(data: bytes) -> int:
    with suppress(ValueError, OSError):  # not every system knows these limits
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        if _unpacked(data) > LARGEST_UNPACKED:
            return TOO_LARGE
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [(name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names]
        pickle.dump(sheets, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return TOO_LARGE
    except Exception:
        return NO_WORKBOOK
    return 0


if __name__ == "__main__":
    sys.exit(_read(sys.stdin.buffer.read()))
