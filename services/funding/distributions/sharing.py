"""Dividing one payment: a rule of money over plain values, exact to the penny.

Shares are rounded down to whole pennies and the pennies left over go, one each, to the shares that lost most by it (the
largest remainders), the first practice code first where they are alike. What no member is given stays with the payee.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from shared.errors import Refused

HUNDRED = Decimal(100)
_PAYEE = "~"  # after every practice code, so that a tie is never decided for the payee


class OverDistributed(Refused):
    """More would be given out than there is: never more than the payment, or than 100 %."""


class NothingToShareBy(Refused):
    """There is no member to share between, or everybody's weight is nothing."""


class Method(StrEnum):
    EQUAL = "equal"
    REGISTERED = "registered"
    WEIGHTED = "weighted"
    FIXED = "fixed"
    CUSTOM = "custom"
    POINTS = "points"


@dataclass(frozen=True, slots=True)
class Part:
    """What one member gets; `weight` of `whole` is its part of what is shared."""

    practice: str
    weight: Decimal
    whole: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Split:
    """A payment divided: `costs` taken off first, `shared` what is left for members, `retained` what of it stays with
    the payee. Parts, costs and what is retained add up to the payment."""

    payment: Decimal
    costs: Decimal
    shared: Decimal
    retained: Decimal
    parts: tuple[Part, ...]


def split(payment: Decimal, method: Method, weights: Mapping[str, Decimal], costs: Sequence[Decimal] = ()) -> Split:
    """Divide a payment of pounds by weights: 1 each, patients, pounds, per cent or points, as the method has it.

    Costs are taken off a payment, not added to money that is taken back; fixed sums share what is taken back in their
    proportion. Raises `OverDistributed` and `NothingToShareBy`.
    """
    taken = sum(costs, Decimal("0.00")) if payment > 0 else Decimal("0.00")
    shared = payment - taken
    if taken > payment > 0:
        raise OverDistributed(f"Costs of {taken} are more than the payment of {payment}.")
    total = sum(weights.values(), Decimal(0))
    if any(weight < 0 for weight in weights.values()) or total == 0:
        raise NothingToShareBy("No member has a weight above nothing.")
    whole = total
    if method is Method.CUSTOM:
        whole = HUNDRED
    elif method is Method.FIXED and shared >= 0:
        whole = shared
    if total > whole:
        raise OverDistributed(f"{total} would be given out of {whole}.")
    given = dict(weights)
    if whole > total:
        given[_PAYEE] = whole - total
    amounts = largest_remainders(shared, given)
    parts = tuple(Part(practice, weight, whole, amounts[practice]) for practice, weight in sorted(weights.items()))
    return Split(payment, taken, shared, amounts.get(_PAYEE, Decimal("0.00")), parts)


def largest_remainders(amount: Decimal, weights: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """An amount in pounds divided in proportion to weights, in whole pennies that add up to it."""
    pennies = int(amount * 100)
    total = sum((Fraction(weight) for weight in weights.values()), Fraction(0))
    exact = {name: pennies * Fraction(weight) / total for name, weight in weights.items()}
    floors = {name: share.numerator // share.denominator for name, share in exact.items()}
    left = pennies - sum(floors.values())
    by_loss = sorted(exact, key=lambda name: (floors[name] - exact[name], name))
    for name in by_loss[:left]:
        floors[name] += 1
    return {name: Decimal(value).scaleb(-2) for name, value in floors.items()}
