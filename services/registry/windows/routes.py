from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import func, select

from services.registry.codes import Day
from services.registry.windows import operations
from services.registry.windows.model import Window, WindowNotFound, WindowReason, WindowWithdrawn
from shared.errors import Invalid
from shared.facts import as_at as true_at
from shared.facts import believed
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
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
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.years import ContractYear

router = service_router("registry", tags=["windows"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
National = Annotated[Caller, allow(Role.NATIONAL)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]
Months = Annotated[int, Field(ge=0, le=12, strict=True)]


class WindowOut(Out):
    """Both days included; notice takes effect `notice_months` after it was given."""

    id: str
    contract_year: str
    why: WindowReason
    opens_on: date
    closes_on: date
    notice_months: int
    reason: str | None


class WindowTermsIn(In):
    opens_on: Day
    closes_on: Day
    notice_months: Months = 0
    reason: Reason


class WindowIn(WindowTermsIn):
    contract_year: ContractYear
    why: WindowReason


class WindowWithdrawalIn(In):
    reason: Reason


def _shown(window: Window) -> dict[str, Any]:
    return {
        "id": window.id,
        "contract_year": window.contract_year,
        "why": window.why,
        "opens_on": window.valid_from,
        "closes_on": window.valid_to,
        "notice_months": window.notice_months,
        "reason": window.reason,
    }


@router.post("/windows", response_model=WindowOut, status_code=201, responses=refusals(Invalid))
async def open_window(
    wanted: WindowIn, session: Transaction, response: Response, caller: National, now: Now, _: Idempotent
) -> dict[str, Any]:
    """Record the days on which practices may leave or join a network by notice alone."""
    made = await operations.open_window(session, caller=caller, now=now, **wanted.model_dump())
    response.headers["Location"] = f"/registry/v1/windows/{made.id}"
    tag(response, made)
    return _shown(made)


@router.get("/windows", response_model=Page[WindowOut])
async def list_windows(
    session: Reading,
    _: Anyone,
    paging: Paging,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    contract_year: ContractYear | None = None,
    why: Annotated[WindowReason | None, Query()] = None,
) -> dict[str, Any]:
    """Every window of every year; with `as_at` those open on that day."""
    statement = select(Window)
    if as_at is not None:
        statement = statement.where(true_at(Window, as_at, known_at))
    else:
        statement = statement.where(believed(Window, known_at))
    if contract_year is not None:
        statement = statement.where(Window.contract_year == contract_year)
    if why is not None:
        statement = statement.where(Window.why == why)
    rows, following = await page(session, statement, [func.lower(Window.valid), Window.id], paging)
    return {"items": [_shown(row[0]) for row in rows], "next": following}


@router.get("/windows/{id}", response_model=WindowOut, responses=refusals(WindowNotFound))
async def read_window(
    id: str, session: Reading, response: Response, _: Anyone, known_at: KnownAt = None
) -> dict[str, Any]:
    """One window as known now or then."""
    found = await operations.find_window(session, id, known_at)
    tag(response, found)
    return _shown(found)


@router.put(
    "/windows/{id}/correction", response_model=WindowOut, responses=refusals(WindowNotFound, WindowWithdrawn, Invalid)
)
async def correct_window(
    id: str,
    terms: WindowTermsIn,
    session: Transaction,
    response: Response,
    caller: National,
    now: Now,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Put right the days or the notice of a window, as when it is extended."""
    right = await operations.correct_window(
        session, id, caller=caller, if_match=if_match, now=now, **terms.model_dump()
    )
    tag(response, right)
    return _shown(right)


@router.put("/windows/{id}/withdrawal", status_code=204, responses=refusals(WindowNotFound, WindowWithdrawn))
async def withdraw_window(
    id: str, withdrawal: WindowWithdrawalIn, session: Transaction, _: National, now: Now, if_match: IfMatch = None
) -> None:
    """Take back a window that was recorded in error."""
    await operations.withdraw_window(session, id, reason=withdrawal.reason, if_match=if_match, now=now)
