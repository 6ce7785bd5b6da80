"""Budgets for additional roles over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import computed_field
from sqlalchemy import ColumnElement, FromClause, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import distinct_on

from services.funding.arrears.model import ArrearsClaim
from services.funding.budgets.model import Budget, BudgetVersion
from services.funding.budgets.words import arithmetic
from services.funding.claims.decision import TAKES, ClaimStatus
from services.funding.claims.model import Claim
from services.funding.networks.model import Network
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.scope import networks_seen
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


def _held(known_at: datetime | None) -> FromClause:
    """The sums as they stand, or as they had been set at a moment."""
    if known_at is None:
        return Budget.__table__
    key = (BudgetVersion.network, BudgetVersion.contract_year, BudgetVersion.scope)
    newest = select(BudgetVersion).where(BudgetVersion.set_at <= known_at).ext(distinct_on(*key))
    return newest.order_by(*key, BudgetVersion.set_at.desc(), BudgetVersion.version_id.desc()).subquery()


def _summed(model: type[Claim] | type[ArrearsClaim], held: FromClause, which: ColumnElement[bool]) -> Any:
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


def _taken(held: FromClause, known_at: datetime | None) -> Any:
    """What had been decided by then."""

    def decided(model: type[Claim] | type[ArrearsClaim]) -> ColumnElement[bool]:
        by_then = true() if known_at is None else model.decided_at <= known_at
        return model.status.in_(TAKES) & by_then

    taken = _summed(Claim, held, decided(Claim)) + _summed(ArrearsClaim, held, decided(ArrearsClaim))
    return taken - _given_back(held, known_at)


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


def _waiting(held: FromClause, known_at: datetime | None) -> Any:
    """What was waiting to be decided then, at what it was worth when it was last checked."""

    def undecided(model: type[Claim] | type[ArrearsClaim]) -> ColumnElement[bool]:
        if known_at is None:
            return model.status == ClaimStatus.SUBMITTED
        return (model.submitted_at <= known_at) & or_(model.decided_at.is_(None), model.decided_at > known_at)

    return _summed(Claim, held, undecided(Claim)) + _summed(ArrearsClaim, held, undecided(ArrearsClaim))


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
    sums = _held(known_at)
    taken = _taken(sums, known_at)
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
            _waiting(sums, known_at).label("waiting"),
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
