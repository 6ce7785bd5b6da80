"""Accounts over HTTP."""

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Path, Query, Response
from sqlalchemy import BindParameter, Date, DateTime, Select, String, func, select

from services.funding.accounts.model import Account, AppointedPayee
from services.funding.networks.model import Network
from services.funding.scope import networks_seen
from shared.errors import NotFound
from shared.facts import as_at as held_at
from shared.facts import of_key
from shared.http import AsAt, KnownAt, Out, Page, Paging, PointReads, Reading, Today, page, refusals, service_router
from shared.identity import Caller, Role, allow
from shared.points import Point, place

router = service_router("funding", tags=["accounts"])

Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)]


class AccountOut(Out):
    """`payee` is who is paid on the day asked about: the appointed organisation, or the network itself."""

    network: str
    network_name: str
    commissioner: str
    payee: str
    appointed: bool
    opened_on: date


class AccountNotFound(NotFound):
    """No such account, or none the caller may see."""


def _accounts(
    caller: Caller, day: date | BindParameter[date], known_at: datetime | BindParameter[datetime] | None
) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Account.network,
            Network.name.label("network_name"),
            Network.commissioner,
            func.coalesce(AppointedPayee.payee, Account.network).label("payee"),
            AppointedPayee.payee.is_not(None).label("appointed"),
            Account.opened_on,
            Account.version,
        )
        .join(Network, Network.code == Account.network)
        .outerjoin(
            AppointedPayee, of_key(AppointedPayee.network, Account.network) & held_at(AppointedPayee, day, known_at)
        )
        .where(networks_seen(caller))
    )


@lru_cache(maxsize=1024)
def _account(caller: Caller, *, as_known_then: bool) -> Point:
    """One account, asked for again and again by the same callers: put together once for each."""
    known_at = place("known_at", DateTime(timezone=True)) if as_known_then else None
    statement = _accounts(caller, place("day", Date()), known_at)
    return Point(statement.where(Account.network == place("network", String())))


@router.get("/accounts", summary="Accounts of networks")
async def list_accounts(
    session: Reading,
    paging: Paging,
    caller: Seen,
    today: Today,
    network: Annotated[str | None, Query(max_length=32)] = None,
    commissioner: Annotated[str | None, Query(max_length=32)] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[AccountOut]:
    """Every approved network's account, with whoever is paid on the day `as_at`."""
    statement = _accounts(caller, as_at or today, known_at)
    if network is not None:
        statement = statement.where(Account.network == network)
    if commissioner is not None:
        statement = statement.where(Network.commissioner == commissioner)
    found, following = await page(session, statement, [Account.network], paging)
    return Page(items=[AccountOut.model_validate(row) for row in found], next=following)


@router.get("/accounts/{network}", responses=refusals(AccountNotFound), summary="One network's account")
async def read_account(
    points: PointReads,
    response: Response,
    caller: Seen,
    today: Today,
    network: Annotated[str, Path(max_length=32)],
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> AccountOut:
    """The account and whoever is paid on the day `as_at`."""
    values: dict[str, Any] = {"day": as_at or today, "network": network}
    if known_at is not None:
        values["known_at"] = known_at
    row = await points.row(_account(caller, as_known_then=known_at is not None), **values)
    if row is None:
        raise AccountNotFound(f"No account of {network}.")
    response.headers["ETag"] = f'"{row["version"]}"'
    return AccountOut.model_validate(row)
