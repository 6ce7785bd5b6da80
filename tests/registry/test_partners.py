"""Who stands beside the core members of a network, and what each does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.harness import Harness
from tests.registry.builders import V1, commissioner, form, load_sample, national, open_round, submit
from tests.registry.network_life import HOME, lead, network, read, said, take_partner


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def partners(app: Harness, query: str = "as_at=2022-04-01") -> list[Any]:
    items: list[Any] = (await read(app, f"{HOME}/partners?{query}"))["items"]
    return items


async def test_a_pharmacy_and_a_federation_are_partners_with_a_part_each(app: Harness) -> None:
    assert (await take_partner(app)).status_code == 201
    federation = await take_partner(app, organisation="8HA01", kind="federation", name="Fed", party=True)
    assert federation.status_code == 201
    assert federation.headers["location"] == f"{HOME}/partners/{federation.json()['id']}"
    assert [(p["organisation"], p["kind"], p["party"]) for p in await partners(app)] == [
        ("FH123", "pharmacy", False),
        ("8HA01", "federation", True),
    ]
    assert await partners(app, "as_at=2022-03-31") == []
    payee = {"payee": "8HA01", "valid_from": "2022-04-01"}
    assert (await app.put(f"{HOME}/payee", payee, network(app))).status_code == 200


async def test_a_federation_is_no_core_member_and_no_network(app: Harness) -> None:
    round = await open_round(app)
    wanted = form("Invented Harbour PCN", round)
    wanted["practices"].append({"practice": "8HA01"})
    made = await app.post(f"{V1}/applications", wanted, commissioner(app))
    answer = await submit(app, made.json()["id"])
    assert said(answer) == (422, "Invalid")
    assert {"body.practices.8HA01": "unknown_practice"}.items() <= {
        e["field"]: e["code"] for e in answer.json()["errors"]
    }.items()


async def test_a_core_member_is_not_a_partner_as_well(app: Harness) -> None:
    assert said(await take_partner(app, organisation="Z80011")) == (409, "PartnerIsCoreMember")
    left = await take_partner(app, organisation="Z80021", kind="practice", name="Old Chapel")
    assert left.status_code == 201


async def test_an_organisation_is_a_partner_once_on_each_day(app: Harness) -> None:
    assert (await take_partner(app, valid_to="2022-06-30")).status_code == 201
    assert said(await take_partner(app, valid_from="2022-06-30")) == (409, "PartnerAlready")
    assert (await take_partner(app, valid_from="2022-07-01")).status_code == 201


async def test_days_out_of_order_and_unknown_networks_are_refused(app: Harness) -> None:
    answer = await take_partner(app, valid_to="2022-03-31")
    assert said(answer) == (422, "Invalid")
    assert [e["field"] for e in answer.json()["errors"]] == ["body.valid_to"]
    elsewhere = await app.post(f"{V1}/networks/U99999/partners", {}, national(app))
    assert elsewhere.status_code == 422
    assert (await app.client.get(f"{V1}/networks/U99999/partners", headers=national(app))).status_code == 404


async def test_only_who_acts_for_the_network_takes_partners(app: Harness) -> None:
    body = {
        "organisation": "FH123",
        "name": "Corner",
        "kind": "pharmacy",
        "part": "Checks.",
        "valid_from": "2022-04-01",
    }
    for headers in (network(app, "U90002"), commissioner(app, "SA1")):
        assert said(await app.post(f"{HOME}/partners", body, headers)) == (403, "NotYoursToActFor")
    assert (await app.post(f"{HOME}/partners", body, lead(app))).status_code == 201


async def test_a_late_correction_leaves_what_was_believed_answerable(app: Harness) -> None:
    made = (await take_partner(app)).json()
    path = f"{HOME}/partners/{made['id']}"
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    body = {
        "name": "Corner Pharmacy (invented)",
        "kind": "pharmacy",
        "part": "Blood pressure checks and contraception.",
        "party": True,
        "valid_from": "2022-02-01",
        "reason": "It began earlier.",
    }
    stale = await app.put(path, body, network(app), match='"9"')
    assert stale.status_code == 412
    tag = (await app.client.get(path, headers=national(app))).headers["etag"]
    corrected = await app.put(path, body, network(app), match=tag)
    assert corrected.status_code == 200, corrected.text
    assert corrected.headers["etag"] != tag
    assert [t["valid_from"] for t in corrected.json()["terms"]] == ["2022-02-01"]
    assert len(await partners(app, "as_at=2022-02-01")) == 1
    assert await partners(app, f"as_at=2022-02-01&known_at={before}") == []
    then = await read(app, f"{path}?known_at={before}")
    assert [(t["valid_from"], t["party"]) for t in then["terms"]] == [("2022-04-01", False)]
    assert (await read(app, f"{path}?as_at=2022-01-31"))["terms"] == []


async def test_a_partnership_ends_after_its_last_day_or_is_taken_back(app: Harness) -> None:
    made = (await take_partner(app)).json()
    path = f"{HOME}/partners/{made['id']}"
    why = {"reason": "It closed its doors."}
    assert said(await app.put(f"{path}/ending", {"last_day": "2022-03-31", **why}, network(app))) == (
        409,
        "PartnershipNotRunning",
    )
    ended = await app.put(f"{path}/ending", {"last_day": "2022-05-31", **why}, network(app))
    assert [t["valid_to"] for t in ended.json()["terms"]] == ["2022-05-31"]
    assert await partners(app, "as_at=2022-06-01") == []
    back = await app.put(f"{path}/withdrawal", why, network(app))
    assert back.json()["terms"] == []
    assert await partners(app, "history=true") == []
    missing = await app.client.get(f"{HOME}/partners/par-none", headers=national(app))
    assert said(missing) == (404, "PartnerNotFound")
