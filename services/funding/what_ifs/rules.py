"""A year as it is and as it would be, paid by the same engine, and where the two differ: no clock, no database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from itertools import groupby

from services.funding.money import EXACT, PARTS, plain, to_pence
from services.funding.payments.engine import Key, Portion, Rate, Year, portions, product, settled
from services.funding.payments.heads import Populations, Serving


@dataclass(frozen=True, slots=True)
class Move:
    """A practice is a member of `joins` and no longer of `leaves` from a month on."""

    practice: str
    leaves: str | None
    joins: str | None
    month: str
    share: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class NewRate:
    """A national rate has another value in these months."""

    stream: str
    value: Decimal
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class NewList:
    """A practice has another list of patients on a basis."""

    practice: str
    basis: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """One stream of one month that comes to something else; an amount is null where it would be held."""

    network: str
    practice: str | None
    stream: str
    month: str
    now: Decimal | None
    then: Decimal | None
    held_now: str | None
    held_then: str | None
    because: tuple[str, ...]

    @property
    def difference(self) -> Decimal | None:
        return None if self.now is None or self.then is None else self.then - self.now


@dataclass(frozen=True, slots=True)
class NewConsent:
    """Practices agree to a local variation from its first month on; `rates` are its rates by month."""

    variation: str
    practices: frozenset[str]
    rates: Mapping[str, tuple[Rate, ...]]


def changed(
    year: Year,
    moves: Sequence[Move],
    rates: Sequence[NewRate],
    lists: Sequence[NewList],
    consents: Sequence[NewConsent] = (),
) -> Year:
    """The year as it would be."""
    return replace(
        year,
        served=_agreed(_moved(year.served, moves), consents),
        rates=_rated(year.rates, rates),
        scoped={**year.scoped, **{one.variation: one.rates for one in consents}},
        populations=_listed(year.populations, lists),
    )


def _agreed(
    served: dict[str, dict[str, tuple[Serving, ...]]], consents: Sequence[NewConsent]
) -> dict[str, dict[str, tuple[Serving, ...]]]:
    for one in consents:
        for months in served.values():
            for month, whom in months.items():
                if month in one.rates:
                    months[month] = tuple(
                        who._replace(scope=one.variation) if (who.into or who.practice) in one.practices else who
                        for who in whom
                    )
    return served


def _moved(
    served: Mapping[str, Mapping[str, tuple[Serving, ...]]], moves: Sequence[Move]
) -> dict[str, dict[str, tuple[Serving, ...]]]:
    made = {network: dict(months) for network, months in served.items()}
    for move in moves:
        came, agreed = _came_over(made, move), _agreed_to(made, move.practice)
        for months in (made.get(move.leaves or "", {}), made.get(move.joins or "", {})):
            for month, whom in months.items():
                if month >= move.month:
                    months[month] = tuple(who for who in whom if move.practice not in (who.practice, who.into))
        for month, whom in made.get(move.joins or "", {}).items():
            if month >= move.month:
                days = whom[0].of if whom else 1
                scope = agreed.get(month, "")
                joined = Serving(move.practice, move.share, "member", days, days, days, scope)
                brought = [
                    Serving(code, move.share, "merged", days, days, days, scope, into=move.practice)
                    for code in came.get(month, ())
                ]
                everybody = sorted([*whom, joined, *brought], key=lambda who: (who.how != "member", who.practice))
                made[move.joins or ""][month] = tuple(everybody)
    return made


def _came_over(served: Mapping[str, Mapping[str, tuple[Serving, ...]]], move: Move) -> dict[str, list[str]]:
    """By month, whose patients the practice that moves brings beside its own."""
    found: dict[str, set[str]] = defaultdict(set)
    for months in served.values():
        for month, whom in months.items():
            found[month] |= {who.practice for who in whom if who.into == move.practice}
    return {month: sorted(codes) for month, codes in found.items()}


def _agreed_to(served: Mapping[str, Mapping[str, tuple[Serving, ...]]], practice: str) -> dict[str, str]:
    """By month, the local variation a practice agreed to; it takes its consent along."""
    return {
        month: who.scope
        for months in served.values()
        for month, whom in months.items()
        for who in whom
        if who.practice == practice and who.scope
    }


def _rated(rates: Mapping[str, tuple[Rate, ...]], new: Sequence[NewRate]) -> dict[str, tuple[Rate, ...]]:
    # one object per rate and value: the engine tells "nothing changed since last month" by identity
    made: dict[tuple[str, str, Decimal], Rate] = {}

    def of(rate: Rate, month: str) -> Rate:
        # a part of a relabelled rate is the same part of the new one
        part = rate.relabelled
        stream, share = (rate.stream, Decimal(1)) if part is None else (part.stream, part.share)
        for change in new:
            if change.stream == stream and change.first <= month <= change.last:
                key = (rate.tariff, rate.stream, change.value)
                if key not in made:
                    made[key] = replace(
                        rate, tariff=f"{rate.tariff} at {plain(change.value)}", value=change.value * share
                    )
                return made[key]
        return rate

    return {month: tuple(of(rate, month) for rate in found) for month, found in rates.items()}


def _listed(populations: Populations, new: Sequence[NewList]) -> Populations:
    figures = {basis: dict(by) for basis, by in populations.figures.items()}
    for change in new:
        figures.setdefault(change.basis, {})[change.practice] = change.value
    return replace(populations, figures=figures)


def compare(year: Year, other: Year) -> list[Change]:
    """Every stream and month of every network and practice that comes to something else."""
    found = []
    before, after = dict(portions(year)), dict(portions(other))
    for key in sorted({*before, *after}, key=lambda key: (key.network, key.practice or "", key.stream)):
        now, then = _months(before.get(key, [])), _months(after.get(key, []))
        for month in sorted({*now, *then}):
            was, is_ = now.get(month, _NOTHING), then.get(month, _NOTHING)
            if (was.amount, was.hold) != (is_.amount, is_.hold):
                because = tuple(_reasons(was.parts, is_.parts))
                found.append(Change(*key_of(key), month, was.amount, is_.amount, was.hold, is_.hold, because))
    return found


def key_of(key: Key) -> tuple[str, str | None, str]:
    return key.network, key.practice, key.stream


@dataclass(frozen=True, slots=True)
class _Month:
    amount: Decimal | None
    hold: str | None
    parts: tuple[Portion, ...]


_NOTHING = _Month(Decimal("0.00"), None, ())


def _months(parts: Sequence[Portion]) -> dict[str, _Month]:
    """Month by month what is due, to the penny of the year so far, or why it is held."""
    ahead, holds = settled(parts)
    made, total, paid = {}, Decimal(0), Decimal("0.00")
    by_month = {month: tuple(found) for month, found in groupby(parts, key=lambda part: part.month)}
    with localcontext(EXACT):
        for month, found in ahead.items():
            total += sum((product(part) for part in found), Decimal(0))
            due = to_pence(total, PARTS)
            made[month] = _Month(due - paid, None, tuple(found))
            paid = due
    for hold, months in holds.items():
        for month in months:
            made[month] = _Month(None, hold.detail, by_month.get(month, ()))
    return made


def _reasons(was: Sequence[Portion], is_: Sequence[Portion]) -> Iterator[str]:
    """What is different behind an amount: rates, who counts, and with how many heads."""
    rates = [{part.rate.value: part.rate for part in parts} for parts in (was, is_)]
    if was and is_ and rates[0].keys() != rates[1].keys():
        told = [" and ".join("unknown" if value is None else f"£{plain(value)}" for value in each) for each in rates]
        yield f"the rate is {told[1]} and not {told[0]}"
    heads = [
        {who.practice: who.share * who.value for part in parts for who in part.heads.counted} for parts in (was, is_)
    ]
    basis = next((part.rate.basis for part in (*is_, *was)), "")
    for practice in sorted(heads[0].keys() | heads[1].keys()):
        before, after = heads[0].get(practice), heads[1].get(practice)
        if before is None and after is not None:
            yield f"{practice} counts with {plain(after)} {basis} patients"
        elif after is None and before is not None:
            yield f"{practice} no longer counts with {plain(before)} {basis} patients"
        elif before is not None and after is not None and before != after:
            yield f"{practice} counts with {plain(after)} {basis} patients and not {plain(before)}"
