"""What others see of an import while it runs. The file itself is one transaction, invisible until it is whole; how far
it has come is noted in short ones of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.imports.model import Import, ImportKind, ImportState
from shared.audit import act_alike, audit
from shared.errors import DomainError, Fault

Sessions = Callable[[], AbstractAsyncContextManager[AsyncSession]]


def _running(id: str) -> Any:
    return func.hashtextextended(f"import {id}", 0)


@dataclass(frozen=True, slots=True)
class Progress:
    """Notes how far one import has come."""

    begin: Sessions
    id: str

    async def begun(self, whole: AsyncSession, **what: Any) -> Progress:
        """From here on the import is seen, and its caller answers for it, also where the file is refused.

        An import of the same bytes that died on the way is taken up again and keeps its id: returned is the progress of
        the one that now runs, which the whole transaction holds.
        """
        left = await _take_up(whole, **what)
        taken = self if left is None else replace(self, id=left)
        await hold(whole, taken.id)
        nothing = {"rows": 0, "loaded": 0, "unchanged": 0, "refused": [], "differences": [], "changes": {}}
        values = {"state": ImportState.RUNNING, "stage": "waiting", "version": 1, **nothing, **what}
        row = insert(Import).values(id=taken.id, **values).on_conflict_do_update(index_elements=["id"], set_=values)
        async with self.begin() as session:
            act_alike(session, whole)
            await session.execute(row)
            action = "created" if left is None else "taken up again"
            audit(session, action=action, record=f"{Import.__tablename__}/{taken.id}", after=what)
        return taken

    async def came_to(self, stage: str, rows: int | None = None) -> None:
        values: dict[str, Any] = {"stage": stage} | ({} if rows is None else {"rows": rows})
        async with self.begin() as session:
            await session.execute(update(Import).where(Import.id == self.id).values(**values))

    async def was_refused(self, error: DomainError) -> None:
        """Nothing of the file was loaded; what was wrong with it stays to be read."""
        first = error.errors[0] if error.errors else Fault("file", error.code, str(error))
        why = {"file": "", "line": 0, "column": first.field, "code": first.code, "reason": first.message}
        values = {"state": ImportState.REFUSED, "stage": "refused", "reason": str(error), "refused": [why]}
        async with self.begin() as session:
            await session.execute(update(Import).where(Import.id == self.id).values(**values))


async def _take_up(
    session: AsyncSession, *, kind: ImportKind, sha256: str, published_on: date, snapshot: date | None, **_: Any
) -> str | None:
    """An import of just this file that nobody runs any more, held from here on."""
    left = await session.scalars(
        select(Import.id)
        .where(Import.state == ImportState.RUNNING, Import.kind == kind, Import.sha256 == sha256)
        .where(Import.published_on == published_on, Import.snapshot.is_not_distinct_from(snapshot))
        .order_by(Import.id)
    )
    for id in left.all():
        if await session.scalar(select(func.pg_try_advisory_xact_lock(_running(id)))):
            still: ImportState | None = await session.scalar(select(Import.state).where(Import.id == id))
            if still is ImportState.RUNNING:
                return id
    return None


async def hold(session: AsyncSession, id: str) -> None:
    """As long as this transaction lives, the import is running; whatever ends it lets go."""
    await session.execute(select(func.pg_advisory_xact_lock(_running(id))))


async def still_runs(session: AsyncSession, id: str) -> bool:
    """Whether somebody holds an import; if nobody does, whoever ran it died."""
    return not await session.scalar(select(func.pg_try_advisory_xact_lock_shared(_running(id))))
