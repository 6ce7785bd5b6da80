"""A network's sum for additional roles: a ceiling of claims, never a payment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.lines.capitation import heads_of
from services.funding.money import to_pence
from services.funding.payments.heads import Headcount, Hold
from services.funding.tariffs.model import Tariff
from services.funding.tariffs.shipped import Posts
from shared.database import Code, Money, Timestamp, Versioned, Words
from shared.years import months_between

GP_SCOPE = "gp_only"


class Budget(Base, Versioned):
    """One sum of one network and year; `amount` is null, with the reason, while something it needs is missing.

    `scope` tells a sum for all roles from a ring-fenced one. `trace` holds what it was computed from.
    """

    __tablename__ = "budgets"

    network: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[Code] = mapped_column(primary_key=True)
    scope: Mapped[Code] = mapped_column(primary_key=True)
    commissioner: Mapped[Code]
    amount: Mapped[Money | None]
    held_code: Mapped[str | None]
    held_reason: Mapped[Words | None]
    trace: Mapped[dict[str, Any]] = mapped_column(JSONB)
    set_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.commissioner]


class BudgetYear(Base):
    """Something was told of a network in a year: it has sums of that year, whether or not lists are held yet."""

    __tablename__ = "budget_years"

    network: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[Code] = mapped_column(primary_key=True)


class BudgetVersion(Base):
    """A sum as it was set at a moment: what was known of it until it was set again.

    With neither amount nor reason it ended then: the network never lived in that year.
    """

    __tablename__ = "budget_versions"
    __table_args__ = (Index("ix_budget_versions_network", "network", "contract_year", "scope", "set_at"),)

    version_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    network: Mapped[Code]
    contract_year: Mapped[Code]
    scope: Mapped[Code]
    commissioner: Mapped[Code]
    amount: Mapped[Money | None]
    held_code: Mapped[str | None]
    held_reason: Mapped[Words | None]
    trace: Mapped[dict[str, Any]] = mapped_column(JSONB)
    set_at: Mapped[Timestamp]


@dataclass(frozen=True, slots=True)
class Sum:
    """A budget as computed: an amount or the reason there is none, and the trace."""

    scope: str
    amount: Decimal | None
    hold: Hold | None
    trace: dict[str, Any]


def with_moves(made: Sum, given: Decimal, received: Decimal) -> Sum:
    """A sum less what the network gave up, with what it took on; never below nothing."""
    if made.amount is None or not (given or received):
        return made
    trace = {**made.trace, "moved": {"given": str(given), "received": str(received)}}
    return Sum(made.scope, max(made.amount - given + received, Decimal("0.00")), made.hold, trace)


def sum_by_head(tariff: Tariff, heads: Headcount, counted_on: date) -> Sum:
    """Sum rate × the weighted population of those served, for the whole of the rate's days."""
    trace = {
        "kind": "by-head",
        "tariff": tariff.id,
        "rate": None if tariff.value is None else str(tariff.value),
        "confidence": tariff.confidence.value,
        "members_on": counted_on.isoformat(),
        **heads_of(heads),
    }
    if tariff.value is None:
        return Sum(tariff.code, None, Hold("rate-unknown", f"The sum {tariff.id} is not known."), trace)
    if heads.hold is not None:
        return Sum(tariff.code, None, heads.hold, trace)
    return Sum(tariff.code, to_pence(tariff.value * heads.total), None, trace)


def sum_by_posts(
    posts: Sequence[Posts],
    maxima: Mapping[str, Tariff | None],
    heads: Mapping[str, Headcount] | Headcount,
    counted_on: date,
) -> Sum:
    """In a year without a sum per head: so many posts of each role per network, at their ceilings, for the months in
    which it serves anybody. `heads` are by month, or one count where there is no such month."""
    by_month = {} if isinstance(heads, Headcount) else heads
    first = heads if isinstance(heads, Headcount) else next(iter(heads.values()))
    trace: dict[str, Any] = {"kind": "by-posts", "members_on": counted_on.isoformat(), "posts": [], **heads_of(first)}
    hold = next((counted.hold for counted in (first, *by_month.values()) if counted.hold is not None), None)
    if hold is not None:
        return Sum("all_roles", None, hold, trace)
    total = Decimal(0)
    for post in posts:
        ceiling = maxima.get(post.role)
        if ceiling is None or ceiling.value is None:
            return Sum("all_roles", None, Hold("rate-unknown", f"The ceiling of {post.role} is not known."), trace)
        allowed = Counter(
            post.allowed(by_month[month].population)
            for month in months_between(post.valid_from, post.valid_to)
            if month in by_month
        )
        for wte, months in allowed.items():
            total += wte * ceiling.value * months
            trace["posts"].append(
                {
                    "role": post.role,
                    "wte": str(wte),
                    "tariff": ceiling.id,
                    "rate": str(ceiling.value),
                    "confidence": ceiling.confidence.value,
                    "months": months,
                }
            )
    return Sum("all_roles", to_pence(total, Decimal(12)), None, trace)
