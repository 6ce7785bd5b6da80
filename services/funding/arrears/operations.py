"""Taking in claims of arrears, checking them against the ceilings now in force, deciding on them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.arrears.model import ArrearsClaim
from services.funding.arrears.rules import ArrearsCheck, Month, check_arrears
from services.funding.claims.checking import ceiling_of, not_agreed, room_of, taken_of_year
from services.funding.claims.decision import TAKES, ClaimStatus
from services.funding.claims.model import Claim, scope_of
from services.funding.claims.operations import lock_sums
from services.funding.claims.rules import OWN_ROLES
from services.funding.deadlines.operations import deadline_of
from services.funding.heirs.operations import must_decide
from services.funding.scope import network_codes_seen
from services.funding.tariffs.shipped import share_of
from shared.clock import london_day
from shared.errors import Fault, NotFound
from shared.events.funding import ArrearsApproved, ArrearsRejected
from shared.events.workforce import ArrearsClaimed
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce
from shared.years import first_day


class ArrearsNotFound(NotFound):
    """No such claim of arrears, or none the caller may see."""


async def take_arrears(session: AsyncSession, event: ArrearsClaimed, position: int, now: datetime) -> None:
    """A claim of arrears comes in; one decided already stays as it was decided."""
    held = await session.get(ArrearsClaim, event.arrears, with_for_update=True)
    if held is not None and (held.position >= position or held.status is not ClaimStatus.SUBMITTED):
        return
    claim = held or ArrearsClaim(id=event.arrears, version=1, submitted_at=now, checked={})
    claim.network, claim.contract_year, claim.made_on = event.network, event.contract_year, event.made_on
    claim.items = [item.model_dump(mode="json") for item in event.items]
    claim.status, claim.position = ClaimStatus.SUBMITTED, position
    role = await session.scalar(select(Claim.role).where(Claim.id == event.items[0].claim))
    claim.scope = scope_of(role or "", event.contract_year)
    session.add(claim)
    claim.note(await check(session, claim, now))
    await session.flush()


async def check(session: AsyncSession, claim: ArrearsClaim, now: datetime) -> ArrearsCheck:
    """Check arrears as things stand: the claims they add to, ceilings now known, deadline, room in the sum."""
    months, faults = await _months(session, claim, now)
    claimed = sum(
        (
            Decimal(item["salary"]) + Decimal(item["employer_ni"]) + Decimal(item["employer_pension"])
            for item in claim.items
        ),
        Decimal("0.00"),
    )
    room, room_fault = await room_of(session, claim.network, claim.contract_year, claim.scope)
    if room is not None:
        room -= await taken_of_year(session, claim.network, claim.contract_year, claim.scope, without=claim.id)
    if room_fault is not None:
        faults.append(room_fault)
    twin = await session.scalar(
        select(ArrearsClaim.id)
        .where(
            ArrearsClaim.network == claim.network,
            ArrearsClaim.contract_year == claim.contract_year,
            ArrearsClaim.id != claim.id,
            or_(
                ArrearsClaim.status.in_(TAKES),
                (ArrearsClaim.status == ClaimStatus.SUBMITTED) & (ArrearsClaim.position < claim.position),
            ),
        )
        .limit(1)
    )
    if twin is not None:
        faults.append(
            Fault("contract_year", "arrears_claimed_already", f"{twin} claims the arrears of {claim.contract_year}.")
        )
    deadline = await deadline_of(session, claim.last_month)
    if deadline is not None and deadline.closes_on is not None and claim.made_on > deadline.closes_on:
        faults.append(
            Fault("made_on", "deadline_passed", f"Claims of {claim.contract_year} closed on {deadline.closes_on}.")
        )
    return check_arrears(months, claimed, room, faults)


async def _months(session: AsyncSession, claim: ArrearsClaim, now: datetime) -> tuple[list[Month], list[Fault]]:
    named = [item["claim"] for item in claim.items]
    found = await session.scalars(select(Claim).where(Claim.id.in_(named), Claim.network == claim.network))
    claims = {one.id: one for one in found.all()}
    months: list[Month] = []
    faults: list[Fault] = []
    for number, item in enumerate(claim.items):
        place, one = f"items.{number}", claims.get(item["claim"])
        if one is None or (one.post, one.month) != (item["post"], item["month"]):
            faults.append(
                Fault(place, "claim_unknown", f"{item['claim']} is no claim of {item['post']} for that month.")
            )
            continue
        if one.status not in TAKES or one.payable is None:
            faults.append(Fault(place, "claim_not_approved", f"{one.id} is {one.status.value}; approve it first."))
            continue
        if one.scope != claim.scope or one.contract_year != claim.contract_year:
            faults.append(Fault(place, "other_sum", f"{one.id} comes out of another sum."))
            continue
        ceiling = await ceiling_of(session, one, now)
        if ceiling is None and one.role.startswith(OWN_ROLES):
            faults.append(not_agreed(place, one))
            continue
        share = share_of(one.role, first_day(one.month))
        if ceiling is None or ceiling.value is None or share is None:
            faults.append(Fault(place, "rate_unknown", f"The ceiling of {one.role} in {one.month} is not known."))
            continue
        cost = one.cost
        arrears = Decimal(item["salary"]) + Decimal(item["employer_ni"]) + Decimal(item["employer_pension"])
        months.append(
            Month(
                claim=one.id,
                post=one.post,
                month=one.month,
                arrears=arrears,
                cost=cost.total,
                payable=one.payable,
                share=share.share,
                tariff=ceiling.id,
                maximum=ceiling.value,
                confidence=str(ceiling.confidence),
                counted=cost.equivalent_days if one.counted is None else one.counted,
                equivalent_days=cost.equivalent_days,
                days_in_month=cost.days_in_month,
                variation=ceiling.variation,
            )
        )
    return months, faults


async def arrears_seen(
    session: AsyncSession, arrears_id: str, caller: Caller, *, known_at: datetime | None = None
) -> ArrearsClaim:
    """A claim of arrears the caller may see, now or as it stood then. Raises `ArrearsNotFound`."""
    stood = as_known(ArrearsClaim, known_at)
    statement = select(stood).where(stood.id == arrears_id)
    if not caller.everywhere:
        statement = statement.where(stood.network.in_(network_codes_seen(caller)))
    claim = await session.scalar(statement)
    if claim is None:
        raise ArrearsNotFound(f"No claim of arrears {arrears_id}.")
    return claim


async def decide_arrears(
    session: AsyncSession,
    arrears_id: str,
    if_match: str | None,
    refusal: tuple[str, str] | None,
    *,
    caller: Caller,
    now: datetime,
) -> ArrearsClaim:
    """The commissioner accepts arrears for what is payable now, or turns them down with a code and a reason.

    Raises `ClaimDecided` and `ClaimNotPayable`.
    """
    claim = await arrears_seen(session, arrears_id, caller)
    await must_decide(session, caller, claim.network, london_day(now))
    await lock_sums(session, [(claim.network, claim.contract_year)])
    await session.refresh(claim, with_for_update=True)
    require_match(claim, if_match)
    event: ArrearsApproved | ArrearsRejected
    if refusal is None:
        event = claim.approve(await check(session, claim, now), by=caller.subject, at=now)
    else:
        event = claim.reject(*refusal, by=caller.subject, at=now)
    announce(session, event)
    await session.flush()
    return claim
