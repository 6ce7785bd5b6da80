from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from services.registry.applications.form import ApplicationKind, ApplicationPractice
from services.registry.applications.history import keep
from services.registry.applications.model import Application, LmcOpinion, Step
from services.registry.applications.queries import find_application
from services.registry.applications.refusals import NotYoursToChange
from services.registry.areas.geojson import read_area
from services.registry.areas.model import Finding
from services.registry.networks.model import Network, NetworkCodeTaken, NetworkNotFound
from services.registry.networks.queries import payees_on
from services.registry.rounds.covering import coverage_of
from services.registry.rounds.findings import findings_in, require_accepted
from services.registry.rounds.model import Round
from services.registry.rounds.overtaken import against_networks, require_still_good
from services.registry.rounds.queries import find_round, known_practices, require_decider, submitted_applications
from services.registry.scope import acts_for
from services.registry.size_rules.queries import rule_on
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.events import Event
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce


@dataclass(frozen=True, slots=True)
class Assessed:
    """An application with what the commissioner should look at; `patients` are the whole lists of its practices."""

    application: Application
    warnings: Sequence[Fault]
    findings: Sequence[Finding]
    patients: Mapping[str, Decimal]


async def draft_application(
    session: AsyncSession,
    *,
    caller: Caller,
    round: str,
    fields: Mapping[str, Any],
    practices: Sequence[tuple[str, Decimal, str | None]],
    now: datetime,
) -> Application:
    """Begin an application in an open round.

    Raises `RoundNotFound`, `RoundAlreadyDecided`, `NotYoursToChange`, `NetworkNotFound`, `NetworkCodeTaken`, `Invalid`.
    """
    today = london_day(now)
    its_round = await find_round(session, round, caller, today)
    its_round.require_open()
    made = Application(
        id=new_id("app"),
        round=round,
        commissioner=its_round.commissioner,
        contract_year=its_round.contract_year,
        created_by=caller.subject,
        **_filled_in(fields),
    )
    made.kind = made.kind or _kind_of(made)
    made.practices = _lines(made.id, practices)
    await _require_part(session, made, caller, today, new=True)
    await _check_codes(session, made)
    session.add(made)
    await keep(session, [made], now)
    return made


async def change_application(
    session: AsyncSession,
    id: str,
    *,
    caller: Caller,
    fields: Mapping[str, Any],
    practices: Sequence[tuple[str, Decimal, str | None]] | None,
    if_match: str | None,
    now: datetime,
) -> Application:
    """Change a draft or returned application."""
    today = london_day(now)
    changed = _filled_in(fields)
    application = await _open_for_change(session, id, caller, if_match, today)
    application.require_open()
    for name, value in changed.items():
        setattr(application, name, value)
    if (fields.keys() & {"network", "reforms"} and fields.get("kind") is None) or application.kind is None:
        application.kind = _kind_of(application)
    if practices is not None:
        kept = {line.practice: line for line in application.practices}
        lines = _lines(id, practices)
        for line in lines:
            if line.practice in kept:
                kept[line.practice].share, kept[line.practice].leaves = line.share, line.leaves
        application.practices = [kept.get(line.practice, line) for line in lines]
        application.registered_patients = None
        # the practices are rows of their own; the application must get a new version all the same
        flag_modified(application, "network_name")
    await _check_codes(session, application)
    await _require_part(session, application, caller, today)
    await keep(session, [application], now)
    return application


async def submit_application(
    session: AsyncSession,
    id: str,
    *,
    caller: Caller,
    received_on: date | None,
    if_match: str | None,
    now: datetime,
) -> Assessed:
    """Hand in an application. A commissioner may say that the form reached it on an earlier day."""
    today = london_day(now)
    application, its_round = await _locked(session, id, caller, today)
    await _require_part(session, application, caller, today)
    require_match(application, if_match)
    its_round.require_open()
    on = _received(received_on, caller, today, its_round)
    known = await known_practices(session, application.practice_codes, its_round)
    others = [a for a in await submitted_applications(session, its_round.id) if a.id != id]
    rule = await rule_on(session, its_round.starts_on)
    against = await against_networks(session, its_round, [application])
    goes_on = [application.network] if application.network and not application.makes_network else []
    paid = await payees_on(session, goes_on, its_round.starts_on)
    applied = application.submit(
        known,
        others,
        rule,
        on=on,
        by=caller.subject,
        apply_by=its_round.apply_by,
        of_networks=against[application.id],
        paid=paid.get(application.network or ""),
    )
    announce(session, applied)
    session.add(application.step(Step.SUBMITTED, at=now, on=on, by=caller.subject))
    await keep(session, [application], now)
    return await assess(session, application)


def _received(received_on: date | None, caller: Caller, today: date, round: Round) -> date:
    if received_on is None:
        return today
    if not caller.has(Role.COMMISSIONER, Role.NATIONAL):
        fault = Fault("received_on", "not_yours_to_say", "Only a commissioner says when a form was received.")
        raise Invalid("The day of receipt is the commissioner's to say.", errors=[fault])
    if not round.opens_on <= received_on <= today:
        fault = Fault("received_on", "outside_the_round", f"{received_on} is before the round opened or after today.")
        raise Invalid("The form cannot have been received then.", errors=[fault])
    return received_on


