"""Rules of the onward split over HTTP: private to the network, its payee and its members."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from pydantic import Field, model_validator
from sqlalchemy import select

from services.funding.codes import NetworkCode, OrganisationCode
from services.funding.dated import DatedIn, Day
from services.funding.distributions import operations
from services.funding.distributions.agreement import terms_on
from services.funding.distributions.model import (
    GIVEN,
    DistributionRule,
)
from services.funding.distributions.operations import (
    NetworkNotFound,
    rules_seen,
)
from services.funding.distributions.routes import CostOut, Sees
from services.funding.distributions.sharing import Method, OverDistributed
from shared.facts import as_at as held_at
from shared.facts import days
from shared.http import (
    AsAt,
    Idempotent,
    In,
    KnownAt,
    MoneyIn,
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

router = service_router("funding", tags=["distributions"])

Network = Annotated[Caller, allow(Role.NETWORK)]
Weight = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=4)]


class CostIn(In):
    """Pounds taken off every payment before it is shared."""

    what: Annotated[str, Field(min_length=1, max_length=200)]
    amount: Annotated[MoneyIn, Field(gt=0)]


class DistributionRuleIn(DatedIn):
    """`parts` gives each practice's pounds a payment (fixed), per cent (custom) or points; other methods have none."""

    network: NetworkCode
    method: Method
    parts: Annotated[dict[OrganisationCode, Weight], Field(max_length=500)] = {}
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
    """The finance schedule of the agreement of each network on the day `as_at`, as a rule it may agree to."""
    stood, of_day = terms_on(as_at or today, known_at)
    statement = of_day.where(rules_seen(caller, stood.network))
    if network is not None:
        statement = statement.where(stood.network == network)
    found, following = await page(session, statement, [stood.network, stood.agreement_version], paging)
    items = [SuggestionOut.model_validate(row[0]).model_copy(update={"last_day": row[0].ends_on}) for row in found]
    return Page(items=items, next=following)
