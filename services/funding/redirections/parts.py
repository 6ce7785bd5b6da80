"""What of an instruction may go to another payee, part by part: a rule of money over plain values.

A part is a network's own money or that of one practice in it. An instruction's amount is a net one: what a payee was
paid too much before was taken off what it was due. So no more goes over than the net amount, and of each stream and
month no more than the payee still stands for; what was set against its older debts stays with the oldest months.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

NOTHING = Decimal("0.00")


class Whose(NamedTuple):
    """A network's own money, or one practice's in it."""

    network: str
    practice: str | None


class For(NamedTuple):
    """What an amount was paid for; `reference` names the claim or other amount, if it is one."""

    contract_year: str
    month: str
    stream: str
    reference: str | None


@dataclass
class Part:
    """What an instruction holds of one part, for which months, and how much of it may go to another payee."""

    whose: Whose
    held: dict[For, Decimal] = field(default_factory=lambda: defaultdict(lambda: NOTHING))
    left: Decimal = NOTHING

    @property
    def amount(self) -> Decimal:
        return sum(self.held.values(), NOTHING)


Had = Mapping[tuple[Whose, str, str], Decimal]
"""By part, stream and month: what a payee was paid and has not given back."""


def parts(held: Iterable[tuple[Whose, For, Decimal]], had: Had, left: Decimal) -> list[Part]:
    """The parts of an instruction of which `left` was not sent otherwise, by network and practice."""
    found: dict[Whose, Part] = {}
    for whose, paid_for, amount in held:
        found.setdefault(whose, Part(whose)).held[paid_for] += amount
    for part in found.values():
        most = sum((amount for _, amount in _most(part, had)), NOTHING)
        part.left = max(min(part.amount, most, left), NOTHING)
    return [found[whose] for whose in sorted(found, key=lambda whose: (whose.network, whose.practice or ""))]


def _most(part: Part, had: Had) -> Sequence[tuple[For, Decimal]]:
    """The most of each stream and month, the newest month first."""
    stands = {(paid_for.stream, paid_for.month): NOTHING for paid_for in part.held}
    for stream, month in stands:
        stands[stream, month] = max(had.get((part.whose, stream, month), NOTHING), NOTHING)
    found = []
    order = sorted(part.held, key=lambda one: (one.month, one.stream, one.contract_year, one.reference or ""))
    for paid_for in reversed(order):
        key = (paid_for.stream, paid_for.month)
        amount = min(part.held[paid_for], stands[key])
        if amount > 0:
            stands[key] -= amount
            found.append((paid_for, amount))
    return found


def divided(part: Part, had: Had, amount: Decimal) -> list[tuple[For, Decimal]]:
    """What `amount`, no more than is left of the part, was paid for; the sum of it is the amount."""
    found = []
    for paid_for, most in _most(part, had):
        taken = min(most, amount)
        if taken > 0:
            found.append((paid_for, taken))
            amount -= taken
    return found
