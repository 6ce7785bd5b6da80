from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field, ValidationError
from sqlalchemy import select
from starlette.datastructures import FormData, UploadFile

from services.registry.codes import Day
from services.registry.imports import operations
from services.registry.imports.model import Import, ImportKind, ImportNotFound, NewerFileImported
from services.registry.ods.readers import FileRefused, Upload
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
    id: str
    kind: ImportKind
    file_name: str
    sha256: str
    published_on: date
    snapshot: date | None
    rows: int
    loaded: int
    unchanged: int
    refused: list[RefusedRow]
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
    )
    await session.flush()
    response.headers["Location"] = f"/registry/v1/imports/{made.id}"
    tag(response, made)
    return made


@router.get("/imports", response_model=Page[ImportOut])
async def list_imports(session: Reading, _: Importer, paging: Paging, kind: ImportKind | None = None) -> dict[str, Any]:
    """Register files taken in, and what each changed."""
    statement = select(Import)
    if kind is not None:
        statement = statement.where(Import.kind == kind)
    rows, following = await page(session, statement, [Import.id], paging)
    return {"items": [row[0] for row in rows], "next": following}


@router.get("/imports/{id}", response_model=ImportOut, responses=refusals(ImportNotFound))
async def read_import(id: str, session: Reading, response: Response, _: Importer) -> Import:
    """One register file taken in: what it changed and which rows were refused."""
    found = await session.get(Import, id)
    if found is None:
        raise ImportNotFound(f"No import {id}.")
    tag(response, found)
    return found
