"""Rules of membership over HTTP: everybody may read them, national users publish new ones."""

from datetime import date, datetime
from typing import Annotated

from services.funding.budgets.operations import follow_rule
from services.funding.dated import RuleIn, page_of_rules
from services.funding.membership_rules import operations
from services.funding.membership_rules.model import MembershipRule, RuleKind
from services.funding.tariffs.model import Confidence
from shared.errors import Invalid
from shared.http import (
    AsAt,
    Idempotent,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    refusals,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("funding", tags=["membership rules"])


class MembershipRuleIn(RuleIn):
    """`last_month` is null for a rule that holds until another replaces it."""

    kind: RuleKind
    confidence: Confidence = Confidence.DERIVED


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
    made = MembershipRule(
        kind=rule.kind,
        counted_on=None,
        paid_from=None,
        confidence=rule.confidence,
        sources=rule.sources,
        note=rule.note,
        published_by=caller.subject,
        published_at=now,
        valid=rule.valid(),
    )
    published = await operations.publish_rule(session, made, now=now)
    await follow_rule(session, made.valid, now)
    return MembershipRuleOut.model_validate(published)


@router.get("/membership-rules", summary="How a practice counts that joins or leaves within a month")
async def list_rules(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[MembershipRuleOut]:
    """The rules as known now or at `known_at`: the one of a day, or all of them."""
    return await page_of_rules(session, MembershipRule, MembershipRuleOut, paging, as_at, known_at)
