"""The figures of coverage on a day, by area."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from sqlalchemy import Date, Integer, Numeric, String, Subquery
from sqlalchemy.dialects.postgresql import ARRAY

from services.reporting.areas.scope import MAP, Scope, bound


class By(StrEnum):
    COMMISSIONER = "commissioner"
    SYSTEM = "system"
    REGION = "region"
    ENGLAND = "england"


class State(StrEnum):
    COVERED = "covered"
    ALLOCATED = "allocated"
    DISPERSED = "dispersed"
    UNCOVERED = "uncovered"
    TWICE = "twice"


_KEYS = {
    By.COMMISSIONER: ("day.commissioner", "map.name"),
    By.SYSTEM: ("coalesce(map.system, 'unknown')", "map.system_name"),
    By.REGION: ("coalesce(map.region, 'unknown')", "map.region_name"),
    By.ENGLAND: ("'England'", "'England'"),
}
NUMERIC = Numeric(asdecimal=True)


def _named(commissioner: str | None, column: str = "commissioner") -> str:
    return "TRUE" if commissioner is None else f"{column} = :commissioner"


def coverage(by: By, scope: Scope, *, as_at: date, map_of: date, commissioner: str | None) -> Subquery:
    """One row per area: the sum of all changes up to the day."""
    key, name = _KEYS[by]
    statement = f"""
        WITH map AS ({MAP}), day AS (
            SELECT commissioner, sum(registered) AS registered, sum(covered) AS covered, sum(allocated) AS allocated,
                   sum(dispersed) AS dispersed, sum(uncovered) AS uncovered, sum(twice) AS twice,
                   sum(practices) AS practices, sum(practices_uncovered) AS practices_uncovered
            FROM coverage_changes
            WHERE day <= :as_at AND {scope.sees()} AND {_named(commissioner)}
            GROUP BY commissioner
        )
        SELECT {key} AS key, min({name}) AS name, sum(registered) AS registered, sum(covered) AS covered,
               sum(allocated) AS allocated, sum(dispersed) AS dispersed, sum(uncovered) AS not_covered,
               sum(twice) AS twice_covered,
               CAST(sum(practices) AS int) AS practices,
               CAST(sum(practices_uncovered) AS int) AS practices_not_covered
        FROM day LEFT JOIN map USING (commissioner)
        WHERE practices <> 0
        GROUP BY 1
    """  # noqa: S608 - the parts put in are constants of this module
    return (
        bound(statement, {"as_at": as_at, "map_of": map_of, "commissioner": commissioner, **scope.params()})
        .columns(
            key=String,
            name=String,
            registered=NUMERIC,
            covered=NUMERIC,
            allocated=NUMERIC,
            dispersed=NUMERIC,
            not_covered=NUMERIC,
            twice_covered=NUMERIC,
            practices=Integer,
            practices_not_covered=Integer,
        )
        .subquery()
    )


def practices(state: State, scope: Scope, *, as_at: date, commissioner: str | None) -> Subquery:
    """The practices of an area in a state on a day, with the patients concerned."""
    statement = f"""
        SELECT c.practice, p.name, c.commissioner, c.registered, c.{state.value} AS patients, c.first AS since,
               c.merged,
               CAST((SELECT string_agg(m.network, ',' ORDER BY m.network) FROM memberships m
                     WHERE m.practice = c.practice AND m.valid_from <= :as_at
                       AND (m.valid_to IS NULL OR m.valid_to >= :as_at)) AS text) AS networks
        FROM practice_coverage c LEFT JOIN practices p ON p.practice = c.practice
        WHERE c.first <= :as_at AND (c.until IS NULL OR c.until > :as_at) AND c.{state.value} > 0
          AND {scope.sees(commissioner="c.commissioner")} AND {_named(commissioner, "c.commissioner")}
    """  # noqa: S608 - the state is one of five words
    return (
        bound(statement, {"as_at": as_at, "commissioner": commissioner, **scope.params()})
        .columns(
            practice=String,
            name=String,
            commissioner=String,
            registered=NUMERIC,
            patients=NUMERIC,
            since=Date,
            merged=ARRAY(String),
            networks=String,
        )
        .subquery()
    )
