"""The practice map of the registered-patients publication: on one day, each practice with its network and its place.

It is a photograph, not a history: where the register knows otherwise, what the map shows holds from its day on, and
where a later network file has been taken in, the register knows better and the differences are only listed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.pieces import handed_over, in_order
from services.registry.networks.model import Membership, Network, NetworkEntry
from services.registry.ods.hierarchy import HEADINGS, Place, place, place_of
from services.registry.ods.list_lines import extracted_on, named_network
from services.registry.ods.network_events import NetworkRow, tell_changes
from services.registry.ods.networks import WHOLE_LIST, decided_after
from services.registry.ods.practice_events import PracticeRow, tell_practices, tell_practices_held
from services.registry.ods.practices import register_practices
from services.registry.ods.readers import (
    BadCell,
    Outcome,
    Sheet,
    Source,
    find_table,
    open_sheets,
    organisation,
    refused,
    text,
)
from services.registry.ods.reconcile import Key, Piece, held_pieces, reconcile
from services.registry.practices.model import Practice, PracticeCommissioner, PracticeStatus
from shared.facts import as_at

MAP = {
    "day": ("EXTRACT_DATE",),
    "practice": ("PRACTICE_CODE",),
    "practice name": ("PRACTICE_NAME",),
    "network": ("PCN_CODE",),
    "network name": ("PCN_NAME",),
    **{column: HEADINGS[column] for column in HEADINGS},
}


@dataclass(frozen=True, slots=True)
class MapRow:
    line: int
    practice: str
    name: str
    commissioner: str
    network: str | None
    network_name: str


async def load_map(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Places of commissioners, who commissions each practice, and which network it is in, from the map's day on."""
    table = find_table(open_sheets(source.upload), MAP)
    if table is None:
        raise refused(
            "not_a_practice_map", "No table with practice, network, commissioner, system and region was found."
        )
    outcome, rows, placed, days = Outcome(), dict[str, MapRow](), dict[str, Place](), dict[str, int]()
    for line, cell in table.records():
        outcome.rows += 1
        try:
            row = _row(line, cell)
            if row.practice in rows:
                raise BadCell("practice", "repeated", f"{row.practice} stands further up.")
            place_of(cell, placed)
            rows[row.practice] = row
            days.setdefault(str(cell("day")), line)
        except BadCell as error:
            outcome.refuse(table.sheet, line, error)
    await source.was_read(outcome.rows)
    if not rows:
        raise refused("no_rows", "The file holds no practice that can be read.")
    first = extracted_on(days, source)
    await place(session, placed, first, source, now, outcome)
    await _enter(session, rows, first, source, now, outcome)
    changed = await _commission(session, rows, first, source, now, outcome)
    changed |= await _move(session, table.sheet, rows, first, source, now, outcome)
    outcome.loaded = len(changed & set(rows))
    outcome.unchanged = len(rows) - outcome.loaded
    return outcome


def _row(line: int, cell: Any) -> MapRow:
    return MapRow(
        line,
        organisation(cell("practice"), "practice"),
        text(cell("practice name"), "practice name"),
        organisation(cell("commissioner"), "commissioner"),
        named_network(cell("network"), "network"),
        text(cell("network name"), "network name"),
    )


async def _enter(
    session: AsyncSession, rows: Mapping[str, MapRow], first: date, source: Source, now: datetime, outcome: Outcome
) -> None:
    """A practice the practice file did not bring is entered from the map."""
    held = select(Practice.code).where(Practice.code == any_(literal(list(rows), ARRAY(Text))))
    known = set((await session.scalars(held)).all())
    span = (first, None)
    fresh = [
        PracticeRow(code, row.name, PracticeStatus.ACTIVE, row.commissioner, span, span, None)
        for code, row in rows.items()
        if code not in known
    ]
    if fresh:
        await register_practices(session, fresh, source, now)
        outcome.changes["practices entered from this file"] = len(fresh)
        outcome.events.extend(tell_practices(fresh, source.published_on))


