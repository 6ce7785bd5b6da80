from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Fault, NotFound, Refused
from shared.facts import Dated, no_overlap


class CommissionerNotFound(NotFound):
    """No such commissioner."""


class SystemNotFound(NotFound):
    """No such system on that day."""


class CommissionerCodeTaken(Conflict):
    """A commissioner's code is never used twice."""


class CommissionerNotPlaced(Refused):
    """A commissioner stands in a system on every day it commissions."""


class SuccessionNotPossible(Refused):
    """What is to be succeeded has gone already, or its heir has."""


class Level(StrEnum):
    """What is succeeded: a commissioner (CCG, sub-ICB location), or a system (STP, ICB)."""

    COMMISSIONER = "commissioner"
    SYSTEM = "system"


class SuccessionKind(StrEnum):
    """One heir takes all; several divide it; or it goes on, larger or smaller, as one of its own heirs."""

    MERGER = "merger"
    SPLIT = "split"
    ENLARGEMENT = "enlargement"


class Commissioner(Versioned, Base):
    """A body that commissions primary care (CCG, later sub-ICB location); its code is never reused or edited."""

    __tablename__ = "commissioners"

    code: Mapped[Code] = mapped_column(primary_key=True)
    changed_at: Mapped[Timestamp | None]

    def concerns(self) -> Iterable[str]:
        return [self.code]


class System(Versioned, Base):
    """A system (STP, later ICB) by its code; its name, region and commissioners are dated."""

    __tablename__ = "systems"

    code: Mapped[Code] = mapped_column(primary_key=True)
    changed_at: Mapped[Timestamp | None]

    def concerns(self) -> Iterable[str]:
        return [self.code]


class Placement(Dated, Base):
    """Where a commissioner stands on some days: its name, its system (STP, later ICB) and its region."""

    __tablename__ = "placements"
    __table_args__ = (no_overlap("placements", "commissioner"),)

    commissioner: Mapped[Code] = mapped_column(ForeignKey("commissioners.code", deferrable=True, initially="DEFERRED"))
    name: Mapped[Words]
    system: Mapped[Code] = mapped_column(index=True)
    system_name: Mapped[Words]
    region: Mapped[Code]
    region_name: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.commissioner, self.system]


class Delegation(Dated, Base):
    """Whether a commissioner decides for its own area on some days, and why.

    Where it does not, the national local team decides in its place; where nothing is said, it does.
    """

    __tablename__ = "delegations"
    __table_args__ = (no_overlap("delegations", "commissioner"),)

    commissioner: Mapped[Code]
    delegated: Mapped[bool]
    reason: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.commissioner]


class Succession(Dated, Base):
    """From the first day in `valid` on, what was the predecessor's is, wholly or in part, the successor's.

    `inherits` marks the one heir that decides what the predecessor left open.
    """

    __tablename__ = "successions"
    __table_args__ = (
        no_overlap("successions", "level", "predecessor", "successor"),
        ExcludeConstraint(
            ("level", "="),
            ("predecessor", "="),
            ("valid", "&&"),
            ("known", "&&"),
            name="ex_successions_one_inherits",
            using="gist",
            where=text("inherits"),
        ),
        Index("ix_successions_successor", "successor"),
        CheckConstraint("upper_inf(valid)", name="from_a_day_on"),
    )

    level: Mapped[Level] = mapped_column(text_enum(Level))
    predecessor: Mapped[Code]
    successor: Mapped[Code]
    kind: Mapped[SuccessionKind] = mapped_column(text_enum(SuccessionKind))
    inherits: Mapped[bool]
    reason: Mapped[Words]
    recorded_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.predecessor, self.successor]


@dataclass(frozen=True, slots=True)
class Heir:
    """An heir with what goes to it: practices of a commissioner, commissioners of a system; and how it is called and
    where it stands, if it is new: (system, its name, region, its name) for a commissioner, (region, its name) for a
    system. Networks it leads whatever most of their practices do are named too.
    """

    code: str
    name: str | None = None
    parts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    stands: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A succession as somebody asks for it. `inherits` names the heir of what was left open.

    `stood` says since when and where a predecessor stood that the register has not met before.
    """

    level: Level
    predecessor: str
    kind: SuccessionKind
    on: date
    heirs: tuple[Heir, ...]
    reason: str
    inherits: str | None = None
    stood: tuple[date, tuple[str, ...]] | None = None

    @property
    def codes(self) -> list[str]:
        return [heir.code for heir in self.heirs]

    @property
    def parts(self) -> frozenset[str]:
        """What is said to go to one heir each."""
        return frozenset(part for heir in self.heirs for part in heir.parts)

    @property
    def goes_on(self) -> bool:
        """Whether the predecessor goes on as one of its own heirs."""
        return self.predecessor in self.codes

    @property
    def main_heir(self) -> str:
        """Who decides what was left open: the only heir, the predecessor itself where it goes on, or the one named."""
        if self.inherits is not None:
            return self.inherits
        return self.predecessor if self.goes_on else self.codes[0]

    def faults(self, parts: Sequence[str]) -> list[Fault]:
        """Everything that does not fit, in one list; `parts` is what has to go to one heir each where it is divided."""
        found: list[Fault] = []

        def say(field: str, code: str, message: str) -> None:
            found.append(Fault(field, code, message))

        for code in sorted({code for code in self.codes if self.codes.count(code) > 1}):
            say("successors", "repeated", f"{code} is named twice.")
        shape = len(set(self.codes)), self.goes_on
        if self.kind is SuccessionKind.MERGER and shape != (1, False):
            say("successors", "not_a_merger", "After a merger one other takes over everything.")
        if self.kind is SuccessionKind.SPLIT and (shape[0] < 2 or self.goes_on):
            say("successors", "not_a_split", "A split has two heirs or more, and what is split does not go on.")
        if self.kind is SuccessionKind.ENLARGEMENT and not self.goes_on:
            say("successors", "not_an_enlargement", "What is enlarged, or gives up a part, goes on: name it too.")
        if self.inherits is not None and self.inherits not in self.codes:
            say("inherits", "not_a_successor", f"{self.inherits} is not among the successors.")
        if self.kind is SuccessionKind.SPLIT and self.inherits is None:
            say("inherits", "missing", "Say which heir decides what was left open.")
        given = [part for heir in self.heirs for part in heir.parts]
        for part in sorted({part for part in given if given.count(part) > 1}):
            say("successors", "part_repeated", f"{part} goes to one heir only.")
        for part in sorted(set(given) - set(parts)):
            say("successors", "not_a_part", f"{part} is not {self.predecessor}'s on that day.")
        if self.kind is SuccessionKind.SPLIT:
            for part in sorted(set(parts) - set(given)):
                say("successors", "part_missing", f"Say to which heir {part} goes.")
        return found

    def goes_to(self, part: str) -> str | None:
        """Where a part goes: to the heir that names it, to the one that takes all, or nowhere that was said."""
        for heir in self.heirs:
            if part in heir.parts:
                return heir.code
        return self.predecessor if self.goes_on else self.codes[0] if self.kind is SuccessionKind.MERGER else None
