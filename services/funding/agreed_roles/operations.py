"""Agreeing on roles, and finding the agreement a claim rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.agreed_roles.model import AgreedRole, code_of
from services.funding.claims.rules import AGREED_LOCALLY
from services.funding.heirs.operations import must_decide
from services.funding.networks.model import Network
from services.funding.scope import networks_seen
from shared.clock import london_day
from shared.errors import NotFound
from shared.facts import as_at, days, record
from shared.identity import Caller
from shared.messaging import announce


class AgreedNetworkNotFound(NotFound):
    """No such network, or none the caller may see."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a commissioner agrees to."""

    network: str
    short: str
    name: str
    ceiling: Decimal
    valid_from: date
    valid_to: date | None
    agreed_on: date
    note: str


async def agree_role(session: AsyncSession, agreement: Agreement, *, caller: Caller, now: datetime) -> AgreedRole:
    """Put an agreement on record, in place of what was agreed of that role for the same days.

    Raises `AgreedNetworkNotFound`, `NotYoursToDecide` and `RolesNotOpenYet`.
    """
    commissioner = await session.scalar(
        select(Network.commissioner).where(Network.code == agreement.network, networks_seen(caller))
    )
    if commissioner is None:
        raise AgreedNetworkNotFound(f"No network {agreement.network}.")
    await must_decide(session, caller, agreement.network, london_day(now))
    role = AgreedRole(
        network=agreement.network,
        commissioner=commissioner,
        role=code_of(agreement.network, agreement.short),
        name=agreement.name,
        ceiling=agreement.ceiling,
        agreed_on=agreement.agreed_on,
        agreed_by=caller.subject,
        note=agreement.note,
        valid=days(agreement.valid_from, agreement.valid_to),
    )
    event = role.agree()
    await record(session, role, key=["role"], now=now)
    announce(session, event)
    return role


async def agreement_of(session: AsyncSession, network: str, role: str, day: date) -> AgreedRole | None:
    """The agreement a network's claim for a role rests on, as known now; `None` for roles of the national list."""
    if not role.startswith(AGREED_LOCALLY):
        return None
    return await session.scalar(
        select(AgreedRole).where(AgreedRole.network == network, AgreedRole.role == role, as_at(AgreedRole, day))
    )
