from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Versioned, Words, text_enum
from shared.errors import Conflict, Fault, Forbidden, NotFound, Refused
from shared.events.registry import RoundDecided, RoundOpened


class RoundNotFound(NotFound):
    """No such round, or none the caller may see."""


class RoundAlreadyOpen(Conflict):
    """One round at a time is open in an area for a contract year."""


class RoundAlreadyDecided(Refused):
    """All applications of a round are decided together, once."""


class CoverageIncomplete(Refused):
    """No network is approved while a patient of the area is covered by none."""


class OnlyNationalOverrides(Forbidden):
    """Only the national team may decide while the area is not covered."""


class NotYoursToDecide(Forbidden):
    """Only the area's commissioner, where commissioning is delegated to it, or the national team decides."""


class RoundStatus(StrEnum):
    OPEN = "open"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Cover:
    """How the patients of one practice are covered; `share` is the part of its list that is."""

    practice: str
    name: str
    patients: Decimal
    share: Decimal
    by: tuple[tuple[str, str], ...]

    @property
    def uncovered(self) -> Decimal:
        return self.patients * (1 - min(self.share, Decimal(1)))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every patient of an area's practices on the snapshot day, covered or not."""

    practices: tuple[Cover, ...]

    @property
    def complete(self) -> bool:
        return bool(self.practices) and not self.uncovered

    @property
    def uncovered(self) -> tuple[Cover, ...]:
        return tuple(cover for cover in self.practices if cover.uncovered > 0)

    @property
    def patients(self) -> Decimal:
        return sum((cover.patients for cover in self.practices), Decimal(0))

    @property
    def patients_uncovered(self) -> Decimal:
        return sum((cover.uncovered for cover in self.practices), Decimal(0))

    def require(self) -> None:
        """Raises `CoverageIncomplete` naming every practice whose patients are left out."""
        if not self.practices:
            raise CoverageIncomplete("No list size of the area is known on the snapshot day, so cover cannot be shown.")
        if self.uncovered:
            faults = [
                Fault(cover.practice, "uncovered", f"{cover.name}: {cover.uncovered.normalize():f} patients")
                for cover in self.uncovered
            ]
            raise CoverageIncomplete(
                f"{self.patients_uncovered.normalize():f} patients of {len(faults)} practices are left out.",
                errors=faults,
            )


class Round(Versioned, Base):
    """A registration round of one commissioner's area: who applies, by when, and the day the decision takes effect."""

    __tablename__ = "rounds"
    __table_args__ = (
        Index(
            "uq_rounds_one_open",
            "commissioner",
            "contract_year",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
        CheckConstraint("opens_on <= apply_by and apply_by <= decide_by", name="deadlines_in_order"),
    )

    id: Mapped[Code] = mapped_column(primary_key=True)
    commissioner: Mapped[Code]
    contract_year: Mapped[str]
    opens_on: Mapped[date]
    apply_by: Mapped[date]
    decide_by: Mapped[date]
    starts_on: Mapped[date]
    snapshot: Mapped[date]
    status: Mapped[RoundStatus] = mapped_column(text_enum(RoundStatus), default=RoundStatus.OPEN)
    opened_by: Mapped[Words]
    decided_on: Mapped[date | None]
    decided_by: Mapped[Words | None]
    override_reason: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.commissioner]

    def opened(self) -> RoundOpened:
        return RoundOpened(
            round=self.id,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            apply_by=self.apply_by,
            decide_by=self.decide_by,
        )

    def require_open(self) -> None:
        if self.status is not RoundStatus.OPEN:
            raise RoundAlreadyDecided(f"The round {self.id} was decided on {self.decided_on}.")

    def decide(
        self,
        coverage: Coverage,
        *,
        on: date,
        by: str,
        national: bool,
        override_reason: str | None,
        outcome: Sequence[int],
    ) -> RoundDecided:
        """Decide the area as a whole. `outcome` counts the applications approved and refused.

        Raises `RoundAlreadyDecided`, `OnlyNationalOverrides`, `CoverageIncomplete`.
        """
        self.require_open()
        if override_reason is not None and not national:
            raise OnlyNationalOverrides("Only the national team may decide an area that is not wholly covered.")
        used = override_reason if not coverage.complete else None
        if used is None:
            coverage.require()
        self.status, self.decided_on, self.decided_by, self.override_reason = RoundStatus.DECIDED, on, by, used
        approved, refused = outcome
        return RoundDecided(
            round=self.id,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            decided_on=on,
            approved=approved,
            refused=refused,
            override_reason=used,
        )
