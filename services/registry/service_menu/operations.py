from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.periods import ALWAYS, period_of, refused_by
from services.registry.service_menu.model import (
    Confidence,
    MenuItem,
    MenuTerm,
    ServiceNotFound,
    ServicePublishedAlready,
)
from shared.database import new_id
from shared.facts import as_at, believed, currently_known, days, since, withdraw
from shared.http import require_match
from shared.years import year_end, year_start

SHIPPED_BY = "shipped with the service"


@cache
def _file() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "menu.yaml").read_text())
    return listed


def shipped() -> Iterator[tuple[str, Range[date], dict[str, Any]]]:
    """Contract year, days on the menu and columns of every service that ships."""
    for entry in _file():
        for year in entry["years"]:
            first = max(year_start(year), entry.get("from", date.min))
            last = min(year_end(year), entry.get("to", date.max))
            yield (
                year,
                days(first, last),
                {
                    "service": entry["service"],
                    "name": entry["name"],
                    "planned_start": entry.get("planned_start"),
                    "actual_start": entry.get("actual_start"),
                    "actual_year": entry.get("actual_year"),
                    "functions": entry.get("functions", []),
                    "note": entry.get("note"),
                    "confidence": Confidence(entry["confidence"]),
                },
            )


async def load_menu(session: AsyncSession, now: datetime) -> None:
    """Enter what ships and is not there yet, and bring up to the file what shipped before and nobody has changed since.

    What somebody published, corrected or withdrew stays as they said it; what was believed stays answerable.
    """
    items = {(item.contract_year, item.service): item for item in await session.scalars(select(MenuItem))}
    terms = {term.item: term for term in await session.scalars(select(MenuTerm).where(currently_known(MenuTerm)))}
    for year, held, columns in shipped():
        item = items.get((year, columns["service"]))
        if item is None:
            _publish(session, year, held, columns, by=SHIPPED_BY, now=now)
            continue
        term = terms.get(item.id)
        if term is None or item.published_by != SHIPPED_BY or item.reason is not None:
            continue
        if term.valid != held or any(getattr(term, name) != value for name, value in columns.items()):
            item.changed_at = now
            await correct_service(session, item, held, {k: v for k, v in columns.items() if k != "service"}, now=now)
    await session.flush()


def _publish(
    session: AsyncSession, year: str, held: Range[date], columns: dict[str, Any], *, by: str, now: datetime
) -> MenuItem:
    made = MenuItem(id=new_id("srv"), contract_year=year, service=columns["service"], published_by=by, changed_at=now)
    session.add(made)
    session.add(MenuTerm(item=made.id, contract_year=year, valid=held, known=since(now), **columns))
    return made


def menu_of(year: str, day: date | None, known_at: datetime | None) -> Select[Any]:
    """What is on the menu of a contract year, on a day of it or at all, as known at an instant."""
    columns: list[Any] = [
        MenuTerm.item.label("id"),
        MenuTerm.contract_year,
        MenuTerm.service,
        MenuTerm.name,
        MenuTerm.planned_start,
        MenuTerm.actual_start,
        MenuTerm.actual_year,
        MenuTerm.functions,
        MenuTerm.note,
        MenuTerm.confidence,
        *period_of(MenuTerm),
    ]
    held = believed(MenuTerm, known_at) if day is None else as_at(MenuTerm, day, known_at)
    return select(*columns).where(MenuTerm.contract_year == year, held)


async def find_item(session: AsyncSession, id: str, *, lock: bool = False) -> MenuItem:
    """Raises `ServiceNotFound`."""
    found = await session.get(MenuItem, id, with_for_update=lock)
    if found is None:
        raise ServiceNotFound(f"No service {id} on any menu.")
    return found


async def publish_service(
    session: AsyncSession, year: str, held: Range[date], columns: dict[str, Any], *, by: str, now: datetime
) -> MenuItem:
    """Put a service on the menu of a contract year. Raises `ServicePublishedAlready`."""
    refusal = ServicePublishedAlready(f"{columns['service']} is on the menu of {year} already.")
    async with refused_by(session, "uq_menu_items_contract_year_service", refusal):
        return _publish(session, year, held, columns, by=by, now=now)


async def item_to_change(
    session: AsyncSession, id: str, *, if_match: str | None, reason: str, now: datetime
) -> MenuItem:
    """Raises `ServiceNotFound`."""
    item = await find_item(session, id, lock=True)
    require_match(item, if_match)
    item.reason, item.changed_at = reason, now
    await session.flush()
    return item


async def correct_service(
    session: AsyncSession, item: MenuItem, held: Range[date], columns: dict[str, Any], *, now: datetime
) -> None:
    """Say what was on the menu all along; what was believed before stays answerable."""
    await withdraw_service(session, item, now=now)
    term = MenuTerm(
        item=item.id, contract_year=item.contract_year, service=item.service, valid=held, known=since(now), **columns
    )
    session.add(term)
    await session.flush()


async def withdraw_service(session: AsyncSession, item: MenuItem, *, now: datetime) -> None:
    """It was put on the menu by mistake."""
    await withdraw(session, MenuTerm, now=now, days=ALWAYS, item=item.id)
