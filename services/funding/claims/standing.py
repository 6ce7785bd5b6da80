"""Whether somebody counts as new staff: what their role asks of people who started when they did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from services.funding.claims.terms import Test, tests
from shared.errors import Fault
from shared.events.workforce import Standing
from shared.years import first_day, months_before


def standing_faults(role: str, month: str, started_on: date, standing: Standing | None) -> list[Fault]:
    """Why a person's month cannot be claimed, by the test of their role; nothing where the role has none."""
    of_role = [test for test in tests() if test.role == role]
    if not of_role:
        return []
    test = next((test for test in of_role if test.starts_from <= started_on <= test.starts_to), None)
    if test is None:
        first = min(test.starts_from for test in of_role)
        return [Fault("started_on", "started_too_early", f"A {role} in post before {first} cannot be claimed.")]
    if first_day(month) < test.claimed_from:
        return []
    if standing is None:
        return [Fault("standing", "standing_unstated", f"The network has not said what makes this {role} new staff.")]
    return list(
        _recent(test, started_on, standing) if test.kind == "recently_qualified" else _new(test, started_on, standing)
    )


def _recent(test: Test, started_on: date, standing: Standing) -> Iterator[Fault]:
    since = months_before(started_on, test.months)
    if standing.qualified_on is None:
        yield Fault("standing.qualified_on", "standing_unstated", "The day the training was certified is not stated.")
    elif standing.qualified_on < since:
        yield Fault(
            "standing.qualified_on",
            "not_recently_qualified",
            f"Qualified on {standing.qualified_on}: more than {test.months} months before the start on {started_on}.",
        )
    if standing.employed_before is None:
        yield Fault("standing.employed_before", "standing_unstated", "Earlier employment is not stated.")
    elif standing.employed_before:
        yield Fault(
            "standing.employed_before", "employed_before", "The person was employed in that work substantively before."
        )


def _new(test: Test, started_on: date, standing: Standing) -> Iterator[Fault]:
    until = standing.employed_here_until
    excepted = test.kind == "not_employed_here_unless_senior" and standing.more_senior
    if until is not None and until >= months_before(started_on, test.months) and not excepted:
        yield Fault(
            "standing.employed_here_until",
            "employed_here_before",
            f"The network or a member employed the person in that work until {until}, "
            f"within {test.months} months before the start on {started_on}.",
        )
