"""The days on which something that callers publish holds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, TypeVar

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from shared.facts import Dated, believed, days
from shared.http import In, Out, Page, PageQuery, one_fault, page
from shared.years import Month, first_day, last_day

OutT = TypeVar("OutT", bound=Out)

Day = Annotated[date, Field(ge=date(2019, 4, 1), le=date(2099, 3, 31))]
"""A day since networks began."""


class DatedIn(In):
    """What holds from a day on, open unless a last day is given."""

    valid_from: Day
    valid_to: Day | None = None

    @model_validator(mode="after")
    def in_order(self) -> DatedIn:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class RuleIn(In):
    """A rule for months; `last_month` is null for one that holds until another replaces it."""

    first_month: Month
    last_month: Month | None = None
    sources: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] = []
    note: Annotated[str, Field(min_length=1, max_length=500, description="Why the rule is as it is")]

    def valid(self) -> Range[date]:
        """The days of its months. Raises `Invalid` where the last lies before the first."""
        last = self.last_month
        if last is not None and last < self.first_month:
            raise one_fault("body.last_month", "before_first_month", "The last month lies before the first.")
        return days(first_day(self.first_month), None if last is None else last_day(last))


async def page_of_rules(
    session: AsyncSession,
    model: type[Dated],
    shape: type[OutT],
    paging: PageQuery,
    as_at: date | None,
    known_at: datetime | None,
) -> Page[OutT]:
    """The rules of a kind as known now or then: the one of a day, or all of them."""
    statement = select(model).where(believed(model, known_at))
    if as_at is not None:
        statement = statement.where(model.valid.contains(as_at))
    found, following = await page(session, statement, [model.fact_id], paging)
    return Page(items=[shape.model_validate(row[0]) for row in found], next=following)
