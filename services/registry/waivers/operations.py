from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.model import ApplicationStatus
from services.registry.applications.queries import find_application
from services.registry.areas.findings import findings_of
from services.registry.areas.geojson import shape_of
from services.registry.areas.model import Finding, NetworkArea
from services.registry.areas.queries import drawn_networks, located
from services.registry.list_sizes.queries import patients_on
from services.registry.networks.model import Membership, NetworkNotFound
from services.registry.networks.queries import lead_of
from services.registry.rounds.findings import findings_in
from services.registry.rounds.model import Round
from services.registry.rounds.queries import require_decider, submitted_applications
from services.registry.size_rules.queries import rule_on
from services.registry.waivers.model import ONE_PRACTICE, TOO_SMALL, ExceptedAlready, FindingNotThere, Waiver
from services.registry.waivers.queries import find_waiver
from shared.audit import audit
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.facts import as_at, days, since, withdraw
from shared.http import one_fault, require_etag
from shared.identity import Caller

ALWAYS: Range[date] = Range(None, None)


async def except_application(
    session: AsyncSession,
    id: str,
    key: str,
    reason: str,
    *,
    not_below: Decimal | None,
    caller: Caller,
    now: datetime,
) -> Waiver:
    """Except one finding of an application that is not decided yet, with the reason.

    Raises `ApplicationNotFound`, `NotYoursToDecide`, `RoundAlreadyDecided`, `RoundGivenUp`, `FindingNotThere`,
    `ExceptedAlready`.
    """
    application = await find_application(session, id, caller, london_day(now))
    await require_decider(session, application.commissioner, caller, london_day(now))
    round = await session.get_one(Round, application.round, with_for_update=True)
    round.require_open()
    beside = [a for a in await submitted_applications(session, round.id) if a.id != id]
    found = await findings_in(session, round, [application], [*beside, application])
    finding = _found(found[id], key)
    if application.status is ApplicationStatus.REFUSED:
        raise FindingNotThere(f"The application {id} was refused.")
    return await _keep(
        session,
        finding,
        reason,
        not_below=not_below,
        subject=id,
        network=None,
        application=id,
        commissioner=application.commissioner,
        valid=days(round.starts_on),
        by=caller.subject,
        now=now,
    )


async def except_network(
    session: AsyncSession,
    code: str,
    key: str,
    reason: str,
    *,
    first: date,
    last: date | None,
    not_below: Decimal | None,
    caller: Caller,
    now: datetime,
) -> Waiver:
    """Except one finding of a network on the register, from a day on, with the reason.

    Raises `NetworkNotFound`, `NotYoursToDecide`, `FindingNotThere`, `ExceptedAlready`.
    """
    lead = await lead_of(session, code, first)
    if lead is None:
        raise NetworkNotFound(f"No network {code} on {first}.")
    await require_decider(session, lead, caller, london_day(now))
    finding = _found(await findings_on(session, code, first), key)
    return await _keep(
        session,
        finding,
        reason,
        not_below=not_below,
        subject=code,
        network=code,
        application=None,
        commissioner=lead,
        valid=days(first, last),
        by=caller.subject,
        now=now,
    )


def _found(findings: list[Finding], key: str) -> Finding:
    for finding in findings:
        if finding.key == key and finding.blocking:
            return finding
    there = ", ".join(finding.key for finding in findings if finding.blocking) or "nothing"
    raise FindingNotThere(f"There is no finding {key}; found was {there}.")


async def findings_on(session: AsyncSession, code: str, day: date) -> list[Finding]:
    """What is found of a network as it stands on a day: its size by the latest lists, its members, its area."""
    rule = await rule_on(session, day)
    portions = (
        await session.execute(
            select(Membership.practice, Membership.portion).where(Membership.network == code, as_at(Membership, day))
        )
    ).all()
    members = [practice for practice, _ in portions]
    patients = await patients_on(session, members, day)
    size = sum((patients[code] * ((p.upper or 1) - (p.lower or 0)) for code, p in portions), start=Decimal(0))
    found = []
    if size < rule.smallest:
        message = f"{size:.0f} registered patients, fewer than {rule.smallest:f}."
        found.append(Finding(TOO_SMALL, TOO_SMALL, message))
    if len(members) == 1:
        found.append(Finding(ONE_PRACTICE, ONE_PRACTICE, f"{members[0]} is a network alone."))
    area = await session.scalar(select(NetworkArea).where(NetworkArea.network == code, as_at(NetworkArea, day)))
    if area is not None:
        shape = shape_of(area.geometry)
        others = await drawn_networks(session, day, [shape], but=[code])
        places = list((await located(session, members, day)).values())
        found += findings_of(area.geometry, shape, others, places, float(rule.sliver))
    return found


async def _keep(
    session: AsyncSession,
    finding: Finding,
    reason: str,
    *,
    not_below: Decimal | None,
    subject: str,
    network: str | None,
    application: str | None,
    commissioner: str,
    valid: Range[date],
    by: str,
    now: datetime,
) -> Waiver:
    made = Waiver(
        id=new_id("wvr"),
        subject=subject,
        network=network,
        application=application,
        commissioner=commissioner,
        finding=finding.key,
        message=finding.message,
        reason=reason,
        not_below=not_below,
        given_by=by,
        valid=valid,
        known=since(now),
    )
    await _add(session, made)
    return made


async def _add(session: AsyncSession, made: Waiver) -> None:
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        if "ex_waivers_overlap" in str(error.orig):
            raise ExceptedAlready(f"{made.finding} of {made.subject} is excepted on these days already.") from error
        raise


async def correct_waiver(
    session: AsyncSession,
    id: str,
    *,
    first: date,
    last: date | None,
    reason: str,
    not_below: Decimal | None,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Waiver:
    """Say better why, or from when to when, an exception holds; what was believed before stays answerable.

    Raises `WaiverNotFound`, `NotYoursToDecide`, `ExceptedAlready`, `Invalid`.
    """
    held = await _held(session, id, caller, if_match, now)
    if not_below is not None and held.finding != TOO_SMALL:
        raise one_fault("not_below", "not_of_size", "Only an exception from the smallest size says how far down.")
    if last is not None and last < first:
        fault = Fault("valid_to", "before_valid_from", f"{last} lies before {first}.")
        raise Invalid("The days are not in order.", errors=[fault])
    made = Waiver(
        id=id,
        subject=held.subject,
        network=held.network,
        application=held.application,
        commissioner=held.commissioner,
        finding=held.finding,
        message=held.message,
        reason=reason,
        not_below=held.not_below if not_below is None else not_below,
        given_by=caller.subject,
        valid=days(first, last),
        known=since(now),
    )
    await withdraw(session, Waiver, now=now, days=ALWAYS, id=id)
    await _add(session, made)
    return made


async def withdraw_waiver(
    session: AsyncSession, id: str, reason: str, *, caller: Caller, if_match: str | None, now: datetime
) -> Waiver:
    """The exception was given in error: from now on it is believed never to have held.

    Raises `WaiverNotFound`, `NotYoursToDecide`.
    """
    held = await _held(session, id, caller, if_match, now)
    await withdraw(session, Waiver, now=now, days=ALWAYS, id=id)
    audit(session, action="withdrawn", record=f"waivers/{id}", concerns=held.concerns(), after={"reason": reason})
    return held


async def _held(session: AsyncSession, id: str, caller: Caller, if_match: str | None, now: datetime) -> Waiver:
    held = await find_waiver(session, id, caller, london_day(now), lock=True)
    await require_decider(session, held.commissioner, caller, london_day(now))
    require_etag(f'"{held.fact_id}"', if_match)
    return held
