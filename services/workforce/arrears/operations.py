"""Claim arrears and keep what funding answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.arrears.model import ArrearsAlreadyClaimed, ArrearsClaim, ArrearsNotClaimable, faults_of
from services.workforce.claims.model import Claim
from services.workforce.networks.operations import of_caller, own_network
from shared.database import new_id
from shared.errors import NotFound
from shared.events import funding
from shared.events.workforce import ArrearsItem
from shared.identity import Caller
from shared.messaging import announce


@dataclass(frozen=True, slots=True)
class Paid:
    """Arrears really paid to the holder of a post for the month of a claim."""

    claim: str
    salary: Decimal
    employer_ni: Decimal
    employer_pension: Decimal


async def claim_arrears(
    session: AsyncSession, network: str, contract_year: str, paid: Sequence[Paid], *, caller: Caller, today: date
) -> ArrearsClaim:
    """Claim the arrears of a year once. Raises `ArrearsAlreadyClaimed` and `ArrearsNotClaimable`."""
    await own_network(session, network, caller, lock=True)
    held = await session.scalar(
        select(ArrearsClaim.id).where(
            ArrearsClaim.network == network,
            ArrearsClaim.contract_year == contract_year,
            ArrearsClaim.state != "rejected",
        )
    )
    if held is not None:
        raise ArrearsAlreadyClaimed(f"{held} claims the arrears of {network} in {contract_year}.")
    found = await session.scalars(select(Claim).where(Claim.id.in_([one.claim for one in paid])))
    claims = {claim.id: claim for claim in found.all()}
    items = [
        ArrearsItem(
            claim=one.claim,
            post=claims[one.claim].post if one.claim in claims else "",
            month=claims[one.claim].month if one.claim in claims else "2019-07",
            salary=one.salary,
            employer_ni=one.employer_ni,
            employer_pension=one.employer_pension,
        )
        for one in paid
    ]
    faults = faults_of(items, claims, network, contract_year)
    if faults:
        raise ArrearsNotClaimable("The arrears cannot be claimed; errors lists why.", errors=faults)
    claim = ArrearsClaim(
        id=new_id("arr"),
        network=network,
        contract_year=contract_year,
        items=[item.model_dump(mode="json") for item in items],
        made_on=today,
        state="made",
        sequence=0,
    )
    session.add(claim)
    announce(session, claim.make())
    await session.flush()
    return claim


def visible_arrears(caller: Caller) -> Select[ArrearsClaim]:
    return select(ArrearsClaim).where(of_caller(caller, ArrearsClaim.network))


async def find_arrears(session: AsyncSession, arrears_id: str, *, caller: Caller) -> ArrearsClaim:
    claim = await session.scalar(visible_arrears(caller).where(ArrearsClaim.id == arrears_id))
    if claim is None:
        raise NotFound(f"No claim of arrears {arrears_id}.")
    return claim


async def note_arrears(
    session: AsyncSession,
    event: funding.ArrearsApproved | funding.ArrearsRejected | funding.ArrearsPaid | funding.ArrearsTakenBack,
    sequence: int,
) -> None:
    """Keep what funding says of a claim of arrears; what it said later stays."""
    values: dict[str, Any] = {"sequence": sequence}
    if isinstance(event, funding.ArrearsApproved):
        values |= {"state": "approved", "payable": event.payable, "limited_by": event.limited_by}
    elif isinstance(event, funding.ArrearsRejected):
        values |= {"state": "rejected", "code": event.code, "reason": event.reason}
    else:
        paid = event.amount if event.paid is None else event.paid
        values |= {"state": "paid", "paid": paid, "run": event.run}
    await session.execute(
        update(ArrearsClaim)
        .where(ArrearsClaim.id == event.arrears, ArrearsClaim.sequence < sequence)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
