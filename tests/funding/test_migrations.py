"""Every migration of funding can be taken back, step by step, and made again."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import uuid4

import psycopg
from alembic import command

from shared.migrations import config_for, upgrade
from tests.conftest import drop_database, make_database


async def test_the_history_goes_back_to_nothing_and_forth_again() -> None:
    name = f"back_{uuid4().hex[:12]}"
    url = make_database(name)
    try:
        await asyncio.to_thread(upgrade, "funding", url)
        await asyncio.to_thread(command.downgrade, config_for("funding", url), "base")
        await asyncio.to_thread(upgrade, "funding", url)
    finally:
        drop_database(name)


NETWORK = """
    INSERT INTO networks (code, name, commissioner, approved_on, valid_from, position, closing_position)
    VALUES (%s, '', '00L', %s, %s, %s, %s)
"""
FIRST = date(2022, 4, 1)


async def test_networks_of_before_agreements_counted_are_told_apart_where_they_can_be() -> None:
    name = f"before_{uuid4().hex[:12]}"
    url = make_database(name)
    held = [
        ("decided", date(2022, 3, 28), FIRST, 5, 0),
        ("closed since", date(2022, 3, 28), FIRST, 5, 9),
        ("register or decided that day", FIRST, FIRST, 5, 0),
        ("put right since", FIRST, date(2022, 5, 1), 7, 7),
        ("only its end heard of", None, None, 0, 4),
    ]
    try:
        await asyncio.to_thread(command.upgrade, config_for("funding", url), "0026")
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for one in held:
                connection.execute(NETWORK, one)
        await asyncio.to_thread(command.upgrade, config_for("funding", url), "0033")
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("UPDATE networks SET name = 'Told again' WHERE code = 'decided'")
            connection.execute(
                "INSERT INTO budgets (network, contract_year, scope, commissioner, trace, set_at, version) "
                "VALUES ('decided', '2022-23', 'all_roles', '00L', '{}', now(), 1)"
            )
            connection.execute(
                "INSERT INTO allocations (network, practice, valid, known, position) "
                "VALUES ('decided', 'A1', '[2022-04-01,2022-07-01)', '[2022-04-01,)', 6)"
            )
        await asyncio.to_thread(upgrade, "funding", url)
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            found: dict[str, bool | None] = dict(
                connection.execute("SELECT code, by_application FROM networks").fetchall()
            )
            before = connection.execute("SELECT code, by_application FROM networks_before").fetchall()
            years = connection.execute("SELECT network, contract_year FROM budget_years").fetchall()
            words = connection.execute("SELECT practice, position, network, ends FROM allocation_words").fetchall()
        assert found == {
            **{"decided": True, "closed since": True, "register or decided that day": None},
            **{"put right since": None, "only its end heard of": False},
        }
        assert before == [("decided", False)], "what was believed before is not another state"
        assert (years, words) == ([("decided", "2022-23")], [("A1", 6, "decided", False)])
    finally:
        drop_database(name)
