"""Findings of runs and the thresholds behind them, over HTTP."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, Field
from sqlalchemy import select

from services.funding.dated import DatedIn
from services.funding.payments.operations import RunNotFound, run_seen
from services.funding.variances import operations
from services.funding.variances.model import VARIANCES, Finding, FindingKind, VarianceThreshold
from shared.facts import as_at as held_at
from shared.facts import days
from shared.history import as_known
from shared.http import (
    AsAt,
    Idempotent,
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

router = service_router("funding", tags=["payments"])

Finance = Annotated[Caller, allow(Role.NATIONAL)]
Watches = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR)]


class FindingOut(Out):
    """`subject` is the stream or payee; `paid_before` what the run before paid it, `amount` what this one does.

    Of a local variation `subject` is its id, `amount` what it comes to for the practices that agree and `paid_before`
    what the national rates do; `detail` says what was found in words.
    """

    id: str
    run: str
    kind: FindingKind
    subject: str
    paid_before: MoneyOut
    amount: MoneyOut
    threshold_percent: Decimal
    threshold_amount: MoneyOut
    detail: str | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    reason: str | None


def _compares_months(kind: FindingKind) -> FindingKind:
    if kind not in VARIANCES:
        raise ValueError("only what compares two months has a threshold")
    return kind


class ThresholdIn(DatedIn):
    """A change is asked about when it is at least `amount` pounds and at least `percent` of the month before."""

    kind: Annotated[FindingKind, AfterValidator(_compares_months)]
    percent: Annotated[Decimal, Field(ge=0, le=1000, max_digits=8, decimal_places=3)]
    amount: Annotated[MoneyIn, Field(ge=0)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class ThresholdOut(Out):
    kind: FindingKind
    percent: Decimal
    amount: MoneyOut
    reason: str
    valid_from: date
    valid_to: date | None
    set_by: str


@router.get("/payment-runs/{run_id}/findings", responses=refusals(RunNotFound), summary="What is unusual about a run")
async def list_findings(
    session: Reading,
    paging: Paging,
    caller: Watches,
    run_id: Annotated[str, Path(max_length=64)],
    kind: FindingKind | None = None,
    acknowledged: bool | None = None,
    known_at: KnownAt = None,
) -> Page[FindingOut]:
    """Streams and payees whose month differs from the month before by more than the threshold of the day, and local
    variations that rates or lists known since make too small."""
    stood = as_known(Finding, known_at)
    await run_seen(session, run_id, known_at=known_at)
    statement = select(stood).where(stood.run == run_id)
    if kind is not None:
        statement = statement.where(stood.kind == kind)
    if acknowledged is not None:
        statement = statement.where(stood.reason.is_not(None) if acknowledged else stood.reason.is_(None))
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[FindingOut.model_validate(row[0]) for row in found], next=following)


@router.get("/variance-thresholds", summary="From which change on a run is asked about")
async def list_thresholds(
    session: Reading, paging: Paging, caller: Watches, today: Today, as_at: AsAt = None, known_at: KnownAt = None
) -> Page[ThresholdOut]:
    """The thresholds that hold on the day `as_at`."""
    statement = select(VarianceThreshold).where(held_at(VarianceThreshold, as_at or today, known_at))
    found, following = await page(session, statement, [VarianceThreshold.fact_id], paging)
    return Page(items=[ThresholdOut.model_validate(row[0]) for row in found], next=following)


@router.post("/variance-thresholds", status_code=201, summary="Set a threshold")
async def set_threshold(
    threshold: ThresholdIn, session: Transaction, caller: Finance, now: Now, _: Idempotent
) -> ThresholdOut:
    """From a day on another step between two months is asked about; what held before stays answerable."""
    made = VarianceThreshold(
        **threshold.model_dump(exclude={"valid_from", "valid_to"}),
        valid=days(threshold.valid_from, threshold.valid_to),
        set_by=caller.subject,
    )
    return ThresholdOut.model_validate(await operations.set_threshold(session, made, now=now))
