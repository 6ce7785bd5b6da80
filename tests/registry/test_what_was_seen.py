"""What a decider saw stays readable, and what was known of rounds and applications at any moment."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from alembic import command

from shared.migrations import config_for
from tests.conftest import drop_database, make_database
from tests.harness import Harness
from tests.registry.builders import (
    SAMPLE,
    V1,
    allocate,
    commissioner,
    decide,
    draft,
    form,
    load_sample,
    national,
    open_round,
    submit,
    submitted,
    upload,
)

HARBOUR, VALE, FELLS = "Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN"


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def moment() -> str:
    return datetime.now(UTC).isoformat()


async def read(app: Harness, path: str, **asked: str) -> dict[str, Any]:
    answer = await app.client.get(f"{V1}/{path}", params=asked, headers=national(app))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def absent(app: Harness, path: str, code: str, **asked: str) -> None:
    answer = await app.client.get(f"{V1}/{path}", params=asked, headers=national(app))
    assert (answer.status_code, answer.json()["code"]) == (404, code)


async def _decided(app: Harness) -> tuple[str, list[str]]:
    round = await open_round(app)
    made = [await submitted(app, form(name, round)) for name in (HARBOUR, VALE, FELLS)]
    assert (await allocate(app, application=made[1], round=round)).status_code == 201
    assert (await decide(app, round)).status_code == 200
    return round, made


async def _lists_again(app: Harness, **sizes: int) -> None:
    """The lists of the snapshot day published anew, with other figures for these practices."""
    rows = list(csv.reader((SAMPLE / "adjusted_populations.csv").read_text().splitlines()))
    size = rows[0].index("Raw list size")
    anew = io.StringIO()
    csv.writer(anew).writerows(
        [*row[:size], str(sizes[row[1]]), *row[size + 1 :]] if row[1] in sizes else row for row in rows
    )
    answer = await upload(
        app,
        "adjusted-populations",
        "adjusted_populations.csv",
        anew.getvalue().encode(),
        published_on="2022-05-05",
        snapshot="2022-01-01",
    )
    assert answer.status_code == 201, answer.text


async def test_a_decided_round_shows_the_coverage_its_decider_saw_whatever_is_corrected_later(app: Harness) -> None:
    round, (harbour, vale, _) = await _decided(app)
    seen = await read(app, f"rounds/{round}/coverage")
    assert (seen["of_decision"], seen["complete"], seen["as_at"]) == (True, True, "2022-04-01")
    by = {p["practice"]: p["covered_by"] for p in seen["practices"]}
    assert by["Z80001"] == [{"kind": "application", "by": harbour}]
    assert by["Z80010"] == [{"kind": "allocation", "by": vale}]
    decided_at = (await read(app, f"rounds/{round}"))["decided_at"]

    days = {"valid_from": "2022-04-01", "valid_to": "2022-04-30", "reason": "It never signed for more."}
    left = await app.put(
        f"{V1}/networks/U90011/members/Z80003/2022-04-01/correction", days, commissioner(app), match=None
    )
    allocation = (await read(app, "allocations"))["items"][0]["id"]
    ending = {"ends_on": "2022-04-30", "reason": "It joined."}
    ended = await app.put(f"{V1}/allocations/{allocation}/ending", ending, commissioner(app))
    await _lists_again(app, Z80001=1, Z80010=99_999)
    assert (left.status_code, ended.status_code) == (200, 200), (left.text, ended.text)

    assert await read(app, f"rounds/{round}/coverage") == seen
    assert await read(app, f"rounds/{round}/coverage", known_at=decided_at) == seen
    assert await read(app, f"rounds/{round}/coverage", known_at=moment()) == seen
    page = await read(app, f"rounds/{round}/coverage/practices", limit="1000")
    assert page["items"] == seen["practices"]

    may = await read(app, f"rounds/{round}/coverage", as_at="2022-05-02")
    assert (may["of_decision"], may["complete"]) == (False, False)
    assert {p["practice"] for p in may["uncovered"]} == {"Z80003", "Z80010"}
    assert {p["practice"]: p["patients"] for p in may["practices"]}["Z80010"] == "99999"
    then = await read(app, f"rounds/{round}/coverage", as_at="2022-05-02", known_at=decided_at)
    assert then["complete"]
    before = await read(app, f"rounds/{round}/coverage", as_at="2022-03-31", known_at=decided_at)
    assert before["patients_uncovered"] == before["patients"]


async def test_the_coverage_of_an_open_round_is_known_as_it_grew(app: Harness) -> None:
    unknown = moment()
    round = await open_round(app)
    harbour = await submitted(app, form(HARBOUR, round))
    first = moment()
    vale = await submitted(app, form(VALE, round))
    await submitted(app, form(FELLS, round))
    assert (await allocate(app, application=vale, round=round)).status_code == 201
    whole = moment()
    returned = await app.put(f"{V1}/applications/{vale}/return", {"reason": "The map is missing."}, commissioner(app))
    assert returned.status_code == 200

    await absent(app, f"rounds/{round}/coverage", "RoundNotFound", known_at=unknown)
    early = await read(app, f"rounds/{round}/coverage", known_at=first)
    by = {p["practice"]: p["covered_by"] for p in early["practices"]}
    assert by["Z80001"] == [{"kind": "application", "by": harbour}]
    assert by["Z80004"] == []
    assert (await read(app, f"rounds/{round}/coverage", known_at=whole))["complete"]
    now = await read(app, f"rounds/{round}/coverage")
    assert (now["of_decision"], now["complete"]) == (False, False)
    state = await read(app, f"rounds/{round}/coverage/practices", known_at=whole, state="uncovered")
    assert state["items"] == []


async def test_a_round_is_known_from_its_opening_and_decided_from_its_decision(app: Harness) -> None:
    unknown = moment()
    round = await open_round(app)
    opened = moment()
    await absent(app, f"rounds/{round}", "RoundNotFound", known_at=unknown)
    assert (await read(app, "rounds", known_at=unknown))["items"] == []
    reason = {"reason": "It was opened by mistake."}
    assert (await app.put(f"{V1}/rounds/{round}/abandonment", reason, commissioner(app))).status_code == 200
    then = await read(app, f"rounds/{round}", known_at=opened)
    assert (then["status"], then["abandoned_on"], then["abandon_reason"]) == ("open", None, None)
    now = await read(app, f"rounds/{round}")
    assert (now["status"], now["abandon_reason"]) == ("abandoned", "It was opened by mistake.")
    for asked, expected in ((opened, [round]), (moment(), [])):
        waiting = await read(app, "rounds", known_at=asked, status="open")
        assert [r["id"] for r in waiting["items"]] == expected
    assert (await read(app, "rounds", status="abandoned"))["items"][0]["id"] == round


async def test_an_application_is_read_as_it_was_known(app: Harness) -> None:
    round = await open_round(app)
    unknown = moment()
    made = await draft(app, {**form(HARBOUR, round), "area_description": None})
    id, path = made["id"], f"applications/{made['id']}"
    drafted = moment()
    etag = (await app.client.get(f"{V1}/{path}", headers=commissioner(app))).headers["etag"]
    headers = {**commissioner(app), "If-Match": etag}
    changed = await app.client.patch(
        f"{V1}/{path}", json={"area_description": "The quay", "payee": "Z80002"}, headers=headers
    )
    assert changed.status_code == 200
    described = moment()
    assert (await submit(app, id)).status_code == 200
    came_in = moment()
    sent_back = await app.put(f"{V1}/{path}/return", {"reason": "The quay is in dispute."}, commissioner(app))
    assert sent_back.status_code == 200

    await absent(app, path, "ApplicationNotFound", known_at=unknown)
    assert (await read(app, "applications", known_at=unknown))["items"] == []
    told = [
        (shown["status"], shown["area_description"], shown["payee"], shown["decision_reason"])
        for shown in [await read(app, path, known_at=asked) for asked in (drafted, described, came_in, moment())]
    ]
    assert told == [
        ("draft", None, "Z80001", None),
        ("draft", "The quay", "Z80002", None),
        ("submitted", "The quay", "Z80002", None),
        ("returned", "The quay", "Z80002", "The quay is in dispute."),
    ]
    latest = await read(app, path, known_at=moment())
    assert latest == await read(app, path)
    then = await read(app, path, known_at=came_in)
    assert then["registered_patients"] == latest["registered_patients"]
    assert [line["patients"] for line in then["practices"]] == [line["patients"] for line in latest["practices"]]
    assert [s["step"] for s in (await read(app, f"{path}/history", known_at=came_in))["items"]] == ["submitted"]
    listed = await read(app, "applications", known_at=came_in, status="submitted", round=round)
    assert [a["id"] for a in listed["items"]] == [id]
    assert (await read(app, "applications", status="submitted", round=round))["items"] == []
    stranger = await app.client.get(f"{V1}/{path}?known_at={came_in[:19]}", headers=commissioner(app, "SB2"))
    assert stranger.status_code == 404


async def test_what_was_found_of_an_application_is_known_as_it_was_then(app: Harness) -> None:
    round = await open_round(app)
    alone = {
        **form(VALE, round),
        "practices": [{"practice": "Z80004"}],
        "agreement_signed_by": ["Z80004"],
        "clinical_director": {"name": "Dr A", "practice": "Z80004"},
        "size_waiver_reason": "A new town that grows into it",
    }
    id = await submitted(app, alone)
    before = moment()
    body = {"application": id, "finding": "one_practice", "reason": "It is a town of its own."}
    assert (await app.post(f"{V1}/waivers", body, commissioner(app))).status_code == 201

    def reasons(shown: dict[str, Any]) -> list[str | None]:
        return [finding["reason"] for finding in shown["findings"] if finding["code"] == "one_practice"]

    assert reasons(await read(app, f"applications/{id}", known_at=before)) == [None]
    assert reasons(await read(app, f"applications/{id}")) == ["It is a town of its own."]


async def test_an_approved_application_was_waiting_until_the_area_was_decided(app: Harness) -> None:
    round, (harbour, _, _) = await _decided(app)
    decided_at = datetime.fromisoformat((await read(app, f"rounds/{round}"))["decided_at"])
    before = await read(app, f"applications/{harbour}", known_at=(decided_at - timedelta(microseconds=1)).isoformat())
    after = await read(app, f"applications/{harbour}", known_at=decided_at.isoformat())
    assert [(a["status"], a["network"], a["decided_by"]) for a in (before, after)] == [
        ("submitted", None, None),
        ("approved", "U90011", "carl"),
    ]


OLD = """
INSERT INTO rounds (id, commissioner, contract_year, opens_on, apply_by, decide_by, starts_on, snapshot, status,
    opened_by, decided_on, decided_by, version)
    VALUES ('rnd-1', 'SA1', '2022-23', '2022-02-01', '2022-03-01', '2022-03-31', '2022-04-01', '2022-01-01', 'decided',
    'carl', '2022-03-28', 'carl', 2);
