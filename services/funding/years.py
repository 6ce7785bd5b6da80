"""Months (`2022-04`) and contract years (`2022-23`, April to March), and the days they stand for."""

from __future__ import annotations

import calendar
from datetime import date
from functools import lru_cache


def month_of(day: date) -> str:
    return f"{day.year:04d}-{day.month:02d}"


@lru_cache(maxsize=1024)
def first_day(month: str) -> date:
    return date(int(month[:4]), int(month[5:]), 1)


@lru_cache(maxsize=1024)
def last_day(month: str) -> date:
    year, number = int(month[:4]), int(month[5:])
    return date(year, number, calendar.monthrange(year, number)[1])


def next_month(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04d}-01" if number == 12 else f"{year:04d}-{number + 1:02d}"


def year_of(month: str) -> str:
    """The contract year a month belongs to."""
    start = int(month[:4]) - (int(month[5:]) < 4)
    return f"{start}-{(start + 1) % 100:02d}"


def year_of_day(day: date) -> str:
    return year_of(month_of(day))


def start_of(year: str) -> date:
    return date(int(year[:4]), 4, 1)


def end_of(year: str) -> date:
    return date(int(year[:4]) + 1, 3, 31)


@lru_cache(maxsize=128)
def months_of(year: str) -> tuple[str, ...]:
    return months_between(start_of(year), end_of(year))


def months_between(first: date, last: date) -> tuple[str, ...]:
    """Every month from the one `first` lies in to the one `last` lies in."""
    month, end, months = month_of(first), month_of(last), []
    while month <= end:
        months.append(month)
        month = next_month(month)
    return tuple(months)


def snapshot_of(year: str) -> date:
    """The day on which a contract year's populations are frozen: 1 January before it begins."""
    return date(int(year[:4]), 1, 1)


FIRST_MONTH, LAST_MONTH = "2019-04", "2099-03"


def is_month(text: str) -> bool:
    """Whether a month lies in a contract year this service knows of: networks began in 2019."""
    return FIRST_MONTH <= text <= LAST_MONTH


def is_year(text: str) -> bool:
    """Whether a text names a contract year: 2019-20 is one, 2019-21 is not."""
    month = f"{text[:4]}-04"
    return is_month(month) and text == year_of(month)
