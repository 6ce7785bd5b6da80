"""What funding knows from its first start: the shipped rates."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.tariffs.operations import load_shipped


async def seed(session: AsyncSession, now: datetime) -> None:
    """Load the shipped rates that are not held yet; running it again changes nothing."""
    await load_shipped(session, now)
