"""Registers from before the temporal keys: what outlived its practice ends with it, and readers are told."""

from __future__ import annotations

import psycopg
from alembic import command

from shared.events.base import CATALOGUE
from shared.migrations import config_for
from tests.conftest import drop_database, make_database

BEFORE, AFTER = "0007", "0008"
OLD_REGISTER = """
INSERT INTO networks (code, changed_at, version) VALUES ('U90001', now(), 1);
INSERT INTO network_entries (network, name, commissioner, valid, known)
    VALUES ('U90001', 'TOWN', 'SA1', '[2019-10-01,)', '[2022-01-01,)');
INSERT INTO practices (code, contract, version) VALUES ('Z80001', 'GMS', 1), ('Z80002', NULL, 1);
INSERT INTO practice_entries (practice, name, status, valid, known)
    VALUES ('Z80001', 'A', 'active', '[1990-01-01,2020-12-01)', '[2022-01-01,)'),
           ('Z80002', 'B', 'active', '[1990-01-01,)', '[2022-01-01,)');
INSERT INTO memberships (network, practice, valid, known)
    VALUES ('U90001', 'Z80001', '[2019-10-01,)', '[2022-01-01,)'),
           ('U90001', 'Z80002', '[2019-10-01,)', '[2022-01-01,)');
"""


def test_a_membership_that_outlived_its_practice_ends_with_it_and_is_told(worker: str) -> None:
    name = f"migrating_members_{worker}"
    url = make_database(name)
    try:
        command.upgrade(config_for("registry", url), BEFORE)
        plain = url.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(OLD_REGISTER)
        command.upgrade(config_for("registry", url), AFTER)
        with psycopg.connect(plain, autocommit=True) as connection:
            believed = connection.execute(
                "SELECT practice, CAST(standing AS text) FROM memberships WHERE upper_inf(known) ORDER BY 1"
            ).fetchall()
            before = connection.execute(
                "SELECT CAST(valid AS text), standing FROM memberships WHERE NOT upper_inf(known)"
            ).fetchall()
            told = connection.execute("SELECT type, subject, data FROM outbox").fetchall()
            contracts = connection.execute("SELECT practice, contract, CAST(valid AS text) FROM practice_contracts")
            held = contracts.fetchall()
    finally:
        drop_database(name)
    assert believed == [("Z80001", "[2019-10-01,2020-12-01)"), ("Z80002", "[2019-10-01,)")]
    assert before == [("[2019-10-01,)", None)]
    ((kind, subject, data),) = told
    left = CATALOGUE[kind].model_validate(data)
    assert (left.subject(), subject, str(data["valid_from"]), str(data["valid_to"])) == (
        "U90001",
        "U90001",
        "2019-10-01",
        "2020-11-30",
    )
    assert held == [("Z80001", "GMS", "[1990-01-01,)")]
