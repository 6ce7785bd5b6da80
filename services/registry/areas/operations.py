from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from services.registry.areas.findings import findings_of
from services.registry.areas.geojson import read_area, shape_of, wound
from services.registry.areas.geometry import square_metres
from services.registry.areas.model import Finding, FindingsNotAccepted, NetworkArea, PracticeLocation
from services.registry.areas.queries import drawn_networks, located
from services.registry.networks.model import Membership, Network, NetworkNotFound
from services.registry.networks.queries import lead_of
from services.registry.practices.model import Practice, PracticeCommissioner
from services.registry.practices.queries import PracticeNotFound
from services.registry.rounds.model import NotYoursToDecide
from services.registry.rounds.queries import require_decider
from services.registry.size_rules.queries import rule_on
from services.registry.waivers.model import Waiver
from services.registry.waivers.queries import reasons_on
from shared.clock import london_day
from shared.database import new_id
from shared.facts import as_at, record
from shared.http import require_match
from shared.identity import Caller, Role


def area_of_network(
    network: str,
    geometry: Mapping[str, Any],
    *,
    days: Range[date],
    reason: str,
    by: str,
    application: str | None,
) -> NetworkArea:
    """The area of a network on some days, wound as RFC 7946 asks."""
    shape = shape_of(geometry)
    west, south, east, north = shape.bounds
    return NetworkArea(
        network=network,
        geometry=wound(shape),
        west=west,
        south=south,
        east=east,
        north=north,
        square_metres=Decimal(round(square_metres(shape))),
        application=application,
        reason=reason,
        made_by=by,
        valid=days,
    )


async def record_area(
    session: AsyncSession,
    code: str,
    document: Mapping[str, Any],
    *,
    days: Range[date],
    reason: str,
    exceptions: Mapping[str, str],
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> tuple[NetworkArea, Network, list[Finding]]:
    """Draw or correct the area of a network on some days; `exceptions` gives the reason for each finding excepted.

    Raises `NetworkNotFound`, `NotYoursToDecide`, `Invalid`, `FindingsNotAccepted`.
    """
    shape, geometry = read_area(document)
    first = days.lower or date.min
    network = await session.get(Network, code, with_for_update=True)
    lead = await lead_of(session, code, first)
    if network is None or lead is None:
        raise NetworkNotFound(f"No network {code} on {first}.")
    await require_decider(session, lead, caller, london_day(now))
    require_match(network, if_match)
    members = (
        await session.scalars(select(Membership.practice).where(Membership.network == code, as_at(Membership, first)))
    ).all()
    found = findings_of(
        geometry,
        shape,
        await drawn_networks(session, first, [shape], but=[code]),
        list((await located(session, members, first)).values()),
        float((await rule_on(session, first)).sliver),
    )
    held = await reasons_on(session, [code], first)
    found = [f.excepted(exceptions.get(f.key) or held.get((code, f.key))) for f in found]
    open_ones = [finding.fault("exceptions") for finding in found if finding.holds]
    if open_ones:
        raise FindingsNotAccepted(f"{len(open_ones)} findings are not excepted with a reason.", errors=open_ones)
    made = area_of_network(code, geometry, days=days, reason=reason, by=caller.subject, application=None)
    await record(session, made, key=["network"], now=now)
    for finding in found:
        if finding.blocking and finding.key in exceptions:
            waiver = Waiver(
                id=new_id("wvr"),
                subject=code,
                network=code,
                commissioner=lead,
                finding=finding.key,
                message=finding.message,
                reason=exceptions[finding.key],
                given_by=caller.subject,
                valid=days,
            )
            await record(session, waiver, key=["subject", "finding"], now=now)
    network.changed_at = now
    await session.flush()
    return made, network, found


async def locate_practice(
    session: AsyncSession,
    code: str,
    longitude: float,
    latitude: float,
    *,
    days: Range[date],
    source: str,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> tuple[PracticeLocation, Practice]:
    """Say where a practice is. The practice itself says so, or who decides for its commissioner's area.

    Raises `PracticeNotFound`, `NotYoursToDecide`.
    """
    practice = await session.get(Practice, code, with_for_update=True)
    if practice is None:
        raise PracticeNotFound(f"No practice {code}.")
    if not (caller.has(Role.PRACTICE) and code in caller.organisations):
        commissioner = await session.scalar(
            select(PracticeCommissioner.commissioner).where(
                PracticeCommissioner.practice == code, as_at(PracticeCommissioner, days.lower or date.min)
            )
        )
        if commissioner is None and not caller.has(Role.NATIONAL):
            raise NotYoursToDecide(f"{code} is not yours to place.")
        await require_decider(session, commissioner or "", caller, london_day(now))
    require_match(practice, if_match)
    made = PracticeLocation(
        practice=code, longitude=longitude, latitude=latitude, source=source, made_by=caller.subject, valid=days
    )
    await record(session, made, key=["practice"], now=now)
    # the location is a row of its own; whoever reads the practice must see that something is new
    flag_modified(practice, "setting")
    await session.flush()
    return made, practice
