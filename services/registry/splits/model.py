from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base, Explained, Rooted, standing, standing_within
from shared.database import Code
from shared.errors import Fault, Invalid, NotFound
from shared.events.registry import Part, PracticeSplit
from shared.facts import no_overlap


class SplitNotFound(NotFound):
    """The list of this practice is not declared to be split on that day."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The share of a practice's list that goes with a network."""

    network: str
    share: Decimal


def faults_of(parts: Sequence[Portion]) -> list[Fault]:
    """Everything that keeps these parts from being one whole list."""
    faults = []
    networks = [part.network for part in parts]
    for twice in sorted({network for network in networks if networks.count(network) > 1}):
        faults.append(Fault("parts", "named_twice", f"{twice} is named more than once."))
    total = sum((part.share for part in parts), Decimal(0))
    if total != 1:
        faults.append(Fault("parts", "not_one_list", f"The shares add up to {total}, not to exactly 1."))
    return faults


def require_whole(parts: Sequence[Portion]) -> None:
    """The parts are one whole list, each with a network of its own. Raises `Invalid` with every fault."""
    faults = faults_of(parts)
    if faults:
        raise Invalid("The parts do not make one list.", errors=faults)


class Split(Explained, Rooted, Base):
    """The list of a practice is declared to be divided between networks; its memberships say with which shares."""

    __tablename__ = "splits"
    __table_args__ = (
        no_overlap("splits", "practice"),
        standing(),
        standing_within("splits", "practice", "practice_entries", "practice"),
    )

    practice: Mapped[Code] = mapped_column(index=True)

    def concerns(self) -> Iterable[str]:
        return [self.practice]

    def declared(self, commissioner: str, parts: Sequence[Portion]) -> PracticeSplit:
        """Money and reports divide this practice's list between the networks from now on."""
        return PracticeSplit(
            practice=self.practice,
            commissioner=commissioner,
            parts=[Part(network=part.network, share=part.share) for part in parts],
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            reason=self.reason or "",
        )
