"""Corrections of approved achievements over HTTP."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import select

from services.funding.achievement_corrections import operations
from services.funding.achievement_corrections.model import (
    CORRECTED,
    AchievementCorrection,
    CorrectionDecided,
    CorrectionInProgress,
    CorrectionNotFound,
    CorrectionStatus,
    SamePersonCorrects,
)
from services.funding.achievements.model import AchievementNotApproved, AchievementNotFound
from services.funding.achievements.routes import AchievementId, Decides, Seen
from services.funding.achievements.shapes import DeclarationIn, Earned
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.indicators.model import IndicatorUnknown
from services.funding.scope import network_codes_seen
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    KnownAt,
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

router = service_router("funding", tags=["achievements"])

CorrectionId = Annotated[str, Path(max_length=64)]
Proposes = Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.NATIONAL)]


class AchievementCorrectionIn(DeclarationIn):
    """What the achievement should have said: all of it, not only what differs."""

    earned: Earned | None = None
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class AchievementCorrectionRefusalIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class AchievementCorrectionOut(Out):
    """`before` is what the achievement said until it was corrected; `difference` what that pays or takes back."""

    id: str
    achievement: str
    network: str
    numerator: int | None
    denominator: int | None
    adjustments: int | None
    answer: bool | None
    earned: Decimal | None
    reason: str
    status: CorrectionStatus
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    refusal: str | None
    before: dict[str, Any] | None
    difference: MoneyOut | None


@router.post(
    "/achievements/{achievement_id}/corrections",
    status_code=201,
    responses=refusals(AchievementNotFound, AchievementNotApproved, CorrectionInProgress),
    summary="Propose that an approved achievement was wrong",
)
async def propose(
    given: AchievementCorrectionIn,
    session: Transaction,
    response: Response,
    caller: Proposes,
    now: Now,
    achievement_id: AchievementId,
    _: Idempotent,
) -> AchievementCorrectionOut:
    """With the figures as they should have been and a reason; a second person decides."""
    corrected = {name: getattr(given, name) for name in CORRECTED}
    corrected["earned"] = None if given.earned is None else Decimal(given.earned)
    made = await operations.propose_correction(session, achievement_id, corrected, given.reason, caller=caller, now=now)
    response.headers["Location"] = f"/funding/v1/achievement-corrections/{made.id}"
    tag(response, made)
    return AchievementCorrectionOut.model_validate(made)


@router.get("/achievement-corrections", summary="Corrections of achievements")
async def list_corrections(
    session: Reading,
    paging: Paging,
    caller: Seen,
    achievement: Annotated[str | None, Query(max_length=64)] = None,
    network: Annotated[str | None, Query(max_length=32)] = None,
    status: CorrectionStatus | None = None,
    known_at: KnownAt = None,
) -> Page[AchievementCorrectionOut]:
    """Corrections proposed, approved and refused in the networks the caller may see, the oldest first."""
    stood = as_known(AchievementCorrection, known_at)
    statement = select(stood)
    if not caller.everywhere:
        statement = statement.where(stood.network.in_(network_codes_seen(caller)))
    for column, wanted in (
        (stood.achievement, achievement),
        (stood.network, network),
        (stood.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[AchievementCorrectionOut.model_validate(row[0]) for row in found], next=following)


@router.get(
    "/achievement-corrections/{correction_id}",
    responses=refusals(CorrectionNotFound),
    summary="One correction of an achievement",
)
async def read_correction(
    session: Reading,
    response: Response,
    caller: Seen,
    correction_id: CorrectionId,
    known_at: KnownAt = None,
) -> AchievementCorrectionOut:
    """Who proposed and decided it, what was believed before, and what it pays."""
    found = await operations.correction_seen(session, correction_id, caller, known_at=known_at)
    tag(response, found)
    return AchievementCorrectionOut.model_validate(found)


@router.put(
    "/achievement-corrections/{correction_id}/approval",
    responses=refusals(
        CorrectionNotFound,
        CorrectionDecided,
        SamePersonCorrects,
        AchievementNotFound,
        AchievementNotApproved,
        IndicatorUnknown,
        NotYoursToDecide,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Approve a correction of an achievement",
)
async def approve(
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    correction_id: CorrectionId,
    if_match: IfMatch = None,
) -> AchievementCorrectionOut:
    """The next run pays the difference, or takes it back, as a line of its own."""
    done = await operations.approve_correction(session, correction_id, if_match, caller=caller, now=now)
    tag(response, done)
    return AchievementCorrectionOut.model_validate(done)


@router.put(
    "/achievement-corrections/{correction_id}/refusal",
    responses=refusals(
        CorrectionNotFound, CorrectionDecided, NotYoursToDecide, PreconditionFailed, PreconditionMissing
    ),
    summary="Turn a correction of an achievement down",
)
async def refuse(
    given: AchievementCorrectionRefusalIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    correction_id: CorrectionId,
    if_match: IfMatch = None,
) -> AchievementCorrectionOut:
    """With a reason; the achievement stays as it was approved."""
    done = await operations.refuse_correction(session, correction_id, if_match, given.reason, caller=caller, now=now)
    tag(response, done)
    return AchievementCorrectionOut.model_validate(done)
