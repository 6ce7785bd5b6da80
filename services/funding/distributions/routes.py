"""The onward split over HTTP: private to the network, its payee and its members."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.codes import NetworkCode, OrganisationCode
from services.funding.distributions import operations
from services.funding.distributions.model import (
    UNITS,
    AlreadyDistributed,
    Distribution,
    DistributionPart,
    NoRuleAgreed,
    NotMembers,
    PopulationMissing,
)
from services.funding.distributions.operations import (
    DistributionNotFound,
    PaymentNotFound,
    distributions_seen,
)
from services.funding.distributions.sharing import Method, NothingToShareBy, OverDistributed
from services.funding.lines.words import pounds
from services.funding.money import plain
from shared.http import (
    Idempotent,
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
)
from shared.identity import Caller, Role, allow
from shared.years import Month

router = service_router("funding", tags=["distributions"])

Divides = Annotated[Caller, allow(Role.NETWORK, Role.PAYEE)]
Sees = Annotated[Caller, allow(Role.NETWORK, Role.PAYEE, Role.PRACTICE)]


class CostOut(Out):
    what: str
    amount: MoneyOut


class DistributionIn(In):
    """The issued payment to divide; `payee` only where the run paid the network's money to several."""

    run: Annotated[str, Field(min_length=1, max_length=64)]
    network: NetworkCode
    payee: OrganisationCode | None = None


class PartOut(Out):
    practice: str
    weight: Decimal
    whole: Decimal
    amount: MoneyOut
    arithmetic: str


class DistributionOut(Out):
    """A payment divided: costs, the parts of members and what is `retained` by the payee add up to it.

    A practice sees its own part.
    """

    id: str
    run: str
    network: str
    payee: str
    month: str
    payment: MoneyOut
    method: Method
    snapshot: date | None
    costs: list[CostOut]
    shared: MoneyOut
    retained: MoneyOut
    parts: list[PartOut]
    made_by: str
    made_at: datetime


def _out(made: Distribution, parts: Sequence[DistributionPart], caller: Caller) -> DistributionOut:
    all_of_it = (caller.has(Role.NETWORK) and made.network in caller.organisations) or (
        caller.has(Role.PAYEE) and made.payee in caller.organisations
    )
    shown = [
        PartOut(
            practice=part.practice,
            weight=part.weight,
            whole=part.whole,
            amount=part.amount,
            arithmetic=f"{pounds(made.shared)} × {plain(part.weight)} / {plain(part.whole)} {UNITS[made.method]} "
            f"= {pounds(part.amount)}",
        )
        for part in sorted(parts, key=lambda part: part.practice)
        if all_of_it or part.practice in caller.organisations
    ]
    named: dict[str, Any] = {
        name: getattr(made, name) for name in DistributionOut.model_fields if name not in ("parts", "costs")
    }
    return DistributionOut(**named, costs=[CostOut.model_validate(cost) for cost in made.costs], parts=shown)


async def _parts(session: AsyncSession, made: Sequence[Distribution]) -> dict[str, list[DistributionPart]]:
    found: dict[str, list[DistributionPart]] = defaultdict(list)
    ids = [one.id for one in made]
    for part in await session.scalars(select(DistributionPart).where(DistributionPart.distribution.in_(ids))):
        found[part.distribution].append(part)
    return found


@router.post(
    "/distributions",
    status_code=201,
    responses=refusals(
        PaymentNotFound,
        NoRuleAgreed,
        NotMembers,
        PopulationMissing,
        OverDistributed,
        NothingToShareBy,
        AlreadyDistributed,
    ),
    summary="Divide a payment",
)
async def distribute(
    payment: DistributionIn, session: Transaction, response: Response, caller: Divides, now: Now, _: Idempotent
) -> DistributionOut:
    """Divide what an issued run paid for a network between its members, by the rule of the month, once."""
    made, parts = await operations.distribute(
        session, payment.run, payment.network, payment.payee, caller=caller, now=now
    )
    response.headers["Location"] = f"/funding/v1/distributions/{made.id}"
    return _out(made, parts, caller)


@router.get("/distributions", summary="Payments divided")
async def list_distributions(
    session: Reading,
    paging: Paging,
    caller: Sees,
    network: Annotated[str | None, Query(max_length=32)] = None,
    run: Annotated[str | None, Query(max_length=64)] = None,
    month: Month | None = None,
    known_at: KnownAt = None,
) -> Page[DistributionOut]:
    """What was divided of the caller's payments, the oldest first, each member's part with its arithmetic."""
    statement = select(Distribution).where(distributions_seen(caller))
    for column, wanted in (
        (Distribution.network, network),
        (Distribution.run, run),
        (Distribution.month, month),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if known_at is not None:
        statement = statement.where(Distribution.made_at <= known_at)
    found, following = await page(session, statement, [Distribution.id], paging)
    made = [row[0] for row in found]
    parts = await _parts(session, made)
    return Page(items=[_out(one, parts[one.id], caller) for one in made], next=following)


@router.get("/distributions/{distribution_id}", responses=refusals(DistributionNotFound), summary="One payment divided")
async def read_distribution(
    session: Reading,
    response: Response,
    caller: Sees,
    distribution_id: Annotated[str, Path(max_length=64)],
    known_at: KnownAt = None,
) -> DistributionOut:
    """A payment divided, with the arithmetic of each part the caller may see."""
    made = await session.scalar(
        select(Distribution).where(Distribution.id == distribution_id, distributions_seen(caller))
    )
    if made is None or (known_at is not None and made.made_at > known_at):
        raise DistributionNotFound(f"No distribution {distribution_id}.")
    response.headers["ETag"] = f'"{made.id}"'
    return _out(made, (await _parts(session, [made]))[made.id], caller)
