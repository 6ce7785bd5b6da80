"""Lines paid by head or bed: what they remember, their amount from it, why they differ, the arithmetic in words.

A trace is plain JSON with every number as text. It refers to nothing outside itself, so a line explains itself the same
way for ever, whatever is corrected later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from services.funding.lines.words import (
    Trace,
    doubts,
    of_variation,
    pounds,
    span_in_words,
    stream_in_words,
    withdrawals_in_words,
)
from services.funding.money import EXACT, PARTS, plain, to_pence
from services.funding.payments.engine import Due, Rate, Year
from services.funding.payments.heads import Headcount

PERIODS = {"year": "a year, paid in twelfths", "window": "for the whole window", "month": "a month"}


CAUSES = ("withdrawal", "relabelled", "rate-changed", "membership-changed", "population-restated", "rounding")
"""Why a month already paid is paid again; a first payment is `due`, a late claim `claim-late`."""

BY_THE_FIRST = "Membership counts for whole months, by the first of the month."


def heads_of(heads: Headcount) -> dict[str, Any]:
    """A head count in JSON: per practice `[code, share, figure]`, then how it was counted if not as a member, then its
    days if they are fewer than the month's `over` days."""
    told: dict[str, Any] = {
        "basis": heads.basis,
        "snapshot": None if heads.snapshot is None else heads.snapshot.isoformat(),
        "population": plain(heads.population),
        "practices": [
            [c.practice, plain(c.share), plain(c.value), *([] if c.how == "member" else [c.how])]
            if c.days == heads.over
            else [c.practice, plain(c.share), plain(c.value), c.how, c.days]
            for c in heads.counted
        ],
    }
    if heads.over != 1:
        told |= {"over": heads.over, "total": plain(heads.total)}
    if heads.supplied_for is not None:
        told["supplied_for"] = heads.supplied_for
    return told


def rate_told(rate: Rate) -> dict[str, Any]:
    """A rate in JSON, and the part of what it is for that a month is."""
    told: dict[str, Any] = {
        "tariff": rate.tariff,
        "rate": str(rate.value),
        "rate_period": rate.rate_period,
        "parts": rate.parts,
        "confidence": rate.confidence,
        "sources": list(rate.sources),
    }
    if rate.relabelled is not None:
        told["relabelled"] = {
            "by": list(rate.relabelled.by),
            "stream": rate.relabelled.stream,
            "share": plain(rate.relabelled.share),
            "rate": str(rate.relabelled.value),
        }
    return told


def trace_of(due: Due, counted: dict[int, dict[str, Any]] | None = None) -> Trace:
    """The trace of a line paid by head or bed: its steps, each some months with the same rate and population.

    `counted` keeps rates and head counts already told, by identity, for lines that share one while they are drafted
    together.
    """
    told = {} if counted is None else counted
    steps: dict[tuple[int, int], dict[str, Any]] = {}
    for month, rate, heads, _ in due.portions:
        alike = (id(rate), id(heads))
        step = steps.get(alike)
        if step is not None:
            step["months"].append(month)
            continue
        who = told.get(id(heads))
        if who is None:
            who = told[id(heads)] = heads_of(heads)
        at = told.get(id(rate))
        if at is None:
            at = told[id(rate)] = rate_told(rate)
        steps[alike] = step = {"months": [month], **at, **who}
        if rate.scope:
            step["scope"] = rate.scope
    return {
        "kind": "capitation",
        "month": due.month,
        "steps": list(steps.values()),
        "cumulative": str(due.cumulative),
        "cumulative_before": str(due.before),
        "paid_before": None if due.paid is None else str(due.paid),
        "amount": str(due.amount),
    }


def circumstances(year: Year, due: Due) -> Trace:
    """What else a line remembers: how membership counted, if not by the first of the month, relabelled streams, and
    withdrawn rights."""
    found: Trace = {}
    if due.month in year.rules:
        found["membership"] = dict(year.rules[due.month])
    mine = [one for one in year.relabelled.get(due.month, ()) if due.key.stream in (one["from"], one["to"])]
    if mine:
        found["relabellings"] = [dict(one) for one in mine]
    network, practice = due.key.network, due.key.practice
    withdrawals = list(year.withdrawn.get((network, None), {}).get(due.month, ()))
    if practice is not None:
        withdrawals += year.withdrawn.get((network, practice), {}).get(due.month, ())
    if withdrawals:
        found["withdrawals"] = [dict(withdrawal) for withdrawal in withdrawals]
    return found


