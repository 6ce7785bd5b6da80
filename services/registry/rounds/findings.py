"""What is found of the applications of a round beside one another and beside the networks around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.form import Form
from services.registry.applications.history import ApplicationVersion
from services.registry.applications.model import Application, ApplicationStatus
from services.registry.areas.findings import Drawn, Located, findings_of
from services.registry.areas.geojson import shape_of
from services.registry.areas.model import Finding, FindingsNotAccepted
from services.registry.areas.queries import areas_on, drawn_networks, located
from services.registry.rounds.model import Round, RoundStatus
from services.registry.rounds.queries import status_then
from services.registry.size_rules.queries import rule_on
from services.registry.waivers.model import ONE_PRACTICE
from services.registry.waivers.queries import reasons_on


async def findings_in(
    session: AsyncSession,
    round: Round,
    applications: Sequence[Form],
    beside: Sequence[Form],
    known_at: datetime | None = None,
) -> dict[str, list[Finding]]:
    """What is found of each of these applications, and which of it is excepted already.

    `beside` are the applications of the round that would be decided with them; those that wait in other rounds count
    too, and the networks that go on. A network that goes on and draws no area anew keeps the one it has.
    """
    sliver = float((await rule_on(session, round.starts_on, known_at)).sliver)
    everyone = {a.id: a for a in (*applications, *beside)}.values()
    kept = await areas_on(
        session, [a.network for a in everyone if a.network and not a.area], round.starts_on, known_at=known_at
    )
    ground = {a.id: a.area or kept.get(a.network or "") for a in everyone}
    shapes = {id: shape_of(area) for id, area in ground.items() if area}
    elsewhere = await _waiting_elsewhere(session, round, known_at) if shapes else []
    replaced = {code for a in beside for code in (a.network if a.area else None, *a.reforms) if code}
    replaced |= {code for a in elsewhere for code in (a.network, *a.reforms) if code}
    drawn = await drawn_networks(session, round.starts_on, list(shapes.values()), but=replaced, known_at=known_at)
    drawn += [Drawn(a.id, f"the application of {a.network_name}", shapes[a.id]) for a in beside if a.area]
    drawn += [
        Drawn(a.id, f"an application in the area of {a.commissioner}", shape_of(a.area)) for a in elsewhere if a.area
    ]
    named = [code for a in applications for code in a.practice_codes]
    where = await located(session, named, round.starts_on, known_at)
    subjects = [subject for a in applications for subject in (a.id, a.network) if subject]
    reasons = await reasons_on(session, subjects, round.starts_on, known_at)
    found = {}
    for application in applications:
        own = {application.id, application.network, *application.reforms}
        neighbours = [other for other in drawn if other.key not in own]
        area = ground[application.id]
        findings = _of_form(application, area, shapes.get(application.id), neighbours, where, sliver)
        found[application.id] = [
            finding.excepted(reasons.get((application.id, finding.key)) or _of_network(reasons, application, finding))
            for finding in findings
        ]
    return found


def _of_network(reasons: Mapping[tuple[str, str], str], application: Form, finding: Finding) -> str | None:
    return reasons.get((application.network, finding.key)) if application.network else None


def _of_form(
    application: Form,
    area: Mapping[str, Any] | None,
    shape: BaseGeometry | None,
    neighbours: Sequence[Drawn],
    where: Mapping[str, Located],
    sliver: float,
) -> list[Finding]:
    found = []
    if len(application.practices) == 1:
        message = f"{application.practices[0].practice} would be a network alone: the commissioner must agree."
        found.append(Finding(ONE_PRACTICE, ONE_PRACTICE, message))
    if area is None or shape is None:
        message = "No area is drawn, so neither overlaps nor gaps can be seen."
        return [*found, Finding("area_not_drawn", "area_not_drawn", message, blocking=False)]
    members = [where[code] for code in application.practice_codes if code in where]
    found += findings_of(area, shape, neighbours, members, sliver)
    unplaced = [code for code in application.practice_codes if code not in where]
    if unplaced:
        message = f"Nobody has said where {', '.join(unplaced[:20])} {'is' if len(unplaced) == 1 else 'are'}."
        found.append(Finding("practice_not_located", "practice_not_located", message, blocking=False))
    return found


async def _waiting_elsewhere(session: AsyncSession, round: Round, known_at: datetime | None) -> Sequence[Application]:
    """Applications with an area that wait, or waited then, in the rounds of other areas for the same year."""
    of_others = (
        Round.contract_year == round.contract_year,
        Round.commissioner != round.commissioner,
        status_then(known_at) == RoundStatus.OPEN,
    )
    if known_at is None:
        waiting = select(Application).where(
            Application.status == ApplicationStatus.SUBMITTED, Application.area.is_not(None), *of_others
        )
        waiting = waiting.join(Round, Round.id == Application.round).order_by(Application.id)
        return (await session.scalars(waiting)).all()
    then = (
        select(ApplicationVersion.state)
        .join(Application, Application.id == ApplicationVersion.application)
        .join(Round, Round.id == Application.round)
        .where(
            ApplicationVersion.id == ApplicationVersion.latest(known_at),
            ApplicationVersion.says("status") == ApplicationStatus.SUBMITTED.value,
            *of_others,
        )
        .order_by(Application.id)
    )
    found = [Application.remembered(state) for state in await session.scalars(then)]
    return [application for application in found if application.area]


def require_accepted(found: Mapping[str, Sequence[Finding]]) -> None:
    """Raises `FindingsNotAccepted` naming whatever stands in the way of these applications."""
    faults = [
        finding.fault(f"applications.{application}")
        for application, findings in found.items()
        for finding in findings
        if finding.holds
    ]
    if faults:
        raise FindingsNotAccepted(
            f"{len(faults)} findings are neither put right nor excepted: POST /registry/v1/waivers says why one is.",
            errors=faults,
        )
