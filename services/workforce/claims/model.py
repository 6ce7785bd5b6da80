"""What was claimed for a post and month, and what funding answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from services.workforce.posts.model import Post, PostCost
from shared.database import Code, Headcount, Money, Words, text_enum
from shared.errors import Fault, Refused
from shared.events.workforce import ClaimMade
from shared.facts import ONE_DAY
from shared.years import first_day, last_day


class NothingToClaim(Refused):
    """No post of the network can be claimed for that month; every post says why."""


class MonthNotEnded(Refused):
    """A month is claimed after its last day: its cost is not actual before."""


class OutcomeState(StrEnum):
    APPROVED = "approved"
    RETURNED = "returned"
    REJECTED = "rejected"
    PAID = "paid"


REOPENED = (OutcomeState.RETURNED, OutcomeState.REJECTED)
"""What a claim may be made again after."""


class ClaimNotReopened(Refused):
    """Only a claim sent back or turned down is made again."""


class Claim(Base):
    """The cost of one post in one month, as claimed. Its id is made of both, so each attempt exists once.

    `withheld_days` are days of one whole-time equivalent not claimable while a post of the baseline stands empty.
    """

    __tablename__ = "claims"
    __table_args__ = (
        UniqueConstraint("post", "month", "attempt"),
        Index("ix_claims_network", "network", "month", "id"),
    )

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
    attempt: Mapped[int] = mapped_column(default=1, server_default="1")
    resubmits: Mapped[Words | None]
    first_made_on: Mapped[date | None]
    withheld_days: Mapped[Headcount] = mapped_column(default=Decimal(0), server_default="0")

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


def claim_id(post: str, month: str, attempt: int = 1) -> str:
    again = "" if attempt == 1 else f"-{attempt}"
    return f"claim-{post.removeprefix('post-')}-{month}{again}"


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


def make_claim(
    post: Post, cost: PostCost, on: date, *, withheld: Decimal = Decimal(0), before: Claim | None = None
) -> tuple[Claim, ClaimMade]:
    """Claim the recorded cost of a post for a month; `before` is the claim sent back or turned down that it replaces.

    Raises `NothingToClaim` where nobody was in post.
    """
    worked = post.worked_in(cost.month)
    if worked is None:
        raise NothingToClaim(f"Nobody was in {post.id} in {cost.month}.")
    attempt = 1 if before is None else before.attempt + 1
    claim = Claim(
        id=claim_id(post.id, cost.month, attempt),
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
        attempt=attempt,
        resubmits=None if before is None else before.id,
        first_made_on=on if before is None else before.first_made_on or before.made_on,
        withheld_days=withheld,
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
        person=post.person,
        employer=post.employer,
        started_on=post.started_on,
        standing=post.stated,
        withheld_days=withheld,
        resubmits=claim.resubmits,
        first_made_on=claim.first_made_on,
    )


def withheld_days(posts: Sequence[Post], month: str, empty: Sequence[tuple[date, date | None]]) -> dict[str, Decimal]:
    """By post, the days of one whole-time equivalent of the role that cannot be claimed in a month.

    `empty` gives for each post of the baseline from which day on it bars one whole-time equivalent, its grace being
    over, and the day it was filled. The people who came last bear it.
    """
    borne: dict[str, Decimal] = {}
    newest = sorted(posts, key=lambda post: (post.started_on, post.id), reverse=True)
    day = first_day(month)
    while day <= last_day(month):
        left = Decimal(sum(1 for since, filled in empty if since <= day and (filled is None or day < filled)))
        for post in newest:
            worked = post.worked_in(month)
            if left > 0 and worked is not None and worked[0] <= day <= worked[1]:
                taken = min(post.wte, left)
                borne[post.id] = borne.get(post.id, Decimal(0)) + taken
                left -= taken
        day += ONE_DAY
    return borne
