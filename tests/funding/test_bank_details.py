"""Bank details: two people, sealed at rest, shown masked, never anywhere in clear."""

from __future__ import annotations

import asyncio
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from deploy.bank_keys import rotate
from services.funding.bank_details.keys import KeyRing
from services.funding.bank_details.model import Account, BankDetails
from services.funding.settings import Settings
from shared.clock import london_day
from shared.identity import Role
from shared.keys import KeysMissing, read_keys
from tests.funding.builders import NETWORK, bank_details
from tests.funding.test_journey import an_area
from tests.harness import Harness

PATH = "/funding/v1/bank-details"
SORT, NUMBER, NAME = "204063", "70872490", "Surgery Gardens"


def nan(app: Harness, subject: str = "alice") -> dict[str, str]:
    return app.token(Role.NATIONAL, subject=subject)


async def entered(app: Harness, payee: str = "A00001", **changed: Any) -> dict[str, Any]:
    given = bank_details(payee, **{"account_name": NAME, "sort_code": SORT, "account_number": NUMBER, **changed})
    reply = await app.post(PATH, given, nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def approved(app: Harness, payee: str = "A00001", **changed: Any) -> dict[str, Any]:
    """Bank details of a payee in force from today on."""
    details = await entered(app, payee, **changed)
    numbers = {"sort_code": changed.get("sort_code", SORT), "account_number": changed.get("account_number", NUMBER)}
    reply = await app.put(f"{PATH}/{details['id']}/approval", numbers, nan(app, "bob"))
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_two_people_change_where_money_goes(funding_app: Harness) -> None:
    await an_area(funding_app)
    details = await entered(funding_app)
    assert (details["account_name"], details["sort_code"], details["account_number"]) == (
        "S*** G***",
        "**-**-63",
        "****2490",
    )
    path, right = f"{PATH}/{details['id']}/approval", {"sort_code": SORT, "account_number": NUMBER}
    alone = await funding_app.put(path, right, nan(funding_app))
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePerson")
    bob = nan(funding_app, "bob")
    for wrong in ({**right, "account_number": "70872491"}, {**right, "sort_code": "204064"}):
        reply = await funding_app.put(path, wrong, bob)
        assert (reply.status_code, reply.json()["code"]) == (409, "DetailsDiffer")
    assert (await funding_app.client.put(path, json=right, headers=bob)).status_code == 428
    assert (await funding_app.put(path, right, bob, match='"7"')).status_code == 412
    done = await funding_app.put(path, right, bob)
    assert (done.status_code, done.json()["status"], done.json()["decided_by"]) == (200, "approved", "bob")
    for what, body in (("approval", right), ("refusal", {"reason": "late"})):
        again = await funding_app.put(f"{PATH}/{details['id']}/{what}", body, bob)
        assert (again.status_code, again.json()["code"]) == (409, "DetailsDecided")
    own = funding_app.token(Role.PAYEE, organisations=["A00001"])
    assert (await funding_app.client.put(path, json=right, headers={**own, "If-Match": '"1"'})).status_code == 403


async def test_one_change_at_a_time_and_a_refused_one_changes_nothing(funding_app: Harness) -> None:
    await an_area(funding_app)
    first = await approved(funding_app)
    second = await entered(funding_app, account_number="11112222")
    third = await funding_app.post(PATH, bank_details(), nan(funding_app))
    assert (third.status_code, third.json()["code"]) == (409, "ChangeInProgress")
    refused = await funding_app.put(f"{PATH}/{second['id']}/refusal", {"reason": "not signed"}, nan(funding_app, "bob"))
    assert (refused.json()["status"], refused.json()["reason"]) == ("refused", "not signed")
    held = (await funding_app.client.get("/funding/v1/payee-accounts", headers=nan(funding_app))).json()["items"]
    assert [(one["payee"], one["details"], one["account_number"]) for one in held] == [
        ("A00001", first["id"], "****2490")
    ]
    assert (await funding_app.post(PATH, bank_details(), nan(funding_app))).status_code == 201


async def test_old_accounts_are_kept_and_no_account_counts_before_its_approval(funding_app: Harness) -> None:
    await an_area(funding_app)
    today = london_day(datetime.now(UTC))
    old = await approved(funding_app, valid_from="2022-04-01")
    moment = datetime.now(UTC).isoformat()
    later = today + timedelta(days=30)
    new = await approved(funding_app, account_number="11112222", valid_from=later.isoformat())

    async def in_force(**asked: str) -> list[str]:
        reply = await funding_app.client.get("/funding/v1/payee-accounts", params=asked, headers=nan(funding_app))
        return [one["details"] for one in reply.json()["items"]]

    assert await in_force(as_at=(today - timedelta(days=1)).isoformat()) == [], "approved today, not in 2022"
    assert await in_force() == [old["id"]]
    assert await in_force(as_at=later.isoformat()) == [new["id"]]
    assert await in_force(as_at=later.isoformat(), known_at=moment) == [old["id"]]
    assert await in_force(payee="A00002") == []


async def test_payees_enter_and_see_their_own_and_nobody_elses(funding_app: Harness) -> None:
    await an_area(funding_app)
    details = await entered(funding_app)
    for roles, codes, seen in (
        ((Role.PAYEE,), ["A00001"], 200),
        ((Role.PRACTICE,), ["A00001"], 200),
        ((Role.OPERATOR,), [], 200),
        ((Role.PAYEE,), ["A00002"], 404),
        ((Role.NETWORK,), [NETWORK], 404),
        ((Role.COMMISSIONER,), ["00L"], 403),
    ):
        headers = funding_app.token(*roles, organisations=codes)
        assert (await funding_app.client.get(f"{PATH}/{details['id']}", headers=headers)).status_code == seen
        listed = await funding_app.client.get(PATH, headers=headers)
        assert listed.status_code == (403 if seen == 403 else 200)
        if seen != 403:
            assert [one["id"] for one in listed.json()["items"]] == ([details["id"]] if seen == 200 else [])
    network = funding_app.token(Role.NETWORK, organisations=[NETWORK])
    assert (await funding_app.post(PATH, bank_details(NETWORK), network)).status_code == 201
    other = await funding_app.post(PATH, bank_details("A00002"), network)
    assert (other.status_code, other.json()["code"]) == (404, "PayeeNotFound")
    nobody = await funding_app.post(PATH, bank_details("X0X0X"), nan(funding_app))
    assert (nobody.status_code, nobody.json()["code"]) == (404, "PayeeNotFound")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sort_code", "20-40-63"),
        ("sort_code", "000000"),
        ("sort_code", "20406"),
        ("account_number", "7087249"),
        ("account_number", "00000000"),
        ("account_number", "٧٠٨٧٢٤٩٠"),
        ("roll_number", "x" * 19),
        ("account_name", "Drop; table"),
        ("valid_from", "2019-03-31"),
    ],
)
async def test_what_is_no_account_is_refused_without_repeating_it(funding_app: Harness, field: str, value: str) -> None:
    await an_area(funding_app)
    given = bank_details(account_number=NUMBER, **({} if field == "account_number" else {field: value}))
    given[field] = value
    reply = await funding_app.post(PATH, given, nan(funding_app))
    assert reply.status_code == 422
    assert [fault["field"] for fault in reply.json()["errors"]] == [f"body.{field}"]
    assert NUMBER not in reply.text
    assert value not in reply.text