INSERT INTO applications (id, commissioner, network_name, kind, network, reforms, clinical_directors,
    agreement_signed_by, localities, late, round, contract_year, status, created_by, registered_patients, decided_on,
    decided_by, version)
    VALUES ('app-1', 'SA1', 'Town', 'new', 'U90001', '{}', '[]', '{Z80001}', '[]', false, 'rnd-1', '2022-23',
    'approved', 'pia', 31000, '2022-03-28', 'carl', 4),
    ('app-2', 'SA1', 'Village', 'new', NULL, '{}', '[]', '{}', '[]', false, 'rnd-1', '2022-23',
    'draft', 'pia', NULL, NULL, NULL, 1);
INSERT INTO application_practices (application, practice, share, leaves, patients)
    VALUES ('app-1', 'Z80001', 1, NULL, 31000);
INSERT INTO application_steps (application, step, taken_on, taken_at, taken_by, reason, form) VALUES
    ('app-1', 'submitted', '2022-02-10', '2022-02-10 10:00+00', 'pia', NULL,
    '{"network_name": "Towm", "network": null,
    "practices": [{"practice": "Z80001", "share": "1", "leaves": null, "patients": "31000"}]}'),
    ('app-1', 'returned', '2022-02-11', '2022-02-11 10:00+00', 'carl', 'The name.', NULL),
    ('app-1', 'approved', '2022-03-28', '2022-03-28 10:00+00', 'carl', NULL, NULL);
