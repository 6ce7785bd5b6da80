"""Payment files as found: the yearly publication of payments to practices in its layouts, or a payee's plain CSV."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from shared.errors import Fault, Invalid


class PaymentFileRefused(Invalid):
    """The file is no payment file that can be read; nothing of it was kept."""


class FileKind(StrEnum):
    PUBLISHED = "published"
    PAYEE = "payee"


LARGEST_FILE = 32 * 1024 * 1024
MOST_ROWS = 100_000
MOST_REFUSED = 1_000
"""So many refused rows are listed; the rest are counted."""

_CODE = re.compile(r"^[A-Z0-9]{3,12}$")
_NETWORK = re.compile(r"^U[0-9]{5}$")
_LARGEST = Decimal(10) ** 11

PUBLISHED_COLUMNS = {
    "practice": "practice code",
    "network": "pcn code",
    "commissioner": "ccg code",
    "registered": "number of registered patients (last known figure)",
    "weighted": "number of weighted patients (last known figure)",
    "closed_on": "practice close date",
    "participation": "pcn participation",
}
PAID_COLUMNS = {
    "participation": "pcn participation",
    "leadership": "pcn leadership",
    "support": "pcn support",
    "extended_hours": "pcn extended hours access",
}
"""What of a publication is compared; the first file has only participation."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: whom it is about, the lists it publishes, and what was paid by column or stream."""

    line: int
    practice: str | None
    network: str | None
    commissioner: str | None
    registered: Decimal | None
    weighted: Decimal | None
    closed_on: date | None
    paid: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    line: int
    column: str
    code: str
    reason: str


@dataclass(slots=True)
class PaymentFile:
    kind: FileKind
    rows: list[Row] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)


