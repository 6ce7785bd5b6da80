"""Months (`2022-04`) and contract years (`2022-23`, April to March), and the days they stand for."""

from __future__ import annotations

import calendar
import re
from datetime import date
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field

FIRST_MONTH, LAST_MONTH = "2019-04", "2099-03"
YEAR = r"^20[0-9]{2}-[0-9]{2}$"
MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


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


def months_between(first: date, last: date) -> tuple[str, ...]:
    """Every month from the one `first` lies in to the one `last` lies in."""
    month, end, months = month_of(first), month_of(last), []
    while month <= end:
        months.append(month)
        month = next_month(month)
    return tuple(months)


def months_before(day: date, count: int) -> date:
    """The same day so many months earlier, or the last of that month where it is shorter."""
    months = day.year * 12 + day.month - 1 - count
    month = f"{months // 12:04d}-{months % 12 + 1:02d}"
    return first_day(month).replace(day=min(day.day, last_day(month).day))


@lru_cache(maxsize=1024)
def year_of(month: str) -> str:
    """The contract year a month belongs to."""
    start = int(month[:4]) - (int(month[5:]) < 4)
    return f"{start}-{(start + 1) % 100:02d}"


def year_of_day(day: date) -> str:
    return year_of(month_of(day))


def year_start(year: str) -> date:
    return date(int(year[:4]), 4, 1)


def year_end(year: str) -> date:
    return date(int(year[:4]) + 1, 3, 31)


@lru_cache(maxsize=128)
def months_of(year: str) -> tuple[str, ...]:
    return months_between(year_start(year), year_end(year))


def snapshot_of(year: str) -> date:
    """The day on which a contract year's populations are counted: 1 January before it begins."""
    return date(int(year[:4]), 1, 1)


def is_month(text: str) -> bool:
    """Whether a month lies in a contract year of the networks, which began in 2019."""
    return FIRST_MONTH <= text <= LAST_MONTH


def is_contract_year(text: str) -> bool:
    """Whether a text names a contract year: 2019-20 is one, 2019-21 and 2018-19 are not."""
    return bool(re.fullmatch(YEAR, text)) and is_month(f"{text[:4]}-04") and text == year_of(f"{text[:4]}-04")


def _contract_year(text: str) -> str:
    if not is_contract_year(text):
        raise ValueError("a contract year is two years in a row, like 2022-23, and the first is 2019-20")
    return text


ContractYear = Annotated[str, Field(pattern=YEAR), AfterValidator(_contract_year)]
"""A contract year as callers send it, the same in every service."""


def _month(text: str) -> str:
    if not is_month(text):
        raise ValueError("networks began in April 2019")
    return text


Month = Annotated[str, Field(pattern=MONTH), AfterValidator(_month)]
"""A month as callers send it."""
