"""What has happened to practices and networks since they applied, and what stands against a network that is named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.form import Form
from services.registry.applications.refusals import ApplicationOvertaken
from services.registry.networks.model import Membership
from services.registry.networks.queries import leads_of
from services.registry.practices.model import PracticeCommissioner
from services.registry.rounds.model import Round
from services.registry.rounds.queries import known_practices
from services.registry.scope import heir_of
from shared.errors import Fault, Refused
from shared.facts import as_at

MEMBERS_NO_MORE = frozenset({"unknown_practice", "practice_not_open", "not_a_core_contract"})


async def against_networks(session: AsyncSession, round: Round, forms: Sequence[Form]) -> dict[str, list[Refused]]:
    """What stands against the networks each of these forms goes on with or forms anew."""
    left = {line.leaves for form in forms for line in form.practices}
    named = {code for form in forms for code in (form.network, *form.reforms, *left) if code}
    leads = await leads_of(session, named, round.starts_on) if named else {}
    area = await heir_of(session, round.commissioner, round.starts_on)
    theirs = await _neighbours(session, {code for code in left if code}, area, round.starts_on) if any(left) else set()
    return {form.id: form.network_refusals(leads, area, theirs) for form in forms}


async def _neighbours(session: AsyncSession, networks: set[str], area: str, day: date) -> set[tuple[str, str]]:
    """Members of these networks on a day that others than this commissioner commission, each with its network."""
    held = (
        select(Membership.practice, Membership.network)
        .join(PracticeCommissioner, PracticeCommissioner.practice == Membership.practice)
        .where(
            as_at(Membership, day),
            as_at(PracticeCommissioner, day),
            Membership.network.in_(networks),
            PracticeCommissioner.commissioner != area,
        )
    )
    return {(practice, network) for practice, network in await session.execute(held)}


async def require_still_good(
    session: AsyncSession, round: Round, applications: Sequence[Form], beside: Sequence[Form]
) -> None:
    """Raises `ApplicationOvertaken` naming what has changed since these applications came in.

    `beside` are the applications they would be decided with. Their sizes stay as they were counted at submission.
    """
    known = await known_practices(session, [code for a in applications for code in a.practice_codes], round)
    of_networks = await against_networks(session, round, applications)
    faults = []
    for application in applications:
        field = f"applications.{application.id}"
        gone = [f for f in application.practice_faults(known) if f.code in MEMBERS_NO_MORE]
        others = [other for other in beside if other.id != application.id]
        refused = [*of_networks[application.id], *application.conflicts(known, others, complete=True)]
        faults += [Fault(field, fault.code, fault.message) for fault in gone]
        faults += [Fault(field, refusal.code, str(refusal)) for refusal in refused]
    if faults:
        raise ApplicationOvertaken(
            f"{len(faults)} things have changed since the applications came in: return or refuse those they concern.",
            errors=faults,
        )
