"""Empty the projections so that the same events, delivered again, make them anew."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.base import Base


async def clear_projections(session: AsyncSession) -> None:
    """Forget everything the events said, and that they were received. What comes in again counts as new."""
    tables = ", ".join(sorted(table.name for table in Base.metadata.tables.values()))
    await session.execute(text(f"TRUNCATE {tables}, inbox"))
