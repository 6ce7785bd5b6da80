"""What a declared achievement earns: from text figures alone, so that a paid line recomputes by the very same rule.

    performance = numerator / (denominator - personalised care adjustments)
    points = points of the indicator x (performance - lower) / (upper - lower), between none and all
    amount = points x value of a point x list size adjustment x prevalence adjustment x what is not relabelled

The list size adjustment is the network's registered list over the national average; the prevalence adjustment is
(denominator / the network's registered list) over the national prevalence, and a yes/no indicator has none. A part is a
share of a sum per head; shares of one sum are rounded one after the other, so that together they make the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.funding.lines.words import Trace, doubts, pounds, stream_in_words
from services.funding.money import to_pence
from shared.errors import Fault

WANTED = {
    "points": ("points_unknown", "How many points the indicator has is not known."),
    "point_value": ("point_value_unknown", "The value of a point is not known."),
    "average_list": ("average_list_unknown", "The national average list of a network is not published."),
    "patients": ("patients_unknown", "The network's registered patients are not known."),
    "thresholds": ("thresholds_unknown", "The thresholds are not known."),
    "prevalence": ("prevalence_unknown", "The national prevalence is not published."),
    "denominator": ("not_declared", "Numerator and denominator were not declared."),
    "part": ("part_unknown", "What part of the sum this is worth is not known."),
    "rate": ("rate_unknown", "The rate of the sum is not known."),
    "adjusted": ("population_missing", "The network's adjusted patients are not known."),
}


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a declaration earns as far as it can be told; `amount` is null while `holds` says what is missing."""

    performance: Fraction | None
    points: Fraction | None
    amount: Decimal | None
    holds: tuple[Fault, ...]


def _figure(figures: Mapping[str, Any], name: str) -> Fraction | None:
    value = figures.get(name)
    return None if value is None else Fraction(value)


def _holds(*missing: str) -> tuple[Fault, ...]:
    return tuple(Fault(name, *WANTED[name]) for name in missing)


def assess(figures: Mapping[str, Any]) -> Assessment:
    """What the figures of one achievement come to. `figures["deemed"]` gives all points whatever was performed."""
    if figures["kind"] == "part":
        return _part(figures)
    performance = _performance(figures)
    missing = [name for name in ("points", "point_value", "average_list", "patients") if figures.get(name) is None]
    share: Fraction | None = Fraction(1)
    if not figures["deemed"]:
        if figures["kind"] == "yes_no":
            share = Fraction(1 if figures.get("answer") else 0)
        elif performance is None:
            missing.append("denominator")
        else:
            share = _between(performance, _figure(figures, "lower"), _figure(figures, "upper"))
            if share is None:
                missing.append("thresholds")
    if figures["by_prevalence"]:
        missing += [name for name in ("prevalence", "denominator") if figures.get(name) is None and name not in missing]
    points = None if figures.get("points") is None or share is None else Fraction(figures["points"]) * share
    if points == 0:
        return Assessment(performance, points, Decimal("0.00"), ())
    if missing or points is None:
        return Assessment(performance, points, None, _holds(*missing))
    amount = (
        points * Fraction(figures["point_value"]) * Fraction(figures["patients"]) / Fraction(figures["average_list"])
    )
    if figures["by_prevalence"]:
        own = Fraction(figures["denominator"]) / Fraction(figures["patients"])
        amount *= own / Fraction(figures["prevalence"])
    amount *= Fraction(figures.get("kept", 1))
    return Assessment(performance, points, _pence(amount), ())


def _performance(figures: Mapping[str, Any]) -> Fraction | None:
    numerator, denominator = _figure(figures, "numerator"), _figure(figures, "denominator")
    if numerator is None or denominator is None:
        return None
    counted = denominator - Fraction(figures.get("adjustments") or 0)
    return numerator / counted if counted else None


def _between(performance: Fraction, lower: Fraction | None, upper: Fraction | None) -> Fraction | None:
    """How far performance got from the lower threshold to the upper; where lower is better, both count downwards."""
    if lower is None or upper is None:
        return None
    return min(max((performance - lower) / (upper - lower), Fraction(0)), Fraction(1))


def _part(figures: Mapping[str, Any]) -> Assessment:
    """A part of the sum per head: what all parts up to it come to, less what those before it do."""
    missing = [name for name in ("part", "rate", "adjusted") if figures.get(name) is None]
    if missing:
        return Assessment(None, None, None, _holds(*missing))
    total = Fraction(figures["rate"]) * Fraction(figures["adjusted"])
    first, share = Fraction(figures["parts_before"]), Fraction(figures["part"])
    amount = _pence(total * (first + share)) - _pence(total * first)
    return Assessment(None, None, _pence(Fraction(amount) * Fraction(figures.get("earned") or 1)), ())


def _pence(amount: Fraction) -> Decimal:
    return to_pence(Decimal(amount.numerator), Decimal(amount.denominator))


def recompute(trace: Trace) -> Decimal:
    """The amount of a line: what the figures come to, less what was paid for the achievement before.

    Of what is taken back from several payees, a line is its own payee's part.
    """
    earned = assess(trace["figures"]).amount
    if earned is None:
        raise ValueError("an achievement that is held reaches no line")
    return earned - Decimal(trace["paid_before"]) - Decimal(trace.get("charged_to_others", 0))


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """The steps from what was declared to what is paid."""
    figures = trace["figures"]
    assessed = assess(figures)
    lines = [f"{trace['indicator']} of {trace['contract_year']}, {figures['title']}"]
    if figures["kind"] == "part":
        lines.append(
            f"£{figures['rate']} × {figures['adjusted']} adjusted patients, of which this is {figures['part']}"
            + (f"; earned {figures['earned']} of it" if figures.get("earned") else "")
        )
    else:
        if assessed.performance is not None:
            lines.append(
                f"{figures['numerator']} / ({figures['denominator']} - {figures.get('adjustments') or 0}) = "
                f"{float(assessed.performance):.4%}"
            )
        if figures["deemed"]:
            lines.append("Deemed fully achieved by national decision")
        elif figures["kind"] == "ratio":
            lines.append(f"Points begin at {figures['lower']} and are all earned at {figures['upper']}")
        product = f"{_told(assessed.points)} points × £{figures['point_value']} × list {figures['patients']} / "
        product += str(figures["average_list"])
        if figures["by_prevalence"]:
            product += f" × prevalence ({figures['denominator']} / {figures['patients']}) / {figures['prevalence']}"
        lines.append(product)
        for one in figures.get("relabelled", ()):
            lines.append(
                f"{one['share']} of it counts as {stream_in_words(one['to'])} from {one['months'][0]} to "
                f"{one['months'][1]} (relabelled by {one['relabelling']}, known from {one['known_from']}: "
                f"{', '.join(one['sources'])}); left of the year's: {figures['kept']}"
            )
    lines.append(f"Earned: {pounds(assessed.amount or Decimal(0))}; paid before: {pounds(trace['paid_before'])}")
    if "charged_to_others" in trace:
        lines.append(f"Others that were paid for it give back: {pounds(trace['charged_to_others'])}")
    return lines, doubts(trace["indicator"], figures["confidence"])


def _told(points: Fraction | None) -> str:
    return "0" if points is None else f"{float(points):.4f}".rstrip("0").rstrip(".")
