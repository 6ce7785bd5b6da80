"""The sums of networks as they stand, or as they had been set at a moment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import FromClause, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from services.funding.budgets.model import Budget, BudgetVersion


def sums_known(known_at: datetime | None) -> FromClause:
    """The sums as they stand, or as they had been set at a moment."""
    if known_at is None:
        return Budget.__table__
    key = (BudgetVersion.network, BudgetVersion.contract_year, BudgetVersion.scope)
    newest = select(BudgetVersion).where(BudgetVersion.set_at <= known_at).ext(distinct_on(*key))
    then = newest.order_by(*key, BudgetVersion.set_at.desc(), BudgetVersion.version_id.desc()).subquery()
    return select(then).where(or_(then.c.amount.is_not(None), then.c.held_code.is_not(None))).subquery()
