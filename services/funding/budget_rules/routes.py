"""Rules of sums over HTTP: everybody may read them, national users publish new ones."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from services.funding.budget_rules.model import BudgetRule, BudgetRuleKind
from services.funding.budgets.operations import follow_rule
from services.funding.dated import page_of_rules
from shared.errors import Invalid
from shared.facts import days, record
from shared.http import (
    AsAt,
    Idempotent,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    one_fault,
    refusals,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.years import ContractYear, year_end, year_start

router = service_router("funding", tags=["budget rules"])


class BudgetRuleIn(In):
    """`last_year` is null for a rule that holds until another replaces it."""

    kind: BudgetRuleKind
    first_year: ContractYear
    last_year: ContractYear | None = None
    sources: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] = []
    note: Annotated[str, Field(min_length=1, max_length=500, description="Why the rule is as it is")]


class BudgetRuleOut(Out):
    kind: BudgetRuleKind
    valid_from: date
    valid_to: date | None
    sources: list[str]
    note: str
    published_by: str
    published_at: datetime


@router.post(
    "/budget-rules", status_code=201, responses=refusals(Invalid), summary="Publish how sums follow members and rights"
)
async def publish_rule(
    rule: BudgetRuleIn,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    session: Transaction,
    now: Now,
    _: Idempotent,
) -> BudgetRuleOut:
    """From now on the sums of these years count by this rule: all that were set are set again, those that change are
    announced, and claims that wait are checked again."""
    last = rule.last_year
    if last is not None and last < rule.first_year:
        raise one_fault("body.last_year", "before_first_year", "The last year lies before the first.")
    made = BudgetRule(
        kind=rule.kind,
        sources=rule.sources,
        note=rule.note,
        published_by=caller.subject,
        published_at=now,
        valid=days(year_start(rule.first_year), None if last is None else year_end(last)),
    )
    await record(session, made, key=[], now=now)
    await follow_rule(session, made.valid, now)
    return BudgetRuleOut.model_validate(made)


@router.get("/budget-rules", summary="How a sum follows members and rights through the year")
async def list_rules(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[BudgetRuleOut]:
    """The rules as known now or at `known_at`: the one of a day, or all of them."""
    return await page_of_rules(session, BudgetRule, BudgetRuleOut, paging, as_at, known_at)
