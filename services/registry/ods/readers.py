"""Opening register files as found: gzip, CSV or a workbook. Cells stay what they are; nothing is guessed."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from services.registry.codes import NETWORK, ORGANISATION, in_range
from services.registry.ods.workbook import NotAWorkbook, WorkbookTooLarge, sheets_of
from shared.errors import Fault, Invalid
from shared.events import Event


class FileRefused(Invalid):
    """The file is not what it says it is; nothing of it was loaded."""


LARGEST_FILE = 64 * 1024 * 1024
MOST_CELLS = 5_000_000
"""Ten times the largest register file; 64 MB of commas alone would take gigabytes as rows."""
Cells = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not loaded: where it stands, a stable code, and why."""

    file: str
    line: int
    column: str
    code: str
    reason: str


class BadCell(Exception):
    """One cell cannot be read as what its column holds."""

    def __init__(self, column: str, code: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.code, self.reason = column, code, reason


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its name for people, and its rows; the line of row `n` is `n + 1`."""

    name: str
    rows: Sequence[Cells]


Note = Callable[[str, int], Awaitable[None]]
"""Lets others know how far an import has come: its stage, and the rows read."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file to take in. `published` is the instant from which its contents count as known."""

    upload: Upload
    partners: Upload | None
    published_on: date
    published: datetime
    snapshot: date | None
    came_to: Note

    async def was_read(self, rows: int) -> None:
        """So many rows have been read; what they say is now compared with the register."""
        await self.came_to("comparing", rows)


@dataclass(slots=True)
class Outcome:
    """What became of a file: rows read, loaded, already so, refused; what it disagrees with; what to announce."""

    rows: int = 0
    loaded: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)

    def refuse(self, sheet: Sheet, line: int, error: BadCell) -> None:
        self.refused.append(Refusal(sheet.name, line, error.column, error.code, error.reason))


def refused(code: str, message: str) -> FileRefused:
    return FileRefused(message, errors=[Fault("file", code, message)])


def open_sheets(upload: Upload) -> list[Sheet]:
    """The tables of a file. Raises `FileRefused` for anything that is no CSV and no workbook."""
    data = upload.data
    if data[:2] == b"\x1f\x8b":
        data = _unzip(data, upload.name)
    if not data.strip():
        raise refused("empty_file", f"{upload.name} is empty.")
    if data[:4] == b"PK\x03\x04":
        return _workbook(data, upload.name)
    return [Sheet(upload.name, _csv(data, upload.name))]


def _unzip(data: bytes, name: str) -> bytes:
    """All members of a gzip file, however they were put together, up to the largest size read."""
    members: list[bytes] = []
    room = LARGEST_FILE
    while data:
        inflater = zlib.decompressobj(wbits=31)
        try:
            members.append(inflater.decompress(data, room + 1))
        except zlib.error as error:
            raise refused("not_gzip", f"{name} cannot be unpacked.") from error
        room -= len(members[-1])
        if room < 0:
            raise refused("too_large", f"{name} unpacks to more than {LARGEST_FILE} bytes.")
        if not inflater.eof:
            raise refused("cut_short", f"{name} ends before its end.")
        data = inflater.unused_data.lstrip(b"\x00")  # some writers fill up the last block
    return b"".join(members)


def _workbook(data: bytes, name: str) -> list[Sheet]:
    try:
        return [Sheet(f"{name}#{sheet}", rows) for sheet, rows in sheets_of(data)]
    except NotAWorkbook as error:
        raise refused("not_a_workbook", f"{name} cannot be read as a workbook.") from error
    except WorkbookTooLarge as error:
        raise refused("too_large", f"{name} unpacks to more than can be read.") from error