async def test_the_numbers_are_nowhere_in_clear(
    funding_live: Harness, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Every text of every table, every event, every answer and the log: the number, sort code and name are in none."""
    app = funding_live
    await an_area(app)
    details = await entered(app, roll_number="R-778-91")
    wrong = {"sort_code": SORT, "account_number": "70872491"}
    answers = [await app.put(f"{PATH}/{details['id']}/approval", wrong, nan(app, "bob"))]
    right = {"sort_code": SORT, "account_number": NUMBER}
    answers += [await app.put(f"{PATH}/{details['id']}/approval", right, nan(app, "bob"))]
    answers += [await app.client.get(path, headers=nan(app)) for path in (PATH, "/funding/v1/payee-accounts")]
    answers += [await app.client.get("/funding/v1/audit", headers=app.token(Role.OPERATOR))]
    said = capsys.readouterr()
    everything = "".join(answer.text for answer in answers) + said.out + said.err + caplog.text
    async with app.session() as session:
        tables = await session.scalars(
            text(
                "SELECT format('%I', relname) FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = 'public'::regnamespace"
            )
        )
        for table in tables.all():
            everything += "".join(await session.scalars(text(f"SELECT t::text FROM {table} t")))  # noqa: S608
    assert "****2490" in everything
    for secret in (NUMBER, SORT, NAME, "70872491", "R-778-91"):
        assert secret not in everything
    assert all(SORT not in repr(event) for event in await app.announced())
    async with app.session() as session:
        held = await session.get_one(BankDetails, details["id"])
        opened = held.account(app.service.settings.key_ring)  # type: ignore[attr-defined]
    assert opened == Account(NAME, SORT, NUMBER, "R-778-91")
    assert NUMBER not in repr(opened)


async def test_every_step_is_in_the_audit_trail_without_the_numbers(funding_app: Harness) -> None:
    await an_area(funding_app)
    details = await approved(funding_app)
    entries = (await funding_app.client.get("/funding/v1/audit", headers=funding_app.token(Role.OPERATOR))).json()[
        "items"
    ]
    own = [entry for entry in entries if entry["record"] == f"bank_details/{details['id']}"]
    assert [(entry["subject"], entry["action"]) for entry in own] == [("alice", "created"), ("bob", "changed")]
    assert own[0]["after"]["sealed"] == "***"
    assert own[1]["after"]["status"] == "approved"


async def test_two_approvals_at_once_have_one_effect(funding_live: Harness) -> None:
    await an_area(funding_live)
    details = await entered(funding_live)
    right = {"sort_code": SORT, "account_number": NUMBER}
    path = f"{PATH}/{details['id']}/approval"
    replies = await asyncio.gather(
        *(
            funding_live.client.put(path, json=right, headers={**nan(funding_live, who), "If-Match": '"1"'})
            for who in ("bob", "carol", "dan")
        )
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412, 412]
    held = (await funding_live.client.get("/funding/v1/payee-accounts", headers=nan(funding_live))).json()["items"]
    assert len(held) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bank_details SET account_number = '****9999'",
        "UPDATE bank_details SET sealed = 'another'",
        "UPDATE bank_details SET status = 'proposed'",
        "UPDATE bank_details SET decided_by = entered_by",
        "DELETE FROM bank_details",
    ],
)
async def test_the_database_keeps_what_was_decided(funding_app: Harness, statement: str) -> None:
    await an_area(funding_app)
    await approved(funding_app)
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(statement))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FUNDING_BANK_KEYS", "FUNDING_BANK_KEYS_FILE", "PCN_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PCN_HOME", str(tmp_path))
    return tmp_path


def test_the_embedded_default_keeps_a_key_only_its_owner_can_read(home: Path) -> None:
    settings = Settings(database_url="postgresql+psycopg://")
    sealed = settings.key_ring.seal(b"x")
    file = home / "keys" / "bank-keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Settings(database_url="postgresql+psycopg://").key_ring.open(sealed) == b"x"


def test_production_refuses_a_key_made_by_ourselves(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCN_ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="FUNDING_BANK_KEYS"):
        Settings(database_url="postgresql+psycopg://")
    monkeypatch.setenv("FUNDING_BANK_KEYS", "no key")
    with pytest.raises(ValidationError) as wrong:
        Settings(database_url="postgresql+psycopg://")
    assert re.search(r"Fernet key must be", str(wrong.value))
    monkeypatch.setenv("FUNDING_BANK_KEYS", Fernet.generate_key().decode())
    assert Settings(database_url="postgresql+psycopg://").keys_file is None


def test_without_the_right_key_nothing_opens(home: Path) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = KeyRing.given(first).seal(b"x")
    with pytest.raises(KeysMissing):
        KeyRing.given(second).open(sealed)
    both = KeyRing.given(f"{second},{first}")
    assert both.open(sealed) == b"x"
    assert KeyRing.given(second).open(both.reseal(sealed)) == b"x"
    with pytest.raises(KeysMissing):
        KeyRing.of_file(home / "gone").seal(b"x")


async def test_keys_rotate_beside_a_running_service(funding_live: Harness, home: Path) -> None:
    app = funding_live
    settings = Settings(database_url=app.service.settings.database_url)
    app.app.state.service.settings.__dict__["key_ring"] = running = settings.key_ring
    try:
        await an_area(app)
        details = await approved(app)
        waiting = await entered(app, "A00002")
        before = read_keys(settings.keys_file or home)
        assert await rotate(settings, forget=True) == 2
        after = read_keys(settings.keys_file or home)
        assert len(after) == 1
        assert after != before
        assert await rotate(settings, forget=False) == 2
        assert len(read_keys(settings.keys_file or home)) == 2
        async with app.session() as session:
            held = await session.get_one(BankDetails, details["id"])
            assert held.sealed_with == running.newest
            assert held.account(running).number == NUMBER
        right = {"sort_code": SORT, "account_number": NUMBER}
        assert (await app.put(f"{PATH}/{waiting['id']}/approval", right, nan(app, "bob"))).status_code == 200
        trail = (await app.client.get("/funding/v1/audit", headers=app.token(Role.OPERATOR))).json()["items"]
        assert [entry["after"]["details"] for entry in trail if entry["action"] == "resealed"] == [2, 2]
    finally:
        del app.app.state.service.settings.__dict__["key_ring"]
