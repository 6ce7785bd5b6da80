"""A network's claim of arrears it paid its staff, and what funding answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from services.workforce.claims.model import Claim
from shared.database import Code, Money, Words
from shared.errors import Fault, Refused
from shared.events.workforce import ArrearsClaimed, ArrearsItem
from shared.years import year_of


class ArrearsAlreadyClaimed(Refused):
    """Arrears of a contract year are claimed once, unless the claim was turned down."""


class ArrearsNotClaimable(Refused):
    """Arrears add to months already claimed; `errors` names every item that does not."""


class ArrearsClaim(Base):
    """The arrears of one contract year as claimed; `state` is `made` until funding answers."""

    __tablename__ = "arrears_claims"
    __table_args__ = (Index("ix_arrears_claims_network", "network", "contract_year"),)

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code]
    contract_year: Mapped[Code]
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    made_on: Mapped[date]
    state: Mapped[Code]
    payable: Mapped[Money | None]
    limited_by: Mapped[Words | None]
    code: Mapped[Words | None]
    reason: Mapped[Words | None]
    paid: Mapped[Money | None]
    run: Mapped[Words | None]
    sequence: Mapped[int] = mapped_column(BigInteger)

    def concerns(self) -> list[str]:
        return [self.network]

    def make(self) -> ArrearsClaimed:
        """The network claims the arrears."""
        return ArrearsClaimed(
            arrears=self.id,
            network=self.network,
            contract_year=self.contract_year,
            items=[ArrearsItem.model_validate(item) for item in self.items],
            made_on=self.made_on,
        )


def faults_of(
    items: Sequence[ArrearsItem], claims: Mapping[str, Claim], network: str, contract_year: str
) -> list[Fault]:
    """Why items cannot be claimed: no such claim of the network and year, named twice, or nothing paid."""
    faults = []
    named: set[str] = set()
    for number, item in enumerate(items):
        place, claim = f"items.{number}", claims.get(item.claim)
        if claim is None or claim.network != network or year_of(claim.month) != contract_year:
            faults.append(Fault(place, "ClaimUnknown", f"{item.claim} is no claim of {network} in {contract_year}."))
        if item.claim in named:
            faults.append(Fault(place, "NamedTwice", f"{item.claim} is named twice."))
        if item.salary + item.employer_ni + item.employer_pension <= Decimal(0):
            faults.append(Fault(place, "NothingPaid", "No arrears were paid."))
        named.add(item.claim)
    return faults
