"""Which day it is: for people in England a day is a day in London, also in summer when UTC is an hour behind."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


def london_day(now: datetime) -> date:
    """The day an instant falls on in London."""
    return now.astimezone(LONDON).date()
