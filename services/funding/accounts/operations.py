"""Opening accounts and knowing whom to pay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.model import Account, AppointedPayee
from shared.events.registry import Appointment
from shared.facts import as_at, currently_known, days, record, withdraw


async def open_account(session: AsyncSession, network: str, *, on: date, now: datetime) -> None:
    """A network has an account from its approval on; a second approval opens no second one."""
    await session.execute(
        insert(Account)
        .values(network=network, opened_on=on, opened_at=now, version=1)
        .on_conflict_do_nothing(index_elements=["network"])
    )


async def appoint_payee(
    session: AsyncSession, network: str, payee: str, first: date, last: date | None, *, position: int, now: datetime
) -> None:
    """From a day on a network's money goes to another organisation; news older than what is held is ignored."""
    valid = days(first, last)
    held = (
        await session.scalars(
            select(AppointedPayee).where(
                AppointedPayee.network == network, currently_known(AppointedPayee), AppointedPayee.valid.overlaps(valid)
            )
        )
    ).all()
    if any(fact.position > position or (fact.payee == payee and fact.valid == valid) for fact in held):
        return
    fact = AppointedPayee(network=network, payee=payee, valid=valid, position=position)
    await record(session, fact, key=["network"], now=now)


async def replace_payees(
    session: AsyncSession, network: str, payees: Sequence[Appointment], *, position: int, now: datetime
) -> None:
    """Know exactly these appointments of a network, in place of what was held of it."""
    wanted = {(p.payee, days(p.valid_from, p.valid_to)) for p in payees}
    held = (
        await session.scalars(
            select(AppointedPayee).where(AppointedPayee.network == network, currently_known(AppointedPayee))
        )
    ).all()
    for fact in held:
        if (fact.payee, fact.valid) not in wanted and fact.position <= position:
            await withdraw(session, AppointedPayee, now=now, days=fact.valid, network=network)
    for payee in payees:
        await appoint_payee(session, network, payee.payee, payee.valid_from, payee.valid_to, position=position, now=now)


async def payees_on(session: AsyncSession, day: date) -> dict[str, str]:
    """Who is appointed to receive each network's money on a day; networks without anybody are not in it."""
    rows = await session.execute(select(AppointedPayee.network, AppointedPayee.payee).where(as_at(AppointedPayee, day)))
    return {row.network: row.payee for row in rows}


async def payee_on(session: AsyncSession, network: str, day: date) -> str:
    """Who receives a network's money on a day: its appointed payee, or the network itself."""
    appointed = await session.scalar(
        select(AppointedPayee.payee).where(AppointedPayee.network == network, as_at(AppointedPayee, day))
    )
    return appointed or network
