"""Checks of real payments over HTTP: a file is received, compared, and every difference stands in its class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import ValidationError
from sqlalchemy import select
from starlette.datastructures import UploadFile

from services.funding.checks import operations
from services.funding.checks.files import FileKind, PaymentFileRefused
from services.funding.checks.model import (
    Check,
    CheckNotFound,
    CheckStatus,
    FileCheckedBefore,
    NothingOfYours,
    PublicationNotYours,
)
from services.funding.comparisons.cases import Difference, Evidence
from shared.errors import Fault, Invalid, PreconditionFailed, PreconditionMissing
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
    one_fault,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.problems import faults_of
from shared.years import ContractYear, Month, year_of

router = service_router("funding", tags=["checks"])

CheckId = Annotated[str, Path(max_length=64)]
Users = (Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE, Role.PAYEE)
Seen = Annotated[Caller, allow(*Users)]


class CheckForm(In):
    contract_year: ContractYear
    through: Month | None = None


class RefusedRowOut(Out):
    line: int
    column: str
    code: str
    reason: str


class ClassOut(Out):
    """The lines of one class; `evidence` says by which test how many of them were found."""

    difference: Difference
    lines: int
    with_payment: int
    paid: MoneyOut
    due: MoneyOut
    evidence: dict[Evidence, int]


class TotalsOut(Out):
    """One payment of the file. `ratio` is paid to due over the lines whose due is known; `explained` is the part of
    the lines with a payment that are in a class other than `unexplained` and `held`."""

    payment: str
    lines: int
    with_payment: int
    paid: MoneyOut
    due: MoneyOut
    ratio: Decimal | None
    explained: Decimal | None
    classes: list[ClassOut]


class CheckBrief(Out):
    id: str
    contract_year: str
    through: str
    kind: FileKind
    file_name: str
    sha256: str
    rows: int
    refused_rows: int
    status: CheckStatus
    received_by: str
    received_at: datetime
    comparison: int
    compared_by: str | None
    compared_at: datetime | None


class CheckOut(CheckBrief):
    """A check with what the caller may see of its newest comparison; `rests_on` names the files and lists used."""

    refused: list[RefusedRowOut]
    rests_on: list[str]
    totals: list[TotalsOut]


_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "contract_year"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The yearly publication as it is, or CSV with network, practice, stream, "
                            "amount; gzip if you like",
                        },
                        "contract_year": {"type": "string", "example": "2020-21"},
                        "through": {
                            "type": "string",
                            "example": "2021-03",
                            "description": "The last month the file covers; the whole year unless given",
                        },
                    },
                }
            }
        },
    }
}


async def _out(session: Any, check: Check, caller: Caller) -> CheckOut:
    rows = await operations.totals_of(session, check, check.comparison, caller)
    brief = CheckBrief.model_validate(check).model_dump()
    return CheckOut(
        **brief,
        refused=[RefusedRowOut.model_validate(row) for row in check.refused if caller.everywhere or check.owner],
        rests_on=check.rests_on,
        totals=_totals(rows),
    )


def _totals(rows: Collection[Any]) -> list[TotalsOut]:
    by_payment: dict[str, dict[Difference, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_payment[row.payment][row.difference].append(row)
    made = []
    for payment, classes in by_payment.items():
        every = [row for found in classes.values() for row in found]
        with_payment, due = _sum(every, "with_payment"), _sum(every, "due")
        open_ = [row for found in (Difference.UNEXPLAINED, Difference.HELD) for row in classes.get(found, [])]
        unexplained = _sum(open_, "with_payment")
        made.append(
            TotalsOut(
                payment=payment,
                lines=_sum(every, "lines"),
                with_payment=with_payment,
                paid=_sum(every, "paid"),
                due=due,
                ratio=_ratio(_sum(every, "paid_where_due"), due),
                explained=_ratio(with_payment - unexplained, with_payment),
                classes=[
                    ClassOut(
                        difference=difference,
                        lines=_sum(classes[difference], "lines"),
                        with_payment=_sum(classes[difference], "with_payment"),
                        paid=_sum(classes[difference], "paid"),
                        due=_sum(classes[difference], "due"),
                        evidence={row.evidence: row.lines for row in classes[difference]},
                    )
                    for difference in Difference
                    if difference in classes
                ],
            )
        )
    return made


def _sum(rows: Collection[Any], name: str) -> Any:
    return sum((getattr(row, name) for row in rows), 0)


def _ratio(part: Any, whole: Any) -> Decimal | None:
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001")) if whole else None


async def _sent(request: Request) -> tuple[CheckForm, str, bytes]:
    # the form is read here and not by a parameter: the Idempotency-Key needs the raw body first
    async with request.form(max_files=1, max_fields=5) as form:
        given = {key: value for key, value in form.items() if isinstance(value, str) and value}
        file = form.get("file")
        faults = []
        if not isinstance(file, UploadFile):
            faults.append(Fault("body.file", "missing", "Send the file itself."))
        try:
            asked = CheckForm.model_validate(given)
        except ValidationError as error:
            faults += faults_of([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()])
        if faults or not isinstance(file, UploadFile):
            raise Invalid("The form is not complete.", errors=faults)
        if asked.through is not None and year_of(asked.through) != asked.contract_year:
            raise one_fault("body.through", "outside_year", f"{asked.through} is no month of {asked.contract_year}.")
        return asked, file.filename or "file", await file.read()


@router.post(
    "/checks",
    status_code=201,
    responses=refusals(PaymentFileRefused, NothingOfYours, PublicationNotYours, FileCheckedBefore),
    openapi_extra=_FORM,
    summary="Have a payment file compared with what was due",
)
async def receive_file(
    request: Request, response: Response, session: Transaction, caller: Seen, now: Now, _: Idempotent
) -> CheckOut:
    """Bad rows are refused one by one, with line and reason; a payee's file may only speak of its own organisations."""
    asked, name, data = await _sent(request)
    check = await operations.receive_file(
        session, name, data, contract_year=asked.contract_year, through=asked.through, caller=caller, now=now
    )
    response.headers["Location"] = f"/funding/v1/checks/{check.id}"
    tag(response, check)
    return await _out(session, check, caller)


