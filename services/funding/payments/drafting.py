"""Writing down the lines of a run: differences with their causes, what is held, what other nouns have to pay."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.entitlements.queries import last_traces, load_year
from services.funding.lines.capitation import causes_of, circumstances, trace_of
from services.funding.lines.words import NOT_CONFIRMED, Trace
from services.funding.payments.engine import Due, Held, Portion, Year, differences
from services.funding.variances.model import FindingKind
from shared.years import year_of

COLUMNS = (
    "id",
    "run",
    "network",
    "practice",
    "payee",
    "stream",
    "month",
    "contract_year",
    "amount",
    "cause",
    "held_code",
    "reference",
    "trace",
)


@dataclass
class Drafted:
    """A run's lines as rows to write, and what they add up to."""

    run: str
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    lines: Counter[str] = field(default_factory=Counter)
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: Decimal("0.00")))
    held: Counter[str] = field(default_factory=Counter)
    without_list: set[str] = field(default_factory=set)
    doubtful: dict[str, str] = field(default_factory=dict)
    covered: set[str] = field(default_factory=set)
    renamed: set[tuple[str, str, str]] = field(default_factory=set)
    """Months, and streams whose money counts as another's in them: from, to."""

    def rename(self, month: str, relabellings: Iterable[Mapping[str, Any]]) -> None:
        """Note what was relabelled in a month, or is no longer: money may move either way."""
        for one in relabellings:
            self.renamed |= {(month, one["from"], one["to"]), (month, one["to"], one["from"])}

    def doubt(self, tariff: str, confidence: str | None) -> None:
        if confidence in NOT_CONFIRMED:
            self.doubtful[tariff] = confidence

    def add(
        self,
        *,
        network: str,
        practice: str | None,
        payee: str,
        stream: str,
        month: str,
        amount: Decimal | None,
        cause: str,
        trace: Trace,
        held_code: str | None = None,
        reference: str | None = None,
    ) -> None:
        number = f"{self.run}-{len(self.rows) + 1:06d}"
        year = year_of(month)
        self.rows.append(
            (
                number,
                self.run,
                network,
                practice,
                payee,
                stream,
                month,
                year,
                amount,
                cause,
                held_code,
                reference,
                to_json(trace).decode(),
            )
        )
        if amount is None:
            self.held[held_code or ""] += 1
        else:
            self.lines[stream] += 1
            self.amounts[stream] += amount

    def charge(self, place: int, parts: Sequence[tuple[str, Decimal]]) -> None:
        """Charge a line to other payees, dividing it where there are several; the parts make its amount."""
        row = dict(zip(COLUMNS, self.rows[place], strict=True))
        whole, trace = row["amount"], row["trace"]
        for number, (payee, part) in enumerate(parts):
            if part != whole:
                told = from_json(trace) | {"amount": str(part), "charged_to_others": str(whole - part)}
                row |= {"trace": to_json(told).decode()}
            row |= {"payee": payee, "amount": part}
            if number == 0:
                self.rows[place] = tuple(row.values())
                continue
            row |= {"id": f"{self.run}-{len(self.rows) + 1:06d}"}
            self.rows.append(tuple(row.values()))
            self.lines[row["stream"]] += 1

    def rows_of(self, payee: str) -> Iterator[dict[str, Any]]:
        """The lines of one payee, by column."""
        place = COLUMNS.index("payee")
        return (dict(zip(COLUMNS, row, strict=True)) for row in self.rows if row[place] == payee)

    def years(self) -> set[str]:
        """The contract years that anything is paid for."""
        year, amount = COLUMNS.index("contract_year"), COLUMNS.index("amount")
        return {row[year] for row in self.rows if row[amount] is not None}

    def rows_since(self, place: int) -> Iterator[dict[str, Any]]:
        """The lines from one on, by column."""
        return (dict(zip(COLUMNS, row, strict=True)) for row in self.rows[place:])

    def by_kind(self) -> dict[FindingKind, Mapping[str, Decimal]]:
        """What is paid, by stream and by payee, to be compared with the month before."""
        payee, amount = COLUMNS.index("payee"), COLUMNS.index("amount")
        by_payee: dict[str, Decimal] = defaultdict(lambda: Decimal("0.00"))
        for row in self.rows:
            if row[amount] is not None:
                by_payee[row[payee]] += row[amount]
        return {FindingKind.STREAM: self.amounts, FindingKind.PAYEE: by_payee}


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let the cycle collector wait: a run makes a million small values and no cycle among them, which it would walk
    through again and again, a third of the time. One run is calculated at a time, so this never nests."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


