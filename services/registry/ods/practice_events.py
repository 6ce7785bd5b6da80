"""What other services are told of practices: many at once by commissioner, or one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.ods.reconcile import Span
from services.registry.practices.model import PracticeCommissioner, PracticeEntry, PracticeStatus
from shared.events import Event
from shared.events.registry import PracticeFact, PracticeRegistered, PracticesPublished
from shared.facts import ONE_DAY, currently_known

PRACTICES_IN_AN_EVENT = 200


@dataclass(frozen=True, slots=True)
class PracticeRow:
    """One practice as a file gives it; `open_span` and `commissioned` are half-open."""

    code: str
    name: str
    status: PracticeStatus
    commissioner: str
    open_span: Span
    commissioned: Span
    setting: str | None


def _fact(row: PracticeRow, as_at: date) -> PracticeFact:
    closed = None if row.open_span[1] is None else row.open_span[1] - ONE_DAY
    return PracticeFact(
        practice=row.code,
        practice_name=row.name,
        commissioner=row.commissioner,
        opened_on=row.open_span[0],
        closed_on=closed,
        status="closed" if closed is not None and closed < as_at else row.status.value,
    )


def publish_practices(rows: Iterable[PracticeRow], as_at: date) -> list[Event]:
    """Bulk facts by commissioner, cut into pieces."""
    by_commissioner: Mapping[str, list[PracticeFact]] = defaultdict(list)
    for row in rows:
        by_commissioner[row.commissioner].append(_fact(row, as_at))
    return [
        PracticesPublished(commissioner=commissioner, as_at=as_at, practices=facts[at : at + PRACTICES_IN_AN_EVENT])
        for commissioner, facts in sorted(by_commissioner.items())
        for at in range(0, len(facts), PRACTICES_IN_AN_EVENT)
    ]


def tell_practices(rows: Iterable[PracticeRow], as_at: date) -> list[Event]:
    """Practices met in another file than the practice file, one by one."""
    return [PracticeRegistered(practice=_fact(row, as_at)) for row in rows]


async def tell_practices_held(session: AsyncSession, codes: Sequence[str], as_at: date) -> list[Event]:
    """Practices as the register has them now, each under its last commissioner."""
    if not codes:
        return []
    wanted = any_(literal(list(codes), ARRAY(Text)))
    commissioned = select(PracticeCommissioner.practice, PracticeCommissioner.commissioner).where(
        PracticeCommissioner.practice == wanted, currently_known(PracticeCommissioner)
    )
    by = dict((await session.execute(commissioned.order_by(func.lower(PracticeCommissioner.valid)))).all())
    entries = select(
        PracticeEntry.practice,
        PracticeEntry.name,
        PracticeEntry.status,
        func.lower(PracticeEntry.valid),
        func.upper(PracticeEntry.valid),
    ).where(PracticeEntry.practice == wanted, currently_known(PracticeEntry))
    rows: dict[str, PracticeRow] = {}
    for code, name, status, first, after in await session.execute(entries.order_by(func.lower(PracticeEntry.valid))):
        opened = rows[code].open_span[0] if code in rows else first
        rows[code] = PracticeRow(
            code, name, PracticeStatus(status), by.get(code, ""), (opened, after), (first, after), None
        )
    return publish_practices([rows[code] for code in sorted(rows)], as_at)
