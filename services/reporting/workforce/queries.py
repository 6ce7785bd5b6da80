"""Heads and WTE on a day, against the plan of its year."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import Integer, Numeric, String, Subquery

from services.reporting.areas.scope import LED, MAP, Scope, bound
from shared.years import month_of, year_of_day


class By(StrEnum):
    COMMISSIONER = "commissioner"
    SYSTEM = "system"
    ROLE = "role"
    NETWORK = "network"


_KEYS = {
    By.COMMISSIONER: ("coalesce(n.commissioner, 'unknown')", "map.name"),
    By.SYSTEM: ("coalesce(map.system, 'unknown')", "map.system_name"),
    By.ROLE: ("role", "role"),
    By.NETWORK: ("network", "n.name"),
}


def _seen(scope: Scope, commissioner: str | None, only: list[str] | None) -> str:
    """Choose among networks; every post is read, and nothing chosen, when all of England is asked for."""
    if scope.everywhere and commissioner is None and only is None:
        return "TRUE"
    conditions = [scope.sees(network="network")]
    if commissioner is not None:
        conditions.append("commissioner = :commissioner")
    if only is not None:
        conditions.append("network = ANY(CAST(:page AS text[]))")
    return f"network IN (SELECT network FROM ({LED}) led WHERE {' AND '.join(conditions)})"  # noqa: S608 - constants


def workforce(
    by: By,
    scope: Scope,
    *,
    as_at: date,
    map_of: date,
    commissioner: str | None,
    role: str | None,
    only: list[str] | None,
) -> Subquery:
    """One row per area, role or network that has somebody in post or planned, among `only` these networks if named."""
    key, name = _KEYS[by]
    of = "role" if by is By.ROLE else "network"
    areas = (
        "" if by is By.ROLE else f"JOIN ({LED}) n USING (network) LEFT JOIN map ON map.commissioner = n.commissioner"
    )
    seen = _seen(scope, commissioner, only)
    of_role = "role = :role" if role is not None else "TRUE"
    statement = f"""
        WITH map AS ({MAP}), counted AS (
            SELECT {of}, count(*) AS heads, sum(wte) AS wte,
                   sum(wte) FILTER (WHERE additional) AS additional_wte, CAST(0 AS numeric) AS planned_wte
            FROM posts WHERE started_on <= :as_at AND (ended_on IS NULL OR ended_on >= :as_at)
              AND {of_role} AND {seen}
            GROUP BY {of}
            UNION ALL
            SELECT {of}, 0, 0, 0, sum(wte) FROM planned_roles
            WHERE contract_year = :year AND start_month <= :month
              AND {of_role} AND {seen}
            GROUP BY {of}
        )
        SELECT {key} AS key, min({name}) AS name, CAST(sum(heads) AS int) AS heads, sum(wte) AS wte,
               coalesce(sum(additional_wte), 0) AS additional_wte, sum(planned_wte) AS planned_wte
        FROM counted {areas}
        GROUP BY 1
    """  # noqa: S608 - the parts put in are constants of this module
    values = {
        "as_at": as_at,
        "led_on": as_at,
        "map_of": map_of,
        "year": year_of_day(as_at),
        "month": month_of(as_at),
        "commissioner": commissioner,
        "role": role,
        "page": only,
        **scope.params(),
    }
    number = Numeric(asdecimal=True)
    return (
        bound(statement, values)
        .columns(key=String, name=String, heads=Integer, wte=number, additional_wte=number, planned_wte=number)
        .subquery()
    )


def staffed(scope: Scope, *, as_at: date, commissioner: str | None, role: str | None) -> Subquery:
    """The networks seen that have somebody in post or planned on a day, by code alone."""
    of_role = "role = :role" if role is not None else "TRUE"
    statement = f"""
        SELECT n.network AS key FROM ({LED}) n
        WHERE {scope.sees(network="n.network", commissioner="n.commissioner")}
          AND {"n.commissioner = :commissioner" if commissioner is not None else "TRUE"}
          AND (EXISTS (SELECT FROM posts p WHERE p.network = n.network AND p.started_on <= :as_at
                       AND (p.ended_on IS NULL OR p.ended_on >= :as_at) AND {of_role})
               OR EXISTS (SELECT FROM planned_roles r WHERE r.contract_year = :year AND r.network = n.network
                          AND r.start_month <= :month AND {of_role}))
    """  # noqa: S608 - constants of this module
    values = {
        "as_at": as_at,
        "led_on": as_at,
        "year": year_of_day(as_at),
        "month": month_of(as_at),
        "commissioner": commissioner,
        "role": role,
        **scope.params(),
    }
    return bound(statement, values).columns(key=String).subquery()
