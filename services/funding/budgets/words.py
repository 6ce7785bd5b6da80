"""A sum worked out again from what it remembers, and in words."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

from services.funding.lines.capitation import PERIODS, total_of
from services.funding.lines.words import of_variation, pounds, span_in_words
from services.funding.money import EXACT, PARTS, to_pence


def recompute(trace: dict[str, Any]) -> Decimal:
    """The amount of a sum from its trace alone, to the penny. Raises `ValueError` for one that is held."""
    if trace["kind"] == "by-posts":
        total = sum((Decimal(p["wte"]) * Decimal(p["rate"]) * p["months"] for p in trace["posts"]), Decimal(0))
        made = to_pence(total, Decimal(12))
    elif "steps" in trace:
        made = _by_steps(trace)
    elif trace["rate"] is None:
        raise ValueError("a sum that is held has no amount")
    else:
        made = to_pence(Decimal(trace["rate"]) * total_of(trace))
    moved = trace.get("moved", {"given": "0", "received": "0"})
    return max(made - Decimal(moved["given"]) + Decimal(moved["received"]), Decimal("0.00"))


def _by_steps(trace: dict[str, Any]) -> Decimal:
    with localcontext(EXACT):
        total = sum(
            (
                Decimal(step["rate"])
                * total_of(step)
                * len(step["months"])
                * (PARTS / (step["parts"] * step.get("over", 1)))
                for step in trace["steps"]
            ),
            Decimal(0),
        )
        return to_pence(total, PARTS)


def arithmetic(trace: dict[str, Any], amount: Decimal | None) -> list[str]:
    """How a sum comes together, for somebody with a calculator; nothing while it is held."""
    if amount is None:
        return []
    lines = []
    if trace["kind"] == "by-posts":
        lines += [
            f"{post['wte']} WTE of {post['role']} × £{post['rate']} a year × {post['months']}/12 (rate "
            f"{post['tariff']})"
            for post in trace["posts"]
        ]
    elif "steps" in trace:
        lines += [
            f"{span_in_words(step['months'])}: £{step['rate']} {PERIODS[step['rate_period']]} × {step['population']} "
            f"weighted patients × {len(step['months'])}/{step['parts']} "
            f"(rate {step['tariff']}{of_variation(step.get('scope'))})"
            for step in trace["steps"]
        ]
        if "nobody_in" in trace:
            told = span_in_words(trace["nobody_in"])
            lines.append(f"{told}: nobody counts whom the network serves and has the right to be paid for")
    else:
        lines.append(f"£{trace['rate']} × {trace['population']} weighted patients (rate {trace['tariff']})")
    moved = trace.get("moved")
    if moved is not None:
        lines.append(f"Given up: {pounds(moved['given'])}; taken on: {pounds(moved['received'])}")
    lines.append(f"The sum: {pounds(amount)}")
    return lines
