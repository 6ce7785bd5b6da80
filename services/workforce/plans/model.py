"""A network's workforce plan of a contract year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Money, Timestamp, Versioned, text_enum
from shared.errors import Conflict, Refused
from shared.events.workforce import PlannedRole, PlanSubmitted


class PlanAlreadyExists(Conflict):
    """A network has one plan a year."""


class PlanAlreadySubmitted(Refused):
    """The plan was handed in and has not changed since."""


class PlanEmpty(Refused):
    """A plan without a role plans nothing."""


class PlanStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """WTE of a role from a month on, in a zone of pay."""

    role: str
    wte: Decimal
    start_month: str
    zone: str = "national"

    def stored(self) -> dict[str, str]:
        return {"role": self.role, "wte": str(self.wte), "start_month": self.start_month, "zone": self.zone}


class Plan(Versioned, Base):
    """What a network means to recruit in a year; a vacancy needs room in a submitted plan."""

    __tablename__ = "plans"
    __table_args__ = (UniqueConstraint("network", "contract_year"),)

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code]
    contract_year: Mapped[Code]
    status: Mapped[PlanStatus] = mapped_column(text_enum(PlanStatus), default=PlanStatus.DRAFT)
    roles: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    submitted_on: Mapped[date | None]
    planned_cost: Mapped[Money | None]
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    created_at: Mapped[Timestamp]

    def concerns(self) -> list[str]:
        return [self.network]

    @property
    def lines(self) -> list[PlanLine]:
        return [PlanLine(r["role"], Decimal(r["wte"]), r["start_month"], r["zone"]) for r in self.roles]

    def planned(self, role: str) -> Decimal:
        """WTE of a role in the whole plan."""
        return sum((line.wte for line in self.lines if line.role == role), Decimal(0))

    def rewrite(self, lines: Sequence[PlanLine]) -> None:
        """New contents make the plan a draft again: it counts for vacancies once it is handed in anew."""
        self.roles = [line.stored() for line in lines]
        self.status, self.submitted_on, self.planned_cost, self.warnings = PlanStatus.DRAFT, None, None, []

    def submit(self, on: date, *, cost: Decimal, warnings: Sequence[dict[str, str]]) -> PlanSubmitted:
        """The network hands in its plan; being over the sum is a warning, not a refusal."""
        if self.status is PlanStatus.SUBMITTED:
            raise PlanAlreadySubmitted(
                f"The {self.contract_year} plan of {self.network} was submitted {self.submitted_on}."
            )
        if not self.roles:
            raise PlanEmpty(f"The {self.contract_year} plan of {self.network} has no roles.")
        self.status, self.submitted_on, self.planned_cost = PlanStatus.SUBMITTED, on, cost
        self.warnings = list(warnings)
        return PlanSubmitted(
            plan=self.id,
            network=self.network,
            contract_year=self.contract_year,
            submitted_on=on,
            roles=[PlannedRole(role=x.role, wte=x.wte, start_month=x.start_month) for x in self.lines],
            planned_cost=cost,
        )
