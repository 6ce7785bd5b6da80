"""What a noun with lines of its own needs to tell of them: the shape of a trace, and the words for months and money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.years import first_day, months_between

Trace = dict[str, Any]
"""What a line remembers of its own making: plain JSON, every number as text, `kind` naming who can recompute it."""

NOT_CONFIRMED = {
    "derived": "was computed from other published figures",
    "remembered": "has no published source and must be confirmed",
}

WORDS = {
    "core_registered": "core funding on registered patients",
    "core_adjusted": "core funding on adjusted patients",
    "casp": "capacity and access support",
    "pcn_support": "network support",
    "arrs": "additional roles",
}


def stream_in_words(stream: str) -> str:
    return WORDS.get(stream, stream.replace("_", " "))


def pounds(amount: str | Decimal) -> str:
    value = Decimal(amount)
    return f"{'-' if value < 0 else ''}£{abs(value):,.2f}"


def span_in_words(months: Sequence[str]) -> str:
    """Months in words; one supplied late stands behind others and leaves a gap."""
    ordered = sorted(months)
    if len(ordered) == 1:
        return ordered[0]
    whole = list(months_between(first_day(ordered[0]), first_day(ordered[-1])))
    return f"{ordered[0]} to {ordered[-1]}" if ordered == whole else ", ".join(ordered)


def doubts(tariff: str | None, confidence: str | None) -> list[str]:
    """The warning a line carries where nobody has confirmed the rate it rests on."""
    return [f"The rate {tariff} {NOT_CONFIRMED[confidence]}."] if confidence in NOT_CONFIRMED else []


def of_variation(variation: str | None) -> str:
    """The local variation a figure belongs to, to follow it in a sentence; nothing where it is national."""
    return "" if variation is None else f" of the local variation {variation}"


def withdrawals_in_words(withdrawals: Iterable[Mapping[str, Any]]) -> list[str]:
    """Whose right to be paid was withdrawn from which days, and why."""
    told = []
    for withdrawal in withdrawals:
        until = f" to the day before {withdrawal['restored_from']}" if withdrawal["restored_from"] else ""
        told.append(
            f"The right of {withdrawal['practice'] or 'the network'} to be paid was withdrawn from "
            f"{withdrawal['withdrawn_from']}{until}: {withdrawal['reason']}"
        )
    return told


def paid_before_in_words(trace: Trace) -> list[str]:
    """What was paid of a claim before the part a line pays; nothing where it pays the first or all of it."""
    return [f"Paid of it before: {pounds(trace['paid_before'])}"] if trace.get("paid_before") else []
