from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base, Rooted, standing, standing_within
from shared.database import Code, Words
from shared.errors import Conflict, NotFound, Refused
from shared.events.registry import AllocationEnded, PatientsAllocated
from shared.facts import ONE_DAY, no_overlap


class AllocationNotFound(NotFound):
    """No such allocation, or none the caller may see."""


class PracticeAlreadyAllocated(Conflict):
    """A practice's list is allocated to one network at a time."""


class PracticeIsMember(Refused):
    """Only the list of a practice outside every network is allocated."""


class Allocation(Rooted, Base):
    """The list of a practice outside every network is served by a network of the area; the practice is not enrolled.

    Before the network is decided the allocation names its application instead. The list of a practice that has closed
    is served too, `after_closing`, until patients are counted again: then no day of it lies in the practice's life.
    """

    __tablename__ = "allocations"
    __table_args__ = (
        no_overlap("allocations", "practice"),
        CheckConstraint("network is not null or application is not null", name="names_who_serves"),
        standing(),
        standing("standing_open", but="after_closing"),
        standing_within("allocations", "network", "network_entries", "network"),
        standing_within("allocations", "practice", "practice_entries", "practice", days="standing_open"),
    )
    __mapper_args__ = {"exclude_properties": ["standing", "standing_open"]}

    id: Mapped[Code] = mapped_column(index=True)
    practice: Mapped[Code] = mapped_column(ForeignKey("practices.code", deferrable=True, initially="DEFERRED"))
    after_closing: Mapped[bool] = mapped_column(default=False)
    commissioner: Mapped[Code] = mapped_column(index=True)
    network: Mapped[Code | None] = mapped_column(index=True)
    application: Mapped[Code | None] = mapped_column(index=True)
    round: Mapped[Code | None]
    reason: Mapped[Words]
    made_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [code for code in (self.practice, self.commissioner, self.network) if code]

    def served_by(self, network: str) -> PatientsAllocated:
        """The network that serves these patients is known: its money may follow them."""
        self.network = network
        return PatientsAllocated(
            network=network,
            commissioner=self.commissioner,
            practice=self.practice,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
        )

    def ended(self, last: date | None) -> AllocationEnded | None:
        """The network stops serving these patients after `last`; with none, it never should have served them."""
        if self.network is None:
            return None
        return AllocationEnded(
            network=self.network,
            commissioner=self.commissioner,
            practice=self.practice,
            valid_from=self.valid_from,
            valid_to=self.valid_from - ONE_DAY if last is None else last,
            until=self.valid_to,
        )
