from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.shapes import ReasonIn
from services.registry.codes import Day
from services.registry.periods import CorrectionIn, Line, PeriodIn, PeriodOut, Text
from services.registry.service_menu import operations
from services.registry.service_menu.model import (
    Confidence,
    MenuItem,
    MenuTerm,
    ServiceNotFound,
    ServicePublishedAlready,
)
from shared.facts import days
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.years import ContractYear, year_end, year_of_day, year_start

router = service_router("registry", tags=["services"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
National = Annotated[Caller, allow(Role.NATIONAL)]


class MenuTermIn(PeriodIn):
    """What the menu says of a service; `actual_year` stands where only the year of its start is known."""

    name: Line
    planned_start: Day | None = None
    actual_start: Day | None = None
    actual_year: ContractYear | None = None
    functions: Annotated[list[Line], Field(max_length=50)] = []
    note: Text | None = None
    confidence: Confidence = Confidence.CONFIRMED_2

    def columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in MenuTermIn.model_fields if name not in PeriodIn.model_fields}


class MenuItemIn(MenuTermIn):
    contract_year: ContractYear
    service: Annotated[str, Field(pattern=r"^[a-z][a-z-]{2,30}$")]

    @model_validator(mode="after")
    def _in_the_year(self) -> "MenuItemIn":
        if self.valid_to is None or not year_start(self.contract_year) <= self.valid_from <= self.valid_to:
            raise ValueError("a service is on a menu for days of its contract year; give the first and the last")
        if self.valid_to > year_end(self.contract_year):
            raise ValueError(f"{self.contract_year} ends on {year_end(self.contract_year)}")
        return self


class MenuCorrectionIn(MenuTermIn, CorrectionIn):
    """All that is now known to have stood on the menu."""


class MenuTermOut(PeriodOut):
    id: str
    contract_year: str
    service: str
    name: str
    planned_start: date | None
    actual_start: date | None
    actual_year: str | None
    functions: list[str]
    note: str | None
    confidence: Confidence


class MenuItemOut(Out):
    """A service on the menu of a year and all that is known of it; nothing when it was withdrawn."""

    id: str
    contract_year: str
    service: str
    published_by: str
    terms: list[MenuTermOut]


async def _record(
    session: AsyncSession,
    item: MenuItem,
    response: Response,
    day: date | None = None,
    known_at: datetime | None = None,
) -> MenuItemOut:
    tag(response, item)
    statement = operations.menu_of(item.contract_year, day, known_at).where(MenuTerm.item == item.id)
    rows = (await session.execute(statement)).all()
    return MenuItemOut(
        id=item.id,
        contract_year=item.contract_year,
        service=item.service,
        published_by=item.published_by,
        terms=[MenuTermOut.model_validate(row) for row in rows],
    )


@router.get("/services", response_model=Page[MenuTermOut])
async def read_menu(
    session: Reading,
    _: Anyone,
    paging: Paging,
    today: Today,
    contract_year: Annotated[ContractYear | None, Query(description="The menu of this year")] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """The menu of services of a contract year, or what is on it on one day."""
    year = contract_year or year_of_day(as_at or today)
    statement = operations.menu_of(year, as_at, known_at)
    rows, following = await page(session, statement, [MenuTerm.service, MenuTerm.fact_id], paging)
    return {"items": [MenuTermOut.model_validate(row) for row in rows], "next": following}


@router.get("/services/{id}", response_model=MenuItemOut, responses=refusals(ServiceNotFound))
async def read_item(
    id: str, session: Reading, response: Response, _: Anyone, as_at: AsAt = None, known_at: KnownAt = None
) -> MenuItemOut:
    """One service on the menu of a year, on all its days or on one, as known then or now."""
    return await _record(session, await operations.find_item(session, id), response, as_at, known_at)


@router.post("/services", response_model=MenuItemOut, status_code=201, responses=refusals(ServicePublishedAlready))
async def publish(
    wanted: MenuItemIn, session: Transaction, response: Response, caller: National, now: Now, _: Idempotent
) -> MenuItemOut:
    """Put a service on the menu of a contract year."""
    columns = {**wanted.columns(), "service": wanted.service}
    held = days(wanted.valid_from, wanted.valid_to)
    made = await operations.publish_service(session, wanted.contract_year, held, columns, by=caller.subject, now=now)
    response.headers["Location"] = f"/registry/v1/services/{made.id}"
    return await _record(session, made, response)


@router.put("/services/{id}", response_model=MenuItemOut, responses=refusals(ServiceNotFound))
async def correct(
    id: str,
    wanted: MenuCorrectionIn,
    session: Transaction,
    response: Response,
    _: National,
    now: Now,
    if_match: IfMatch = None,
) -> MenuItemOut:
    """Say what stood on the menu all along; what was believed before stays answerable."""
    item = await operations.item_to_change(session, id, if_match=if_match, reason=wanted.reason, now=now)
    held = days(wanted.valid_from, wanted.valid_to)
    await operations.correct_service(session, item, held, wanted.columns(), now=now)
    return await _record(session, item, response)


@router.put("/services/{id}/withdrawal", response_model=MenuItemOut, responses=refusals(ServiceNotFound))
async def withdraw(
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    _: National,
    now: Now,
    if_match: IfMatch = None,
) -> MenuItemOut:
    """Take a service off the menu it was put on by mistake."""
    item = await operations.item_to_change(session, id, if_match=if_match, reason=why.reason, now=now)
    await operations.withdraw_service(session, item, now=now)
    return await _record(session, item, response)
