from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.model import Membership
from services.registry.practices.model import (
    Practice,
    PracticeCommissioner,
    PracticeContract,
    PracticeDispersal,
    PracticeEntry,
    PracticeSuccession,
)
from services.registry.practices.queries import PracticeNotFound
from shared.facts import believed

PARTS: dict[str, Any] = {
    "entries": PracticeEntry,
    "commissioners": PracticeCommissioner,
    "contracts": PracticeContract,
    "memberships": Membership,
    "successions": PracticeSuccession,
    "dispersals": PracticeDispersal,
}


async def history_of(session: AsyncSession, code: str, known_at: datetime | None) -> dict[str, list[Any]]:
    """Everything dated about a practice, as known now or then, in order of days. Raises `PracticeNotFound`."""
    if await session.get(Practice, code) is None:
        raise PracticeNotFound(f"No practice {code}.")
    history = {}
    for part, model in PARTS.items():
        belief = believed(model, known_at)
        found = await session.scalars(
            select(model).where(model.practice == code, belief).order_by(func.lower(model.valid), model.fact_id)
        )
        history[part] = list(found)
    return history
