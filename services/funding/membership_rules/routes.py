"""Rules of membership over HTTP: everybody may read them, national users publish new ones."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from services.funding.membership_rules import operations
from services.funding.membership_rules.model import MembershipRule, RuleKind
from services.funding.tariffs.model import Confidence
from shared.errors import Invalid
from shared.facts import believed, days
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
    page,
    refusals,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.years import Month, first_day, last_day

router = service_router("funding", tags=["membership rules"])


class MembershipRuleIn(In):
    """`last_month` is null for a rule that holds until another replaces it."""

    kind: RuleKind
    first_month: Month
    last_month: Month | None = None
    confidence: Confidence = Confidence.DERIVED
    sources: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] = []
    note: Annotated[str, Field(min_length=1, max_length=500, description="Why the rule is as it is")]


class MembershipRuleOut(Out):
    """`counted_on` is the one day that decides a month counted whole, where it is not the first of the month.

    `paid_from` is the month whose run first pays the months before it.
    """

    kind: RuleKind
    valid_from: date
    valid_to: date | None
    counted_on: date | None
    paid_from: str | None
    confidence: Confidence
    sources: list[str]
    note: str
    published_by: str
    published_at: datetime


@router.post("/membership-rules", status_code=201, responses=refusals(Invalid), summary="Publish a rule of membership")
async def publish_rule(
    rule: MembershipRuleIn,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    session: Transaction,
    now: Now,
    _: Idempotent,
) -> MembershipRuleOut:
    """How membership counts in these months from now on; what was paid by another rule is adjusted by the next run."""
    last = rule.last_month
    if last is not None and last < rule.first_month:
        raise one_fault("body.last_month", "before_first_month", "The last month lies before the first.")
    made = MembershipRule(
        kind=rule.kind,
        counted_on=None,
        paid_from=None,
        confidence=rule.confidence,
        sources=rule.sources,
        note=rule.note,
        published_by=caller.subject,
        published_at=now,
        valid=days(first_day(rule.first_month), None if last is None else last_day(last)),
    )
    return MembershipRuleOut.model_validate(await operations.publish_rule(session, made, now=now))


@router.get("/membership-rules", summary="How a practice counts that joins or leaves within a month")
async def list_rules(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[MembershipRuleOut]:
    """The rules as known now or at `known_at`: the one of a day, or all of them."""
    statement = select(MembershipRule).where(believed(MembershipRule, known_at))
    if as_at is not None:
        statement = statement.where(MembershipRule.valid.contains(as_at))
    found, following = await page(session, statement, [MembershipRule.fact_id], paging)
    return Page(items=[MembershipRuleOut.model_validate(row[0]) for row in found], next=following)
