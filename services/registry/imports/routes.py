import csv
import io
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import Field, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData, UploadFile

from services.registry.codes import Day
from services.registry.imports import operations
from services.registry.imports.model import Import, ImportKind, ImportNotFound, ImportState, NewerFileImported
from services.registry.imports.progress import Progress, still_runs
from services.registry.imports.queries import harmless, refused_rows
from services.registry.ods.readers import FileRefused, Upload
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.http import (
    Idempotent,
    In,
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
from shared.problems import faults_of

router = service_router("registry", tags=["imports"])
AS_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "The rows as CSV"}}
Importer = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR)]


class ImportForm(In):
    kind: ImportKind
    published_on: Day
    snapshot: Day | None = None


class RefusedRow(Out):
    file: str
    line: int
    column: str
    code: str
    reason: str


class Difference(Out):
    practice: str
    name: str
    sheet: str | None
    register_: Annotated[str | None, Field(alias="register")]


class ImportOut(Out):
    """`stage` says how far a running import has come: waiting, reading, comparing, announcing. `refused` has the first
    hundred refused rows; `/refusals` has all.
    """

    id: str
    kind: ImportKind
    state: ImportState = ImportState.LOADED
    stage: str = "loaded"
    reason: str | None = None
    file_name: str
    sha256: str
    published_on: date
    snapshot: date | None
    rows: int
    loaded: int
    unchanged: int
    refused: Annotated[list[RefusedRow], Field(validation_alias="first_refused")]
    refused_rows: int = 0
    differences: list[Difference]
    changes: dict[str, int]
    imported_at: datetime
    imported_by: str


_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "kind", "published_on"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "CSV, gzip or workbook"},
                        "partners": {
                            "type": "string",
                            "format": "binary",
                            "description": "Core partners, where `epcn` comes as two CSV files",
                        },
                        "kind": {"type": "string", "enum": [kind.value for kind in ImportKind]},
                        "published_on": {"type": "string", "format": "date"},
                        "snapshot": {"type": "string", "format": "date"},
                    },
                }
            }
        },
    }
}


async def _upload(form: FormData, name: str) -> Upload | None:
    sent = form.get(name)
    if isinstance(sent, UploadFile):
        return Upload(sent.filename or name, await sent.read())
    return None


def _asked(form: FormData) -> ImportForm:
    given: dict[str, Any] = {k: v for k, v in form.items() if isinstance(v, str) and v}
    faults = (
        [] if isinstance(form.get("file"), UploadFile) else [Fault("body.file", "missing", "Send the file itself.")]
    )
    try:
        asked = ImportForm.model_validate(given)
    except ValidationError as error:
        faults += faults_of(error.errors())
    if faults:
        raise Invalid("The form is not complete.", errors=faults)
    return asked


@router.post(
    "/imports",
    response_model=ImportOut,
    status_code=201,
    responses=refusals(FileRefused, NewerFileImported),
    openapi_extra=_FORM,
)
async def take_in(
    request: Request,
    response: Response,
    session: Transaction,
    caller: Importer,
    now: Now,
    _: Idempotent,
) -> Import:
    """Take in a register file; the answer says what it changed and which rows were refused, with line and reason."""
    # the form is read here and not by a parameter: the Idempotency-Key needs the raw body first
    async with request.form(max_files=2, max_fields=10) as form:
        asked = _asked(form)
        upload, partners = await _upload(form, "file"), await _upload(form, "partners")
    if upload is None:
        raise Invalid("Send the file itself.", errors=[Fault("body.file", "missing", "Send the file itself.")])
    made = await operations.import_file(
        session,
        asked.kind,
        upload,
        partners=partners,
        published_on=asked.published_on,
        snapshot=asked.snapshot,
        by=caller.subject,
        now=now,
        progress=Progress(request.app.state.sessions.begin, new_id("imp")),
    )
    await session.flush()
    response.headers["Location"] = f"/registry/v1/imports/{made.id}"
    tag(response, made)
    return made


async def _now_seen(session: AsyncSession, found: Import) -> Import:
    """A running import that nobody holds was left by whoever ran it; what it said is shown, nothing is written."""
    if found.state is ImportState.RUNNING and not await still_runs(session, found.id):
        session.expunge(found)
        found.state = ImportState.INTERRUPTED
    return found


@router.get("/imports", response_model=Page[ImportOut])
async def list_imports(
    session: Reading,
    _: Importer,
    paging: Paging,
    kind: ImportKind | None = None,
    state: Annotated[ImportState | None, Query(description="Imports left are listed among the running")] = None,
) -> dict[str, Any]:
    """Register files taken in, being taken in or refused, and what each changed."""
    statement = select(Import)
    if kind is not None:
        statement = statement.where(Import.kind == kind)
    if state is not None:
        statement = statement.where(Import.state == state)
    rows, following = await page(session, statement, [Import.id], paging)
    return {"items": [await _now_seen(session, row[0]) for row in rows], "next": following}


@router.get("/imports/{id}", response_model=ImportOut, responses=refusals(ImportNotFound))
async def read_import(id: str, session: Reading, response: Response, _: Importer) -> Import:
    """One register file: how far it has come, what it changed and which rows were refused."""
    found = await _find(session, id)
    tag(response, found)
    return await _now_seen(session, found)


async def _find(session: AsyncSession, id: str) -> Import:
    found = await session.get(Import, id)
    if found is None:
        raise ImportNotFound(f"No import {id}.")
    return found


class RefusalOut(RefusedRow):
    number: int


@router.get("/imports/{id}/refusals", response_model=Page[RefusalOut], responses=refusals(ImportNotFound))
async def list_refusals(id: str, session: Reading, _: Importer, paging: Paging) -> dict[str, Any]:
    """Every row of a file that was not loaded: where it stands, and why."""
    await _find(session, id)
    listed = refused_rows(id)
    rows, following = await page(session, listed, [listed.selected_columns.number], paging)
    return {"items": [{"number": row.number, **row.refusal} for row in rows], "next": following}


@router.get("/imports/{id}/refusals.csv", response_class=Response, responses=refusals(ImportNotFound) | AS_CSV)
async def download_refusals(id: str, session: Reading, _: Importer) -> Response:
    """The same rows as a CSV file, to be sent back to whoever made the file."""
    found = await _find(session, id)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(RefusedRow.model_fields))
    writer.writeheader()
    writer.writerows({name: harmless(str(value)) for name, value in refusal.items()} for refusal in found.refused)
    headers = {"Content-Disposition": f'attachment; filename="{found.id}-refusals.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
