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
from services.registry.practices.model import PracticeEntry, PracticeStatus, dispersed_of, told_of
from services.registry.practices.queries import (
    commissioned_through_time,
    dispersals_through_time,
    successions_through_time,
)
from shared.events import Event
from shared.events.registry import (
    Commissioned,
    Dispersed,
    PracticeFact,
    PracticeRegistered,
    PracticesPublished,
    WentOver,
)
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


def _fact(
    row: PracticeRow,
    as_at: date,
    commissioned: list[Commissioned],
    went_over: list[WentOver],
    dispersed: list[Dispersed],
) -> PracticeFact:
    closed = None if row.open_span[1] is None else row.open_span[1] - ONE_DAY
    return PracticeFact(
        practice=row.code,
        practice_name=row.name,
        commissioner=row.commissioner,
        opened_on=row.open_span[0],
        closed_on=closed,
        status="closed" if closed is not None and closed < as_at else row.status.value,
        commissioned=commissioned,
        went_over=went_over,
        dispersed=dispersed,
    )


def publish_practices(
    rows: Iterable[PracticeRow],
    as_at: date,
    commissioned: Mapping[str, list[Commissioned]],
    went_over: Mapping[str, list[WentOver]],
    dispersed: Mapping[str, list[Dispersed]],
) -> list[Event]:
    """Bulk facts by commissioner, cut into pieces."""
    by_commissioner: Mapping[str, list[PracticeFact]] = defaultdict(list)
    for row in rows:
        over, elsewhere = went_over.get(row.code, []), dispersed.get(row.code, [])
        fact = _fact(row, as_at, commissioned.get(row.code, []), over, elsewhere)
        by_commissioner[row.commissioner].append(fact)
    return [
        PracticesPublished(commissioner=commissioner, as_at=as_at, practices=facts[at : at + PRACTICES_IN_AN_EVENT])
        for commissioner, facts in sorted(by_commissioner.items())
        for at in range(0, len(facts), PRACTICES_IN_AN_EVENT)
    ]


def tell_practices(rows: Iterable[PracticeRow], as_at: date) -> list[Event]:
    """Practices met in another file than the practice file, one by one."""
    told: list[Event] = []
    for row in rows:
        first, after = row.commissioned
        last = None if after is None else after - ONE_DAY
        spell = Commissioned(commissioner=row.commissioner, valid_from=first, valid_to=last)
        told.append(PracticeRegistered(practice=_fact(row, as_at, [spell], [], [])))
    return told


async def tell_practices_held(session: AsyncSession, codes: Sequence[str], as_at: date) -> list[Event]:
    """Practices as the register has them now, each under its last commissioner."""
    if not codes:
        return []
    wanted = any_(literal(list(codes), ARRAY(Text)))
    spells = await commissioned_through_time(session, codes)
    by = {code: held[-1].commissioner for code, held in spells.items()}
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
    commissioned = {code: [spell.told() for spell in held] for code, held in spells.items()}
    gone, elsewhere = await successions_through_time(session, codes), await dispersals_through_time(session, codes)
    opened = select(PracticeEntry).where(
        PracticeEntry.practice == any_(literal(sorted({*gone, *elsewhere}), ARRAY(Text))),
        currently_known(PracticeEntry),
    )
    by_code: dict[str, list[PracticeEntry]] = defaultdict(list)
    for entry in await session.scalars(opened) if gone or elsewhere else ():
        by_code[entry.practice].append(entry)
    went_over = {code: told_of(held, by_code[code]) for code, held in gone.items()}
    dispersed = {code: dispersed_of(held, by_code[code]) for code, held in elsewhere.items()}
    return publish_practices([rows[code] for code in sorted(rows)], as_at, commissioned, went_over, dispersed)
