"""A network's claim of arrears it paid its staff."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.arrears.rules import ArrearsCheck, Month
from services.funding.base import Base
from services.funding.claims.decision import ClaimNotPayable, ClaimStatus, Decided, limit_named
from shared.database import Code, Timestamp, Versioned
from shared.events.funding import ArrearsApproved, ArrearsPaid, ArrearsRejected, ArrearsTakenBack
from shared.history import kept


@kept("contract_year", "network", entered="submitted_at")
class ArrearsClaim(Base, Decided, Versioned):
    """The arrears of one contract year, claimed once. `items` are the months with their arrears, as claimed."""

    __tablename__ = "arrears_claims"
    __table_args__ = (
        CheckConstraint("payable IS NULL OR payable >= 0", name="payable"),
        Index("ix_arrears_claims_network", "network", "contract_year"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    network: Mapped[Code]
    contract_year: Mapped[Code]
    scope: Mapped[Code]
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    made_on: Mapped[date]
    submitted_at: Mapped[Timestamp]
    position: Mapped[int] = mapped_column(BigInteger)

    def concerns(self) -> Iterable[str]:
        return [self.network]

    @property
    def last_month(self) -> str:
        return max(str(item["month"]) for item in self.items)

    def note(self, check: ArrearsCheck) -> None:
        """Remember what a check found, for whoever decides and for the line that pays the claim."""
        self.payable, self.limited_by = check.payable, check.limited_by
        self.checked = {
            "claimed": str(check.claimed),
            "room": None if check.room is None else str(check.room),
            "months": [told(month) for month in check.months],
            "faults": [{"field": f.field, "code": f.code, "message": f.message} for f in check.faults],
        }

    def approve(self, check: ArrearsCheck, *, by: str, at: datetime) -> ArrearsApproved:
        """Accept the claim for what the check found payable. Raises `ClaimDecided` and `ClaimNotPayable`."""
        self.must_wait()
        self.note(check)
        if check.payable is None:
            raise ClaimNotPayable("The arrears cannot be approved; errors lists every reason.", errors=check.faults)
        self.accept(by, at)
        return ArrearsApproved(
            **self._named(), claimed=check.claimed, payable=check.payable, limited_by=limit_named(check.limited_by)
        )

    def reject(self, code: str, reason: str, *, by: str, at: datetime) -> ArrearsRejected:
        """Turn the claim down; the network may claim its arrears again. Raises `ClaimDecided`."""
        self.close(ClaimStatus.REJECTED, code, reason, by=by, at=at)
        return ArrearsRejected(**self._named(), code=code, reason=reason)

    def pay(self, run: str, amount: Decimal) -> ArrearsPaid:
        """The claim, or a part of it, was part of an issued run. Raises `ClaimDecided`."""
        return ArrearsPaid(**self._named(), run=run, amount=amount, paid=self.settle(run, amount))

    def take_back(self, amount: Decimal, run: str) -> ArrearsTakenBack:
        """A run took back what was paid for arrears, or paid it again: their months lost or regained the right."""
        return ArrearsTakenBack(**self._named(), run=run, amount=amount, paid=self.reverse(amount))

    def trace(self) -> dict[str, Any]:
        """What the line that pays the arrears remembers."""
        return {
            "kind": "arrears",
            "arrears": self.id,
            "month": self.last_month,
            "paid_before": None,
            "amount": str(self.payable),
            "limited_by": self.limited_by,
            **{name: value for name, value in self.checked.items() if name != "faults"},
        }

    def _named(self) -> dict[str, Any]:
        return {"arrears": self.id, "network": self.network, "contract_year": self.contract_year}


def told(month: Month) -> dict[str, Any]:
    """A month as JSON, every number as text, from which it can be worked out again."""
    return {
        "claim": month.claim,
        "post": month.post,
        "month": month.month,
        "arrears": str(month.arrears),
        "cost": str(month.cost),
        "payable": str(month.payable),
        "share": str(month.share),
        "tariff": month.tariff,
        "maximum": str(month.maximum),
        "confidence": month.confidence,
        "counted": str(month.counted),
        "equivalent_days": str(month.equivalent_days),
        "days_in_month": month.days_in_month,
        "due": str(month.due),
        **({} if month.variation is None else {"variation": month.variation}),
    }


def retold(told: dict[str, Any]) -> Month:
    """The month a trace remembers."""
    return Month(
        claim=told["claim"],
        post=told["post"],
        month=told["month"],
        arrears=Decimal(told["arrears"]),
        cost=Decimal(told["cost"]),
        payable=Decimal(told["payable"]),
        share=Decimal(told["share"]),
        tariff=told["tariff"],
        maximum=Decimal(told["maximum"]),
        confidence=told["confidence"],
        counted=Decimal(told["counted"]),
        equivalent_days=Decimal(told["equivalent_days"]),
        days_in_month=told["days_in_month"],
        variation=told.get("variation"),
    )
