from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, inspect, text
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from services.registry.rounds.coverage import Coverage
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Fault, Forbidden, Invalid, NotFound, Refused
from shared.events.registry import RoundAbandoned, RoundDecided, RoundOpened
from shared.years import months_before, year_end, year_start

OLDEST_SNAPSHOT = 18
"""Lists counted more months than this before a round takes effect are not those of its patients."""


class RoundNotFound(NotFound):
    """No such round, or none the caller may see."""


class RoundAlreadyOpen(Conflict):
    """One round at a time is open in an area for a contract year."""


class RoundAlreadyDecided(Refused):
    """All applications of a round are decided together, once."""


class RoundGivenUp(Refused):
    """An abandoned round takes no application and no decision any more."""


class RoundInUse(Refused):
    """A round is abandoned only while no application of it waits for the decision or was approved."""


class OnlyNationalOverrides(Forbidden):
    """Only the national team may decide while the area is not covered."""


class NotYoursToDecide(Forbidden):
    """Only the area's commissioner, where commissioning is delegated to it, or the national team decides."""


class RoundStatus(StrEnum):
    OPEN = "open"
    DECIDED = "decided"
    ABANDONED = "abandoned"


_SETTLED = {
    RoundStatus.DECIDED: ("decided_on", "decided_by", "decided_at", "override_reason"),
    RoundStatus.ABANDONED: ("abandoned_on", "abandoned_by", "abandoned_at", "abandon_reason"),
}


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
    opened_at: Mapped[Timestamp]
    decided_on: Mapped[date | None]
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    override_reason: Mapped[Words | None]
    abandoned_on: Mapped[date | None]
    abandoned_by: Mapped[Words | None]
    abandoned_at: Mapped[Timestamp | None]
    abandon_reason: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.commissioner]

    def known_then(self, known_at: datetime | None) -> Round:
        """The round as it was known at a moment after it was opened, or as it is: to be read, never stored."""
        columns = {a.key: getattr(self, a.key) for a in inspect(Round).column_attrs}
        for state, moment in ((RoundStatus.DECIDED, self.decided_at), (RoundStatus.ABANDONED, self.abandoned_at)):
            if known_at is not None and moment is not None and known_at < moment:
                columns |= {"status": RoundStatus.OPEN} | dict.fromkeys(_SETTLED[state])
        return Round(**columns)

    def faults(self) -> list[Fault]:
        """Every day of the round that does not fit the others or the contract year, in one list."""
        found = [
            Fault(later, "out_of_order", f"{later} lies before {earlier}.")
            for earlier, later in (("opens_on", "apply_by"), ("apply_by", "decide_by"))
            if getattr(self, later) < getattr(self, earlier)
        ]
        first, last = year_start(self.contract_year), year_end(self.contract_year)
        if self.decide_by > last:
            found.append(Fault("decide_by", "after_the_year", f"{self.contract_year} ends on {last}."))
        if not first <= self.starts_on <= last:
            found.append(Fault("starts_on", "outside_the_year", f"{self.contract_year} runs from {first} to {last}."))
        if self.snapshot > self.starts_on:
            found.append(Fault("snapshot", "out_of_order", "The lists are counted before the round takes effect."))
        elif self.snapshot < months_before(self.starts_on, OLDEST_SNAPSHOT):
            found.append(Fault("snapshot", "too_old", f"Lists older than {OLDEST_SNAPSHOT} months do not count."))
        return found

    def opened(self) -> RoundOpened:
        return RoundOpened(
            round=self.id,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            apply_by=self.apply_by,
            decide_by=self.decide_by,
        )

    def require_open(self) -> None:
        if self.status is RoundStatus.ABANDONED:
            raise RoundGivenUp(f"The round {self.id} was abandoned on {self.abandoned_on}: {self.abandon_reason}")
        if self.status is RoundStatus.DECIDED:
            raise RoundAlreadyDecided(f"The round {self.id} was decided on {self.decided_on}.")

    def abandon(self, reason: str, in_use: Sequence[str], *, on: date, at: datetime, by: str) -> RoundAbandoned:
        """Give the round up, so that its area can open another. `in_use` names applications waiting or approved.

        Raises `RoundAlreadyDecided`, `RoundGivenUp`, `RoundInUse`.
        """
        self.require_open()
        if in_use:
            faults = [Fault("applications", "in_use", f"{id} waits for the decision or was approved.") for id in in_use]
            raise RoundInUse(f"{len(in_use)} applications of the round wait or were approved.", errors=faults)
        self.status, self.abandoned_on, self.abandoned_by, self.abandon_reason = RoundStatus.ABANDONED, on, by, reason
        self.abandoned_at = at
        return RoundAbandoned(
            round=self.id,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            abandoned_on=on,
            reason=reason,
        )

    def decide(
        self,
        coverage: Coverage,
        applications: Iterable[str],
        refusals: Iterable[str],
        *,
        on: date,
        at: datetime,
        by: str,
        today: date,
        national: bool,
        override_reason: str | None,
    ) -> RoundDecided:
        """Decide the area as a whole: of the waiting applications those in `refusals` are refused, the rest approved.

        `coverage` is that of the approved. Raises `RoundAlreadyDecided`, `RoundGivenUp`, `Invalid`,
        `OnlyNationalOverrides`, `PatientsCoveredTwice`, `CoverageIncomplete`.
        """
        self.require_open()
        waiting, refused = set(applications), list(refusals)
        faults = [
            Fault("refusals", "not_submitted", f"{id} is no submitted application of this round.")
            for id in refused
            if id not in waiting
        ]
        if on < self.opens_on:
            faults.append(Fault("decided_on", "before_the_round", f"{on} lies before the round opened."))
        if on > today:
            faults.append(Fault("decided_on", "in_the_future", f"{on} has not come yet."))
        if faults:
            raise Invalid("The decision cannot be taken as it is.", errors=faults)
        if override_reason is not None and not national:
            raise OnlyNationalOverrides("Only the national team may decide an area that is not wholly covered.")
        coverage.require_once()
        used = override_reason if not coverage.complete else None
        if used is None:
            coverage.require()
        self.status, self.decided_on, self.decided_by, self.override_reason = RoundStatus.DECIDED, on, by, used
        self.decided_at = at
        return RoundDecided(
            round=self.id,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            decided_on=on,
            approved=len(waiting) - len(refused),
            refused=len(refused),
            override_reason=used,
        )
