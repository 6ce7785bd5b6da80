"""Point reads: the driver under the pool, and what becomes of a connection that dies."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import Integer, literal, select, text

from shared.points import Point, Points, lending, place
from tests.harness import Harness

ONE_MORE = Point(select((place("number", Integer()) + literal(1)).label("next")))


def _of(toy_live: Harness) -> Points:
    return Points(lending(toy_live.runtime.reading_engine))


async def test_a_row_is_found_and_its_connection_goes_back(toy_live: Harness) -> None:
    points, pool = _of(toy_live), toy_live.runtime.reading_engine.pool
    for number in range(40):
        assert await points.row(ONE_MORE, number=number) == {"next": number + 1}
    assert pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_list_of_values_has_its_places(toy_live: Harness) -> None:
    within = Point(select(literal("yes").label("found")).where(place("number", Integer()).in_([3, 5])))
    assert await _of(toy_live).row(within, number=5) == {"found": "yes"}
    assert await _of(toy_live).row(within, number=4) is None


async def test_a_connection_that_died_is_not_lent_again(toy_live: Harness) -> None:
    points, lend = _of(toy_live), lending(toy_live.runtime.reading_engine)

    async def die(connection: psycopg.AsyncConnection[Any]) -> None:
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        raise psycopg.OperationalError("gone")

    with pytest.raises(psycopg.OperationalError, match="gone"):
        async with lend() as connection:
            await die(connection)
    assert await points.row(ONE_MORE, number=1) == {"next": 2}


async def test_what_the_driver_refuses_is_told_as_ever(toy_live: Harness) -> None:
    with pytest.raises(psycopg.DataError):
        await _of(toy_live).row(ONE_MORE, number=2**31 - 1)
    assert await _of(toy_live).row(ONE_MORE, number=1) == {"next": 2}


async def test_a_point_read_is_prepared_and_any_other_select_is_planned_for_its_values(toy_live: Harness) -> None:
    points, runtime = _of(toy_live), toy_live.runtime
    for number in range(12):
        await points.row(ONE_MORE, number=number)
        async with runtime.reading() as session:
            assert await session.scalar(select(literal(number, Integer()) + literal(2))) == number + 2
    async with runtime.reading() as session:
        prepared = (await session.scalars(text("SELECT statement FROM pg_prepared_statements"))).all()
    assert len(prepared) == 1
    assert "AS next" in prepared[0]
