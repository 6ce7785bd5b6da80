"""The amount of any line, worked out again from what it remembers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from services.funding.achievements import rules as achievements
from services.funding.arrears import line as arrears
from services.funding.claims import line as claims
from services.funding.lines import capitation
from services.funding.lines.words import Trace
from services.funding.practice_scheme import line as practice_scheme
from services.funding.queries import line as queries
from services.funding.reversals import line as reversals

RECOMPUTE: dict[str, Callable[[Trace], Decimal]] = {
    "capitation": capitation.recompute,
    "claim": claims.recompute,
    "arrears": arrears.recompute,
    "practice-claim": practice_scheme.recompute,
    "adjustment": queries.recompute,
    "achievement": achievements.recompute,
    "reversal": reversals.recompute,
}
"""By kind of trace: its amount worked out again. A noun whose amounts reach a run adds its own here."""


def recompute(trace: Trace) -> Decimal:
    """The amount of a line from its trace alone, to the penny."""
    return RECOMPUTE[trace["kind"]](trace)
