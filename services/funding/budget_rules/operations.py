"""Finding the rule of each contract year."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budget_rules.model import BudgetRule, BudgetRuleKind
from shared.facts import currently_known
from shared.years import year_start


async def kinds_of(session: AsyncSession, years: Collection[str]) -> Mapping[str, BudgetRuleKind]:
    """How the sums of each year count, as known now."""
    rules = (await session.scalars(select(BudgetRule).where(currently_known(BudgetRule)))).all()
    found = {year: rule.kind for year in years for rule in rules if rule.valid.contains(year_start(year))}
    return {year: found.get(year, BudgetRuleKind.MONTHS) for year in years}
