"""Entitlements over HTTP: computed when asked, by the rules that pay."""

from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal, localcontext
from typing import Annotated

from fastapi import Query
from sqlalchemy import select

from services.funding.entitlements.minutes import duties_of
from services.funding.entitlements.queries import load_year
from services.funding.money import EXACT, PARTS, to_pence
from services.funding.networks.members import networks_of
from services.funding.networks.model import Network
from services.funding.payments.engine import Key, Portion, Year, portions, product, settled
from services.funding.scope import networks_seen
from shared.errors import Invalid, NotFound
from shared.http import KnownAt, Moment, MoneyOut, Now, Out, one_fault, refusals, service_router
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
    """One stream of a network, or of one practice in it: due through the month asked about, paid, and what is held.

    `scopes` are the local variations whose rates are part of it.
    """

    stream: str
    practice: str | None
    basis: str
    tariffs: list[str]
    scopes: list[str]
    confidence: list[str]
    population: Decimal | None
    due: MoneyOut
    paid: MoneyOut
    held: list[HeldOut]


class MaximumOut(Out):
    """The most that may be earned by achievement or claimed for the months asked about; null while it waits."""

    stream: str
    practice: str | None
    basis: str
    tariffs: list[str]
    confidence: list[str]
    population: Decimal | None
    maximum: MoneyOut | None
    held: list[HeldOut]


class WithdrawalOut(Out):
    """A right to be paid that was withdrawn; `practice` is null where it was the network's."""

    withdrawal: str
    practice: str | None
    withdrawn_from: date
    restored_from: date | None
    reason: str


class MinutesOut(Out):
    """Minutes of access to offer in a week of the month, by the year's rule, with what they rest on.

    `minutes` is null, and `held` says why, while the patients cannot be counted. `scope` is the local variation that
    asks for them, of the patients of practices that agreed, or `national`, of all others.
    """

    duty: str
    scope: str
    month: str
    per_1000: Decimal
    basis: str
    snapshot: date
    population: Decimal | None
    minutes: Decimal | None
    time: str | None
    rounded_to: int | None
    confidence: str
    held: str | None


class OwedOut(Out):
    """A duty of the month and the practices whose patients it is for; `instead_of` is the national one it replaces."""

    duty: str
    scope: str
    name: str
    description: str
    instead_of: str | None
    practices: list[str]


class EntitlementsOut(Out):
    network: str
    contract_year: str
    through: str
    due: MoneyOut
    paid: MoneyOut
    items: list[EntitlementOut]
    maxima: list[MaximumOut]
    weekly_minutes: list[MinutesOut]
    duties: list[OwedOut]
    withdrawals: list[WithdrawalOut]


def _entitlement(key: Key, parts: list[Portion], year: Year) -> EntitlementOut:
    ahead, holds = settled(parts)
    with localcontext(EXACT):
        total = sum((product(part) for months in ahead.values() for part in months), Decimal(0))
    last = [part for part in parts if part.month == parts[-1].month]
    counted = None if any(part.heads.hold for part in last) else sum(part.heads.population for part in last)
    return EntitlementOut(
        stream=key.stream,
        practice=key.practice,
        basis=last[0].rate.basis,
        tariffs=list(dict.fromkeys(part.rate.tariff for part in parts)),
        scopes=list(dict.fromkeys(part.rate.scope for part in parts if part.rate.scope)),
        confidence=list(dict.fromkeys(part.rate.confidence for part in parts)),
        population=None if counted is None else Decimal(counted),
        due=to_pence(total, PARTS),
        paid=sum(year.paid.get(key, {}).values(), Decimal("0.00")),
        held=[HeldOut(months=list(months), code=hold.code, reason=hold.detail) for hold, months in holds.items()],
    )


def _maximum(key: Key, parts: list[Portion], year: Year) -> MaximumOut:
    told = _entitlement(key, parts, year)
    return MaximumOut(
        **told.model_dump(exclude={"due", "held"}), maximum=None if told.held else told.due, held=told.held
    )


def _no_longer_due(year: Year, seen: Collection[Key]) -> Iterator[EntitlementOut]:
    """What was paid by head or bed and is not due at all, as things are known: the next run asks it back."""
    bases = {rate.stream: rate.basis for rates in year.rates.values() for rate in rates}
    for key, paid in year.paid.items():
        amount = sum(paid.values(), Decimal("0.00"))
        if key not in seen and key.stream in bases and amount:
            yield EntitlementOut(
                stream=key.stream,
                practice=key.practice,
                basis=bases[key.stream],
                tariffs=[],
                scopes=[],
                confidence=[],
                population=None,
                due=Decimal("0.00"),
                paid=amount,
                held=[],
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
    known_at: KnownAt = None,
) -> EntitlementsOut:
    """What is paid by head or bed, and what the network delivers; a practice sees what is its own.

    `maxima` are what achievement may earn and what practices may claim; claims stand under `/claims`, sums under
    `/budgets`.
    """
    through = month or months_of(contract_year)[-1]
    if year_of(through) != contract_year:
        raise one_fault("query.month", "outside_year", f"{through} does not lie in {contract_year}.")
    seen = await session.scalar(select(Network.code).where(Network.code == network, networks_seen(caller)))
    own: frozenset[str] | None = None
    if seen is None:
        own = caller.organisations if caller.has(Role.PRACTICE) else frozenset()
        if network not in await networks_of(session, own):
            raise EntitlementNotFound(f"No network {network}.")
    year = await load_year(session, contract_year, through, now, networks=[network], known_at=known_at)
    made = dict(portions(year))
    items = [
        *(_entitlement(key, parts, year) for key, parts in made.items()),
        *_no_longer_due(year, made),
    ]
    items = [item for item in items if own is None or (item.practice is not None and item.practice in own)]
    maxima = [
        _maximum(key, parts, year)
        for key, parts in portions(year, maxima=True)
        if own is None or (key.practice is not None and key.practice in own)
    ]
    withdrawn = {
        fact["withdrawal"]: fact
        for (_, practice), by_month in year.withdrawn.items()
        if own is None or practice is None or practice in own
        for facts in by_month.values()
        for fact in facts
    }
    owed, minutes = await duties_of(session, year, network, known_at=known_at)
    return EntitlementsOut(
        network=network,
        contract_year=contract_year,
        through=through,
        due=sum((item.due for item in items), Decimal("0.00")),
        paid=sum((item.paid for item in items), Decimal("0.00")),
        items=items,
        maxima=maxima,
        weekly_minutes=[] if own is not None else [MinutesOut.model_validate(one) for one in minutes],
        duties=[
            OwedOut(
                duty=one.duty.duty,
                scope=one.duty.scope,
                name=one.duty.name,
                description=one.duty.description,
                instead_of=one.duty.instead_of,
                practices=[code for code in one.practices if own is None or code in own],
            )
            for one in owed
            if own is None or own.intersection(one.practices)
        ],
        withdrawals=[WithdrawalOut(**fact) for fact in withdrawn.values()],
    )
