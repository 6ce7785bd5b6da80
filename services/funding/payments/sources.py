"""Everything besides heads and beds that a run pays: one line for each noun with amounts of its own."""

from __future__ import annotations

from services.funding.achievements.line import ACHIEVEMENTS
from services.funding.arrears.line import ARREARS
from services.funding.claims.line import CLAIMS
from services.funding.payments.payables import Source
from services.funding.practice_scheme.line import PRACTICE_CLAIMS
from services.funding.queries.line import ADJUSTMENTS
from services.funding.reversals.operations import REVERSALS

SOURCES: tuple[Source, ...] = (
    CLAIMS,
    ARREARS,
    PRACTICE_CLAIMS,
    ADJUSTMENTS,
    ACHIEVEMENTS,
    REVERSALS,
)
