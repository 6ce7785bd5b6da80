from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, text
from sqlalchemy.dialects.postgresql import NUMRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words
from shared.errors import Conflict, NotFound
from shared.events.registry import PayeeAppointed, PracticeJoined, PracticeLeft
from shared.facts import Dated, no_overlap

WHOLE = Range(Decimal(0), Decimal(1))


class NetworkNotFound(NotFound):
    """No such network."""


class NetworkCodeTaken(Conflict):
    """A network code is never used twice."""


class PracticeAlreadyMember(Conflict):
    """A practice is a core member of one network at a time, unless its list is declared to be split."""


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


class NetworkEntry(Dated, Base):
    """The register's entry of a network: its name and the commissioner that leads it. `valid` ends where it closes."""

    __tablename__ = "network_entries"
    __table_args__ = (no_overlap("network_entries", "network"),)

    network: Mapped[Code] = mapped_column(index=True)
    name: Mapped[Words]
    commissioner: Mapped[Code] = mapped_column(index=True)


class Membership(Dated, Base):
    """A practice is a core member of a network.

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


class Payee(Dated, Base):
    """Who receives a network's money, by ODS code; never bank details."""

    __tablename__ = "payees"
    __table_args__ = (no_overlap("payees", "network"),)

    network: Mapped[Code] = mapped_column(index=True)
    payee: Mapped[Code]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.payee]
