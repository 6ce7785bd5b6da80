from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, time

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Placement, Succession
from services.registry.imports.model import Import, ImportKind, ImportState, NewerFileImported
from services.registry.imports.progress import Progress
from services.registry.list_sizes.model import ListSize
from services.registry.networks.model import Membership, Network, NetworkEntry
from services.registry.networks.operations import lock_register
from services.registry.ods.endings import end_with_entries
from services.registry.ods.hierarchy import load_hierarchy
from services.registry.ods.maps import load_map
from services.registry.ods.networks import load_networks
from services.registry.ods.populations import (
    load_adjusted_populations,
    load_average_lists,
    load_practice_totals,
    load_weighted_lists,
)
from services.registry.ods.practices import load_practices
from services.registry.ods.readers import Outcome, Source, Upload
from services.registry.ods.succession import load_succession
from services.registry.practices.model import Practice, PracticeCommissioner, PracticeEntry
from shared.audit import audit
from shared.clock import london_day
from shared.errors import DomainError, Fault, Invalid
from shared.messaging import announce_many

OF_ONE_DAY = (
    ImportKind.ADJUSTED_POPULATIONS,
    ImportKind.PRACTICE_PAYMENTS,
    ImportKind.PRACTICE_TOTALS,
    ImportKind.AVERAGE_LISTS,
)
"""A file of another snapshot day says nothing of this one's."""

Loader = Callable[[AsyncSession, Source, datetime], Awaitable[Outcome]]

LOADERS: dict[ImportKind, Loader] = {
    ImportKind.HIERARCHY: load_hierarchy,
    ImportKind.EPRACCUR: load_practices,
    ImportKind.EPCN: load_networks,
    ImportKind.ADJUSTED_POPULATIONS: load_adjusted_populations,
    ImportKind.PRACTICE_PAYMENTS: load_weighted_lists,
    ImportKind.PRACTICE_MAP: load_map,
    ImportKind.PRACTICE_TOTALS: load_practice_totals,
    ImportKind.AVERAGE_LISTS: load_average_lists,
    ImportKind.SUCCESSION: load_succession,
}


CHANGED_TABLES = [
    model.__tablename__
    for model in (
        Placement,
        Succession,
        Practice,
        PracticeEntry,
        PracticeCommissioner,
        Network,
        NetworkEntry,
        Membership,
        ListSize,
    )
]


MANY_ROWS = 1000


async def import_file(
    session: AsyncSession,
    kind: ImportKind,
    upload: Upload,
    *,
    partners: Upload | None,
    published_on: date,
    snapshot: date | None,
    by: str,
    now: datetime,
    progress: Progress,
) -> Import:
    """Take in one register file: good rows load, bad ones are reported, the same bytes again change nothing.

    Raises `Invalid` for a day of publication to come, `FileRefused` for a file that is not what it says, and
    `NewerFileImported` where a later publication of the same kind (and snapshot) is on the register.
    """
    if published_on > london_day(now):
        fault = Fault("published_on", "in_the_future", f"{published_on} has not come yet.")
        raise Invalid("The file cannot have been published yet.", errors=[fault])
    progress = await progress.begun(
        session,
        kind=kind,
        file_name=upload.name if partners is None else f"{upload.name} + {partners.name}",
        sha256=_digest(upload, partners),
        published_on=published_on,
        snapshot=snapshot,
        imported_at=now,
        imported_by=by,
    )
    # two files at once would both compare themselves with the register as it was before either
    await lock_register(session)
    record = await session.get_one(Import, progress.id, populate_existing=True)
    try:
        await _load(session, record, upload, partners, now, progress)
    except DomainError as error:
        await progress.was_refused(error)
        raise
    record.state, record.stage = ImportState.LOADED, "loaded"
    return record


def _digest(upload: Upload, partners: Upload | None) -> str:
    digest = hashlib.sha256(upload.data)
    if partners is not None:
        digest.update(partners.data)
    return digest.hexdigest()


async def _load(
    session: AsyncSession,
    record: Import,
    upload: Upload,
    partners: Upload | None,
    now: datetime,
    progress: Progress,
) -> None:
    same = await session.scalar(
        select(Import)
        .where(Import.kind == record.kind, Import.sha256 == record.sha256, Import.published_on == record.published_on)
        .where(Import.snapshot.is_not_distinct_from(record.snapshot), Import.state == ImportState.LOADED)
        .order_by(Import.id)
        .limit(1)
    )
    if same is not None:
        record.rows, record.loaded, record.unchanged = same.rows, 0, same.loaded + same.unchanged
        record.refused, record.differences = same.refused, same.differences
        return
    latest = await _latest(session, record.kind, record.snapshot)
    if latest is not None and latest.published_on > record.published_on:
        raise NewerFileImported(
            f"{latest.file_name}, published {latest.published_on}, is on the register already ({latest.id})."
        )
    published = datetime.combine(record.published_on, time(), tzinfo=UTC)
    await progress.came_to("reading")
    source = Source(upload, partners, record.published_on, published, record.snapshot, progress.came_to)
    outcome = await LOADERS[record.kind](session, source, now)
    outcome.events.extend(await end_with_entries(session, published, now))
    # before the record is written to: a row this transaction holds could not be written to from beside it
    await progress.came_to("announcing", outcome.rows)
    record.rows, record.loaded, record.unchanged = outcome.rows, outcome.loaded, outcome.unchanged
    record.refused = [asdict(refusal) for refusal in outcome.refused]
    record.differences, record.changes = outcome.differences, dict(outcome.changes)
    audit(
        session,
        action="import",
        record=f"imports/{record.id}",
        after={
            "kind": record.kind,
            "file": record.file_name,
            "sha256": record.sha256,
            "changes": record.changes,
        },
    )
    await announce_many(session, outcome.events)
    if outcome.loaded >= MANY_ROWS:
        # without fresh statistics the next readers of so many new rows would wait for bad plans
        await session.execute(text(f"ANALYZE {', '.join(CHANGED_TABLES)}"))


async def _latest(session: AsyncSession, kind: ImportKind, snapshot: date | None) -> Import | None:
    of_kind = select(Import).where(Import.kind == kind, Import.state == ImportState.LOADED)
    if kind is ImportKind.SUCCESSION:
        return None  # each file is of its own days; what one says of a predecessor again puts that right
    if kind in OF_ONE_DAY:
        of_kind = of_kind.where(Import.snapshot == snapshot)
    newest = of_kind.order_by(Import.published_on.desc(), Import.imported_at.desc(), Import.id.desc()).limit(1)
    found: Import | None = await session.scalar(newest)
    return found
