"""A person in post and what each month of it cost."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Headcount, Money, Timestamp, Versioned, Words
from shared.errors import Conflict, Fault, Refused
from shared.events.workforce import PostEnded, Standing
from shared.years import first_day, last_day

FULL_TIME = Decimal(1)


class OverFullTime(Refused):
    """One person would work more than full time and nobody said why."""


class PostAlreadyEnded(Refused):
    """The post has an end."""


class EndBeforeStart(Refused):
    """A post cannot end before it began."""


class EndBeforeClaimed(Refused):
    """A month was claimed that the post would no longer cover."""


class CostsOutsidePost(Refused):
    """Nobody was in post in that month."""


class SupplierFeeNotAllowed(Refused):
    """A supplier's charge is part of the cost of social prescribing link workers only."""


class CostsAlreadyRecorded(Conflict):
    """The month's cost of that post is on record."""


class CostsAlreadyClaimed(Refused):
    """The month was claimed with these costs."""


class StandingAfterStart(Refused):
    """A person's standing is what it was before they started; `errors` names the days that lie later."""


class Post(Versioned, Base):
    """Somebody in post for a network: the one record that claims, returns and reports are made from."""

    __tablename__ = "posts"
    __table_args__ = (
        Index("ix_posts_network", "network", "id"),
        CheckConstraint("wte > 0", name="wte_positive"),
        CheckConstraint("ended_on >= started_on", name="ends_after_start"),
    )

    id: Mapped[Code] = mapped_column(primary_key=True)
    vacancy: Mapped[Code] = mapped_column(ForeignKey("vacancies.id"), unique=True)
    candidate: Mapped[Code] = mapped_column(ForeignKey("candidates.id"), index=True)
    network: Mapped[Code]
    role: Mapped[Code]
    wte: Mapped[Headcount]
    zone: Mapped[Code]
    employer: Mapped[Code]
    employer_kind: Mapped[Code]
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    ending_reason: Mapped[Words | None]
    additional: Mapped[bool]
    days_to_hire: Mapped[int]
    salary_basis: Mapped[Words | None]
    over_full_time_reason: Mapped[Words | None]
    person: Mapped[str | None] = mapped_column(String(64))
    standing: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[Timestamp]

    def concerns(self) -> list[str]:
        return [self.network]

    @property
    def stated(self) -> Standing | None:
        """What the network said of the person's standing; `None` while it said nothing."""
        return None if self.standing is None else Standing.model_validate(self.standing)

    def state(self, standing: Standing, person: str | None) -> None:
        """Say what decides whether the person counts as new staff, as known when they started.

        Raises `StandingAfterStart` for days that lie after the start.
        """
        days = {"qualified_on": standing.qualified_on, "employed_here_until": standing.employed_here_until}
        late = [
            Fault(field, "StandingAfterStart", f"{day} does not lie before the start on {self.started_on}.")
            for field, day in days.items()
            if day is not None and day >= self.started_on
        ]
        if late:
            raise StandingAfterStart(f"The standing of {self.id} is that before {self.started_on}.", errors=late)
        self.standing, self.person = standing.model_dump(mode="json"), person

    def worked_in(self, month: str) -> tuple[date, date] | None:
        """The first and last day of a month on which somebody was in post."""
        first = max(first_day(month), self.started_on)
        last = min(last_day(month), self.ended_on or date.max)
        return (first, last) if first <= last else None

    def end(self, on: date, *, reason: str | None, claimed_to: date | None) -> PostEnded:
        """The person leaves; `on` is the last day in post and `claimed_to` the last day claimed so far."""
        if self.ended_on is not None:
            raise PostAlreadyEnded(f"{self.id} ended on {self.ended_on}.")
        if on < self.started_on:
            raise EndBeforeStart(f"{self.id} began on {self.started_on}; it cannot end on {on}.")
        if claimed_to is not None and claimed_to > on:
            raise EndBeforeClaimed(f"{self.id} was claimed up to {claimed_to}; it cannot end on {on}.")
        self.ended_on, self.ending_reason = on, reason
        return PostEnded(post=self.id, network=self.network, role=self.role, ended_on=on)

    def cost(
        self,
        month: str,
        *,
        salary: Decimal,
        employer_ni: Decimal,
        employer_pension: Decimal,
        supplier_fee: Decimal,
        fee_allowed: bool,
        at: datetime,
    ) -> PostCost:
        """What the post cost in a month, as the payroll has it."""
        if self.worked_in(month) is None:
            until = f" to {self.ended_on}" if self.ended_on else ""
            raise CostsOutsidePost(f"{self.id} runs from {self.started_on}{until}: nobody was in post in {month}.")
        if supplier_fee and not fee_allowed:
            raise SupplierFeeNotAllowed(f"A supplier's fee cannot be claimed for {self.role}.")
        return PostCost(
            post=self.id,
            month=month,
            network=self.network,
            salary=salary,
            employer_ni=employer_ni,
            employer_pension=employer_pension,
            supplier_fee=supplier_fee,
            recorded_at=at,
        )


class PostCost(Versioned, Base):
    """The actual cost of one post in one month, in pounds."""

    __tablename__ = "post_costs"
    __table_args__ = (
        CheckConstraint("least(salary, employer_ni, employer_pension, supplier_fee) >= 0", name="amounts"),
    )

    post: Mapped[Code] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    month: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code]
    salary: Mapped[Money]
    employer_ni: Mapped[Money]
    employer_pension: Mapped[Money]
    supplier_fee: Mapped[Money]
    recorded_at: Mapped[Timestamp]

    def concerns(self) -> list[str]:
        return [self.network]

    @property
    def total(self) -> Decimal:
        return self.salary + self.employer_ni + self.employer_pension + self.supplier_fee
