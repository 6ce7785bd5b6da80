"""The onward split over HTTP: private to the network, its payee and its members."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field, model_validator
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.dated import DatedIn, Day
from services.funding.distributions import operations
from services.funding.distributions.model import (
    GIVEN,
    UNITS,
    AgreedTerms,
    AlreadyDistributed,
    Distribution,
    DistributionPart,
    DistributionRule,
    NoRuleAgreed,
    NotMembers,
    PopulationMissing,
)
from services.funding.distributions.operations import (
    DistributionNotFound,
    NetworkNotFound,
    PaymentNotFound,
    distributions_seen,
    rules_seen,
)
from services.funding.distributions.sharing import Method, NothingToShareBy, OverDistributed
from services.funding.lines.words import pounds
from services.funding.money import plain
from shared.facts import as_at as held_at
from shared.facts import days
from shared.history import as_known
from shared.http import (
    AsAt,
    Idempotent,
    In,
    KnownAt,
    MoneyIn,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
)
from shared.identity import Caller, Role, allow
from shared.years import Month

router = service_router("funding", tags=["distributions"])

Network = Annotated[Caller, allow(Role.NETWORK)]
Divides = Annotated[Caller, allow(Role.NETWORK, Role.PAYEE)]
Sees = Annotated[Caller, allow(Role.NETWORK, Role.PAYEE, Role.PRACTICE)]
Code = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[A-Z0-9]+$")]
NetworkCode = Annotated[str, Field(pattern=r"^U[0-9]{5}$")]
Weight = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=4)]


class CostIn(In):
    """Pounds taken off every payment before it is shared."""

    what: Annotated[str, Field(min_length=1, max_length=200)]
    amount: Annotated[MoneyIn, Field(gt=0)]


class DistributionRuleIn(DatedIn):
    """`parts` gives each practice's pounds a payment (fixed), per cent (custom) or points; other methods have none."""

    network: NetworkCode
    method: Method
    parts: Annotated[dict[Code, Weight], Field(max_length=500)] = {}
    costs: Annotated[list[CostIn], Field(max_length=50)] = []
    agreed_on: Day
    note: Annotated[str, Field(max_length=1000)] = ""

    @model_validator(mode="after")
    def as_the_method_wants(self) -> "DistributionRuleIn":
        if (self.method in GIVEN) != bool(self.parts):
            raise ValueError("fixed, custom and points, and only those, say each practice's part")
        if self.method is Method.FIXED and any(part.as_tuple().exponent < -2 for part in self.parts.values()):  # type: ignore[operator]
            raise ValueError("fixed parts are pounds with two decimal places")
        return self


class CostOut(Out):
    what: str
    amount: MoneyOut


class DistributionRuleOut(Out):
    network: str
    method: Method
    parts: dict[str, Decimal]
    costs: list[CostOut]
    agreed_on: date
    note: str
    valid_from: date
    valid_to: date | None
    set_by: str


class SuggestionOut(Out):
    """A rule as a signed agreement would have it; points and costs are agreed month by month and not in it."""

    network: str
    agreement_version: int
    in_force_from: date
    last_day: date | None
    method: Method
    parts: dict[str, Decimal]
    points_weighted: bool
    costs_first: bool


class DistributionIn(In):
    """The issued payment to divide; `payee` only where the run paid the network's money to several."""

    run: Annotated[str, Field(min_length=1, max_length=64)]
    network: NetworkCode
    payee: Code | None = None


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
    "/distribution-rules",
    status_code=201,
    responses=refusals(NetworkNotFound, OverDistributed),
    summary="Agree how a network's money is divided",
)
async def agree_rule(
    rule: DistributionRuleIn, session: Transaction, caller: Network, now: Now, _: Idempotent
) -> DistributionRuleOut:
    """From a day on payments are divided by another rule; what was agreed before stays answerable."""
    made = DistributionRule(
        network=rule.network,
        method=rule.method,
        parts={practice: str(part) for practice, part in rule.parts.items()},
        costs=[{"what": cost.what, "amount": str(cost.amount)} for cost in rule.costs],
        agreed_on=rule.agreed_on,
        note=rule.note,
        set_by=caller.subject,
        valid=days(rule.valid_from, rule.valid_to),
    )
    return DistributionRuleOut.model_validate(await operations.agree_rule(session, made, caller=caller, now=now))


@router.get("/distribution-rules", summary="Rules agreed")
async def list_rules(
    session: Reading,
    paging: Paging,
    caller: Sees,
    today: Today,
    network: Annotated[str | None, Query(max_length=32)] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[DistributionRuleOut]:
    """The rules that hold on the day `as_at` in the caller's networks."""
    statement = select(DistributionRule).where(held_at(DistributionRule, as_at or today, known_at), rules_seen(caller))
    if network is not None:
        statement = statement.where(DistributionRule.network == network)
    found, following = await page(session, statement, [DistributionRule.fact_id], paging)
    return Page(items=[DistributionRuleOut.model_validate(row[0]) for row in found], next=following)


@router.get("/distribution-suggestions", summary="What network agreements say of dividing money")
async def list_suggestions(
    session: Reading,
    paging: Paging,
    caller: Sees,
    today: Today,
    network: Annotated[str | None, Query(max_length=32)] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[SuggestionOut]:
    """The finance schedules of agreements in force on the day `as_at`, as rules a network may agree to."""
    stood = as_known(AgreedTerms, known_at)
    day = as_at or today
    statement = select(stood).where(
        stood.method.is_not(None),
        stood.in_force_from <= day,
        or_(stood.last_day.is_(None), stood.last_day >= day),
        rules_seen(caller, stood.network),
    )
    if network is not None:
        statement = statement.where(stood.network == network)
    found, following = await page(session, statement, [stood.network, stood.agreement_version], paging)
    return Page(items=[SuggestionOut.model_validate(row[0]) for row in found], next=following)


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
