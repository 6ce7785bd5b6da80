"""Lines of a check over HTTP."""

import csv
import io
from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import Select, select

from services.funding.checks import operations
from services.funding.checks.model import Check, CheckLine, CheckNotFound, ComparisonNotFound
from services.funding.checks.routes import CheckId, Seen
from services.funding.comparisons.cases import Difference, Evidence
from shared.http import KnownAt, MoneyOut, Out, Page, Paging, Reading, page, refusals, service_router
from shared.identity import Caller

router = service_router("funding", tags=["checks"])

Which = Annotated[int | None, Query(ge=1, le=100_000, description="An earlier comparison; the newest unless given")]


class CheckLineOut(Out):
    """One payment: what was due, its class, the test that decided, and the sums."""

    id: str
    payment: str
    practice: str | None
    network: str | None
    commissioner: str | None
    paid: MoneyOut
    due: MoneyOut | None
    difference: Difference
    evidence: Evidence
    months: int | None
    said: list[str]


def _lines(
    check: Check,
    caller: Caller,
    comparison: int,
    payment: str | None,
    difference: Difference | None,
    evidence: Evidence | None,
) -> Select[CheckLine]:
    statement = select(CheckLine).where(
        CheckLine.check == check.id, CheckLine.comparison == comparison, operations.lines_seen(check, caller)
    )
    for column, wanted in (
        (CheckLine.payment, payment),
        (CheckLine.difference, difference),
        (CheckLine.evidence, evidence),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement


@router.get(
    "/checks/{check_id}/lines",
    responses=refusals(CheckNotFound, ComparisonNotFound),
    summary="The payments of a check, each with its class",
)
async def list_lines(
    session: Reading,
    paging: Paging,
    caller: Seen,
    check_id: CheckId,
    comparison: Which = None,
    payment: Annotated[str | None, Query(max_length=64)] = None,
    difference: Difference | None = None,
    evidence: Evidence | None = None,
    practice: Annotated[str | None, Query(max_length=32)] = None,
    network: Annotated[str | None, Query(max_length=32)] = None,
    known_at: KnownAt = None,
) -> Page[CheckLineOut]:
    """The lines the caller may see, with the facts that decided and the sums."""
    check = await operations.check_seen(session, check_id, caller, known_at=known_at)
    number = operations.comparison_asked(check, comparison)
    statement = _lines(check, caller, number, payment, difference, evidence)
    if practice is not None:
        statement = statement.where(CheckLine.practice == practice)
    if network is not None:
        statement = statement.where(CheckLine.network == network)
    found, following = await page(session, statement, [CheckLine.id], paging)
    return Page(items=[CheckLineOut.model_validate(row[0]) for row in found], next=following)


@router.get(
    "/checks/{check_id}/table",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **refusals(CheckNotFound, ComparisonNotFound)},
    summary="The payments of a check as CSV",
)
async def read_table(
    session: Reading,
    caller: Seen,
    check_id: CheckId,
    comparison: Which = None,
    payment: Annotated[str | None, Query(max_length=64)] = None,
    difference: Difference | None = None,
    evidence: Evidence | None = None,
    known_at: KnownAt = None,
) -> Response:
    """The same lines in one table."""
    check = await operations.check_seen(session, check_id, caller, known_at=known_at)
    number = operations.comparison_asked(check, comparison)
    statement = _lines(check, caller, number, payment, difference, evidence).order_by(CheckLine.id)
    names = [name for name in CheckLineOut.model_fields if name != "id"]
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(names)
    for line in (await session.scalars(statement)).all():
        values = CheckLineOut.model_validate(line).model_dump(mode="json")
        table.writerow(["; ".join(values[name]) if name == "said" else values[name] for name in names])
    headers = {"Content-Disposition": f'attachment; filename="{check.id}.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)
