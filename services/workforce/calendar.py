"""The calendar of the workforce scheme, which began on 1 July 2019."""

from __future__ import annotations

from datetime import date

from shared import years
from shared.years import first_day, last_day

FIRST_DAY = date(2019, 7, 1)


def year_start(year: str) -> date:
    """The first day of a contract year, or of the scheme in its first."""
    return max(years.year_start(year), FIRST_DAY)


def months_of(year: str) -> list[str]:
    """The months of a contract year in order, from when the scheme began."""
    return [month for month in years.months_of(year) if last_day(month) >= FIRST_DAY]


def days_of_month(month: str, started: date, ended: date | None) -> tuple[int, int]:
    """How many of a month's days lie between two days, both included, and how many it has.

    Both numbers, not their quotient: a third of a month has no exact decimal, and half pennies hang on it.
    """
    first, last = first_day(month), last_day(month)
    begin, finish = max(first, started), last if ended is None else min(last, ended)
    return max(0, (finish - begin).days + 1), (last - first).days + 1
