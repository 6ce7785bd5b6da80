"""What an approval brings beside members and money: the area, the localities, the exceptions, and networks that end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.form import ApplicationKind
from services.registry.applications.model import Application
from services.registry.applications.refusals import NetworkNotWhollyDivided
from services.registry.areas.operations import area_of_network
from services.registry.localities.operations import arrange_localities
from services.registry.networks.model import Membership, Network, NetworkEntry, Payee
from services.registry.rounds.model import Round
from services.registry.size_rules.queries import rule_on
from services.registry.waivers.model import TOO_SMALL, Waiver
from shared.database import new_id
from shared.errors import Fault
from shared.events import Event
from shared.events.registry import NetworkClosed
from shared.facts import ONE_DAY, as_at, currently_known, days, record, record_many, withdraw


async def require_wholly_divided(session: AsyncSession, round: Round, approved: Sequence[Application]) -> None:
    """Raises `NetworkNotWhollyDivided` where a network is formed anew and a practice of it goes nowhere."""
    reforming = [a for a in approved if a.kind is ApplicationKind.REFORM]
    divided = {code for a in reforming for code in a.reforms} - {a.network for a in approved}
    placed = {code for a in approved for code in a.practice_codes}
    members = select(Membership.network, Membership.practice).where(
        as_at(Membership, round.starts_on), Membership.network.in_(divided), Membership.practice.not_in(placed)
    )
    left = (await session.execute(members.order_by(Membership.network, Membership.practice))).all()
    if left:
        faults = [Fault(network, "left_over", f"{practice} goes to no network.") for network, practice in left]
        raise NetworkNotWhollyDivided(f"{len(left)} practices of divided networks go nowhere.", errors=faults)


async def settle_forms(
    session: AsyncSession,
    round: Round,
    approved: Sequence[Application],
    codes: Mapping[str, str],
    lead: str,
    by: str,
    now: datetime,
) -> None:
    """Draw the areas, arrange the localities and keep the exceptions of the approved, under their networks' codes."""
    rule = await rule_on(session, round.starts_on)
    areas = [
        area_of_network(
            codes[application.id],
            application.area,
            days=days(round.starts_on),
            reason=application.area_description or "As applied for.",
            by=by,
            application=application.id,
        )
        for application in approved
        if application.area is not None
    ]
    await record_many(session, areas, key="network", now=now)
    for application in approved:
        network = codes[application.id]
        if application.localities:
            placed = [(locality["name"], locality["practices"]) for locality in application.localities]
            why = "As applied for."
            await arrange_localities(session, network, placed, days=days(round.starts_on), reason=why, by=by, now=now)
        size = application.registered_patients
        if size is not None and size < rule.smallest and application.size_waiver_reason:
            message = f"{size:.0f} registered patients, fewer than {rule.smallest:f}."
            waiver = Waiver(
                id=new_id("wvr"),
                subject=network,
                network=network,
                application=application.id,
                commissioner=lead,
                finding=TOO_SMALL,
                message=message,
                reason=application.size_waiver_reason,
                given_by=by,
                valid=days(round.starts_on),
            )
            await record(session, waiver, key=["subject", "finding"], now=now)
    given = select(Waiver).where(currently_known(Waiver), Waiver.subject.in_(codes)).order_by(Waiver.fact_id)
    for waiver in (await session.scalars(given)).all():
        network = codes[waiver.subject]
        kept = waiver.for_network(network, codes)
        await withdraw(session, Waiver, now=now, days=waiver.valid, id=waiver.id)
        await record(session, kept, key=["subject", "finding"], now=now)


async def close_empty(session: AsyncSession, round: Round, left: Mapping[str, str], now: datetime) -> list[Event]:
    """Networks whose last members have gone end on the day before; `left` gives each one's lead commissioner."""
    if not left:
        return []
    from_then = days(round.starts_on)
    stays = exists().where(
        Membership.network == Network.code, currently_known(Membership), Membership.valid.overlaps(from_then)
    )
    empty = select(Network).where(Network.code.in_(left), ~stays).order_by(Network.code).with_for_update()
    events: list[Event] = []
    for network in (await session.scalars(empty)).all():
        last = round.starts_on - ONE_DAY
        if await _closed_by(session, network.code, last):
            continue
        for model in (NetworkEntry, Payee):
            await withdraw(session, model, now=now, days=from_then, network=network.code)
        network.changed_at = now
        events.append(NetworkClosed(network=network.code, commissioner=left[network.code], closed_on=last))
    return events


async def _closed_by(session: AsyncSession, network: str, day: date) -> bool:
    goes_on = select(func.count()).where(
        NetworkEntry.network == network, currently_known(NetworkEntry), NetworkEntry.valid.overlaps(days(day + ONE_DAY))
    )
    return not await session.scalar(goes_on)
