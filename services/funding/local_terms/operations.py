"""Keeping what networks' local terms are, and telling whoever counts with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budgets.operations import set_budgets
from services.funding.claims.operations import recheck_waiting
from services.funding.consents.queries import scopes_of
from services.funding.local_terms.model import LocalTerms, Terms, terms_of, varied
from services.funding.membership_rules.operations import rules_of
from services.funding.networks.members import networks_of, with_heirs
from services.funding.networks.model import Network
from services.funding.networks.queries import load_served
from services.funding.variations.model import Variation, VariationStatus
from shared.facts import currently_known, days, record, withdraw
from shared.messaging import announce_many
from shared.years import months_of

LOCAL_TERMS_LOCK = 5_201_929
"""Advisory lock held while local terms are worked out: of two consents at once the later one sees the earlier."""


async def one_at_a_time(session: AsyncSession) -> None:
    """Let nobody else work out local terms until the transaction ends, where there are any; before sums are locked."""
    if await _varied_years(session):
        await session.execute(select(func.pg_advisory_xact_lock(LOCAL_TERMS_LOCK)))


async def _varied_years(session: AsyncSession) -> Sequence[str]:
    """The contract years for which a variation is approved."""
    approved = select(Variation.contract_year).where(Variation.status == VariationStatus.APPROVED).distinct()
    return (await session.scalars(approved)).all()


async def follow_consents(
    session: AsyncSession, variation: Variation, practices: Collection[str], now: datetime
) -> None:
    """What practices agreed to, or no longer do, reaches their networks: sums, ceilings, claims that wait."""
    await session.flush()
    await one_at_a_time(session)
    networks = sorted(await networks_of(session, await with_heirs(session, practices)))
    if variation.sums:
        await set_budgets(session, networks, now, years={variation.contract_year})
    await settle_local_terms(session, networks, now)
    await recheck_waiting(session, now, networks=networks)


async def settle_local_terms(session: AsyncSession, networks: Collection[str], now: datetime) -> set[str]:
    """Work out the local terms of networks anew, keep what changed and announce it; gives the networks it changed for.

    They change with consents, and with who belongs to a network.
    """
    years = await _varied_years(session) if networks else ()
    if not years:
        return set()
    wanted: dict[str, list[Terms]] = defaultdict(list)
    for year in sorted(years):
        months = months_of(year)
        scopes = await scopes_of(session, year)
        served = await load_served(
            session, months, await rules_of(session, months, None), scopes, networks=sorted(networks)
        )
        for network, by_month in served.by_month.items():
            wanted[network] += terms_of(by_month)
    held: dict[str, list[Terms]] = defaultdict(list)
    for fact in await session.scalars(
        select(LocalTerms)
        .where(LocalTerms.network.in_(networks), currently_known(LocalTerms))
        .order_by(LocalTerms.network, LocalTerms.variation, LocalTerms.valid)
    ):
        held[fact.network].append(fact.terms)
    changed = {network for network in networks if sorted(wanted[network]) != sorted(held[network])}
    for network in sorted(changed):
        await _keep(session, network, held[network], wanted[network], now)
    of = select(Network.code, Network.commissioner).where(Network.code.in_(changed)).order_by(Network.code)
    await announce_many(
        session,
        [varied(code, commissioner or "", wanted[code]) for code, commissioner in await session.execute(of)],
    )
    return changed


async def _keep(session: AsyncSession, network: str, held: list[Terms], wanted: list[Terms], now: datetime) -> None:
    for one in held:
        if one not in wanted:
            span = days(one.valid_from, one.valid_to)
            await withdraw(session, LocalTerms, now=now, days=span, network=network, variation=one.variation)
    for one in wanted:
        if one not in held:
            fact = LocalTerms(
                network=network,
                variation=one.variation,
                practices=list(one.practices),
                every_member=one.every_member,
                valid=days(one.valid_from, one.valid_to),
            )
            await record(session, fact, key=["network", "variation"], now=now)
