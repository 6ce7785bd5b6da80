from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import SystemNotFound
from services.registry.periods import CorrectionIn, LastDayIn, Line, PeriodIn, PeriodOut
from services.registry.seats import operations
from services.registry.seats.model import (
    DirectorOfAnotherSystem,
    HolderNotDirector,
    NotYoursToSeat,
    Seat,
    SeatEmpty,
    SeatNotFound,
    SeatNotThere,
    SeatTerm,
    Vacancy,
)
from shared.facts import days
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    KnownAt,
    Now,
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

router = service_router("registry", tags=["seats"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Keeper = Annotated[Caller, allow(Role.NATIONAL, Role.SYSTEM)]


class SeatIn(PeriodIn):
    """A seat kept for a clinical director, and the days on which it is on the board."""

    board: Line
    title: Line


class SeatCorrectionIn(SeatIn, CorrectionIn):
    """What the seat was all along."""


class HolderIn(PeriodIn):
    """The appointment of the clinical director who takes the seat."""

    appointment: Annotated[str, Field(max_length=32)]


class SeatOut(PeriodOut):
    """A seat on a day; `vacancy` says why nobody speaks from it, and is empty while a clinical director does."""

    id: str
    system: str
    board: str
    title: str
    network: str | None
    appointment: str | None
    holder: str | None
    vacancy: Vacancy | None


_CHANGE = refusals(SystemNotFound, SeatNotFound, NotYoursToSeat)


async def _shown(session: AsyncSession, seat: Seat, day: date, response: Response) -> Any:
    """The seat as it is on a day on which it is on the board."""
    tag(response, seat)
    return (await session.execute(operations.seats_on(seat.system, day, None).where(SeatTerm.seat == seat.id))).one()


@router.get("/systems/{code}/seats", response_model=Page[SeatOut], responses=refusals(SystemNotFound))
async def list_seats(
    code: str,
    session: Reading,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    vacant: Annotated[bool | None, Query(description="Only the vacant ones, or only the others")] = None,
) -> dict[str, Any]:
    """The clinical directors' seats on the partnership board of a system on a day, and which of them are vacant."""
    await operations.require_system(session, code)
    statement = operations.seats_on(code, as_at or today, known_at)
    if vacant is not None:
        statement = statement.where(operations.vacant_on(as_at or today, known_at) == vacant)
    rows, following = await page(session, statement, [SeatTerm.seat], paging)
    return {"items": [SeatOut.model_validate(row) for row in rows], "next": following}


@router.get("/systems/{code}/seats/{id}", response_model=SeatOut, responses=refusals(SeatNotFound))
async def read_seat(
    code: str,
    id: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Any:
    """One seat on a day."""
    seat = await operations.find_seat(session, code, id)
    statement = operations.seats_on(code, as_at or today, known_at).where(SeatTerm.seat == id)
    row = (await session.execute(statement)).first()
    if row is None:
        raise SeatNotFound(f"The seat {id} is not on the board on that day.")
    tag(response, seat)
    return row


@router.post(
    "/systems/{code}/seats",
    response_model=SeatOut,
    status_code=201,
    responses=refusals(SystemNotFound, NotYoursToSeat),
)
async def create(
    code: str, wanted: SeatIn, session: Transaction, response: Response, caller: Keeper, now: Now, _: Idempotent
) -> Any:
    """Put a seat for a clinical director on the board."""
    held = days(wanted.valid_from, wanted.valid_to)
    made = await operations.create_seat(session, code, wanted.board, wanted.title, held, caller=caller, now=now)
    response.headers["Location"] = f"/registry/v1/systems/{code}/seats/{made.id}"
    return await _shown(session, made, wanted.valid_from, response)


@router.put("/systems/{code}/seats/{id}", response_model=SeatOut, responses=_CHANGE)
async def correct(
    code: str,
    id: str,
    wanted: SeatCorrectionIn,
    session: Transaction,
    response: Response,
    caller: Keeper,
    now: Now,
    if_match: IfMatch = None,
) -> Any:
    """Say what the seat was all along."""
    seat = await operations.seat_to_change(
        session, code, id, caller=caller, if_match=if_match, now=now, reason=wanted.reason
    )
    held = days(wanted.valid_from, wanted.valid_to)
    await operations.correct_seat(session, seat, wanted.board, wanted.title, held, now=now)
    return await _shown(session, seat, wanted.valid_from, response)


@router.put(
    "/systems/{code}/seats/{id}/holder",
    response_model=SeatOut,
    responses=_CHANGE | refusals(HolderNotDirector, SeatNotThere, DirectorOfAnotherSystem),
)
async def fill(
    code: str,
    id: str,
    holder: HolderIn,
    session: Transaction,
    response: Response,
    caller: Keeper,
    now: Now,
    if_match: IfMatch = None,
) -> Any:
    """Give the seat to a clinical director of the system for some days."""
    seat = await operations.seat_to_change(session, code, id, caller=caller, if_match=if_match, now=now, reason=None)
    held = days(holder.valid_from, holder.valid_to)
    await operations.fill_seat(session, seat, holder.appointment, held, now=now)
    return await _shown(session, seat, holder.valid_from, response)


@router.put("/systems/{code}/seats/{id}/vacation", response_model=SeatOut, responses=_CHANGE | refusals(SeatEmpty))
async def vacate(
    code: str,
    id: str,
    ending: LastDayIn,
    session: Transaction,
    response: Response,
    caller: Keeper,
    now: Now,
    if_match: IfMatch = None,
) -> Any:
    """Whoever holds the seat leaves it after a last day."""
    seat = await operations.seat_to_change(
        session, code, id, caller=caller, if_match=if_match, now=now, reason=ending.reason
    )
    await operations.vacate_seat(session, seat, ending.last_day, now=now)
    return await _shown(session, seat, ending.last_day, response)


@router.put("/systems/{code}/seats/{id}/ending", response_model=SeatOut, responses=_CHANGE | refusals(SeatNotThere))
async def close(
    code: str,
    id: str,
    ending: LastDayIn,
    session: Transaction,
    response: Response,
    caller: Keeper,
    now: Now,
    if_match: IfMatch = None,
) -> Any:
    """Take the seat off the board after a last day."""
    seat = await operations.seat_to_change(
        session, code, id, caller=caller, if_match=if_match, now=now, reason=ending.reason
    )
    await operations.close_seat(session, seat, ending.last_day, now=now)
    return await _shown(session, seat, ending.last_day, response)
