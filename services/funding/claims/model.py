"""A claim for one post and month, as its network made it, and what may become of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.budgets.model import GP_SCOPE
from services.funding.claims.decision import (
    ClaimDecided,
    ClaimNotPayable,
    ClaimStatus,
    Decided,
    limit_named,
)
from services.funding.claims.rules import Check, Cost
from shared.database import Code, Money, Timestamp, Versioned
from shared.events.funding import ClaimApproved, ClaimPaid, ClaimRejected, ClaimReturned, ClaimTakenBack
from shared.events.workforce import ClaimMade, Standing
from shared.history import kept
from shared.years import year_of

__all__ = ["Claim", "ClaimDecided", "ClaimNotPayable", "ClaimStatus", "scope_of"]


@kept("contract_year", "network", entered="submitted_at")
class Claim(Base, Decided, Versioned):
    """What one post cost in one month, claimed by its network.

    `counted` are the days of one whole-time equivalent its payable part rests on; `resubmits` names the claim sent back
    or turned down that it puts right, and `first_made_on` when the first of that chain was made.
    """

    __tablename__ = "claims"
    __table_args__ = (
        CheckConstraint("payable IS NULL OR payable >= 0", name="payable"),
        Index("ix_claims_network_contract_year", "network", "contract_year"),
        Index("ix_claims_status", "status"),
        Index("ix_claims_post", "post", "month"),
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
    first_made_on: Mapped[date | None]
    person: Mapped[str | None] = mapped_column(String(64), index=True)
    employer: Mapped[str | None] = mapped_column(String(32))
    started_on: Mapped[date | None]
    standing: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    withheld_days: Mapped[Decimal] = mapped_column(default=Decimal(0), server_default="0")
    resubmits: Mapped[str | None] = mapped_column(String(64))
    counted: Mapped[Decimal | None]
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
            withheld_days=self.withheld_days,
        )

    @property
    def first_day_made(self) -> date:
        """When the claim, or the first of the chain it puts right, was made: what a deadline looks at."""
        return self.first_made_on or self.made_on

    @property
    def stated(self) -> Standing | None:
        return None if self.standing is None else Standing.model_validate(self.standing)

    def take(self, event: ClaimMade, position: int) -> None:
        """The claim as its network made it, waiting to be decided."""
        self.network, self.post, self.role, self.zone = event.network, event.post, event.role, event.zone
        self.wte, self.month, self.contract_year = event.wte, event.month, year_of(event.month)
        self.scope = scope_of(event.role, self.contract_year)
        self.worked_from, self.worked_to = event.worked_from, event.worked_to
        self.salary, self.employer_ni, self.employer_pension = event.salary, event.employer_ni, event.employer_pension
        self.supplier_fee, self.additional, self.made_on = event.supplier_fee, event.additional, event.made_on
        self.person, self.employer, self.started_on = event.person, event.employer, event.started_on
        self.standing = None if event.standing is None else event.standing.model_dump(mode="json")
        self.withheld_days, self.resubmits = event.withheld_days, event.resubmits
        self.first_made_on = event.first_made_on
        self.status, self.code, self.reason = ClaimStatus.SUBMITTED, None, None
        self.decided_by, self.decided_at, self.position = None, None, position

    def note(self, check: Check) -> None:
        """Remember what a check found, for whoever decides and for the line that pays the claim."""
        self.payable, self.limited_by = check.payable, check.limited_by
        self.counted = None if check.payable is None else check.counted
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
            "equivalent_days": str(cost.equivalent_days),
            "withheld_days": str(self.withheld_days),
            "cap_days": _text(check.cap_days),
            "counted": str(check.counted),
            **({} if check.variation is None else {"variation": check.variation}),
            **({} if check.cap_variation is None else {"cap_variation": check.cap_variation}),
            "faults": [{"field": f.field, "code": f.code, "message": f.message} for f in check.faults],
        }

    def approve(self, check: Check, *, by: str, at: datetime) -> ClaimApproved:
        """Accept the claim for what the check found payable. Raises `ClaimDecided` and `ClaimNotPayable`."""
        self.must_wait()
        self.note(check)
        if check.payable is None:
            raise ClaimNotPayable("The claim cannot be approved; errors lists every reason.", errors=check.faults)
        self.accept(by, at)
        return ClaimApproved(
            **self._named(), claimed=check.cost, payable=check.payable, limited_by=limit_named(check.limited_by)
        )

    def reject(self, code: str, reason: str, *, by: str, at: datetime) -> ClaimRejected:
        """Turn the claim down with a reason. Raises `ClaimDecided`."""
        self.close(ClaimStatus.REJECTED, code, reason, by=by, at=at)
        return ClaimRejected(**self._named(), code=code, reason=reason)

    def send_back(self, code: str, reason: str, *, by: str, at: datetime) -> ClaimReturned:
        """Send the claim back to be put right and claimed again. Raises `ClaimDecided`."""
        self.close(ClaimStatus.RETURNED, code, reason, by=by, at=at)
        return ClaimReturned(**self._named(), code=code, reason=reason)

    def pay(self, run: str, amount: Decimal) -> ClaimPaid:
        """The claim, or a part of it, was part of an issued run. Raises `ClaimDecided`."""
        return ClaimPaid(**self._named(), run=run, amount=amount, paid=self.settle(run, amount))

    def take_back(self, amount: Decimal, run: str) -> ClaimTakenBack:
        """A run took back what was paid for the claim, or paid it again: its month lost or regained the right."""
        return ClaimTakenBack(**self._named(), run=run, amount=amount, paid=self.reverse(amount))

    def _named(self) -> dict[str, str]:
        return {"claim": self.id, "network": self.network, "post": self.post, "month": self.month}

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


GP_YEAR = "2024-25"
"""The year in which general practitioners had a sum of their own."""


def scope_of(role: str, contract_year: str) -> str:
    """The sum a role's claims come out of: in 2024/25 general practitioners had one of their own."""
    if contract_year == GP_YEAR:
        return GP_SCOPE if role == "gp" else "all_roles_except_gp"
    return "all_roles"
