"""Days, shares and people as callers send them, and the database's refusal of two facts for one key."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import DATEMULTIRANGE, Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.codes import Day
from shared.errors import DomainError
from shared.facts import ONE_DAY, Dated, believed, currently_known, days, withdraw
from shared.http import In, Out

ALWAYS: Range[date] = Range(None, None)

Line = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=3, max_length=10_000)]


def _as_text(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError("send a part as text or exact number, like 0.25")
    return value


def _a_part(value: Decimal) -> Decimal:
    if not value.is_finite() or not 0 < value <= 1 or value != round(value, 6):
        raise ValueError("a part is over 0, at most 1, with up to six decimal places")
    return value


Portion = Annotated[Decimal, BeforeValidator(_as_text), AfterValidator(_a_part)]
"""A part of one whole, sent as text: `"0.5"`."""


class PeriodIn(In):
    """From a first day to a last one, both included; open without a last one."""

    valid_from: Day
    valid_to: Day | None = None

    @field_validator("valid_to")
    @classmethod
    def _in_order(cls, last: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("valid_from")
        if last is not None and first is not None and last < first:
            raise ValueError(f"{last} lies before {first}")
        return last


class PeriodOut(Out):
    valid_from: date
    valid_to: date | None


class BreachOut(PeriodOut):
    """Days on which something does not hold that must."""


class CorrectionIn(PeriodIn):
    """What is now known to have been true; what was believed before stays answerable."""

    reason: Text


class LastDayIn(In):
    """The last day on which it is so, and why it ends."""

    last_day: Day
    reason: Text


class RegistrationIn(In):
    """A clinician's entry in the register of their profession, like GMC or NMC and a number."""

    body: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{1,19}$")]
    number: Annotated[str, Field(pattern=r"^[A-Z0-9]{4,12}$")]


def period_of(model: type[Dated]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The first and the last day of a fact, both included, as columns."""
    return func.lower(model.valid).label("valid_from"), (func.upper(model.valid) - 1).label("valid_to")


def days_without(
    model: type[Dated], needed: type[Dated], known_at: datetime | None, *same: ColumnElement[bool]
) -> ColumnElement[Any]:
    """The days of a fact on which another one that it needs does not hold, as stretches."""
    there = select(func.range_agg(needed.valid, type_=DATEMULTIRANGE)).where(*same, believed(needed, known_at))
    none: ColumnElement[Any] = func.datemultirange(type_=DATEMULTIRANGE)
    held: ColumnElement[Any] = func.datemultirange(model.valid, type_=DATEMULTIRANGE)
    return held.op("-", return_type=DATEMULTIRANGE())(func.coalesce(there.scalar_subquery(), none))


def gaps(stretches: Iterable[Range[date]]) -> list[BreachOut]:
    """Stretches of days as callers see them."""
    return [
        BreachOut(valid_from=gap.lower, valid_to=None if gap.upper is None else gap.upper - ONE_DAY)
        for gap in stretches
        if gap.lower is not None
    ]


async def end_after(
    session: AsyncSession, model: type[Dated], last_day: date, *, now: datetime, refusal: DomainError, **key: Any
) -> None:
    """Believe from now on that what this key names holds to `last_day` and no longer.

    Raises `refusal` where it does not run over that day: what never was is withdrawn, not ended.
    """
    of_key = [getattr(model, column) == value for column, value in key.items()]
    begun = func.min(func.lower(model.valid)) <= last_day
    goes_on = func.bool_or(model.valid.overlaps(days(last_day + ONE_DAY)))
    if not await session.scalar(select(begun & goes_on).where(*of_key, currently_known(model))):
        raise refusal
    await withdraw(session, model, now=now, days=days(last_day + ONE_DAY), **key)


@contextlib.asynccontextmanager
async def refused_by(session: AsyncSession, constraint: str, refusal: DomainError) -> AsyncIterator[None]:
    """Turn the database's refusal by a named constraint into that of the business."""
    try:
        async with session.begin_nested():
            yield
            await session.flush()
    except IntegrityError as error:
        if constraint in str(error.orig):
            raise refusal from error
        raise
