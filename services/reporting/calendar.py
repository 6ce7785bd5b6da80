"""Months and contract years as reports use them."""

from __future__ import annotations

from datetime import date


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def year_of_month(month: str) -> str:
    """The contract year a month lies in: April to March."""
    year = int(month[:4]) - (int(month[5:7]) < 4)
    return f"{year}-{(year + 1) % 100:02d}"


def year_of(day: date) -> str:
    return year_of_month(month_of(day))
