"""Part of a sum that moves from one network to another: offered, accepted, agreed to by their commissioner."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Forbidden, Refused
from shared.history import kept

LAST_YEAR = "2023-24"
"""The last contract year in which unclaimed money could go to another network; from 2024/25 on it is lost."""


class RedistributionNotAllowed(Refused):
    """Unclaimed money moved between networks in contract years up to 2023/24 only."""


class BeyondWhatIsLeft(Refused):
    """A network gives up no more than is left of its sum after what its claims take or ask."""


class RedistributionNotOpen(Refused):
    """The redistribution is not at the step this answer belongs to."""


class NotTheReceiver(Forbidden):
    """Only the network that is to receive the money accepts it."""


class RedistributionStep(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    APPROVED = "approved"
    REFUSED = "refused"


@kept("contract_year", entered="created_at")
class Redistribution(Base, Versioned):
    """One network gives up part of its sum for another of the same year; it counts from its approval on."""

    __tablename__ = "redistributions"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("giver <> receiver", name="two_networks"),
        Index("ix_redistributions_giver", "giver", "contract_year"),
        Index("ix_redistributions_receiver", "receiver", "contract_year"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    contract_year: Mapped[Code]
    giver: Mapped[Code]
    receiver: Mapped[Code]
    amount: Mapped[Money]
    status: Mapped[RedistributionStep] = mapped_column(text_enum(RedistributionStep))
    offered_on: Mapped[date]
    offered_by: Mapped[Words]
    accepted_on: Mapped[date | None]
    accepted_by: Mapped[Words | None]
    decided_on: Mapped[date | None]
    decided_by: Mapped[Words | None]
    reason: Mapped[Words | None]
    created_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.giver, self.receiver]

    def offer(self, left: Decimal) -> None:
        """The giver offers what it will not use. Raises `RedistributionNotAllowed` and `BeyondWhatIsLeft`."""
        if self.contract_year > LAST_YEAR:
            raise RedistributionNotAllowed(f"Money unclaimed in {self.contract_year} is not given to another network.")
        self._must_be_left(left)
        self.status = RedistributionStep.OFFERED

    def take_on(self, by: str, on: date) -> None:
        """The receiver accepts."""
        self._must_be(RedistributionStep.OFFERED)
        self.status, self.accepted_by, self.accepted_on = RedistributionStep.ACCEPTED, by, on

    def approve(self, left: Decimal, *, by: str, on: date) -> None:
        """The commissioner of both agrees. Raises `BeyondWhatIsLeft` where the giver has claimed it meanwhile."""
        self._must_be(RedistributionStep.ACCEPTED)
        self._must_be_left(left)
        self.status, self.decided_by, self.decided_on = RedistributionStep.APPROVED, by, on

    def refuse(self, reason: str, *, by: str, on: date) -> None:
        """The receiver or the commissioner says no."""
        self._must_be(RedistributionStep.OFFERED, RedistributionStep.ACCEPTED)
        self.status, self.decided_by, self.decided_on, self.reason = RedistributionStep.REFUSED, by, on, reason

    def _must_be_left(self, left: Decimal) -> None:
        if self.amount > left:
            raise BeyondWhatIsLeft(f"{self.giver} has £{left:,.2f} left of its sum of {self.contract_year}.")

    def _must_be(self, *steps: RedistributionStep) -> None:
        if self.status not in steps:
            raise RedistributionNotOpen(f"The redistribution is {self.status.value}.")
