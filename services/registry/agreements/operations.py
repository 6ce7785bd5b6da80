from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.agreements.model import (
    AgreementInForce,
    AgreementNotFound,
    AgreementStatus,
    AgreementVersion,
    NamedPartner,
    Party,
    in_force_on_days,
)
from services.registry.agreements.queries import find_version, parties_of, sees_as_party
from services.registry.agreements.terms import Terms
from services.registry.networks.model import Network
from services.registry.partners.model import PartnerTerm
from services.registry.voice import act_for, lead_for, sees_inside
from shared.clock import london_day
from shared.errors import Fault
from shared.facts import as_at, currently_known, since, withdraw
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


async def require_reader(session: AsyncSession, code: str, caller: Caller, day: date) -> None:
    """An agreement is private to the network, its parties and whose area it is. Raises `AgreementNotFound`."""
    if not await sees_inside(session, code, caller, day) and not await sees_as_party(session, code, caller, day):
        raise AgreementNotFound(f"No agreement of {code}.")


async def draft_version(
    session: AsyncSession,
    code: str,
    *,
    caller: Caller,
    terms: Terms,
    named: Mapping[str, Sequence[str]],
    in_force_from: date,
    now: datetime,
) -> AgreementVersion:
    """Begin the next version of a network's agreement. Raises `NetworkNotFound`, `NotYoursToActFor`."""
    await act_for(session, code, caller, london_day(now))
    newest = await session.scalar(select(func.max(AgreementVersion.number)).where(AgreementVersion.network == code))
    made = AgreementVersion(
        network=code,
        number=(newest or 0) + 1,
        status=AgreementStatus.DRAFT,
        in_force_from=in_force_from,
        terms=terms.model_dump(mode="json"),
        drafted_by=caller.subject,
        drafted_at=now,
        changed_at=now,
    )
    session.add(made)
    await session.flush()
    _name_partners(session, made, named)
    await session.flush()
    return made


def _name_partners(session: AsyncSession, version: AgreementVersion, named: Mapping[str, Sequence[str]]) -> None:
    for practice, persons in named.items():
        for person in sorted(set(persons)):
            session.add(NamedPartner(network=version.network, number=version.number, practice=practice, person=person))


async def version_to_change(
    session: AsyncSession, code: str, number: int, *, caller: Caller, if_match: str | None, now: datetime
) -> AgreementVersion:
    """A version, locked with its network, for who may act for it."""
    today = london_day(now)
    await require_reader(session, code, caller, today)
    await act_for(session, code, caller, today)
    version = await find_version(session, code, number)
    require_match(version, if_match)
    version.changed_at = now
    return version


async def change_draft(
    session: AsyncSession,
    version: AgreementVersion,
    *,
    terms: Terms,
    named: Mapping[str, Sequence[str]],
    in_force_from: date,
) -> None:
    """Write a draft anew. Raises `AgreementNotDraft`."""
    version.require_draft()
    version.terms, version.in_force_from = terms.model_dump(mode="json"), in_force_from
    of_version = (NamedPartner.network == version.network, NamedPartner.number == version.number)
    for partner in await session.scalars(select(NamedPartner).where(*of_version)):
        await session.delete(partner)
    await session.flush()
    _name_partners(session, version, named)
    await session.flush()


async def send_version(session: AsyncSession, version: AgreementVersion, *, by: str, on: date) -> None:
    """Send a draft to the parties for signature. Raises `AgreementNotDraft`, and `Invalid` with all that is missing."""
    version.require_draft()
    parties = await parties_of(session, version.network, version.number, None)
    held = {party.practice for party in parties.on(version.in_force_from) if party.practice}
    partners = await session.scalars(
        select(PartnerTerm.organisation).where(
            PartnerTerm.network == version.network, as_at(PartnerTerm, version.in_force_from)
        )
    )
    faults = Terms.model_validate(version.terms).faults(held, set(partners))
    if not held:
        faults.append(Fault("in_force_from", "no_members", f"Nobody is a member on {version.in_force_from}."))
    faults += [
        Fault(f"named_partners.{practice}", "not_a_member", f"{practice} is no member on {version.in_force_from}.")
        for practice in sorted(set(parties.persons) - held)
    ]
    version.send(faults, on=on, by=by)
    await session.flush()


async def bring_into_force(session: AsyncSession, version: AgreementVersion, *, now: datetime) -> None:
    """Make a version, signed by every party, the network's agreement from its day on. Raises `SignaturesMissing`."""
    first = version.require_complete(await parties_of(session, version.network, version.number, None))
    if first == version.in_force_since:
        return
    terms = Terms.model_validate(version.terms)
    lead = await lead_for(session, version.network, first, now)
    event = version.come_into_force(
        first,
        commissioner=lead,
        finance=terms.finance.as_told() if terms.finance else None,
        human_resources=terms.workforce is not None,
    )
    await _believe_in_force(session, version.network, now)
    announce(session, event)
    if (ended := version.still_ended(commissioner=lead)) is not None:
        announce(session, ended)


async def settle(session: AsyncSession, version: AgreementVersion, *, now: datetime) -> None:
    """A party has signed: bring the version into force if that was the last one, or from an earlier day if it was so.

    Who signs because they joined later changes nothing: the agreement stays in force between the others.
    """
    first = version.complete_day(await parties_of(session, version.network, version.number, None))
    if first is not None and (version.in_force_since is None or first < version.in_force_since):
        await bring_into_force(session, version, now=now)


async def unsettle(
    session: AsyncSession, version: AgreementVersion, party: Party, reason: str, *, now: datetime
) -> None:
    """A party never signed: if it was one on the day the version came into force, that day was another or none."""
    since_day = version.in_force_since
    parties = await parties_of(session, version.network, version.number, None)
    if since_day is None or party not in parties.on(since_day):
        return
    if version.complete_day(parties) is not None:
        await bring_into_force(session, version, now=now)
        return
    lead = await lead_for(session, version.network, since_day, now)
    announce(session, version.fall_back(reason, commissioner=lead))
    await _believe_in_force(session, version.network, now)


async def end_version(
    session: AsyncSession, version: AgreementVersion, last_day: date, reason: str, *, now: datetime
) -> None:
    """The agreement is in force to `last_day` and not longer. Raises `AgreementNotInForce`."""
    lead = await lead_for(session, version.network, last_day, now)
    announce(session, version.end(last_day, reason, commissioner=lead))
    await _believe_in_force(session, version.network, now)


async def _believe_in_force(session: AsyncSession, code: str, now: datetime) -> None:
    """Bring what is believed of the days of each version in line; what stays true stays believed since it was."""
    await session.flush()
    versions = await session.scalars(select(AgreementVersion).where(AgreementVersion.network == code))
    wanted = in_force_on_days(versions)
    held = (
        await session.scalars(
            select(AgreementInForce).where(AgreementInForce.network == code, currently_known(AgreementInForce))
        )
    ).all()
    for fact in held:
        if (fact.number, fact.valid) not in wanted:
            await withdraw(session, AgreementInForce, now=now, days=fact.valid, network=code, number=fact.number)
    there = {(fact.number, fact.valid) for fact in held}
    session.add_all(
        AgreementInForce(network=code, number=number, valid=valid, known=since(now))
        for number, valid in wanted
        if (number, valid) not in there
    )
    (await session.get_one(Network, code)).changed_at = now
    await session.flush()
