from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.closed import follow_lives
from services.registry.endings import last_entry
from services.registry.hierarchy.model import Commissioner, CommissionerNotFound
from services.registry.networks.model import Membership
from services.registry.networks.operations import lock_register, settle_register
from services.registry.practices.model import (
    CORE_CONTRACTS,
    GP_PRACTICE_SETTING,
    NotACoreContract,
    Practice,
    PracticeCodeTaken,
    PracticeCommissioner,
    PracticeContract,
    PracticeEntry,
    PracticeNotOpen,
    PracticeStatus,
    PracticeSuccession,
)
from services.registry.practices.queries import (
    PracticeNotFound,
    commissioned_through_time,
    dispersals_through_time,
    successions_through_time,
)
from services.registry.rounds.model import NotYoursToDecide
from services.registry.rounds.queries import require_decider
from shared.clock import london_day
from shared.errors import Fault, Invalid
from shared.facts import amend, currently_known, days, record, since, withdraw
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce


async def commissioner_of(session: AsyncSession, code: str, day: date) -> str | None:
    """Who commissions a practice on a day, or did last, or will first."""
    found: str | None = await session.scalar(
        select(PracticeCommissioner.commissioner)
        .where(PracticeCommissioner.practice == code, currently_known(PracticeCommissioner))
        .order_by(PracticeCommissioner.valid.contains(day).desc(), func.lower(PracticeCommissioner.valid).desc())
        .limit(1)
    )
    return found


async def change_practice(
    session: AsyncSession, code: str, caller: Caller, day: date, if_match: str | None, now: datetime
) -> Practice:
    """A practice the caller decides about on a day, locked, for a change by version."""
    await lock_register(session)
    practice = await session.get(Practice, code, with_for_update=True)
    if practice is None:
        raise PracticeNotFound(f"No practice {code}.")
    commissioner = await commissioner_of(session, code, day)
    if commissioner is not None:
        await require_decider(session, commissioner, caller, max(day, london_day(now)))
    elif not caller.has(Role.NATIONAL):
        raise NotYoursToDecide(f"{code} has no commissioner; the national team decides.")
    require_match(practice, if_match)
    practice.changed_at = now
    return practice


async def tell_practice(session: AsyncSession, practice: Practice, now: datetime) -> None:
    """Announce the practice as the register has it now."""
    await session.flush()
    entries = (
        await session.scalars(
            select(PracticeEntry).where(PracticeEntry.practice == practice.code, currently_known(PracticeEntry))
        )
    ).all()
    today = london_day(now)
    commissioner = await commissioner_of(session, practice.code, today)
    spells = (await commissioned_through_time(session, [practice.code]))[practice.code]
    over = (await successions_through_time(session, [practice.code]))[practice.code]
    dispersed = (await dispersals_through_time(session, [practice.code]))[practice.code]
    announce(session, practice.registered(entries, commissioner or "", spells, over, dispersed, today))
    await session.flush()


def _span(first: date, last: date | None, field: str) -> None:
    if last is not None and last < first:
        fault = Fault(field, "before_valid_from", f"{last} lies before {first}.")
        raise Invalid("The days are not in order.", errors=[fault])


async def register_practice(
    session: AsyncSession,
    *,
    code: str,
    name: str,
    commissioner: str,
    opened_on: date,
    contract: str | None,
    proposed: bool,
    reason: str,
    caller: Caller,
    now: datetime,
) -> Practice:
    """Enter a practice that opens; its code is new to the register.

    Raises `CommissionerNotFound`, `NotYoursToDecide`, `PracticeCodeTaken`.
    """
    await lock_register(session)
    if await session.get(Commissioner, commissioner) is None:
        raise CommissionerNotFound(f"No commissioner {commissioner}.")
    await require_decider(session, commissioner, caller, max(opened_on, london_day(now)))
    if await session.get(Practice, code) is not None:
        raise PracticeCodeTaken(f"The code {code} is on the register.")
    practice = Practice(code=code, setting=GP_PRACTICE_SETTING, changed_at=now)
    status = PracticeStatus.PROPOSED if proposed else PracticeStatus.ACTIVE
    session.add(practice)
    fact = {"practice": code, "reason": reason, "recorded_by": caller.subject}
    span = {"valid": days(opened_on), "known": since(now)}
    session.add(PracticeEntry(name=name, status=status, **fact, **span))
    session.add(PracticeCommissioner(commissioner=commissioner, **fact, **span))
    if contract is not None:
        session.add(PracticeContract(contract=contract, **fact, **span))
    await settle_register(session)
    await tell_practice(session, practice, now)
    return practice


