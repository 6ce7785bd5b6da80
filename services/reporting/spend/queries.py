"""What was paid, budgeted and claimed, summed as asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Integer, Numeric, String, Subquery, TextClause, text

from services.reporting.areas.scope import LED, MAP, Scope, bound


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
    By.COMMISSIONER: ("coalesce(commissioner, 'unknown')", "map.name"),
    By.SYSTEM: ("coalesce(map.system, 'unknown')", "map.system_name"),
    By.ENGLAND: ("'England'", "'England'"),
}


def _where(asked: Asked, *columns: str) -> str:
    """The filters that were asked for, out of those a table has columns for."""
    named = [f"{c} = :{c}" for c in columns if getattr(asked, c) is not None]
    return " AND ".join(["contract_year = :contract_year", *named])


def _bound(statement: str, asked: Asked, scope: Scope, **more: object) -> TextClause:
    return bound(statement, {**asdict(asked), **scope.params(), **more})


_HANDED_OVER = "SELECT commissioner FROM successions UNION SELECT successor FROM successions"
"""Commissioners that took over or were taken over: their networks' money is shown under who leads them on the day."""


_SETTLED = """
    SELECT s.network, s.contract_year, CASE WHEN NOT s.returned THEN s.amount END AS confirmed,
           CASE WHEN s.returned THEN CASE WHEN s.sent_again THEN coalesce(r.waiting, 0)
                                          ELSE s.amount - coalesce(r.sent, 0) END END AS returned,
           CAST(NULL AS numeric) AS written_off, CAST(NULL AS numeric) AS recovered
    FROM settlements s LEFT JOIN (
        SELECT instruction, network, sum(amount) FILTER (WHERE sent_again) AS sent,
               sum(amount) FILTER (WHERE NOT sent_again) AS waiting
        FROM redirections GROUP BY instruction, network
    ) r USING (instruction, network)
    UNION ALL
    SELECT network, contract_year, NULL, NULL, CASE outcome WHEN 'written-off' THEN amount END,
           CASE outcome WHEN 'recovered' THEN amount END
    FROM settled_debts
"""
"""What arrived; what came back and was not sent again, to its payee or redirected to another; what was owed and given
up or had back otherwise."""


def _lines(scope: Scope, asked: Asked) -> str:
    """Where the paid sums come from: whole areas for those who see whole areas, single networks otherwise.

    And single networks where areas changed hands, each under its lead on the day of the map.
    """
    of_area = "commissioner = :commissioner" if asked.commissioner is not None else "TRUE"
    led = f"""
        SELECT s.network, s.stream, s.month, s.amount, s.lines,
               CASE WHEN s.commissioner IN ({_HANDED_OVER}) THEN coalesce(led.commissioner, s.commissioner)
                    ELSE s.commissioner END AS commissioner
        FROM spend s LEFT JOIN ({LED}) led USING (network)
    """  # noqa: S608 - constants of this module
    where = _where(asked, "stream", "month", "network")
    if scope.networks or asked.network is not None:
        return f"""
            SELECT commissioner, stream, month, amount, lines FROM ({led} WHERE {where}) AS paid
            WHERE {of_area} AND {scope.sees(network="network")}
        """  # noqa: S608 - constants of this module
    return f"""
        SELECT commissioner, stream, month, amount, lines FROM commissioner_spend
        WHERE {where} AND {of_area} AND {scope.sees()} AND commissioner NOT IN ({_HANDED_OVER})
        UNION ALL
        SELECT commissioner, stream, month, amount, lines
        FROM ({led} WHERE {where} AND s.commissioner IN ({_HANDED_OVER})) AS paid
        WHERE {of_area} AND {scope.sees()}
    """  # noqa: S608 - constants of this module


def by_line(by: By, asked: Asked, scope: Scope, *, map_of: date) -> Subquery:
    """Paid by stream or by month paid for."""
    key = "stream" if by is By.STREAM else "month"
    statement = f"""
        SELECT {key} AS key, sum(amount) AS paid, CAST(sum(lines) AS int) AS lines
        FROM ({_lines(scope, asked)}) AS paid GROUP BY 1
    """  # noqa: S608 - constants of this module
    return _bound(statement, asked, scope, led_on=map_of).columns(key=String, paid=_MONEY, lines=Integer).subquery()


