"""Care-home beds over HTTP: supplied and corrected by the lead commissioner, read by whoever sees the network."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import AfterValidator, Field
from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from services.funding.beds import operations
from services.funding.beds.model import BedCount, BedsSupplied, MonthAhead
from services.funding.beds.operations import BedsNotFound, NetworksNotFound
from services.funding.codes import OrganisationCode
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.networks.model import Network
from services.funding.scope import networks_seen
from shared.errors import Invalid, PreconditionFailed, PreconditionMissing
from shared.facts import believed
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    one_fault,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import Month, month_of

router = service_router("funding", tags=["beds"])

Supplier = Annotated[Caller, allow(Role.COMMISSIONER, Role.NATIONAL)]
Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)]
NetworkCode = Annotated[str, Path(max_length=32)]
Beds = Annotated[int, Field(strict=True, ge=0, le=100_000)]


class CountIn(In):
    network: OrganisationCode
    beds: Beds


def _each_once(counts: list[CountIn]) -> list[CountIn]:
    codes = [count.network for count in counts]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise ValueError(f"named more than once: {', '.join(twice)}")
    return counts


class BedsIn(In):
    """The beds of one month, of one network or many, as the register of homes had them."""

    month: Month
    counts: Annotated[list[CountIn], Field(min_length=1, max_length=500), AfterValidator(_each_once)]
    note: Annotated[str, Field(max_length=500)] = ""


class CorrectionIn(In):
    beds: Beds
    note: Annotated[str, Field(min_length=1, max_length=500, description="Why the number was wrong")]


class BedsOut(Out):
    """A number as supplied for `month`; it goes on counting until a later month has one."""

    network: str
    month: str
    beds: int
    note: str
    supplied_by: str
    supplied_at: datetime


class SuppliedOut(Out):
    items: list[BedsOut]


@router.post(
    "/beds",
    status_code=201,
    responses=refusals(NetworksNotFound, MonthAhead, BedsSupplied, NotYoursToDecide),
    summary="Supply the care-home beds of a month",
)
async def supply_beds(
    beds: BedsIn, session: Transaction, caller: Supplier, now: Now, today: Today, _: Idempotent
) -> SuppliedOut:
    """All of them are entered, or none. A month without a number is paid on the one before it."""
    counts = {count.network: count.beds for count in beds.counts}
    made = await operations.supply_beds(session, beds.month, counts, beds.note, caller=caller, now=now, today=today)
    return SuppliedOut(items=[BedsOut.model_validate(count) for count in made])


@router.get("/beds", responses=refusals(Invalid), summary="Care-home beds supplied")
async def list_beds(
    session: Reading,
    paging: Paging,
    caller: Seen,
    network: Annotated[str | None, Query(max_length=32)] = None,
    month: Month | None = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[BedsOut]:
    """Every number supplied, of a month, or with `as_at` the one that counts on that day: the last one supplied."""
    if month is not None and as_at is not None:
        raise one_fault("query.as_at", "month_given", "Ask for a month or for a day, not for both.")
    statement: Any = (
        select(BedCount)
        .join(Network, Network.code == BedCount.network)
        .where(believed(BedCount, known_at), networks_seen(caller))
    )
    if network is not None:
        statement = statement.where(BedCount.network == network)
    if month is not None:
        statement = statement.where(BedCount.month == month)
    if as_at is not None:
        newer = aliased(BedCount)
        last = select(func.max(newer.month)).where(
            newer.network == BedCount.network, newer.month <= month_of(as_at), believed(newer, known_at)
        )
        statement = statement.where(BedCount.month == last.scalar_subquery())
    found, following = await page(session, statement, [BedCount.network, BedCount.month], paging)
    return Page(items=[BedsOut.model_validate(row[0]) for row in found], next=following)


@router.get(
    "/beds/{network}/{month}", responses=refusals(BedsNotFound), summary="The beds supplied for a network and month"
)
async def read_beds(
    session: Reading,
    response: Response,
    caller: Seen,
    network: NetworkCode,
    month: Month,
    known_at: KnownAt = None,
) -> BedsOut:
    """The number as known now, or at `known_at`."""
    found = await operations.beds_seen(session, network, month, caller, known_at=known_at)
    tag(response, found)
    return BedsOut.model_validate(found)


@router.put(
    "/beds/{network}/{month}",
    responses=refusals(BedsNotFound, NotYoursToDecide, PreconditionFailed, PreconditionMissing),
    summary="Correct the beds of a month",
)
async def correct_beds(
    correction: CorrectionIn,
    session: Transaction,
    response: Response,
    caller: Supplier,
    now: Now,
    network: NetworkCode,
    month: Month,
    if_match: IfMatch = None,
) -> BedsOut:
    """Another number from now on; what was paid is made good by the next run, and the old number stays on record."""
    made = await operations.correct_beds(
        session, network, month, correction.beds, correction.note, if_match, caller=caller, now=now
    )
    tag(response, made)
    return BedsOut.model_validate(made)
