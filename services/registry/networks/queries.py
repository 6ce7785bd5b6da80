from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    DateTime,
    Select,
    String,
    Text,
    any_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.registry.agreements.queries import agreement_on, live_on
from services.registry.networks.model import Membership, Network, NetworkEntry, NetworkNotFound, Payee
from services.registry.scope import acts_for, heir_of, heirs_of
from shared.facts import ONE_DAY, as_at, believed, currently_known, of_key
from shared.identity import Caller, Role
from shared.points import Point, Points, place


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


async def payee_histories(session: AsyncSession, networks: Sequence[str]) -> dict[str, list[Payee]]:
    """Everybody who received each network's money, as known now, in order of days."""
    statement = (
        select(Payee)
        .where(currently_known(Payee), Payee.network == any_(literal(list(networks), ARRAY(Text))))
        .order_by(Payee.network, func.lower(Payee.valid))
    )
    histories: dict[str, list[Payee]] = defaultdict(list)
    for payee in await session.scalars(statement):
        histories[payee.network].append(payee)
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
    live: bool | None = None,
) -> Select[Any]:
    """Networks open on a day as known at an instant, with lead commissioner, payee, members and agreement."""
    payee = (
        select(Payee.payee).where(of_key(Payee.network, Network.code), as_at(Payee, day, known_at)).scalar_subquery()
    )
    members = (
        select(func.count(Membership.practice.distinct()))
        .where(of_key(Membership.network, Network.code), as_at(Membership, day, known_at))
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
            agreement_on(day, known_at).label("agreement"),
            live_on(day, known_at).label("live"),
        )
        .join(NetworkEntry, of_key(NetworkEntry.network, Network.code))
        .where(as_at(NetworkEntry, day, known_at))
    )
    if live is not None:
        found = found.where(live_on(day, known_at) == live)
    return found if commissioner is None else found.where(NetworkEntry.commissioner == commissioner)


def _life(known_at: datetime | BindParameter[datetime] | None) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The first day of a network and the day after its last, over all that is believed of it."""
    piece = aliased(NetworkEntry)
    belief = believed(piece, known_at)
    of_network = (of_key(piece.network, Network.code), belief)
    opened = select(func.min(func.lower(piece.valid))).where(*of_network).scalar_subquery()
    closed = (
        select(func.max(func.upper(piece.valid)))
        .where(*of_network)
        .having(~func.bool_or(func.upper_inf(piece.valid)))
        .scalar_subquery()
    )
    return opened.label("opened_on"), closed.label("closed_after")


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A network as callers see it."""
    network = dict(row)
    until = network.pop("closed_after")
    return {**network, "closed_on": None if until is None else until - ONE_DAY}


def _asked(*, as_known_then: bool) -> tuple[BindParameter[date], BindParameter[datetime] | None]:
    """The places of the day and the instant in a point read."""
    known_at = place("known_at", DateTime(timezone=True)) if as_known_then else None
    return place("day", Date()), known_at


@cache
def _one(*, as_known_then: bool) -> Point:
    """One network on a day."""
    day, known_at = _asked(as_known_then=as_known_then)
    return Point(networks_on(day, known_at).where(Network.code == place("code", String())))


@cache
def _last_day(*, as_known_then: bool) -> Point:
    """The day after the last on which a network was open before a day."""
    day, known_at = _asked(as_known_then=as_known_then)
    belief = believed(NetworkEntry, known_at)
    ended = func.upper(NetworkEntry.valid)
    of_network = NetworkEntry.network == place("code", String())
    return Point(select(func.max(ended).label("closed_after")).where(of_network, belief, ended <= day))


async def read_network(points: Points, code: str, day: date, known_at: datetime | None) -> dict[str, Any]:
    """One network on a day; a closed one is shown as it was on its last day.

    Raises `NetworkNotFound`.
    """
    then = known_at is not None
    values = {"code": code, "known_at": known_at} if then else {"code": code}
    row = await points.row(_one(as_known_then=then), day=day, **values)
    if row is None:
        last = await points.row(_last_day(as_known_then=then), day=day, **values)
        if last is not None and last["closed_after"] is not None:
            row = await points.row(_one(as_known_then=then), day=last["closed_after"] - ONE_DAY, **values)
    if row is None:
        raise NetworkNotFound(f"No network {code} on that day.")
    return row


async def lead_of(session: AsyncSession, code: str, day: date) -> str | None:
    """The commissioner that leads a network on a day, or the one that had come into its rights by then."""
    lead: str | None = await session.scalar(
        select(NetworkEntry.commissioner).where(NetworkEntry.network == code, as_at(NetworkEntry, day))
    )
    return None if lead is None else await heir_of(session, lead, day)


async def leads_of(session: AsyncSession, codes: Iterable[str], day: date) -> dict[str, str]:
    """Who leads each of these networks on a day, as `lead_of` says of one."""
    entries = select(NetworkEntry.network, NetworkEntry.commissioner).where(
        NetworkEntry.network.in_(list(codes)), as_at(NetworkEntry, day)
    )
    leads = dict((await session.execute(entries)).all())
    heirs = await heirs_of(session, set(leads.values()), day)
    return {network: heirs.get(lead, lead) for network, lead in leads.items()}


async def speaks_for(session: AsyncSession, code: str, caller: Caller, day: date, *, today: date | None = None) -> bool:
    """Whether a caller may act for a network: the network itself, who leads it on that day, the national team.

    `today` is the day of acting where that is another: whoever led it then may be gone, and its heir acts.
    """
    if caller.has(Role.NATIONAL) or (caller.has(Role.NETWORK) and code in caller.organisations):
        return True
    return await acts_for(session, await lead_of(session, code, day), caller, max(day, today or day))
