"""Taking in claims, checking them, deciding on them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budgets.model import Budget
from services.funding.claims.model import Claim, ClaimStatus, scope_of
from services.funding.claims.rules import Check, check
from services.funding.networks.model import Network
from services.funding.scope import network_codes_seen
from services.funding.tariffs.operations import role_maximum
from shared.clock import london_day
from shared.errors import Fault, NotFound
from shared.events.workforce import ClaimMade
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce
from shared.years import first_day, year_of


class ClaimNotFound(NotFound):
    """No such claim, or none the caller may see."""


async def submit_claim(session: AsyncSession, event: ClaimMade, position: int, now: datetime) -> Claim | None:
    """A claim comes in, or comes again put right; one already approved or paid stays as it was decided."""
    claim = await session.get(Claim, event.claim, with_for_update=True)
    if claim is not None and (claim.position >= position or claim.status in {ClaimStatus.APPROVED, ClaimStatus.PAID}):
        return None
    year = year_of(event.month)
    if claim is None:
        claim = Claim(id=event.claim, version=1, submitted_at=now, checked={})
        session.add(claim)
    claim.network, claim.post, claim.role, claim.zone = event.network, event.post, event.role, event.zone
    claim.wte, claim.month, claim.contract_year = event.wte, event.month, year
    claim.scope = scope_of(event.role, year)
    claim.worked_from, claim.worked_to = event.worked_from, event.worked_to
    claim.salary, claim.employer_ni, claim.employer_pension = event.salary, event.employer_ni, event.employer_pension
    claim.supplier_fee, claim.additional, claim.made_on = event.supplier_fee, event.additional, event.made_on
    claim.status, claim.code, claim.reason = ClaimStatus.SUBMITTED, None, None
    claim.decided_by, claim.decided_at, claim.position = None, None, position
    claim.note(await check_claim(session, claim, now))
    await session.flush()
    return claim


async def check_claim(session: AsyncSession, claim: Claim, now: datetime) -> Check:
    """Check a claim as things stand: ceiling in force, share, additionality, and room left in the network's sum.

    Of the sum are taken what approved and paid claims of the year took, and what claims submitted before this one ask.
    """
    ceiling = await role_maximum(session, claim.role, claim.zone, first_day(claim.month), london_day(now))
    budget = (
        await session.execute(
            select(Budget.amount, Budget.held_reason).where(
                Budget.network == claim.network,
                Budget.contract_year == claim.contract_year,
                Budget.scope == claim.scope,
            )
        )
    ).first()
    fault = None
    if budget is None:
        known = await session.scalar(select(Network.code).where(Network.code == claim.network))
        fault = (
            Fault("network", "network_unknown", f"{claim.network} is not a network known here yet.")
            if known is None
            else Fault("network", "budget_missing", f"{claim.network} has no sum for {claim.contract_year}.")
        )
    elif budget.amount is None:
        fault = Fault("network", "budget_held", f"The network's sum is held: {budget.held_reason}")
    room = None if budget is None else budget.amount
    return check(claim.cost, ceiling, room, room_fault=fault, earlier=await _taken(session, claim))


async def _taken(session: AsyncSession, claim: Claim) -> Decimal:
    decided = Claim.status.in_([ClaimStatus.APPROVED, ClaimStatus.PAID])
    before = (Claim.status == ClaimStatus.SUBMITTED) & (
        (Claim.month < claim.month) | ((Claim.month == claim.month) & (Claim.position < claim.position))
    )
    taken = await session.scalar(
        select(func.coalesce(func.sum(Claim.payable), 0)).where(
            Claim.network == claim.network,
            Claim.contract_year == claim.contract_year,
            Claim.scope == claim.scope,
            Claim.id != claim.id,
            or_(decided, before),
        )
    )
    return Decimal(taken or 0)


async def claim_seen(session: AsyncSession, claim_id: str, caller: Caller, *, lock: bool = False) -> Claim:
    """A claim the caller may see. Raises `ClaimNotFound`."""
    statement = select(Claim).where(Claim.id == claim_id)
    if not caller.everywhere:
        statement = statement.where(Claim.network.in_(network_codes_seen(caller)))
    claim = await session.scalar(statement.with_for_update() if lock else statement)
    if claim is None:
        raise ClaimNotFound(f"No claim {claim_id}.")
    return claim


async def approve_claim(
    session: AsyncSession, claim_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Claim:
    """The commissioner accepts a claim for what is payable now. Raises `ClaimDecided` and `ClaimNotPayable`."""
    claim = await claim_seen(session, claim_id, caller)
    # two claims of one sum decided at once must not both take the same room; whoever sets sums locks them first too
    await session.execute(
        select(Budget.network)
        .where(Budget.network == claim.network, Budget.contract_year == claim.contract_year)
        .with_for_update()
    )
    await session.refresh(claim, with_for_update=True)
    require_match(claim, if_match)
    announce(session, claim.approve(await check_claim(session, claim, now), by=caller.subject, at=now))
    await session.flush()
    return claim


async def reject_claim(
    session: AsyncSession, claim_id: str, if_match: str | None, code: str, reason: str, *, caller: Caller, now: datetime
) -> Claim:
    """The commissioner turns a claim down. Raises `ClaimDecided`."""
    claim = await claim_seen(session, claim_id, caller, lock=True)
    require_match(claim, if_match)
    announce(session, claim.reject(code, reason, by=caller.subject, at=now))
    await session.flush()
    return claim


async def recheck_waiting(
    session: AsyncSession, now: datetime, *, networks: Collection[str] | None = None, role: str | None = None
) -> None:
    """What waiting claims would be paid, after a sum or ceiling they depend on was set."""
    chosen = Claim.network.in_(networks) if networks is not None else Claim.role == role
    waiting = await session.scalars(
        select(Claim)
        .where(chosen, Claim.status == ClaimStatus.SUBMITTED)
        .order_by(Claim.month, Claim.position)
        .with_for_update()
    )
    for claim in waiting.all():
        claim.note(await check_claim(session, claim, now))
        await session.flush()
