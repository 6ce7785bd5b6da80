"""Bank holidays over HTTP."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from services.funding.bank_holidays import operations
from services.funding.bank_holidays.model import BankHoliday, HolidayKnown
from shared.http import (
    Idempotent,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("funding", tags=["calendar"])


class HolidayIn(In):
    day: Annotated[date, Field(ge=date(2019, 1, 1), le=date(2099, 12, 31))]
    name: Annotated[str, Field(min_length=1, max_length=200)]


class HolidayOut(Out):
    day: date
    name: str
    added_by: str
    added_at: datetime


@router.get("/bank-holidays", summary="Bank holidays of England")
async def list_holidays(
    session: Reading, paging: Paging, caller: Annotated[Caller, allow(*ANY_ROLE)], known_at: KnownAt = None
) -> Page[HolidayOut]:
    """Days that are no working days although they may be weekdays."""
    statement = select(BankHoliday)
    if known_at is not None:
        statement = statement.where(BankHoliday.added_at <= known_at)
    found, following = await page(session, statement, [BankHoliday.day], paging)
    return Page(items=[HolidayOut.model_validate(row[0]) for row in found], next=following)


@router.post("/bank-holidays", status_code=201, responses=refusals(HolidayKnown), summary="Announce a bank holiday")
async def add_holiday(
    holiday: HolidayIn, session: Transaction, caller: Annotated[Caller, allow(Role.NATIONAL)], now: Now, _: Idempotent
) -> HolidayOut:
    """Clocks begun from now on count without it."""
    made = await operations.add_holiday(session, holiday.day, holiday.name, by=caller.subject, now=now)
    return HolidayOut.model_validate(made)
