"""What was claimed for a post and month, and what funding answered."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from services.workforce.posts.model import Post, PostCost
from shared.database import Code, Money, Words, text_enum
from shared.errors import Fault, Refused
from shared.events.workforce import ClaimMade
from shared.years import last_day


class NothingToClaim(Refused):
    """No post of the network can be claimed for that month; every post says why."""


class MonthNotEnded(Refused):
    """A month is claimed after its last day: its cost is not actual before."""


class OutcomeState(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"
    PAID = "paid"


class Claim(Base):
    """The cost of one post in one month, as claimed. Its id is made of both, so it exists once."""

    __tablename__ = "claims"
    __table_args__ = (UniqueConstraint("post", "month"), Index("ix_claims_network", "network", "month", "id"))

    id: Mapped[Words] = mapped_column(primary_key=True)
    network: Mapped[Code]
    post: Mapped[Code] = mapped_column(ForeignKey("posts.id"))
    role: Mapped[Code]
    month: Mapped[Code]
    worked_from: Mapped[date]
    worked_to: Mapped[date]
    salary: Mapped[Money]
    employer_ni: Mapped[Money]
    employer_pension: Mapped[Money]
    supplier_fee: Mapped[Money]
    made_on: Mapped[date]

    def concerns(self) -> list[str]:
        return [self.network]

    @property
    def total(self) -> Decimal:
        return self.salary + self.employer_ni + self.employer_pension + self.supplier_fee


class Outcome(Base):
    """What funding last said of a claim."""

    __tablename__ = "claim_outcomes"

    claim: Mapped[Words] = mapped_column(primary_key=True)
    state: Mapped[OutcomeState] = mapped_column(text_enum(OutcomeState))
    payable: Mapped[Money | None]
    limited_by: Mapped[Words | None]
    code: Mapped[Words | None]
    reason: Mapped[Words | None]
    paid: Mapped[Money | None]
    run: Mapped[Words | None]
    sequence: Mapped[int] = mapped_column(BigInteger)


def claim_id(post: str, month: str) -> str:
    return f"claim-{post.removeprefix('post-')}-{month}"


def must_have_ended(month: str, today: date) -> None:
    if today <= last_day(month):
        raise MonthNotEnded(f"{month} ends on {last_day(month)}; it can be claimed from the day after.")


def refusal(post: Post, month: str, cost: PostCost | None) -> Fault | None:
    """Why a post cannot be claimed for a month, if it cannot."""
    if not post.additional:
        return Fault(
            post.id,
            "NotAdditional",
            f"{post.id} replaces a post of the 31 March 2019 baseline; only staff above the baseline are reimbursed.",
        )
    if cost is None:
        return Fault(post.id, "CostsMissing", f"No cost of {post.id} is recorded for {month}.")
    return None


def make_claim(post: Post, cost: PostCost, on: date) -> tuple[Claim, ClaimMade]:
    """Claim the recorded cost of a post for a month.

    Raises `CostsOutsidePost` through the cost record having been refused before; a cost always has days worked.
    """
    worked = post.worked_in(cost.month)
    if worked is None:
        raise NothingToClaim(f"Nobody was in {post.id} in {cost.month}.")
    claim = Claim(
        id=claim_id(post.id, cost.month),
        network=post.network,
        post=post.id,
        role=post.role,
        month=cost.month,
        worked_from=worked[0],
        worked_to=worked[1],
        salary=cost.salary,
        employer_ni=cost.employer_ni,
        employer_pension=cost.employer_pension,
        supplier_fee=cost.supplier_fee,
        made_on=on,
    )
    return claim, ClaimMade(
        claim=claim.id,
        network=claim.network,
        post=claim.post,
        role=claim.role,
        zone=post.zone,
        wte=post.wte,
        month=claim.month,
        worked_from=claim.worked_from,
        worked_to=claim.worked_to,
        salary=claim.salary,
        employer_ni=claim.employer_ni,
        employer_pension=claim.employer_pension,
        supplier_fee=claim.supplier_fee,
        additional=post.additional,
        made_on=on,
    )
