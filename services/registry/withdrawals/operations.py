from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Membership, Network, NetworkNotFound
from services.registry.networks.queries import lead_of
from services.registry.rounds.queries import require_decider
from services.registry.withdrawals.model import (
    AppealOutcome,
    EntitlementAlreadyWithdrawn,
    Lapse,
    NotYoursToAppeal,
    NotYoursToHear,
    Withdrawal,
)
from services.registry.withdrawals.queries import find_withdrawal
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.facts import as_at, days, since, withdraw
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce


async def give_notice(
    session: AsyncSession, *, caller: Caller, network: str, practice: str | None, now: datetime, **terms: Any
) -> Withdrawal:
    """End the right of a network, or of one practice in it, to be paid from a day on.

    Raises `NetworkNotFound`, `NotYoursToDecide`, `EntitlementAlreadyWithdrawn`, `Invalid`.
    """
    first: date = terms["withdrawn_from"]
    lead = await lead_of(session, network, first)
    if lead is None or await session.get(Network, network) is None:
        raise NetworkNotFound(f"No network {network} on {first}.")
    await require_decider(session, lead, caller, london_day(now))
    made = Withdrawal(
        id=new_id("wdr"),
        network=network,
        practice=practice,
        commissioner=lead,
        given_by=caller.subject,
        given_at=now,
        **terms,
    )
    faults = made.faults(london_day(now))
    if practice is not None:
        member = select(Membership.practice).where(
            Membership.network == network, Membership.practice == practice, as_at(Membership, first)
        )
        if await session.scalar(member.limit(1)) is None:
            faults.append(Fault("practice", "not_a_member", f"{practice} is no member of {network} on {first}."))
    if faults:
        raise Invalid("The notice cannot be given as it is.", errors=faults)
    session.add(made)
    await session.flush()
    try:
        async with session.begin_nested():
            lapse = Lapse(network=network, whose=made.whose, withdrawal=made.id, valid=days(first), known=since(now))
            session.add(lapse)
    except IntegrityError as error:
        if "ex_lapses_overlap" in str(error.orig):
            raise EntitlementAlreadyWithdrawn(
                f"The right of {made.whose} in {network} is withdrawn already."
            ) from error
        raise
    announce(session, made.withdrawn())
    return made


async def lodge_appeal(
    session: AsyncSession,
    id: str,
    reason: str,
    evidence: list[str],
    *,
    lodged_on: date | None,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Withdrawal:
    """Appeal against a withdrawal; the national team or the commissioner may write down one that came on paper.

    Raises `WithdrawalNotFound`, `NotYoursToAppeal`, `AppealedAlready`, `AppealTooLate`, `Invalid`.
    """
    today = london_day(now)
    found = await find_withdrawal(session, id, caller, today, lock=True)
    scribe = caller.has(Role.NATIONAL, Role.COMMISSIONER)
    if not scribe and not _concerned(found, caller):
        raise NotYoursToAppeal("An appeal is made by the network or the practice that lost its right.")
    require_match(found, if_match)
    if lodged_on is not None:
        if not scribe:
            fault = Fault("lodged_on", "not_yours_to_say", "Only who takes an appeal in says when it came.")
            raise Invalid("The day of receipt is not the appellant's to say.", errors=[fault])
        if not found.notified_on <= lodged_on <= today:
            fault = Fault("lodged_on", "out_of_order", f"{lodged_on} is before the notice or after today.")
            raise Invalid("The appeal cannot have come then.", errors=[fault])
    found.appeal(reason, evidence, on=lodged_on or today, by=caller.subject, now=now)
    await session.flush()
    return found


def _concerned(withdrawal: Withdrawal, caller: Caller) -> bool:
    if caller.has(Role.NETWORK) and withdrawal.network in caller.organisations:
        return True
    return caller.has(Role.PRACTICE) and withdrawal.practice in caller.organisations


async def settle_appeal(
    session: AsyncSession,
    id: str,
    outcome: AppealOutcome,
    reason: str,
    *,
    decided_on: date,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Withdrawal:
    """Uphold or dismiss an appeal (the national team), or take one's own appeal back.

    Raises `WithdrawalNotFound`, `NotYoursToHear`, `NotYoursToAppeal`, `NoAppealWaiting`, `Invalid`.
    """
    today = london_day(now)
    found = await find_withdrawal(session, id, caller, today, lock=True)
    if outcome is AppealOutcome.WITHDRAWN:
        if not caller.has(Role.NATIONAL) and not _concerned(found, caller):
            raise NotYoursToAppeal("An appeal is taken back by who made it.")
    elif not caller.has(Role.NATIONAL):
        raise NotYoursToHear("An appeal is upheld or dismissed by the national team.")
    require_match(found, if_match)
    if decided_on > today:
        fault = Fault("decided_on", "in_the_future", f"{decided_on} has not come yet.")
        raise Invalid("An appeal is answered today or earlier.", errors=[fault])
    restored = found.settle(outcome, reason, on=decided_on, by=caller.subject, now=now)
    if restored is not None:
        await withdraw(session, Lapse, now=now, days=days(found.withdrawn_from), withdrawal=id)
        announce(session, restored)
    await session.flush()
    return found


async def restore_entitlement(
    session: AsyncSession,
    id: str,
    first: date,
    reason: str,
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Withdrawal:
    """Give the right back from a day on; from the day of the withdrawal itself, as if there had been none.

    Raises `WithdrawalNotFound`, `NotYoursToDecide`, `EntitlementAlreadyRestored`, `Invalid`.
    """
    found = await find_withdrawal(session, id, caller, london_day(now), lock=True)
    await require_decider(session, found.commissioner, caller, london_day(now))
    require_match(found, if_match)
    announce(session, found.restore(first, reason, by=caller.subject, now=now))
    await withdraw(session, Lapse, now=now, days=days(first), withdrawal=id)
    await session.flush()
    return found
