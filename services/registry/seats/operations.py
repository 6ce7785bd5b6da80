from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Exists, Select, case, exists, or_, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.clinical_directors.model import Appointment, DirectorTerm
from services.registry.hierarchy.model import Placement, SystemNotFound
from services.registry.networks.model import NetworkEntry
from services.registry.periods import ALWAYS, end_after, period_of
from services.registry.seats.model import (
    DirectorOfAnotherSystem,
    HolderNotDirector,
    Holding,
    NotYoursToSeat,
    Seat,
    SeatEmpty,
    SeatNotFound,
    SeatNotThere,
    SeatTerm,
    Vacancy,
)
from shared.database import new_id
from shared.facts import ONE_DAY, as_at, currently_known, days, left_over, record, since, withdraw
from shared.http import require_match
from shared.identity import Caller, Role


def _in_office(day: date, known_at: datetime | None) -> list[ColumnElement[bool]]:
    """The term of the holder of a seat in an office that is there on a day: it ends with its network."""
    return [
        DirectorTerm.appointment == Holding.appointment,
        as_at(DirectorTerm, day, known_at),
        NetworkEntry.network == DirectorTerm.network,
        as_at(NetworkEntry, day, known_at),
    ]


def _director(day: date, known_at: datetime | None) -> Exists:
    """Whether the holder of a seat is a clinical director on a day."""
    return exists().where(*_in_office(day, known_at))


def vacant_on(day: date, known_at: datetime | None) -> ColumnElement[bool]:
    """Whether nobody speaks from a seat on a day."""
    return or_(Holding.fact_id.is_(None), ~_director(day, known_at))


def seats_on(system: str, day: date, known_at: datetime | None) -> Select[Any]:
    """The seats on a system's board on a day, who holds each, and why nobody speaks from one that is vacant."""
    name = select(DirectorTerm.name).where(*_in_office(day, known_at)).limit(1).scalar_subquery()
    vacancy = case(
        (Holding.fact_id.is_(None), Vacancy.NOT_FILLED.value),
        (~_director(day, known_at), Vacancy.NOT_A_DIRECTOR_ANY_MORE.value),
        else_=None,
    )
    columns: list[Any] = [
        SeatTerm.seat.label("id"),
        SeatTerm.system,
        SeatTerm.board,
        SeatTerm.title,
        *period_of(SeatTerm),
        Holding.network,
        Holding.appointment,
        name.label("holder"),
        vacancy.label("vacancy"),
        Seat.version,
    ]
    return (
        select(*columns)
        .join(Seat, Seat.id == SeatTerm.seat)
        .outerjoin(Holding, (Holding.seat == SeatTerm.seat) & as_at(Holding, day, known_at))
        .where(SeatTerm.system == system, as_at(SeatTerm, day, known_at))
    )


async def require_system(session: AsyncSession, system: str) -> None:
    """Raises `SystemNotFound` for a system no commissioner was ever placed in."""
    placed = exists().where(Placement.system == system, currently_known(Placement))
    if not await session.scalar(select(placed)):
        raise SystemNotFound(f"No system {system}.")


async def require_keeper(session: AsyncSession, system: str, caller: Caller) -> None:
    """Raises `SystemNotFound`, `NotYoursToSeat`."""
    await require_system(session, system)
    if not caller.has(Role.NATIONAL) and system not in caller.organisations:
        raise NotYoursToSeat(f"The board of {system} is not yours to fill.")


async def find_seat(session: AsyncSession, system: str, id: str, *, lock: bool = False) -> Seat:
    """Raises `SeatNotFound`."""
    found = await session.get(Seat, id, with_for_update=lock)
    if found is None or found.system != system:
        raise SeatNotFound(f"No seat {id} on the board of {system}.")
    return found


async def seat_to_change(
    session: AsyncSession,
    system: str,
    id: str,
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
    reason: str | None,
) -> Seat:
    """Raises `SystemNotFound`, `NotYoursToSeat`, `SeatNotFound`."""
    await require_keeper(session, system, caller)
    seat = await find_seat(session, system, id, lock=True)
    require_match(seat, if_match)
    seat.reason, seat.changed_at = reason, now
    await session.flush()
    return seat


