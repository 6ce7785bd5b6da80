"""Amounts that are not by head or bed: how any noun hands a run what it has to pay, and hears that it was paid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.lines.words import Trace
from services.funding.payments.heads import Hold
from shared.events.base import Event


@dataclass(frozen=True, slots=True)
class Payable:
    """One amount to pay once. `reference` is the source's kind and an id, like `claims/claim-7`: no issued run pays it
    twice, so a correction has a reference of its own and may be negative.

    `payee` is `None` where the network's appointed payee is paid; `month` is what it pays for; `trace["kind"]` names
    the functions in `lines/trace.py` and `lines/explanation.py` that recompute and explain it. With a `hold` it waits.
    """

    reference: str
    network: str
    practice: str | None
    payee: str | None
    stream: str
    month: str
    amount: Decimal
    cause: str
    trace: Trace
    hold: Hold | None = None


class Source(NamedTuple):
    """A noun whose amounts runs pay.

    `unpaid(session, month, now)` gives what has been decided, concerns the month or an earlier one and is in no issued
    run; `pay(session, references, run, now)` is told once, when the run is issued, and gives the events that follow.
    """

    kind: str
    unpaid: Callable[[AsyncSession, str, datetime], Awaitable[list[Payable]]]
    pay: Callable[[AsyncSession, Collection[str], str, datetime], Awaitable[list[Event]]]


PART = "~"
"""Before the payee in the reference of a line that takes back a part of an amount from one of several, and before what
was paid by then in that of a claim's further part."""


def kind_of(reference: str) -> str:
    return reference.partition("/")[0]


def ids_of(references: Collection[str]) -> list[str]:
    """The ids behind references of one kind."""
    return [reference.partition("/")[2] for reference in references]


def give_back(back: Decimal, had: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
    """Who gives back how much of what was paid too much, whoever was paid most first."""
    parts = []
    for payee in sorted(had, key=lambda payee: (had[payee], payee), reverse=True):
        part = min(back, had[payee])
        if part > 0:
            parts.append((payee, -part))
            back -= part
    return parts
