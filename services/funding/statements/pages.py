"""A statement as a page to print and as CSV: what comes from data is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from html import escape

from services.funding.lines.words import pounds, stream_in_words
from services.funding.statements.queries import Statement
from shared.years import first_day

HEAD = (
    *("line", "network", "practice", "stream", "month", "contract_year", "amount", "cause", "held_code"),
    *("held_reason", "reference"),
)
_RISKY = ("=", "+", "-", "@", "\t", "\r")

_STYLE = """
body { font: 11pt/1.4 sans-serif; color: #0b0c0c; background: #fff; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 1.5rem 0 .25rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
caption { text-align: left; font-weight: bold; padding: .25rem 0 }
th, td { text-align: left; padding: .3rem .5rem; border-bottom: 1px solid #505a5f; vertical-align: top }
.money { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tfoot td, tfoot th { font-weight: bold; border-top: 2px solid #0b0c0c }
@media print { body { margin: 0; max-width: none; font-size: 9pt } thead { display: table-header-group }
  tr { break-inside: avoid } @page { size: A4; margin: 15mm } }
"""


def in_words(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def as_csv(statement: Statement) -> str:
    """Every line, and their sum in the last row."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for line in statement.lines:
        amount = "" if line.amount is None else f"{line.amount:.2f}"
        cells = (line.network, line.practice, line.stream, line.month, line.contract_year)
        why = (line.cause, line.held_code, line.held_reason, line.reference)
        writer.writerow([_safe(line.id), *map(_safe, cells), amount, *map(_safe, why)])
    writer.writerow(["TOTAL", *[""] * 5, f"{statement.total:.2f}", *[""] * 4])
    return out.getvalue()


def _safe(value: str | None) -> str:
    """A cell that a spreadsheet takes for text."""
    return f"'{value}" if value and value.startswith(_RISKY) else value or ""


def _money(amount: Decimal | None) -> str:
    return f'<td class="money">{escape("held" if amount is None else pounds(amount))}</td>'


def _table(caption: str, head: Sequence[tuple[str, bool]], rows: Iterable[str], foot: str = "") -> str:
    """A table with a caption and column headings; `head` gives each heading and whether it stands over money."""
    cells = "".join(
        f'<th scope="col"{" class=money" if money else ""}>{escape(heading)}</th>' for heading, money in head
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    end = f"<tfoot><tr>{foot}</tr></tfoot>" if foot else ""
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody>{end}</table>"
    )


def _cells(*values: str) -> str:
    return "".join(f"<td>{escape(value)}</td>" for value in values)


def as_page(statement: Statement) -> str:
    """The statement as one HTML page that needs nothing else."""
    month = f"{first_day(statement.month):%B %Y}"
    parts = [f"<h1>Payment statement: {escape(statement.payee)}, {escape(month)}</h1>", _payment(statement)]
    if statement.redirections:
        parts.append(_redirections(statement))
    if statement.lines:
        parts.append(_lines(statement))
    parts.append(_year(statement))
    if statement.queries:
        parts.append(_queries(statement))
    if statement.coming_month is not None:
        parts.append(_coming(statement, statement.coming_month))
    title = escape(f"Payment statement {statement.payee} {statement.month}")
    return (
        f'<!doctype html><html lang="en-GB"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


def _payment(statement: Statement) -> str:
    if statement.run is None or statement.run.issued_at is None:
        return "<p>Nothing has been issued for this month yet.</p>"
    told = f"Issued on {in_words(statement.run.issued_at.date())} by run {statement.run.id}."
    one = statement.instruction
    if one is None:
        return f"<p>{escape(told)}</p>"
    if statement.whole:
        told += f" Sent as one payment: {pounds(one.amount)}" if one.amount > 0 else " Nothing is sent this month"
        told += f", of which {pounds(one.brought_forward)} brought forward." if one.brought_forward else "."
        if statement.carried_forward:
            told += f" {pounds(statement.carried_forward)} is carried forward and taken off the next payment."
        if statement.debt is not None:
            decided = f"{statement.debt.outcome.value.replace('-', ' ')} on {in_words(statement.debt.settled_on)}"
            told += f" {pounds(statement.debt.amount)} owed was {decided}: {statement.debt.reason}"
    told += f" The payment is {one.state.value}"
    told += f" since {in_words(one.settled_on)}." if one.settled_on else "."
    reasons = [reason for reason in (one.held_reason, one.return_reason) if reason]
    return f"<p>{escape(' '.join([told, *reasons]))}</p>"


def _redirections(statement: Statement) -> str:
    rows = [
        f'<th scope="row">{escape(in_words(one["decided_at"].date()))}</th>'
        + _cells(*(one[name] or "" for name in ("payee", "redirected_to", "network", "practice", "month", "reason")))
        + _money(one["amount"])
        for one in statement.redirections
    ]
    head = [(name, False) for name in ("Decided", "Meant for", "Goes to", "Network", "Practice", "Sent for", "Why")]
    return _table("Payments that go to another payee", [*head, ("Amount", True)], rows)


def _lines(statement: Statement) -> str:
    queried = {query.line for query in statement.queries}
    rows = []
    for line in statement.lines:
        why = line.held_reason or line.cause.replace("-", " ")
        marked = f"{why} (queried)" if line.id in queried else why
        subject = f'<th scope="row">{escape(stream_in_words(line.stream))}</th>'
        rows.append(
            subject + _cells(line.network, line.practice or "", line.month, marked, line.id) + _money(line.amount)
        )
    head = (("Stream", False), ("Network", False), ("Practice", False), ("For", False), ("Why", False), ("Line", False))
    foot = f'<th scope="row" colspan="6">Total</th>{_money(statement.total)}'
    return _table("Lines", (*head, ("Amount", True)), rows, foot)


def _year(statement: Statement) -> str:
    rows = [
        f'<th scope="row">{escape(stream_in_words(one.stream))}</th>'
        + _cells(one.contract_year)
        + _money(one.before)
        + _money(one.this_month)
        + _money(one.to_date)
        for one in statement.positions
    ]
    head = (("Stream", False), ("Year", False), ("Paid before", True), ("This month", True), ("To date", True))
    return _table("The year so far", head, rows)


def _queries(statement: Statement) -> str:
    rows = [
        f'<th scope="row">{escape(one.id)}</th>'
        + _cells(one.line, one.state.value, in_words(one.answer_by), one.reason, one.answer or "")
        for one in statement.queries
    ]
    head = ("Query", "Line", "State", "Answer by", "Asked", "Answer")
    return _table("Queries", [(heading, False) for heading in head], rows)


def _coming(statement: Statement, coming: str) -> str:
    rows = [
        f'<th scope="row">{escape(stream_in_words(one.stream))}</th>' + _cells("; ".join(one.held)) + _money(one.amount)
        for one in statement.coming
    ]
    total = sum((one.amount for one in statement.coming), Decimal("0.00"))
    foot = f'<th scope="row" colspan="2">Total</th>{_money(total)}'
    told = f"What is coming with {first_day(coming):%B %Y}: an estimate from what is known today"
    return _table(told, (("Stream", False), ("Held", False), ("Amount", True)), rows, foot)