async def set_status(
    session: AsyncSession,
    code: str,
    status: PracticeStatus,
    *,
    first: date,
    last: date | None,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Practice:
    """A practice is dormant from a day on or for some days, or active again; one that closed opens anew.

    A succession ends where the practice opens anew: its patients are its own from that day, and were not before.

    Raises `PracticeNotFound`, `PracticeNotOpen`, `NotYoursToDecide`, `Invalid`.
    """
    _span(first, last, "valid_to")
    practice = await change_practice(session, code, caller, first, if_match, now)
    ending = await last_entry(session, PracticeEntry, practice=code)
    explained = {"status": status, "reason": reason, "recorded_by": caller.subject}
    if status is PracticeStatus.ACTIVE and ending.valid_to is not None and ending.valid_to < first:
        fact = {"practice": code, "valid": days(first, last), "reason": reason, "recorded_by": caller.subject}
        await record(session, PracticeEntry(name=ending.name, status=status, **fact), key=["practice"], now=now)
        commissioner = await commissioner_of(session, code, first)
        again = PracticeCommissioner(commissioner=commissioner, **fact)
        await record(session, again, key=["practice"], now=now)
        await withdraw(session, PracticeSuccession, now=now, days=days(first), practice=code)
        announce(session, *await follow_lives(session, now, [code]))
    elif not await amend(session, PracticeEntry, now=now, days=days(first, last), values=explained, practice=code):
        raise PracticeNotOpen(f"{code} is not open on {first}.")
    await settle_register(session)
    await tell_practice(session, practice, now)
    return practice


async def move_practice(
    session: AsyncSession,
    code: str,
    commissioner: str,
    *,
    first: date,
    last: date | None,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Practice:
    """Another commissioner commissions a practice from a day on, or for some days; it stays in its network.

    Raises `PracticeNotFound`, `PracticeNotOpen`, `CommissionerNotFound`, `NotYoursToDecide`, `Invalid`.
    """
    _span(first, last, "valid_to")
    practice = await change_practice(session, code, caller, first, if_match, now)
    if await session.get(Commissioner, commissioner) is None:
        raise CommissionerNotFound(f"No commissioner {commissioner}.")
    ending = await last_entry(session, PracticeEntry, practice=code)
    until = min((day for day in (last, ending.valid_to) if day is not None), default=None)
    if until is not None and until < first:
        raise PracticeNotOpen(f"{code} is not open on {first}.")
    fact = PracticeCommissioner(
        practice=code, commissioner=commissioner, valid=days(first, until), reason=reason, recorded_by=caller.subject
    )
    await record(session, fact, key=["practice"], now=now)
    await settle_register(session)
    await tell_practice(session, practice, now)
    return practice


async def set_contract(
    session: AsyncSession,
    code: str,
    contract: str,
    *,
    first: date,
    last: date | None,
    reason: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Practice:
    """A practice holds a contract of this kind from a day on, or on some days.

    Raises `PracticeNotFound`, `NotACoreContract` for a core member, `NotYoursToDecide`, `Invalid`.
    """
    _span(first, last, "valid_to")
    practice = await change_practice(session, code, caller, first, if_match, now)
    valid = days(first, last)
    if contract not in CORE_CONTRACTS:
        network = await session.scalar(
            select(Membership.network).where(
                Membership.practice == code, currently_known(Membership), Membership.valid.overlaps(valid)
            )
        )
        if network is not None:
            raise NotACoreContract(f"{code} is a core member of {network} on these days; end that membership first.")
    fact = PracticeContract(practice=code, contract=contract, valid=valid, reason=reason, recorded_by=caller.subject)
    await record(session, fact, key=["practice"], now=now)
    await tell_practice(session, practice, now)
    return practice
