"""Practices that went over into others, as they stand on a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.model import PracticeHeir
from shared.facts import as_at


@dataclass(frozen=True)
class Mergers:
    """Who had gone over into whom."""

    into: Mapping[str, str]

    def heir_of(self, practice: str) -> str:
        """The practice that a practice is part of now: itself, or where it went, and on from there."""
        seen = {practice}
        while (heir := self.into.get(practice)) is not None and heir not in seen:
            seen.add(heir)
            practice = heir
        return practice

    def family_of(self, practice: str) -> frozenset[str]:
        """All that are one practice now, this one among them."""
        heir = self.heir_of(practice)
        return frozenset({practice, heir, *(code for code in self.into if self.heir_of(code) == heir)})


async def mergers_on(session: AsyncSession, day: date, known_at: datetime | None = None) -> Mergers:
    """Which practices were another's on a day, as known now or then."""
    rows = await session.execute(
        select(PracticeHeir.practice, PracticeHeir.successor).where(as_at(PracticeHeir, day, known_at))
    )
    return Mergers(dict(rows.all()))