async def judge_application(
    session: AsyncSession,
    id: str,
    judge: Callable[[Application], Event],
    step: Step,
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Application:
    """Return or refuse a submitted application, by whoever decides the area."""
    today = london_day(now)
    application, its_round = await _locked(session, id, caller, today)
    await require_decider(session, application.commissioner, caller, today)
    require_match(application, if_match)
    its_round.require_open()
    announce(session, judge(application))
    reason = application.decision_reason
    session.add(application.step(step, at=now, on=today, by=caller.subject, reason=reason))
    await keep(session, [application], now)
    return application


async def find_approvable(
    session: AsyncSession, id: str, *, caller: Caller, if_match: str | None, now: datetime
) -> Application:
    """Find an application approvable for the joint decision.

    Refused while a patient of the area is left out, or something found of the application is not excepted.
    """
    today = london_day(now)
    application, round = await _locked(session, id, caller, today)
    await require_decider(session, application.commissioner, caller, today)
    require_match(application, if_match)
    round.require_open()
    application.require_submitted()
    waiting = await submitted_applications(session, round.id)
    (await coverage_of(session, round, waiting)).require()
    await require_still_good(session, round, [application], waiting)
    require_accepted(await findings_in(session, round, [application], waiting))
    application.find_approvable(on=today, by=caller.subject)
    session.add(application.step(Step.FOUND_APPROVABLE, at=now, on=today, by=caller.subject))
    await keep(session, [application], now)
    return application


async def give_opinion(
    session: AsyncSession,
    id: str,
    opinion: LmcOpinion,
    reason: str | None,
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> Application:
    """Record what the local medical committee says of a submitted application."""
    today = london_day(now)
    application = await find_application(session, id, caller, today, lock=True)
    require_match(application, if_match)
    application.require_submitted()
    application.give_opinion(opinion, reason, by=caller.subject)
    said = opinion.value if reason is None else f"{opinion}: {reason}"
    session.add(application.step(Step.OPINION, at=now, on=today, by=caller.subject, reason=said))
    await keep(session, [application], now)
    return application


async def assess(session: AsyncSession, application: Application, known_at: datetime | None = None) -> Assessed:
    """An application with its warnings and findings, from the lists at submission or, before, as known now or then."""
    round = await session.get_one(Round, application.round)
    patients = {line.practice: line.patients for line in application.practices if line.patients is not None}
    size = application.registered_patients
    if size is None:
        known = await known_practices(session, application.practice_codes, round, known_at)
        patients = {code: practice.patients for code, practice in known.items() if practice.patients is not None}
        size = application.size(known)
    brought = {line.practice: patients.get(line.practice, Decimal(0)) * line.share for line in application.practices}
    warnings = application.cautions(size, await rule_on(session, round.starts_on, known_at), brought)
    beside = [a for a in await submitted_applications(session, round.id, known_at) if a.id != application.id]
    found = await findings_in(session, round, [application], [*beside, application], known_at)
    return Assessed(application, warnings, found[application.id], patients)


async def _open_for_change(
    session: AsyncSession, id: str, caller: Caller, if_match: str | None, today: date
) -> Application:
    application = await find_application(session, id, caller, today, lock=True)
    await _require_part(session, application, caller, today)
    require_match(application, if_match)
    return application


async def _locked(session: AsyncSession, id: str, caller: Caller, today: date) -> tuple[Application, Round]:
    """An application and its round, the round locked first: submissions and the decision wait for each other."""
    round_id = (await find_application(session, id, caller, today)).round
    statement = select(Round).where(Round.id == round_id).with_for_update().execution_options(populate_existing=True)
    round = (await session.scalars(statement)).one()
    return await find_application(session, id, caller, today, lock=True), round


async def _require_part(
    session: AsyncSession, application: Application, caller: Caller, today: date, *, new: bool = False
) -> None:
    """The area's commissioner, the network itself and its practices write an application, and whoever began it."""
    if caller.has(Role.NATIONAL):
        return
    parties = {application.network, application.proposed_code, *application.practice_codes}
    if await acts_for(session, application.commissioner, caller, today):
        return
    if caller.has(Role.NETWORK, Role.PRACTICE) and (
        parties & caller.organisations or (not new and application.created_by == caller.subject)
    ):
        return
    raise NotYoursToChange("An application is written by its network, its practices or the commissioner of its area.")


def _lines(id: str, practices: Sequence[tuple[str, Decimal, str | None]]) -> list[ApplicationPractice]:
    repeated = {code for code, _, _ in practices if [c for c, _, _ in practices].count(code) > 1}
    if repeated:
        faults = [Fault("practices", "repeated", f"{code} is named twice.") for code in sorted(repeated)]
        raise Invalid("A practice is named once.", errors=faults)
    return [
        ApplicationPractice(application=id, practice=p, share=share, leaves=leaves) for p, share, leaves in practices
    ]


async def _check_codes(session: AsyncSession, application: Application) -> None:
    if application.network and await session.get(Network, application.network) is None:
        raise NetworkNotFound(f"No network {application.network}.")
    if application.proposed_code and await session.get(Network, application.proposed_code) is not None:
        raise NetworkCodeTaken(f"The code {application.proposed_code} belongs to another network.")


def _filled_in(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, with the area read and kept without anything that is not of it."""
    if fields.get("area") is None:
        return dict(fields)
    _, geometry = read_area(fields["area"])
    return {**fields, "area": geometry}


def _kind_of(application: Application) -> ApplicationKind:
    if application.reforms:
        return ApplicationKind.REFORM
    return ApplicationKind.CHANGE if application.network else ApplicationKind.NEW
