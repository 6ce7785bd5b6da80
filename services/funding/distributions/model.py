"""The rule a network agreed for dividing its money, and each payment divided by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.distributions.sharing import HUNDRED, Method, OverDistributed, Split
from shared.database import Code, Headcount, Money, Timestamp, Words, text_enum
from shared.errors import Conflict, Refused
from shared.facts import Dated, no_overlap
from shared.history import Entered, kept


class NoRuleAgreed(Refused):
    """The network has agreed no rule for the month."""


class AlreadyDistributed(Conflict):
    """The payment has been divided."""


class PopulationMissing(Refused):
    """The rule shares by patients, and somebody's are not known; `errors` names them."""


class NotMembers(Refused):
    """The rule gives to practices that are not members in the month; `errors` names them. Agree a rule without them."""


GIVEN = frozenset({Method.FIXED, Method.CUSTOM, Method.POINTS})
"""Methods whose rule says each member's part: pounds a payment, per cent, points."""


class DistributionRule(Base, Dated):
    """How a network's money is divided on these days: the method, each member's part where the method needs one, and
    costs in pounds a payment that are taken off first. What the members agree is private to them."""

    __tablename__ = "distribution_rules"
    __table_args__ = (no_overlap("distribution_rules", "network"), Index("ix_distribution_rules_network", "network"))

    network: Mapped[Code]
    method: Mapped[Method] = mapped_column(text_enum(Method))
    parts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    costs: Mapped[list[Any]] = mapped_column(JSONB)
    agreed_on: Mapped[date]
    note: Mapped[Words]
    set_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.network]

    def check(self) -> None:
        """Refuse to promise more than there is. Raises `OverDistributed`."""
        total = sum((Decimal(part) for part in self.parts.values()), Decimal(0))
        if self.method is Method.CUSTOM and total > HUNDRED:
            raise OverDistributed(f"The parts come to {total} %.")

    @property
    def cost_amounts(self) -> list[Decimal]:
        return [Decimal(cost["amount"]) for cost in self.costs]


class Distribution(Base):
    """One issued payment to a network's payee, divided; never changed."""

    __tablename__ = "distributions"
    __table_args__ = (
        UniqueConstraint("run", "network", "payee"),
        Index("ix_distributions_network", "network", "month"),
        CheckConstraint("payment = costs_taken + shared", name="adds_up"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"))
    network: Mapped[Code]
    payee: Mapped[Code]
    month: Mapped[str] = mapped_column(String(7))
    payment: Mapped[Money]
    method: Mapped[Method] = mapped_column(text_enum(Method))
    rule: Mapped[int] = mapped_column(BigInteger, ForeignKey("distribution_rules.fact_id"))
    snapshot: Mapped[date | None]
    costs: Mapped[list[Any]] = mapped_column(JSONB)
    costs_taken: Mapped[Money]
    shared: Mapped[Money]
    retained: Mapped[Money]
    made_by: Mapped[Words]
    made_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.payee]

    @classmethod
    def divide(
        cls, id: str, rule: DistributionRule, done: Split, *, run: str, payee: str, month: str, snapshot: date | None,
        by: str, at: datetime,
    ) -> tuple[Distribution, list[DistributionPart]]:  # fmt: skip
        """A payment divided by a rule, with each member's arithmetic."""
        made = cls(
            id=id,
            run=run,
            network=rule.network,
            payee=payee,
            month=month,
            payment=done.payment,
            method=rule.method,
            rule=rule.fact_id,
            snapshot=snapshot,
            costs=rule.costs if done.costs else [],
            costs_taken=done.costs,
            shared=done.shared,
            retained=done.retained,
            made_by=by,
            made_at=at,
        )
        parts = [
            DistributionPart(
                distribution=id, practice=part.practice, weight=part.weight, whole=part.whole, amount=part.amount
            )
            for part in done.parts
        ]
        return made, parts


class DistributionPart(Base):
    """What one member gets of a payment: `shared` × `weight` / `whole`, to the penny."""

    __tablename__ = "distribution_parts"
    __table_args__ = (Index("ix_distribution_parts_practice", "practice"),)

    distribution: Mapped[str] = mapped_column(String(64), ForeignKey("distributions.id"), primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    weight: Mapped[Headcount]
    whole: Mapped[Headcount]
    amount: Mapped[Money]


@kept()
class AgreedTerms(Base, Entered):
    """The finance schedule of a version of a network's agreement; the newest word on a version counts.

    Its end may be heard of first: then the rest is still empty.
    """

    __tablename__ = "agreed_terms"

    network: Mapped[Code] = mapped_column(primary_key=True)
    agreement_version: Mapped[int] = mapped_column(primary_key=True)
    in_force_from: Mapped[date | None]
    last_day: Mapped[date | None]
    method: Mapped[Code | None]
    parts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    points_weighted: Mapped[bool]
    costs_first: Mapped[bool]
    position: Mapped[int] = mapped_column(BigInteger)
    ended_position: Mapped[int] = mapped_column(BigInteger)

    @property
    def ends_on(self) -> date | None:
        """Its last day; a version signed again after it ended has none."""
        return self.last_day if self.ended_position > self.position else None


UNITS: Mapping[Method, str] = {
    Method.EQUAL: "equal shares",
    Method.REGISTERED: "registered patients",
    Method.WEIGHTED: "weighted patients",
    Method.FIXED: "pounds agreed",
    Method.CUSTOM: "per cent agreed",
    Method.POINTS: "points",
}