def recompute(trace: Trace) -> Decimal:
    """The year so far with the month, minus the year without it, minus what was paid for it before.

    Of what is taken back from several payees, a line is its own payee's part.
    """
    through = _cumulative(trace["steps"], trace["month"], inclusive=True)
    before = _cumulative(trace["steps"], trace["month"], inclusive=False)
    return through - before - Decimal(trace["paid_before"] or 0) - Decimal(trace.get("charged_to_others", 0))


def _cumulative(steps: Sequence[Mapping[str, Any]], month: str, *, inclusive: bool) -> Decimal:
    total = Decimal(0)
    with localcontext(EXACT):
        for step in steps:
            count = sum(1 for m in step["months"] if inclusive or m != month)
            over = step.get("over", 1)
            total += Decimal(step["rate"]) * total_of(step) * count * (PARTS / (step["parts"] * over))
        return to_pence(total, PARTS)


def total_of(step: Mapping[str, Any]) -> Decimal:
    """The population of a step, `over` times where practices count by days."""
    over = step.get("over", 1)
    if not step["practices"]:
        return Decimal(step.get("total", step["population"]))
    parts = (
        Decimal(share) * Decimal(value) * (counted[1] if len(counted) > 1 else over)
        for _, share, value, *counted in step["practices"]
    )
    return sum(parts, Decimal(0))


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """The arithmetic a person can follow with a calculator, and what to be wary of."""
    lines: list[str] = []
    warnings: list[str] = []
    for step in trace["steps"]:
        _count_in_words(step, lines, warnings)
        months = step["months"]
        lines.append(
            f"{span_in_words(months)}: £{step['rate']} {PERIODS[step['rate_period']]} × {step['population']} "
            f"{_unit(step)} × {len(months)}/{step['parts']} (rate {step['tariff']}{of_variation(step.get('scope'))})"
        )
        if "relabelled" in step:
            part = step["relabelled"]
            lines.append(
                f"£{step['rate']} is {part['share']} of £{part['rate']}, the rate {step['tariff']} of "
                f"{stream_in_words(part['stream'])} (relabelled by {', '.join(part['by'])})"
            )
        if step["sources"]:
            lines.append(f"Sources of the rate {step['tariff']}: {', '.join(step['sources'])}")
        warnings += doubts(step["tariff"], step["confidence"])
    for one in trace.get("relabellings", ()):
        lines.append(
            f"Relabelled by {one['relabelling']}, known from {one['known_from']}: {plain(Decimal(one['share']))} of "
            f"{stream_in_words(one['from'])} counts as {stream_in_words(one['to'])} from {one['months'][0]} to "
            f"{one['months'][1]} ({', '.join(one['sources'])})"
        )
    rule = trace.get("membership")
    lines.append(BY_THE_FIRST if rule is None else MEMBERSHIP[rule["kind"]](rule))
    lines += withdrawals_in_words(trace.get("withdrawals", ()))
    lines.append(
        f"The year so far with {trace['month']}: {pounds(trace['cumulative'])}; without it: "
        f"{pounds(trace['cumulative_before'])}; the month: "
        f"{pounds(Decimal(trace['cumulative']) - Decimal(trace['cumulative_before']))}"
    )
    if trace["paid_before"] is not None:
        lines.append(f"Paid for {trace['month']} before: {pounds(trace['paid_before'])}")
    if "charged_to_others" in trace:
        lines.append(f"Others that were paid for {trace['month']} give back: {pounds(trace['charged_to_others'])}")
    lines.append(f"To pay: {pounds(trace['amount'])}")
    return lines, list(dict.fromkeys(warnings))


MEMBERSHIP: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "first-day": lambda rule: f"Membership counts for the whole month, by {rule['counted_on']}.",
    "any-day": lambda _: "A practice that was a member on any day counts for the whole month, where it was first.",
    "days": lambda _: "Membership counts by the day: days of membership over the days of the month.",
}
"""By kind of rule: how membership counted in the month, in words."""


def _unit(step: Mapping[str, Any]) -> str:
    return "beds" if step["basis"] == "beds" else f"{step['basis']} patients at {step['snapshot']}"


