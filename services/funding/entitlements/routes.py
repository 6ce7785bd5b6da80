"""Entitlements over HTTP: computed when asked, by the rules that pay."""

from collections import defaultdict
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from sqlalchemy import select

from services.funding.entitlements.queries import load_year
from services.funding.money import PARTS, to_pence
from services.funding.networks.model import Network
from services.funding.networks.operations import networks_of
from services.funding.payments.engine import Key, Portion, Year, portions, product
from services.funding.scope import networks_seen
from shared.errors import Invalid, NotFound
from shared.http import Moment, MoneyOut, Now, Out, one_fault, refusals, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month, months_of, year_of

router = service_router("funding", tags=["entitlements"])


class EntitlementNotFound(NotFound):
    """No such network, or none the caller may see."""


class HeldOut(Out):
    months: list[str]
    code: str
    reason: str


class EntitlementOut(Out):
    """One stream of a network, or of one practice in it: due through the month asked about, paid, and what is held."""

    stream: str
    practice: str | None
    basis: str
    tariffs: list[str]
    confidence: list[str]
    population: Decimal | None
    due: MoneyOut
    paid: MoneyOut
    held: list[HeldOut]


class EntitlementsOut(Out):
    network: str
    contract_year: str
    through: str
    due: MoneyOut
    paid: MoneyOut
    items: list[EntitlementOut]


def _entitlement(key: Key, parts: list[Portion], year: Year) -> EntitlementOut:
    holds: dict[tuple[str, str], list[str]] = defaultdict(list)
    total = Decimal(0)
    for part in parts:
        if part.hold is None:
            total += product(part)
        else:
            holds[part.hold.code, part.hold.detail].append(part.month)
    last = parts[-1]
    return EntitlementOut(
        stream=key.stream,
        practice=key.practice,
        basis=last.rate.basis,
        tariffs=list(dict.fromkeys(part.rate.tariff for part in parts)),
        confidence=list(dict.fromkeys(part.rate.confidence for part in parts)),
        population=None if last.heads.hold else last.heads.total,
        due=to_pence(total, PARTS),
        paid=sum(year.paid.get(key, {}).values(), Decimal("0.00")),
        held=[HeldOut(months=months, code=code, reason=reason) for (code, reason), months in holds.items()],
    )


@router.get(
    "/entitlements",
    responses=refusals(EntitlementNotFound, Invalid),
    summary="What is due to a network and its practices, as known now",
)
async def read_entitlements(
    session: Moment,
    caller: Annotated[
        Caller,
        allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE),
    ],
    now: Now,
    network: Annotated[str, Query(max_length=32)],
    contract_year: ContractYear,
    month: Annotated[Month | None, Query(description="Through this month; the whole year unless given")] = None,
) -> EntitlementsOut:
    """What is paid by head or bed; a practice sees its own. Claims stand under `/claims`, sums under `/budgets`"""
    through = month or months_of(contract_year)[-1]
    if year_of(through) != contract_year:
        raise one_fault("query.month", "outside_year", f"{through} does not lie in {contract_year}.")
    seen = await session.scalar(select(Network.code).where(Network.code == network, networks_seen(caller)))
    own: frozenset[str] | None = None
    if seen is None:
        own = caller.organisations if caller.has(Role.PRACTICE) else frozenset()
        if network not in await networks_of(session, own):
            raise EntitlementNotFound(f"No network {network}.")
    year = await load_year(session, contract_year, through, now, networks=[network])
    items = [
        _entitlement(key, parts, year)
        for key, parts in portions(year)
        if own is None or (key.practice is not None and key.practice in own)
    ]
    return EntitlementsOut(
        network=network,
        contract_year=contract_year,
        through=through,
        due=sum((item.due for item in items), Decimal("0.00")),
        paid=sum((item.paid for item in items), Decimal("0.00")),
        items=items,
    )