async def create_seat(
    session: AsyncSession, system: str, board: str, title: str, held: Range[date], *, caller: Caller, now: datetime
) -> Seat:
    """Put a seat on the board. Raises `SystemNotFound`, `NotYoursToSeat`."""
    await require_keeper(session, system, caller)
    made = Seat(id=new_id("sea"), system=system, changed_at=now)
    term = SeatTerm(seat=made.id, system=system, board=board, title=title, valid=held, known=since(now))
    session.add_all([made, term])
    await session.flush()
    return made


async def correct_seat(
    session: AsyncSession, seat: Seat, board: str, title: str, held: Range[date], *, now: datetime
) -> None:
    """Say what the seat was all along, and when; what was believed before stays answerable."""
    await withdraw(session, SeatTerm, now=now, days=ALWAYS, seat=seat.id)
    term = SeatTerm(seat=seat.id, system=seat.system, board=board, title=title, valid=held, known=since(now))
    session.add(term)
    await session.flush()


async def close_seat(session: AsyncSession, seat: Seat, last_day: date, *, now: datetime) -> None:
    """The seat is on the board to `last_day`, and whoever holds it leaves it with that day. Raises `SeatNotThere`."""
    refusal = SeatNotThere(f"The seat {seat.id} is not on the board over {last_day}.")
    await end_after(session, SeatTerm, last_day, now=now, refusal=refusal, seat=seat.id)
    await withdraw(session, Holding, now=now, days=days(last_day + ONE_DAY), seat=seat.id)


async def fill_seat(session: AsyncSession, seat: Seat, appointment: str, held: Range[date], *, now: datetime) -> None:
    """A clinical director of the system takes the seat, in place of whoever held it on these days.

    Raises `HolderNotDirector`, `SeatNotThere`, `DirectorOfAnotherSystem`.
    """
    terms = select(SeatTerm.valid).where(SeatTerm.seat == seat.id, currently_known(SeatTerm))
    if left_over(held, (await session.scalars(terms)).all()):
        raise SeatNotThere(f"The seat {seat.id} is not on the board on all of these days.")
    found = await session.get(Appointment, appointment)
    office = select(DirectorTerm.valid).where(DirectorTerm.appointment == appointment, currently_known(DirectorTerm))
    if found is None or left_over(held, (await session.scalars(office)).all()):
        raise HolderNotDirector(f"{appointment} is no clinical director on all of these days.")
    if seat.system not in await _systems_of(session, found.network, held):
        raise DirectorOfAnotherSystem(f"{found.network} does not belong to {seat.system} on the first of these days.")
    holding = Holding(seat=seat.id, system=seat.system, network=found.network, appointment=appointment, valid=held)
    await record(session, holding, key=["seat"], now=now)


async def vacate_seat(session: AsyncSession, seat: Seat, last_day: date, *, now: datetime) -> None:
    """Whoever holds the seat over `last_day` leaves it after that day. Raises `SeatEmpty`."""
    over = select(Holding).where(Holding.seat == seat.id, as_at(Holding, last_day))
    if await session.scalar(over) is None:
        raise SeatEmpty(f"Nobody holds the seat {seat.id} on {last_day}.")
    await withdraw(session, Holding, now=now, days=days(last_day + ONE_DAY), seat=seat.id)


async def _systems_of(session: AsyncSession, network: str, held: Range[date]) -> Sequence[str]:
    """The system a network belongs to, through its lead commissioner, on the first of some days."""
    statement = (
        select(Placement.system)
        .join(NetworkEntry, NetworkEntry.commissioner == Placement.commissioner)
        .where(NetworkEntry.network == network)
        .where(as_at(NetworkEntry, held.lower or date.min), as_at(Placement, held.lower or date.min))
    )
    return (await session.scalars(statement)).all()
