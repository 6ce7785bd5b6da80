"""Whom a network serves in each month, by the month's rule of membership: rules over plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from services.funding.membership_rules.model import MembershipRule, RuleKind
from services.funding.payments.heads import Serving
from shared.years import first_day, last_day

Days = tuple[date, date]
"""From a day to before another."""


class Span(NamedTuple):
    """A practice's patients are served from `begin` to before `end`; `into` names the practice it went over into."""

    practice: str
    share: Decimal
    how: str
    begin: date
    end: date
    into: str = ""


@dataclass(slots=True)
class Ground:
    """What decides whom a network serves: its own days, who belongs to it when, and which rights were withdrawn.

    `without` holds the days on which the network, or one practice in it, had no right to be paid; `scopes` by practice
    the local variation it agreed to and from which month on.
    """

    opened: date
    closed: date
    spans: list[Span]
    without: dict[str | None, list[Days]] = field(default_factory=dict)
    scopes: dict[str, list[tuple[Days, str]]] = field(default_factory=dict)

    def scope_of(self, practice: str, day: date) -> str:
        """The local variation a practice has agreed to on a day; nothing where national rates hold."""
        return scope_on(self.scopes, practice, day)


def scope_on(scopes: Mapping[str, Iterable[tuple[Days, str]]], practice: str, day: date) -> str:
    """The local variation a practice has agreed to on a day; nothing where national rates hold."""
    return next((scope for (begin, end), scope in scopes.get(practice, ()) if begin <= day < end), "")


def _within(day: date, spans: Iterable[Days]) -> bool:
    return any(begin <= day < end for begin, end in spans)


def _length(days: Days, without: Iterable[Days]) -> int:
    """The days of a span that do not lie in any of the others."""
    taken = {begin + timedelta(n) for begin, end in without for n in range((end - begin).days)}
    return sum(1 for n in range((days[1] - days[0]).days) if days[0] + timedelta(n) not in taken)


def _cut(days: Days, *windows: Days) -> Days:
    return max(days[0], *(begin for begin, _ in windows)), min(days[1], *(end for _, end in windows))


def right_in(month: str, rule: MembershipRule | None, without: Sequence[Days]) -> Fraction:
    """The part of a month in which a network had the right to be paid, by the month's rule: `without` are the days
    without it."""
    if rule is None or rule.kind is RuleKind.FIRST_DAY:
        return Fraction(not _within(first_day(month) if rule is None else rule.day_of(month), without))
    window = (first_day(month), last_day(month) + timedelta(1))
    left = _length(window, [_cut(days, window) for days in without])
    return Fraction(left > 0) if rule.kind is RuleKind.ANY_DAY else Fraction(left, (window[1] - window[0]).days)


def served_by_month(
    grounds: Mapping[str, Ground], months: Sequence[str], rules: Mapping[str, MembershipRule]
) -> dict[str, dict[str, tuple[Serving, ...]]]:
    """By network and month: whom it serves, in the order of its spans; months in which it has no right are left out."""
    served: dict[str, dict[str, tuple[Serving, ...]]] = {}
    first_served = {
        month: _first_days(grounds.values(), month)
        for month in months
        if month in rules and rules[month].kind is RuleKind.ANY_DAY
    }
    deciding = [(month, rules.get(month)) for month in months]
    days_of = {month: first_day(month) if rule is None else rule.day_of(month) for month, rule in deciding}
    for code, ground in grounds.items():
        by_month: dict[str, tuple[Serving, ...]] = {}
        plainly = _Plainly(ground) if not ground.without and not ground.scopes else None
        for month, rule in deciding:
            if rule is None or rule.kind is RuleKind.FIRST_DAY:
                whom = served_on(ground, days_of[month]) if plainly is None else plainly.on(days_of[month])
            else:
                whom = _during(ground, month, rule.kind, first_served.get(month, {}))
            if whom is not None:
                by_month[month] = whom
        if by_month:
            served[code] = by_month
    return served


class _Plainly:
    """Whom a network serves on a day, where no right was withdrawn and nobody agreed to a variation.

    Days between which nobody comes or goes are given the very same answer, so that it need not be looked at twice.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._since = self._until = date.max
        self._whom: tuple[Serving, ...] = ()

    def on(self, day: date) -> tuple[Serving, ...] | None:
        ground = self._ground
        if not ground.opened <= day < ground.closed:
            return None
        if not self._since <= day < self._until:
            self._since, self._until = date.min, date.max
            whom = []
            for who, share, how, begin, end, into in ground.spans:
                if begin <= day < end:
                    whom.append(Serving(who, share, how, 1, 1, 1, "", into))
                for change in (begin, end):
                    if change <= day:
                        self._since = max(self._since, change)
                    else:
                        self._until = min(self._until, change)
            self._whom = tuple(whom)
        return self._whom


def served_on(ground: Ground, day: date) -> tuple[Serving, ...] | None:
    """Whole months: whom the network serves on the day that decides."""
    if not ground.opened <= day < ground.closed:
        return None
    if _within(day, ground.without.get(None, ())):
        return None
    return tuple(
        [
            Serving(
                who,
                share,
                how,
                own=0 if _within(day, ground.without.get(into or who, ())) else 1,
                scope=ground.scope_of(into or who, day),
                into=into,
            )
            for who, share, how, begin, end, into in ground.spans
            if begin <= day < end
        ]
    )


def _during(ground: Ground, month: str, kind: RuleKind, first_served: Mapping[str, date]) -> tuple[Serving, ...] | None:
    """Whom the network serves in a month that does not count by one day, each for its days or, `any-day`, whole."""
    window = (first_day(month), last_day(month) + timedelta(1))
    length = (window[1] - window[0]).days
    found = []
    for who, share, how, begin, end, into in ground.spans:
        part = _cut((begin, end), window, (ground.opened, ground.closed))
        withdrawn = [_cut(days, part) for days in ground.without.get(None, ())]
        days = _length(part, withdrawn)
        if days == 0:
            continue
        own = _length(part, [*withdrawn, *(_cut(d, part) for d in ground.without.get(into or who, ()))])
        if kind is RuleKind.ANY_DAY:
            if first_served.get(who) != part[0]:
                continue
            days, own, of = 1, min(own, 1), 1
        elif days == length:
            days, own, of = (1, 1, 1) if own == length else (length, own, length)
        else:
            of = length
        found.append(Serving(who, share, how, days, of, own, ground.scope_of(into or who, part[0]), into))
    return tuple(found) if found else None


def _first_days(grounds: Iterable[Ground], month: str) -> dict[str, date]:
    """The first day in a month on which anybody served each practice: where it counts, if any day counts."""
    window = (first_day(month), last_day(month) + timedelta(1))
    found: dict[str, date] = {}
    for ground in grounds:
        for span in ground.spans:
            begin, end = _cut((span.begin, span.end), window, (ground.opened, ground.closed))
            if begin < end:
                found[span.practice] = min(begin, found.get(span.practice, begin))
    return found
