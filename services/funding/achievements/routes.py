"""Achievements over HTTP: declared by the network, approved by its commissioner."""

from decimal import Decimal
from typing import Annotated

from fastapi import Path, Query, Response
from sqlalchemy import select

from services.funding.achievements import operations
from services.funding.achievements.model import (
    AcceptedTooLate,
    Achievement,
    AchievementDecided,
    AchievementDeclared,
    AchievementNotApproved,
    AchievementNotFound,
    AchievementStatus,
    NothingElseEarned,
    SamePersonDeclared,
    YearNotOver,
)
from services.funding.achievements.operations import NetworkNotFound
from services.funding.achievements.shapes import (
    AchievementApprovalIn,
    AchievementIn,
    AchievementOut,
    AchievementReturnIn,
    DeclarationIn,
    StandingOut,
)
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.indicators.model import IndicatorUnknown
from services.funding.scope import network_codes_seen
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    Idempotent,
    IfMatch,
    KnownAt,
    Now,
    Page,
    Paging,
    Reading,
    Transaction,
    one_fault,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import ContractYear

router = service_router("funding", tags=["achievements"])

AchievementId = Annotated[str, Path(max_length=64)]
Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)]
Declares = Annotated[Caller, allow(Role.NETWORK, Role.NATIONAL)]
Decides = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]


def _out(achievement: Achievement) -> AchievementOut:
    counted = None
    if achievement.denominator is not None and achievement.numerator is not None:
        left = achievement.denominator - (achievement.adjustments or 0)
        counted = (Decimal(achievement.numerator) / left).quantize(Decimal("0.000001")) if left else None
    shown = {name: getattr(achievement, name) for name in AchievementOut.model_fields if name != "performance"}
    return AchievementOut.model_validate({**shown, "performance": counted})


@router.post(
    "/achievements",
    status_code=201,
    responses=refusals(NetworkNotFound, IndicatorUnknown, AchievementDeclared),
    summary="Declare an achievement",
)
async def declare(
    given: AchievementIn, session: Transaction, response: Response, caller: Declares, now: Now, _: Idempotent
) -> AchievementOut:
    """A network states its own figures; the answer says at once what they would earn and what is missing."""
    achievement = await operations.declare_achievement(
        session,
        given.network,
        given.contract_year,
        given.indicator,
        given.model_dump(include=set(DeclarationIn.model_fields)),
        caller=caller,
        now=now,
    )
    response.headers["Location"] = f"/funding/v1/achievements/{achievement.id}"
    tag(response, achievement)
    return _out(achievement)


@router.get("/achievements", summary="Achievements")
async def list_achievements(
    session: Reading,
    paging: Paging,
    caller: Seen,
    network: Annotated[str | None, Query(max_length=32)] = None,
    contract_year: ContractYear | None = None,
    indicator: Annotated[str | None, Query(max_length=16)] = None,
    status: AchievementStatus | None = None,
    known_at: KnownAt = None,
) -> Page[AchievementOut]:
    """The achievements of the networks the caller may see."""
    stood = as_known(Achievement, known_at)
    statement = select(stood)
    if not caller.everywhere:
        statement = statement.where(stood.network.in_(network_codes_seen(caller)))
    for column, wanted in (
        (stood.network, network),
        (stood.contract_year, contract_year),
        (stood.indicator, indicator),
        (stood.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[_out(row[0]) for row in found], next=following)


@router.get(
    "/achievements/standing",
    responses=refusals(NetworkNotFound),
    summary="Where a network's year stands, indicator by indicator",
)
async def read_standing(
    session: Reading,
    caller: Seen,
    now: Now,
    network: Annotated[str, Query(max_length=32)],
    contract_year: ContractYear,
    known_at: KnownAt = None,
) -> list[StandingOut]:
    """Every indicator of the year, as known now or at `known_at`. One not declared counts by its default: a yes/no as
    No; a ratio waits."""
    await operations.network_seen(session, network, caller)
    rows = await operations.standing_of(session, network, contract_year, now, known_at)
    return [StandingOut.model_validate(row) for row in rows]


@router.get("/achievements/{achievement_id}", responses=refusals(AchievementNotFound), summary="One achievement")
async def read_achievement(
    session: Reading, response: Response, caller: Seen, achievement_id: AchievementId, known_at: KnownAt = None
) -> AchievementOut:
    """What was declared, and everything its assessment rests on; now, or as it stood at `known_at`."""
    achievement = await operations.achievement_seen(session, achievement_id, caller, known_at=known_at)
    tag(response, achievement)
    return _out(achievement)


@router.put(
    "/achievements/{achievement_id}/declaration",
    responses=refusals(AchievementNotFound, AchievementDecided, PreconditionFailed, PreconditionMissing),
    summary="Put a declaration right",
)
async def change_declaration(
    given: DeclarationIn,
    session: Transaction,
    response: Response,
    caller: Declares,
    now: Now,
    achievement_id: AchievementId,
    if_match: IfMatch = None,
) -> AchievementOut:
    """Until it is approved the network may change what it declared."""
    achievement = await operations.change_declaration(
        session, achievement_id, if_match, given.model_dump(), caller=caller, now=now
    )
    tag(response, achievement)
    return _out(achievement)


@router.put(
    "/achievements/{achievement_id}/approval",
    responses=refusals(
        AchievementNotFound,
        AchievementDecided,
        NotYoursToDecide,
        SamePersonDeclared,
        YearNotOver,
        AcceptedTooLate,
        IndicatorUnknown,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Approve an achievement",
)
async def approve(
    given: AchievementApprovalIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    achievement_id: AchievementId,
    if_match: IfMatch = None,
) -> AchievementOut:
    """A second person accepts it; the next run pays what it earns. What is held is paid when it is assessed again."""
    if given.accepted_on is not None and given.accepted_on > now.date():
        raise one_fault("body.accepted_on", "in_the_future", "It cannot have been accepted on a day to come.")
    achievement = await operations.approve_achievement(
        session,
        achievement_id,
        if_match,
        accepted_on=given.accepted_on,
        earned=None if given.earned is None else Decimal(given.earned),
        caller=caller,
        now=now,
    )
    tag(response, achievement)
    return _out(achievement)


@router.put(
    "/achievements/{achievement_id}/return",
    responses=refusals(
        AchievementNotFound, AchievementDecided, NotYoursToDecide, PreconditionFailed, PreconditionMissing
    ),
    summary="Send a declaration back",
)
async def send_back(
    given: AchievementReturnIn,
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    achievement_id: AchievementId,
    if_match: IfMatch = None,
) -> AchievementOut:
    """With a reason; the network may put it right."""
    achievement = await operations.return_achievement(
        session, achievement_id, if_match, given.reason, caller=caller, now=now
    )
    tag(response, achievement)
    return _out(achievement)


@router.put(
    "/achievements/{achievement_id}/assessment",
    responses=refusals(
        AchievementNotFound,
        AchievementNotApproved,
        NotYoursToDecide,
        NothingElseEarned,
        IndicatorUnknown,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Assess an approved achievement again",
)
async def assess_again(
    session: Transaction,
    response: Response,
    caller: Decides,
    now: Now,
    achievement_id: AchievementId,
    if_match: IfMatch = None,
) -> AchievementOut:
    """On what is known now; what it comes to more or less is paid or taken back as an amount of its own."""
    achievement = await operations.assess_again(session, achievement_id, if_match, caller=caller, now=now)
    tag(response, achievement)
    return _out(achievement)
