"""List sizes of a file on their way to the register: one line a practice, one head count a basis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.list_sizes.model import Basis, Confidence, ListSize
from services.registry.ods.practice_events import PracticeRow, tell_practices
from services.registry.ods.practices import register_practices
from services.registry.ods.readers import BadCell, Outcome, Source, day, network, refused
from services.registry.ods.reconcile import Key, Piece, reconcile
from services.registry.practices.model import Practice, PracticeStatus
from shared.events.registry import ListSize as PublishedSize
from shared.events.registry import ListSizesPublished

SIZES_IN_AN_EVENT = 200
VALUES = ("value", "commissioner", "network", "source", "confidence")
NO_NETWORK = {"", "U", "UNALLOCATED", "UNKNOWN OR NO PCN", "UNKNOWN"}


@dataclass(frozen=True, slots=True)
class Line:
    """One practice of a population file: name, commissioner, the network it names, a head count a basis."""

    practice: str
    name: str
    commissioner: str
    network: str | None
    counts: tuple[tuple[Basis, Decimal], ...]


def named_network(value: Any, column: str) -> str | None:
    """The network a cell names; the ways in which publishers say there is none are several."""
    return None if str(value).strip().upper() in NO_NETWORK else network(value, column)


def snapshot_of(source: Source) -> date:
    if source.snapshot is None:
        raise refused("snapshot_missing", "Say in `snapshot` which day the lists are of.")
    return source.snapshot


def extracted_on(days: Mapping[str, int], source: Source) -> date:
    """The day every row of a publication bears. Raises `FileRefused` where rows differ or the form says another."""
    found = {day(words, "extract date") for words in days}
    if len(found) != 1:
        raise refused("several_days", f"Its rows bear {len(found)} days of extraction.")
    (only,) = found
    if only is None or (source.snapshot is not None and source.snapshot != only):
        raise refused("another_snapshot", f"The file is of {only}, not of {source.snapshot}.")
    return only


def keep(lines: dict[str, Line], line: Line) -> None:
    if line.practice in lines:
        raise BadCell("practice", "repeated", f"{line.practice} stands further up.")
    lines[line.practice] = line


async def enter_unknown(
    session: AsyncSession, lines: dict[str, Line], source: Source, snapshot: date, now: datetime, outcome: Outcome
) -> None:
    """A place with registered patients that the practice file did not bring is entered from this sheet."""
    known = set(
        (
            await session.scalars(select(Practice.code).where(Practice.code == any_(literal(list(lines), ARRAY(Text)))))
        ).all()
    )
    rows = [
        PracticeRow(code, line.name, PracticeStatus.ACTIVE, line.commissioner, (snapshot, None), (snapshot, None), None)
        for code, line in lines.items()
        if code not in known
    ]
    if rows:
        await register_practices(session, rows, source, now)
        outcome.changes["practices entered from this file"] = len(rows)
        outcome.events.extend(tell_practices(rows, source.published_on))


async def store(
    session: AsyncSession,
    lines: dict[str, Line],
    source: Source,
    snapshot: date,
    now: datetime,
    outcome: Outcome,
    words: str,
    confidence: Confidence,
) -> None:
    if not lines:
        raise refused("no_rows", "The file holds no list size that can be read.")
    span = (snapshot, snapshot + timedelta(days=1))
    desired: dict[Key, list[Piece]] = {
        (practice, basis.value): [Piece(span, (count, line.commissioner, line.network, words, confidence))]
        for practice, line in lines.items()
        for basis, count in line.counts
    }
    done = await reconcile(
        session,
        ListSize,
        key=("practice", "basis"),
        values=VALUES,
        desired=desired,
        published=source.published,
        now=now,
        within=[ListSize.valid.contains(snapshot)],
    )
    changed = {practice for practice, _ in done.changed}
    outcome.loaded, outcome.unchanged = len(changed), len(lines) - len(changed)
    outcome.changes["list sizes"] = len(done.changed)
    grouped: dict[tuple[str, Basis], list[PublishedSize]] = defaultdict(list)
    for practice, basis in sorted(done.changed):
        line = lines[practice]
        count = dict(line.counts)[Basis(basis)]
        grouped[line.commissioner, Basis(basis)].append(
            PublishedSize(practice=practice, network=line.network, value=count)
        )
    outcome.events.extend(
        ListSizesPublished(
            commissioner=commissioner,
            basis=basis.value,
            snapshot=snapshot,
            known_from=source.published_on,
            source=words,
            confidence=confidence.value,
            sizes=sizes[at : at + SIZES_IN_AN_EVENT],
        )
        for (commissioner, basis), sizes in sorted(grouped.items())
        for at in range(0, len(sizes), SIZES_IN_AN_EVENT)
    )
