"""What the bank says became of a payment file: a CSV whose good rows are taken and whose bad rows are named."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.instructions.model import PaymentInstruction, TookUp
from services.funding.instructions.operations import taken_up
from services.funding.payment_files.model import PaymentFile
from shared.clock import london_day
from shared.errors import DomainError, Fault, Invalid
from shared.messaging import announce

HEAD = ("instruction", "outcome", "date", "amount", "code", "reason")
MOST_ROWS = 100_000
_AMOUNT = re.compile(r"[0-9]{1,12}\.[0-9]{2}")


class ResultsUnreadable(Invalid):
    """The file is no CSV of results; nothing of it was taken."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """One row that was not taken."""

    line: int
    column: str
    code: str
    message: str


@dataclass(slots=True)
class Taken:
    """What a file of results did: rows that settled an instruction, rows that said nothing new, rows refused."""

    confirmed: int = 0
    returned: int = 0
    repeated: int = 0
    refused: list[RowFault] = field(default_factory=list)


def _unreadable(code: str, message: str) -> ResultsUnreadable:
    return ResultsUnreadable(message, errors=[Fault("body", code, message)])


def rows_of(content: bytes) -> list[tuple[int, dict[str, str]]]:
    """The rows of a file of results with their lines. Raises `ResultsUnreadable`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable("not_utf8", "The file is not UTF-8.") from error
    if "\x00" in text:
        raise _unreadable("not_text", "The file has NUL in it.")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        head = next(reader, [])
        if tuple(name.strip().lower() for name in head) != HEAD:
            raise _unreadable("wrong_columns", f"The first line must name {', '.join(HEAD)}.")
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(rows) >= MOST_ROWS:
                raise _unreadable("too_long", f"A file has {MOST_ROWS} rows at the most.")
            rows.append((reader.line_num, dict(zip(HEAD, [cell.strip() for cell in row], strict=False))))
    except csv.Error as error:
        raise _unreadable("not_csv", f"The file is no CSV: {error}.") from error
    return rows


async def take_results(session: AsyncSession, file: PaymentFile, content: bytes, *, by: str, now: datetime) -> Taken:
    """Settle the instructions of a payment file as the bank reports them; rows told before change nothing.

    Raises `ResultsUnreadable`, and then nothing is taken.
    """
    rows, taken = rows_of(content), Taken()
    of_file = await session.scalars(
        select(PaymentInstruction)
        .where(PaymentInstruction.file == file.id)
        .order_by(PaymentInstruction.id)
        .with_for_update()
    )
    instructions = {one.id: one for one in of_file.all()}
    took_up = await taken_up(session, instructions)
    sent_on, today = london_day(file.made_at), london_day(now)
    for line, row in rows:
        faults = _faults(line, row, instructions)
        if faults:
            taken.refused += faults
            continue
        instruction, on = instructions[row["instruction"]], date.fromisoformat(row["date"])
        earlier = took_up.get(instruction.id, TookUp())
        try:
            if row["outcome"] == "confirmed":
                confirmed = instruction.confirm(on, earlier, sent_on=sent_on, by=by, at=now, today=today)
                taken.confirmed += confirmed is not None
                taken.repeated += confirmed is None
                event = confirmed
            else:
                returned = instruction.give_back(
                    on, earlier, row["code"], row["reason"], sent_on=sent_on, by=by, at=now, today=today
                )
                taken.returned += returned is not None
                taken.repeated += returned is None
                event = returned  # type: ignore[assignment]
        except DomainError as error:
            taken.refused.append(RowFault(line, "outcome", error.code, str(error)))
            continue
        if event is not None:
            announce(session, event)
    await session.flush()
    return taken


def _faults(line: int, row: dict[str, str], instructions: dict[str, PaymentInstruction]) -> list[RowFault]:
    """Everything wrong with one row."""
    found = [RowFault(line, name, "missing", "The row is too short.") for name in HEAD[:4] if name not in row]
    if found:
        return found
    instruction = instructions.get(row["instruction"])
    if instruction is None:
        found.append(RowFault(line, "instruction", "unknown", "The payment file has no such instruction."))
    if row["outcome"] not in {"confirmed", "returned"}:
        found.append(RowFault(line, "outcome", "unknown", "An outcome is confirmed or returned."))
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", row["date"]):
            raise ValueError(row["date"])
        date.fromisoformat(row["date"])
    except ValueError:
        found.append(RowFault(line, "date", "not_a_day", "Write the day like 2022-04-29."))
    try:
        if not _AMOUNT.fullmatch(row["amount"]):
            found.append(RowFault(line, "amount", "not_an_amount", "Write the amount like 1234.50."))
        elif instruction is not None and Decimal(row["amount"]) != instruction.amount:
            found.append(RowFault(line, "amount", "differs", f"The instruction is of {instruction.amount}."))
    except InvalidOperation:
        found.append(RowFault(line, "amount", "not_an_amount", "Write the amount like 1234.50."))
    code, reason = row.get("code", ""), row.get("reason", "")
    if row["outcome"] == "returned" and not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", code):
        found.append(RowFault(line, "code", "missing", "A return has the bank's code."))
    if row["outcome"] == "returned" and not 0 < len(reason) <= 1000:
        found.append(RowFault(line, "reason", "missing", "A return has a reason."))
    return found
