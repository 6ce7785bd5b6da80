from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.model import Application
from services.registry.hierarchy.model import Commissioner
from services.registry.hierarchy.operations import CommissionerNotFound
from services.registry.rounds.decision import put_into_effect
from services.registry.rounds.model import OnlyNationalOverrides, Round, RoundAlreadyOpen
from services.registry.rounds.queries import coverage_of, find_round, require_decider, submitted_applications
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce


async def open_round(session: AsyncSession, *, caller: Caller, commissioner: str, **terms: Any) -> Round:
    """Open a registration round of an area.

    Raises `CommissionerNotFound`, `NotYoursToDecide`, `RoundAlreadyOpen`, `Invalid` for days out of order.
    """
    if not caller.has(Role.NATIONAL) and commissioner not in caller.organisations:
        raise CommissionerNotFound(f"No commissioner {commissioner}.")
    if await session.get(Commissioner, commissioner) is None:
        raise CommissionerNotFound(f"No commissioner {commissioner}.")
    await require_decider(session, commissioner, caller)
    faults = [
        Fault(later, "out_of_order", f"{later} lies before {earlier}.")
        for earlier, later in (("opens_on", "apply_by"), ("apply_by", "decide_by"), ("snapshot", "starts_on"))
        if terms[later] < terms[earlier]
    ]
    if faults:
        raise Invalid("The days of the round are not in order.", errors=faults)
    made = Round(id=new_id("rnd"), commissioner=commissioner, opened_by=caller.subject, **terms)
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        if "uq_rounds_one_open" in str(error.orig):
            raise RoundAlreadyOpen(f"A round of {commissioner} for {made.contract_year} is open.") from error
        raise
    announce(session, made.opened())
    return made


async def decide_round(
    session: AsyncSession,
    id: str,
    *,
    caller: Caller,
    decided_on: date,
    refusals: dict[str, str],
    override_reason: str | None,
    if_match: str | None,
    now: datetime,
) -> Round:
    """Decide all submitted applications of an area together: approved, unless refused here with a reason."""
    round = await find_round(session, id, caller, now.date(), lock=True)
    await require_decider(session, round.commissioner, caller)
    round.require_open()
    require_match(round, if_match)
    if override_reason is not None and not caller.has(Role.NATIONAL):
        raise OnlyNationalOverrides("Only the national team may decide an area that is not wholly covered.")
    applications = await submitted_applications(session, id)
    _check(refusals, applications, decided_on, round, now)
    approved = [a for a in applications if a.id not in refusals]
    refused = [a for a in applications if a.id in refusals]
    coverage = await coverage_of(session, round, approved)
    decided = round.decide(
        coverage,
        on=decided_on,
        by=caller.subject,
        national=caller.has(Role.NATIONAL),
        override_reason=override_reason,
        outcome=(len(approved), len(refused)),
    )
    announce(session, *(a.refuse(refusals[a.id], on=decided_on, by=caller.subject) for a in refused))
    await put_into_effect(session, round, approved, refused, on=decided_on, by=caller.subject, now=now)
    announce(session, decided)
    await session.flush()
    return round


def _check(
    refusals: dict[str, str], applications: list[Application], decided_on: date, round: Round, now: datetime
) -> None:
    waiting = {application.id for application in applications}
    faults = [
        Fault("refusals", "not_submitted", f"{id} is no submitted application of this round.")
        for id in refusals
        if id not in waiting
    ]
    if decided_on < round.opens_on:
        faults.append(Fault("decided_on", "before_the_round", f"{decided_on} lies before the round opened."))
    if decided_on > now.date():
        faults.append(Fault("decided_on", "in_the_future", f"{decided_on} has not come yet."))
    if faults:
        raise Invalid("The decision cannot be taken as it is.", errors=faults)


async def assess_coverage(session: AsyncSession, id: str, caller: Caller, today: date) -> Any:
    """Whether every patient of the area is covered, and who is not."""
    round = await find_round(session, id, caller, today)
    return await coverage_of(session, round, await submitted_applications(session, id))
