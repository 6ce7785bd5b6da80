from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, literal, select, union_all
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.model import Allocation
from services.registry.contacts.model import Contact, ContactNotFound
from services.registry.networks.model import Membership, Network, NetworkEntry
from services.registry.periods import period_of
from services.registry.practices.model import Practice
from services.registry.practices.queries import PracticeNotFound
from services.registry.voice import act_for
from shared.clock import london_day
from shared.facts import as_at, record, withdraw
from shared.http import require_match
from shared.identity import Caller

COLUMNS: list[Any] = [
    Contact.network,
    Contact.name,
    Contact.position,
    Contact.email,
    Contact.telephone,
    *period_of(Contact),
]


def contact_on(code: str, day: date, known_at: datetime | None) -> Select[Any]:
    """The contact of a network on a day, with the version of the network it is changed under."""
    return (
        select(*COLUMNS, Network.version)
        .join(Network, Network.code == Contact.network)
        .where(Contact.network == code, as_at(Contact, day, known_at))
    )


async def name_contact(
    session: AsyncSession,
    code: str,
    *,
    caller: Caller,
    held: Range[date],
    if_match: str | None,
    now: datetime,
    **who: str | None,
) -> Network:
    """On these days the network is reached through this contact, whoever was named for them before.

    Raises `NetworkNotFound`, `NotYoursToActFor`.
    """
    network = await _to_change(session, code, caller, if_match, now)
    await record(session, Contact(network=code, valid=held, **who), key=["network"], now=now)
    return network


async def withdraw_contact(
    session: AsyncSession, code: str, held: Range[date], *, caller: Caller, if_match: str | None, now: datetime
) -> Network:
    """On these days the network has no contact. Raises `ContactNotFound` where it had none anyway."""
    network = await _to_change(session, code, caller, if_match, now)
    if not await withdraw(session, Contact, now=now, days=held, network=code):
        raise ContactNotFound(f"{code} has no contact on these days.")
    return network


async def _to_change(session: AsyncSession, code: str, caller: Caller, if_match: str | None, now: datetime) -> Network:
    network = await act_for(session, code, caller, london_day(now))
    require_match(network, if_match)
    network.changed_at = now
    await session.flush()
    return network


async def contacts_for(session: AsyncSession, practice: str, day: date, known_at: datetime | None) -> Sequence[Any]:
    """The networks that serve a practice's patients on a day, each with its contact where one is named.

    It is a member of them, or its list is allocated to them; a practice that nobody serves has none. Raises
    `PracticeNotFound`.
    """
    if await session.get(Practice, practice) is None:
        raise PracticeNotFound(f"No practice {practice}.")
    member = select(Membership.network, literal("membership").label("through")).where(
        Membership.practice == practice, as_at(Membership, day, known_at)
    )
    served = select(Allocation.network, literal("allocation").label("through")).where(
        Allocation.practice == practice, Allocation.network.is_not(None), as_at(Allocation, day, known_at)
    )
    serving = union_all(member, served).subquery()
    statement = (
        select(
            serving.c.network,
            serving.c.through,
            NetworkEntry.name.label("network_name"),
            *(column for column in COLUMNS if column is not COLUMNS[0]),
        )
        .outerjoin(NetworkEntry, (NetworkEntry.network == serving.c.network) & as_at(NetworkEntry, day, known_at))
        .outerjoin(Contact, (Contact.network == serving.c.network) & as_at(Contact, day, known_at))
        .order_by(serving.c.network)
    )
    return (await session.execute(statement)).all()