async def _commission(
    session: AsyncSession, rows: Mapping[str, MapRow], first: date, source: Source, now: datetime, outcome: Outcome
) -> set[str]:
    """From the map's day on each practice is commissioned as it shows; whoever it does not show is left alone."""
    held = await held_pieces(session, PracticeCommissioner, "practice", ("commissioner",), list(rows))
    desired: dict[Key, list[Piece]] = {}
    for code, row in rows.items():
        pieces = held.get(code, [])
        now_by = [piece for piece in pieces if piece.span[0] <= first < (piece.span[1] or date.max)]
        if now_by and now_by[0].values != (row.commissioner,):
            desired[code,] = handed_over(
                pieces,
                first,
                lambda values, old=now_by[0].values, new=row.commissioner: (new,) if values == old else values,  # type: ignore[misc]
            )
    done = await reconcile(
        session,
        PracticeCommissioner,
        key=("practice",),
        values=("commissioner",),
        desired=desired,
        published=source.published,
        now=now,
    )
    changed = {practice for (practice,) in done.changed}
    outcome.changes["practices that changed commissioner"] = len(changed)
    outcome.events.extend(await tell_practices_held(session, sorted(changed), source.published_on))
    return changed


async def _move(
    session: AsyncSession,
    sheet: Sheet,
    rows: Mapping[str, MapRow],
    first: date,
    source: Source,
    now: datetime,
    outcome: Outcome,
) -> set[str]:
    """Joins and leaves from the map's day on, unless a later file or a round has said otherwise already."""
    members: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    standing = select(Membership.practice, Membership.network, Membership.portion).where(as_at(Membership, first))
    for practice, network, portion in await session.execute(standing):
        members[practice].append((network, portion))
    differing = {
        code: row
        for code, row in rows.items()
        if [network for network, _ in members[code]] != ([row.network] if row.network else [])
    }
    learned = await session.scalar(select(func.max(func.lower(Membership.known))).where(Membership.round.is_(None)))
    if learned is not None and learned > source.published:
        outcome.differences += [
            {
                "practice": code,
                "name": row.name,
                "sheet": row.network,
                "register": ", ".join(network for network, _ in members[code]) or None,
            }
            for code, row in sorted(differing.items())
        ]
        return set()
    decided = await decided_after(session, source.published_on)
    for code in [code for code in differing if code in decided or len(members[code]) > 1]:
        reason = (
            f"The register has decided the membership of {code} otherwise: {decided.get(code, 'its list is split')}."
        )
        outcome.refuse(sheet, differing.pop(code).line, BadCell("network", "decided_later", reason))
    held = await held_pieces(session, Membership, "practice", ("network", "portion"), sorted(differing))
    desired: dict[Key, list[Piece]] = {}
    for code, row in differing.items():
        before = handed_over(held.get(code, []), first, lambda _: None)
        after = [Piece((first, None), (row.network, WHOLE_LIST))] if row.network else []
        desired[code,] = in_order([*before, *after])
    networks, fresh, entries = await _networks(session, rows, desired, first, source, now)
    done = await reconcile(
        session,
        Membership,
        key=("practice",),
        values=("network", "portion"),
        desired=desired,
        published=source.published,
        now=now,
    )
    outcome.changes["networks entered"] = len(fresh)
    await tell_changes(session, networks, fresh, entries, done, source, outcome)
    return {practice for (practice,) in done.changed}


async def _networks(
    session: AsyncSession,
    rows: Mapping[str, MapRow],
    desired: Mapping[Key, list[Piece]],
    first: date,
    source: Source,
    now: datetime,
) -> tuple[dict[str, NetworkRow], set[Any], Any]:
    """Networks the register has not met are entered under the commissioner most of their practices have."""
    shown: dict[str, list[MapRow]] = defaultdict(list)
    for row in rows.values():
        if row.network:
            shown[row.network].append(row)
    known = set((await session.scalars(select(Network.code))).all())
    fresh = sorted(set(shown) - known)
    if fresh:
        await session.execute(insert(Network), [{"code": c, "changed_at": now, "version": 1} for c in fresh])
    new = {
        code: NetworkRow(
            code,
            shown[code][0].network_name,
            min(Counter(row.commissioner for row in shown[code]).items(), key=lambda pair: (-pair[1], pair[0]))[0],
            (first, None),
        )
        for code in fresh
    }
    entries = await reconcile(
        session,
        NetworkEntry,
        key=("network",),
        values=("name", "commissioner"),
        desired={(code,): [Piece(row.span, (row.name, row.commissioner))] for code, row in new.items()},
        published=source.published,
        now=now,
    )
    touched = {piece.values[0] for pieces in desired.values() for piece in pieces} - set(new)
    held = await held_pieces(session, NetworkEntry, "network", ("name", "commissioner"), sorted(touched))
    old = {code: _row_of(code, pieces) for code, pieces in held.items()}
    return {**old, **new}, set(fresh), entries


def _row_of(code: str, pieces: list[Piece]) -> NetworkRow:
    ordered = in_order(pieces)
    name, lead = ordered[-1].values
    return NetworkRow(code, name, lead, (ordered[0].span[0], ordered[-1].span[1]))
