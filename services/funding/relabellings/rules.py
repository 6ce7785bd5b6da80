"""What rates become when streams are relabelled: rules over plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from services.funding.payments.engine import Rate, Relabelled
from services.funding.relabellings.model import Relabelling, in_month

Made = dict[tuple[str, str, str, Decimal], Rate]


def relabel(
    rates: Mapping[str, tuple[Rate, ...]], found: Sequence[Relabelling], made: Made
) -> dict[str, tuple[Rate, ...]]:
    """The rates of each month with every share that is relabelled under its new name.

    `made` keeps one object per rate and share: the engine tells "nothing changed since last month" by identity.
    """
    return {month: tuple(_of_month(of, in_month(found, month), made)) for month, of in rates.items()}


def _of_month(rates: Iterable[Rate], held: Sequence[Relabelling], made: Made) -> Iterable[Rate]:
    for rate in rates:
        mine = [one for one in held if one.from_stream == rate.stream]
        if not mine:
            yield rate
            continue
        by = tuple(one.id for one in mine)
        left = 1 - sum((one.share for one in mine), Decimal(0))
        if left:
            yield _part(rate, rate.stream, left, by, made)
        for one in mine:
            yield _part(rate, one.to_stream, one.share, (one.id,), made)


def _part(rate: Rate, stream: str, share: Decimal, by: tuple[str, ...], made: Made) -> Rate:
    key = (rate.tariff, stream, " ".join(by), share)
    if key not in made:
        made[key] = replace(
            rate,
            stream=stream,
            value=None if rate.value is None else rate.value * share,
            relabelled=Relabelled(by, rate.stream, share, rate.value),
        )
    return made[key]


def kept(found: Sequence[Relabelling], stream: str, months: Sequence[str]) -> Fraction:
    """What is left of a stream earned by points over some months: each is as much of it as any other."""
    taken = [Fraction(one.share) for month in months for one in in_month(found, month) if one.from_stream == stream]
    return 1 - sum(taken, Fraction(0)) / len(months)
