from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.size_rules.model import SizeRule
from shared.errors import Invalid
from shared.facts import days, record
from shared.identity import Caller


async def publish_rule(
    session: AsyncSession,
    *,
    caller: Caller,
    first: date,
    last: date | None,
    figures: dict[str, Decimal],
    source: str,
    now: datetime,
) -> SizeRule:
    """From a day on networks are measured by these figures; those before stay as they were. Raises `Invalid`."""
    made = SizeRule(**figures, source=source, made_by=caller.subject, valid=days(first, last))
    faults = made.faults()
    if faults:
        raise Invalid("The figures do not fit together.", errors=faults)
    await record(session, made, key=[], now=now)
    return made
