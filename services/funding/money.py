"""Money to the penny. Every amount funding pays is rounded here and nowhere else."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

PENNY = Decimal("0.01")
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
"""Sixty digits: products of rates and populations are exact, and a division is never mistaken for a half penny."""

PARTS = Decimal(10_466_517_600)
"""The least common multiple of 1 to 12, each times 28, 29, 30 and 31: shares of a year or window in months, and of a
month in days, add up as whole numbers of parts."""


def to_pence(amount: Decimal, divided_by: Decimal = Decimal(1)) -> Decimal:
    """`amount / divided_by` to the penny, half a penny rounded up."""
    return EXACT.divide(amount, divided_by).quantize(PENNY, context=EXACT)


def plain(number: Decimal) -> str:
    """A number as people write it: no exponent, no zeros after the last digit that matters."""
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
