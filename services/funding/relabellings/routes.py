"""Relabellings over HTTP: everybody may read them, national users publish them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import aliased

from services.funding.dated import Day
from services.funding.relabellings import operations
from services.funding.relabellings.model import (
    MoreThanAllRelabelled,
    NothingToPayAs,
    NothingToRelabel,
    RelabelledTwice,
    Relabelling,
    RelabellingNotFound,
    RelabellingStands,
    SupersededRelabellingUnknown,
)
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Invalid
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
    one_fault,
    page,
    refusals,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.years import ContractYear, Month, first_day, last_day, year_of

router = service_router("funding", tags=["tariffs"])

Stream = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
MILLIONTH = Decimal("0.000001")


class RelabellingIn(In):
    """In these months of one contract year `share` of a stream, above nothing and at most 1, counts as another; a share
    of 0 takes back the one it supersedes."""

    from_stream: Stream
    to_stream: Stream
    share: Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$")]
    first_month: Month
    last_month: Month
    known_from: Day | None = None
    supersedes: Annotated[str | None, Field(max_length=64)] = None
    sources: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=20)]
    note: Annotated[str, Field(max_length=500)] = ""


class RelabellingOut(Out):
    id: str
    from_stream: str
    to_stream: str
    share: Decimal
    contract_year: str
    valid_from: date
    valid_to: date
    known_from: date
    supersedes: str | None
    sources: list[str]
    note: str
    published_by: str
    published_at: datetime


@router.post(
    "/relabellings",
    status_code=201,
    responses=refusals(
        Invalid,
        NothingToRelabel,
        NothingToPayAs,
        RelabellingStands,
        RelabelledTwice,
        MoreThanAllRelabelled,
        SupersededRelabellingUnknown,
    ),
    summary="Relabel a stream or a part of it",
)
async def publish_relabelling(
    asked: RelabellingIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    now: Now,
    _: Idempotent,
) -> RelabellingOut:
    """Lines already paid stay; the next run takes the share off the one stream and pays it as the other."""
    year = year_of(asked.first_month)
    if asked.last_month < asked.first_month or year_of(asked.last_month) != year:
        raise one_fault("body.last_month", "outside_year", "A relabelling holds within one contract year.")
    if asked.from_stream == asked.to_stream:
        raise one_fault("body.to_stream", "same_stream", "A stream is relabelled as another one.")
    if 0 < Decimal(asked.share) < MILLIONTH:
        raise one_fault("body.share", "too_small", "A share below a millionth moves nothing.")
    if Decimal(asked.share) == 0 and asked.supersedes is None:
        raise one_fault("body.share", "nothing", "A share of nothing takes back the relabelling it supersedes.")
    made = Relabelling(
        id=new_id("relabelling"),
        from_stream=asked.from_stream,
        to_stream=asked.to_stream,
        share=Decimal(asked.share),
        contract_year=year,
        valid_from=first_day(asked.first_month),
        valid_to=last_day(asked.last_month),
        known_from=asked.known_from or london_day(now),
        supersedes=asked.supersedes,
        sources=asked.sources,
        note=asked.note,
    )
    await operations.publish_relabelling(session, made, by=caller.subject, now=now)
    response.headers["Location"] = f"/funding/v1/relabellings/{made.id}"
    return RelabellingOut.model_validate(made)


@router.get("/relabellings", summary="Streams relabelled")
async def list_relabellings(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    contract_year: ContractYear | None = None,
    stream: Annotated[str | None, Query(max_length=64, description="The stream it was or the one it became")] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[RelabellingOut]:
    """Every one published; with `as_at` those that count on a day, as known now or at `known_at`."""
    statement = select(Relabelling)
    if contract_year is not None:
        statement = statement.where(Relabelling.contract_year == contract_year)
    if stream is not None:
        statement = statement.where((Relabelling.from_stream == stream) | (Relabelling.to_stream == stream))
    if known_at is not None:
        statement = statement.where(Relabelling.known_from <= london_day(known_at))
    if as_at is not None:
        later = aliased(Relabelling)
        replacing = select(later.id).where(later.supersedes == Relabelling.id)
        if known_at is not None:
            replacing = replacing.where(later.known_from <= london_day(known_at))
        statement = statement.where(
            Relabelling.valid_from <= as_at, Relabelling.valid_to >= as_at, Relabelling.share > 0, ~replacing.exists()
        )
    found, following = await page(session, statement, [Relabelling.id], paging)
    return Page(items=[RelabellingOut.model_validate(row[0]) for row in found], next=following)


@router.get("/relabellings/{relabelling_id}", responses=refusals(RelabellingNotFound), summary="One relabelling")
async def read_relabelling(
    session: Reading,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    relabelling_id: Annotated[str, Path(max_length=64)],
) -> RelabellingOut:
    """A relabelling as it was published; it is never changed."""
    return RelabellingOut.model_validate(await operations.relabelling_seen(session, relabelling_id))
