"""Heads and WTE on a day, against the plan of its year."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import Integer, Numeric, String, Subquery, text

from services.reporting.areas.operations import MAP, Scope
from services.reporting.calendar import month_of, year_of


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
_SEEN = """
    SELECT network FROM networks
    WHERE (:everywhere OR commissioner = ANY(CAST(:commissioners AS text[]))
           OR network = ANY(CAST(:networks AS text[])))
      AND (CAST(:commissioner AS text) IS NULL OR commissioner = :commissioner)
      AND (CAST(:page AS text[]) IS NULL OR network = ANY(CAST(:page AS text[])))
"""


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
        "" if by is By.ROLE else "JOIN networks n USING (network) LEFT JOIN map ON map.commissioner = n.commissioner"
    )
    # every post is read when all of England is asked for: choosing among all networks would only cost time
    all_of_it = scope.everywhere and commissioner is None and only is None
    seen = "TRUE" if all_of_it else f"network IN ({_SEEN})"
    statement = f"""
        WITH map AS ({MAP}), counted AS (
            SELECT {of}, count(*) AS heads, sum(wte) AS wte,
                   sum(wte) FILTER (WHERE additional) AS additional_wte, CAST(0 AS numeric) AS planned_wte
            FROM posts WHERE started_on <= :as_at AND (ended_on IS NULL OR ended_on >= :as_at)
              AND (CAST(:role AS text) IS NULL OR role = :role) AND {seen}
            GROUP BY {of}
            UNION ALL
            SELECT {of}, 0, 0, 0, sum(wte) FROM planned_roles
            WHERE contract_year = :year AND start_month <= :month
              AND (CAST(:role AS text) IS NULL OR role = :role) AND {seen}
            GROUP BY {of}
        )
        SELECT {key} AS key, min({name}) AS name, CAST(sum(heads) AS int) AS heads, sum(wte) AS wte,
               coalesce(sum(additional_wte), 0) AS additional_wte, sum(planned_wte) AS planned_wte
        FROM counted {areas}
        GROUP BY 1
    """  # noqa: S608 - the parts put in are constants of this module
    clause = text(statement)
    every = {
        "as_at": as_at,
        "map_of": map_of,
        "year": year_of(as_at),
        "month": month_of(as_at),
        "commissioner": commissioner,
        "role": role,
        "page": only,
        **scope.params(),
    }
    clause = clause.bindparams(**{k: v for k, v in every.items() if k in clause._bindparams})
    number = Numeric(asdecimal=True)
    return clause.columns(
        key=String, name=String, heads=Integer, wte=number, additional_wte=number, planned_wte=number
    ).subquery()


def staffed(scope: Scope, *, as_at: date, commissioner: str | None, role: str | None) -> Subquery:
    """The networks seen that have somebody in post or planned on a day, by code alone."""
    statement = """
        SELECT n.network AS key FROM networks n
        WHERE (:everywhere OR n.commissioner = ANY(CAST(:commissioners AS text[]))
               OR n.network = ANY(CAST(:networks AS text[])))
          AND (CAST(:commissioner AS text) IS NULL OR n.commissioner = :commissioner)
          AND (EXISTS (SELECT FROM posts p WHERE p.network = n.network AND p.started_on <= :as_at
                       AND (p.ended_on IS NULL OR p.ended_on >= :as_at)
                       AND (CAST(:role AS text) IS NULL OR p.role = :role))
               OR EXISTS (SELECT FROM planned_roles r WHERE r.contract_year = :year AND r.network = n.network
                          AND r.start_month <= :month AND (CAST(:role AS text) IS NULL OR r.role = :role)))
    """
    return (
        text(statement)
        .bindparams(as_at=as_at, year=year_of(as_at), month=month_of(as_at))
        .bindparams(commissioner=commissioner, role=role, **scope.params())
        .columns(key=String)
        .subquery()
    )
