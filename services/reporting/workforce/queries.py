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


def workforce(
    by: By, scope: Scope, *, as_at: date, map_of: date, commissioner: str | None, role: str | None
) -> Subquery:
    """One row per area, role or network that has somebody in post or planned."""
    key, name = _KEYS[by]
    statement = f"""
        WITH map AS ({MAP}), counted AS (
            SELECT network, role, count(*) AS heads, sum(wte) AS wte,
                   sum(wte) FILTER (WHERE additional) AS additional_wte, CAST(0 AS numeric) AS planned_wte
            FROM posts WHERE started_on <= :as_at AND (ended_on IS NULL OR ended_on >= :as_at)
              AND (CAST(:role AS text) IS NULL OR role = :role)
            GROUP BY network, role
            UNION ALL
            SELECT network, role, 0, 0, 0, sum(wte) FROM planned_roles
            WHERE contract_year = :year AND start_month <= :month AND (CAST(:role AS text) IS NULL OR role = :role)
            GROUP BY network, role
        )
        SELECT {key} AS key, min({name}) AS name, CAST(sum(heads) AS int) AS heads, sum(wte) AS wte,
               coalesce(sum(additional_wte), 0) AS additional_wte, sum(planned_wte) AS planned_wte
        FROM counted JOIN networks n USING (network) LEFT JOIN map ON map.commissioner = n.commissioner
        WHERE (:everywhere OR n.commissioner = ANY(CAST(:commissioners AS text[]))
               OR network = ANY(CAST(:networks AS text[])))
          AND (CAST(:commissioner AS text) IS NULL OR n.commissioner = :commissioner)
        GROUP BY 1
    """  # noqa: S608 - the parts put in are constants of this module
    number = Numeric(asdecimal=True)
    return (
        text(statement)
        .bindparams(as_at=as_at, map_of=map_of, year=year_of(as_at), month=month_of(as_at))
        .bindparams(commissioner=commissioner, role=role, **scope.params())
        .columns(key=String, name=String, heads=Integer, wte=number, additional_wte=number, planned_wte=number)
        .subquery()
    )
