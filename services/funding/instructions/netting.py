"""From a run's lines to one amount for each payee: a rule of money over plain values.

What a payee is owed less than nothing is never sent: it is carried forward and taken off what the same payee is owed
next. Money that came back is owed again and joins what the next run sends its payee, or another whom it was redirected
to. Amounts keep the networks they stand for beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

NOTHING = Decimal("0.00")


class Open(NamedTuple):
    """An earlier instruction whose amount is still to be settled: carried forward (negative) or returned (positive);
    or a redirection, whose amount is another payee's now."""

    instruction: str
    payee: str
    parts: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Netted:
    """What one payee comes to: `of_run` from the run's lines, `brought_forward` from earlier instructions (`taken`)."""

    payee: str
    of_run: Decimal
    brought_forward: Decimal
    parts: Mapping[str, Decimal]
    taken: tuple[str, ...]

    @property
    def amount(self) -> Decimal:
        return self.of_run + self.brought_forward


def net(lines: Iterable[tuple[str, str, Decimal]], earlier: Iterable[Open]) -> list[Netted]:
    """One amount for each payee with lines (payee, network, amount) or with money owed to it again, by payee.

    A payee that only owes and has no line stays as it is.
    """
    parts: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: NOTHING))
    of_run: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    for payee, network, amount in lines:
        parts[payee][network] += amount
        of_run[payee] += amount
    waiting: dict[str, list[Open]] = defaultdict(list)
    for one in earlier:
        waiting[one.payee].append(one)
    netted = []
    for payee in sorted(of_run.keys() | waiting.keys()):
        taken = waiting.get(payee, [])
        brought = sum((amount for one in taken for amount in one.parts.values()), NOTHING)
        if payee not in of_run and brought <= 0:
            continue
        for one in taken:
            for network, amount in one.parts.items():
                parts[payee][network] += amount
        ids = tuple(sorted(one.instruction for one in taken))
        netted.append(Netted(payee, of_run.get(payee, NOTHING), brought, dict(sorted(parts[payee].items())), ids))
    return netted
