"""What is due for a year so far, and how it differs from what was paid: rules of money over plain values.

For each payee, stream and month: due, as known now, minus paid. Months are added up in the order in which they were
first paid, new ones last; the amount of a month is the sum with it, to the penny, minus the sum without it, so that
pence reconcile over the year and a month supplied late moves no other. A month that cannot be computed is held with its
reason and leaves what was paid for it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from typing import NamedTuple

from services.funding.money import EXACT, PARTS, to_pence

NEVER_BY_HEAD = frozenset({"caip_max", "gp_reimbursement_max"})
"""Streams whose rate is the most that may be earned or claimed; capitation never pays them."""


class Key(NamedTuple):
    """Whose money: the network's, or one practice's in it."""

    network: str
    practice: str | None
    stream: str


class Hold(NamedTuple):
    """Why something cannot be computed: `code` is stable, `detail` names what is missing."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in force in a month. `months` is the length of the window it was published for."""

    tariff: str
    stream: str
    payee: str
    basis: str
    value: Decimal | None
    rate_period: str
    months: int
    confidence: str
    sources: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        """One month is this part of what the rate is for: a twelfth, a part of the window, or the whole."""
        return {"year": 12, "window": self.months, "month": 1}[self.rate_period]


class Serving(NamedTuple):
    """A practice whose patients a network serves in a month: as its `member`, or `allocated` to it."""

    practice: str
    share: Decimal
    how: str


class Counted(NamedTuple):
    """One practice's part in a head count; `how` is `member`, `allocated` or, where it had no patients, `no-list`."""

    practice: str
    share: Decimal
    value: Decimal
    how: str


@dataclass(frozen=True, slots=True, eq=False)
class Headcount:
    """The population of a network or practice on a basis, with everybody counted; `hold` if it cannot be told."""

    basis: str
    snapshot: date | None
    total: Decimal
    counted: tuple[Counted, ...]
    hold: Hold | None = None


@dataclass(frozen=True)
class Populations:
    """The frozen populations of a year: figures by basis and practice, and whose registered lists were published."""

    snapshot: date
    figures: Mapping[str, Mapping[str, Decimal]]
    published: frozenset[str]
    commissioners: Mapping[str, str]

    def count(self, basis: str, served: Sequence[Serving], commissioner: str) -> Headcount:
        """Sum share × figure over those served.

        A practice without a figure on the basis counts as nobody only if it had no registered patients on the snapshot
        day: its registered list is zero, or lists were published for its commissioner and it is not among them.
        Otherwise the count is held, naming it.
        """
        figures, registered = self.figures.get(basis, {}), self.figures.get("registered", {})
        counted, missing, total = [], [], Decimal(0)
        for practice, share, how in served:
            value = figures.get(practice)
            if value is not None:
                counted.append(Counted(practice, share, value, how))
                total += share * value
            elif self._without_patients(practice, registered, commissioner):
                counted.append(Counted(practice, share, Decimal(0), "no-list"))
            else:
                missing.append(practice)
        hold = None
        if missing:
            names = ", ".join(missing)
            hold = Hold("population-missing", f"No {basis} population at {self.snapshot} of {names}.")
        return Headcount(basis, self.snapshot, total, tuple(counted), hold)

    def _without_patients(self, practice: str, registered: Mapping[str, Decimal], commissioner: str) -> bool:
        if practice in registered:
            return registered[practice] == 0
        return bool(self.published & {self.commissioners.get(practice, ""), commissioner})


@dataclass(frozen=True)
class Year:
    """Everything the money of a contract year depends on, as known at one moment.

    `served` gives for each network and month whom it serves; `rates` the rates in force in a month; `beds` the number
    of care-home beds by network and month; `paid` what issued runs paid by key and month, the month first paid first.
    """

    contract_year: str
    months: tuple[str, ...]
    rates: Mapping[str, tuple[Rate, ...]]
    populations: Populations
    commissioners: Mapping[str, str]
    served: Mapping[str, Mapping[str, tuple[Serving, ...]]]
    beds: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    paid: Mapping[Key, Mapping[str, Decimal]] = field(default_factory=dict)


class Portion(NamedTuple):
    """One month's part of what a key is due."""

    month: str
    rate: Rate
    heads: Headcount

    @property
    def hold(self) -> Hold | None:
        if self.rate.value is None:
            return Hold("rate-unknown", f"The rate {self.rate.tariff} is not known.")
        return self.heads.hold


