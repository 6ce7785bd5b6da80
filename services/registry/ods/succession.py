"""Who succeeded whom: a list of successions with their days, or a lookup of commissioners through the years."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Heir, Level, Placement, Plan, SuccessionKind
from services.registry.hierarchy.queries import names_of
from services.registry.hierarchy.succession import Recording, succeed
from services.registry.ods.readers import (
    BadCell,
    Outcome,
    Sheet,
    Source,
    Table,
    day,
    find_table,
    open_sheets,
    organisation,
    plain,
    refused,
    text,
)
from shared.facts import currently_known

LISTED = {
    "level": ("Level",),
    "predecessor": ("Predecessor Code",),
    "kind": ("Kind",),
    "day": ("Succeeded On",),
    "successor": ("Successor Code",),
    "name": ("Successor Name",),
    "part": ("Part Code",),
    "inherits": ("Inherits",),
}
YEARS = re.compile(r"^ccg(?:_or_subicb)?_(\d{4})_(\d{2})$")
BY = "register"


@dataclass(slots=True)
class Said:
    """What the rows of one predecessor say together."""

    level: Level
    kind: SuccessionKind
    on: date
    line: int
    inherits: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


async def load_succession(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Record the successions of a file, and all that follows: places, practices and networks change hands."""
    sheets = open_sheets(source.upload)
    outcome = Outcome()
    listed = find_table(sheets, LISTED)
    if listed is not None:
        plans, lines, sheet = await _listed(session, listed, source, outcome)
    else:
        plans, lines, sheet = _through_the_years(sheets, source, outcome)
    await source.was_read(outcome.rows)
    if not plans:
        raise refused("no_rows", "The file holds no succession that can be read.")
    recording = Recording(BY, source.published, now, partly=True)
    followed = await succeed(session, plans, recording)
    for code, faults in sorted(followed.refused.items()):
        for fault in faults:
            outcome.refuse(sheet, lines[code], BadCell(fault.field, fault.code, fault.message))
    divided = {plan.predecessor: plan.on for plan in plans if plan.level is Level.COMMISSIONER and not plan.goes_on}
    for plan, part in followed.left_over:
        if divided.get(part) == plan.on and not followed.refused.get(part):
            continue
        reason = (
            f"{plan.predecessor} is divided and nothing says to which heir {part} goes; from {plan.on} it has none."
        )
        outcome.refuse(sheet, lines[plan.predecessor], BadCell("part", "part_missing", reason))
    done = {plan.predecessor for plan in plans} - {code for code, faults in followed.refused.items() if faults}
    outcome.loaded = len(done & followed.changed)
    outcome.unchanged = len(done) - outcome.loaded
    outcome.changes.update(followed.changes)
    outcome.events.extend(followed.events)
    return outcome


async def _listed(
    session: AsyncSession, table: Table, source: Source, outcome: Outcome
) -> tuple[list[Plan], dict[str, int], Sheet]:
    """Rows of one predecessor belong together: one for each heir, or for each part that goes to one."""
    said: dict[str, Said] = {}
    for line, cell in table.records():
        outcome.rows += 1
        try:
            _read(line, cell, said)
        except BadCell as error:
            outcome.refuse(table.sheet, line, error)
    plans = []
    stands = await _stands(session, said)
    for level in Level:
        of_level = {code: one for code, one in said.items() if one.level is level}
        codes = sorted({*of_level, *(heir for one in of_level.values() for heir in one.names)})
        known = await names_of(session, level, codes, None)
        for code, one in of_level.items():
            if code not in known and code not in {heir for other in of_level.values() for heir in other.names}:
                unknown = BadCell("predecessor", "unknown", f"{code} is not on the register.")
                outcome.refuse(table.sheet, one.line, unknown)
                continue
            heirs = tuple(
                Heir(heir, name or known.get(heir), tuple(one.parts[heir]), stands=stands.get(heir))
                for heir, name in one.names.items()
            )
            reason = f"Read from {source.upload.name}."
            # a system decides nothing in the register, so which of its heirs is named first does no harm
            divided = one.kind is SuccessionKind.SPLIT and level is Level.SYSTEM
            inherits = one.inherits or (heirs[0].code if divided else None)
            plans.append(Plan(level, code, one.kind, one.on, heirs, reason, inherits))
    return plans, {code: one.line for code, one in said.items()}, table.sheet


