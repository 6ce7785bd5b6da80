"""How the patients of an area are covered, and the coverage a decision was taken on, kept with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Headcount, Rate, Words
from shared.errors import Fault, Refused


class CoverageIncomplete(Refused):
    """No network is approved while a patient of the area is covered by none."""


class PatientsCoveredTwice(Refused):
    """No list is served, and paid for, twice; nobody overrides that."""


@dataclass(frozen=True, slots=True)
class Cover:
    """How the patients of one practice are covered; `share` is the part of its list that is.

    `merged_into` is the practice whose list its own goes with; `dispersed` says why it is nobody's to serve.
    `left_out_from` is the day of the year from which its patients, served until then, are left out, as known.
    """

    practice: str
    name: str
    patients: Decimal
    share: Decimal
    by: tuple[tuple[str, str], ...]
    merged_into: str | None = None
    dispersed: str | None = None
    left_out_from: date | None = None

    @property
    def uncovered(self) -> Decimal:
        if self.dispersed is not None:
            return Decimal(0)
        return self.patients * (1 - min(self.share, Decimal(1)))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every patient of an area's practices on the snapshot day, covered, registered elsewhere since, or neither."""

    practices: tuple[Cover, ...]

    @property
    def complete(self) -> bool:
        return bool(self.practices) and not self.uncovered

    @property
    def uncovered(self) -> tuple[Cover, ...]:
        return tuple(cover for cover in self.practices if cover.uncovered > 0)

    @property
    def twice(self) -> tuple[Cover, ...]:
        return tuple(cover for cover in self.practices if cover.share > 1)

    @property
    def covered(self) -> tuple[Cover, ...]:
        return tuple(cover for cover in self.practices if not cover.uncovered and cover.dispersed is None)

    @property
    def dispersed(self) -> tuple[Cover, ...]:
        return tuple(cover for cover in self.practices if cover.dispersed is not None)

    @property
    def partly(self) -> tuple[Cover, ...]:
        return tuple(cover for cover in self.practices if 0 < cover.share < 1)

    @property
    def patients(self) -> Decimal:
        return sum((cover.patients for cover in self.practices), Decimal(0))

    @property
    def patients_dispersed(self) -> Decimal:
        return sum((cover.patients for cover in self.dispersed), Decimal(0))

    @property
    def patients_uncovered(self) -> Decimal:
        return sum((cover.uncovered for cover in self.practices), Decimal(0))

    def until(self, day: date, then: Coverage) -> Coverage:
        """The same, where whoever is served until `day` and, `then`, less so from it on is left out from that day."""
        return Coverage(
            tuple(
                replace(
                    now,
                    share=later.share,
                    by=later.by,
                    merged_into=later.merged_into,
                    left_out_from=now.left_out_from or (None if now.uncovered else day),
                )
                if later.uncovered > now.uncovered
                else now
                for now, later in zip(self.practices, then.practices, strict=True)
            )
        )

    def require_once(self) -> None:
        """Raises `PatientsCoveredTwice` naming every practice whose patients would be paid for more than once."""
        if self.twice:
            faults = [
                Fault(cover.practice, "twice", f"{cover.name}: by {', '.join(by for _, by in cover.by)}")
                for cover in self.twice
            ]
            raise PatientsCoveredTwice(f"The lists of {len(faults)} practices would be served twice.", errors=faults)

    def require(self) -> None:
        """Raises `CoverageIncomplete` naming every practice whose patients are left out."""
        if not self.practices:
            raise CoverageIncomplete("No list size of the area is known on the snapshot day, so cover cannot be shown.")
        self.require_once()
        if self.uncovered:
            faults = [
                Fault(
                    cover.practice,
                    "uncovered",
                    f"{cover.name}: {cover.uncovered.normalize():f} patients"
                    + (f" from {cover.left_out_from}" if cover.left_out_from else ""),
                )
                for cover in self.uncovered
            ]
            raise CoverageIncomplete(
                f"{self.patients_uncovered.normalize():f} patients of {len(faults)} practices are left out.",
                errors=faults,
            )


class DecidedCover(Base):
    """How the patients of one practice were covered when its area was decided: as the decider saw it, for ever.

    Later corrections of lists, members and allocations do not reach it, nor do changes that were on their way at the
    moment of the decision; `served_by` are kind and code of each that covers a part.
    """

    __tablename__ = "decided_covers"

    round: Mapped[Code] = mapped_column(ForeignKey("rounds.id"), primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    patients: Mapped[Headcount]
    share: Mapped[Rate]
    served_by: Mapped[list[list[str]]] = mapped_column(JSONB)
    merged_into: Mapped[Code | None]
    dispersed: Mapped[Words | None]
    left_out_from: Mapped[date | None]

    def seen(self) -> Cover:
        by = tuple((kind, code) for kind, code in self.served_by)
        merged, dispersed = self.merged_into, self.dispersed
        return Cover(self.practice, self.name, self.patients, self.share, by, merged, dispersed, self.left_out_from)
