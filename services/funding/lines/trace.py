"""What a line remembers of its own making: enough to compute it again to the penny, and to say it in words.

A trace is plain JSON with every number as text. It refers to nothing outside itself, so a line explains itself the same
way for ever, whatever is corrected later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from services.funding.money import EXACT, PARTS, plain, to_pence
from services.funding.payments.engine import Due, Headcount, Portion

Trace = dict[str, Any]

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
    """The amount of a line from its trace alone, to the penny."""
    if trace["kind"] == "claim":
        limits = [Decimal(trace["share_amount"]), Decimal(trace["ceiling"]), Decimal(trace["room"])]
        return min(limits) - Decimal(trace["paid_before"] or 0)
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
