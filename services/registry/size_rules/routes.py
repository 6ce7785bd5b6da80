from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select

from services.registry.codes import Day
from services.registry.size_rules import operations
from services.registry.size_rules.model import SizeRule
from shared.errors import Fault, Invalid
from shared.facts import as_at as true_at
from shared.facts import believed
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
    page,
    service_router,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["size rules"])
Patients = Annotated[Decimal, Field(gt=0, lt=100_000_000, max_digits=8, decimal_places=0)]


class SizeRuleIn(In):
    """Patients, and in `sliver` the square metres two areas may share without overlapping."""

    valid_from: Day
    valid_to: Day | None = None
    smallest: Patients
    large: Patients
    localities_from: Patients
    locality_smallest: Patients
    locality_largest: Patients
    sliver: Annotated[Decimal, Field(ge=0, lt=100_000_000, max_digits=8, decimal_places=0)]
    source: Annotated[str, Field(min_length=3, max_length=1_000)]


class SizeRuleOut(Out):
    valid_from: date
    valid_to: date | None
    smallest: Decimal
    large: Decimal
    localities_from: Decimal
    locality_smallest: Decimal
    locality_largest: Decimal
    sliver: Decimal
    source: str
    made_by: str


@router.get("/size-rules", response_model=Page[SizeRuleOut])
async def list_size_rules(
    session: Reading,
    _: Annotated[Caller, allow(*ANY_ROLE)],
    paging: Paging,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """The figures networks are measured by, through time or on one day."""
    known = believed(SizeRule, known_at)
    statement = select(SizeRule).where(known if as_at is None else true_at(SizeRule, as_at, known_at))
    rows, following = await page(session, statement, [SizeRule.fact_id], paging)
    return {"items": [row[0] for row in rows], "next": following}


@router.post("/size-rules", response_model=SizeRuleOut, status_code=201)
async def publish(
    rule: SizeRuleIn,
    session: Transaction,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    now: Now,
    _: Idempotent,
) -> SizeRule:
    """Publish the figures networks are measured by from a day on."""
    if rule.valid_to is not None and rule.valid_to < rule.valid_from:
        fault = Fault("valid_to", "before_valid_from", f"{rule.valid_to} lies before {rule.valid_from}.")
        raise Invalid("The days are not in order.", errors=[fault])
    return await operations.publish_rule(
        session,
        caller=caller,
        first=rule.valid_from,
        last=rule.valid_to,
        figures=rule.model_dump(exclude={"valid_from", "valid_to", "source"}),
        source=rule.source,
        now=now,
    )