def _csv(data: bytes, name: str) -> list[Cells]:
    if b"\x00" in data:
        raise refused("not_text", f"{name} is no text.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError as error:
            raise refused("not_text", f"{name} is neither UTF-8 nor Windows-1252.") from error
    if text.count(",") + text.count("\n") + text.count("\r") > MOST_CELLS:
        raise refused("too_large", f"{name} has more than {MOST_CELLS} cells.")
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise refused("not_csv", f"{name} cannot be read as CSV: {error}.") from error


def plain(heading: object) -> str:
    """A heading without the newlines, double blanks and trailing blanks that publishers leave in."""
    return re.sub(r"\s+", " ", str(heading)).strip().casefold()


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet whose heading row was found; columns are reached by the short names its reader gave them."""

    sheet: Sheet
    start: int
    columns: Mapping[str, int]

    def records(self) -> Iterator[tuple[int, Callable[[str], Any]]]:
        """Line number and a reader of cells by short name; blank rows are passed over."""
        for index in range(self.start, len(self.sheet.rows)):
            cells = self.sheet.rows[index]
            if not any(str(cell).strip() for cell in cells):
                continue
            yield index + 1, self._reader(cells)

    def _reader(self, cells: Cells) -> Callable[[str], Any]:
        def cell(column: str) -> Any:
            place = self.columns[column]
            value = cells[place] if place < len(cells) else ""
            return value.strip() if isinstance(value, str) else value

        return cell


def find_table(sheets: Sequence[Sheet], headings: Mapping[str, Sequence[str]]) -> Table | None:
    """The first table with one heading of each list, looked for in the first ten rows of each sheet."""
    for sheet in sheets:
        for index, cells in enumerate(sheet.rows[:10]):
            names = [plain(cell) for cell in cells]
            columns = {
                short: next((names.index(plain(name)) for name in choices if plain(name) in names), -1)
                for short, choices in headings.items()
            }
            if all(place >= 0 for place in columns.values()):
                return Table(sheet, index + 1, columns)
    return None


def text(value: Any, column: str, *, required: bool = True) -> str:
    words = str(value).strip()
    if required and not words:
        raise BadCell(column, "missing", "The cell is empty.")
    return words


def organisation(value: Any, column: str) -> str:
    if not isinstance(value, str):
        raise BadCell(column, "code_is_a_number", f"{value!r} is a number; a code is text.")
    if not ORGANISATION.match(value):
        raise BadCell(column, "not_a_code", f"{value!r} is not an ODS code.")
    return value


def network(value: Any, column: str) -> str:
    if not isinstance(value, str) or not NETWORK.match(value):
        raise BadCell(column, "not_a_network_code", f"{value!r} is not U and five digits.")
    return value


def day(value: Any, column: str, *, required: bool = True) -> date | None:
    """A day written YYYYMMDD as text or number, ISO, `01Jan2022`, `01-Sep-20`, `01/04/1974`, or a date cell."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    words = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if not words:
        if required:
            raise BadCell(column, "missing", "The date is missing.")
        return None
    for shape in ("%Y%m%d", "%Y-%m-%d", "%d%b%Y", "%d-%b-%y", "%d/%m/%Y"):
        try:
            found = datetime.strptime(words, shape).date()  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
        if in_range(found):
            return found
    raise BadCell(column, "not_a_date", f"{words!r} is not a date.")


def head_count(value: Any, column: str) -> Decimal:
    """A number of patients exactly as the cell has it; a whole number loses its empty decimals."""
    if isinstance(value, bool):
        raise BadCell(column, "not_a_number", f"{value!r} is not a number of patients.")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value).strip().replace(",", ""))
    except InvalidOperation as error:
        raise BadCell(column, "not_a_number", f"{value!r} is not a number of patients.") from error
    if not number.is_finite() or number < 0:
        raise BadCell(column, "not_a_head_count", f"{value!r} is no number of patients.")
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def whole_number(value: Any, column: str) -> Decimal:
    """A number of patients counted, not averaged."""
    number = head_count(value, column)
    if number != number.to_integral_value():
        raise BadCell(column, "not_whole", f"{number} is not a whole number of patients.")
    return number
