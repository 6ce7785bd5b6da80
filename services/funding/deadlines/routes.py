"""Deadlines of claims over HTTP: published nationally, read by everybody who claims or decides."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Response
from pydantic import Field
from sqlalchemy import select

from services.funding.claims.operations import recheck_waiting
from services.funding.deadlines.model import ClaimDeadline
from services.funding.deadlines.operations import publish_deadline
from shared.errors import Fault, Invalid
from shared.facts import as_at as held_on
from shared.facts import believed
from shared.http import (
    AsAt,
    Idempotent,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.years import ContractYear, year_end

router = service_router("funding", tags=["claims"])


class DeadlineIn(In):
    """When claims of a year close; null is no deadline. `note` says on whose word."""

    contract_year: ContractYear
    days_after_month: Annotated[int, Field(strict=True, ge=0, le=366)] | None = None
    closes_on: Annotated[date, Field(le=date(2101, 3, 31))] | None = None
    note: Annotated[str, Field(min_length=3, max_length=500)]


class DeadlineOut(Out):
    contract_year: str
    days_after_month: int | None
    closes_on: date | None
    note: str
    published_by: str
    known_from: datetime


def _shown(deadline: ClaimDeadline) -> DeadlineOut:
    return DeadlineOut(
        contract_year=deadline.contract_year,
        days_after_month=deadline.days_after_month,
        closes_on=deadline.closes_on,
        note=deadline.note,
        published_by=deadline.published_by,
        known_from=deadline.known.lower,
    )


@router.post("/claim-deadlines", status_code=201, responses=refusals(Invalid), summary="Publish a deadline of claims")
async def publish(
    deadline: DeadlineIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    now: Now,
    _: Idempotent,
) -> DeadlineOut:
    """From now on claims of the year are judged by this; claims decided already stay as they are."""
    if deadline.closes_on is not None and deadline.closes_on < year_end(deadline.contract_year):
        raise Invalid(
            "A year cannot close before it ends.",
            errors=[Fault("body.closes_on", "before_year_end", "The last month could then never be claimed.")],
        )
    made = await publish_deadline(session, **deadline.model_dump(), by=caller.subject, now=now)
    await recheck_waiting(session, now, contract_year=deadline.contract_year)
    response.headers["Location"] = f"/funding/v1/claim-deadlines?as_at={made.valid_from}"
    return _shown(made)


@router.get("/claim-deadlines", summary="Until when claims may be made")
async def list_deadlines(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[DeadlineOut]:
    """The deadline of every year, or of the one a day lies in, as known now or at a moment."""
    where = believed(ClaimDeadline, known_at) if as_at is None else held_on(ClaimDeadline, as_at, known_at)
    found, following = await page(
        session, select(ClaimDeadline).where(where), [ClaimDeadline.contract_year, ClaimDeadline.fact_id], paging
    )
    return Page(items=[_shown(row[0]) for row in found], next=following)