def _count_in_words(step: Mapping[str, Any], lines: list[str], warnings: list[str]) -> None:
    """How the population of a step came together."""
    practices, over = step["practices"], step.get("over", 1)
    if 1 < len(practices) <= 20 or (practices and over != 1 and len(practices) <= 20):
        terms = [
            " × ".join(
                [
                    *([] if share == "1" else [share]),
                    value,
                    *([f"{counted[1]}/{over} days"] if len(counted) > 1 else []),
                ]
            )
            for _, share, value, *counted in practices
        ]
        lines.append(f"{' + '.join(terms)} = {step['population']} {_unit(step)}")
    absent = [practice for practice, _, _, *how in practices if how[:1] == ["no-list"]]
    if absent:
        warnings.append(f"{', '.join(absent)} had no patients on the list of {step['snapshot']} and count as none.")
    allocated = [practice for practice, _, _, *how in practices if how[:1] == ["allocated"]]
    if allocated:
        lines.append(f"Patients of {', '.join(allocated)} are served by allocation.")
    merged = [practice for practice, _, _, *how in practices if how[:1] == ["merged"]]
    if merged:
        lines.append(f"Patients of {', '.join(merged)} count with the practice theirs went over into.")
    supplied = step.get("supplied_for")
    if supplied is not None:
        repeated = [month for month in step["months"] if month != supplied]
        lines.append(f"Number of beds supplied for {supplied}: {step['population']}")
        if repeated:
            lines.append(f"No number was supplied for {span_in_words(repeated)}: that of {supplied} is used again.")


def causes_of(paid: Trace, now: Trace) -> list[str]:
    """Why a month paid by the line with trace `paid` comes to something else now, the weightiest reason first."""
    found = set()
    if paid.get("withdrawals", []) != now.get("withdrawals", []):
        found.add("withdrawal")
    old, new = _steps_of(paid), _steps_of(now)
    if _labels(paid) != _labels(now):
        found.add("relabelled")
        old, new = _as_before(old), _as_before(new)
    if not old or not new:
        if bool(old) is not bool(new) and not found:
            found.add("membership-changed")
    else:
        was, is_ = _parts_of(old), _parts_of(new)
        if _rates_by_practice(old) != _rates_by_practice(new):
            found.add("rate-changed")
        if {p: part for p, (part, _) in was.items()} != {p: part for p, (part, _) in is_.items()}:
            found.add("membership-changed")
        if any(was[p][1] != is_[p][1] for p in was.keys() & is_.keys()) or (
            not was and not is_ and [step["population"] for step in old] != [step["population"] for step in new]
        ):
            found.add("population-restated")
    return [cause for cause in CAUSES if cause in found] or ["rounding"]


def _steps_of(trace: Trace) -> list[Mapping[str, Any]]:
    """The inputs a trace used for its month."""
    return [step for step in trace["steps"] if trace["month"] in step["months"]]


def _labels(trace: Trace) -> list[tuple[str, str]]:
    return [(one["relabelling"], one["share"]) for one in trace.get("relabellings", ())]


def _as_before(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The steps at the rates as they were before a part was relabelled, without what came from another stream."""
    here = [step for step in steps if "relabelled" not in step]
    parts = [step for step in steps if "relabelled" in step]
    return here or [{**step, "rate": step["relabelled"]["rate"]} for step in parts]


def _rates_by_practice(steps: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Which rate each practice was counted at; one rate for all is told apart from a practice coming or going."""
    rates = [(step["tariff"], step["rate"], step["parts"]) for step in steps]
    if len(set(rates)) == 1:
        return {"": rates[0]}
    return {code: rate for step, rate in zip(steps, rates, strict=True) for code, *_ in step["practices"]}


def _parts_of(steps: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Decimal, set[str]]]:
    """By practice: the part of its list that counts, and its figure."""
    found: dict[str, tuple[Decimal, set[str]]] = {}
    with localcontext(EXACT):
        for step in steps:
            over = step.get("over", 1)
            for code, share, value, *counted in step["practices"]:
                part = Decimal(share) * (counted[1] if len(counted) > 1 else over) / over
                before, figures = found.get(code, (Decimal(0), set()))
                found[code] = (before + part, figures | {value})
    return found
