"""Payment files over HTTP; nobody but national finance makes, takes or answers one."""

import hashlib
from base64 import b64encode
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from fastapi import Path, Query, Request, Response
from sqlalchemy import select

from services.funding.bank_details.routes import Keys
from services.funding.dated import Day
from services.funding.instructions.model import RunNotIssued
from services.funding.payment_files import operations
from services.funding.payment_files.bacs import Originator
from services.funding.payment_files.model import (
    Layout,
    NoProcessingDay,
    NothingToSend,
    OriginatorMissing,
    PaymentFile,
)
from services.funding.payment_files.operations import FileNotFound
from services.funding.payment_files.results import ResultsUnreadable, take_results
from services.funding.payments.operations import RunNotFound, run_seen
from services.funding.settings import Settings
from shared.http import (
    Idempotent,
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
)
from shared.identity import Caller, Role, allow
from shared.keys import KeysMissing

router = service_router("funding", tags=["payment files"])

RunId = Annotated[str, Path(max_length=64)]
FileId = Annotated[str, Path(max_length=64)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
MEDIA = {Layout.BACS: ("text/plain; charset=us-ascii", "txt"), Layout.CSV: ("text/csv; charset=utf-8", "csv")}


class FileIn(In):
    """The working day Bacs is to process the file on; the next one unless given."""

    processing_day: Day | None = None


class FileOut(Out):
    """`total` and `instructions` are the control totals of both layouts."""

    id: str
    run: str
    number: int
    processing_day: date
    instructions: int
    total: MoneyOut
    made_by: str
    made_at: datetime


class RowFaultOut(Out):
    line: int
    column: str
    code: str
    message: str


class ResultsOut(Out):
    """Rows that confirmed or returned an instruction, rows that said nothing new, and rows not taken."""

    confirmed: int
    returned: int
    repeated: int
    refused: list[RowFaultOut]


def _originator(request: Request) -> Originator:
    settings: Settings = request.app.state.service.settings
    given = (settings.bacs_user_number, settings.bacs_sort_code, settings.bacs_account_number)
    if given[0] is None or given[1] is None or given[2] is None:
        raise OriginatorMissing("Set FUNDING_BACS_USER_NUMBER, FUNDING_BACS_SORT_CODE and FUNDING_BACS_ACCOUNT_NUMBER.")
    return Originator(given[0], given[1], given[2], settings.bacs_name)


@router.post(
    "/payment-runs/{run_id}/files",
    status_code=201,
    responses=refusals(RunNotFound, RunNotIssued, NothingToSend, NoProcessingDay, OriginatorMissing, KeysMissing),
    summary="Make a payment file",
)
async def make_file(
    file: FileIn,
    request: Request,
    response: Response,
    session: Transaction,
    caller: Finance,
    now: Now,
    keys: Keys,
    run_id: RunId,
    _: Idempotent,
) -> FileOut:
    """Put all instructions of an issued run that can leave and have not into a file; a later one has what was held."""
    run = await run_seen(session, run_id, lock=True)
    made = await operations.make_file(
        session, run, _originator(request), file.processing_day, keys=keys, by=caller.subject, now=now
    )
    response.headers["ETag"] = f'"{made.id}"'
    response.headers["Location"] = f"/funding/v1/payment-files/{made.id}"
    return FileOut.model_validate(made)


@router.get("/payment-files", summary="Payment files made")
async def list_files(
    session: Reading,
    paging: Paging,
    caller: Finance,
    run: Annotated[str | None, Query(max_length=64)] = None,
    known_at: KnownAt = None,
) -> Page[FileOut]:
    """Every payment file, the oldest first."""
    statement = select(PaymentFile)
    if run is not None:
        statement = statement.where(PaymentFile.run == run)
    if known_at is not None:
        statement = statement.where(PaymentFile.made_at <= known_at)
    found, following = await page(session, statement, [PaymentFile.id], paging)
    return Page(items=[FileOut.model_validate(row[0]) for row in found], next=following)


@router.get("/payment-files/{file_id}", responses=refusals(FileNotFound), summary="One payment file")
async def read_file(
    session: Reading, response: Response, caller: Finance, file_id: FileId, known_at: KnownAt = None
) -> FileOut:
    """A payment file's control totals."""
    file = await operations.file_seen(session, file_id)
    if known_at is not None and file.made_at > known_at:
        raise FileNotFound(f"No payment file {file_id}.")
    response.headers["ETag"] = f'"{file.id}"'
    return FileOut.model_validate(file)


@router.get(
    "/payment-files/{file_id}/content",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}, "text/csv": {}}, "description": "The file's bytes, the same every time"},
        **refusals(FileNotFound, KeysMissing),
    },
    summary="Take a payment file",
)
async def read_content(
    session: Transaction, caller: Finance, keys: Keys, file_id: FileId, layout: Layout = Layout.BACS
) -> Response:
    """The file for the bank, or the same payments as CSV, with its SHA-256 as `Repr-Digest` (RFC 9530).

    Who took it is in the audit trail.
    """
    file, content = await operations.content_of(session, file_id, layout, keys=keys)
    media, ending = MEDIA[layout]
    name = f'attachment; filename="{file.id}.{ending}"'
    digest = b64encode(hashlib.sha256(content).digest()).decode()
    headers = {"Content-Disposition": name, "Cache-Control": "no-store", "Repr-Digest": f"sha-256=:{digest}:"}
    return Response(content, media_type=media, headers=headers)


@router.post(
    "/payment-files/{file_id}/results",
    responses=refusals(FileNotFound, ResultsUnreadable),
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
    summary="Take in what became of a file",
)
async def take_in_results(
    request: Request, session: Transaction, caller: Finance, now: Now, file_id: FileId, _: Idempotent
) -> ResultsOut:
    """A CSV with instruction, outcome (confirmed or returned), date, amount, code and reason; good rows are taken."""
    file = await operations.file_seen(session, file_id)
    taken = await take_results(session, file, await request.body(), by=caller.subject, now=now)
    return ResultsOut(**asdict(taken))
