"""National decisions that everybody fully achieved an indicator: proposed by one person, put into effect by another."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.achievement_overrides.model import Override, OverrideNotFound, OverrideStands, OverrideStatus
from services.funding.achievements.assessing import amount_of, facts_about, facts_of, figures_of, paid_by_achievement
from services.funding.achievements.model import Achievement
from services.funding.achievements.rules import assess
from services.funding.indicators.operations import indicator_of, indicators_of
from services.funding.relabellings.operations import relabellings_of
from shared.clock import london_day
from shared.database import new_id
from shared.history import as_known
from shared.http import require_match
from shared.messaging import announce_many


async def propose_override(
    session: AsyncSession, contract_year: str, indicator: str, reason: str, *, by: str, now: datetime
) -> Override:
    """Propose that everybody fully achieved an indicator. Raises `IndicatorUnknown` and `OverrideStands`."""
    await indicator_of(session, contract_year, indicator, london_day(now))
    override = Override(
        id=new_id("ovr"),
        contract_year=contract_year,
        indicator=indicator,
        reason=reason,
        status=OverrideStatus.PROPOSED,
        proposed_by=by,
        proposed_at=now,
        networks=0,
        version=1,
    )
    session.add(override)
    try:
        await session.flush()
    except IntegrityError as error:
        raise OverrideStands(f"{indicator} of {contract_year} is overridden or about to be.") from error
    return override


async def override_seen(
    session: AsyncSession, override_id: str, *, lock: bool = False, known_at: datetime | None = None
) -> Override:
    """An override, now or as it stood then. Raises `OverrideNotFound`."""
    stood = as_known(Override, known_at)
    statement = select(stood).where(stood.id == override_id)
    override = await session.scalar(
        statement.with_for_update().execution_options(populate_existing=True) if lock else statement
    )
    if override is None:
        raise OverrideNotFound(f"No override {override_id}.")
    return override


async def approve_override(
    session: AsyncSession, override_id: str, if_match: str | None, *, by: str, now: datetime
) -> Override:
    """Put an override into effect: every network of the year gets all points, and what that adds is paid.

    Raises `OverrideDecided` and `SamePersonProposed`.
    """
    override = await override_seen(session, override_id, lock=True)
    require_match(override, if_match)
    override.approve(by=by, at=now)
    year, today = override.contract_year, london_day(now)
    beside = await indicators_of(session, year, today)
    indicator = await indicator_of(session, year, override.indicator, today)
    facts = await facts_of(session, year, now, None)
    relabelled = await relabellings_of(session, [year], today)
    held = await session.scalars(
        select(Achievement)
        .where(Achievement.contract_year == year, Achievement.indicator == override.indicator)
        .order_by(Achievement.network)
        .with_for_update()
    )
    achievements = {achievement.network: achievement for achievement in held}
    paid = await paid_by_achievement(session, [achievement.id for achievement in achievements.values()])
    amounts, events = [], []
    for network in sorted(facts.keys() | achievements.keys()):
        achievement = achievements.get(network)
        if achievement is None:
            achievement = Achievement(
                id=new_id("ach"), network=network, contract_year=year, indicator=override.indicator, version=1
            )
            session.add(achievement)
        achievement.deem(by=by, at=now)
        about = facts_about(facts, network)
        figures = figures_of(achievement, indicator, beside, about, deemed=True, relabelled=relabelled)
        achievement.note(figures, assess(figures))
        before, number = paid.get(achievement.id, (Decimal("0.00"), 0))
        amount = amount_of(achievement, indicator, before, number, "override", now)
        if amount is not None:
            amounts.append(amount)
            events.append(achievement.announced(amount.amount, "override", today))
        override.networks += 1
    await session.flush()
    session.add_all(amounts)
    await announce_many(session, events)
    await session.flush()
    return override
