"""Where commissioners stand: the sub-ICB lookup, or the practice map of the registered-patients publication."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Commissioner, Placement
from services.registry.hierarchy.placing import PLACED, enter, note_placed, placed_events
from services.registry.ods.readers import BadCell, Outcome, Source, find_table, open_sheets, organisation, refused, text
from services.registry.ods.reconcile import Key, Piece, from_day, held_pieces, reconcile

HEADINGS = {
    "commissioner": ("Sub ICB Location ODS Code", "CCG_CODE", "Commissioner Code"),
    "name": ("Sub ICB Location Name", "CCG_NAME", "Commissioner Name"),
    "system": ("ICB Code", "STP_CODE", "System Code"),
    "system_name": ("Integrated Care Board Name", "STP_NAME", "System Name"),
    "region": ("Region Code", "COMM_REGION_CODE"),
    "region_name": ("Region Name", "COMM_REGION_NAME"),
}


async def load_hierarchy(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Place every commissioner of the file in its system and region from the snapshot day on."""
    table = find_table(open_sheets(source.upload), HEADINGS)
    if table is None:
        raise refused("not_a_hierarchy", "No table with commissioner, system and region was found.")
    outcome, placed = Outcome(), dict[str, tuple[Any, ...]]()
    first = source.snapshot or source.published_on
    rows_of = dict[str, int]()
    for line, cell in table.records():
        outcome.rows += 1
        try:
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
            rows_of[commissioner] = rows_of.get(commissioner, 0) + 1
        except BadCell as error:
            outcome.refuse(table.sheet, line, error)
    if not placed:
        raise refused("no_rows", "The file holds no commissioner that can be read.")
    await enter(session, Commissioner, placed)
    held = await held_pieces(session, Placement, "commissioner", PLACED, list(placed))
    desired: dict[Key, list[Piece]] = {
        (code,): from_day(
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
    outcome.loaded = sum(rows_of[code] for (code,) in done.changed)
    outcome.unchanged = sum(rows_of.values()) - outcome.loaded
    outcome.changes["commissioners placed"] = len(done.changed)
    await note_placed(session, done, now)
    outcome.events.extend(placed_events(done))
    return outcome