class _Bad(Exception):
    def __init__(self, column: str, code: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.code, self.reason = column, code, reason


def refused(code: str, message: str) -> PaymentFileRefused:
    return PaymentFileRefused(message, errors=[Fault("body.file", code, message)])


def read_file(name: str, data: bytes) -> PaymentFile:
    """The rows of a payment file, each bad one with its line and reason. Raises `PaymentFileRefused`."""
    sheet = iter(csv.reader(io.StringIO(_text(name, data), newline="")))
    try:
        headings = [re.sub(r"\s+", " ", heading).strip().casefold() for heading in next(sheet, [])]
        if {"stream", "amount"} <= set(headings) and {"practice", "network"} & set(headings):
            return _read(sheet, headings, FileKind.PAYEE, name)
        absent = [title for title in PUBLISHED_COLUMNS.values() if title not in headings]
        if absent:
            raise refused("columns_missing", f"{name} is no payment file: it has no column {', '.join(absent)}.")
        return _read(sheet, headings, FileKind.PUBLISHED, name)
    except csv.Error as error:
        raise refused("not_csv", f"{name} cannot be read as CSV: {error}.") from error


def _text(name: str, data: bytes) -> str:
    if data[:2] == b"\x1f\x8b":
        inflater = zlib.decompressobj(wbits=31)
        try:
            data = inflater.decompress(data, LARGEST_FILE + 1)
        except zlib.error as error:
            raise refused("not_gzip", f"{name} cannot be unpacked.") from error
        if len(data) <= LARGEST_FILE and not inflater.eof:
            raise refused("cut_short", f"{name} ends before its end.")
    if len(data) > LARGEST_FILE:
        raise refused("too_large", f"{name} is larger than {LARGEST_FILE} bytes.")
    if not data.strip():
        raise refused("empty_file", f"{name} is empty.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused("not_text", f"{name} is not UTF-8.") from error
    if "\x00" in text:
        raise refused("not_text", f"{name} is no text.")
    return text


def _read(sheet: Iterator[list[str]], headings: list[str], kind: FileKind, name: str) -> PaymentFile:
    made = PaymentFile(kind)
    read = _published if kind is FileKind.PUBLISHED else _payee
    seen: set[tuple[str | None, ...]] = set()
    for number, cells in enumerate(sheet, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if number > MOST_ROWS:
            raise refused("too_large", f"{name} has more than {MOST_ROWS} rows.")
        try:
            if len(cells) != len(headings):
                raise _Bad("", "cells", f"{len(cells)} cells where the heading has {len(headings)}.")
            row = read(number, dict(zip(headings, cells, strict=True)))
            key = (row.practice, row.network if kind is FileKind.PAYEE else None, *row.paid)
            if key in seen and kind is FileKind.PUBLISHED:
                raise _Bad("practice code", "repeated", f"{row.practice} stands in the file before.")
            seen.add(key)
            made.rows.append(row)
        except _Bad as bad:
            made.refused.append(RefusedRow(number, bad.column, bad.code, bad.reason))
    if not made.rows:
        raise refused("no_rows", f"{name} has no row that can be read.")
    return made


def _published(number: int, cells: Mapping[str, str]) -> Row:
    network = cells[PUBLISHED_COLUMNS["network"]].strip().upper()
    return Row(
        line=number,
        practice=_code(cells, PUBLISHED_COLUMNS["practice"]),
        network=network if _NETWORK.match(network) else None,
        commissioner=_code(cells, PUBLISHED_COLUMNS["commissioner"]),
        registered=_heads(cells, PUBLISHED_COLUMNS["registered"]),
        weighted=_heads(cells, PUBLISHED_COLUMNS["weighted"]),
        closed_on=_day(cells, PUBLISHED_COLUMNS["closed_on"]),
        paid={key: _amount(cells, title) for key, title in PAID_COLUMNS.items() if title in cells},
    )


def _payee(number: int, cells: Mapping[str, str]) -> Row:
    practice = _code(cells, "practice") if cells.get("practice", "").strip() else None
    network = _code(cells, "network") if cells.get("network", "").strip() else None
    if practice is None and network is None:
        raise _Bad("practice", "missing", "Neither a practice nor a network is named.")
    stream = cells["stream"].strip().casefold()
    if not re.match(r"^[a-z][a-z0-9_]{1,63}$", stream):
        raise _Bad("stream", "stream", f"{stream[:64]!r} is no stream.")
    return Row(
        line=number,
        practice=practice,
        network=network,
        commissioner=None,
        registered=None,
        weighted=None,
        closed_on=None,
        paid={stream: _amount(cells, "amount")},
    )


def _code(cells: Mapping[str, str], column: str) -> str:
    code = cells.get(column, "").strip().upper()
    if not _CODE.match(code):
        raise _Bad(column, "code", f"{code[:32]!r} is no organisation code.")
    return code


def _number(cells: Mapping[str, str], column: str) -> Decimal:
    text = cells[column].strip().replace(",", "").removeprefix("£")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _Bad(column, "number", f"{text[:32]!r} is no number.") from None
    if not number.is_finite() or abs(number) >= _LARGEST:
        raise _Bad(column, "number", f"{text[:32]!r} is no number that can be paid or counted.")
    return number


def _heads(cells: Mapping[str, str], column: str) -> Decimal | None:
    if not cells[column].strip():
        return None
    heads = _number(cells, column)
    if heads < 0:
        raise _Bad(column, "negative", "A list of patients is not negative.")
    return heads


def _amount(cells: Mapping[str, str], column: str) -> Decimal:
    amount = _number(cells, column)
    if amount != amount.quantize(Decimal("0.01")):
        raise _Bad(column, "pennies", f"{amount} has parts of a penny.")
    return amount.quantize(Decimal("0.01"))


def _day(cells: Mapping[str, str], column: str) -> date | None:
    text = cells[column].strip()
    if not text:
        return None
    found = re.fullmatch(r"(\d{2})/(\d{2})/(\d{4})", text)
    try:
        if found is None:
            raise ValueError(text)
        return date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError:
        raise _Bad(column, "date", f"{text[:32]!r} is no day like 31/03/2020.") from None
