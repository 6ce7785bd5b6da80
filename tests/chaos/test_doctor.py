"""Every check of `pcn doctor` is seen to fail: a breach is planted in a copy of a healthy stack's database."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.doctor import Finding, examine
from deploy.doctor.finding import State
from deploy.postgres import EmbeddedPostgres
from deploy.stack import SERVICES, database_variable
from deploy.up import Home
from tests.chaos.clients import Asked, Ledger
from tests.chaos.states import differences, state_of
from tests.chaos.storm import _accounted
from tests.conftest import ROOT
from tests.journeys.stack import environment, free_port, journey

pytestmark = [pytest.mark.slow]

Copy = Callable[..., dict[str, str]]


@dataclass(frozen=True)
class Healthy:
    """A home after its journey, with the server running and the stack stopped."""

    home: Path
    server: EmbeddedPostgres

    @property
    def names(self) -> dict[str, str]:
        return {name: f"{name}{Home(self.home).suffix()}" for name in SERVICES}

    @property
    def urls(self) -> dict[str, str]:
        return {name: self.server.url(database) for name, database in self.names.items()}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Healthy]:
    home = tmp_path_factory.mktemp("doctor")
    done = journey(home, free_port())
    assert done.returncode == 0, done.stdout + done.stderr
    with EmbeddedPostgres(home / "postgres") as server:
        yield Healthy(home, server)


_numbers = count()


@pytest.fixture
def planted(healthy: Healthy) -> Iterator[Copy]:
    """A function that copies one service's database, runs statements in it, and gives the URLs of all four."""
    made: list[str] = []

    def plant(service: str, *statements: str) -> dict[str, str]:
        name = f"planted_{next(_numbers)}"
        with healthy.server._connect() as admin:
            source = sql.Identifier(healthy.names[service])
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), source))
        made.append(name)
        url = healthy.server.url(name)
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for statement in statements:
                touched = connection.execute(statement)
                assert touched.rowcount != 0, f"nothing to plant in: {statement}"
        return {**healthy.urls, service: url}

    yield plant
    with healthy.server._connect() as admin:
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def broken(findings: list[Finding]) -> set[str]:
    return {finding.check for finding in findings if finding.state is State.BROKEN}


UNLOCKED = "ALTER TABLE payment_lines DISABLE TRIGGER USER"

DIVIDED = (
    "INSERT INTO successions (valid, known, level, predecessor, successor, kind, inherits, reason, recorded_by) "
    "VALUES ('[2026-04-01,)', '[2026-04-01,)', 'commissioner', 'SX1', '{}', 'split', {}, 'divided', 'nina')"
)
UNTOLD = {"commissioners-succeeded-registry-funding", "commissioners-succeeded-registry-reporting"}

