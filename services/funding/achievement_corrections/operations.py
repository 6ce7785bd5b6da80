"""Proposing that an approved achievement was wrong, and deciding on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.achievement_corrections.model import (
    CAUSE,
    AchievementCorrection,
    CorrectionInProgress,
    CorrectionNotFound,
    CorrectionStatus,
)
from services.funding.achievements.model import AchievementNotApproved, AchievementStatus
from services.funding.achievements.operations import achievement_seen, pay_as_corrected
from services.funding.heirs.operations import must_decide
from services.funding.scope import network_codes_seen
from shared.clock import london_day
from shared.database import new_id
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller


async def propose_correction(
    session: AsyncSession,
    achievement_id: str,
    corrected: Mapping[str, Any],
    reason: str,
    *,
    caller: Caller,
    now: datetime,
) -> AchievementCorrection:
    """Somebody says what an approved achievement should have said, and why; nothing changes before a second agrees.

    Raises `AchievementNotFound`, `AchievementNotApproved` and `CorrectionInProgress`.
    """
    achievement = await achievement_seen(session, achievement_id, caller)
    if achievement.status is not AchievementStatus.APPROVED:
        raise AchievementNotApproved(f"The achievement is {achievement.status.value}.")
    correction = AchievementCorrection(
        id=new_id("acc"),
        achievement=achievement.id,
        network=achievement.network,
        **corrected,
        reason=reason,
        status=CorrectionStatus.PROPOSED,
        proposed_by=caller.subject,
        proposed_at=now,
        version=1,
    )
    session.add(correction)
    try:
        await session.flush()
    except IntegrityError as error:
        raise CorrectionInProgress(f"A correction of {achievement_id} waits to be decided.") from error
    return correction


async def correction_seen(
    session: AsyncSession, correction_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> AchievementCorrection:
    """A correction of an achievement the caller may see, now or as it stood then. Raises `CorrectionNotFound`."""
    stood = as_known(AchievementCorrection, known_at)
    statement = select(stood).where(stood.id == correction_id)
    if not caller.everywhere:
        statement = statement.where(stood.network.in_(network_codes_seen(caller)))
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise CorrectionNotFound(f"No correction {correction_id}.")
    return found


async def approve_correction(
    session: AsyncSession, correction_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> AchievementCorrection:
    """A second person agrees: the achievement says it from now on, and the next run pays the difference or takes it
    back, with its cause; what was paid stays.

    Raises `NotYoursToDecide`, `CorrectionDecided`, `SamePersonCorrects` and `AchievementNotApproved`.
    """
    correction = await correction_seen(session, correction_id, caller, lock=True)
    await must_decide(session, caller, correction.network, london_day(now))
    require_match(correction, if_match)
    correction.may_be_approved(caller.subject)
    achievement = await achievement_seen(session, correction.achievement, caller, lock=True)
    before, difference = await pay_as_corrected(session, achievement, correction, CAUSE, now)
    correction.approve(before, difference, by=caller.subject, at=now)
    await session.flush()
    return correction


async def refuse_correction(
    session: AsyncSession, correction_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> AchievementCorrection:
    """The achievement stays as it was approved. Raises `NotYoursToDecide` and `CorrectionDecided`."""
    correction = await correction_seen(session, correction_id, caller, lock=True)
    await must_decide(session, caller, correction.network, london_day(now))
    require_match(correction, if_match)
    correction.refuse(reason, by=caller.subject, at=now)
    await session.flush()
    return correction
