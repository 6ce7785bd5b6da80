"""A practice or a network gives notice: in a window it takes effect by itself, otherwise the commissioner decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.clock import london_day
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, commissioner, load_sample, members, national, open_window, practice

TOWN = "U90001"
TODAY = london_day(datetime.now(UTC))
SOON = (TODAY + timedelta(days=90)).isoformat()


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def town(app: Harness) -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[TOWN], subject="nell")


async def give(app: Harness, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    body = {
        "kind": "leave",
        "network": TOWN,
        "practice": "Z80011",
        "effective_on": SOON,
        "reason": "We go our own way.",
        **changes,
    }
    return await app.post(f"{V1}/notices", body, headers or practice(app, "Z80011"))


async def settle(app: Harness, id: str, how: str, headers: dict[str, str] | None = None) -> httpx.Response:
    body = {} if how == "consent" else {"reason": "As the board decided."}
    etag = (await app.client.get(f"{V1}/notices/{id}", headers=national(app))).headers["etag"]
    return await app.put(f"{V1}/notices/{id}/{how}", body, headers or commissioner(app, "SB2"), match=etag)


async def a_window(app: Harness, months: int = 0) -> None:
    year = f"{TODAY.year}-{(TODAY.year + 1) % 100:02d}"
    days = {"opens_on": TODAY.isoformat(), "closes_on": TODAY.isoformat()}
    await open_window(app, contract_year=year, notice_months=months, **days)


def later(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()


async def test_outside_a_window_the_commissioner_accepts_a_leaving(app: Harness) -> None:
    notice = (await give(app)).json()
    assert (notice["status"], notice["commissioner"], notice["side"]) == ("given", "SB2", "practice")
    assert "Z80011" in await members(app, TOWN, as_at=later(SOON))
    taken = await settle(app, notice["id"], "acceptance")
    assert (taken.status_code, taken.json()["status"]) == (200, "in_effect")
    assert "Z80011" in await members(app, TOWN, as_at=SOON)
    assert "Z80011" not in await members(app, TOWN, as_at=later(SOON))
    for how in ("acceptance", "refusal"):
        again = await settle(app, notice["id"], how)
        assert (again.status_code, again.json()["code"]) == (409, "NoticeSettled")
    own = await settle(app, notice["id"], "withdrawal", practice(app, "Z80011"))
    assert (own.status_code, own.json()["code"]) == (409, "NoticeSettled")


async def test_in_a_window_a_practices_leaving_takes_effect_by_itself(app: Harness) -> None:
    await a_window(app, months=1)
    notice = (await give(app)).json()
    assert (notice["status"], notice["window"] is not None) == ("in_effect", True)
    assert "Z80011" not in await members(app, TOWN, as_at=later(SOON))


async def test_notice_shorter_than_the_window_asks_waits_for_the_commissioner(app: Harness) -> None:
    await a_window(app, months=6)
    assert (await give(app)).json()["status"] == "given"


async def test_a_network_does_not_put_a_practice_out_by_itself(app: Harness) -> None:
    await a_window(app)
    notice = (await give(app, town(app))).json()
    assert (notice["status"], notice["side"]) == ("given", "network")
    refused = await settle(app, notice["id"], "refusal")
    assert (refused.json()["status"], refused.json()["settled_reason"]) == ("refused", "As the board decided.")
    assert "Z80011" in await members(app, TOWN, as_at=later(SOON))


@pytest.mark.parametrize("window", [True, False])
async def test_a_joining_needs_both_sides_and_a_window_or_the_commissioner(app: Harness, window: bool) -> None:
    if window:
        await a_window(app)
    asked = practice(app, "Z80001")
    notice = (await give(app, asked, kind="join", practice="Z80001")).json()
    assert notice["status"] == "given"
    missing = await settle(app, notice["id"], "acceptance")
    assert (missing.status_code, missing.json()["code"]) == (409, "ConsentMissing")
    own = await settle(app, notice["id"], "consent", asked)
    assert (own.status_code, own.json()["code"]) == (403, "NotYoursToConsent")
    agreed = await settle(app, notice["id"], "consent", town(app))
    assert (agreed.status_code, agreed.json()["status"]) == (200, "in_effect" if window else "given")
    if not window:
        twice = await settle(app, notice["id"], "consent", town(app))
        assert (twice.status_code, twice.json()["code"]) == (409, "ConsentNotNeeded")
        assert (await settle(app, notice["id"], "acceptance")).status_code == 200
    assert "Z80001" in await members(app, TOWN, as_at=SOON)


async def test_a_joining_that_cannot_be_is_refused_when_it_would_take_effect(app: Harness) -> None:
    notice = (await give(app, practice(app, "Z80014"), kind="join", practice="Z80014")).json()
    assert (await settle(app, notice["id"], "consent", town(app))).status_code == 200
    answer = await settle(app, notice["id"], "acceptance")
    assert (answer.status_code, answer.json()["code"]) == (409, "PracticeAlreadyMember")
    found = await app.client.get(f"{V1}/notices/{notice['id']}", headers=national(app))
    assert found.json()["status"] == "given"


async def test_notice_is_given_by_those_it_is_about_and_once(app: Harness) -> None:
    foreign = await give(app, practice(app, "Z80012"))
    assert (foreign.status_code, foreign.json()["code"]) == (403, "NotYoursToGive")
    assert (await give(app, commissioner(app, "SB2"))).status_code == 403
    assert (await give(app)).status_code == 201
    again = await give(app)
    assert (again.status_code, again.json()["code"]) == (409, "NoticeGivenAlready")
    none = await give(app, practice(app, "Z80001"), practice="Z80001")
    assert (none.status_code, none.json()["code"]) == (404, "MembershipNotFound")
    closed = await give(app, network="U90004")
    assert (closed.status_code, closed.json()["code"]) == (409, "NetworkNotOpen")


async def test_who_gave_notice_takes_it_back(app: Harness) -> None:
    id = (await give(app)).json()["id"]
    other = await settle(app, id, "withdrawal", town(app))
    assert (other.status_code, other.json()["code"]) == (403, "NotYoursToGive")
    back = await settle(app, id, "withdrawal", practice(app, "Z80011"))
    assert (back.status_code, back.json()["status"]) == (200, "withdrawn")
    assert (await give(app)).status_code == 201


async def test_notices_of_another_area_are_not_found(app: Harness) -> None:
    id = (await give(app)).json()["id"]
    strangers = (commissioner(app, "SA1"), practice(app, "Z80012"), app.token(Role.NETWORK, organisations=["U90002"]))
    for stranger in strangers:
        assert (await app.client.get(f"{V1}/notices/{id}", headers=stranger)).status_code == 404
        assert (await app.client.get(f"{V1}/notices", headers=stranger)).json()["items"] == []
    foreign = await settle(app, id, "acceptance", commissioner(app, "SA1"))
    assert (foreign.status_code, foreign.json()["code"]) == (404, "NoticeNotFound")
    seeing = (
        commissioner(app, "SB2"),
        town(app),
        practice(app, "Z80011"),
        app.token(Role.SYSTEM, organisations=["QZ2"]),
    )
    for reader in seeing:
        listed = (await app.client.get(f"{V1}/notices?status=given&network={TOWN}", headers=reader)).json()["items"]
        assert [n["id"] for n in listed] == [id]
