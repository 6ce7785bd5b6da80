from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Float, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Words
from shared.errors import Fault, NotFound, Refused
from shared.facts import Dated, no_overlap


class AreaNotFound(NotFound):
    """No area of this network is known on that day."""


class LocationNotFound(NotFound):
    """No location of this practice is known on that day."""


class FindingsNotAccepted(Refused):
    """What was found of a network or its area is put right, or excepted by the decider with a reason."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found of a network or its area. `key` names it; `reason` is set once the decider has excepted it."""

    key: str
    code: str
    message: str
    place: tuple[float, float] | None = None
    square_metres: int | None = None
    blocking: bool = True
    reason: str | None = None

    @property
    def holds(self) -> bool:
        """Whether it stands in the way of an approval."""
        return self.blocking and self.reason is None

    def excepted(self, reason: str | None) -> Finding:
        return self if reason is None else replace(self, reason=reason)

    def fault(self, field: str) -> Fault:
        return Fault(field, self.code, f"{self.message} [{self.key}]")


class NetworkArea(Dated, Base):
    """The area a network serves, as GeoJSON in WGS84; `west` to `north` are its bounds, to find neighbours by."""

    __tablename__ = "network_areas"
    __table_args__ = (
        no_overlap("network_areas", "network"),
        Index("ix_network_areas_bounds", "west", "east", "south", "north"),
    )

    network: Mapped[Code]
    geometry: Mapped[dict[str, Any]] = mapped_column(JSONB)
    west: Mapped[float] = mapped_column(Float)
    south: Mapped[float] = mapped_column(Float)
    east: Mapped[float] = mapped_column(Float)
    north: Mapped[float] = mapped_column(Float)
    square_metres: Mapped[Decimal]
    application: Mapped[Code | None]
    reason: Mapped[Words]
    made_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.network]


class PracticeLocation(Dated, Base):
    """Where a practice is, for those who draw areas; the register does not need it."""

    __tablename__ = "practice_locations"
    __table_args__ = (
        no_overlap("practice_locations", "practice"),
        CheckConstraint("longitude between -180 and 180 and latitude between -90 and 90", name="somewhere"),
    )

    practice: Mapped[Code]
    longitude: Mapped[float] = mapped_column(Float)
    latitude: Mapped[float] = mapped_column(Float)
    source: Mapped[Words]
    made_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.practice]
