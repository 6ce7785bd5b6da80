"""What is due for a year so far, and how it differs from what was paid: rules of money over plain values.

For each payee, stream and month: due, as known now, minus paid. Months are added up in the order in which they were
first paid, new ones last; the amount of a month is the sum with it, to the penny, minus the sum without it, so that
pence reconcile over the year and a month supplied late moves no other. A month that cannot be computed is held with its
reason and leaves what was paid for it alone.

Part of a month counts by days where the rule of the month says so, and practices that agreed to a local variation are
counted apart, at its rates; a month then has several portions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import cache
from typing import Any, NamedTuple

from services.funding.money import EXACT, PARTS, to_pence
from services.funding.payments.heads import Beds, Headcount, Hold, Populations, Serving

NEVER_BY_HEAD = frozenset({"caip_max", "gp_reimbursement_max"})
"""Streams whose rate is the most that may be earned or claimed; capitation never pays them."""


class Key(NamedTuple):
    """Whose money: the network's, or one practice's in it."""

    network: str
    practice: str | None
    stream: str


class Relabelled(NamedTuple):
    """A rate is `share` of the rate `value` of `stream`, by these relabellings."""

    by: tuple[str, ...]
    stream: str
    share: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in force in a month. `months` is the length of the window it was published for; `scope` is the local
    variation it belongs to, empty for the whole country; `relabelled` says what it is a part of."""

    tariff: str
    stream: str
    payee: str
    basis: str
    value: Decimal | None
    rate_period: str
    months: int
    confidence: str
    sources: tuple[str, ...] = ()
    scope: str = ""
    relabelled: Relabelled | None = None

    @property
    def slot(self) -> tuple[str, str]:
        """What a local rate stands in for: the stream, and the one it was before it was relabelled."""
        return self.stream, self.stream if self.relabelled is None else self.relabelled.stream

    @property
    def parts(self) -> int:
        """One month is this part of what the rate is for: a twelfth, a part of the window, or the whole."""
        return {"year": 12, "window": self.months, "month": 1}[self.rate_period]


@dataclass(frozen=True)
class Year:
    """Everything the money of a contract year depends on, as known at one moment.

    `served` gives for each network and month whom it serves; `rates` the national rates in force in a month, `scoped`
    those of local variations; `beds` the care-home beds by network and month; `paid` what issued runs paid by key and
    month, the month first paid first. `withdrawn` names the withdrawals of rights that touch a month of a network, or
    of one practice in it; `rules` how membership counts where it is not by the first of the month; `waiting` why
    months of a network wait though they can be computed; `relabelled` by month which streams count as others, as
    `rates` and `scoped` have it.
    """

    contract_year: str
    months: tuple[str, ...]
    rates: Mapping[str, tuple[Rate, ...]]
    populations: Populations
    commissioners: Mapping[str, str]
    served: Mapping[str, Mapping[str, tuple[Serving, ...]]]
    beds: Mapping[tuple[str, str], Beds] = field(default_factory=dict)
    paid: Mapping[Key, Mapping[str, Decimal]] = field(default_factory=dict)
    scoped: Mapping[str, Mapping[str, tuple[Rate, ...]]] = field(default_factory=dict)
    withdrawn: Mapping[tuple[str, str | None], Mapping[str, tuple[Mapping[str, Any], ...]]] = field(
        default_factory=dict
    )
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    waiting: Mapping[str, Mapping[str, Hold]] = field(default_factory=dict)
    relabelled: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)


class Portion(NamedTuple):
    """One month's part of what a key is due, or the part of it at one rate; `waits` holds it whatever it comes to."""

    month: str
    rate: Rate
    heads: Headcount
    waits: Hold | None = None

    @property
    def hold(self) -> Hold | None:
        if self.waits is not None:
            return self.waits
        if self.rate.value is None:
            return Hold("rate-unknown", f"The rate {self.rate.tariff} is not known.")
        return self.heads.hold


@dataclass(frozen=True, slots=True)
class Due:
    """A month whose payment is to change: `portions` are those of it and of the months before it in the order of
    payment, `cumulative` their sum, `before` the sum without it, `paid` what was paid for it (`None`: nothing yet),
    `amount` the difference."""

    key: Key
    month: str
    portions: tuple[Portion, ...]
    cumulative: Decimal
    before: Decimal
    paid: Decimal | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Held:
    """Months of a key that cannot be computed, and why."""

    key: Key
    months: tuple[str, ...]
    hold: Hold


