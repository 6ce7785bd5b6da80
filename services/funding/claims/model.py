"""A claim and its decision: submitted, then approved or rejected, and paid by a run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.budgets.model import GP_SCOPE
from services.funding.claims.rules import Check, Cost
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Refused
from shared.events.funding import ClaimApproved, ClaimPaid, ClaimRejected


class ClaimDecided(Refused):
    """The claim has been decided already."""


class ClaimNotPayable(Refused):
    """A check stands in the way of approving the claim; `errors` lists every one."""


class ClaimStatus(StrEnum):
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAID = "paid"


class Claim(Base, Versioned):
    """What one post cost in one month, claimed by its network.

    `payable` is what was approved, or while it waits what would be.
    """

    __tablename__ = "claims"
    __table_args__ = (
        CheckConstraint("payable IS NULL OR payable >= 0", name="payable"),
        Index("ix_claims_network_contract_year", "network", "contract_year"),
        Index("ix_claims_status", "status"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    network: Mapped[Code]
    post: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(64))
    zone: Mapped[Code]
    wte: Mapped[Decimal]
    month: Mapped[str] = mapped_column(String(7))
    contract_year: Mapped[Code]
    scope: Mapped[Code]
    worked_from: Mapped[date]
    worked_to: Mapped[date]
    salary: Mapped[Money]
    employer_ni: Mapped[Money]
    employer_pension: Mapped[Money]
    supplier_fee: Mapped[Money]
    additional: Mapped[bool]
    made_on: Mapped[date]
    status: Mapped[ClaimStatus] = mapped_column(text_enum(ClaimStatus))
    payable: Mapped[Money | None]
    limited_by: Mapped[str | None] = mapped_column(String(32))
    checked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    code: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[Words | None]
    run: Mapped[str | None] = mapped_column(String(64))
    submitted_at: Mapped[Timestamp]
    position: Mapped[int] = mapped_column(BigInteger)

    def concerns(self) -> Iterable[str]:
        return [self.network]

    @property
    def cost(self) -> Cost:
        return Cost(
            role=self.role,
            zone=self.zone,
            wte=self.wte,
            month=self.month,
            worked_from=self.worked_from,
            worked_to=self.worked_to,
            salary=self.salary,
            employer_ni=self.employer_ni,
            employer_pension=self.employer_pension,
            supplier_fee=self.supplier_fee,
            additional=self.additional,
        )

    def note(self, check: Check) -> None:
        """Remember what a check found, for whoever decides and for the line that pays the claim."""
        self.payable, self.limited_by = check.payable, check.limited_by
        cost = self.cost
        self.checked = {
            "cost": str(check.cost),
            "salary": str(self.salary),
            "employer_ni": str(self.employer_ni),
            "employer_pension": str(self.employer_pension),
            "fee_allowed": str(check.fee_allowed),
            "wte": str(self.wte),
            "days_worked": cost.days_worked,
            "days_in_month": cost.days_in_month,
            "share": _text(check.share),
            "share_amount": _text(check.share_amount),
            "tariff": check.tariff,
            "maximum": _text(check.maximum),
            "confidence": check.confidence,
            "ceiling": _text(check.ceiling),
            "room": _text(check.room),
            "faults": [{"field": f.field, "code": f.code, "message": f.message} for f in check.faults],
        }

    def _open(self) -> None:
        if self.status is not ClaimStatus.SUBMITTED:
            raise ClaimDecided(f"The claim is {self.status.value} already.")

    def approve(self, check: Check, *, by: str, at: datetime) -> ClaimApproved:
        """Accept the claim for what the check found payable. Raises `ClaimDecided` and `ClaimNotPayable`."""
        self._open()
        self.note(check)
        if check.payable is None:
            raise ClaimNotPayable("The claim cannot be approved; errors lists every reason.", errors=check.faults)
        self.status, self.decided_by, self.decided_at = ClaimStatus.APPROVED, by, at
        return ClaimApproved(
            claim=self.id,
            network=self.network,
            post=self.post,
            month=self.month,
            claimed=check.cost,
            payable=check.payable,
            limited_by=None if check.limited_by == "none" else check.limited_by,
        )

    def reject(self, code: str, reason: str, *, by: str, at: datetime) -> ClaimRejected:
        """Turn the claim down with a reason. Raises `ClaimDecided`."""
        self._open()
        self.status, self.decided_by, self.decided_at = ClaimStatus.REJECTED, by, at
        self.code, self.reason, self.payable = code, reason, None
        return ClaimRejected(
            claim=self.id, network=self.network, post=self.post, month=self.month, code=code, reason=reason
        )

    def pay(self, run: str) -> ClaimPaid:
        """The claim was part of an issued run."""
        if self.status is not ClaimStatus.APPROVED or self.payable is None:
            raise ClaimDecided(f"The claim is {self.status.value}, only an approved one is paid.")
        self.status, self.run = ClaimStatus.PAID, run
        return ClaimPaid(
            claim=self.id, network=self.network, post=self.post, month=self.month, run=run, amount=self.payable
        )

    def trace(self) -> dict[str, Any]:
        """What the line that pays the claim remembers."""
        return {
            "kind": "claim",
            "claim": self.id,
            "month": self.month,
            "paid_before": None,
            "amount": str(self.payable),
            "limited_by": self.limited_by,
            **{name: value for name, value in self.checked.items() if name != "faults"},
        }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def scope_of(role: str, contract_year: str) -> str:
    """The sum a role's claims come out of: in 2024/25 general practitioners had one of their own."""
    if contract_year == "2024-25":
        return GP_SCOPE if role == "gp" else "all_roles_except_gp"
    return "all_roles"
