"""What a network's sums of a year come to: rules over what was loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from services.funding.budgets.model import Sum, sum_by_head, sum_by_posts
from services.funding.lines.capitation import heads_of, rate_told
from services.funding.money import EXACT, PARTS, to_pence
from services.funding.payments.engine import Portion, product
from services.funding.payments.heads import Headcount, Hold, Populations, Serving
from services.funding.payments.serving import Days, scope_on
from services.funding.tariffs.model import Tariff, TariffKind, in_force, rate_from
from services.funding.tariffs.shipped import posts
from shared.years import first_day, months_between, snapshot_of

Agreed = Mapping[str, Iterable[tuple[Days, str]]]
"""By practice: the local variations it agreed to, and on which days."""


def sums_of_network(year: str, served: list[Any], tariffs: list[Tariff], agreed: Agreed, known_on: date) -> list[Sum]:
    """The sums of one network: `served` are the rows of whom it serves on the day that decides, with their lists."""
    populations = Populations(
        snapshot=snapshot_of(year),
        figures={
            "weighted": {r.practice: r.weighted for r in served if r.weighted is not None},
            "registered": {r.practice: r.registered for r in served if r.registered is not None},
        },
        published=frozenset(r.practice_commissioner or r.commissioner for r in served if r.published),
        commissioners={r.practice: r.practice_commissioner or r.commissioner for r in served},
    )
    whom = tuple(Serving(r.practice, r.share, r.how, into=r.went_into or "") for r in served if r.practice is not None)
    network, counted_on = served[0].commissioner, served[0].counted_on
    rules = [post for post in posts() if post.contract_year == year]
    if rules:
        maxima: Mapping[str, Tariff | None] = {
            post.role: in_force(
                [t for t in tariffs if t.code == post.role and t.zone == "national"], post.valid_from, known_on
            )
            for post in rules
        }
        return [sum_by_posts(rules, maxima, _heads(populations, "registered", whom, network), counted_on)]
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
            whom,
            agreed,
            lambda some: _heads(populations, "weighted", some, network),
            counted_on,
        )
        for tariff in chosen
        if tariff is not None
    ]


def _heads(populations: Populations, basis: str, whom: tuple[Serving, ...], commissioner: str) -> Headcount:
    """A network nobody belongs to has no sum: its members are not known yet."""
    heads = populations.count(basis, whom, commissioner)
    if whom:
        return heads
    return Headcount(basis, heads.snapshot, heads.total, (), Hold("members-missing", "No members are known."))


def sum_by_scope(
    national: Tariff,
    local: Mapping[str, Tariff],
    whom: tuple[Serving, ...],
    scopes: Mapping[str, Iterable[tuple[Days, str]]],
    count: Callable[[tuple[Serving, ...]], Headcount],
    counted_on: date,
) -> Sum:
    """A sum of which some practices have one of their own: month by month each practice counts at the rate of the
    variation it agreed to, or at the national one. `local` are the variations' sums of that kind, `scopes` say which
    practice agreed to which and when. Without any it is the national sum of all.
    """
    steps: dict[tuple[str, tuple[Serving, ...]], tuple[Tariff, list[str]]] = {}
    for month in months_between(national.valid_from, national.valid_to):
        day, apart = first_day(month), dict[str, tuple[Tariff, list[Serving]]]()
        for who in whom:
            own = local.get(scope_on(scopes, who.into or who.practice, day))
            tariff = own if own is not None and own.valid_from <= day <= own.valid_to else national
            apart.setdefault(tariff.id, (tariff, []))[1].append(who)
        for tariff, some in apart.values():
            steps.setdefault((tariff.id, tuple(some)), (tariff, []))[1].append(month)
    made = sum_by_head(national, count(whom), counted_on)
    if all(tariff is national for tariff, _ in steps.values()):
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
        return Sum(national.code, None if hold else to_pence(total, PARTS), hold, trace)
