from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.dialects.postgresql import NUMRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base, Explained, Rooted, standing, standing_once, standing_within
from shared.database import Code, Timestamp, Versioned, Words
from shared.errors import Conflict, NotFound, Refused
from shared.events.registry import (
    Appointment,
    Entry,
    Member,
    NetworkClosed,
    PayeeAppointed,
    PracticeJoined,
    PracticeLeft,
)
from shared.facts import no_overlap

WHOLE = Range(Decimal(0), Decimal(1))


class NetworkNotFound(NotFound):
    """No such network."""


class NetworkCodeTaken(Conflict):
    """A network code is never used twice."""


class NetworkNotOpen(Refused):
    """What belongs to a network lies within its life, from the day it opened to the day it closes."""


class NetworkNotClosed(Refused):
    """Only a network with a closing day has one to withdraw."""


class NetworkServesPatients(Refused):
    """A network closes after the lists of practices outside it that it serves are allocated elsewhere."""


class PracticeAlreadyMember(Conflict):
    """A practice is a core member of one network at a time, unless its list is declared to be split."""


class SharesExceedOne(Conflict):
    """The parts of a practice's list that go with networks never add up to more than one."""


class MembershipNotFound(NotFound):
    """The practice has no membership of this network that begins on that day."""


class Network(Versioned, Base):
    """A Primary Care Network by its code; a network that ends closes and stays on the register."""

    __tablename__ = "networks"
    __table_args__ = (CheckConstraint(r"code ~ '^U[0-9]{5}$'", name="code_is_u_and_five_digits"),)

    code: Mapped[Code] = mapped_column(primary_key=True)
    changed_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.code]

    def appoint_payee(self, payee: str, first: date, last: date | None) -> PayeeAppointed:
        return PayeeAppointed(network=self.code, payee=payee, valid_from=first, valid_to=last)


class NetworkEntry(Explained, Rooted, Base):
    """The register's entry of a network: its name and the commissioner that leads it. `valid` ends where it closes."""

    __tablename__ = "network_entries"
    __table_args__ = (
        no_overlap("network_entries", "network"),
        standing(),
        standing_once("network_entries", "network"),
    )

    network: Mapped[Code] = mapped_column(
        ForeignKey("networks.code", deferrable=True, initially="DEFERRED"), index=True
    )
    name: Mapped[Words]
    commissioner: Mapped[Code] = mapped_column(index=True)

    def concerns(self) -> Iterable[str]:
        return [self.network, self.commissioner]

    def closed(self, last_day: date) -> NetworkClosed:
        """The network's money and members end with its last day."""
        return NetworkClosed(network=self.network, commissioner=self.commissioner, closed_on=last_day)

    def told(self) -> Entry:
        """The entry as other services hear of it."""
        return Entry(
            network_name=self.name,
            commissioner=self.commissioner,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
        )


class Membership(Explained, Rooted, Base):
    """A practice is a core member of a network, within the life of both.

    `portion` is the part of the practice's list that goes with it: all of it, [0,1), or for a declared split one of
    several parts that lie side by side. Because parts may not overlap, the database refuses a second membership on the
    same days and shares that add up to more than one.
    """

    __tablename__ = "memberships"
    __table_args__ = (
        ExcludeConstraint(
            ("practice", "="),
            ("portion", "&&"),
            ("valid", "&&"),
            ("known", "&&"),
            name="ex_memberships_overlap",
            using="gist",
        ),
        CheckConstraint("portion <@ numrange(0, 1) and not isempty(portion)", name="portion_of_one_list"),
        standing(),
        standing_within("memberships", "network", "network_entries", "network"),
        standing_within("memberships", "practice", "practice_entries", "practice"),
    )

    network: Mapped[Code] = mapped_column(index=True)
    practice: Mapped[Code] = mapped_column(index=True)
    portion: Mapped[Range[Decimal]] = mapped_column(NUMRANGE, server_default=text("'[0,1)'"))
    round: Mapped[Code | None]
    application: Mapped[Code | None]

    @property
    def share(self) -> Decimal:
        lower, upper = self.portion.lower or Decimal(0), self.portion.upper or Decimal(1)
        return upper - lower

    def concerns(self) -> Iterable[str]:
        return [self.network, self.practice]

    def told(self) -> Member:
        """This membership as a part of its network's whole history."""
        return Member(practice=self.practice, valid_from=self.valid_from, valid_to=self.valid_to, share=self.share)

    def joined(self, commissioner: str) -> PracticeJoined:
        return PracticeJoined(
            network=self.network,
            commissioner=commissioner,
            practice=self.practice,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            share=self.share,
        )

    def left(self, commissioner: str, last_day: date) -> PracticeLeft:
        return PracticeLeft(
            network=self.network,
            commissioner=commissioner,
            practice=self.practice,
            valid_from=self.valid_from,
            valid_to=last_day,
        )

    def take(self, share: Decimal, others: Sequence[Membership]) -> None:
        """Bring this share of the practice's list, beside the parts that go with other networks on the same days.

        Raises `PracticeAlreadyMember` where one of them has the whole list, `SharesExceedOne` where not enough is left.
        """
        beside = sorted((m for m in others if m.valid.overlaps(self.valid)), key=lambda m: m.portion.lower or 0)
        for other in beside:
            if other.share == 1 or other.network == self.network:
                until = "" if other.valid_to is None else f" to {other.valid_to}"
                raise PracticeAlreadyMember(
                    f"{self.practice} is in {other.network} from {other.valid_from}{until}; "
                    "end that membership first, or declare a split."
                )
        taken = Decimal(0)
        for other in beside:
            lower, upper = other.portion.lower or Decimal(0), other.portion.upper or Decimal(1)
            if lower - taken >= share:
                break
            taken = max(taken, upper)
        if taken + share > 1:
            left = 1 - sum((m.share for m in beside), Decimal(0))
            raise SharesExceedOne(f"{share} of the list of {self.practice} is asked for and {max(left, 0)} is left.")
        self.portion = Range(taken, taken + share)


class Payee(Explained, Rooted, Base):
    """Who receives a network's money, by ODS code; never bank details."""

    __tablename__ = "payees"
    __table_args__ = (
        no_overlap("payees", "network"),
        standing(),
        standing_within("payees", "network", "network_entries", "network"),
    )

    network: Mapped[Code] = mapped_column(index=True)
    payee: Mapped[Code]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.payee]

    def told(self) -> Appointment:
        """The appointment as other services hear of it."""
        return Appointment(payee=self.payee, valid_from=self.valid_from, valid_to=self.valid_to)
