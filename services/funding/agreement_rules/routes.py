"""Rules on agreements as a condition of payment over HTTP: everybody may read them, national users publish them."""

from datetime import date, datetime
from typing import Annotated

from services.funding.agreement_rules.model import AgreementRule
from services.funding.dated import RuleIn, page_of_rules
from shared.errors import Invalid
from shared.facts import record
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

router = service_router("funding", tags=["agreement rules"])


class AgreementRuleIn(RuleIn):
    """`needed`: from the first month on nothing is paid to a network approved by application before an agreement is in
    force. `last_month` is null for a rule that holds until another replaces it."""

    needed: bool


class AgreementRuleOut(Out):
    needed: bool
    valid_from: date
    valid_to: date | None
    sources: list[str]
    note: str
    published_by: str
    published_at: datetime


@router.post(
    "/agreement-rules",
    status_code=201,
    responses=refusals(Invalid),
    summary="Publish whether an agreement is needed for payment",
)
async def publish_rule(
    rule: AgreementRuleIn,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    session: Transaction,
    now: Now,
    _: Idempotent,
) -> AgreementRuleOut:
    """From the next run on the months count by this rule; what was paid by another stays paid."""
    made = AgreementRule(
        needed=rule.needed,
        sources=rule.sources,
        note=rule.note,
        published_by=caller.subject,
        published_at=now,
        valid=rule.valid(),
    )
    await record(session, made, key=[], now=now)
    return AgreementRuleOut.model_validate(made)


@router.get("/agreement-rules", summary="Whether a network is paid before its agreement is in force")
async def list_rules(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[AgreementRuleOut]:
    """The rules as known now or at `known_at`: the one of a day, or all of them."""
    return await page_of_rules(session, AgreementRule, AgreementRuleOut, paging, as_at, known_at)
