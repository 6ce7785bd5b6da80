"""What a claim goes through, whoever claims and for what: submitted, decided once, paid by a run."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Money, Timestamp, Words, text_enum
from shared.errors import Refused


class ClaimDecided(Refused):
    """The claim has been decided already."""


class ClaimNotPayable(Refused):
    """A check stands in the way of approving the claim; `errors` lists every one."""


class ClaimStatus(StrEnum):
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAID = "paid"


TAKES = (ClaimStatus.APPROVED, ClaimStatus.PAID)
"""The claims that have taken of a sum."""


class Decided:
    """Mixin of what is claimed and decided once. `payable` is what was approved, or while it waits what would be.

    `checked` is the arithmetic of the last check and every fault it found; `limited_by` the limit that bit.
    `paid` is what runs paid of it, less than `payable` while the rest waits for a sum that was lowered.
    `taken_back` is what payees gave back of it, because its month turned out to be without the right to be paid.
    """

    status: Mapped[ClaimStatus] = mapped_column(text_enum(ClaimStatus))
    payable: Mapped[Money | None]
    limited_by: Mapped[str | None] = mapped_column(String(32))
    checked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    code: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[Words | None]
    run: Mapped[str | None] = mapped_column(String(64))
    paid: Mapped[Money] = mapped_column(default=Decimal("0.00"), server_default="0")
    taken_back: Mapped[Money] = mapped_column(default=Decimal("0.00"), server_default="0")

    def must_wait(self) -> None:
        """Raises `ClaimDecided` unless the claim waits to be decided."""
        if self.status is not ClaimStatus.SUBMITTED:
            raise ClaimDecided(f"The claim is {self.status.value} already.")

    def accept(self, by: str, at: datetime) -> None:
        self.status, self.decided_by, self.decided_at = ClaimStatus.APPROVED, by, at
        self.code = self.reason = None

    def close(self, status: ClaimStatus, code: str, reason: str, *, by: str, at: datetime) -> None:
        """Turn the claim down or send it back, with a stable code and a sentence. Raises `ClaimDecided`."""
        self.must_wait()
        self.status, self.decided_by, self.decided_at = status, by, at
        self.code, self.reason, self.payable = code, reason, None

    def settle(self, run: str, amount: Decimal) -> Decimal:
        """The claim, or a part of it, was part of an issued run; gives all that was paid of it. It is paid once nothing
        waits. Raises `ClaimDecided` unless it was approved."""
        if self.status is not ClaimStatus.APPROVED or self.payable is None:
            raise ClaimDecided(f"The claim is {self.status.value}, only an approved one is paid.")
        self.paid, self.run = self.paid + amount, run
        if self.paid >= self.payable:
            self.status = ClaimStatus.PAID
        return self.paid

    def reverse(self, amount: Decimal) -> Decimal:
        """A run took back what was paid (`amount` below nothing) or paid it again; gives what of it is paid since."""
        self.taken_back -= amount
        return self.paid - self.taken_back


def limit_named(limited_by: str | None) -> str | None:
    """The limit as events name it: none where nothing bit."""
    return None if limited_by == "none" else limited_by
