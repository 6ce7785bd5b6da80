"""What was paid, budgeted and claimed, summed as asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Integer, Numeric, String, Subquery, TextClause, text

from services.reporting.areas.operations import MAP, Scope


class By(StrEnum):
    NETWORK = "network"
    COMMISSIONER = "commissioner"
    SYSTEM = "system"
    STREAM = "stream"
    MONTH = "month"
    ENGLAND = "england"


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of a question about spend; `month` is the month paid for."""

    contract_year: str
    stream: str | None = None
    month: str | None = None
    commissioner: str | None = None
    network: str | None = None


_MONEY = Numeric(asdecimal=True)
_AREA = {
    By.COMMISSIONER: ("commissioner", "map.name"),
    By.SYSTEM: ("coalesce(map.system, 'unknown')", "map.system_name"),
    By.ENGLAND: ("'England'", "'England'"),
}
_FILTERS = """
    contract_year = :contract_year
    AND (CAST(:stream AS text) IS NULL OR stream = :stream)
    AND (CAST(:month AS text) IS NULL OR month = :month)
    AND (CAST(:commissioner AS text) IS NULL OR commissioner = :commissioner)
"""
_AREAS_SEEN = "(:everywhere OR commissioner = ANY(CAST(:commissioners AS text[])))"
_NETWORKS_SEEN = """
    (:everywhere OR commissioner = ANY(CAST(:commissioners AS text[])) OR network = ANY(CAST(:networks AS text[])))
"""


def _bound(statement: str, asked: Asked, scope: Scope, **more: object) -> TextClause:
    """Bind the parameters a statement names, out of all there may be."""
    every = {
        "contract_year": asked.contract_year,
        "stream": asked.stream,
        "month": asked.month,
        "commissioner": asked.commissioner,
        "network": asked.network,
        **scope.params(),
        **more,
    }
    clause = text(statement)
    named = clause._bindparams
    return clause.bindparams(**{name: value for name, value in every.items() if name in named})


def _lines(scope: Scope, asked: Asked) -> str:
    """Where the paid sums come from: whole areas for those who see whole areas, single networks otherwise."""
    if scope.networks or asked.network:
        only = "AND network = :network" if asked.network else ""
        return f"SELECT commissioner, network, stream, month, amount, lines FROM spend WHERE {_FILTERS} AND {_NETWORKS_SEEN} {only}"  # noqa: S608, E501
    return (
        f"SELECT commissioner, stream, month, amount, lines FROM commissioner_spend WHERE {_FILTERS} AND {_AREAS_SEEN}"  # noqa: S608
    )


def by_line(by: By, asked: Asked, scope: Scope) -> Subquery:
    """Paid by stream or by month paid for."""
    key = "stream" if by is By.STREAM else "month"
    statement = f"""
        SELECT {key} AS key, sum(amount) AS paid, CAST(sum(lines) AS int) AS lines
        FROM ({_lines(scope, asked)}) AS paid GROUP BY 1
    """  # noqa: S608 - constants of this module
    return _bound(statement, asked, scope).columns(key=String, paid=_MONEY, lines=Integer).subquery()


def by_area(by: By, asked: Asked, scope: Scope, *, map_of: date) -> Subquery:
    """Paid, budget and claimed by commissioner, system or for all that is seen."""
    key, name = _AREA[by]
    only = "AND network = :network" if asked.network else ""
    statement = f"""
        WITH map AS ({MAP}), paid AS (
            SELECT commissioner, sum(amount) AS paid, sum(lines) AS lines
            FROM ({_lines(scope, asked)}) AS rows GROUP BY commissioner
        ), budget AS (
            SELECT commissioner, sum(amount) AS budget, count(*) FILTER (WHERE amount IS NULL) AS held
            FROM budgets
            WHERE contract_year = :contract_year AND {_NETWORKS_SEEN} {only}
              AND (CAST(:commissioner AS text) IS NULL OR commissioner = :commissioner)
            GROUP BY commissioner
        ), claimed AS (
            SELECT n.commissioner, sum(c.claimed) AS claimed, sum(c.claims) AS claims
            FROM network_claims c JOIN networks n USING (network)
            WHERE contract_year = :contract_year AND month = coalesce(:month, '')
              AND {_NETWORKS_SEEN} {only}
              AND (CAST(:commissioner AS text) IS NULL OR n.commissioner = :commissioner)
            GROUP BY n.commissioner
        )
        SELECT {key} AS key, min({name}) AS name, coalesce(sum(paid), 0) AS paid,
               CAST(coalesce(sum(lines), 0) AS int) AS lines, sum(budget) AS budget,
               CAST(coalesce(sum(held), 0) AS int) AS budgets_held, coalesce(sum(claimed), 0) AS claimed,
               CAST(coalesce(sum(claims), 0) AS int) AS claims
        FROM paid FULL JOIN budget USING (commissioner) FULL JOIN claimed USING (commissioner)
        LEFT JOIN map USING (commissioner)
        GROUP BY 1
    """  # noqa: S608 - constants of this module
    return (
        _bound(statement, asked, scope, map_of=map_of)
        .columns(
            key=String,
            name=String,
            paid=_MONEY,
            lines=Integer,
            budget=_MONEY,
            budgets_held=Integer,
            claimed=_MONEY,
            claims=Integer,
        )
        .subquery()
    )


def networks(asked: Asked, scope: Scope) -> Subquery:
    """The networks seen, one row each; their money is looked up page by page."""
    statement = f"""
        SELECT network AS key, name, commissioner FROM networks
        WHERE {_NETWORKS_SEEN}
          AND (CAST(:commissioner AS text) IS NULL OR commissioner = :commissioner)
          AND (CAST(:network AS text) IS NULL OR network = :network)
    """  # noqa: S608 - constants of this module
    return _bound(statement, asked, scope).columns(key=String, name=String, commissioner=String).subquery()


MONEY_OF_NETWORKS = text(
    """
    WITH page AS (SELECT unnest(CAST(:page AS text[])) AS network), paid AS (
        SELECT network, sum(amount) AS paid, sum(lines) AS lines FROM spend JOIN page USING (network)
        WHERE contract_year = :contract_year
          AND (CAST(:stream AS text) IS NULL OR stream = :stream)
          AND (CAST(:month AS text) IS NULL OR month = :month)
        GROUP BY network
    ), claimed AS (
        SELECT network, sum(claimed) AS claimed, sum(claims) AS claims FROM network_claims JOIN page USING (network)
        WHERE contract_year = :contract_year AND month = coalesce(:month, '')
        GROUP BY network
    )
    SELECT network, coalesce(paid, 0) AS paid, CAST(coalesce(lines, 0) AS int) AS lines, b.amount AS budget,
           CAST(b.sequence IS NOT NULL AND b.amount IS NULL AS int) AS budgets_held,
           coalesce(claimed, 0) AS claimed, CAST(coalesce(claims, 0) AS int) AS claims
    FROM page LEFT JOIN paid USING (network) LEFT JOIN claimed USING (network)
    LEFT JOIN (SELECT * FROM budgets WHERE contract_year = :contract_year) AS b USING (network)
    """
)
