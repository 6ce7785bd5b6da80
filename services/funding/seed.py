"""What funding knows from its first start: the shipped rates, rules, duties, thresholds, deadlines and indicators."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.bank_holidays.operations import ship_holidays
from services.funding.deadlines.operations import load_deadlines
from services.funding.duties.operations import load_shipped_duties
from services.funding.indicators.operations import load_indicators
from services.funding.membership_rules.operations import load_shipped_rules
from services.funding.queries.operations import ship_clock
from services.funding.tariffs.operations import load_shipped
from services.funding.variances.operations import ship_thresholds


async def seed(session: AsyncSession, now: datetime) -> None:
    """Load what is shipped and not held yet: rates, rules, duties, thresholds, deadlines, indicators."""
    await load_shipped(session, now)
    await load_shipped_rules(session, now)
    await load_shipped_duties(session, now)
    await ship_thresholds(session, now)
    await load_deadlines(session, now)
    await ship_holidays(session, now)
    await ship_clock(session, now)
    await load_indicators(session, now)
