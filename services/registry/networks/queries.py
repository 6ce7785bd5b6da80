from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    DateTime,
    Row,
    Select,
    String,
    Text,
    any_,
    bindparam,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.registry.networks.model import Membership, Network, NetworkEntry, NetworkNotFound, Payee
from shared.facts import ONE_DAY, as_at, currently_known
from shared.identity import Caller, Role


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
    return dict((await session.execute(statement)).all())


def networks_on(
    day: date | BindParameter[date],
    known_at: datetime | BindParameter[datetime] | None,
    *,
    commissioner: str | None = None,
) -> Select[Any]:
    """Networks open on a day as known at an instant, with lead commissioner, payee and number of members."""
    payee = select(Payee.payee).where(Payee.network == Network.code, as_at(Payee, day, known_at)).scalar_subquery()
    members = (
        select(func.count(Membership.practice.distinct()))
        .where(Membership.network == Network.code, as_at(Membership, day, known_at))
        .scalar_subquery()
    )
    found = (
        select(
            Network.code,
            Network.version,
            NetworkEntry.name,
            NetworkEntry.commissioner,
            *_life(known_at),
            payee.label("payee"),
            members.label("members"),
        )
        .join(NetworkEntry, NetworkEntry.network == Network.code)
        .where(as_at(NetworkEntry, day, known_at))
    )
    return found if commissioner is None else found.where(NetworkEntry.commissioner == commissioner)


def _life(known_at: datetime | BindParameter[datetime] | None) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The first day of a network and the day after its last, over all that is believed of it."""
    piece = aliased(NetworkEntry)
    belief = currently_known(piece) if known_at is None else piece.known.contains(known_at)
    of_network = (piece.network == Network.code, belief)
    opened = select(func.min(func.lower(piece.valid))).where(*of_network).scalar_subquery()
    closed = (
        select(func.max(func.upper(piece.valid)))
        .where(*of_network)
        .having(~func.bool_or(func.upper_inf(piece.valid)))
        .scalar_subquery()
    )
    return opened.label("opened_on"), closed.label("closed_after")


def shown(row: Row[Any]) -> dict[str, Any]:
    """A network as callers see it."""
    network = dict(row._mapping)
    until = network.pop("closed_after")
    return {**network, "closed_on": None if until is None else until - ONE_DAY}


@cache
def _one(*, as_known_then: bool) -> Select[Any]:
    """One network, asked for again and again: put together once."""
    known_at = bindparam("known_at", type_=DateTime(timezone=True)) if as_known_then else None
    return networks_on(bindparam("day", type_=Date), known_at).where(Network.code == bindparam("code", type_=String))


async def _on(session: AsyncSession, code: str, day: date, known_at: datetime | None) -> Row[Any] | None:
    values: dict[str, Any] = {"code": code, "day": day}
    if known_at is not None:
        values["known_at"] = known_at
    found: Row[Any] | None = (await session.execute(_one(as_known_then=known_at is not None), values)).first()
    return found


async def read_network(session: AsyncSession, code: str, day: date, known_at: datetime | None) -> Row[Any]:
    """One network on a day; a closed one is shown as it was on its last day.

    Raises `NetworkNotFound`.
    """
    row = await _on(session, code, day, known_at)
    if row is None:
        belief = currently_known(NetworkEntry) if known_at is None else NetworkEntry.known.contains(known_at)
        last = await session.scalar(
            select(func.max(func.upper(NetworkEntry.valid))).where(
                NetworkEntry.network == code, belief, func.upper(NetworkEntry.valid) <= day
            )
        )
        if last is not None:
            row = await _on(session, code, last - ONE_DAY, known_at)
    if row is None:
        raise NetworkNotFound(f"No network {code} on that day.")
    return row


async def lead_of(session: AsyncSession, code: str, day: date) -> str | None:
    """The commissioner that leads a network on a day."""
    lead: str | None = await session.scalar(
        select(NetworkEntry.commissioner).where(NetworkEntry.network == code, as_at(NetworkEntry, day))
    )
    return lead


async def speaks_for(session: AsyncSession, code: str, caller: Caller, day: date) -> bool:
    """Whether a caller may act for a network: the network itself, who leads it on that day, the national team."""
    if caller.has(Role.NATIONAL) or (caller.has(Role.NETWORK) and code in caller.organisations):
        return True
    return caller.has(Role.COMMISSIONER) and await lead_of(session, code, day) in caller.organisations
