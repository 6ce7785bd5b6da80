from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Membership, Payee
from shared.facts import as_at, currently_known


async def member_histories(session: AsyncSession, networks: Sequence[str]) -> dict[str, list[Membership]]:
    """Every membership each network has had, as known now, in order of practice and day."""
    statement = (
        select(Membership)
        .where(currently_known(Membership), Membership.network == any_(literal(list(networks), ARRAY(Text))))
        .order_by(Membership.network, Membership.practice, func.lower(Membership.valid))
    )
    histories: dict[str, list[Membership]] = defaultdict(list)
    for membership in await session.scalars(statement):
        histories[membership.network].append(membership)
    return histories


async def payees_on(session: AsyncSession, networks: Sequence[str], day: date) -> dict[str, str]:
    """The payee of each network on a day, where one is appointed."""
    statement = select(Payee.network, Payee.payee).where(
        as_at(Payee, day), Payee.network == any_(literal(list(networks), ARRAY(Text)))
    )
    return dict((await session.execute(statement)).tuples().all())
