"""Find people in post, end a post, record what a month cost."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.claims.model import REOPENED, Claim, Outcome
from services.workforce.networks.operations import of_caller
from services.workforce.posts.model import CostsAlreadyClaimed, CostsAlreadyRecorded, Post, PostCost
from services.workforce.roles.model import Role
from shared.errors import NotFound
from shared.events.workforce import Standing
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


def visible_posts(caller: Caller) -> Select[Post]:
    return select(Post).where(of_caller(caller, Post.network))


async def find_post(session: AsyncSession, post_id: str, *, caller: Caller, lock: bool = False) -> Post:
    statement = visible_posts(caller).where(Post.id == post_id)
    post = await session.scalar(statement.with_for_update() if lock else statement)
    if post is None:
        raise NotFound(f"No post {post_id}.")
    return post


async def end_post(
    session: AsyncSession, post_id: str, *, on: date, reason: str | None, caller: Caller, if_match: str | None
) -> Post:
    """Somebody leaves; `on` is the last day in post."""
    post = await find_post(session, post_id, caller=caller, lock=True)
    require_match(post, if_match)
    claimed_to = await session.scalar(select(func.max(Claim.worked_to)).where(Claim.post == post.id))
    announce(session, post.end(on, reason=reason, claimed_to=claimed_to))
    await session.flush()
    return post


async def state_standing(
    session: AsyncSession,
    post_id: str,
    standing: Standing,
    person: str | None,
    *,
    caller: Caller,
    if_match: str | None,
) -> Post:
    """Put on record what decides whether the person in post counts as new staff. Raises `StandingAfterStart`."""
    post = await find_post(session, post_id, caller=caller, lock=True)
    require_match(post, if_match)
    post.state(standing, person)
    await session.flush()
    return post


async def stands_claimed(session: AsyncSession, post_id: str, month: str) -> bool:
    """Whether a month's cost is claimed and the claim was neither sent back nor turned down."""
    found = await session.execute(
        select(Outcome.state)
        .select_from(Claim)
        .outerjoin(Outcome, Outcome.claim == Claim.id)
        .where(Claim.post == post_id, Claim.month == month)
        .order_by(Claim.attempt.desc())
        .limit(1)
    )
    newest = found.first()
    return newest is not None and newest[0] not in REOPENED


async def record_cost(
    session: AsyncSession,
    post_id: str,
    *,
    month: str,
    salary: Decimal,
    employer_ni: Decimal,
    employer_pension: Decimal,
    supplier_fee: Decimal,
    caller: Caller,
    now: datetime,
) -> PostCost:
    """Record the actual cost of a month, once."""
    post = await find_post(session, post_id, caller=caller, lock=True)
    role = await session.get_one(Role, post.role)
    cost = post.cost(
        month,
        salary=salary,
        employer_ni=employer_ni,
        employer_pension=employer_pension,
        supplier_fee=supplier_fee,
        fee_allowed=role.supplier_fee,
        at=now,
    )
    if await session.get(PostCost, (post_id, month)) is not None:
        raise CostsAlreadyRecorded(f"The cost of {post_id} in {month} is on record; change it until it is claimed.")
    session.add(cost)
    await session.flush()
    return cost


async def find_cost(session: AsyncSession, post_id: str, month: str, *, caller: Caller) -> PostCost:
    await find_post(session, post_id, caller=caller)
    cost = await session.get(PostCost, (post_id, month))
    if cost is None:
        raise NotFound(f"No cost of {post_id} in {month}.")
    return cost


async def correct_cost(
    session: AsyncSession,
    post_id: str,
    month: str,
    *,
    salary: Decimal,
    employer_ni: Decimal,
    employer_pension: Decimal,
    supplier_fee: Decimal,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> PostCost:
    """Put right what was typed wrong, as long as it was not claimed."""
    post = await find_post(session, post_id, caller=caller, lock=True)
    cost = await find_cost(session, post_id, month, caller=caller)
    require_match(cost, if_match)
    if await stands_claimed(session, post_id, month):
        raise CostsAlreadyClaimed(f"The cost of {post_id} in {month} was claimed.")
    role = await session.get_one(Role, post.role)
    right = post.cost(
        month,
        salary=salary,
        employer_ni=employer_ni,
        employer_pension=employer_pension,
        supplier_fee=supplier_fee,
        fee_allowed=role.supplier_fee,
        at=now,
    )
    cost.salary, cost.employer_ni, cost.employer_pension = right.salary, right.employer_ni, right.employer_pension
    cost.supplier_fee, cost.recorded_at = right.supplier_fee, right.recorded_at
    await session.flush()
    return cost


def costs_of(post_id: str) -> Select[PostCost]:
    return select(PostCost).where(PostCost.post == post_id)
