"""What funding knows from its first start: the shipped rates, rules, thresholds and deadlines."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.bank_holidays.operations import ship_holidays
from services.funding.deadlines.operations import load_deadlines
from services.funding.membership_rules.operations import load_shipped_rules
from services.funding.queries.operations import ship_clock
from services.funding.tariffs.operations import load_shipped
from services.funding.variances.operations import ship_thresholds


async def seed(session: AsyncSession, now: datetime) -> None:
    """Load the shipped rates, rules, thresholds and deadlines that are not held yet; again, it changes nothing."""
    await load_shipped(session, now)
    await load_shipped_rules(session, now)
    await ship_thresholds(session, now)
    await load_deadlines(session, now)
    await ship_holidays(session, now)
    await ship_clock(session, now)
