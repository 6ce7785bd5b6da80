"""Claim a month for all posts of a network, and keep what funding answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.baselines.operations import barring
from services.workforce.claims.model import (
    REOPENED,
    Claim,
    ClaimNotReopened,
    NothingToClaim,
    Outcome,
    OutcomeState,
    make_claim,
    must_have_ended,
    refusal,
    withheld_days,
)
from services.workforce.networks.model import Network
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
    held_network = await own_network(session, network, caller, lock=True)
    must_have_ended(month, today)
    posts = (
        await session.scalars(
            # a cost corrected or a post ended at this moment is claimed as it then stands, or not
            _in_post(network, month).with_for_update()
        )
    ).all()
    ids = [post.id for post in posts]
    costs = {
        cost.post: cost
        for cost in await session.scalars(select(PostCost).where(PostCost.post.in_(ids), PostCost.month == month))
    }
    withheld = await _withheld(session, held_network, posts, month)
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
        claim, event = make_claim(post, cost, today, withheld=withheld.get(post.id, Decimal(0)))
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


async def _withheld(session: AsyncSession, network: Network, posts: Sequence[Post], month: str) -> dict[str, Decimal]:
    """By post, the days of one whole-time equivalent that baseline posts standing empty keep from being claimed."""
    barred = await barring(session, network, {post.role for post in posts}, first_day(month))
    found: dict[str, Decimal] = {}
    for role, empty in barred.items():
        found |= withheld_days([post for post in posts if post.role == role and post.additional], month, empty)
    return found


async def resubmit_claim(session: AsyncSession, claim_id: str, *, caller: Caller, today: date) -> Claim:
    """Claim a month of a post again, with its cost and standing as they are put right now.

    Raises `ClaimNotReopened` unless the newest claim of that post and month was sent back or turned down.
    """
    before, _ = await find_claim(session, claim_id, caller=caller)
    network = await own_network(session, before.network, caller, lock=True)
    post = await session.get_one(Post, before.post, with_for_update=True)
    newest, outcome = (
        await session.execute(
            visible_claims(caller)
            .where(Claim.post == before.post, Claim.month == before.month)
            .order_by(Claim.attempt.desc())
            .limit(1)
        )
    ).one()
    state = "made" if outcome is None else outcome.state.value
    if outcome is None or outcome.state not in REOPENED:
        raise ClaimNotReopened(f"{newest.id} is {state}; only a claim returned or rejected is made again.")
    cost = await session.get_one(PostCost, (post.id, before.month))
    posts = (await session.scalars(_in_post(post.network, before.month))).all()
    withheld = await _withheld(session, network, posts, before.month)
    claim, event = make_claim(post, cost, today, withheld=withheld.get(post.id, Decimal(0)), before=newest)
    session.add(claim)
    announce(session, event)
    await session.flush()
    return claim


def _in_post(network: str, month: str) -> Select[Post]:
    return (
        select(Post)
        .where(
            Post.network == network,
            Post.started_on <= last_day(month),
            or_(Post.ended_on.is_(None), Post.ended_on >= first_day(month)),
        )
        .order_by(Post.id)
    )


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
    event: funding.ClaimApproved
    | funding.ClaimReturned
    | funding.ClaimRejected
    | funding.ClaimPaid
    | funding.ClaimTakenBack,
    sequence: int,
) -> None:
    """Keep what funding says of a claim; what it said later stays."""
    values: dict[str, Any] = {"sequence": sequence}
    if isinstance(event, funding.ClaimApproved):
        values |= {"state": OutcomeState.APPROVED, "payable": event.payable, "limited_by": event.limited_by}
        values |= {"code": None, "reason": None}
    elif isinstance(event, funding.ClaimRejected | funding.ClaimReturned):
        state = OutcomeState.REJECTED if isinstance(event, funding.ClaimRejected) else OutcomeState.RETURNED
        values |= {"state": state, "code": event.code, "reason": event.reason}
    else:
        paid = event.amount if event.paid is None else event.paid
        values |= {"state": OutcomeState.PAID, "paid": paid, "run": event.run}
    statement = insert(Outcome).values(claim=event.claim, **values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["claim"],
            set_={name: statement.excluded[name] for name in values},
            where=Outcome.sequence < statement.excluded.sequence,
        )
    )
