"""Budgets for additional roles over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import computed_field
from sqlalchemy import ColumnElement, FromClause, func, literal, select, true

from services.funding.arrears.model import ArrearsClaim
from services.funding.budgets.queries import sums_known
from services.funding.budgets.words import arithmetic
from services.funding.claims.decision import TAKES, ClaimStatus
from services.funding.claims.model import Claim
from services.funding.networks.model import Network
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.scope import networks_seen
from shared.history import as_known
from shared.http import KnownAt, MoneyOut, Out, Page, Paging, Reading, page, service_router
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

    @computed_field  # type: ignore[prop-decorator]
    @property
    def arithmetic(self) -> list[str]:
        """How the sum comes together, in words."""
        return arithmetic(self.trace, self.amount)


def _summed(model: Any, held: FromClause, which: ColumnElement[bool]) -> Any:
    return (
        select(func.coalesce(func.sum(model.payable), 0))
        .where(
            model.network == held.c.network,
            model.contract_year == held.c.contract_year,
            model.scope == held.c.scope,
            which,
        )
        .correlate(held)
        .scalar_subquery()
    )


def _given_back(held: FromClause, known_at: datetime | None) -> Any:
    """What had been given back of claims by then, because their months turned out to be without the right."""
    of = PaymentLine.trace["of"].astext
    by_then = true() if known_at is None else PaymentRun.issued_at <= known_at
    return (
        select(func.coalesce(func.sum(-PaymentLine.amount), 0))
        .select_from(PaymentLine)
        .join(PaymentRun, PaymentRun.id == PaymentLine.run)
        .outerjoin(Claim, of == literal("claims/").concat(Claim.id))
        .outerjoin(ArrearsClaim, of == literal("arrears/").concat(ArrearsClaim.id))
        .where(
            PaymentLine.contract_year == held.c.contract_year,
            PaymentLine.network == held.c.network,
            PaymentLine.practice.is_(None),
            PaymentLine.stream == "arrs",
            PaymentLine.reference.startswith("reversals/"),
            PaymentRun.status == RunStatus.ISSUED,
            by_then,
            func.coalesce(Claim.scope, ArrearsClaim.scope) == held.c.scope,
        )
        .correlate(held)
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
    known_at: KnownAt = None,
) -> Page[BudgetOut]:
    """Sums by network and year with what claims have taken of them, as known now or at a moment.

    `held=true` gives those that cannot be computed.
    """
    sums = sums_known(known_at)
    claim, arrears = as_known(Claim, known_at), as_known(ArrearsClaim, known_at)
    taken = _summed(claim, sums, claim.status.in_(TAKES)) + _summed(arrears, sums, arrears.status.in_(TAKES))
    taken -= _given_back(sums, known_at)
    asked = _summed(claim, sums, claim.status == ClaimStatus.SUBMITTED)
    asked += _summed(arrears, sums, arrears.status == ClaimStatus.SUBMITTED)
    statement = (
        select(
            sums.c.network,
            sums.c.contract_year,
            sums.c.scope,
            sums.c.commissioner,
            sums.c.amount,
            sums.c.held_code,
            sums.c.held_reason,
            taken.label("approved"),
            asked.label("waiting"),
            func.greatest(taken - sums.c.amount, 0).label("over_committed"),
            sums.c.trace,
            sums.c.set_at,
        )
        .join(Network, Network.code == sums.c.network)
        .where(networks_seen(caller))
    )
    if network is not None:
        statement = statement.where(sums.c.network == network)
    if contract_year is not None:
        statement = statement.where(sums.c.contract_year == contract_year)
    if held is not None:
        statement = statement.where(sums.c.amount.is_(None) if held else sums.c.amount.is_not(None))
    found, following = await page(session, statement, [sums.c.network, sums.c.contract_year, sums.c.scope], paging)
    return Page(items=[BudgetOut.model_validate(row) for row in found], next=following)
