"""One contact a network, whom a trust finds by any practice code."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from services.registry.networks.model import Membership
from shared.facts import days, withdraw
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, allocate, commissioner, load_sample, national
from tests.registry.network_life import HOME, lead, network, read, refused, said


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def desk(**changes: Any) -> dict[str, Any]:
    return {
        "name": "The network desk (invented)",
        "position": "Manager",
        "email": "desk@market-town.example",
        "telephone": "01632 960 001",
        "valid_from": "2022-04-01",
        **changes,
    }


async def name(app: Harness, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return await app.put(f"{HOME}/contact", desk(**changes), headers or network(app))


def trust(app: Harness) -> dict[str, str]:
    return app.token(Role.TRUST, organisations=["RX1"])


async def test_a_trust_finds_the_contact_by_any_practice_of_the_network(app: Harness) -> None:
    named = await name(app)
    assert named.status_code == 200, named.text
    for who in ("Z80011", "Z80012", "Z80013"):
        found = await read(app, f"{V1}/practices/{who}/contact?as_at=2022-04-01", trust(app))
        assert [(n["network"], n["through"], n["email"]) for n in found["networks"]] == [
            ("U90001", "membership", "desk@market-town.example")
        ]
    nobody = await read(app, f"{V1}/practices/Z80014/contact?as_at=2022-04-01", trust(app))
    assert [(n["network"], n["name"]) for n in nobody["networks"]] == [("U90002", None)]
    assert await refused(app, f"{V1}/practices/Z99999/contact", trust(app)) == (404, "PracticeNotFound")


async def test_a_practice_outside_every_network_is_served_where_its_list_is_allocated(app: Harness) -> None:
    assert (await read(app, f"{V1}/practices/Z80010/contact", trust(app)))["networks"] == []
    answer = await allocate(app, network="U90001")
    assert answer.status_code == 201, answer.text
    await name(app)
    found = await read(app, f"{V1}/practices/Z80010/contact?as_at=2022-04-01", trust(app))
    assert [(n["network"], n["through"], n["telephone"]) for n in found["networks"]] == [
        ("U90001", "allocation", "01632 960 001")
    ]


async def test_a_practice_that_moved_is_answered_for_by_the_network_of_the_day(app: Harness) -> None:
    await name(app)
    async with app.session() as session:
        await withdraw(session, Membership, now=datetime.now(UTC), days=days(date(2022, 7, 1)), practice="Z80013")
    assert (await read(app, f"{V1}/practices/Z80013/contact?as_at=2022-06-30"))["networks"][0]["network"] == "U90001"
    assert (await read(app, f"{V1}/practices/Z80013/contact?as_at=2022-07-01"))["networks"] == []


async def test_a_network_has_one_contact_on_each_day_and_a_correction_keeps_the_old_belief(app: Harness) -> None:
    await name(app)
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    assert (await name(app, name="Another desk", valid_from="2022-06-01", valid_to="2022-08-31")).status_code == 200
    held = [
        (await read(app, f"{HOME}/contact?as_at={day}"))["name"] for day in ("2022-05-31", "2022-06-01", "2022-09-01")
    ]
    assert held == ["The network desk (invented)", "Another desk", "The network desk (invented)"]
    then = await read(app, f"{HOME}/contact?as_at=2022-06-01&known_at={before}")
    assert then["name"] == "The network desk (invented)"
    mistake = {"valid_from": "2022-06-01", "valid_to": "2022-08-31", "reason": "Nobody was there."}
    tag = (await app.client.get(HOME, headers=network(app))).headers["etag"]
    gone = await app.client.put(f"{HOME}/contact/withdrawal", json=mistake, headers={**network(app), "If-Match": tag})
    assert gone.status_code == 204
    assert await refused(app, f"{HOME}/contact?as_at=2022-06-01", national(app)) == (404, "ContactNotFound")
    tag = (await app.client.get(HOME, headers=network(app))).headers["etag"]
    again = await app.client.put(f"{HOME}/contact/withdrawal", json=mistake, headers={**network(app), "If-Match": tag})
    assert said(again) == (404, "ContactNotFound")


async def test_a_contact_can_be_reached_and_is_named_by_who_acts_for_the_network(app: Harness) -> None:
    silent = await name(app, email=None, telephone=None)
    assert [e["field"] for e in silent.json()["errors"]] == ["body.email"]
    for field, answer in (
        ("email", await name(app, email="desk")),
        ("telephone", await name(app, telephone="ring us")),
    ):
        assert f"body.{field}" in [e["field"] for e in answer.json()["errors"]]
    for headers in (network(app, "U90002"), commissioner(app, "SA1")):
        assert said(await name(app, headers)) == (403, "NotYoursToActFor")
    assert (await app.put(f"{HOME}/contact", desk(), network(app), match='"99"')).status_code == 412
    assert (await app.client.put(f"{HOME}/contact", json=desk(), headers=network(app))).status_code == 428
    assert (await name(app, lead(app), telephone=None)).status_code == 200
    missing = await app.put(f"{V1}/networks/U99999/contact", desk(), national(app), match='"1"')
    assert said(missing) == (404, "NetworkNotFound")
