"""Payment runs and their lines over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import Field, model_validator
from sqlalchemy import select

from services.funding.payments import operations
from services.funding.payments.model import (
    ControlTotalsDiffer,
    MonthNotBegun,
    PaymentRun,
    RunInProgress,
    RunIssued,
    RunNotApproved,
    RunNotCalculated,
    RunStatus,
    SamePerson,
)
from services.funding.payments.operations import RunNotFound
from services.funding.variances.model import FindingKind, FindingsNotAcknowledged
from services.funding.variances.operations import Acknowledgement
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month

router = service_router("funding", tags=["payments"])

RunId = Annotated[str, Path(max_length=64)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
Watches = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR)]


class RunIn(In):
    """The month to pay."""

    month: Month


class AcknowledgementIn(In):
    """A reason for one `finding` of the run, or for all of a `kind` that have none of their own."""

    finding: Annotated[str | None, Field(min_length=1, max_length=80)] = None
    kind: FindingKind | None = None
    reason: Annotated[str, Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def one_of_both(self) -> "AcknowledgementIn":
        if (self.finding is None) == (self.kind is None):
            raise ValueError("name a finding or a kind, one of the two")
        return self


class ApprovalIn(In):
    acknowledgements: Annotated[list[AcknowledgementIn], Field(max_length=10_000)] = []


class Total(Out):
    lines: int
    amount: MoneyOut


class RunOut(Out):
    """`totals` by stream, `held` (lines by reason), `findings` (by kind) and `notes` are fixed by the calculation.

    `notes.months_covered` names earlier months for which nobody was paid yet and this run pays,
    `notes.variations_below_national` the local variations that rates or lists known since make too small.
    """

    id: str
    month: str
    contract_year: str
    status: RunStatus
    known_at: datetime
    total: MoneyOut
    lines: int
    totals: dict[str, Total]
    held: dict[str, int]
    findings: dict[str, int]
    notes: dict[str, Any]
    calculated_by: str
    calculated_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    issued_by: str | None
    issued_at: datetime | None
    abandoned_by: str | None
    abandoned_at: datetime | None


@router.post(
    "/payment-runs", status_code=201, responses=refusals(RunInProgress, MonthNotBegun), summary="Calculate a month"
)
async def calculate_run(
    run: RunIn,
    request: Request,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    _: Idempotent,
) -> RunOut:
    """Work out what everybody is due for the year through the month and has not been paid."""
    made = await operations.calculate_run(
        session, run.month, request.app.state.runtime.moment, by=caller.subject, now=now
    )
    tag(response, made)
    response.headers["Location"] = f"/funding/v1/payment-runs/{made.id}"
    return RunOut.model_validate(made)


@router.get("/payment-runs", summary="Payment runs")
async def list_runs(
    session: Reading,
    paging: Paging,
    caller: Watches,
    month: Month | None = None,
    contract_year: ContractYear | None = None,
    status: RunStatus | None = None,
    known_at: KnownAt = None,
) -> Page[RunOut]:
    """Every run, the oldest first."""
    stood = as_known(PaymentRun, known_at)
    statement = select(stood)
    for column, wanted in (
        (stood.month, month),
        (stood.contract_year, contract_year),
        (stood.status, status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[RunOut.model_validate(row[0]) for row in found], next=following)


@router.get("/payment-runs/{run_id}", responses=refusals(RunNotFound), summary="One run with its control totals")
async def read_run(
    session: Reading, response: Response, caller: Watches, run_id: RunId, known_at: KnownAt = None
) -> RunOut:
    """A run with its control totals and what it holds."""
    run = await operations.run_seen(session, run_id, known_at=known_at)
    tag(response, run)
    return RunOut.model_validate(run)


@router.put(
    "/payment-runs/{run_id}/approval",
    responses=refusals(
        RunNotFound,
        SamePerson,
        RunNotCalculated,
        ControlTotalsDiffer,
        FindingsNotAcknowledged,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Approve a run",
)
async def approve_run(
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    run_id: RunId,
    approval: ApprovalIn | None = None,
    if_match: IfMatch = None,
) -> RunOut:
    """A second person agrees to what the run shows; it pays exactly that. Whatever was found unusual needs a reason."""
    given = (
        [Acknowledgement(one.finding, one.kind, one.reason) for one in approval.acknowledgements] if approval else []
    )
    run = await operations.approve_run(session, run_id, if_match, given, by=caller.subject, now=now)
    tag(response, run)
    return RunOut.model_validate(run)


@router.put(
    "/payment-runs/{run_id}/issue",
    responses=refusals(RunNotFound, RunNotApproved, ControlTotalsDiffer, PreconditionFailed, PreconditionMissing),
    summary="Issue a run",
)
async def issue_run(
    session: Transaction, response: Response, caller: Finance, now: Now, run_id: RunId, if_match: IfMatch = None
) -> RunOut:
    """Leave the run for payment. Asked again, it answers the same and pays nothing twice."""
    run = await operations.issue_run(session, run_id, if_match, by=caller.subject, now=now)
    tag(response, run)
    return RunOut.model_validate(run)


@router.put(
    "/payment-runs/{run_id}/abandonment",
    responses=refusals(RunNotFound, RunIssued, PreconditionFailed, PreconditionMissing),
    summary="Give a run up",
)
async def abandon_run(
    session: Transaction, response: Response, caller: Finance, now: Now, run_id: RunId, if_match: IfMatch = None
) -> RunOut:
    """Give the run up unpaid, so that the month can be calculated afresh."""
    run = await operations.abandon_run(session, run_id, if_match, by=caller.subject, now=now)
    tag(response, run)
    return RunOut.model_validate(run)