@dataclass(frozen=True, slots=True)
class Due:
    """A month whose payment is to change: `portions` are those of it and of the months before it in the order of
    payment, `cumulative` their sum, `before` the sum without it, `paid` what was paid for it (`None`: nothing yet)."""

    key: Key
    month: str
    portions: tuple[Portion, ...]
    cumulative: Decimal
    before: Decimal
    paid: Decimal | None

    @property
    def amount(self) -> Decimal:
        return self.cumulative - self.before - (self.paid or Decimal(0))


@dataclass(frozen=True, slots=True)
class Held:
    """Months of a key that cannot be computed, and why."""

    key: Key
    months: tuple[str, ...]
    hold: Hold


def portions(year: Year) -> Iterator[tuple[Key, list[Portion]]]:
    """What every key is made of, month by month, in the order of networks."""
    with localcontext(EXACT):
        for network, served in year.served.items():
            yield from _of_network(year, network, served).items()


def _of_network(year: Year, network: str, served: Mapping[str, tuple[Serving, ...]]) -> dict[Key, list[Portion]]:
    made: dict[Key, list[Portion]] = {}
    commissioner = year.commissioners.get(network, "")
    counts: dict[tuple[str, tuple[Serving, ...]], Headcount] = {}
    recipe: list[tuple[list[Portion], Rate, Headcount | None]] = []
    before: tuple[tuple[Serving, ...], tuple[Rate, ...]] | None = None

    def count(basis: str, whom: tuple[Serving, ...]) -> Headcount:
        heads = counts.get((basis, whom))
        if heads is None:
            heads = counts[basis, whom] = year.populations.count(basis, whom, commissioner)
        return heads

    for month in year.months:
        whom, rates = served.get(month, ()), year.rates.get(month, ())
        if (whom, rates) != before:
            before, recipe = (whom, rates), []
            members = [practice for practice in whom if practice.how == "member"]
            for rate in rates if members else ():
                if rate.stream in NEVER_BY_HEAD:
                    continue
                if rate.payee == "network":
                    heads = None if rate.basis == "beds" else count(rate.basis, whom)
                    recipe.append((made.setdefault(Key(network, None, rate.stream), []), rate, heads))
                    continue
                for member in members:
                    parts = made.setdefault(Key(network, member.practice, rate.stream), [])
                    recipe.append((parts, rate, count(rate.basis, (member,))))
        for parts, rate, heads in recipe:
            parts.append(Portion(month, rate, _beds(year, network, month) if heads is None else heads))
    return made


def _beds(year: Year, network: str, month: str) -> Headcount:
    beds = year.beds.get((network, month))
    hold = Hold("beds-missing", "No number of care-home beds was supplied.") if beds is None else None
    return Headcount("beds", None, beds or Decimal(0), (), hold)


def differences(year: Year) -> tuple[list[Due], list[Held]]:
    """Due minus paid for every key and month of the year so far, and what is held.

    The first payment of a month is given even when it is 0.00; after that only a difference is.
    """
    dues: list[Due] = []
    helds: list[Held] = []
    seen: set[Key] = set()
    with localcontext(EXACT):
        for key, parts in portions(year):
            seen.add(key)
            _compare(key, parts, year, dues, helds)
        for key in year.paid:
            if key not in seen:
                _compare(key, [], year, dues, helds)
    return dues, helds


def _compare(key: Key, parts: Sequence[Portion], year: Year, dues: list[Due], helds: list[Held]) -> None:
    paid = year.paid.get(key, {})
    holds: dict[Hold, list[str]] = {}
    payable: list[Portion] = []
    held_months: set[str] = set()
    for part in parts:
        hold = part.hold
        if hold is None:
            payable.append(part)
        else:
            holds.setdefault(hold, []).append(part.month)
            held_months.add(part.month)
    helds.extend(Held(key, tuple(months), hold) for hold, months in holds.items())

    ahead = {part.month: part for part in payable}
    wanted = [month for month in paid if month not in held_months and month <= year.months[-1]]
    wanted += [month for month in ahead if month not in paid]
    counted: list[Portion] = []
    total, cumulative = Decimal(0), Decimal("0.00")
    last: Portion | None = None
    step = Decimal(0)
    for month in wanted:
        before = cumulative
        new = ahead.get(month)
        if new is not None:
            if last is None or new.rate is not last.rate or new.heads is not last.heads:
                step = product(new)
                last = new
            total += step
            counted.append(new)
            cumulative = to_pence(total, PARTS)
        already = paid.get(month)
        if already is None or cumulative - before != already:
            dues.append(Due(key, month, tuple(counted), cumulative, before, already))


def product(part: Portion) -> Decimal:
    """Rate × population × the month's share of the rate, in parts of which `PARTS` make a whole."""
    if part.rate.value is None:
        raise ValueError(f"{part.rate.tariff} has no value")
    return part.rate.value * part.heads.total * (PARTS / part.rate.parts)
