"""Queries over HTTP."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel
from sqlalchemy import Integer, Numeric, String, Subquery, select

from services.reporting.areas.scope import LED, MAP, Scope, bound, scope_of
from shared.http import AsAt, MoneyOut, Out, Paging, Reading, Today, page, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, year_of_day

router = service_router("reporting", tags=["queries"])


class By(StrEnum):
    NETWORK = "network"
    COMMISSIONER = "commissioner"
    SYSTEM = "system"
    STREAM = "stream"
    ENGLAND = "england"


class QueriesOut(Out):
    """Queries raised by the day asked about: those still open then, those of them overdue, those answered or withdrawn.

    `adjusted` is what answers added to what lines paid.
    """

    key: str
    name: str | None = None
    raised: int
    open: int
    overdue: int
    answered: int
    withdrawn: int
    adjusted: MoneyOut


class QueriesReport(BaseModel):
    by: By
    contract_year: str
    as_at: date
    map_of: date
    items: list[QueriesOut]
    next: str | None = None


_KEYS = {
    By.NETWORK: ("network", "network_name"),
    By.COMMISSIONER: ("coalesce(commissioner, 'unknown')", "map.name"),
    By.SYSTEM: ("coalesce(map.system, 'unknown')", "map.system_name"),
    By.STREAM: ("stream", "NULL::text"),
    By.ENGLAND: ("'England'", "'England'"),
}


def _counted(
    by: By, scope: Scope, *, contract_year: str, as_at: date, commissioner: str | None, map_of: date
) -> Subquery:
    key, name = _KEYS[by]
    of_area = "n.commissioner = :commissioner" if commissioner is not None else "TRUE"
    ended = "ended_on IS NOT NULL AND ended_on <= :as_at"
    statement = f"""
        WITH map AS ({MAP}), found AS (
            SELECT q.*, n.commissioner, n.name AS network_name
            FROM line_queries q JOIN ({LED}) n USING (network)
            WHERE q.contract_year = :contract_year AND q.raised_on <= :as_at AND {of_area}
              AND {scope.sees(network="q.network", commissioner="n.commissioner")}
        )
        SELECT {key} AS key, min({name}) AS name, CAST(count(*) AS int) AS raised,
               CAST(count(*) FILTER (WHERE NOT ({ended})) AS int) AS open,
               CAST(count(*) FILTER (WHERE NOT ({ended}) AND answer_by < :as_at) AS int) AS overdue,
               CAST(count(*) FILTER (WHERE {ended} AND answer <> 'withdrawn') AS int) AS answered,
               CAST(count(*) FILTER (WHERE {ended} AND answer = 'withdrawn') AS int) AS withdrawn,
               coalesce(sum(adjustment) FILTER (WHERE {ended}), 0) AS adjusted
        FROM found LEFT JOIN map USING (commissioner) GROUP BY 1
    """  # noqa: S608 - constants of this module
    values = {
        "contract_year": contract_year,
        "as_at": as_at,
        "commissioner": commissioner,
        "map_of": map_of,
        "led_on": map_of,
        **scope.params(),
    }
    whole = dict.fromkeys(("raised", "open", "overdue", "answered", "withdrawn"), Integer)
    return (
        bound(statement, values).columns(key=String, name=String, **whole, adjusted=Numeric(asdecimal=True)).subquery()
    )


@router.get("/queries", summary="Queries of payments")
async def read_queries(
    session: Reading,
    caller: Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)],
    paging: Paging,
    today: Today,
    by: By = By.COMMISSIONER,
    contract_year: ContractYear | None = None,
    as_at: AsAt = None,
    commissioner: str | None = None,
    map_of: AsAt = None,
) -> QueriesReport:
    """Queries of lines that pay for a contract year, as they stood at the end of a day."""
    day = as_at or today
    year = contract_year or year_of_day(day)
    found = _counted(
        by,
        await scope_of(session, caller, today),
        contract_year=year,
        as_at=day,
        commissioner=commissioner,
        map_of=map_of or day,
    )
    rows, following = await page(session, select(found), [found.c.key], paging)
    return QueriesReport(
        by=by,
        contract_year=year,
        as_at=day,
        map_of=map_of or day,
        items=[QueriesOut.model_validate(row) for row in rows],
        next=following,
    )
