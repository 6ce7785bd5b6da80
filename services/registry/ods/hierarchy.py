"""Where commissioners stand: the sub-ICB lookup, the map of a list-size publication, or a lookup through the years."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Commissioner, Placement
from services.registry.hierarchy.placing import PLACED, enter, note_placed, placed_events
from services.registry.ods.readers import BadCell, Outcome, Source, find_table, open_sheets, organisation, refused, text
from services.registry.ods.reconcile import Key, Piece, from_day_on, held_pieces, reconcile

HEADINGS = {
    "commissioner": ("Sub ICB Location ODS Code", "CCG_CODE", "Commissioner Code", "ccg_2019_11"),
    "name": ("Sub ICB Location Name", "CCG_NAME", "Commissioner Name", "ccg_2019_11"),
    "system": ("ICB Code", "STP_CODE", "System Code", "stp_2020_09"),
    "system_name": ("Integrated Care Board Name", "STP_NAME", "System Name", "stp_name_2020_09"),
    "region": ("Region Code", "COMM_REGION_CODE", "region_2020_09"),
    "region_name": ("Region Name", "COMM_REGION_NAME", "region_2020_09"),
}
Place = tuple[Any, ...]


def place_of(cell: Any, placed: dict[str, Place]) -> str:
    """The commissioner of a row, whose place is kept. Raises `BadCell` where a row further up says another."""
    commissioner = organisation(cell("commissioner"), "commissioner")
    values = (
        text(cell("name"), "name"),
        organisation(cell("system"), "system"),
        text(cell("system_name"), "system_name"),
        organisation(cell("region"), "region"),
        text(cell("region_name"), "region_name"),
    )
    if placed.setdefault(commissioner, values)[1::2] != values[1::2]:
        raise BadCell("system", "placed_twice", f"{commissioner} stands in another system further up.")
    return commissioner


async def load_hierarchy(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Place every commissioner of the file in its system and region from the snapshot day on."""
    table = find_table(open_sheets(source.upload), HEADINGS)
    if table is None:
        raise refused("not_a_hierarchy", "No table with commissioner, system and region was found.")
    outcome, placed, rows_of = Outcome(), dict[str, Place](), Counter[str]()
    for line, cell in table.records():
        outcome.rows += 1
        try:
            rows_of[place_of(cell, placed)] += 1
        except BadCell as error:
            outcome.refuse(table.sheet, line, error)
    await source.was_read(outcome.rows)
    if not placed:
        raise refused("no_rows", "The file holds no commissioner that can be read.")
    changed = await place(session, placed, source.snapshot or source.published_on, source, now, outcome)
    outcome.loaded = sum(rows_of[code] for code in changed)
    outcome.unchanged = rows_of.total() - outcome.loaded
    return outcome


async def place(
    session: AsyncSession, placed: dict[str, Place], first: date, source: Source, now: datetime, outcome: Outcome
) -> set[str]:
    """Have commissioners stand in these places from `first` on, until a later day of which the register knows more."""
    await enter(session, Commissioner, placed)
    held = await held_pieces(session, Placement, "commissioner", PLACED, list(placed))
    desired: dict[Key, list[Piece]] = {
        (code,): from_day_on(
            held.get(code, []), first, (min([first, *(p.span[0] for p in held.get(code, []))]), None), values
        )
        for code, values in placed.items()
    }
    done = await reconcile(
        session,
        Placement,
        key=("commissioner",),
        values=PLACED,
        desired=desired,
        published=source.published,
        now=now,
    )
    await note_placed(session, done, now)
    outcome.changes["commissioners placed"] = len(done.changed)
    outcome.events.extend(placed_events(done))
    return {code for (code,) in done.changed}
