"""How a line that takes back what was paid, or pays it again, recomputes and explains itself."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from services.funding.lines.words import Trace, pounds, withdrawals_in_words
from services.funding.money import to_pence


def kept_of(paid: Iterable[tuple[Decimal, Fraction]]) -> Decimal:
    """What of amounts stays paid, each for the part there is a right to: rounded once, on all of them."""
    total = sum((Fraction(amount) * part for amount, part in paid), Fraction(0))
    return to_pence(Decimal(total.numerator), Decimal(total.denominator))


def recompute(trace: Trace) -> Decimal:
    """What stays, less what was paid, less what was taken back of it before."""
    paid = [(Decimal(amount), Fraction(part)) for _, amount, part in trace["paid"]]
    gross = sum((amount for amount, _ in paid), Decimal("0.00"))
    return kept_of(paid) - gross - Decimal(trace["reversed_before"])


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """What was paid, the part of each line there is a right to, and the difference; nothing to be wary of."""
    lines = [
        f"{pounds(amount)} was paid by {line} for {trace['of']}; the right to {_in_words(Fraction(part))} of it stands"
        for line, amount, part in trace["paid"]
    ]
    lines += withdrawals_in_words(trace.get("withdrawals", ()))
    paid = [(Decimal(amount), Fraction(part)) for _, amount, part in trace["paid"]]
    lines.append(
        f"Stays paid: {pounds(kept_of(paid))}; paid: {pounds(sum((amount for amount, _ in paid), Decimal(0)))}; "
        f"taken back before: {pounds(-Decimal(trace['reversed_before']))}"
    )
    lines.append(f"To pay: {pounds(trace['amount'])}")
    return lines, []


def _in_words(part: Fraction) -> str:
    return {Fraction(0): "nothing", Fraction(1): "all"}.get(part, str(part))
