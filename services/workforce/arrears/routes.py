"""Claims of arrears over HTTP: made here, decided and paid by funding."""

from datetime import date
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from services.workforce.arrears import operations
from services.workforce.arrears.model import ArrearsAlreadyClaimed, ArrearsClaim, ArrearsNotClaimable
from services.workforce.arrears.operations import Paid
from services.workforce.networks.model import NetworkNotApproved
from services.workforce.shapes import Cost, OrganisationCode
from shared.errors import NotFound
from shared.http import (
    Idempotent,
    In,
    MoneyOut,
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
from shared.years import ContractYear

router = service_router("workforce", tags=["claims"])

Reader = Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)]


class ArrearsItemIn(In):
    """Arrears really paid for the month of one claim, in pounds."""

    claim: Annotated[str, Field(min_length=1, max_length=64)]
    salary: Cost
    employer_ni: Cost
    employer_pension: Cost


class ArrearsIn(In):
    network: OrganisationCode
    contract_year: ContractYear
    items: Annotated[list[ArrearsItemIn], Field(min_length=1, max_length=1000)]


class ArrearsOut(Out):
    """A claim of arrears and what became of it: `made` until funding answers, then `approved`, `rejected` or `paid`."""

    id: str
    network: str
    contract_year: str
    items: list[dict[str, Any]]
    made_on: date
    state: str
    payable: MoneyOut | None
    limited_by: str | None
    code: str | None
    reason: str | None
    paid: MoneyOut | None
    run: str | None


@router.post(
    "/arrears-claims",
    status_code=201,
    responses=refusals(ArrearsAlreadyClaimed, ArrearsNotClaimable, NetworkNotApproved, NotFound),
)
async def claim_arrears(
    wanted: ArrearsIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NETWORK)],
    today: Today,
    _: Idempotent,
) -> ArrearsOut:
    """Claim once what was really paid to staff after the ceilings of months already claimed were raised."""
    paid = [Paid(item.claim, item.salary, item.employer_ni, item.employer_pension) for item in wanted.items]
    made = await operations.claim_arrears(
        session, wanted.network, wanted.contract_year, paid, caller=caller, today=today
    )
    response.headers["Location"] = f"/workforce/v1/arrears-claims/{made.id}"
    return ArrearsOut.model_validate(made)


@router.get("/arrears-claims")
async def list_arrears(
    session: Reading, caller: Reader, paging: Paging, network: str | None = None
) -> Page[ArrearsOut]:
    """Claims of arrears the caller may see, and what became of each."""
    statement = operations.visible_arrears(caller)
    if network is not None:
        statement = statement.where(ArrearsClaim.network == network)
    rows, following = await page(session, statement, [ArrearsClaim.__table__.c.id], paging)
    return Page(items=[ArrearsOut.model_validate(row[0]) for row in rows], next=following)


@router.get("/arrears-claims/{arrears_id}", responses=refusals(NotFound))
async def read_arrears(arrears_id: str, session: Reading, caller: Reader) -> ArrearsOut:
    """One claim of arrears, and what became of it."""
    return ArrearsOut.model_validate(await operations.find_arrears(session, arrears_id, caller=caller))
