"""Keeping what the registry says of agreements, in whatever order it comes, and telling which networks lack one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.agreement_rules.model import AgreementRule
from services.funding.agreements.model import NetworkAgreement
from services.funding.networks.model import Network
from services.funding.payments.heads import Hold
from shared.clock import london_day
from shared.events.registry import AgreementEnded, AgreementSigned
from shared.facts import ONE_DAY, believed, currently_known, days, held_in_turn, since
from shared.years import first_day, last_day

AGREEMENT_MISSING = "agreement-missing"
Waiting = Mapping[str, Mapping[str, Hold]]
"""By network and month: why nothing is paid yet."""


async def keep_agreement(
    session: AsyncSession, event: AgreementSigned | AgreementEnded, position: int, now: datetime
) -> None:
    """Believe from now on what the event adds to what is held of the version; older news adds nothing."""
    held = (
        await session.scalars(
            select(NetworkAgreement)
            .where(
                NetworkAgreement.network == event.network,
                NetworkAgreement.agreement_version == event.agreement_version,
                currently_known(NetworkAgreement),
            )
            .with_for_update()
        )
    ).first()
    fact = NetworkAgreement(
        network=event.network,
        agreement_version=event.agreement_version,
        in_force_from=None if held is None else held.in_force_from,
        last_day=None if held is None else held.last_day,
        position=0 if held is None else held.position,
        ended_position=0 if held is None else held.ended_position,
    )
    if isinstance(event, AgreementSigned):
        if fact.position >= position:
            return
        fact.in_force_from, fact.position = event.in_force_from, position
    else:
        if fact.ended_position >= position:
            return
        fact.last_day, fact.ended_position = event.last_day, position
    fact.valid, fact.known = fact.days_in_force(), since(now)
    if held is not None:
        if held.known.lower is not None and held.known.lower >= now:
            await session.delete(held)
        else:
            held.known = Range(held.known.lower, now)
        await session.flush()
    session.add(fact)
    await session.flush()


async def lacking_agreement(
    session: AsyncSession,
    months: Sequence[str],
    now: datetime,
    *,
    networks: Collection[str] | None = None,
    known_at: datetime | None = None,
) -> Waiting:
    """The networks and months that wait for an agreement, as known now or then.

    A month whose rule needs one is paid once a version is in force, in the month or after it. It is needed of networks
    approved by application here: of others nobody told whether they have one.
    """
    if not months:
        return {}
    window = days(first_day(months[0]), last_day(months[-1]))
    rules = (
        await session.scalars(
            select(AgreementRule).where(
                believed(AgreementRule, known_at), AgreementRule.valid.overlaps(window), AgreementRule.needed
            )
        )
    ).all()
    if not rules:
        return {}
    applied = select(Network.code).where(Network.by_application.is_(True), Network.approved_on.is_not(None))
    if networks is not None:
        applied = applied.where(Network.code.in_(networks))
    today = london_day(known_at or now)
    in_force: dict[str, list[NetworkAgreement]] = defaultdict(list)
    held = select(NetworkAgreement).where(
        NetworkAgreement.network.in_(applied),
        believed(NetworkAgreement, known_at),
        NetworkAgreement.valid.overlaps(days(date.min, today)),
    )
    for fact in await session.scalars(held.order_by(NetworkAgreement.agreement_version)):
        in_force[fact.network].append(fact)
    needed = {month: rule for month in months for rule in rules if rule.valid.contains(first_day(month))}
    return {
        network: waiting
        for network in await session.scalars(applied.order_by(Network.code))
        if (waiting := _waiting(in_force.get(network, ()), needed))
    }


def _waiting(versions: Sequence[NetworkAgreement], needed: Mapping[str, AgreementRule]) -> dict[str, Hold]:
    """The months after the last day on which any version was the agreement."""
    held = held_in_turn({version.agreement_version: version.valid for version in versions})
    ended = {valid.upper: number for number, valid in held}
    if None in ended:
        return {}
    last = max((day for day in ended if day is not None), default=None)
    return {
        month: Hold(AGREEMENT_MISSING, _missing(last, ended.get(last), rule))
        for month, rule in needed.items()
        if last is None or last <= first_day(month)
    }


def _missing(ended: date | None, version: int | None, rule: AgreementRule) -> str:
    paid_with = f"from {rule.valid_from:%Y-%m} on a network is paid when one is."
    if ended is None:
        return f"No version of the network agreement is in force; {paid_with}"
    return (
        f"Version {version} of the network agreement ended on {ended - ONE_DAY} and no other is in force; {paid_with}"
    )
