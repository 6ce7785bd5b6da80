"""Forecasts over HTTP: by network, by role and month, pooled by commissioner and system, and as a file."""

import csv
from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Annotated

from fastapi import Path, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budgets.queries import sums_known
from services.funding.forecasts.model import Figures, Forecast
from services.funding.forecasts.queries import (
    Pool,
    codes_seen,
    figures_of,
    months_expected,
    months_open,
    on_the_map,
)
from services.funding.money import to_pence
from services.funding.networks.model import Network
from services.funding.scope import networks_seen
from shared.clock import london_day
from shared.errors import NotFound
from shared.http import AsAt, KnownAt, Moment, MoneyOut, Now, Out, Page, Paging, page, refusals, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, year_end

router = service_router("funding", tags=["forecasts"])

Seen = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)]


class NetworkNotSeen(NotFound):
    """No such network, or none the caller may see."""


class FiguresOut(Out):
    """`claimed` is the cost of all claims; the others what is or would be paid of it, and `expected` what posts will
    still cost. `unknown` counts months of posts whose ceiling is not known: they are in no figure."""

    claimed: MoneyOut
    waiting: MoneyOut
    approved: MoneyOut
    paid: MoneyOut
    arrears: MoneyOut
    expected: MoneyOut
    unknown: int


class ForecastOut(FiguresOut):
    """A sum against what the year comes to: `at_risk` would be lost at its end, `short` is what it falls short by."""

    network: str
    contract_year: str
    scope: str
    commissioner: str
    amount: MoneyOut | None
    held_reason: str | None
    forecast: MoneyOut
    at_risk: MoneyOut | None
    short: MoneyOut | None


class MonthExpectedOut(FiguresOut):
    scope: str
    role: str
    month: str


class NetworkForecastOut(Out):
    """A network's sums, the months still open to be claimed, and the figures by role and month."""

    network: str
    contract_year: str
    sums: list[ForecastOut]
    months_open: list[str]
    months: list[MonthExpectedOut]


class PoolOut(FiguresOut):
    """The sums of many networks: `at_risk` and `short` are theirs added up, for money of one is not another's."""

    code: str
    contract_year: str
    networks: int
    held: int
    amount: MoneyOut
    forecast: MoneyOut
    at_risk: MoneyOut
    short: MoneyOut


class PoolsOut(Out):
    """Pools on the map of a day."""

    by: Pool
    as_at: date
    items: list[PoolOut]


def _plain(figures: Figures) -> dict[str, Decimal | int]:
    return {
        "claimed": figures.claimed,
        "waiting": figures.waiting,
        "approved": figures.approved,
        "paid": figures.paid,
        "arrears": figures.arrears,
        "expected": to_pence(figures.expected),
        "unknown": figures.unknown,
    }


async def _forecasts(
    session: AsyncSession, networks: Collection[str], contract_year: str, now: datetime, known_at: datetime | None
) -> list[ForecastOut]:
    """The sums of networks with their figures, in the order of networks; a network without a sum is not among them."""
    held = sums_known(known_at).c
    sums = (
        await session.execute(
            select(held.network, held.scope, held.commissioner, held.amount, held.held_reason)
            .where(held.network.in_(networks), held.contract_year == contract_year)
            .order_by(held.network, held.scope)
        )
    ).all()
    figures = await figures_of(session, networks, contract_year, now, known_at)
    found = []
    for row in sums:
        one = Forecast(row.amount, figures.get((row.network, row.scope), Figures()))
        found.append(
            ForecastOut(
                network=row.network,
                contract_year=contract_year,
                scope=row.scope,
                commissioner=row.commissioner,
                amount=row.amount,
                held_reason=row.held_reason,
                forecast=one.figures.forecast,
                at_risk=one.at_risk,
                short=one.short,
                **_plain(one.figures),
            )
        )
    return found


