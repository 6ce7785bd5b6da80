"""What a variation and the national rates it replaces come to for some practices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from services.funding.money import EXACT, PARTS, to_pence
from services.funding.payments.engine import Portion, Rate, product
from services.funding.payments.heads import Headcount, Populations, Serving
from services.funding.relabellings.model import Relabelling
from services.funding.relabellings.rules import relabel
from services.funding.tariffs.model import Tariff
from services.funding.variations.model import BelowNationalTotal, NationalTotalUnknown, Totals, Variation


def rates_in(variation: Variation, months: Collection[str]) -> dict[str, Rate]:
    """By stream: the variation's rates as the engine counts with them, its sums for additional roles among them."""
    sums = {item["stream"]: _rate(variation, item, len(months)) for item in _sums(variation)}
    return {**items_in(variation, months), **sums}


def items_in(variation: Variation, months: Collection[str]) -> dict[str, Rate]:
    """By stream: the variation's rates of streams, in its months."""
    return {item["stream"]: _rate(variation, item, len(months)) for item in variation.items}


def sum_named(code: str) -> str:
    """What a sum for additional roles is called among streams; no stream is called so."""
    return f"arrs sum {code}"


def _sums(variation: Variation) -> Iterator[dict[str, Any]]:
    for item in variation.sums:
        yield {**item, "stream": sum_named(item["code"]), "payee": "network", "basis": "weighted"}


def _rate(variation: Variation, item: Mapping[str, Any], months: int) -> Rate:
    return Rate(
        tariff=f"{variation.id}.{item['stream']}",
        stream=item["stream"],
        payee=item["payee"],
        basis=item["basis"],
        value=Decimal(item["value"]),
        rate_period=item["rate_period"],
        months=months,
        confidence="one_source",
        scope=variation.id,
    )


def compare(
    variation: Variation,
    practices: Iterable[str],
    national: Mapping[str, tuple[Rate, ...]],
    populations: Populations,
    relabelled: Sequence[Relabelling] = (),
) -> Totals:
    """Both totals over the months of the variation, for streams it replaces or adds and for sums of its own.

    `national` are the rates with `relabelled` streams under their new names; the variation's are given theirs here.
    Beds belong to no practice and are left out of the totals: their rate alone may not be lower.
    Raises `NationalTotalUnknown` and `BelowNationalTotal`.
    """
    whom = tuple(Serving(practice, Decimal(1), "member") for practice in sorted(practices))
    own = tuple(rates_in(variation, national).values())
    local = relabel(dict.fromkeys(national, own), relabelled, {})
    total, varied = Decimal(0), Decimal(0)
    with localcontext(EXACT):
        for month, rates in national.items():
            here = {rate.slot: rate for rate in rates}
            for rate in local[month]:
                replaced = here.get(rate.slot)
                if rate.basis == "beds":
                    _refuse_cheaper_bed(month, rate, replaced)
                    continue
                varied += _of(month, rate, whom, populations, variation)
                if replaced is not None:
                    total += _of(month, replaced, whom, populations, variation)
    return Totals(to_pence(total, PARTS), to_pence(varied, PARTS))


def _of(month: str, rate: Rate, whom: tuple[Serving, ...], populations: Populations, variation: Variation) -> Decimal:
    part = Portion(month, rate, populations.count(rate.basis, whom, variation.commissioner))
    if part.hold is not None:
        raise NationalTotalUnknown(part.hold.detail)
    return product(part)


def refuse_lower_ceiling(role: str, zone: str, month: str, value: Decimal, national: Tariff | None) -> None:
    """The sum says how much there is for additional roles; a ceiling says how much of a cost is paid, which no total
    shows: it may not be lower by itself. Raises `BelowNationalTotal` and `NationalTotalUnknown`.
    """
    if national is None:
        return
    if national.value is None:
        raise NationalTotalUnknown(f"The ceiling {national.id} is not known.")
    if value < national.value:
        raise BelowNationalTotal(
            f"£{value:,.2f} for {role} ({zone}) is less than the national ceiling of £{national.value:,.2f} in {month}."
        )


def _refuse_cheaper_bed(month: str, rate: Rate, replaced: Rate | None) -> None:
    if replaced is None:
        return
    bed = Headcount("beds", None, Decimal(1), ())
    if replaced.value is None:
        raise NationalTotalUnknown(f"The rate {replaced.tariff} is not known.")
    if product(Portion(month, rate, bed)) < product(Portion(month, replaced, bed)):
        raise BelowNationalTotal(f"A bed comes to less than the national rate {replaced.tariff} in {month}.")
