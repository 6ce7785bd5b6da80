"""Months and contract years: April to March, the first one from July 2019."""

from __future__ import annotations

import calendar
from datetime import date

FIRST_DAY = date(2019, 7, 1)


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def first_day(month: str) -> date:
    return date(int(month[:4]), int(month[5:7]), 1)


def last_day(month: str) -> date:
    first = first_day(month)
    return first.replace(day=calendar.monthrange(first.year, first.month)[1])


def contract_year(day: date) -> str:
    """The contract year a day lies in, as `2022-23`."""
    start = day.year if day.month >= 4 else day.year - 1
    return f"{start}-{(start + 1) % 100:02d}"


def is_contract_year(text: str) -> bool:
    """Whether the text names a real pair of years from 2019-20 on."""
    start = int(text[:4])
    return start >= FIRST_DAY.year and int(text[5:7]) == (start + 1) % 100


def year_start(year: str) -> date:
    """The first day of a contract year; the scheme itself began on 1 July 2019."""
    return max(date(int(year[:4]), 4, 1), FIRST_DAY)


def year_end(year: str) -> date:
    return date(int(year[:4]) + 1, 3, 31)


def snapshot_of(year: str) -> date:
    """The day on which the lists of a contract year are counted: 1 January before it."""
    return date(int(year[:4]), 1, 1)


def months_of(year: str) -> list[str]:
    """The months of a contract year in order."""
    start = int(year[:4])
    months = [f"{start}-{m:02d}" for m in range(4, 13)] + [f"{start + 1}-{m:02d}" for m in range(1, 4)]
    return [m for m in months if last_day(m) >= FIRST_DAY]


def days_of_month(month: str, started: date, ended: date | None) -> tuple[int, int]:
    """How many of a month's days lie between two days, both included, and how many it has.

    Both numbers, not their quotient: a third of a month has no exact decimal, and half pennies hang on it.
    """
    first, last = first_day(month), last_day(month)
    begin, finish = max(first, started), last if ended is None else min(last, ended)
    return max(0, (finish - begin).days + 1), (last - first).days + 1
