"""What a change would do to networks' sums for additional roles: rules over plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from services.funding.budgets.model import Sum
from services.funding.budgets.sums import Agreed, sum_by_scope
from services.funding.payments.engine import Year
from services.funding.payments.heads import Headcount, Serving
from services.funding.payments.serving import Days
from services.funding.tariffs.model import Tariff
from shared.years import first_day, months_of, next_month


@dataclass(frozen=True, slots=True)
class SumChange:
    """A network's sum of the year that comes to something else; an amount is null where it would be held."""

    network: str
    scope: str
    now: Decimal | None
    then: Decimal | None
    held_now: str | None
    held_then: str | None

    @property
    def difference(self) -> Decimal | None:
        return None if self.now is None or self.then is None else self.then - self.now


def compare_sums(
    year: Year, other: Year, national: Sequence[Tariff], local: Iterable[Tariff], *, whole: bool
) -> list[SumChange]:
    """The sums that differ between two years; beyond the months asked about everybody is served, and agrees, as in the
    last of them. With `whole` those served first count for the whole year, by the rule of sums that says so.
    """
    varied: dict[str, dict[str, Tariff]] = defaultdict(dict)
    for tariff in local:
        if tariff.variation is not None:
            varied[tariff.code][tariff.variation] = tariff
    found, agreed = [], (_scopes(year), _scopes(other))
    for network in sorted(year.served.keys() | other.served.keys()):
        before = _sums(year, network, national, varied, agreed[0], whole)
        after = _sums(other, network, national, varied, agreed[1], whole)
        for tariff in national:
            was, is_ = before.get(tariff.code), after.get(tariff.code)
            told = [(None, None) if one is None else (one.amount, _why(one)) for one in (was, is_)]
            if told[0] != told[1]:
                found.append(SumChange(network, tariff.code, told[0][0], told[1][0], told[0][1], told[1][1]))
    return found


def _why(made: Sum) -> str | None:
    return None if made.hold is None else made.hold.detail


def _sums(
    year: Year,
    network: str,
    national: Sequence[Tariff],
    varied: Mapping[str, Mapping[str, Tariff]],
    agreed: Agreed,
    whole: bool,
) -> dict[str, Sum]:
    served = _whole_year(year, network)
    if not served:
        return {}
    first = min(served)
    if whole:
        served = dict.fromkeys(months_of(year.contract_year), served[first])
    count = partial(_count, year, network)
    return {
        tariff.code: sum_by_scope(tariff, varied.get(tariff.code, {}), served, agreed, count, first_day(first))
        for tariff in national
    }


def _count(year: Year, network: str, whom: tuple[Serving, ...]) -> Headcount:
    return year.populations.count("weighted", whom, year.commissioners.get(network, ""))


def _whole_year(year: Year, network: str) -> dict[str, tuple[Serving, ...]]:
    """Whom a network serves in each month of the year: beyond those asked about, as in the last of them."""
    served = year.served.get(network, {})
    last = year.months[-1]
    found = {
        month: served.get(month, served.get(last, ()) if month > last else ())
        for month in months_of(year.contract_year)
    }
    return {month: whom for month, whom in found.items() if whom}


def _scopes(year: Year) -> dict[str, list[tuple[Days, str]]]:
    """By practice the variations it agrees to, wherever it is served, and from which day to before which."""
    found = defaultdict[str, list[tuple[Days, str]]](list)
    for network in year.served:
        for month, whom in _whole_year(year, network).items():
            for who in whom:
                if who.scope:
                    span: tuple[date, date] = (first_day(month), first_day(next_month(month)))
                    found[who.into or who.practice].append((span, who.scope))
    return found
