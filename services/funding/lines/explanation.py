"""A line in words: one sentence, then the arithmetic a person can follow with a calculator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.funding.achievements import rules as achievements
from services.funding.arrears import line as arrears
from services.funding.claims import line as claims
from services.funding.lines import capitation
from services.funding.lines.trace import recompute
from services.funding.lines.words import Trace, pounds, stream_in_words
from services.funding.practice_scheme import line as practice_scheme
from services.funding.queries import line as queries
from services.funding.reversals import line as reversals

Arithmetic = Callable[[Trace], tuple[list[str], list[str]]]

ARITHMETIC: dict[str, Arithmetic] = {
    "capitation": capitation.arithmetic,
    "claim": claims.arithmetic,
    "arrears": arrears.arithmetic,
    "practice-claim": practice_scheme.arithmetic,
    "adjustment": queries.arithmetic,
    "achievement": achievements.arithmetic,
    "reversal": reversals.arithmetic,
}
"""By kind of trace: the steps of the arithmetic, and warnings. A noun whose amounts reach a run adds its own here."""

WHY = {
    "due": "the first payment of the month",
    "relabelled": "money of one stream was relabelled as another's after the month was paid",
    "rate-changed": "the rate was changed after the month was paid",
    "membership-changed": "the network's membership was changed after the month was paid",
    "population-restated": "a population was restated after the month was paid",
    "rounding": "pence move between months so that the year comes out exactly",
    "claim-late": "the claim was approved after its month",
    "query": "a query of an earlier line was answered by an adjustment",
    "achievement-corrected": "what was achieved was put right after it had been approved",
    "override": "a computed result was overridden by national decision",
    "withdrawal": "the right to the payment was withdrawn or given back after the month was paid",
}


def explain(line: dict[str, Any], trace: Trace) -> dict[str, Any]:
    """Sentence, arithmetic and warnings of a line; `line` has network, practice, payee, stream, month and cause."""
    whom = (
        f"practice {line['practice']} of network {line['network']}"
        if line["practice"]
        else f"network {line['network']}"
    )
    subject = f"{stream_in_words(line['stream'])} of {whom} for {line['month']}"
    if trace["kind"] == "held":
        return {
            "sentence": f"Nothing is paid yet: {subject} is held. {trace['detail']}",
            "arithmetic": [],
            "warnings": [],
            "recomputed": None,
        }
    arithmetic, warnings = ARITHMETIC[trace["kind"]](trace)
    return {
        "sentence": (
            f"{pounds(trace['amount'])} is paid to {line['payee']}: {subject}, because this is {WHY[line['cause']]}."
            if line["cause"] == "due"
            else f"{pounds(trace['amount'])} is paid to {line['payee']}: {subject}, because {WHY[line['cause']]}."
        ),
        "arithmetic": arithmetic,
        "warnings": warnings,
        "recomputed": str(recompute(trace)),
    }