def portions(year: Year, *, maxima: bool = False) -> Iterator[tuple[Key, list[Portion]]]:
    """What every key is made of, month by month, in the order of networks; with `maxima` what may be earned or claimed
    at most, which is never paid by head."""
    with localcontext(EXACT):
        rates = _rates_by_month(year)
        for network, served in year.served.items():
            yield from _of_network(year, network, served, rates, maxima).items()


def _rates_by_month(year: Year) -> dict[str, tuple[Rate, ...]]:
    """The national rates of each month, one and the same value while they stay: to be compared at a glance."""
    found: dict[str, tuple[Rate, ...]] = {}
    last: tuple[Rate, ...] = ()
    for month in year.months:
        rates = year.rates.get(month, ())
        found[month] = last = last if rates == last else rates
    return found


def _of_network(
    year: Year,
    network: str,
    served: Mapping[str, tuple[Serving, ...]],
    national: Mapping[str, tuple[Rate, ...]],
    maxima: bool,
) -> dict[Key, list[Portion]]:
    made: dict[Key, list[Portion]] = {}
    waiting = year.waiting.get(network, {})
    commissioner = year.commissioners.get(network, "")
    counts: dict[tuple[str, tuple[Serving, ...]], Headcount] = {}
    recipe: list[tuple[list[Portion], Rate, Headcount | None]] = []
    before: tuple[tuple[Serving, ...], tuple[Rate, ...]] | None = None
    supplied: dict[tuple[Beds | None, int, int], Headcount] = {}

    def beds(month: str, whom: tuple[Serving, ...]) -> Headcount:
        over = max(who.of for who in whom)
        days = max(who.days * over // who.of for who in whom if who.how == "member")
        wanted = (year.beds.get((network, month)), *((1, 1) if days == over else (days, over)))
        if wanted not in supplied:
            supplied[wanted] = _beds(*wanted)
        return supplied[wanted]

    def count(basis: str, whom: tuple[Serving, ...]) -> Headcount:
        heads = counts.get((basis, whom))
        if heads is None:
            heads = counts[basis, whom] = year.populations.count(basis, whom, commissioner)
        return heads

    for month in year.months:
        whom, rates = served.get(month, ()), national[month]
        scopes = {who.scope for who in whom if who.scope}
        if scopes or (whom, rates) != before:
            before, recipe = (whom, rates), []
            for rate, apart in _rates_of(year, month, whom, scopes) if any(who.how == "member" for who in whom) else ():
                if (rate.stream in NEVER_BY_HEAD) is not maxima:
                    continue
                if rate.payee == "network":
                    heads = None if rate.basis == "beds" else count(rate.basis, apart)
                    recipe.append((made.setdefault(Key(network, None, rate.stream), []), rate, heads))
                    continue
                for practice, own in _apart_by_practice(apart):
                    parts = made.setdefault(Key(network, practice, rate.stream), [])
                    recipe.append((parts, rate, count(rate.basis, own)))
        waits = waiting.get(month)
        for parts, rate, heads in recipe:
            parts.append(Portion(month, rate, beds(month, whom) if heads is None else heads, waits))
    return made


def _apart_by_practice(whom: tuple[Serving, ...]) -> Iterator[tuple[str, tuple[Serving, ...]]]:
    """Each member that may be paid itself, with those that went over into it, for the days it may be paid for."""
    merged: dict[str, list[Serving]] = {}
    for who in whom:
        if who.into:
            merged.setdefault(who.into, []).append(who)
    for who in whom:
        if who.how == "member" and who.own:
            own = (who, *merged[who.practice]) if who.practice in merged else (who,)
            yield who.practice, tuple([one if one.own == one.days else one._replace(days=one.own) for one in own])


def _rates_of(
    year: Year, month: str, whom: tuple[Serving, ...], scopes: set[str]
) -> Iterator[tuple[Rate, tuple[Serving, ...]]]:
    """Every rate of a month with those it is for: all served, or the ones of a local variation and the others apart.

    Beds belong to no practice: a variation's rate counts for them once every member agreed to it.
    """
    rates = year.rates.get(month, ())
    if not scopes:
        for rate in rates:
            yield rate, whom
        return
    local = {scope: {rate.slot: rate for rate in year.scoped.get(scope, {}).get(month, ())} for scope in scopes}
    national = {rate.slot: rate for rate in rates}
    agreed = {who.scope for who in whom if who.how == "member"}
    for slot in dict.fromkeys([*national, *(name for scope in sorted(scopes) for name in local[scope])]):
        apart: dict[str, list[Serving]] = {}
        of = {scope: local[scope][slot] for scope in scopes if slot in local[scope]}
        if any(rate.basis == "beds" for rate in (*of.values(), *filter(None, [national.get(slot)]))):
            every = next(iter(agreed)) if len(agreed) == 1 else ""
            chosen = of.get(every) or national.get(slot)
            if chosen is not None:
                yield chosen, whom
            continue
        for who in whom:
            apart.setdefault(who.scope if who.scope in of else "", []).append(who)
        for scope, some in apart.items():
            rate_of = of.get(scope) or national.get(slot)
            if rate_of is not None:
                yield rate_of, tuple(some)


def _beds(found: Beds | None, days: int, over: int) -> Headcount:
    if found is None:
        missing = Hold("beds-missing", "No number of care-home beds was supplied.")
        return Headcount("beds", None, Decimal(0), (), missing)
    return Headcount("beds", None, found.beds * days, (), None, over, found.supplied_for)


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


def settled(parts: Sequence[Portion]) -> tuple[dict[str, tuple[Portion, ...]], dict[Hold, tuple[str, ...]]]:
    """What of a key can be computed, by month, and the months that wait, by reason: a month waits whole."""
    ahead: dict[str, tuple[Portion, ...]] = {}
    holds: dict[Hold, dict[str, None]] = {}
    for part in parts:
        if part.rate.value is None or part.heads.hold is not None or part.waits is not None:
            hold = part.hold
            if hold is not None:
                holds.setdefault(hold, {})[part.month] = None
        elif part.month in ahead:
            ahead[part.month] = (*ahead[part.month], part)
        else:
            ahead[part.month] = (part,)
    for months in holds.values():
        for month in months:
            ahead.pop(month, None)
    return ahead, {hold: tuple(months) for hold, months in holds.items()}


def _compare(key: Key, parts: Sequence[Portion], year: Year, dues: list[Due], helds: list[Held]) -> None:
    paid = year.paid.get(key, {})
    ahead, holds = settled(parts)
    held_months = {month for months in holds.values() for month in months} if holds else ()
    helds += [Held(key, months, hold) for hold, months in holds.items()]

    wanted = [month for month in paid if month not in held_months and month in year.months]
    wanted += [month for month in ahead if month not in paid]
    counted: list[Portion] = []
    total, cumulative = Decimal(0), Decimal("0.00")
    last: tuple[Portion, ...] = ()
    step = Decimal(0)
    for month in wanted:
        before = cumulative
        new = ahead.get(month)
        if new is not None:
            if not _alike(new, last):
                step = product(new[0]) if len(new) == 1 else sum((product(part) for part in new), Decimal(0))
                last = new
            total += step
            counted += new
            cumulative = to_pence(total, PARTS)
        already = paid.get(month)
        amount = cumulative - before if already is None else cumulative - before - already
        if already is None or amount:
            dues.append(Due(key, month, tuple(counted), cumulative, before, already, amount))


def _alike(new: tuple[Portion, ...], last: tuple[Portion, ...]) -> bool:
    """Whether a month is made of the very rates and head counts of the one before it."""
    if len(new) == 1 == len(last):
        return new[0].rate is last[0].rate and new[0].heads is last[0].heads
    return len(new) == len(last) and all(
        one.rate is two.rate and one.heads is two.heads for one, two in zip(new, last, strict=True)
    )


def product(part: Portion) -> Decimal:
    """Rate × population × the month's share of the rate, in parts of which `PARTS` make a whole."""
    if part.rate.value is None:
        raise ValueError(f"{part.rate.tariff} has no value")
    return part.rate.value * part.heads.total * _share(part.rate.parts * part.heads.over)


@cache
def _share(of: int) -> Decimal:
    return EXACT.divide(PARTS, Decimal(of))