BREACHES: dict[str, tuple[str, set[str], list[str]]] = {
    "an event never left": (
        "registry", {"outbox-published"},
        ["UPDATE outbox SET published_at = NULL "
         "WHERE position = (SELECT min(position) FROM outbox)"],
    ),
    "an event stands in the log twice": (
        "registry", {"outbox-unique"},
        ["INSERT INTO outbox (time, event_id, type, topic, subject, data, published_at) "
         "SELECT time, event_id, type, topic, subject, data, published_at FROM outbox ORDER BY position LIMIT 1"],
    ),
    "an event never arrived": (
        "workforce", {"events-received"}, ["DELETE FROM inbox WHERE type LIKE '%list-sizes%'"],
    ),
    "an event nobody announced": (
        "funding", {"inbox-announced"},
        ["INSERT INTO inbox VALUES (gen_random_uuid(), 'pcn.registry.network-approved.v1', now())"],
    ),
    "a message is parked": (
        "reporting", {"nothing-parked"},
        ["INSERT INTO parked (event_id, source, subject, type, envelope, code, reason, parked_at, attempts) "
         "VALUES (gen_random_uuid(), 'pcn.registry', 'U1', 'x', '{}', 'Wrong', 'wrong', now(), 1)"],
    ),
    "a message is handled and parked": (
        "reporting", {"events-received", "nothing-parked"},
        ["INSERT INTO parked (event_id, source, subject, type, envelope, code, reason, parked_at, attempts) "
         "SELECT event_id, 'pcn.registry', 'U1', type, '{}', 'Wrong', 'wrong', now(), 1 FROM inbox LIMIT 1"],
    ),
    "a copied membership is gone": (
        "workforce", {"projections-workforce", "memberships-registry-workforce"},
        ["DELETE FROM memberships WHERE practice = (SELECT min(practice) FROM memberships)"],
    ),
    "a copied population is one patient off": (
        "funding", {"projections-funding", "populations-registry-funding"},
        ["UPDATE populations SET value = value + 1 WHERE fact_id = (SELECT min(fact_id) FROM populations)"],
    ),
    "a copied network has another name": (
        "funding", {"projections-funding", "networks-registry-funding"},
        ["UPDATE networks SET name = 'Another' WHERE code = (SELECT min(code) FROM networks)"],
    ),
    "a merger that funding alone knows of": (
        "funding", {"projections-funding", "successions-registry-funding"},
        ["INSERT INTO practice_heirs (valid, known, practice, successor, position) "
         "SELECT '[2022-07-01,)', '[2022-07-01,)', max(code), min(code), 1 FROM practices"],
    ),
    "a merger that reporting alone knows of": (
        "reporting", {"projections-reporting", "successions-registry-reporting"},
        ["INSERT INTO practice_successions (practice, successor, succeeded_on, valid_to, sequence) "
         "SELECT max(practice), min(practice), '2022-07-01', '2022-08-31', 1 FROM practices"],
    ),
    "a commissioner's successor that nobody was told of": ("registry", UNTOLD, [DIVIDED.format("SX2", "true")]),
    "an agreement that funding alone knows of": (
        "funding", {"agreements-registry-funding"},
        ["INSERT INTO network_agreements (valid, known, network, agreement_version, in_force_from, position, "
         "ended_position) SELECT '[2022-07-01,)', '[2022-07-01,)', max(code), 7, '2022-07-01', 1, 0 FROM networks"],
    ),
    "local terms that workforce alone knows of": (
        "workforce", {"projections-workforce", "local-terms-funding-workforce"},
        ["INSERT INTO network_terms (network, spans, sequence) SELECT max(network), "
         "'[{\"variation\": \"v\", \"valid_from\": \"2022-07-01\", \"valid_to\": null, \"every_member\": true}]', 1 "
         "FROM networks"],
    ),
    "a list that dispersed for reporting alone": (
        "reporting", {"projections-reporting", "dispersals-registry-reporting"},
        ["INSERT INTO practice_dispersals (practice, valid_from) SELECT max(practice), '2022-07-01' FROM practices"],
    ),
    "a reported penny too much": (
        "reporting", {"projections-reporting", "payment-lines-funding-reporting"},
        ["UPDATE spend SET amount = amount + 0.01 WHERE ctid = (SELECT min(ctid) FROM spend)"],
    ),
    "a sum in reporting that its rows do not give": (
        "reporting", {"projections-reporting"},
        ["UPDATE commissioner_spend SET amount = amount + 0.01 "
         "WHERE ctid IN (SELECT ctid FROM commissioner_spend LIMIT 1)"],
    ),
    "a reported budget is another": (
        "reporting", {"projections-reporting", "budgets-funding-reporting"},
        ["UPDATE budgets SET amount = amount - 1 WHERE network = (SELECT min(network) FROM budgets)"],
    ),
    "a reported list is another": (
        "reporting", {"projections-reporting", "populations-registry-reporting"},
        ["UPDATE list_sizes SET patients = patients + 1 WHERE practice = (SELECT min(practice) FROM list_sizes)"],
    ),
    "a reported membership is gone": (
        "reporting", {"projections-reporting", "memberships-registry-reporting"},
        ["DELETE FROM memberships WHERE practice = (SELECT min(practice) FROM memberships)"],
    ),
    "the owner lost an allocation": (
        "registry", {"allocations-registry-funding"}, ["DELETE FROM allocations"],
    ),
    "the owner lost a membership": (
        "registry", {"memberships-registry-funding"},
        ["DELETE FROM memberships WHERE practice = (SELECT min(practice) FROM memberships)"],
    ),
    "a post changed and nobody was told": (
        "workforce", {"posts-workforce-reporting"}, ["UPDATE posts SET wte = 0.5"],
    ),
    "a claim changed after it was made": (
        "workforce", {"claims-workforce-funding", "claims-workforce-reporting"},
        ["ALTER TABLE claims DISABLE TRIGGER USER", "UPDATE claims SET salary = salary + 1"],
    ),
    "an outcome is another": (
        "workforce", {"projections-workforce", "claim-outcomes-funding-workforce"},
        ["UPDATE claim_outcomes SET paid = paid + 0.01, payable = payable + 0.01"],
    ),
    "a paid line is a penny more": (
        "funding", {"run-totals", "payments-announced", "payment-lines-funding-reporting", "instructions-add-up"},
        [UNLOCKED, "UPDATE payment_lines SET amount = amount + 0.01 "
         "WHERE id = (SELECT min(id) FROM payment_lines WHERE amount > 0)"],
    ),
    "a paid line goes to somebody else": (
        "funding", {"payments-announced", "instructions-add-up"},
        [UNLOCKED, "UPDATE payment_lines SET payee = 'X99' "
         "WHERE id = (SELECT min(id) FROM payment_lines WHERE amount > 0)"],
    ),
    "a run shows another total": (
        "funding", {"run-totals"},
        ["ALTER TABLE payment_runs DISABLE TRIGGER USER", "UPDATE payment_runs SET total = total + 0.01"],
    ),
    "more is taken back than was paid": (
        "funding", {"never-below-nothing", "run-totals", "instructions-add-up"},
        [UNLOCKED, "UPDATE payment_lines SET amount = -amount "
         "WHERE id = (SELECT min(id) FROM payment_lines WHERE amount > 0)"],
    ),
    "a claim is paid for another sum": (
        "funding", {"claims-paid-once"}, ["UPDATE claims SET payable = payable - 1 WHERE status = 'paid'"],
    ),
    "a claim is paid and no line says so": (
        "funding", {"claims-paid-once", "run-totals", "instructions-add-up"},
        ["ALTER TABLE paid_references DISABLE TRIGGER USER", "DELETE FROM paid_references", UNLOCKED,
         "DELETE FROM payment_lines WHERE reference LIKE 'claims/%'"],
    ),
    "an instruction pays a penny more": (
        "funding", {"instructions-add-up"},
        ["ALTER TABLE payment_instructions DISABLE TRIGGER USER",
         "UPDATE payment_instructions SET of_run = of_run + 0.01, amount = amount + 0.01 WHERE number = 1"],
    ),
    "two beliefs about one membership": (
        "funding", {"facts-do-not-overlap"},
        ["ALTER TABLE memberships DROP CONSTRAINT ex_memberships_overlap",
         "INSERT INTO memberships (valid, known, network, practice, share, position) "
         "SELECT valid, known, network, practice, share, position FROM memberships LIMIT 1"],
    ),
    "an audit entry is gone": (
        "registry", {"audit-is-whole"},
        ["ALTER TABLE audit DISABLE TRIGGER USER", "DELETE FROM audit WHERE record LIKE 'applications/%'",
         "ALTER TABLE audit ENABLE TRIGGER USER"],
    ),
    "one change of a run left no entry": (
        "funding", {"audit-is-whole"},
        ["ALTER TABLE audit DISABLE TRIGGER USER",
         "DELETE FROM audit WHERE record LIKE 'payment_runs/%' AND action = 'changed'",
         "ALTER TABLE audit ENABLE TRIGGER USER"],
    ),
    "the audit trail can be changed": (
        "workforce", {"audit-is-whole"}, ["ALTER TABLE audit DISABLE TRIGGER USER"],
    ),
    "a database of another version": (
        "registry", {"migrated"}, ["UPDATE alembic_version SET version_num = '0000'"],
    ),
}  # fmt: skip


