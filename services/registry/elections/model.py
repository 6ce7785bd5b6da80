from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.registry.base import Base
from services.registry.elections.count import CountingMethod, TieBreak, count
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Fault, Invalid, NotFound, Refused


class ElectionNotFound(NotFound):
    """No such election of the network, or none the caller may see."""


class CandidateNotFound(NotFound):
    """No such candidate in the election."""


class NominationsClosed(Refused):
    """Candidates are nominated before voting opens."""


class CandidateOutsideNetwork(Refused):
    """A candidate works clinically in a practice that is a member now."""


class CandidateNotStanding(Refused):
    """Votes go to those who stand; whoever withdrew is not voted for."""


class VotingNotOpen(Refused):
    """A ballot is cast while the vote is open, and what the vote was about is settled before or after."""


class NotEntitledToVote(Refused):
    """Each core member practice of the day has one ballot, whatever its size."""


class VotedAlready(Conflict):
    """A practice casts one ballot, and cannot cast another."""


class VotingNotOver(Refused):
    """Ballots are counted when the vote has closed."""


class NotCounted(Refused):
    """The winner is known when the ballots are counted."""


class CountedAlready(Refused):
    """A vote is counted and published once; it can be counted again by anybody."""


class ElectionGivenUp(Refused):
    """An abandoned election takes no candidates, no ballots and no count."""


class NobodyElected(Refused):
    """No valid ballot named anybody who stood."""


class WinnerAppointedAlready(Refused):
    """The winner of an election is appointed once; the appointment itself can be corrected."""


class ElectionStatus(StrEnum):
    CALLED = "called"
    COUNTED = "counted"
    ABANDONED = "abandoned"


class Candidate(Base):
    """A clinician of a member practice who stands for the office."""

    __tablename__ = "election_candidates"

    id: Mapped[Code] = mapped_column(primary_key=True)
    election: Mapped[Code] = mapped_column(ForeignKey("elections.id"), index=True)
    network: Mapped[Code]
    name: Mapped[Words]
    practice: Mapped[Code]
    registration_body: Mapped[str | None]
    registration_number: Mapped[str | None]
    statement: Mapped[Words | None]
    withdrawn_on: Mapped[date | None]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.practice]


