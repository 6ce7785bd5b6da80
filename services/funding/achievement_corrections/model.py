"""A correction of an approved achievement: other figures, a reason, and two people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound, Refused
from shared.history import kept

CORRECTED = ("numerator", "denominator", "adjustments", "answer", "earned")
CAUSE = "achievement-corrected"


class CorrectionNotFound(NotFound):
    """No such correction, or none the caller may see."""


class CorrectionInProgress(Conflict):
    """Another correction of the achievement waits to be decided."""


class CorrectionDecided(Refused):
    """The correction has been approved or refused already."""


class SamePersonCorrects(Refused):
    """Whoever proposed a correction may not approve it: two people stand behind every payment."""


class CorrectionStatus(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


@kept(entered="proposed_at")
class AchievementCorrection(Base, Versioned):
    """What an approved achievement should have said. `before` is what it said when the correction was approved, and
    `difference` what a run pays for it or takes back; nothing where it comes to the same."""

    __tablename__ = "achievement_corrections"
    __table_args__ = (
        CheckConstraint("numerator >= 0 AND denominator >= 0 AND adjustments >= 0", name="not_negative"),
        CheckConstraint("status <> 'approved' OR decided_by <> proposed_by", name="two_people"),
        Index("ix_achievement_corrections_achievement", "achievement"),
        Index(
            "uq_achievement_corrections_proposed",
            "achievement",
            unique=True,
            postgresql_where=text("status = 'proposed'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    achievement: Mapped[str] = mapped_column(String(64), ForeignKey("achievements.id"))
    network: Mapped[Code]
    numerator: Mapped[int | None]
    denominator: Mapped[int | None]
    adjustments: Mapped[int | None]
    answer: Mapped[bool | None]
    earned: Mapped[Decimal | None]
    reason: Mapped[Words]
    status: Mapped[CorrectionStatus] = mapped_column(text_enum(CorrectionStatus))
    proposed_by: Mapped[Words]
    proposed_at: Mapped[Timestamp]
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    refusal: Mapped[Words | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    difference: Mapped[Money | None]

    def concerns(self) -> Iterable[str]:
        return [self.network]

    def _open(self) -> None:
        if self.status is not CorrectionStatus.PROPOSED:
            raise CorrectionDecided(f"The correction is {self.status.value} already.")

    def may_be_approved(self, by: str) -> None:
        """Whether this person may agree that this is what was achieved.

        Raises `CorrectionDecided` and `SamePersonCorrects`.
        """
        self._open()
        if by == self.proposed_by:
            raise SamePersonCorrects(f"{by} proposed this correction; somebody else must approve it.")

    def approve(self, before: dict[str, Any], difference: Decimal | None, *, by: str, at: datetime) -> None:
        """A second person agrees. Raises what `may_be_approved` does."""
        self.may_be_approved(by)
        self.status, self.decided_by, self.decided_at = CorrectionStatus.APPROVED, by, at
        self.before, self.difference = before, difference

    def refuse(self, reason: str, *, by: str, at: datetime) -> None:
        """The achievement stays as it was approved. Raises `CorrectionDecided`."""
        self._open()
        self.status, self.decided_by, self.decided_at = CorrectionStatus.REFUSED, by, at
        self.refusal = reason