@router.get("/forecasts", summary="What of each sum is claimed, committed and at risk")
async def list_forecasts(
    session: Moment,
    paging: Paging,
    caller: Seen,
    now: Now,
    contract_year: ContractYear,
    known_at: KnownAt = None,
) -> Page[ForecastOut]:
    """The sums of the networks the caller may see, now or as they were foretold then; a page is of so many networks."""
    codes = await codes_seen(session, caller, contract_year, known_at)
    statement = select(Network.code).where(Network.code.in_(codes))
    found, following = await page(session, statement, [Network.code], paging)
    return Page(
        items=await _forecasts(session, [row[0] for row in found], contract_year, now, known_at),
        next=following,
    )


@router.get("/forecasts.csv", summary="Every forecast the caller may see, as a file")
async def forecast_file(
    session: Moment, caller: Seen, now: Now, contract_year: ContractYear, known_at: KnownAt = None
) -> Response:
    """The rows of the list, all of them, one a sum; amounts in pounds with two decimals."""
    codes = await codes_seen(session, caller, contract_year, known_at)
    rows = await _forecasts(session, codes, contract_year, now, known_at)
    written = StringIO()
    writer = csv.writer(written)
    names = list(ForecastOut.model_fields)
    writer.writerow(names)
    writer.writerows([row.model_dump(mode="json")[name] for name in names] for row in rows)
    return Response(
        written.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="forecasts-{contract_year}.csv"'},
    )


@router.get("/forecasts/pools", summary="Forecasts pooled by commissioner or system")
async def pool_forecasts(
    session: Moment,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER)],
    now: Now,
    contract_year: ContractYear,
    by: Pool,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> PoolsOut:
    """Pools of the networks the caller may see, on the map of a day: today's, or that of the end of a year gone by."""
    day = as_at or min(london_day(known_at or now), year_end(contract_year))
    codes = await codes_seen(session, caller, contract_year, known_at)
    places = await on_the_map(session, codes, day, known_at)
    pools: dict[str, list[ForecastOut]] = {}
    for row in await _forecasts(session, codes, contract_year, now, known_at):
        commissioner, system = places[row.network]
        pools.setdefault(commissioner if by is Pool.COMMISSIONER else system, []).append(row)
    return PoolsOut(
        by=by, as_at=day, items=[_pooled(code, contract_year, rows) for code, rows in sorted(pools.items())]
    )


def _pooled(code: str, contract_year: str, rows: list[ForecastOut]) -> PoolOut:
    names = ("amount", "claimed", "waiting", "approved", "paid", "arrears", "expected", "forecast", "at_risk", "short")
    return PoolOut(
        code=code,
        contract_year=contract_year,
        networks=len({row.network for row in rows}),
        held=sum(1 for row in rows if row.amount is None),
        unknown=sum(row.unknown for row in rows),
        **{name: sum((getattr(row, name) or Decimal(0) for row in rows), Decimal("0.00")) for name in names},
    )


@router.get(
    "/forecasts/{network}", responses=refusals(NetworkNotSeen), summary="One network's forecast by role and month"
)
async def read_forecast(
    session: Moment,
    caller: Seen,
    now: Now,
    network: Annotated[str, Path(max_length=32)],
    contract_year: ContractYear,
    known_at: KnownAt = None,
) -> NetworkForecastOut:
    """Where each pound of a forecast comes from: every role and month, claimed or expected."""
    seen = await session.scalar(select(Network.code).where(Network.code == network, networks_seen(caller)))
    if seen is None:
        raise NetworkNotSeen(f"No network {network}.")
    return NetworkForecastOut(
        network=network,
        contract_year=contract_year,
        sums=await _forecasts(session, [network], contract_year, now, known_at),
        months_open=await months_open(session, contract_year, london_day(known_at or now), known_at),
        months=[
            MonthExpectedOut(scope=scope, role=role, month=month, **_plain(figures))
            for scope, role, month, figures in await months_expected(session, network, contract_year, now, known_at)
        ],
    )
