"""One request: committed before the reply, repeated safely, changed only by version, refused clearly."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import delete, func, select, text, update

from deploy.reply_keys import rotate
from shared.idempotency import _without_boundary
from shared.identity import Role
from shared.keys import KeysMissing, read_keys, write_keys
from shared.messaging.tables import AuditEntry, KeptReply, Outbox
from shared.settings import CommonSettings
from tests.harness import Harness
from tests.shared.toy import Counter, CounterRaised

PROBLEM = "application/problem+json"


async def test_a_counter_is_made_announced_and_audited_in_one_transaction(toy_live: Harness) -> None:
    alice = toy_live.token(Role.NATIONAL)
    made = await toy_live.post("/toy/v1/counters", {"owner": "X1", "price": "12.50"}, alice)
    assert made.status_code == 201
    assert made.json()["price"] == "12.50"
    assert [type(event) for event in await toy_live.announced()] == [CounterRaised]
    async with toy_live.session() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.position))).all()
    assert [(e.action, e.subject, e.concerns) for e in entries] == [
        ("created", "alice", ["X1"]),
        ("changed", "alice", ["X1"]),
    ]
    assert entries[1].before == {"raised": 0}
    assert entries[1].after == {"raised": 1}


async def test_a_commit_that_fails_is_never_a_success(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        unique = "ALTER TABLE counters ADD CONSTRAINT later UNIQUE (owner) DEFERRABLE INITIALLY DEFERRED"
        await session.execute(text(unique))
    alice = toy_live.token(Role.NATIONAL)
    assert (await toy_live.post("/toy/v1/counters", {"owner": "X1"}, alice)).status_code == 201
    refused = await toy_live.post("/toy/v1/counters", {"owner": "X1"}, alice)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == PROBLEM
    async with toy_live.session() as session:
        assert await session.scalar(select(func.count()).select_from(Counter)) == 1
        assert await session.scalar(select(func.count()).select_from(Outbox)) == 1
        assert await session.scalar(select(func.count()).select_from(KeptReply)) == 1


async def test_the_same_key_sent_ten_times_at_once_has_one_effect_and_ten_equal_answers(toy_live: Harness) -> None:
    headers = {**toy_live.token(Role.NATIONAL), "Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(
        *(toy_live.client.post("/toy/v1/counters", json={"owner": "X1"}, headers=headers) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["etag"] for answer in answers}) == 1
    async with toy_live.session() as session:
        assert await session.scalar(select(func.count()).select_from(Counter)) == 1


async def test_a_key_stands_for_one_request_of_one_caller(toy_live: Harness) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    alice, bob = toy_live.token(Role.NATIONAL), toy_live.token(Role.NATIONAL, subject="bob")
    first = await toy_live.client.post("/toy/v1/counters", json={"owner": "X1"}, headers=key | alice)
    other_body = await toy_live.client.post("/toy/v1/counters", json={"owner": "X2"}, headers=key | alice)
    assert (other_body.status_code, other_body.json()["errors"][0]["code"]) == (422, "key_reused")
    other_caller = await toy_live.client.post("/toy/v1/counters", json={"owner": "X1"}, headers=key | bob)
    assert other_caller.status_code == 201
    assert other_caller.json()["id"] != first.json()["id"]


async def test_a_form_sent_again_under_another_boundary_is_the_same_request() -> None:
    def sent(boundary: str, content: str) -> bytes:
        body = f'--{boundary}\r\nContent-Disposition: form-data; name="file"\r\n\r\n{content}\r\n--{boundary}--\r\n'
        return _without_boundary(body.encode(), f"multipart/form-data; boundary={boundary}")

    assert sent("a1b2c3d4e5f6", "same") == sent("f6e5d4c3b2a1", "same")
    assert sent("a1b2c3d4e5f6", "same") != sent("a1b2c3d4e5f6", "other")


async def test_a_refused_request_put_right_may_use_its_key_again(toy_live: Harness) -> None:
    headers = {**toy_live.token(Role.NATIONAL), "Idempotency-Key": uuid4().hex}
    refused = await toy_live.client.post("/toy/v1/counters", json={"owner": 5}, headers=headers)
    assert refused.status_code == 422
    assert (await toy_live.client.post("/toy/v1/counters", json={"owner": "X1"}, headers=headers)).status_code == 201


async def test_every_fault_is_listed_at_once_the_missing_key_too(toy_live: Harness) -> None:
    answer = await toy_live.client.post(
        "/toy/v1/counters", json={"price": 1.5, "colour": "red"}, headers=toy_live.token(Role.NATIONAL)
    )
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["errors"]} == {
        "header.Idempotency-Key",
        "body.owner",
        "body.price",
        "body.colour",
    }


async def test_a_change_names_the_version_it_changes(toy_live: Harness) -> None:
    alice = toy_live.token(Role.NATIONAL)
    made = await toy_live.post("/toy/v1/counters", {"owner": "X1"}, alice)
    height = f"/toy/v1/counters/{made.json()['id']}/height"
    assert (await toy_live.client.put(height, json={"by": 1}, headers=alice)).status_code == 428
    stale = await toy_live.client.put(height, json={"by": 1}, headers={**alice, "If-Match": '"1"'})
    assert stale.status_code == 412
    garbage = await toy_live.client.put(height, json={"by": 1}, headers={**alice, "If-Match": '\\"*;drop'})
    assert garbage.status_code == 412
    changed = await toy_live.client.put(height, json={"by": 1}, headers={**alice, "If-Match": made.headers["etag"]})
    assert (changed.status_code, changed.json()["raised"]) == (200, 2)
    assert changed.headers["etag"] != made.headers["etag"]


async def test_pages_follow_each_other_without_gap_or_repeat(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        session.add_all([Counter(id=f"c{n:03d}", owner="X1" if n % 2 else "X2", raised=0, price=0) for n in range(25)])
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await toy_live.client.get(
            f"/toy/v1/counters?limit=7{'&cursor=' + cursor if cursor else ''}", headers=toy_live.token(Role.NATIONAL)
        )
        seen += [item["id"] for item in answer.json()["items"]]
        cursor = answer.json()["next"]
    assert seen == [f"c{n:03d}" for n in range(25)]


async def test_a_list_is_narrowed_to_the_caller(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        session.add_all([Counter(id=f"c{n}", owner=f"X{n}", raised=0, price=0) for n in range(3)])
    answer = await toy_live.client.get("/toy/v1/counters", headers=toy_live.token(Role.NETWORK, organisations=["X1"]))
    assert [item["id"] for item in answer.json()["items"]] == ["c1"]


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WzEsMl0", "WyJhXHUwMDAwIl0", "W251bGxd", "%ff", "A" * 900])
async def test_a_forged_cursor_is_refused(toy_live: Harness, cursor: str) -> None:
    answer = await toy_live.client.get(f"/toy/v1/counters?cursor={cursor}", headers=toy_live.token(Role.NATIONAL))
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)


BAD_BODIES = {
    "a NUL": b'{"owner": "X\\u0000"}',
    "a lone surrogate": b'{"owner": "X\\ud800"}',
    "a surrogate in a key": b'{"owner": "X", "\\udfff": 1}',
    "not a number as money": b'{"owner": "X", "price": NaN}',
    "NaN in text as money": b'{"owner": "X", "price": "NaN"}',
    "an endless number as money": b'{"owner": "X", "price": "1e400"}',
    "a fraction of a penny": b'{"owner": "X", "price": "0.001"}',
    "too deep": b'{"owner": "X", "note": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "no JSON": b'{"owner": ',
    "no UTF-8": b'{"owner": "\xff"}',
    "a list": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_bad_body_is_a_clear_refusal(toy_live: Harness, body: bytes) -> None:
    headers = {
        **toy_live.token(Role.NATIONAL),
        "Idempotency-Key": uuid4().hex,
        "Content-Type": "application/json",
    }
    answer = await toy_live.client.post("/toy/v1/counters", content=body, headers=headers)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == PROBLEM


async def test_too_large_a_body_is_refused_whether_or_not_it_says_its_length(toy_live: Harness) -> None:
    headers = {**toy_live.token(Role.NATIONAL), "Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
    large = json.dumps({"owner": "X", "note": "x" * (33 * 1024 * 1024)}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    told = await toy_live.client.post("/toy/v1/counters", content=large, headers=headers)
    untold = await toy_live.client.post("/toy/v1/counters", content=pieces(), headers=headers)
    assert (told.status_code, untold.status_code) == (413, 413)
    assert told.headers["content-type"] == untold.headers["content-type"] == PROBLEM


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(toy_live: Harness) -> None:
    missing = await toy_live.client.get("/toy/v1/nothing")
    wrong = await toy_live.client.delete("/toy/v1/counters")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert missing.headers["content-type"] == wrong.headers["content-type"] == PROBLEM


async def test_the_trace_of_a_request_goes_on_in_its_event(toy_live: Harness) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        **toy_live.token(Role.NATIONAL),
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        "X-Correlation-Id": "case-4711",
    }
    answer = await toy_live.post("/toy/v1/counters", {"owner": "X1"}, headers)
    assert answer.headers["x-correlation-id"] == "case-4711"
    async with toy_live.session() as session:
        row = (await session.scalars(select(Outbox))).one()
    assert row.correlation_id == "case-4711"
    assert row.traceparent is not None
    assert row.traceparent.split("-")[1] == trace


async def test_the_audit_is_append_only_and_read_by_whom_it_concerns(toy_live: Harness) -> None:
    await toy_live.post("/toy/v1/counters", {"owner": "X1"}, toy_live.token(Role.NATIONAL))
    mine = await toy_live.client.get("/toy/v1/audit", headers=toy_live.token(Role.PRACTICE, organisations=["X1"]))
    theirs = await toy_live.client.get("/toy/v1/audit", headers=toy_live.token(Role.PRACTICE, organisations=["X2"]))
    assert [item["action"] for item in mine.json()["items"]] == ["created", "changed"]
    assert theirs.json()["items"] == []
    async with toy_live.runtime.engine.connect() as connection:
        with pytest.raises(Exception, match="append-only"):
            await connection.execute(text("UPDATE audit SET subject = 'bob'"))


async def test_a_parameter_nobody_knows_is_refused_with_every_other_fault_of_the_address(toy_live: Harness) -> None:
    national = toy_live.token(Role.NATIONAL)
    answer = await toy_live.client.get("/toy/v1/counters?ownr=X1&limit=0&sort=up&ownr=X2", headers=national)
    assert answer.status_code == 422
    assert [(fault["field"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("query.ownr", "unknown_parameter"),
        ("query.sort", "unknown_parameter"),
        ("query.limit", "greater_than_equal"),
    ]
    assert answer.json()["errors"][0]["message"] == "There is no parameter ownr. It takes cursor, limit."
    assert (await toy_live.client.get("/toy/v1/counters?limit=1", headers=national)).status_code == 200
    changing = await toy_live.post("/toy/v1/counters?dry_run=1", {"owner": "X1"}, national)
    assert (changing.status_code, changing.json()["errors"][0]["field"]) == (422, "query.dry_run")
    assert await toy_live.announced() == []


async def test_a_stranger_is_not_told_what_may_be_asked_and_a_probe_may_ask_anything(toy_live: Harness) -> None:
    assert (await toy_live.client.get("/toy/v1/counters?ownr=X1")).status_code == 401
    network = toy_live.token(Role.NETWORK)
    assert (await toy_live.client.post("/toy/v1/counters?x=1", headers=network)).status_code == 403
    assert (await toy_live.client.get("/toy/metrics?format=text")).status_code == 200


async def test_a_body_of_another_type_is_told_which_to_send(toy_live: Harness) -> None:
    headers = {**toy_live.token(Role.NATIONAL), "Idempotency-Key": uuid4().hex}
    for kind in ({"Content-Type": "text/plain"}, {}):
        answer = await toy_live.client.post("/toy/v1/counters", content=b'{"owner": "X"}', headers=headers | kind)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {
                "field": "header.Content-Type",
                "code": "not_json",
                "message": "Send the body as JSON, with Content-Type: application/json.",
            }
        ]


async def test_faults_are_in_words_of_our_own(toy_live: Harness) -> None:
    headers = {**toy_live.token(Role.NATIONAL), "Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
    broken = await toy_live.client.post("/toy/v1/counters", content=b'{"owner": ', headers=headers)
    assert broken.json()["errors"] == [
        {
            "field": "body",
            "code": "json_invalid",
            "message": "The body is not JSON: Expecting value at position 10.",
        }
    ]
    price = await toy_live.client.post("/toy/v1/counters", json={"owner": "X", "price": 1.5}, headers=headers)
    assert price.json()["errors"] == [
        {"field": "body.price", "code": "value_error", "message": 'send money as text, like "1234.50"'}
    ]


async def test_a_fault_a_rule_finds_is_placed_like_one_of_shape(toy_live: Harness) -> None:
    made = await toy_live.post("/toy/v1/counters", {"owner": "X1"}, toy_live.token(Role.NATIONAL))
    headers = {**toy_live.token(Role.NATIONAL), "If-Match": made.headers["etag"]}
    height = f"/toy/v1/counters/{made.json()['id']}/height"
    malformed = await toy_live.client.put(height, json={"by": 101}, headers=headers)
    assert (malformed.status_code, malformed.json()["errors"][0]["field"]) == (422, "body.by")
    refused = await toy_live.client.put(height, json={"by": 0}, headers=headers)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "raised")


async def test_every_answer_names_its_correlation_once(toy_live: Harness) -> None:
    for path in ("/toy/v1/nothing", "/toy/v1/counters", "/toy/health/live"):
        answer = await toy_live.client.get(path, headers={"X-Correlation-Id": "case-4711"})
        assert answer.headers.get_list("x-correlation-id") == ["case-4711"]
    async with toy_live.session() as session:
        await session.execute(text("DROP TABLE counters"))
    failed = await toy_live.client.get(
        "/toy/v1/counters", headers={**toy_live.token(Role.NATIONAL), "X-Correlation-Id": "case-4712"}
    )
    assert (failed.status_code, failed.headers.get_list("x-correlation-id")) == (500, ["case-4712"])


def in_a_file(app: Harness, home: Path) -> CommonSettings:
    """Settings whose keys stand in a file of this home, for an application that runs."""
    settings = CommonSettings(home=home, reply_keys=None)
    app.app.state.reply_keys = settings.reply_key_ring
    return settings


async def test_a_repeat_is_known_again_after_the_keys_rotated(
    toy_live: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PCN_REPLY_KEYS", raising=False)
    settings = in_a_file(toy_live, tmp_path)
    file = settings.keys_file or tmp_path
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    databases = {"toy": toy_live.service.settings.database_url}

    async def sent(key: str, owner: str = "X1") -> httpx.Response:
        headers = {**toy_live.token(Role.NATIONAL), "Idempotency-Key": key}
        return await toy_live.client.post("/toy/v1/counters", json={"owner": owner}, headers=headers)

    first = await sent("key-one-1")
    assert await rotate(settings, databases, forget=False) == 2
    second = await sent("key-two-2")
    assert await rotate(settings, databases, forget=True) == 3, "both older keys marked something that is kept"
    assert (await sent("key-one-1")).json() == first.json()
    assert (await sent("key-two-2")).json() == second.json()
    assert (await sent("key-one-1", "X2")).json()["errors"][0]["code"] == "key_reused"
    async with toy_live.session() as session:
        marks = set(await session.scalars(select(KeptReply.fingerprint)))
        await session.execute(delete(KeptReply).where(KeptReply.key == "key-one-1"))
    assert len({mark.partition(":")[0] for mark in marks}) == 2
    assert all(len(mark) == 64 for mark in marks)
    assert await rotate(settings, databases, forget=True) == 2, "the one that marked the second, and the new one"
    write_keys(file, read_keys(file)[:1])
    gone = await sent("key-two-2")
    assert (gone.status_code, gone.json()["code"]) == (503, "Unavailable"), "no guess, and no second effect"
    async with toy_live.session() as session:
        assert await session.scalar(select(func.count()).select_from(Counter)) == 2


async def test_what_was_marked_before_there_were_keys_is_still_known(toy_live: Harness) -> None:
    headers = {**toy_live.token(Role.NATIONAL), "Idempotency-Key": "before-keys"}
    first = await toy_live.client.post("/toy/v1/counters", content=b'{"owner": "X1"}', headers=headers)
    plain = hashlib.sha256(b'POST /toy/v1/counters?\n{"owner": "X1"}').hexdigest()
    async with toy_live.session() as session:
        await session.execute(update(KeptReply).values(fingerprint=plain))
    again = await toy_live.client.post("/toy/v1/counters", content=b'{"owner": "X1"}', headers=headers)
    assert again.json() == first.json()
    other = await toy_live.client.post("/toy/v1/counters", content=b'{"owner": "X2"}', headers=headers)
    assert other.status_code == 422


def test_production_marks_with_keys_it_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PCN_REPLY_KEYS", raising=False)
    for name, value in (("ENVIRONMENT", "production"), ("ISSUER", "https://i.example"), ("JWKS_URL", "https://i")):
        monkeypatch.setenv(f"PCN_{name}", value)
    with pytest.raises(KeysMissing, match="PCN_REPLY_KEYS"):
        _ = CommonSettings(home=tmp_path).reply_key_ring
    monkeypatch.setenv("PCN_REPLY_KEYS", "no key")
    with pytest.raises(ValidationError):
        CommonSettings()
