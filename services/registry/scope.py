"""Whose area a caller acts for, and who has come into whose rights. Practices, networks and members are public
register data; rounds, applications, allocations and area figures are narrowed to an area.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Delegation, Level, Placement
from shared.facts import as_at
from shared.identity import Caller, Role

_STANDING = """
    standing AS (
        SELECT predecessor, successor, inherits FROM successions
        WHERE level = :level AND valid @> CAST(:day AS date)
            AND CASE WHEN CAST(:known_at AS timestamptz) IS NULL THEN upper_inf(known)
                ELSE known @> CAST(:known_at AS timestamptz) END
    ),
    gone AS (
        SELECT predecessor FROM standing GROUP BY predecessor HAVING NOT bool_or(successor = predecessor)
    )
"""

_HELD = text(
    f"""
    WITH RECURSIVE {_STANDING},
    held (code) AS (
        SELECT code FROM unnest(CAST(:codes AS text[])) AS asked (code) WHERE code NOT IN (SELECT predecessor FROM gone)
        UNION
        SELECT s.predecessor FROM standing s JOIN held ON s.successor = held.code
        WHERE s.predecessor IN (SELECT predecessor FROM gone)
    )
    SELECT code FROM held
    """  # noqa: S608 - no value is put in
)

_HEIRS = text(
    f"""
    WITH RECURSIVE {_STANDING},
    heirs (code, heir) AS (
        SELECT code, code FROM unnest(CAST(:codes AS text[])) AS asked (code)
        UNION
        SELECT heirs.code, s.successor FROM standing s JOIN heirs ON s.predecessor = heirs.heir
        WHERE s.inherits AND s.predecessor IN (SELECT predecessor FROM gone)
    )
    SELECT code, heir FROM heirs WHERE heir NOT IN (SELECT predecessor FROM gone)
    """  # noqa: S608 - no value is put in
)


async def held_by(
    session: AsyncSession,
    codes: Iterable[str],
    day: date,
    level: Level = Level.COMMISSIONER,
    known_at: datetime | None = None,
) -> frozenset[str]:
    """These commissioners (or systems) and all whose rights came to them by `day`; none that is gone by then."""
    given = {"codes": sorted(codes), "day": day, "level": level.value, "known_at": known_at}
    return frozenset((await session.scalars(_HELD, given)).all()) if given["codes"] else frozenset()


async def heirs_of(
    session: AsyncSession,
    codes: Iterable[str],
    day: date,
    level: Level = Level.COMMISSIONER,
    known_at: datetime | None = None,
) -> dict[str, str]:
    """Who decides on `day` what each of these commissioners (or systems) left open: itself while it is there."""
    given = {"codes": sorted(codes), "day": day, "level": level.value, "known_at": known_at}
    return {row.code: row.heir for row in await session.execute(_HEIRS, given)}


async def heir_of(session: AsyncSession, commissioner: str, day: date, known_at: datetime | None = None) -> str:
    """The commissioner that decides on `day` what this one left open."""
    return (await heirs_of(session, [commissioner], day, known_at=known_at)).get(commissioner, commissioner)


async def area_of(session: AsyncSession, caller: Caller, day: date) -> frozenset[str] | None:
    """Codes of the commissioners whose area the caller acts for on a day; `None` means everywhere.

    A system acts for the commissioners placed in it, a local medical committee for those it names; and each for those
    that were merged into them or divided among them. Whoever is gone acts for nobody.
    """
    if caller.everywhere:
        return None
    own: set[str] = set()
    if caller.has(Role.COMMISSIONER, Role.LMC):
        own |= caller.organisations
    if caller.has(Role.SYSTEM):
        placed = select(Placement.commissioner).where(as_at(Placement, day), Placement.system.in_(caller.organisations))
        own |= set((await session.scalars(placed)).all())
    return await held_by(session, own, day)


async def acts_for(session: AsyncSession, commissioner: str | None, caller: Caller, day: date) -> bool:
    """Whether a caller is the commissioner, or the one that decides what it left open."""
    if commissioner is None or not caller.has(Role.COMMISSIONER):
        return False
    return await heir_of(session, commissioner, day) in caller.organisations


async def decides_for(session: AsyncSession, commissioner: str, caller: Caller, day: date) -> bool:
    """Whether a caller decides an area on a day: its commissioner or heir where commissioning is delegated to it.

    The national team always does, and alone where commissioning is not delegated.
    """
    if caller.has(Role.NATIONAL):
        return True
    if not caller.has(Role.COMMISSIONER):
        return False
    decider = await heir_of(session, commissioner, day)
    if decider not in caller.organisations:
        return False
    held = select(Delegation.delegated).where(Delegation.commissioner == decider, as_at(Delegation, day))
    return await session.scalar(held) is not False