def by_area(by: By, asked: Asked, scope: Scope, *, map_of: date) -> Subquery:
    """Paid, budget and claimed by commissioner, system or for all that is seen."""
    key, name = _AREA[by]
    seen = scope.sees(network="network")
    of_area = "n.commissioner = :commissioner" if asked.commissioner is not None else "TRUE"
    of_network = "network = :network" if asked.network is not None else "TRUE"
    statement = f"""
        WITH map AS ({MAP}), led AS ({LED}), paid AS (
            SELECT commissioner, sum(amount) AS paid, sum(lines) AS lines
            FROM ({_lines(scope, asked)}) AS rows GROUP BY commissioner
        ), budget AS (
            SELECT commissioner, sum(amount) AS budget, count(*) FILTER (WHERE amount IS NULL) AS held
            FROM (
                SELECT b.network, b.amount, b.contract_year, coalesce(led.commissioner, b.commissioner) AS commissioner
                FROM budgets b LEFT JOIN led USING (network) WHERE b.amount IS NOT NULL OR b.held_reason IS NOT NULL
            ) AS b
            WHERE {_where(asked, "commissioner", "network")} AND {seen}
            GROUP BY commissioner
        ), claimed AS (
            SELECT n.commissioner, sum(c.claimed) AS claimed, sum(c.claims) AS claims
            FROM network_claims c JOIN led n USING (network)
            WHERE contract_year = :contract_year AND month = coalesce(:month, '') AND kind = 'roles'
              AND {seen} AND {of_area} AND {of_network}
            GROUP BY n.commissioner
        ), settled AS (
            SELECT n.commissioner, sum(s.confirmed) AS confirmed, sum(s.returned) AS returned,
                   sum(s.written_off) AS written_off, sum(s.recovered) AS recovered
            FROM ({_SETTLED}) s JOIN led n USING (network)
            WHERE contract_year = :contract_year AND {seen} AND {of_area} AND {of_network}
            GROUP BY n.commissioner
        )
        SELECT {key} AS key, min({name}) AS name, coalesce(sum(paid), 0) AS paid,
               CAST(coalesce(sum(lines), 0) AS int) AS lines, sum(budget) AS budget,
               CAST(coalesce(sum(held), 0) AS int) AS budgets_held, coalesce(sum(claimed), 0) AS claimed,
               CAST(coalesce(sum(claims), 0) AS int) AS claims, coalesce(sum(confirmed), 0) AS confirmed,
               coalesce(sum(returned), 0) AS returned, coalesce(sum(written_off), 0) AS written_off,
               coalesce(sum(recovered), 0) AS recovered
        FROM paid FULL JOIN budget USING (commissioner) FULL JOIN claimed USING (commissioner)
        FULL JOIN settled USING (commissioner)
        LEFT JOIN map USING (commissioner)
        GROUP BY 1
    """  # noqa: S608 - constants of this module
    return (
        _bound(statement, asked, scope, map_of=map_of, led_on=map_of)
        .columns(
            key=String,
            name=String,
            paid=_MONEY,
            lines=Integer,
            budget=_MONEY,
            budgets_held=Integer,
            claimed=_MONEY,
            claims=Integer,
            confirmed=_MONEY,
            returned=_MONEY,
            written_off=_MONEY,
            recovered=_MONEY,
        )
        .subquery()
    )


def networks(asked: Asked, scope: Scope, *, map_of: date) -> Subquery:
    """The networks seen, one row each; their money is looked up page by page."""
    statement = f"""
        SELECT network AS key, name, commissioner FROM ({LED}) AS led
        WHERE {scope.sees(network="network")}
          AND {"commissioner = :commissioner" if asked.commissioner is not None else "TRUE"}
          AND {"network = :network" if asked.network is not None else "TRUE"}
    """  # noqa: S608 - constants of this module
    columns = {"key": String, "name": String, "commissioner": String}
    return _bound(statement, asked, scope, led_on=map_of).columns(**columns).subquery()


MONEY_OF_NETWORKS = text(
    f"""
    WITH page AS (SELECT unnest(CAST(:page AS text[])) AS network), paid AS (
        SELECT network, sum(amount) AS paid, sum(lines) AS lines FROM spend JOIN page USING (network)
        WHERE contract_year = :contract_year
          AND (CAST(:stream AS text) IS NULL OR stream = :stream)
          AND (CAST(:month AS text) IS NULL OR month = :month)
        GROUP BY network
    ), claimed AS (
        SELECT network, sum(claimed) AS claimed, sum(claims) AS claims FROM network_claims JOIN page USING (network)
        WHERE contract_year = :contract_year AND month = coalesce(:month, '') AND kind = 'roles'
        GROUP BY network
    ), settled AS (
        SELECT network, sum(confirmed) AS confirmed, sum(returned) AS returned, sum(written_off) AS written_off,
               sum(recovered) AS recovered
        FROM ({_SETTLED}) s JOIN page USING (network) WHERE contract_year = :contract_year GROUP BY network
    )
    SELECT network, coalesce(confirmed, 0) AS confirmed, coalesce(returned, 0) AS returned,
           coalesce(written_off, 0) AS written_off, coalesce(recovered, 0) AS recovered,
           coalesce(paid, 0) AS paid, CAST(coalesce(lines, 0) AS int) AS lines, b.amount AS budget,
           CAST(b.amount IS NULL AND b.held_reason IS NOT NULL AS int) AS budgets_held,
           coalesce(claimed, 0) AS claimed, CAST(coalesce(claims, 0) AS int) AS claims
    FROM page LEFT JOIN paid USING (network) LEFT JOIN claimed USING (network)
    LEFT JOIN settled USING (network)
    LEFT JOIN (SELECT * FROM budgets WHERE contract_year = :contract_year) AS b USING (network)
    """  # noqa: S608 - constants of this module
)
