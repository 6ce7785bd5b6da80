from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from services.registry.applications.model import Application, ApplicationPractice, LmcOpinion
from services.registry.applications.queries import find_application
from services.registry.applications.refusals import NotYoursToChange
from services.registry.networks.model import Network, NetworkCodeTaken, NetworkNotFound
from services.registry.rounds.model import Round
from services.registry.rounds.queries import (
    coverage_of,
    find_round,
    known_practices,
    require_decider,
    submitted_applications,
)
from services.registry.scope import acts_for
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.events import Event
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce


@dataclass(frozen=True, slots=True)
class Assessed:
    """An application with what the commissioner should look at."""

    application: Application
    warnings: Sequence[Fault]


async def draft_application(
    session: AsyncSession,
    *,
    caller: Caller,
    round: str,
    fields: Mapping[str, Any],
    practices: Sequence[tuple[str, Decimal, str | None]],
    today: date,
) -> Application:
    """Begin an application in an open round.

    Raises `RoundNotFound`, `RoundAlreadyDecided`, `NotYoursToChange`, `NetworkNotFound`, `NetworkCodeTaken`, `Invalid`.
    """
    its_round = await find_round(session, round, caller, today)
    its_round.require_open()
    made = Application(
        id=new_id("app"),
        round=round,
        commissioner=its_round.commissioner,
        contract_year=its_round.contract_year,
        created_by=caller.subject,
        **fields,
    )
    made.practices = _lines(made.id, practices)
    await _require_part(session, made, caller, today, new=True)
    await _check_codes(session, made)
    session.add(made)
    await session.flush()
    return made


async def change_application(
    session: AsyncSession,
    id: str,
    *,
    caller: Caller,
    fields: Mapping[str, Any],
    practices: Sequence[tuple[str, Decimal, str | None]] | None,
    if_match: str | None,
    today: date,
) -> Application:
    """Change a draft or returned application."""
    application = await _open_for_change(session, id, caller, if_match, today)
    application.require_open()
    for name, value in fields.items():
        setattr(application, name, value)
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
    await session.flush()
    return application


async def submit_application(
    session: AsyncSession,
    id: str,
    *,
    caller: Caller,
    received_on: date | None,
    if_match: str | None,
    today: date,
) -> Assessed:
    """Hand in an application. A commissioner may say that the form reached it on an earlier day."""
    application, its_round = await _locked(session, id, caller, today)
    await _require_part(session, application, caller, today)
    require_match(application, if_match)
    its_round.require_open()
    on = _received(received_on, caller, today, its_round)
    known = await known_practices(session, application.practice_codes, its_round)
    others = [a for a in await submitted_applications(session, its_round.id) if a.id != id]
    announce(session, application.submit(known, others, on=on, by=caller.subject, apply_by=its_round.apply_by))
    await session.flush()
    return Assessed(application, application.cautions(application.registered_patients))


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
    *,
    caller: Caller,
    if_match: str | None,
    today: date,
) -> Application:
    """Return or refuse a submitted application, by whoever decides the area."""
    application, its_round = await _locked(session, id, caller, today)
    await require_decider(session, application.commissioner, caller, today)
    require_match(application, if_match)
    its_round.require_open()
    announce(session, judge(application))
    await session.flush()
    return application


async def find_approvable(
    session: AsyncSession, id: str, *, caller: Caller, if_match: str | None, today: date
) -> Application:
    """Find an application approvable for the joint decision; refused while a patient of the area is left out."""
    application, round = await _locked(session, id, caller, today)
    await require_decider(session, application.commissioner, caller, today)
    require_match(application, if_match)
    round.require_open()
    application.require_submitted()
    (await coverage_of(session, round, await submitted_applications(session, round.id))).require()
    application.find_approvable(on=today, by=caller.subject)
    await session.flush()
    return application


async def give_opinion(
    session: AsyncSession,
    id: str,
    opinion: LmcOpinion,
    reason: str | None,
    *,
    caller: Caller,
    if_match: str | None,
    today: date,
) -> Application:
    """Record what the local medical committee says of a submitted application."""
    application = await find_application(session, id, caller, today, lock=True)
    require_match(application, if_match)
    application.require_submitted()
    application.give_opinion(opinion, reason, by=caller.subject)
    await session.flush()
    return application


async def assess(session: AsyncSession, application: Application) -> Assessed:
    """An application with its warnings, from its size at submission or, before, from the lists as known now."""
    size = application.registered_patients
    if size is None:
        round = await session.get_one(Round, application.round)
        size = application.size(await known_practices(session, application.practice_codes, round))
    return Assessed(application, application.cautions(size))


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
