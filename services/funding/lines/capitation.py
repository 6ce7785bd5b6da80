"""Lines paid by head or bed: what they remember, their amount from it, why they differ, the arithmetic in words.

A trace is plain JSON with every number as text. It refers to nothing outside itself, so a line explains itself the same
way for ever, whatever is corrected later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from services.funding.lines.words import Trace, doubts, pounds, span_in_words
from services.funding.money import EXACT, PARTS, plain, to_pence
from services.funding.payments.engine import Due, Headcount, Portion

PERIODS = {"year": "a year, paid in twelfths", "window": "for the whole window", "month": "a month"}


CAUSES = ("rate-changed", "membership-changed", "population-restated", "rounding")
"""Why a month already paid is paid again; a first payment is `due`, a late claim `claim-late`."""


def heads_of(heads: Headcount) -> dict[str, Any]:
    """A head count in JSON: per practice `[code, share, figure]`, and how it was counted if not as a member."""
    return {
        "basis": heads.basis,
        "snapshot": None if heads.snapshot is None else heads.snapshot.isoformat(),
        "population": plain(heads.total),
        "practices": [
            [c.practice, plain(c.share), plain(c.value), *([] if c.how == "member" else [c.how])] for c in heads.counted
        ],
    }


def trace_of(due: Due, counted: dict[int, dict[str, Any]] | None = None) -> Trace:
    """The trace of a line paid by head or bed: its steps, each some months with the same rate and population.

    `counted` keeps head counts already told, by identity, for lines that share one while they are drafted together.
    """
    told = {} if counted is None else counted
    steps: list[dict[str, Any]] = []
    last: Portion | None = None
    for portion in due.portions:
        if last is not None and portion.rate is last.rate and portion.heads is last.heads:
            steps[-1]["months"].append(portion.month)
            continue
        last = portion
        heads = told.get(id(portion.heads))
        if heads is None:
            heads = told[id(portion.heads)] = heads_of(portion.heads)
        steps.append(
            {
                "months": [portion.month],
                "tariff": portion.rate.tariff,
                "rate": str(portion.rate.value),
                "rate_period": portion.rate.rate_period,
                "parts": portion.rate.parts,
                "confidence": portion.rate.confidence,
                "sources": list(portion.rate.sources),
                **heads,
            }
        )
    return {
        "kind": "capitation",
        "month": due.month,
        "steps": steps,
        "cumulative": str(due.cumulative),
        "cumulative_before": str(due.before),
        "paid_before": None if due.paid is None else str(due.paid),
        "amount": str(due.amount),
    }


def recompute(trace: Trace) -> Decimal:
    """The year so far with the month, minus the year without it, minus what was paid for it before."""
    through = _cumulative(trace["steps"], trace["month"], inclusive=True)
    before = _cumulative(trace["steps"], trace["month"], inclusive=False)
    return through - before - Decimal(trace["paid_before"] or 0)


def _cumulative(steps: Sequence[Mapping[str, Any]], month: str, *, inclusive: bool) -> Decimal:
    total = Decimal(0)
    with localcontext(EXACT):
        for step in steps:
            count = sum(1 for m in step["months"] if inclusive or m != month)
            population = (
                sum((Decimal(share) * Decimal(value) for _, share, value, *_ in step["practices"]), Decimal(0))
                if step["practices"]
                else Decimal(step["population"])
            )
            total += Decimal(step["rate"]) * population * count * (PARTS / step["parts"])
        return to_pence(total, PARTS)


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """The arithmetic a person can follow with a calculator, and what to be wary of."""
    lines, warnings = [], []
    for step in trace["steps"]:
        months = step["months"]
        span = span_in_words(months)
        unit = "beds" if step["basis"] == "beds" else f"{step['basis']} patients at {step['snapshot']}"
        terms = " + ".join(value if share == "1" else f"{share} × {value}" for _, share, value, *_ in step["practices"])
        if len(step["practices"]) > 1 and len(step["practices"]) <= 20:
            lines.append(f"{terms} = {step['population']} {unit}")
        lines.append(
            f"{span}: £{step['rate']} {PERIODS[step['rate_period']]} × {step['population']} {unit} "
            f"× {len(months)}/{step['parts']} (rate {step['tariff']})"
        )
        if step["sources"]:
            lines.append(f"Sources of the rate {step['tariff']}: {', '.join(step['sources'])}")
        warnings += doubts(step["tariff"], step["confidence"])
        absent = [practice for practice, _, _, *how in step["practices"] if how == ["no-list"]]
        if absent:
            warnings.append(f"{', '.join(absent)} had no patients on the list of {step['snapshot']} and count as none.")
        allocated = [practice for practice, _, _, *how in step["practices"] if how == ["allocated"]]
        if allocated:
            lines.append(f"Patients of {', '.join(allocated)} are served by allocation.")
    lines.append(
        f"The year so far with {trace['month']}: {pounds(trace['cumulative'])}; without it: "
        f"{pounds(trace['cumulative_before'])}; the month: "
        f"{pounds(Decimal(trace['cumulative']) - Decimal(trace['cumulative_before']))}"
    )
    if trace["paid_before"] is not None:
        lines.append(f"Paid for {trace['month']} before: {pounds(trace['paid_before'])}")
    lines.append(f"To pay: {pounds(trace['amount'])}")
    return lines, list(dict.fromkeys(warnings))


def step_of(trace: Trace, month: str) -> Mapping[str, Any] | None:
    """The inputs a trace used for one month."""
    return next((step for step in trace["steps"] if month in step["months"]), None)


def causes_of(paid: Trace, now: Trace) -> list[str]:
    """Why a month paid by the line with trace `paid` comes to something else now, the weightiest reason first."""
    month = now["month"]
    old, new = step_of(paid, month), step_of(now, month)
    if old is None or new is None:
        return ["rounding"] if old is new else ["membership-changed"]
    found = set()
    if (old["tariff"], old["rate"], old["parts"]) != (new["tariff"], new["rate"], new["parts"]):
        found.add("rate-changed")
    was = {practice: (share, value) for practice, share, value, *_ in old["practices"]}
    is_ = {practice: (share, value) for practice, share, value, *_ in new["practices"]}
    if {p: s for p, (s, _) in was.items()} != {p: s for p, (s, _) in is_.items()}:
        found.add("membership-changed")
    if any(was[p][1] != is_[p][1] for p in was.keys() & is_.keys()) or (
        not was and not is_ and old["population"] != new["population"]
    ):
        found.add("population-restated")
    return [cause for cause in CAUSES if cause in found] or ["rounding"]
