"""What funding knows from its first start: the shipped rates and thresholds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.tariffs.operations import load_shipped
from services.funding.variances.operations import ship_thresholds


async def seed(session: AsyncSession, now: datetime) -> None:
    """Load the shipped rates and thresholds that are not held yet; running it again changes nothing."""
    await load_shipped(session, now)
    await ship_thresholds(session, now)
