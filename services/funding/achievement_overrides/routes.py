"""Overrides over HTTP: proposed and put into effect by two national users, read by all who see achievements."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Response
from pydantic import Field
from sqlalchemy import select

from services.funding.achievement_overrides import operations
from services.funding.achievement_overrides.model import (
    Override,
    OverrideDecided,
    OverrideNotFound,
    OverrideStands,
    OverrideStatus,
    SamePersonProposed,
)
from services.funding.achievements.routes import Seen
from services.funding.indicators.model import IndicatorUnknown
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    Idempotent,
    IfMatch,
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
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import ContractYear

router = service_router("funding", tags=["achievements"])

OverrideId = Annotated[str, Path(max_length=64)]
National = Annotated[Caller, allow(Role.NATIONAL)]


class OverrideIn(In):
    contract_year: ContractYear
    indicator: Annotated[str, Field(min_length=1, max_length=16)]
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class OverrideOut(Out):
    id: str
    contract_year: str
    indicator: str
    reason: str
    status: OverrideStatus
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    networks: int


@router.post(
    "/achievement-overrides",
    status_code=201,
    responses=refusals(IndicatorUnknown, OverrideStands),
    summary="Propose that everybody achieved an indicator",
)
async def propose(
    given: OverrideIn, session: Transaction, response: Response, caller: National, now: Now, _: Idempotent
) -> OverrideOut:
    """For data faults that cannot be put right network by network; a second person puts it into effect."""
    override = await operations.propose_override(
        session, given.contract_year, given.indicator, given.reason, by=caller.subject, now=now
    )
    response.headers["Location"] = f"/funding/v1/achievement-overrides/{override.id}"
    tag(response, override)
    return OverrideOut.model_validate(override)


@router.get("/achievement-overrides", summary="National overrides")
async def list_overrides(session: Reading, paging: Paging, caller: Seen, known_at: KnownAt = None) -> Page[OverrideOut]:
    """Every override, proposed or in effect."""
    stood = as_known(Override, known_at)
    found, following = await page(session, select(stood), [stood.id], paging)
    return Page(items=[OverrideOut.model_validate(row[0]) for row in found], next=following)


@router.get("/achievement-overrides/{override_id}", responses=refusals(OverrideNotFound), summary="One override")
async def read_override(
    session: Reading, response: Response, caller: Seen, override_id: OverrideId, known_at: KnownAt = None
) -> OverrideOut:
    """A national decision, its reason and how many networks it reached."""
    override = await operations.override_seen(session, override_id, known_at=known_at)
    tag(response, override)
    return OverrideOut.model_validate(override)


@router.put(
    "/achievement-overrides/{override_id}/approval",
    responses=refusals(
        OverrideNotFound,
        OverrideDecided,
        SamePersonProposed,
        IndicatorUnknown,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Put an override into effect",
)
async def approve_override(
    session: Transaction,
    response: Response,
    caller: National,
    now: Now,
    override_id: OverrideId,
    if_match: IfMatch = None,
) -> OverrideOut:
    """Every network of the year gets all points; what that adds to what was paid is paid with cause `override`."""
    override = await operations.approve_override(session, override_id, if_match, by=caller.subject, now=now)
    tag(response, override)
    return OverrideOut.model_validate(override)
