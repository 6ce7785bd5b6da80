"""What a network's sums of a year come to: rules over what was loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, localcontext

from services.funding.budgets.counted import Counted
from services.funding.budgets.model import Sum, sum_by_head, sum_by_posts
from services.funding.lines.capitation import heads_of, rate_told
from services.funding.money import EXACT, PARTS, to_pence
from services.funding.payments.engine import Portion, product
from services.funding.payments.heads import Headcount, Hold, Serving
from services.funding.payments.serving import Days, scope_on
from services.funding.tariffs.model import Tariff, TariffKind, in_force, rate_from
from services.funding.tariffs.shipped import posts
from shared.years import first_day, months_between

Agreed = Mapping[str, Iterable[tuple[Days, str]]]
"""By practice: the local variations it agreed to, and on which days."""


def sums_of_network(year: str, counted: Counted, tariffs: list[Tariff], agreed: Agreed, known_on: date) -> list[Sum]:
    """The sums of one network: `counted` is whom it serves in each month, with their lists."""
    count = _counting(counted)
    rules = [post for post in posts() if post.contract_year == year]
    if rules:
        maxima: Mapping[str, Tariff | None] = {
            post.role: in_force(
                [t for t in tariffs if t.code == post.role and t.zone == "national"], post.valid_from, known_on
            )
            for post in rules
        }
        heads = {month: count("registered", whom) for month, whom in counted.by_month.items()}
        return [sum_by_posts(rules, maxima, heads or count("registered", ()), counted.counted_on)]
    national: dict[str, list[Tariff]] = defaultdict(list)
    local: dict[str, dict[str, Tariff]] = defaultdict(dict)
    for tariff in tariffs:
        if tariff.kind is TariffKind.ARRS_SUM and tariff.contract_year == year:
            if tariff.variation is None:
                national[tariff.code].append(tariff)
            elif tariff.known_on <= known_on:
                local[tariff.code][tariff.variation] = tariff
    chosen = (in_force(found, found[0].valid_to, known_on) for _, found in sorted(national.items()))
    return [
        sum_by_scope(
            tariff,
            local[tariff.code],
            counted.by_month,
            agreed,
            lambda some: count("weighted", some),
            counted.counted_on,
        )
        for tariff in chosen
        if tariff is not None
    ]


def _counting(counted: Counted) -> Callable[[str, tuple[Serving, ...]], Headcount]:
    """Head counts of a network on a basis, each made once."""
    made: dict[tuple[str, tuple[Serving, ...]], Headcount] = {}

    def count(basis: str, whom: tuple[Serving, ...]) -> Headcount:
        heads = made.get((basis, whom))
        if heads is None:
            heads = counted.populations.count(basis, whom, counted.commissioner)
            if not whom and not counted.members_known:
                # a network nobody belongs to has no sum: its members are not known yet
                heads = replace(heads, hold=Hold("members-missing", "No members are known."))
            made[basis, whom] = heads
        return heads

    return count


def sum_by_scope(
    national: Tariff,
    local: Mapping[str, Tariff],
    served: Mapping[str, tuple[Serving, ...]],
    scopes: Mapping[str, Iterable[tuple[Days, str]]],
    count: Callable[[tuple[Serving, ...]], Headcount],
    counted_on: date,
) -> Sum:
    """A sum month by month: whoever is served in a month counts at the rate of the variation it agreed to, or at the
    national one. `served` is by month, `local` are the variations' sums of that kind, `scopes` say which practice
    agreed to which and when. Where all months are alike it is the national sum of all.
    """
    steps: dict[tuple[str, tuple[Serving, ...]], tuple[Tariff, list[str]]] = {}
    window = months_between(national.valid_from, national.valid_to)
    for month in window:
        day, apart = first_day(month), dict[str, tuple[Tariff, list[Serving]]]()
        for who in served.get(month, ()):
            own = local.get(scope_on(scopes, who.into or who.practice, day))
            tariff = own if own is not None and own.valid_from <= day <= own.valid_to else national
            apart.setdefault(tariff.id, (tariff, []))[1].append(who)
        for tariff, some in apart.values():
            steps.setdefault((tariff.id, tuple(some)), (tariff, []))[1].append(month)
    first = next((served[month] for month in window if month in served), ())
    made = sum_by_head(national, count(first), counted_on)
    if all(served.get(month, ()) == first for month in window) and all(t is national for t, _ in steps.values()):
        return made
    told, total = [], Decimal(0)
    hold = made.hold
    with localcontext(EXACT):
        for (_, counted), (tariff, months) in steps.items():
            rate, heads = rate_from(tariff), count(counted)
            hold = hold or heads.hold
            told.append({"months": months, **rate_told(rate), **heads_of(heads)})
            if tariff.variation is not None:
                told[-1]["scope"] = tariff.variation
            if rate.value is not None:
                total += product(Portion(months[0], rate, heads)) * len(months)
        trace = {**made.trace, "steps": told}
        nobody = [month for month in window if month not in served]
        if nobody:
            trace["nobody_in"] = nobody
        return Sum(national.code, None if hold else to_pence(total, PARTS), hold, trace)
