"""Coverage over HTTP."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel
from sqlalchemy import select

from services.reporting.areas.scope import scope_of
from services.reporting.coverage import queries
from services.reporting.coverage.queries import By, State
from services.reporting.shapes import Number
from shared.http import AsAt, Out, Page, Paging, Reading, Today, page, service_router
from shared.identity import Caller, Role, allow

router = service_router("reporting", tags=["coverage"])

Reader = Annotated[Caller, allow(Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)]


class CoverageOut(Out):
    """An area's patients: `registered` is `covered` + `allocated` + `dispersed` + `not_covered`.

    `dispersed` were counted with a practice that closed, and are registered elsewhere; `twice_covered` stands beside.
    """

    key: str
    name: str | None
    registered: Number
    covered: Number
    allocated: Number
    dispersed: Number
    not_covered: Number
    twice_covered: Number
    practices: int
    practices_not_covered: int


class CoverageReport(BaseModel):
    as_at: date
    by: By
    items: list[CoverageOut]
    next: str | None = None


class PracticeOut(Out):
    """A practice and how many of its patients are in the state asked about, since when.

    `merged`: practices that went over into it, whose lists are counted with its own.
    """

    practice: str
    name: str | None
    commissioner: str
    registered: Number
    patients: Number
    since: date
    networks: list[str]
    merged: list[str]


@router.get("/coverage")
async def coverage(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    by: By = By.COMMISSIONER,
    as_at: AsAt = None,
    map_of: AsAt = None,
    commissioner: str | None = None,
) -> CoverageReport:
    """Every patient on a day: covered, allocated, dispersed, not covered, twice covered. `map_of` draws another map."""
    day = as_at or today
    scope = await scope_of(session, caller, today)
    found = queries.coverage(by, scope, as_at=day, map_of=map_of or day, commissioner=commissioner)
    rows, following = await page(session, select(found), [found.c.key], paging)
    return CoverageReport(as_at=day, by=by, items=[CoverageOut.model_validate(row) for row in rows], next=following)


@router.get("/coverage/practices")
async def practices(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    state: State = State.UNCOVERED,
    as_at: AsAt = None,
    commissioner: str | None = None,
) -> Page[PracticeOut]:
    """The practices behind a figure of coverage, by name."""
    found = queries.practices(
        state, await scope_of(session, caller, today), as_at=as_at or today, commissioner=commissioner
    )
    rows, following = await page(session, select(found), [found.c.practice], paging)
    return Page(
        items=[
            PracticeOut(
                practice=row.practice,
                name=row.name,
                commissioner=row.commissioner,
                registered=row.registered,
                patients=row.patients,
                since=row.since,
                networks=(row.networks or "").split(",") if row.networks else [],
                merged=row.merged,
            )
            for row in rows
        ],
        next=following,
    )
