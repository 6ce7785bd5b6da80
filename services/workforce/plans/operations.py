"""Draft, change and hand in the plan of a network and year."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.calendar import months_of
from services.workforce.claimability.rules import at_ceiling
from services.workforce.networks.operations import of_caller, own_network
from services.workforce.plans.model import Plan, PlanAlreadyExists, PlanLine, PlanStatus
from services.workforce.rates.model import Budget
from services.workforce.rates.operations import Ceilings, budget_of, ceilings_of
from services.workforce.roles.model import Role
from shared.database import new_id
from shared.errors import Fault, Invalid, NotFound
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce
from shared.years import first_day, year_of_day


async def _check_lines(session: AsyncSession, year: str, lines: Sequence[PlanLine]) -> None:
    known = set(await session.scalars(select(Role.code)))
    faults = []
    for number, line in enumerate(lines):
        if line.role not in known:
            faults.append(Fault(f"roles.{number}.role", "RoleUnknown", f"{line.role} is not in the catalogue."))
        if year_of_day(first_day(line.start_month)) != year:
            message = f"{line.start_month} does not lie in {year}."
            faults.append(Fault(f"roles.{number}.start_month", "MonthOutsideYear", message))
    if faults:
        raise Invalid("The plan is not valid; errors lists every fault.", errors=faults)


def visible_plans(caller: Caller) -> Select[Plan]:
    return select(Plan).where(of_caller(caller, Plan.network))


async def find_plan(session: AsyncSession, plan_id: str, *, caller: Caller, lock: bool = False) -> Plan:
    statement = visible_plans(caller).where(Plan.id == plan_id)
    plan = await session.scalar(statement.with_for_update() if lock else statement)
    if plan is None:
        raise NotFound(f"No plan {plan_id}.")
    return plan


async def draft_plan(
    session: AsyncSession, *, network: str, year: str, lines: Sequence[PlanLine], caller: Caller, now: datetime
) -> Plan:
    """Begin the one plan of a network and year.

    Raises `PlanAlreadyExists`, `NetworkNotApproved` and, for roles or months that do not fit, `Invalid`.
    """
    await own_network(session, network, caller, lock=True)
    await _check_lines(session, year, lines)
    held = await session.scalar(select(Plan.id).where(Plan.network == network, Plan.contract_year == year))
    if held is not None:
        raise PlanAlreadyExists(f"{network} has a plan of {year} already: {held}.")
    plan = Plan(id=new_id("plan"), network=network, contract_year=year, created_at=now)
    plan.rewrite(lines)
    session.add(plan)
    await session.flush()
    return plan


async def rewrite_plan(
    session: AsyncSession, plan_id: str, *, lines: Sequence[PlanLine], caller: Caller, if_match: str | None
) -> Plan:
    plan = await find_plan(session, plan_id, caller=caller, lock=True)
    require_match(plan, if_match)
    await _check_lines(session, plan.contract_year, lines)
    plan.rewrite(lines)
    await session.flush()
    return plan


def planned_cost(lines: Sequence[PlanLine], year: str, ceilings: Ceilings, known: date) -> tuple[Decimal, list[str]]:
    """What the plan costs at the ceilings from each start to the end of the year, and the ceilings not known."""
    total, unknown = Decimal("0.00"), []
    for line in lines:
        for month in months_of(year):
            if month < line.start_month:
                continue
            ceiling = ceilings.on(line.role, line.zone, first_day(month), known=known)
            if ceiling is None:
                unknown.append(f"{line.role} ({line.zone}) in {month}")
            else:
                total += at_ceiling(ceiling, line.wte)
    return total, unknown


def plan_warnings(plan: Plan, cost: Decimal, unknown: Sequence[str], budget: Budget | None) -> list[dict[str, str]]:
    """What the network should know before it relies on the plan."""
    found = []
    for what in unknown:
        found.append(("roles", "CeilingUnknown", f"No ceiling is known for {what}; it is not in the planned cost."))
    if budget is None or budget.amount is None:
        reason = f": {budget.held_reason}" if budget and budget.held_reason else ""
        found.append(("network", "BudgetNotKnown", f"The {plan.contract_year} sum is not known yet{reason}."))
    elif cost > budget.amount:
        found.append(
            ("roles", "OverTheSum", f"The plan costs £{cost} at the ceilings, £{cost - budget.amount} over the sum.")
        )
    return [{"field": field, "code": code, "message": message} for field, code, message in found]


async def submit_plan(
    session: AsyncSession, plan_id: str, *, on: date, caller: Caller, if_match: str | None, known: date
) -> Plan:
    """Hand a plan in. What is over the sum or has no known ceiling is listed in its warnings."""
    plan = await find_plan(session, plan_id, caller=caller, lock=True)
    require_match(plan, if_match)
    lines = plan.lines
    ceilings = await ceilings_of(session, plan.network, [line.role for line in lines])
    cost, unknown = planned_cost(lines, plan.contract_year, ceilings, known)
    budget = await budget_of(session, plan.network, plan.contract_year)
    announce(session, plan.submit(on, cost=cost, warnings=plan_warnings(plan, cost, unknown, budget)))
    await session.flush()
    return plan


async def submitted_plan(session: AsyncSession, network: str, year: str) -> Plan | None:
    return await session.scalar(
        select(Plan).where(Plan.network == network, Plan.contract_year == year, Plan.status == PlanStatus.SUBMITTED)
    )
