"""What was claimed, granted and paid, summed as asked."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Integer, Numeric, String, Subquery

from services.reporting.areas.scope import LED, MAP, Scope, bound
from services.reporting.claims.model import ClaimKind


class By(StrEnum):
    CLAIMANT = "claimant"
    COMMISSIONER = "commissioner"
    SYSTEM = "system"
    KIND = "kind"
    MONTH = "month"
    ENGLAND = "england"


_KEYS = {
    By.CLAIMANT: ("claimant", "found.name"),
    By.COMMISSIONER: ("coalesce(commissioner, 'unknown')", "map.name"),
    By.SYSTEM: ("coalesce(map.system, 'unknown')", "map.system_name"),
    By.KIND: ("kind", "NULL::text"),
    By.MONTH: ("month", "NULL::text"),
    By.ENGLAND: ("'England'", "'England'"),
}
_MONEY = Numeric(asdecimal=True)


def claims(
    by: By,
    scope: Scope,
    *,
    contract_year: str,
    kind: ClaimKind | None,
    month: str | None,
    commissioner: str | None,
    map_of: object,
) -> Subquery:
    """One row per key that claimed anything in the year; by month those of months only."""
    key, name = _KEYS[by]
    of_month = "c.month <> ''" if by is By.MONTH and month is None else "c.month = coalesce(:month, '')"
    of_kind = "c.kind = :kind" if kind is not None else "TRUE"
    area = "coalesce(n.commissioner, b.commissioner, p.commissioner)"
    of_area = f"{area} = :commissioner" if commissioner is not None else "TRUE"
    seen = scope.sees(network="c.network", commissioner=area)
    statement = f"""
        WITH map AS ({MAP}), found AS (
            SELECT coalesce(nullif(c.practice, ''), c.network) AS claimant, coalesce(p.name, n.name) AS name,
                   {area} AS commissioner, c.kind, c.month,
                   c.claims, c.claimed, c.approved, c.paid
            FROM network_claims c
            LEFT JOIN ({LED}) n ON n.network = c.network
            LEFT JOIN practices p ON p.practice = c.practice
            LEFT JOIN practice_commissioners b ON b.practice = c.practice AND b.valid_from <= :led_on
                 AND (b.valid_to IS NULL OR b.valid_to >= :led_on)
            WHERE c.contract_year = :contract_year AND {of_month} AND {of_kind} AND {of_area} AND {seen}
        )
        SELECT {key} AS key, min({name}) AS name, CAST(sum(claims) AS int) AS claims, sum(claimed) AS claimed,
               sum(approved) AS approved, sum(paid) AS paid
        FROM found LEFT JOIN map USING (commissioner) GROUP BY 1
    """  # noqa: S608 - constants of this module
    values = {
        "contract_year": contract_year,
        "kind": kind,
        "month": month,
        "commissioner": commissioner,
        "map_of": map_of,
        "led_on": map_of,
        **scope.params(),
    }
    return (
        bound(statement, values)
        .columns(key=String, name=String, claims=Integer, claimed=_MONEY, approved=_MONEY, paid=_MONEY)
        .subquery()
    )