def test_a_healthy_stack_is_found_well(healthy: Healthy) -> None:
    findings = examine(healthy.urls, patience=0)
    assert [finding for finding in findings if finding.state is not State.OK] == []
    assert len({finding.check for finding in findings}) == len(findings)


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_seen(breach: str, planted: Copy) -> None:
    service, expected, statements = BREACHES[breach]
    findings = examine(planted(service, *statements), patience=0)
    assert expected <= broken(findings)
    assert all(finding.rows for finding in findings if finding.state is State.BROKEN), "each shows what offends"


def test_every_check_was_seen_to_fail(healthy: Healthy) -> None:
    checks = {finding.check for finding in examine(healthy.urls, patience=0)}
    assert checks == set().union(*(expected for _, expected, _ in BREACHES.values()))


def test_a_commissioner_with_two_heirs_is_no_breach_but_that_nobody_was_told(planted: Copy) -> None:
    urls = planted("registry", DIVIDED.format("SX2", "true"), DIVIDED.format("SX3", "false"))
    assert broken(examine(urls, patience=0)) == UNTOLD


def test_what_is_on_its_way_is_no_breach(planted: Copy) -> None:
    urls = planted(
        "reporting",
        "DELETE FROM inbox WHERE event_id IN (SELECT event_id FROM inbox WHERE type LIKE '%role-recruited%')",
        "DELETE FROM posts",
    )
    states = {finding.check: finding.state for finding in examine(urls, patience=3600)}
    assert states["posts-workforce-reporting"] is State.UNSETTLED
    assert State.BROKEN not in states.values()
    assert "events-received" in broken(examine(urls, patience=0))


