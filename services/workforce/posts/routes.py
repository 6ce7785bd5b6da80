"""People in post over HTTP."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Response
from pydantic import Field
from sqlalchemy import or_

from services.workforce.posts import operations
from services.workforce.posts.model import (
    CostsAlreadyClaimed,
    CostsAlreadyRecorded,
    CostsOutsidePost,
    EndBeforeClaimed,
    EndBeforeStart,
    Post,
    PostAlreadyEnded,
    PostCost,
    StandingAfterStart,
    SupplierFeeNotAllowed,
)
from services.workforce.shapes import Cost, Day, Month, Number, Past
from shared.errors import NotFound, PreconditionFailed, PreconditionMissing
from shared.events.workforce import Standing
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    In,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("workforce", tags=["posts"])

Reader = Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)]
Employer = Annotated[Caller, allow(Role.NETWORK)]
Stale = (NotFound, PreconditionFailed, PreconditionMissing)


class StandingOut(Out):
    qualified_on: date | None
    employed_before: bool | None
    employed_here_until: date | None
    more_senior: bool


class PostOut(Out):
    """Somebody in post, under the id of their candidate record."""

    id: str
    vacancy: str
    candidate: str
    network: str
    role: str
    wte: Number
    zone: str
    employer: str
    employer_kind: str
    started_on: date
    ended_on: date | None
    ending_reason: str | None
    additional: bool
    days_to_hire: int
    salary_basis: str | None
    over_full_time_reason: str | None
    person: str | None = None
    standing: StandingOut | None = None


class StandingIn(In):
    """What decides whether the person counts as new staff. `person` is their pseudonym, the same wherever they work.

    `qualified_on` is the certified end of a general practitioner's training; `employed_here_until` the last
    day on which the network or a member employed them in that work before this post.
    """

    person: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    qualified_on: Past | None = None
    employed_before: bool | None = None
    employed_here_until: Past | None = None
    more_senior: bool = False


class EndingIn(In):
    """`ended_on` is the last day in post."""

    ended_on: Day
    reason: Annotated[str, Field(max_length=500)] | None = None


class AmountsIn(In):
    """What payroll paid in the month, in pounds; a supplier's fee only for social prescribing link workers."""

    salary: Cost
    employer_ni: Cost
    employer_pension: Cost
    supplier_fee: Cost = Decimal("0.00")


class CostIn(AmountsIn):
    month: Month


class CostOut(Out):
    post: str
    month: str
    salary: MoneyOut
    employer_ni: MoneyOut
    employer_pension: MoneyOut
    supplier_fee: MoneyOut
    total: MoneyOut
    recorded_at: datetime


@router.get("/posts")
async def list_posts(
    session: Reading,
    caller: Reader,
    paging: Paging,
    network: str | None = None,
    role: str | None = None,
    as_at: AsAt = None,
) -> Page[PostOut]:
    """People in post: on a day, or all there ever were."""
    statement = operations.visible_posts(caller)
    if network is not None:
        statement = statement.where(Post.network == network)
    if role is not None:
        statement = statement.where(Post.role == role)
    if as_at is not None:
        statement = statement.where(Post.started_on <= as_at, or_(Post.ended_on.is_(None), Post.ended_on >= as_at))
    rows, following = await page(session, statement, [Post.__table__.c.id], paging)
    return Page(items=[PostOut.model_validate(row[0]) for row in rows], next=following)


@router.get("/posts/{post_id}", responses=refusals(NotFound))
async def read_post(post_id: str, session: Reading, caller: Reader, response: Response) -> PostOut:
    """One person in post: role, hours and days."""
    post = await operations.find_post(session, post_id, caller=caller)
    tag(response, post)
    return PostOut.model_validate(post)


@router.put("/posts/{post_id}/ending", responses=refusals(PostAlreadyEnded, EndBeforeStart, EndBeforeClaimed, *Stale))
async def end_post(
    post_id: str,
    ending: EndingIn,
    session: Transaction,
    caller: Employer,
    response: Response,
    if_match: IfMatch = None,
) -> PostOut:
    """Somebody leaves."""
    post = await operations.end_post(
        session, post_id, on=ending.ended_on, reason=ending.reason, caller=caller, if_match=if_match
    )
    tag(response, post)
    return PostOut.model_validate(post)


@router.put("/posts/{post_id}/standing", responses=refusals(StandingAfterStart, *Stale))
async def state_standing(
    post_id: str,
    standing: StandingIn,
    session: Transaction,
    caller: Employer,
    response: Response,
    if_match: IfMatch = None,
) -> PostOut:
    """Say what the person's claims are judged by: pseudonym, qualification, earlier employment."""
    said = Standing(**standing.model_dump(exclude={"person"}))
    post = await operations.state_standing(session, post_id, said, standing.person, caller=caller, if_match=if_match)
    tag(response, post)
    return PostOut.model_validate(post)


@router.post(
    "/posts/{post_id}/costs",
    status_code=201,
    responses=refusals(CostsOutsidePost, SupplierFeeNotAllowed, CostsAlreadyRecorded, NotFound),
)
async def record_cost(
    post_id: str,
    cost: CostIn,
    session: Transaction,
    caller: Employer,
    response: Response,
    now: Now,
    _: Idempotent,
) -> CostOut:
    """Record what the post really cost in a month."""
    made = await operations.record_cost(
        session,
        post_id,
        month=cost.month,
        salary=cost.salary,
        employer_ni=cost.employer_ni,
        employer_pension=cost.employer_pension,
        supplier_fee=cost.supplier_fee,
        caller=caller,
        now=now,
    )
    response.headers["Location"] = f"/workforce/v1/posts/{post_id}/costs/{made.month}"
    tag(response, made)
    return CostOut.model_validate(made)


@router.get("/posts/{post_id}/costs", responses=refusals(NotFound))
async def list_costs(post_id: str, session: Reading, caller: Reader, paging: Paging) -> Page[CostOut]:
    """What a post has cost, month by month."""
    await operations.find_post(session, post_id, caller=caller)
    statement = operations.costs_of(post_id)
    rows, following = await page(session, statement, [PostCost.__table__.c.month], paging)
    return Page(items=[CostOut.model_validate(row[0]) for row in rows], next=following)


@router.get("/posts/{post_id}/costs/{month}", responses=refusals(NotFound))
async def read_cost(post_id: str, month: Month, session: Reading, caller: Reader, response: Response) -> CostOut:
    """What a post cost in one month."""
    cost = await operations.find_cost(session, post_id, month, caller=caller)
    tag(response, cost)
    return CostOut.model_validate(cost)


@router.put(
    "/posts/{post_id}/costs/{month}",
    responses=refusals(CostsAlreadyClaimed, CostsOutsidePost, SupplierFeeNotAllowed, *Stale),
)
async def correct_cost(
    post_id: str,
    month: Month,
    amounts: AmountsIn,
    session: Transaction,
    caller: Employer,
    response: Response,
    now: Now,
    if_match: IfMatch = None,
) -> CostOut:
    """Correct a month's cost before it is claimed."""
    cost = await operations.correct_cost(
        session,
        post_id,
        month,
        salary=amounts.salary,
        employer_ni=amounts.employer_ni,
        employer_pension=amounts.employer_pension,
        supplier_fee=amounts.supplier_fee,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, cost)
    return CostOut.model_validate(cost)
