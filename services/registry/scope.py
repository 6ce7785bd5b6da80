"""Whose area a caller acts for. Practices, networks and members are public register data; rounds, applications,
allocations and area figures are narrowed to it.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Placement
from shared.facts import as_at
from shared.identity import Caller, Role


async def area_of(session: AsyncSession, caller: Caller, day: date) -> frozenset[str] | None:
    """Codes of the commissioners whose area the caller acts for; `None` means everywhere.

    A system acts for the commissioners placed in it, a local medical committee for those it names.
    """
    if caller.everywhere:
        return None
    area: set[str] = set()
    if caller.has(Role.COMMISSIONER, Role.LMC):
        area |= caller.organisations
    if caller.has(Role.SYSTEM):
        placed = select(Placement.commissioner).where(as_at(Placement, day), Placement.system.in_(caller.organisations))
        area |= set((await session.scalars(placed)).all())
    return frozenset(area)
