"""Spend over HTTP."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel
from sqlalchemy import select

from services.reporting.areas.scope import scope_of
from services.reporting.spend import queries
from services.reporting.spend.queries import MONEY_OF_NETWORKS, Asked, By
from shared.http import AsAt, MoneyOut, Out, Paging, Reading, Today, page, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month, year_of_day

router = service_router("reporting", tags=["spend"])


class SpendOut(Out):
    """What was paid, in how many lines. `budget` is the sum for roles of the year, `claimed` what was claimed of it.

    Both are null where the question leaves them no meaning: by stream or month, or for another stream than `arrs`.
    `confirmed` of what was paid in the year's runs arrived, `returned` came back from the bank and was not sent again;
    `written_off` was owed by payees and given up, `recovered` had back otherwise than off a payment. All four are null
    by stream or month, because a bank knows neither.
    """

    key: str
    name: str | None = None
    paid: MoneyOut
    lines: int
    budget: MoneyOut | None = None
    budgets_held: int | None = None
    claimed: MoneyOut | None = None
    claims: int | None = None
    confirmed: MoneyOut | None = None
    returned: MoneyOut | None = None
    written_off: MoneyOut | None = None
    recovered: MoneyOut | None = None


class SpendReport(BaseModel):
    by: By
    contract_year: str
    stream: str | None
    month: str | None
    map_of: date
    items: list[SpendOut]
    next: str | None = None


@router.get("/spend")
async def spend(
    session: Reading,
    caller: Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)],
    paging: Paging,
    today: Today,
    by: By = By.COMMISSIONER,
    contract_year: ContractYear | None = None,
    stream: str | None = None,
    month: Month | None = None,
    commissioner: str | None = None,
    network: str | None = None,
    map_of: AsAt = None,
) -> SpendReport:
    """What was paid, against the sum for roles and what was claimed. `month` is the month paid for."""
    asked = Asked(contract_year or year_of_day(today), stream, month, commissioner, network)
    scope = await scope_of(session, caller, today)
    day = map_of or today
    if by in (By.STREAM, By.MONTH):
        found = queries.by_line(by, asked, scope, map_of=day)
        rows, following = await page(session, select(found), [found.c.key], paging)
        items = [SpendOut.model_validate(row) for row in rows]
    elif by is By.NETWORK:
        found = queries.networks(asked, scope, map_of=day)
        rows, following = await page(session, select(found), [found.c.key], paging)
        codes = [row.key for row in rows]
        money = await session.execute(
            MONEY_OF_NETWORKS,
            {"page": codes, "contract_year": asked.contract_year, "stream": stream, "month": month},
        )
        sums = {row["network"]: row for row in money.mappings()}
        items = [SpendOut.model_validate({"key": row.key, "name": row.name, **sums[row.key]}) for row in rows]
    else:
        found = queries.by_area(by, asked, scope, map_of=day)
        rows, following = await page(session, select(found), [found.c.key], paging)
        items = [SpendOut.model_validate(row) for row in rows]
    if stream is not None or month is not None:
        items = [item.model_copy(update=NO_BANK) for item in items]
    if stream is not None and stream != "arrs":
        items = [item.model_copy(update=NO_ROLES) for item in items]
    elif month is not None:
        items = [item.model_copy(update={"budget": None, "budgets_held": None}) for item in items]
    return SpendReport(
        by=by,
        contract_year=asked.contract_year,
        stream=stream,
        month=month,
        map_of=day,
        items=items,
        next=following,
    )


NO_BANK: dict[str, Decimal | None] = dict.fromkeys(("confirmed", "returned", "written_off", "recovered"))
NO_ROLES: dict[str, Decimal | None] = {"budget": None, "budgets_held": None, "claimed": None, "claims": None}