"""


def test_applications_from_before_are_known_by_their_steps(worker: str) -> None:
    name = f"migrating_rounds_{worker}"
    url = make_database(name)
    try:
        command.upgrade(config_for("registry", url), "0016")
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(OLD)
        command.upgrade(config_for("registry", url), "head")
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            told = connection.execute(
                "SELECT application, CAST(since AS date), state->>'status', state->>'network_name', state->>'network', "
                "state->>'decision_reason', state->>'decided_by' FROM application_versions ORDER BY application, id"
            ).fetchall()
            opened, decided = connection.execute(
                "SELECT CAST(CAST(opened_at AS date) AS text), CAST(CAST(decided_at AS date) AS text) FROM rounds"
            ).fetchall()[0]
    finally:
        drop_database(name)
    assert [(row[0], str(row[1]), *row[2:]) for row in told[:3]] == [
        ("app-1", "2022-02-10", "submitted", "Towm", None, None, None),
        ("app-1", "2022-02-11", "returned", "Towm", None, "The name.", None),
        ("app-1", "2022-03-28", "approved", "Town", "U90001", None, "carl"),
    ]
    assert [(row[0], row[2], row[3]) for row in told[3:]] == [("app-2", "draft", "Village")]
    assert (opened, decided) == ("2022-02-01", "2022-03-28")
