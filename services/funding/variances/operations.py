"""Comparing a run with the run before it, and taking note of what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.variances.model import Finding, FindingKind, FindingsNotAcknowledged, VarianceThreshold
from services.funding.variations.model import Overtaken
from shared.audit import audit
from shared.clock import london_day
from shared.facts import as_at, days, record, since

SHIPPED = (
    (FindingKind.STREAM, Decimal(10), Decimal("250000.00")),
    (FindingKind.PAYEE, Decimal(30), Decimal("30000.00")),
)
"""Percent and pounds from which a change is asked about, until somebody sets others."""

COLUMNS = ("id", "run", "kind", "subject", "paid_before", "amount", "threshold_percent", "threshold_amount", "detail")
_SHOWN = 500
_NOTHING = Decimal("0.00")


class Acknowledgement(NamedTuple):
    """A reason for one finding, or for all of a kind that have no reason of their own."""

    finding: str | None
    kind: FindingKind | None
    reason: str


async def ship_thresholds(session: AsyncSession, now: datetime) -> None:
    """The thresholds that hold until others are set; running it again changes nothing."""
    held = set(await session.scalars(select(VarianceThreshold.kind).distinct()))
    for kind, percent, amount in SHIPPED:
        if kind not in held:
            session.add(
                VarianceThreshold(
                    kind=kind,
                    percent=percent,
                    amount=amount,
                    reason="shipped",
                    set_by="system",
                    valid=days(date(2019, 4, 1)),
                    known=since(now),
                )
            )


async def set_threshold(session: AsyncSession, threshold: VarianceThreshold, *, now: datetime) -> VarianceThreshold:
    """From a day on another step between two months is asked about."""
    await record(session, threshold, key=["kind"], now=now)
    return threshold


async def find_variances(
    session: AsyncSession, run: str, month: str, amounts: Mapping[FindingKind, Mapping[str, Decimal]], now: datetime
) -> list[tuple[Any, ...]]:
    """Compare what a run is to pay with the newest issued run of an earlier month: findings as rows of `COLUMNS`.

    The first run of all has nothing to be compared with.
    """
    before = await session.scalar(
        select(PaymentRun.id)
        .where(PaymentRun.status == RunStatus.ISSUED, PaymentRun.month < month)
        .order_by(PaymentRun.month.desc())
        .limit(1)
    )
    if before is None:
        return []
    thresholds = await session.scalars(
        select(VarianceThreshold).where(as_at(VarianceThreshold, london_day(now))).order_by(VarianceThreshold.kind)
    )
    rows: list[tuple[Any, ...]] = []
    for threshold in thresholds.all():
        paid, is_now = await _paid_by(session, before, threshold.kind), amounts[threshold.kind]
        for subject in sorted(paid.keys() | is_now.keys()):
            was, is_ = paid.get(subject, _NOTHING), is_now.get(subject, _NOTHING)
            if threshold.bites(was, is_):
                number, kind = f"{run}-f{len(rows) + 1:05d}", threshold.kind.value
                rows.append((number, run, kind, subject, was, is_, threshold.percent, threshold.amount, None))
    return rows


def find_overtaken(run: str, found: Sequence[Overtaken], after: int) -> list[tuple[Any, ...]]:
    """Variations overtaken by what became known since as rows of `COLUMNS`, numbered on `after` the others."""
    rows: list[tuple[Any, ...]] = []
    for number, one in enumerate(found, after + 1):
        kind = FindingKind.VARIATION_UNCOMPARED if one.totals is None else FindingKind.VARIATION_BELOW
        national, varied = one.totals or (_NOTHING, _NOTHING)
        name = f"{run}-f{number:05d}"
        rows.append((name, run, kind.value, one.variation, national, varied, _NOTHING, _NOTHING, one.detail))
    return rows


async def _paid_by(session: AsyncSession, run: str, kind: FindingKind) -> dict[str, Decimal]:
    column = PaymentLine.stream if kind is FindingKind.STREAM else PaymentLine.payee
    rows = await session.execute(
        select(column, func.sum(PaymentLine.amount))
        .where(PaymentLine.run == run, PaymentLine.amount.is_not(None))
        .group_by(column)
    )
    return {subject: amount or _NOTHING for subject, amount in rows}


async def acknowledge(
    session: AsyncSession, run: str, given: Sequence[Acknowledgement], *, by: str, now: datetime
) -> None:
    """Take note of a run's findings with the reasons given, those for single findings first.

    Raises `FindingsNotAcknowledged` while one is left without a reason.
    """
    for reason in sorted(given, key=lambda one: one.finding is None):
        chosen = Finding.id == reason.finding if reason.finding is not None else Finding.kind == reason.kind
        noted = await session.execute(
            update(Finding)
            .where(Finding.run == run, chosen, Finding.reason.is_(None))
            .values(reason=reason.reason, acknowledged_by=by, acknowledged_at=now)
            .returning(Finding.id)
            .execution_options(synchronize_session=False)
        )
        count = len(noted.all())
        if count:
            audit(
                session,
                action="acknowledged",
                record=f"run_findings/{reason.finding or run}",
                after={"kind": reason.kind, "findings": count, "reason": reason.reason},
            )
    left = await session.scalar(select(func.count()).where(Finding.run == run, Finding.reason.is_(None)))
    if left:
        rest = await session.scalars(
            select(Finding).where(Finding.run == run, Finding.reason.is_(None)).order_by(Finding.id).limit(_SHOWN)
        )
        raise FindingsNotAcknowledged(
            f"{left} findings of the run have no reason yet.", errors=[finding.open_fault() for finding in rest]
        )
