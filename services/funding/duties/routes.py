"""Duties over HTTP: what is to be delivered on a day, nationally and under local variations."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from sqlalchemy import or_, select

from services.funding.duties.model import Duty
from services.funding.tariffs.model import NATIONAL, Basis, Confidence
from services.funding.variations.model import Variation
from services.funding.variations.operations import variations_seen
from shared.facts import believed
from shared.http import AsAt, KnownAt, Out, Page, Paging, Reading, page, service_router
from shared.identity import ANY_ROLE, Caller, allow

router = service_router("funding", tags=["variations"])


class DutyOut(Out):
    """`per_1000` are minutes a week for each thousand patients of `basis`; null for a service told in words.

    `scope` is `national`, or the local variation that asks for it, `instead_of` the national duty it stands in for.
    """

    scope: str
    duty: str
    name: str
    description: str
    instead_of: str | None
    basis: Basis | None
    per_1000: Decimal | None
    rounded_to: int | None
    counted_at: date | None
    confidence: Confidence
    sources: list[str]
    valid_from: date
    valid_to: date | None
    published_by: str
    published_at: datetime


@router.get("/duties", summary="What is to be delivered")
async def list_duties(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    duty: Annotated[str | None, Query(max_length=64)] = None,
    scope: Annotated[str | None, Query(max_length=64, description="`national`, or a local variation")] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[DutyOut]:
    """National duties, and those of local variations the caller may see; with `as_at` those that hold on a day."""
    seen = select(Variation.id).where(variations_seen(caller))
    statement = select(Duty).where(believed(Duty, known_at), or_(Duty.scope == NATIONAL, Duty.scope.in_(seen)))
    for column, wanted in ((Duty.duty, duty), (Duty.scope, scope)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if as_at is not None:
        statement = statement.where(Duty.valid.contains(as_at))
    found, following = await page(session, statement, [Duty.scope, Duty.duty, Duty.fact_id], paging)
    return Page(items=[DutyOut.model_validate(row[0]) for row in found], next=following)