async def _stands(session: AsyncSession, said: dict[str, Said]) -> dict[str, tuple[str, ...]]:
    """Where new commissioners stand that a file names as parts of a divided system: what comes into being on the day of
    the division is none of its parts, and stands with the heir from its first day.
    """
    divided = {code: one for code, one in said.items() if one.level is Level.COMMISSIONER}
    wanted = {*divided, *(heir for one in divided.values() for heir in one.names)}
    held = select(Placement).where(currently_known(Placement), Placement.commissioner.in_(wanted))
    places: dict[str, list[Placement]] = defaultdict(list)
    for place in await session.scalars(held.order_by(func.lower(Placement.valid))):
        places[place.commissioner].append(place)
    came_from = {
        heir: (places[code][-1], one.on)
        for code, one in divided.items()
        for heir in one.names
        if places[code] and not any(place.valid_from < one.on for place in places[heir])
    }
    names = await names_of(session, Level.SYSTEM, [heir for one in said.values() for heir in one.names], None)
    found: dict[str, tuple[str, ...]] = {}
    for system, one in said.items():
        for heir, parts in one.parts.items() if one.level is Level.SYSTEM else ():
            for part in list(parts):
                stood, on = came_from.get(part, (None, None))
                if stood is None or (stood.system, on) != (system, one.on):
                    continue
                parts.remove(part)
                found[part] = (heir, one.names[heir] or names.get(heir, heir), stood.region, stood.region_name)
    return found


def _read(line: int, cell: Any, said: dict[str, Said]) -> None:
    predecessor = organisation(cell("predecessor"), "predecessor")
    successor = organisation(cell("successor"), "successor")
    try:
        level, kind = Level(text(cell("level"), "level")), SuccessionKind(text(cell("kind"), "kind"))
    except ValueError as error:
        raise BadCell("kind", "unknown_kind", f"{error}.") from error
    on = day(cell("day"), "day")
    if on is None:
        raise BadCell("day", "missing", "The date is missing.")
    one = said.setdefault(predecessor, Said(level, kind, on, line))
    if (one.level, one.kind, one.on) != (level, kind, on):
        raise BadCell("kind", "contradicts", f"Line {one.line} says otherwise of {predecessor}.")
    one.names[successor] = text(cell("name"), "name", required=False) or one.names.get(successor, "")
    part = text(cell("part"), "part", required=False)
    if part:
        one.parts[successor].append(organisation(part, "part"))
    if text(cell("inherits"), "inherits", required=False).casefold() in ("yes", "true", "1"):
        one.inherits = successor


def _through_the_years(
    sheets: list[Sheet], source: Source, outcome: Outcome
) -> tuple[list[Plan], dict[str, int], Sheet]:
    """A column a year: who the commissioner was then. It names no day; commissioners change on the first of April.

    With a snapshot day, what had taken effect by then.
    """
    for sheet in sheets:
        heads = [plain(head) for head in (sheet.rows[0] if sheet.rows else ())]
        years = [(place, *map(int, found.groups())) for place, head in enumerate(heads) if (found := YEARS.match(head))]
        if len(years) > 1:
            break
    else:
        raise refused("not_a_succession", "No list of successions and no lookup of commissioners through the years.")
    plans: dict[tuple[str, date], Plan] = {}
    lines: dict[str, int] = {}
    for line, cells in enumerate(sheet.rows[1:], start=2):
        if not any(str(cell).strip() for cell in cells):
            continue
        outcome.rows += 1
        try:
            codes = [organisation(cells[place], heads[place]) for place, _, _ in years]
        except (BadCell, IndexError) as error:
            bad = error if isinstance(error, BadCell) else BadCell("row", "cut_short", "The row ends too early.")
            outcome.refuse(sheet, line, bad)
            continue
        for (old, new), (_, year, month) in zip(pairwise(codes), years[1:], strict=True):
            on = date(year if month >= 4 else year - 1, 4, 1)
            if old == new or (source.snapshot is not None and on > source.snapshot):
                continue
            reason = f"Read from {source.upload.name}."
            held = plans.setdefault(
                (old, on), Plan(Level.COMMISSIONER, old, SuccessionKind.MERGER, on, (Heir(new),), reason)
            )
            lines.setdefault(old, line)
            if held.codes != [new]:
                clash = BadCell(heads[0], "contradicts", f"Line {lines[old]} says {held.codes[0]} succeeded {old}.")
                outcome.refuse(sheet, line, clash)
    return list(plans.values()), lines, sheet
