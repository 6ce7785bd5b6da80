"""A payee's bank details: proposed by one person, approved by another who enters the numbers again, kept for ever."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.bank_details.keys import KeyRing
from services.funding.base import Base
from services.funding.payments.model import SamePerson
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Refused
from shared.facts import Dated, no_overlap


class DetailsDecided(Refused):
    """These bank details have been approved or refused already."""


class DetailsDiffer(Refused):
    """What the second person entered is not what the first did."""


class ChangeInProgress(Conflict):
    """A change of this payee's bank details waits to be decided."""


class DetailsStatus(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Account:
    """A UK account as banks know it: sort code of six digits, number of eight, a roll number where a building society
    wants one. Only the format is checked; whether number and sort code belong together (the modulus check) is not."""

    name: str
    sort_code: str
    number: str
    roll_number: str | None = None

    def __repr__(self) -> str:
        return f"Account({masked_number(self.number)})"

    def sealed(self, keys: KeyRing) -> str:
        return keys.seal(json.dumps(asdict(self)).encode())

    @classmethod
    def opened(cls, sealed: str, keys: KeyRing) -> Account:
        return cls(**json.loads(keys.open(sealed)))


def masked_number(number: str) -> str:
    return f"****{number[-4:]}"


def masked_name(name: str) -> str:
    """Enough of a name to recognise it by: `S*** G***`."""
    return " ".join(f"{word[0]}***" for word in name.split())[:80]


class BankDetails(Base, Versioned):
    """One change of a payee's account. The numbers are sealed; what is in clear is what may be shown."""

    __tablename__ = "bank_details"
    __table_args__ = (
        CheckConstraint("status <> 'approved' OR decided_by <> entered_by", name="two_people"),
        Index("ix_bank_details_payee", "payee"),
        Index("uq_bank_details_proposed", "payee", unique=True, postgresql_where=text("status = 'proposed'")),
    )
    secret_columns: ClassVar[tuple[str, ...]] = ("sealed",)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payee: Mapped[Code]
    status: Mapped[DetailsStatus] = mapped_column(text_enum(DetailsStatus))
    sealed: Mapped[Words]
    sealed_with: Mapped[str] = mapped_column(String(16))
    account_name: Mapped[Words]
    sort_code: Mapped[str] = mapped_column(String(8))
    account_number: Mapped[str] = mapped_column(String(8))
    valid_from: Mapped[date]
    entered_by: Mapped[Words]
    entered_at: Mapped[Timestamp]
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    reason: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.payee]

    @classmethod
    def propose(
        cls, id: str, payee: str, account: Account, valid_from: date, *, keys: KeyRing, by: str, at: datetime
    ) -> BankDetails:
        """Somebody enters where a payee's money is to go; nothing goes there before a second person agrees."""
        return cls(
            id=id,
            payee=payee,
            status=DetailsStatus.PROPOSED,
            sealed=account.sealed(keys),
            sealed_with=keys.newest,
            account_name=masked_name(account.name),
            sort_code=f"**-**-{account.sort_code[-2:]}",
            account_number=masked_number(account.number),
            valid_from=valid_from,
            entered_by=by,
            entered_at=at,
            version=1,
        )

    def account(self, keys: KeyRing) -> Account:
        return Account.opened(self.sealed, keys)

    def _decide(self, status: DetailsStatus, by: str, at: datetime) -> None:
        if self.status is not DetailsStatus.PROPOSED:
            raise DetailsDecided(f"These bank details are {self.status.value} already.")
        self.status, self.decided_by, self.decided_at = status, by, at

    def approve(self, sort_code: str, number: str, *, keys: KeyRing, by: str, at: datetime) -> None:
        """A second person enters the numbers again from the declaration and they agree.

        Raises `DetailsDecided`, `SamePerson` and `DetailsDiffer`.
        """
        if by == self.entered_by:
            raise SamePerson(f"{by} entered these bank details; somebody else must approve them.")
        self._decide(DetailsStatus.APPROVED, by, at)
        held = self.account(keys)
        if not hmac.compare_digest(held.sort_code + held.number, sort_code + number):
            raise DetailsDiffer("The numbers entered now are not those entered first.")

    def refuse(self, reason: str, *, by: str, at: datetime) -> None:
        """The change is turned down, and what was in force stays so. Raises `DetailsDecided`."""
        self._decide(DetailsStatus.REFUSED, by, at)
        self.reason = reason

    def reseal(self, keys: KeyRing) -> None:
        """Put the numbers under the newest key."""
        self.sealed, self.sealed_with = keys.reseal(self.sealed), keys.newest


class PayeeAccount(Base, Dated):
    """The approved bank details a payee is paid by on these days."""

    __tablename__ = "payee_accounts"
    __table_args__ = (no_overlap("payee_accounts", "payee"),)

    payee: Mapped[Code]
    details: Mapped[str] = mapped_column(String(64), ForeignKey("bank_details.id"))

    def concerns(self) -> Iterable[str]:
        return [self.payee]