async def draft_year(
    session: AsyncSession,
    drafted: Drafted,
    contract_year: str,
    through: str,
    month: str,
    payees: dict[str, str],
    now: datetime,
) -> None:
    """Write down what differs from what was paid for a contract year through a month, each line with its cause."""
    inputs = await load_year(session, contract_year, through, now)
    # in a thread, so that the service goes on answering while it calculates
    dues, helds = await asyncio.to_thread(differences, inputs)
    before = await last_traces(session, contract_year, [(due.key, due.month) for due in dues if due.paid is not None])
    paid_before = {paid_for for months in inputs.paid.values() for paid_for in months}
    drafted.covered.update(due.month for due in dues if due.month < month and due.month not in paid_before)
    counted: dict[int, dict[str, Any]] = {}
    noted: set[tuple[int, int]] = set()
    unusual = bool(inputs.rules or inputs.withdrawn or inputs.relabelled)
    for due in dues:
        trace = trace_of(due, counted)
        if unusual:
            trace.update(circumstances(inputs, due))
        paid = before.get((due.key, due.month))
        if unusual or paid is not None:
            drafted.rename(due.month, (*trace.get("relabellings", ()), *(paid or {}).get("relabellings", ())))
        causes = [_first_cause(inputs, due)] if paid is None else causes_of(paid, trace)
        if paid is not None:
            trace["causes"] = causes
        if due.portions:
            last = due.portions[-1]
            if (id(last.rate), id(last.heads)) not in noted:
                noted.add((id(last.rate), id(last.heads)))
                _note(drafted, last)
        drafted.add(
            network=due.key.network,
            practice=due.key.practice,
            payee=due.key.practice or payees.get(due.key.network, due.key.network),
            stream=due.key.stream,
            month=due.month,
            amount=due.amount,
            cause=causes[0],
            trace=trace,
        )
    if through != month:
        # what an earlier year holds was shown by the runs of that year
        return
    for held in helds:
        _draft_held(drafted, held, payees)


def _first_cause(year: Year, due: Due) -> str:
    """Why a month of a stream is paid for the first time: it is due, or was paid as another stream before."""
    for one in year.relabelled.get(due.month, ()):
        if one["to"] == due.key.stream and due.month in year.paid.get(due.key._replace(stream=one["from"]), {}):
            return "relabelled"
    return "due"


def _note(drafted: Drafted, last: Portion) -> None:
    """Keep for whoever approves the run: practices counted as nobody, and rates that nobody has confirmed."""
    drafted.without_list.update(c.practice for c in last.heads.counted if c.how == "no-list")
    drafted.doubt(last.rate.tariff, last.rate.confidence)


def _draft_held(drafted: Drafted, held: Held, payees: dict[str, str]) -> None:
    key = held.key
    drafted.add(
        network=key.network,
        practice=key.practice,
        payee=key.practice or payees.get(key.network, key.network),
        stream=key.stream,
        month=held.months[-1],
        amount=None,
        cause="held",
        held_code=held.hold.code,
        trace=held_trace(held.months, held.hold.code, held.hold.detail),
    )


def held_trace(months: Sequence[str], code: str, detail: str) -> Trace:
    """What a line remembers that pays nothing yet."""
    return {"kind": "held", "month": months[-1], "months": list(months), "code": code, "detail": detail}
