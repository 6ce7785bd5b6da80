"""Budgets for additional roles over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import func, select

from services.funding.arrears.model import ArrearsClaim
from services.funding.budgets.model import Budget
from services.funding.claims.decision import TAKES, ClaimStatus
from services.funding.claims.model import Claim
from services.funding.networks.model import Network
from services.funding.scope import networks_seen
from shared.http import MoneyOut, Out, Page, Paging, Reading, page, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear

router = service_router("funding", tags=["budgets"])


class BudgetOut(Out):
    """`amount` is null while held. `approved` is what claims and arrears approved or paid have taken, `waiting` what
    others ask; `over_committed` is what was approved before the sum was set lower than that."""

    network: str
    contract_year: str
    scope: str
    commissioner: str
    amount: MoneyOut | None
    held_code: str | None
    held_reason: str | None
    approved: MoneyOut
    waiting: MoneyOut
    over_committed: MoneyOut
    trace: dict[str, Any]
    set_at: datetime


def _summed(model: type[Claim] | type[ArrearsClaim], *statuses: ClaimStatus) -> Any:
    return (
        select(func.coalesce(func.sum(model.payable), 0))
        .where(
            model.network == Budget.network,
            model.contract_year == Budget.contract_year,
            model.scope == Budget.scope,
            model.status.in_(statuses),
        )
        .correlate(Budget)
        .scalar_subquery()
    )


@router.get("/budgets", summary="The most a network may be reimbursed for additional roles")
async def list_budgets(
    session: Reading,
    paging: Paging,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)],
    network: Annotated[str | None, Query(max_length=32)] = None,
    contract_year: ContractYear | None = None,
    held: bool | None = None,
) -> Page[BudgetOut]:
    """Sums by network and year with what claims have taken of them; `held=true` gives those that cannot be computed."""
    taken = _summed(Claim, *TAKES) + _summed(ArrearsClaim, *TAKES)
    statement = (
        select(
            Budget.network,
            Budget.contract_year,
            Budget.scope,
            Budget.commissioner,
            Budget.amount,
            Budget.held_code,
            Budget.held_reason,
            taken.label("approved"),
            (_summed(Claim, ClaimStatus.SUBMITTED) + _summed(ArrearsClaim, ClaimStatus.SUBMITTED)).label("waiting"),
            func.greatest(taken - Budget.amount, 0).label("over_committed"),
            Budget.trace,
            Budget.set_at,
        )
        .join(Network, Network.code == Budget.network)
        .where(networks_seen(caller))
    )
    if network is not None:
        statement = statement.where(Budget.network == network)
    if contract_year is not None:
        statement = statement.where(Budget.contract_year == contract_year)
    if held is not None:
        statement = statement.where(Budget.amount.is_(None) if held else Budget.amount.is_not(None))
    found, following = await page(session, statement, [Budget.network, Budget.contract_year, Budget.scope], paging)
    return Page(items=[BudgetOut.model_validate(row) for row in found], next=following)
