"""Entering, approving and finding bank details, and putting them under new keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.model import AppointedPayee
from services.funding.bank_details.keys import KeyRing
from services.funding.bank_details.model import (
    Account,
    BankDetails,
    ChangeInProgress,
    DetailsStatus,
    PayeeAccount,
)
from services.funding.networks.model import Network, Practice
from shared.audit import audit
from shared.clock import london_day
from shared.database import new_id
from shared.errors import NotFound
from shared.facts import as_at, days, record
from shared.http import require_match
from shared.identity import Caller


class DetailsNotFound(NotFound):
    """No such bank details, or none the caller may see."""


class PayeeNotFound(NotFound):
    """No such payee, or none the caller may act for."""


def payees_seen(caller: Caller, payee: Any) -> ColumnElement[bool]:
    """True of the payees a caller acts for."""
    return true() if caller.everywhere else payee.in_(sorted(caller.organisations))


async def enter_details(
    session: AsyncSession, payee: str, account: Account, valid_from: date | None, *, keys: KeyRing, caller: Caller,
    now: datetime,
) -> BankDetails:  # fmt: skip
    """Bank details are proposed for a payee. Raises `PayeeNotFound` and `ChangeInProgress`."""
    if not caller.everywhere and payee not in caller.organisations:
        raise PayeeNotFound(f"No payee {payee}.")
    known = await session.scalar(
        select(
            or_(
                select(Network.code).where(Network.code == payee).exists(),
                select(Practice.code).where(Practice.code == payee).exists(),
                select(AppointedPayee.payee).where(AppointedPayee.payee == payee).exists(),
            )
        )
    )
    if not known:
        raise PayeeNotFound(f"No payee {payee}.")
    first = valid_from or london_day(now)
    made = BankDetails.propose(new_id("bnk"), payee, account, first, keys=keys, by=caller.subject, at=now)
    session.add(made)
    try:
        await session.flush()
    except IntegrityError as error:
        raise ChangeInProgress(f"A change of {payee}'s bank details waits to be decided.") from error
    return made


def as_then_known(details: BankDetails, known_at: datetime | None) -> Mapping[str, Any]:
    """What may be shown of bank details: as they are, or as they were while nobody had decided on them yet."""
    undecided = known_at is not None and details.decided_at is not None and details.decided_at > known_at
    then = dict.fromkeys(("decided_by", "decided_at", "reason")) | {"status": DetailsStatus.PROPOSED}
    names = ("id", "payee", "account_name", "sort_code", "account_number", "valid_from", "entered_by", "entered_at")
    return {name: getattr(details, name) for name in names} | {
        name: value if undecided else getattr(details, name) for name, value in then.items()
    }


async def details_seen(
    session: AsyncSession, details_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> BankDetails:
    """Bank details the caller may see, masked, if they had been entered by then. Raises `DetailsNotFound`."""
    statement = select(BankDetails).where(BankDetails.id == details_id, payees_seen(caller, BankDetails.payee))
    if known_at is not None:
        statement = statement.where(BankDetails.entered_at <= known_at)
    details = await session.scalar(statement.with_for_update() if lock else statement)
    if details is None:
        raise DetailsNotFound(f"No bank details {details_id}.")
    return details


async def approve_details(
    session: AsyncSession,
    details_id: str,
    if_match: str | None,
    sort_code: str,
    number: str,
    *,
    keys: KeyRing,
    caller: Caller,
    now: datetime,
) -> BankDetails:
    """A second person agrees; money goes there from its first day on, and never before this day.

    Raises `SamePerson`, `DetailsDecided` and `DetailsDiffer`.
    """
    details = await details_seen(session, details_id, caller, lock=True)
    require_match(details, if_match)
    details.approve(sort_code, number, keys=keys, by=caller.subject, at=now)
    await session.flush()
    fact = PayeeAccount(payee=details.payee, details=details.id, valid=days(max(details.valid_from, london_day(now))))
    await record(session, fact, key=["payee"], now=now)
    return details


async def refuse_details(
    session: AsyncSession, details_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> BankDetails:
    """The change is turned down. Raises `DetailsDecided`."""
    details = await details_seen(session, details_id, caller, lock=True)
    require_match(details, if_match)
    details.refuse(reason, by=caller.subject, at=now)
    await session.flush()
    return details


async def details_on(session: AsyncSession, payees: Collection[str], day: date) -> dict[str, BankDetails]:
    """By payee the approved bank details in force on a day; payees without any are not in it."""
    rows = await session.execute(
        select(PayeeAccount.payee, BankDetails)
        .join(BankDetails, BankDetails.id == PayeeAccount.details)
        .where(as_at(PayeeAccount, day), PayeeAccount.payee.in_(payees))
    )
    return {payee: details for payee, details in rows}  # noqa: C416 - a row is no pair to the type checker


async def reseal_details(session: AsyncSession, keys: KeyRing) -> int:
    """Put whatever an older key seals under the newest one; gives how many."""
    older = await session.scalars(
        select(BankDetails).where(BankDetails.sealed_with != keys.newest).order_by(BankDetails.id).with_for_update()
    )
    count = 0
    for details in older.all():
        details.reseal(keys)
        count += 1
    if count:
        audit(session, action="resealed", record="bank_details", after={"details": count, "key": keys.newest})
    await session.flush()
    return count