def test_a_message_given_up_is_not_missed_but_its_effect_is(planted: Copy) -> None:
    recruited = (
        "INSERT INTO parked (event_id, source, subject, type, envelope, code, reason, parked_at, attempts, "
        "replayed_at) "
        "SELECT event_id, 'pcn.workforce', 'P', type, '{}', 'Dismissed', 'given up', now(), 1, now() FROM inbox "
        "WHERE type LIKE '%role-recruited%'"
    )
    forgotten = "DELETE FROM inbox WHERE type LIKE '%role-recruited%'"
    urls = planted("reporting", recruited, forgotten, "DELETE FROM posts")
    assert broken(examine(urls, patience=0)) == {"posts-workforce-reporting"}


def test_how_a_network_of_before_was_approved_may_be_unknown(planted: Copy) -> None:
    urls = planted("funding", "UPDATE networks SET by_application = NULL")
    assert broken(examine(urls, patience=0)) == set()
    turned = planted("funding", "UPDATE networks SET by_application = NOT by_application")
    assert broken(examine(turned, patience=0)) == {"projections-funding"}


def test_the_command_says_so_with_its_exit_code(healthy: Healthy, planted: Copy) -> None:
    surroundings = environment(healthy.home, 1)
    command = [sys.executable, "-m", "deploy.cli", "doctor", "--json", "--patience", "0"]
    well = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert well.returncode == 0, well.stderr
    assert {finding["state"] for finding in json.loads(well.stdout)} == {"ok"}
    urls = planted("reporting", "DELETE FROM posts")
    surroundings |= {database_variable(name): url for name, url in urls.items()}
    ill = subprocess.run(command[:-3], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert ill.returncode == 1, ill.stderr
    assert "projections-reporting" in ill.stdout
    nowhere = subprocess.run(
        command, cwd=ROOT, env=environment(healthy.home / "nowhere", 1), capture_output=True, text=True, check=False
    )
    assert nowhere.returncode == 1
    assert "holds no stack" in nowhere.stderr


def test_an_accepted_request_without_a_trace_is_lost_and_a_refused_one_with_a_trace_a_ghost(healthy: Healthy) -> None:
    with psycopg.connect(healthy.urls["registry"].replace("+psycopg", "")) as connection:
        ((there, *_),) = connection.execute("SELECT correlation_id FROM audit LIMIT 1").fetchall()
    kept, gone = Asked("registry", str(there), "POST", 201), Asked("registry", "chaos-nowhere", "POST", 201)
    assert _accounted(Ledger(accepted=[kept, gone]), healthy.urls) == ([gone], [])
    assert _accounted(Ledger(refused=[kept, gone]), healthy.urls) == ([], [kept])


def test_a_penny_a_row_and_a_reference_are_differences_between_two_stacks(healthy: Healthy, planted: Copy) -> None:
    as_it_is = state_of(healthy.urls)
    assert differences(as_it_is, state_of(planted("funding"))) == []
    penny = planted("funding", UNLOCKED, "UPDATE payment_lines SET amount = amount + 0.01 WHERE reference IS NOT NULL")
    row = planted("reporting", "DELETE FROM posts")
    reference = planted("reporting", "UPDATE applications SET round = 'rnd-01kb30000000000000'")
    for urls, table in ((penny, "funding.payment_lines"), (row, "reporting.posts"), (reference, "reporting.applic")):
        assert any(table in line for line in differences(as_it_is, state_of(urls)))
