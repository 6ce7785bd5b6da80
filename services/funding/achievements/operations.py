"""Declaring, approving and assessing achievements, and overriding them for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.achievement_overrides.model import Override, OverrideStatus
from services.funding.achievements.assessing import amount_of, facts_about, facts_of, figures_of, paid_by_achievement
from services.funding.achievements.model import (
    Achievement,
    AchievementAmount,
    AchievementDeclared,
    AchievementNotApproved,
    AchievementNotFound,
    AchievementStatus,
    Declared,
    NothingElseEarned,
)
from services.funding.achievements.rules import assess
from services.funding.heirs.operations import must_decide
from services.funding.indicators.model import Indicator, IndicatorKind
from services.funding.indicators.operations import indicator_of, indicators_of
from services.funding.networks.model import Network
from services.funding.relabellings.operations import relabellings_of
from services.funding.scope import network_codes_seen, networks_seen
from shared.audit import as_it_was
from shared.clock import london_day
from shared.database import new_id
from shared.errors import NotFound
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


class NetworkNotFound(NotFound):
    """No such network, or none the caller may see."""


async def network_seen(session: AsyncSession, network: str, caller: Caller) -> str:
    """The code of a network the caller may see. Raises `NetworkNotFound`."""
    code = await session.scalar(select(Network.code).where(Network.code == network, networks_seen(caller)))
    if code is None:
        raise NetworkNotFound(f"No network {network}.")
    return code


async def achievement_seen(
    session: AsyncSession, achievement_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> Achievement:
    """An achievement of a network the caller may see, now or as it stood then. Raises `AchievementNotFound`."""
    statement = select(Achievement).where(Achievement.id == achievement_id)
    if not caller.everywhere:
        statement = statement.where(Achievement.network.in_(network_codes_seen(caller)))
    found = (await session.scalars(statement.with_for_update() if lock else statement)).all()
    stood = await as_it_was(session, found, known_at)
    if not stood:
        raise AchievementNotFound(f"No achievement {achievement_id}.")
    return stood[0]


async def declare_achievement(
    session: AsyncSession,
    network: str,
    contract_year: str,
    code: str,
    declared: Mapping[str, Any],
    *,
    caller: Caller,
    now: datetime,
) -> Achievement:
    """A network states what it achieved.

    Raises `NetworkNotFound`, `IndicatorUnknown` and `AchievementDeclared`.
    """
    await network_seen(session, network, caller)
    await indicator_of(session, contract_year, code, london_day(now))
    achievement = Achievement(
        id=new_id("ach"),
        network=network,
        contract_year=contract_year,
        indicator=code,
        status=AchievementStatus.DECLARED,
        version=1,
    )
    achievement.declare(**declared, by=caller.subject, at=now)
    await _note(session, achievement, now)
    session.add(achievement)
    try:
        await session.flush()
    except IntegrityError as error:
        raise AchievementDeclared(f"{network} has declared {code} of {contract_year}.") from error
    return achievement


async def change_declaration(
    session: AsyncSession,
    achievement_id: str,
    if_match: str | None,
    declared: Mapping[str, Any],
    *,
    caller: Caller,
    now: datetime,
) -> Achievement:
    """The network puts its declaration right before it is approved. Raises `AchievementDecided`."""
    achievement = await achievement_seen(session, achievement_id, caller, lock=True)
    require_match(achievement, if_match)
    achievement.declare(**declared, by=caller.subject, at=now)
    await _note(session, achievement, now)
    await session.flush()
    return achievement


async def approve_achievement(
    session: AsyncSession,
    achievement_id: str,
    if_match: str | None,
    *,
    accepted_on: date | None,
    earned: Decimal | None,
    caller: Caller,
    now: datetime,
) -> Achievement:
    """The commissioner accepts what was declared; the next run pays what it earns.

    Raises `NotYoursToDecide`, `AchievementDecided`, `SamePersonDeclared`, `YearNotOver` and `AcceptedTooLate`.
    """
    achievement = await achievement_seen(session, achievement_id, caller, lock=True)
    await must_decide(session, caller, achievement.network, london_day(now))
    require_match(achievement, if_match)
    today = london_day(now)
    indicator = await indicator_of(session, achievement.contract_year, achievement.indicator, today)
    whole = indicator.kind is IndicatorKind.PART and indicator.part != indicator.parts
    achievement.approve(
        by=caller.subject,
        at=now,
        today=today,
        accepted_on=accepted_on or today,
        last_day=indicator.last_day,
        whole_year=whole or (indicator.part is None and indicator.kind is IndicatorKind.PART),
    )
    achievement.earned = earned if indicator.kind is IndicatorKind.PART else None
    await _note(session, achievement, now)
    await _pay_difference(session, achievement, indicator, "due", now)
    await session.flush()
    return achievement


async def return_achievement(
    session: AsyncSession, achievement_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> Achievement:
    """The commissioner sends a declaration back with a reason.

    Raises `NotYoursToDecide` and `AchievementDecided`.
    """
    achievement = await achievement_seen(session, achievement_id, caller, lock=True)
    await must_decide(session, caller, achievement.network, london_day(now))
    require_match(achievement, if_match)
    achievement.send_back(reason, by=caller.subject, at=now)
    await session.flush()
    return achievement


async def assess_again(
    session: AsyncSession, achievement_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Achievement:
    """An approved achievement on what is known now: thresholds published late, a list restated. The difference is paid.

    Raises `NotYoursToDecide`, `AchievementNotApproved` and `NothingElseEarned`.
    """
    achievement = await achievement_seen(session, achievement_id, caller, lock=True)
    await must_decide(session, caller, achievement.network, london_day(now))
    require_match(achievement, if_match)
    if achievement.status not in {AchievementStatus.APPROVED, AchievementStatus.DEEMED}:
        raise AchievementNotApproved(f"The achievement is {achievement.status.value}.")
    before = achievement.figures
    indicator = await _note(session, achievement, now)
    heads = ("patients", "adjusted")
    restated = any(before.get(name) != achievement.figures.get(name) for name in heads)
    cause = "population-restated" if restated else "rate-changed"
    if before.get("kept") != achievement.figures.get("kept"):
        cause = "relabelled"
    if not await _pay_difference(session, achievement, indicator, cause, now):
        raise NothingElseEarned("Assessed again it comes to the same.")
    await session.flush()
    return achievement


async def pay_as_corrected(
    session: AsyncSession, achievement: Achievement, corrected: Declared, cause: str, now: datetime
) -> tuple[dict[str, Any], Decimal | None]:
    """An approved achievement (locked) says from now on what it should have said; the difference is paid.

    Gives what it said before, and the difference if there is one. Raises `AchievementNotApproved`.
    """
    today = london_day(now)
    indicator = await indicator_of(session, achievement.contract_year, achievement.indicator, today)
    before = achievement.correct(corrected, earned=corrected.earned if indicator.kind is IndicatorKind.PART else None)
    await _note(session, achievement, now)
    amount = await _pay_difference(session, achievement, indicator, cause, now)
    return before, None if amount is None else amount.amount


async def _note(session: AsyncSession, achievement: Achievement, now: datetime) -> Indicator:
    """Assess one achievement on what is known now."""
    year, today = achievement.contract_year, london_day(now)
    beside = await indicators_of(session, year, today)
    indicator = await indicator_of(session, year, achievement.indicator, today)
    facts = await facts_of(session, year, now, [achievement.network])
    deemed = await _overridden(session, year, achievement.indicator)
    relabelled = await relabellings_of(session, [year], today)
    about = facts_about(facts, achievement.network)
    figures = figures_of(achievement, indicator, beside, about, deemed=deemed, relabelled=relabelled)
    achievement.note(figures, assess(figures))
    return indicator


async def _overridden(session: AsyncSession, contract_year: str, indicator: str) -> bool:
    found = await session.scalar(
        select(Override.id).where(
            Override.contract_year == contract_year,
            Override.indicator == indicator,
            Override.status == OverrideStatus.IN_EFFECT,
        )
    )
    return found is not None


async def _pay_difference(
    session: AsyncSession, achievement: Achievement, indicator: Indicator, cause: str, now: datetime
) -> AchievementAmount | None:
    """Have what the achievement earns paid, less what earlier amounts pay; `None` where that is nothing."""
    if achievement.amount is None:
        return None
    paid, number = (await paid_by_achievement(session, [achievement.id])).get(achievement.id, (Decimal("0.00"), 0))
    amount = amount_of(achievement, indicator, paid, number, cause, now)
    if amount is None:
        return None
    await session.flush()
    session.add(amount)
    announce(session, achievement.announced(amount.amount, cause, london_day(now)))
    return amount


async def standing_of(
    session: AsyncSession, network: str, contract_year: str, now: datetime, known_at: datetime | None = None
) -> list[dict[str, Any]]:
    """Every indicator of a network's year as declared, or assessed by its default where nothing was: as known now, or
    as it stood at `known_at`."""
    indicators = await indicators_of(session, contract_year, london_day(known_at or now))
    held = await session.scalars(
        select(Achievement).where(Achievement.network == network, Achievement.contract_year == contract_year)
    )
    declared = {achievement.indicator: achievement for achievement in await as_it_was(session, held.all(), known_at)}
    facts = facts_about(await facts_of(session, contract_year, now, [network], known_at), network)
    relabelled = await relabellings_of(session, [contract_year], london_day(known_at or now))
    rows = []
    for indicator in indicators:
        achievement = declared.get(indicator.code)
        if achievement is None:
            default = Achievement(network=network, contract_year=contract_year, indicator=indicator.code)
            figures = figures_of(default, indicator, indicators, facts, deemed=False, relabelled=relabelled)
            assessed = assess(figures)
            default.note(figures, assessed)
        found = achievement or default
        rows.append(
            {
                "indicator": indicator.code,
                "title": indicator.title,
                "achievement": found.id,
                "status": "not-declared" if achievement is None else achievement.status.value,
                "points": found.points,
                "amount": found.amount if achievement is not None or indicator.kind is IndicatorKind.YES_NO else None,
                "holds": found.holds,
            }
        )
    return rows
