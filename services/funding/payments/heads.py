"""Whom a network serves, and how many heads or beds that makes: plain values the rules of money count with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.funding.money import EXACT


class Hold(NamedTuple):
    """Why something cannot be computed: `code` is stable, `detail` names what is missing."""

    code: str
    detail: str


class Serving(NamedTuple):
    """A practice whose patients a network serves in a month: as its `member`, `allocated` to it, or `merged` where the
    practice went over `into` another that it serves.

    They count for `days` of the `of` days of the month (1 of 1 is the whole of it). `own` is how many of these days the
    practice itself may be paid for: fewer once its right was withdrawn. `scope` is the local variation it agreed to.
    """

    practice: str
    share: Decimal
    how: str
    days: int = 1
    of: int = 1
    own: int = 1
    scope: str = ""
    into: str = ""


class Counted(NamedTuple):
    """One practice's part in a head count; `how` is `member`, `allocated`, `merged` or, without patients, `no-list`.

    `days` of the count's `over` days.
    """

    practice: str
    share: Decimal
    value: Decimal
    how: str
    days: int = 1


class Beds(NamedTuple):
    """The care-home beds of a network that count in a month, and the month they were supplied for."""

    beds: Decimal
    supplied_for: str


@dataclass(frozen=True, slots=True, eq=False)
class Headcount:
    """The population of a network or practice on a basis, with everybody counted; `hold` if it cannot be told.

    `total` is `over` times the population: where practices count by days it adds up their days. `supplied_for` is the
    month a number of beds was supplied for.
    """

    basis: str
    snapshot: date | None
    total: Decimal
    counted: tuple[Counted, ...]
    hold: Hold | None = None
    over: int = 1
    supplied_for: str | None = None

    @property
    def population(self) -> Decimal:
        """For reading; four decimals where practices count by days."""
        if self.over == 1:
            return self.total
        return EXACT.divide(self.total, Decimal(self.over)).quantize(Decimal("0.0001"), context=EXACT)


@dataclass(frozen=True)
class Populations:
    """The frozen populations of a year: figures by basis and practice, and whose registered lists were published."""

    snapshot: date
    figures: Mapping[str, Mapping[str, Decimal]]
    published: frozenset[str]
    commissioners: Mapping[str, str]

    def count(self, basis: str, served: Sequence[Serving], commissioner: str) -> Headcount:
        """Sum share × figure × days over those served.

        A practice without a figure on the basis counts as nobody only if it had no registered patients on the snapshot
        day: its registered list is zero, or lists were published for its commissioner and it is not among them.
        Otherwise the count is held, naming it.
        """
        figures, registered = self.figures.get(basis, {}), self.figures.get("registered", {})
        counted, missing, total = [], [], Decimal(0)
        over = 1
        for who in served:
            if who.of != 1:
                over = who.of
        for practice, share, how, part, of, _own, _scope, _into in served:
            value = figures.get(practice)
            days = part if of == over else part * over // of
            if value is not None:
                counted.append(Counted(practice, share, value, how, days))
                total += share * value if over == 1 else share * value * days
            elif self._without_patients(practice, registered, commissioner):
                counted.append(Counted(practice, share, Decimal(0), "no-list", days))
            else:
                missing.append(practice)
        hold = None
        if missing:
            names = ", ".join(missing)
            hold = Hold("population-missing", f"No {basis} population at {self.snapshot} of {names}.")
        return Headcount(basis, self.snapshot, total, tuple(counted), hold, over)

    def _without_patients(self, practice: str, registered: Mapping[str, Decimal], commissioner: str) -> bool:
        if practice in registered:
            return registered[practice] == 0
        return bool(self.published & {self.commissioners.get(practice, ""), commissioner})
