"""Claims over HTTP."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel
from sqlalchemy import select

from services.reporting.areas.scope import scope_of
from services.reporting.claims import queries
from services.reporting.claims.model import ClaimKind
from services.reporting.claims.queries import By
from shared.http import AsAt, MoneyOut, Out, Paging, Reading, Today, page, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month, year_of_day

router = service_router("reporting", tags=["claims"])


class ClaimsOut(Out):
    """The claims that stand, what they ask for, what was granted of them and what of that was paid.

    A claim sent back, turned down or taken back no longer stands; made again it counts once. Of
    achievements what was granted and paid is told, for nobody claims a sum.
    """

    key: str
    name: str | None = None
    claims: int
    claimed: MoneyOut
    approved: MoneyOut
    paid: MoneyOut


class ClaimsReport(BaseModel):
    by: By
    contract_year: str
    kind: ClaimKind | None
    month: str | None
    map_of: date
    items: list[ClaimsOut]
    next: str | None = None


@router.get("/claims", summary="What was claimed, granted and paid")
async def read_claims(
    session: Reading,
    caller: Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)],
    paging: Paging,
    today: Today,
    by: By = By.COMMISSIONER,
    contract_year: ContractYear | None = None,
    kind: ClaimKind | None = None,
    month: Month | None = None,
    commissioner: str | None = None,
    map_of: AsAt = None,
) -> ClaimsReport:
    """A claimant is a network or, for its GPs, a practice. Arrears and achievements are of a year, not of a month."""
    year, day = contract_year or year_of_day(today), map_of or today
    found = queries.claims(
        by,
        await scope_of(session, caller, today),
        contract_year=year,
        kind=kind,
        month=month,
        commissioner=commissioner,
        map_of=day,
    )
    rows, following = await page(session, select(found), [found.c.key], paging)
    return ClaimsReport(
        by=by,
        contract_year=year,
        kind=kind,
        month=month,
        map_of=day,
        items=[ClaimsOut.model_validate(row) for row in rows],
        next=following,
    )
