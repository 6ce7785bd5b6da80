"""A line in words: one sentence, then the arithmetic a person can follow with a calculator."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from services.funding.lines.trace import Trace, recompute
from shared.years import first_day, months_between

NOT_CONFIRMED = {
    "derived": "was computed from other published figures",
    "remembered": "has no published source and must be confirmed",
}

PERIODS = {"year": "a year, paid in twelfths", "window": "for the whole window", "month": "a month"}

WHY = {
    "due": "the first payment of the month",
    "rate-changed": "the rate was changed after the month was paid",
    "membership-changed": "the network's membership was changed after the month was paid",
    "population-restated": "a population was restated after the month was paid",
    "rounding": "pence move between months so that the year comes out exactly",
    "claim-late": "the claim was approved after its month",
}

WORDS = {
    "core_registered": "core funding on registered patients",
    "core_adjusted": "core funding on adjusted patients",
    "casp": "capacity and access support",
    "pcn_support": "network support",
    "arrs": "additional roles",
}


def stream_in_words(stream: str) -> str:
    return WORDS.get(stream, stream.replace("_", " "))


def pounds(amount: str | Decimal) -> str:
    value = Decimal(amount)
    return f"{'-' if value < 0 else ''}£{abs(value):,.2f}"


def explain(line: dict[str, Any], trace: Trace) -> dict[str, Any]:
    """Sentence, arithmetic and warnings of a line; `line` has network, practice, payee, stream, month and cause."""
    whom = (
        f"practice {line['practice']} of network {line['network']}"
        if line["practice"]
        else f"network {line['network']}"
    )
    subject = f"{stream_in_words(line['stream'])} of {whom} for {line['month']}"
    if trace["kind"] == "held":
        return {
            "sentence": f"Nothing is paid yet: {subject} is held. {trace['detail']}",
            "arithmetic": [],
            "warnings": [],
            "recomputed": None,
        }
    recomputed = recompute(trace)
    arithmetic, warnings = _claim(trace) if trace["kind"] == "claim" else _capitation(trace)
    return {
        "sentence": (
            f"{pounds(trace['amount'])} is paid to {line['payee']}: {subject}, because this is {WHY[line['cause']]}."
            if line["cause"] == "due"
            else f"{pounds(trace['amount'])} is paid to {line['payee']}: {subject}, because {WHY[line['cause']]}."
        ),
        "arithmetic": arithmetic,
        "warnings": warnings,
        "recomputed": str(recomputed),
    }


def _capitation(trace: Trace) -> tuple[list[str], list[str]]:
    arithmetic, warnings = [], []
    for step in trace["steps"]:
        months = step["months"]
        span = _span(step["months"])
        unit = "beds" if step["basis"] == "beds" else f"{step['basis']} patients at {step['snapshot']}"
        terms = " + ".join(value if share == "1" else f"{share} × {value}" for _, share, value, *_ in step["practices"])
        if len(step["practices"]) > 1 and len(step["practices"]) <= 20:
            arithmetic.append(f"{terms} = {step['population']} {unit}")
        arithmetic.append(
            f"{span}: £{step['rate']} {PERIODS[step['rate_period']]} × {step['population']} {unit} "
            f"× {len(months)}/{step['parts']} (rate {step['tariff']})"
        )
        if step["sources"]:
            arithmetic.append(f"Sources of the rate {step['tariff']}: {', '.join(step['sources'])}")
        if step["confidence"] in NOT_CONFIRMED:
            warnings.append(f"The rate {step['tariff']} {NOT_CONFIRMED[step['confidence']]}.")
        absent = [practice for practice, _, _, *how in step["practices"] if how == ["no-list"]]
        if absent:
            warnings.append(f"{', '.join(absent)} had no patients on the list of {step['snapshot']} and count as none.")
        allocated = [practice for practice, _, _, *how in step["practices"] if how == ["allocated"]]
        if allocated:
            arithmetic.append(f"Patients of {', '.join(allocated)} are served by allocation.")
    arithmetic.append(
        f"The year so far with {trace['month']}: {pounds(trace['cumulative'])}; without it: "
        f"{pounds(trace['cumulative_before'])}; the month: "
        f"{pounds(Decimal(trace['cumulative']) - Decimal(trace['cumulative_before']))}"
    )
    if trace["paid_before"] is not None:
        arithmetic.append(f"Paid for {trace['month']} before: {pounds(trace['paid_before'])}")
    arithmetic.append(f"To pay: {pounds(trace['amount'])}")
    return arithmetic, list(dict.fromkeys(warnings))


def _span(months: Sequence[str]) -> str:
    """Months in words; one supplied late stands behind others and leaves a gap."""
    ordered = sorted(months)
    if len(ordered) == 1:
        return ordered[0]
    whole = list(months_between(first_day(ordered[0]), first_day(ordered[-1])))
    return f"{ordered[0]} to {ordered[-1]}" if ordered == whole else ", ".join(ordered)


def _claim(trace: Trace) -> tuple[list[str], list[str]]:
    arithmetic = [
        f"Cost claimed: {pounds(trace['salary'])} salary + {pounds(trace['employer_ni'])} employer NI + "
        f"{pounds(trace['employer_pension'])} employer pension + {pounds(trace['fee_allowed'])} supplier fee = "
        f"{pounds(trace['cost'])}",
        f"Share paid: {trace['share']} × {pounds(trace['cost'])} = {pounds(trace['share_amount'])}",
        f"Role maximum: £{trace['maximum']} a year × {trace['wte']} WTE / 12 × {trace['days_worked']}/"
        f"{trace['days_in_month']} days = {pounds(trace['ceiling'])} (rate {trace['tariff']})",
        f"Left of the network's sum for the year: {pounds(trace['room'])}",
        f"To pay, the least of these: {pounds(trace['amount'])} (limited by: {trace['limited_by']})",
    ]
    warnings = []
    if trace["confidence"] in NOT_CONFIRMED:
        warnings.append(f"The rate {trace['tariff']} {NOT_CONFIRMED[trace['confidence']]}.")
    return arithmetic, warnings
