"""epraccur: the register's practices. No header, 27 fields, and only about half of it is active GP practices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Text, any_, literal, select, union, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.list_sizes.model import ListSize
from services.registry.networks.model import Membership
from services.registry.ods.heirs import with_heirs
from services.registry.ods.practice_events import PracticeRow, tell_practices_held
from services.registry.ods.readers import BadCell, Outcome, Source, day, open_sheets, organisation, refused, text
from services.registry.ods.reconcile import Key, Piece, Reconciled, from_day, held_pieces, reconcile
from services.registry.practices.model import (
    GP_PRACTICE_SETTING,
    Practice,
    PracticeCommissioner,
    PracticeEntry,
    PracticeStatus,
)
from shared.events.registry import PracticeClosed
from shared.facts import ONE_DAY

FIELDS = 27
ENGLISH_REGIONS = ("Y5", "Y6")
# the entry of a closed practice says what it was while it was open; its last day says that it closed
STATUSES = {
    "A": PracticeStatus.ACTIVE,
    "C": PracticeStatus.ACTIVE,
    "D": PracticeStatus.DORMANT,
    "P": PracticeStatus.PROPOSED,
}


def _row(cells: Any) -> PracticeRow:
    code = organisation(cells[0], "practice code")
    status = STATUSES.get(cells[12])
    if status is None:
        raise BadCell("status", "unknown_status", f"{cells[12]!r} is not A, C, D or P.")
    opened, closed = day(cells[10], "open date"), day(cells[11], "close date", required=False)
    joined, left = day(cells[15], "joined", required=False), day(cells[16], "left", required=False)
    if opened is None:
        raise BadCell("open date", "missing", "The date is missing.")
    if cells[12] == "C" and closed is None:
        raise BadCell("close date", "missing", "A closed practice has no close date.")
    if closed and closed < opened:
        raise BadCell("close date", "closed_before_open", f"{closed} lies before {opened}.")
    joined = joined or opened
    last = left or closed
    if last and last < joined:
        raise BadCell("left", "left_before_joined", f"{last} lies before {joined}.")
    return PracticeRow(
        code=code,
        name=text(cells[1], "name"),
        status=status,
        commissioner=organisation(cells[14], "commissioner"),
        open_span=(opened, closed + ONE_DAY if closed else None),
        commissioned=(joined, last + ONE_DAY if last else None),
        setting=cells[25] or None,
    )


async def load_practices(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """English GP practices, and whatever else of the file is a network member or has a list."""
    sheet = open_sheets(source.upload)[0]
    if not sheet.rows or len(sheet.rows[0]) != FIELDS or not str(sheet.rows[0][25]).strip().isdigit():
        raise refused("not_epraccur", f"epraccur has {FIELDS} fields a row and no header.")
    wanted = await _known_elsewhere(session)
    outcome, rows = Outcome(), dict[str, PracticeRow]()
    for line, cells in enumerate(sheet.rows, start=1):
        if not cells:
            continue
        outcome.rows += 1
        try:
            if len(cells) != FIELDS:
                raise BadCell("row", "wrong_number_of_fields", f"{len(cells)} fields instead of {FIELDS}.")
            english = cells[25] == GP_PRACTICE_SETTING and str(cells[2]).startswith(ENGLISH_REGIONS)
            if not english and cells[0] not in wanted:
                outcome.changes["rows of other organisations"] += 1
                continue
            row = _row(cells)
            if row.code in rows:
                raise BadCell("practice code", "repeated", f"{row.code} stands further up.")
            rows[row.code] = row
        except BadCell as error:
            outcome.refuse(sheet, line, error)
    await source.was_read(outcome.rows)
    changed = await register_practices(session, rows.values(), source, now, outcome=outcome)
    outcome.loaded, outcome.unchanged = len(changed), len(rows) - len(changed)
    outcome.changes["practices entered or changed"] = len(changed)
    outcome.events[:0] = await tell_practices_held(session, sorted(changed), source.published_on)
    return outcome


async def _known_elsewhere(session: AsyncSession) -> set[str]:
    statement = union(select(Membership.practice), select(ListSize.practice), select(Practice.code))
    return set((await session.scalars(statement)).all())


async def register_practices(
    session: AsyncSession, rows: Iterable[PracticeRow], source: Source, now: datetime, *, outcome: Outcome | None = None
) -> set[str]:
    """Enter practices and what is dated about them; gives the codes of those that were new or changed.

    What became of those entered before (closed, open again, renamed) is noted in the outcome, closings as events too.
    """
    rows = list(rows)
    if not rows:
        return set()
    codes = [row.code for row in rows]
    settings = dict(
        (
            await session.execute(
                select(Practice.code, Practice.setting).where(Practice.code == any_(literal(codes, ARRAY(Text))))
            )
        ).all()
    )
    new = [row for row in rows if row.code not in settings]
    if new:
        await session.execute(
            insert(Practice), [{"code": row.code, "setting": row.setting, "version": 1} for row in new]
        )
    moved = [row for row in rows if row.code in settings and settings[row.code] != row.setting and row.setting]
    for row in moved:
        await session.execute(update(Practice).where(Practice.code == row.code).values(setting=row.setting))
    entries = await _entries(session, rows, source, now)
    commissioners = await _commissioners(session, rows, source, now)
    if outcome is not None:
        _note_changes(rows, entries, commissioners, outcome)
    return {row.code for row in new} | {k[0] for k in entries.changed | commissioners.changed}


def _note_changes(rows: list[PracticeRow], entries: Reconciled, commissioners: Reconciled, outcome: Outcome) -> None:
    """Count what became of practices the register had already, and tell of those that closed."""
    for row in rows:
        key = (row.code,)
        before = entries.before.get(key, [])
        if entries.touched(key) and before:
            last = max(before, key=lambda piece: piece.span[0])
            closed = row.open_span[1]
            if last.span[1] is None and closed is not None:
                outcome.changes["practices closed"] += 1
                outcome.events.append(
                    PracticeClosed(practice=row.code, commissioner=row.commissioner, closed_on=closed - ONE_DAY)
                )
            elif last.span[1] is not None and closed is None:
                outcome.changes["practices open again"] += 1
            outcome.changes["practices renamed"] += last.values[0] != row.name
        if commissioners.touched(key) and commissioners.before.get(key):
            outcome.changes["practices that changed commissioner"] += 1


async def _entries(session: AsyncSession, rows: list[PracticeRow], source: Source, now: datetime) -> Reconciled:
    held = await held_pieces(session, PracticeEntry, "practice", ("name", "status"), [row.code for row in rows])
    desired: dict[Key, list[Piece]] = {
        (row.code,): from_day(held.get(row.code, []), source.published_on, row.open_span, (row.name, row.status))
        for row in rows
    }
    return await reconcile(
        session,
        PracticeEntry,
        key=("practice",),
        values=("name", "status"),
        desired=desired,
        published=source.published,
        now=now,
    )


async def _commissioners(session: AsyncSession, rows: list[PracticeRow], source: Source, now: datetime) -> Reconciled:
    held = await held_pieces(session, PracticeCommissioner, "practice", ("commissioner",), [row.code for row in rows])
    desired: dict[Key, list[Piece]] = {}
    for row in rows:
        earlier = [
            Piece((p.span[0], min(p.span[1] or row.commissioned[0], row.commissioned[0])), p.values)
            for p in held.get(row.code, [])
            if p.span[0] < row.commissioned[0]
        ]
        desired[row.code,] = [*earlier, Piece(row.commissioned, (row.commissioner,))]
    return await reconcile(
        session,
        PracticeCommissioner,
        key=("practice",),
        values=("commissioner",),
        desired=await with_heirs(session, desired, held, 0),
        published=source.published,
        now=now,
    )
