from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.size_rules.model import SizeRule
from shared.errors import NotFound
from shared.facts import as_at


class NoSizeRule(NotFound):
    """No figures for the size of a network are known for that day."""


async def rule_on(session: AsyncSession, day: date, known_at: datetime | None = None) -> SizeRule:
    """The figures that measure a network on a day. Raises `NoSizeRule`."""
    rule = await session.scalar(select(SizeRule).where(as_at(SizeRule, day, known_at)))
    if rule is None:
        raise NoSizeRule(f"No figures for the size of a network are known for {day}.")
    return rule
