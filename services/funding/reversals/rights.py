"""What of an amount a network has the right to: rules over withdrawals and the months an amount was paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from services.funding.lines.words import Trace
from services.funding.membership_rules.model import MembershipRule
from services.funding.networks.model import Withdrawal
from services.funding.payments.serving import right_in
from shared.years import months_between, months_of

SALARIES = frozenset({"claim", "arrears"})
"""Kinds of lines that reimburse staff: what a withdrawal may spare where it was paid before."""


def months_paid_for(trace: Trace) -> Mapping[str, Fraction]:
    """The months that a line pays for, each with its part of the amount: one for a claim, those of arrears by what each
    comes to, those an achievement counts alike."""
    if trace["kind"] == "arrears":
        due: dict[str, Fraction] = {}
        for one in trace["months"]:
            due[one["month"]] = due.get(one["month"], Fraction(0)) + Fraction(one["due"])
        total = sum(due.values(), Fraction(0))
        return {month: part / total for month, part in due.items()} if total else {trace["month"]: Fraction(1)}
    if trace["kind"] == "achievement":
        counts = trace.get("counts")
        months = (
            months_of(trace["contract_year"])
            if counts is None
            else months_between(*(date.fromisoformat(day) for day in counts))
        )
        return {month: Fraction(1, len(months)) for month in months}
    return {trace["month"]: Fraction(1)}


@dataclass(frozen=True, slots=True)
class Rights:
    """The withdrawals of a network's right to be paid, as known at one moment, and the rules of months."""

    withdrawals: Sequence[Withdrawal]
    rules: Mapping[str, MembershipRule]

    def part_of(self, trace: Trace, paid_at: datetime | None) -> Fraction:
        """The part of a line's amount that the network has the right to; `paid_at` is null while it is not paid.

        A withdrawal that lets salaries stay takes none of what was paid for staff before it was heard of.
        """
        taking = [fact for fact in self.withdrawals if not (trace["kind"] in SALARIES and fact.spares(paid_at))]
        without = [fact.span for fact in taking if not fact.valid.isempty]
        return sum(
            (part * right_in(month, self.rules.get(month), without) for month, part in months_paid_for(trace).items()),
            Fraction(0),
        )

    def touching(self, trace: Trace) -> list[dict[str, Any]]:
        """The withdrawals that take something of the months a line pays for."""
        months = months_paid_for(trace)
        return [
            fact.told()
            for fact in self.withdrawals
            if not fact.valid.isempty
            and any(right_in(month, self.rules.get(month), [fact.span]) < 1 for month in months)
        ]
