"""Where the practices of a proposal have been before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Membership
from services.registry.what_ifs.shapes import Past, Stay, WhatIfIn
from shared.facts import currently_known
from shared.years import months_before


async def history_of(
    session: AsyncSession, wanted: WhatIfIn, named: Iterable[str], today: Callable[[str], list[str]]
) -> list[Past]:
    """Where each practice named has been in the years looked at, in order; `today` gives its networks of now."""
    since = months_before(wanted.starts_on, 12 * wanted.history_years)
    statement = (
        select(Membership)
        .where(
            currently_known(Membership),
            Membership.practice.in_(list(named)),
            func.lower(Membership.valid) < wanted.starts_on,
            func.coalesce(func.upper(Membership.valid), wanted.starts_on) > since,
        )
        .order_by(Membership.practice, func.lower(Membership.valid), Membership.network)
    )
    stays: dict[str, list[Stay]] = defaultdict(list)
    for held in await session.scalars(statement):
        stays[held.practice].append(Stay(network=held.network, valid_from=held.valid_from, valid_to=held.valid_to))
    going = {line.practice: group.network for group in wanted.groups for line in group.practices}
    found = []
    for code in sorted(stays):
        path: list[str | None] = [stay.network for stay in stays[code]]
        if today(code) != [going[code]]:
            path.append(going[code])
        moves = sum(one != other for one, other in pairwise(path))
        found.append(Past(practice=code, stays=stays[code], moves=moves))
    return found