class Election(Versioned, Base):
    """A network chooses a clinical director by secret ballot, one ballot to a member practice."""

    __tablename__ = "elections"
    __table_args__ = (CheckConstraint("opens_at < closes_at", name="opens_before_it_closes"),)
    secret_columns = ("lot_seed",)

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(index=True)
    title: Mapped[Words]
    method: Mapped[CountingMethod] = mapped_column(text_enum(CountingMethod))
    tie_break: Mapped[TieBreak] = mapped_column(text_enum(TieBreak))
    opens_at: Mapped[Timestamp]
    closes_at: Mapped[Timestamp]
    lot_seed: Mapped[str]
    called_by: Mapped[Words]
    called_at: Mapped[Timestamp]
    status: Mapped[ElectionStatus] = mapped_column(text_enum(ElectionStatus), default=ElectionStatus.CALLED)
    counted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    counted_by: Mapped[Words | None]
    tally: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    winner: Mapped[Code | None]
    appointment: Mapped[Code | None]
    reason: Mapped[Words | None]
    changed_at: Mapped[Timestamp]

    candidates: Mapped[list[Candidate]] = relationship(lazy="raise", order_by=Candidate.id)

    def concerns(self) -> Iterable[str]:
        return [self.network]

    @property
    def lot_commitment(self) -> str:
        """Published from the start, so that nobody can choose the lot once ballots are known."""
        return hashlib.sha256(self.lot_seed.encode()).hexdigest()

    @property
    def standing(self) -> list[str]:
        return [candidate.id for candidate in self.candidates if candidate.withdrawn_on is None]

    def faults(self, now: datetime) -> list[Fault]:
        found = []
        if self.closes_at <= self.opens_at:
            found.append(Fault("closes_at", "out_of_order", "The vote closes after it opens."))
        if self.opens_at < now:
            found.append(Fault("opens_at", "in_the_past", "A vote opens after it is called."))
        return found

    def require_alive(self) -> None:
        if self.status is ElectionStatus.ABANDONED:
            raise ElectionGivenUp(f"The election {self.id} was abandoned: {self.reason}")
        if self.status is ElectionStatus.COUNTED:
            raise CountedAlready(f"The election {self.id} was counted on {self.counted_at:%Y-%m-%d}.")

    def require_nominations_open(self, now: datetime) -> None:
        self.require_alive()
        if now >= self.opens_at:
            raise NominationsClosed(f"Voting opened at {self.opens_at.isoformat()}.")

    def withdraw(self, candidate: Candidate, *, on: date, now: datetime) -> None:
        """A candidate stands no longer; ballots cast for them go to their next choice, or count for nobody."""
        self.require_alive()
        if now >= self.closes_at:
            raise VotingNotOpen(f"Voting closed at {self.closes_at.isoformat()}.")
        candidate.withdrawn_on = candidate.withdrawn_on or on

    def require_ballot(self, choices: Sequence[str], now: datetime) -> None:
        """Raises `ElectionGivenUp`, `CountedAlready`, `VotingNotOpen`, `CandidateNotStanding`, `Invalid`."""
        self.require_alive()
        if not self.opens_at <= now < self.closes_at:
            raise VotingNotOpen(f"Voting is open from {self.opens_at.isoformat()} to {self.closes_at.isoformat()}.")
        if len(set(choices)) < len(choices):
            raise Invalid("A candidate is chosen once.", errors=[Fault("choices", "twice", "Name each one once.")])
        if self.method is CountingMethod.FIRST_PAST_THE_POST and len(choices) > 1:
            raise Invalid("One choice counts.", errors=[Fault("choices", "too_many", "Name one candidate.")])
        absent = [choice for choice in choices if choice not in self.standing]
        if absent:
            faults = [Fault("choices", "not_standing", f"{choice} does not stand.") for choice in absent]
            raise CandidateNotStanding(f"{len(absent)} of the choices do not stand.", errors=faults)

    def count(self, ballots: Sequence[dict[str, Any]], *, by: str, now: datetime) -> None:
        """Count and publish: every ballot under its receipt's fingerprint, every round, and the lot that was drawn.

        Raises `ElectionGivenUp`, `CountedAlready`, `VotingNotOver`.
        """
        self.require_alive()
        if now < self.closes_at:
            raise VotingNotOver(f"Voting closes at {self.closes_at.isoformat()}.")
        outcome = count([b["choices"] for b in ballots], self.standing, self.method, self.tie_break, self.lot_seed)
        self.status, self.counted_at, self.counted_by, self.winner = ElectionStatus.COUNTED, now, by, outcome.winner
        self.tally = {
            "method": self.method.value,
            "tie_break": self.tie_break.value,
            "lot_seed": self.lot_seed,
            "standing": self.standing,
            "ballots": list(ballots),
            "rounds": [asdict(counted) for counted in outcome.rounds],
            "winner": outcome.winner,
        }

    def require_winner(self) -> Candidate:
        """Raises `NotCounted`, `NobodyElected`, `WinnerAppointedAlready`."""
        if self.status is not ElectionStatus.COUNTED:
            raise NotCounted(f"The election {self.id} has not been counted.")
        if self.appointment is not None:
            raise WinnerAppointedAlready(f"The winner of {self.id} was appointed as {self.appointment}.")
        won = [candidate for candidate in self.candidates if candidate.id == self.winner]
        if not won:
            raise NobodyElected(f"Nobody was elected in {self.id}.")
        return won[0]

    def abandon(self, reason: str) -> None:
        self.require_alive()
        self.status, self.reason = ElectionStatus.ABANDONED, reason


class Voter(Base):
    """A practice has cast its ballot; which one, nothing says."""

    __tablename__ = "election_voters"

    election: Mapped[Code] = mapped_column(ForeignKey("elections.id"), primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code]

    def concerns(self) -> Iterable[str]:
        # the network learns who has voted when the vote has closed, and not before from the trail
        return [self.practice]


class BallotBox(Base):
    """All ballots of an election in one row, in the order of their receipts' fingerprints.

    Each vote writes all boxes into a new file of the table, so that no row, key, order, time or transaction belongs to
    one ballot, and no box as it was before one is left on the disk.
    """

    __tablename__ = "ballot_boxes"

    election: Mapped[Code] = mapped_column(ForeignKey("elections.id"), primary_key=True)
    ballots: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