@router.get("/checks", summary="Payment files received")
async def list_checks(
    session: Reading,
    paging: Paging,
    caller: Seen,
    contract_year: ContractYear | None = None,
    known_at: KnownAt = None,
) -> Page[CheckBrief]:
    """Publications, and the files of the caller's own organisations."""
    stood = as_known(Check, known_at)
    statement = select(stood).where(operations.checks_seen(caller, stood))
    if contract_year is not None:
        statement = statement.where(stood.contract_year == contract_year)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[CheckBrief.model_validate(row[0]) for row in found], next=following)


@router.get("/checks/{check_id}", responses=refusals(CheckNotFound), summary="A check: totals, ratio and classes")
async def read_check(
    session: Reading, response: Response, caller: Seen, check_id: CheckId, known_at: KnownAt = None
) -> CheckOut:
    """Totals and classes of the newest comparison, over what the caller may see of it."""
    check = await operations.check_seen(session, check_id, caller, known_at=known_at)
    tag(response, check)
    return await _out(session, check, caller)


@router.put(
    "/checks/{check_id}/comparison",
    responses=refusals(CheckNotFound, PreconditionFailed, PreconditionMissing),
    summary="Compare a file again with what is known now",
)
async def compare_again(
    session: Transaction,
    response: Response,
    caller: Seen,
    now: Now,
    check_id: CheckId,
    if_match: IfMatch = None,
) -> CheckOut:
    """For when another year's file or late news of memberships and lists came in; earlier comparisons stay readable."""
    check = await operations.compare_again(session, check_id, if_match, caller=caller, now=now)
    tag(response, check)
    return await _out(session, check, caller)
