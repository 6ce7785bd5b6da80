"""Claim a month for all posts of a network, and keep what funding answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.claims.model import (
    Claim,
    NothingToClaim,
    Outcome,
    OutcomeState,
    make_claim,
    must_have_ended,
    refusal,
)
from services.workforce.networks.operations import of_caller, own_network
from services.workforce.posts.model import Post, PostCost
from shared.errors import Fault, NotFound
from shared.events import funding
from shared.identity import Caller
from shared.messaging import announce
from shared.years import first_day, last_day


@dataclass(frozen=True, slots=True)
class MonthClaimed:
    """What was claimed now, and why the other posts of the month were not."""

    network: str
    month: str
    claims: list[Claim]
    not_claimed: list[Fault]

    @property
    def total(self) -> Decimal:
        return sum((claim.total for claim in self.claims), Decimal("0.00"))


async def claim_month(session: AsyncSession, *, network: str, month: str, caller: Caller, today: date) -> MonthClaimed:
    """Claim every post of a network with recorded costs of a month that was not claimed yet.

    Raises `MonthNotEnded` and `NothingToClaim`, which says of every post why.
    """
    await own_network(session, network, caller, lock=True)
    must_have_ended(month, today)
    posts = (
        await session.scalars(
            select(Post)
            .where(
                Post.network == network,
                Post.started_on <= last_day(month),
                or_(Post.ended_on.is_(None), Post.ended_on >= first_day(month)),
            )
            .order_by(Post.id)
            .with_for_update()  # a cost corrected or a post ended at this moment is claimed as it then stands, or not
        )
    ).all()
    ids = [post.id for post in posts]
    costs = {
        cost.post: cost
        for cost in await session.scalars(select(PostCost).where(PostCost.post.in_(ids), PostCost.month == month))
    }
    found = await session.execute(select(Claim.post, Claim.id).where(Claim.post.in_(ids), Claim.month == month))
    held: dict[str, str] = dict(found.all())
    claims, reasons = [], []
    for post in posts:
        if post.id in held:
            reasons.append(Fault(post.id, "AlreadyClaimed", f"{post.id} was claimed for {month}: {held[post.id]}."))
            continue
        cost = costs.get(post.id)
        reason = refusal(post, month, cost)
        if reason is not None or cost is None:
            reasons += [reason] if reason else []
            continue
        claim, event = make_claim(post, cost, today)
        claims.append(claim)
        announce(session, event)
    if not claims:
        raise NothingToClaim(
            f"{network} has nothing to claim for {month}.",
            errors=reasons or [Fault("month", "NobodyInPost", f"{network} had nobody in post in {month}.")],
        )
    session.add_all(claims)
    await session.flush()
    return MonthClaimed(network, month, claims, reasons)


def visible_claims(caller: Caller) -> Select[Any]:
    """Claims with their outcome beside them, for the callers who may see them."""
    joined = select(Claim, Outcome).outerjoin(Outcome, Outcome.claim == Claim.id)
    return joined.where(of_caller(caller, Claim.network))  # type: ignore[return-value]


async def find_claim(session: AsyncSession, claim: str, *, caller: Caller) -> tuple[Claim, Outcome | None]:
    row = (await session.execute(visible_claims(caller).where(Claim.id == claim))).one_or_none()
    if row is None:
        raise NotFound(f"No claim {claim}.")
    return row[0], row[1]


async def note_outcome(
    session: AsyncSession,
    event: funding.ClaimApproved | funding.ClaimRejected | funding.ClaimPaid,
    sequence: int,
) -> None:
    """Keep what funding says of a claim; what it said later stays."""
    values: dict[str, Any] = {"sequence": sequence}
    if isinstance(event, funding.ClaimApproved):
        values |= {"state": OutcomeState.APPROVED, "payable": event.payable, "limited_by": event.limited_by}
        values |= {"code": None, "reason": None}
    elif isinstance(event, funding.ClaimRejected):
        values |= {"state": OutcomeState.REJECTED, "code": event.code, "reason": event.reason}
    else:
        values |= {"state": OutcomeState.PAID, "paid": event.amount, "run": event.run}
    statement = insert(Outcome).values(claim=event.claim, **values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["claim"],
            set_={name: statement.excluded[name] for name in values},
            where=Outcome.sequence < statement.excluded.sequence,
        )
    )
