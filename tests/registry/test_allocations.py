"""Allocations after the fact: corrected, ended, taken back, and what was believed of them before."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from shared.events import registry as events
from tests.harness import Harness
from tests.registry.builders import V1, allocate, codes, commissioner, load_sample, national


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def made(app: Harness, **changes: Any) -> str:
    answer = await allocate(app, **{"network": "U90001", **changes})
    assert answer.status_code == 201, answer.text
    return f"{V1}/allocations/{answer.json()['id']}"


async def change(app: Harness, path: str, noun: str, **body: Any) -> httpx.Response:
    return await app.put(f"{path}/{noun}", {"reason": "As agreed in May.", **body}, commissioner(app))


async def serving(app: Harness, day: str, **more: str) -> list[tuple[str, str, str | None]]:
    answer = await app.client.get(f"{V1}/allocations", params={"as_at": day, **more}, headers=national(app))
    assert answer.status_code == 200, answer.text
    return [(item["network"], item["valid_from"], item["valid_to"]) for item in answer.json()["items"]]


async def told(app: Harness) -> list[tuple[str, str, date, date | None]]:
    return [
        ("served" if isinstance(e, events.PatientsAllocated) else "ended", e.network, e.valid_from, e.valid_to)
        for e in await app.announced()
        if isinstance(e, events.PatientsAllocated | events.AllocationEnded)
    ]


async def test_an_allocation_ends_and_what_was_believed_before_is_still_answered(app: Harness) -> None:
    path = await made(app)
    before = datetime.now(UTC).isoformat()
    answer = await change(app, path, "ending", ends_on="2022-09-30")
    assert (answer.status_code, answer.json()["valid_to"]) == (200, "2022-09-30")
    assert await serving(app, "2022-09-30") == [("U90001", "2022-04-01", "2022-09-30")]
    assert await serving(app, "2022-10-01") == []
    assert await serving(app, "2022-10-01", known_at=before) == [("U90001", "2022-04-01", None)]
    then = await app.client.get(path, params={"known_at": before}, headers=commissioner(app))
    assert then.json()["valid_to"] is None
    assert await told(app) == [
        ("served", "U90001", date(2022, 4, 1), None),
        ("ended", "U90001", date(2022, 4, 1), date(2022, 9, 30)),
    ]
    outside = await change(app, path, "ending", ends_on="2022-10-01")
    assert (outside.status_code, codes(outside)) == (422, ["outside_the_allocation"])


async def test_an_allocation_is_corrected_in_days_and_network(app: Harness) -> None:
    path = await made(app)
    better = await change(app, path, "correction", network="U90002", valid_from="2022-05-01", valid_to="2023-03-31")
    assert better.status_code == 200, better.text
    assert await serving(app, "2022-04-30") == []
    assert await serving(app, "2022-05-01") == [("U90002", "2022-05-01", "2023-03-31")]
    assert (await told(app))[1:] == [
        ("ended", "U90001", date(2022, 4, 1), date(2022, 3, 31)),
        ("served", "U90002", date(2022, 5, 1), date(2023, 3, 31)),
    ]
    nobody = await change(app, path, "correction", network="U99998", valid_from="2022-05-01")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "NetworkNotFound")
    muddled = await change(app, path, "correction", valid_from="2022-05-01", valid_to="2022-04-01")
    assert (muddled.status_code, codes(muddled)) == (422, ["before_valid_from"])


async def test_an_allocation_recorded_in_error_is_taken_back(app: Harness) -> None:
    path = await made(app)
    before = datetime.now(UTC).isoformat()
    assert (await change(app, path, "withdrawal")).status_code == 200
    assert await serving(app, "2022-05-01") == []
    assert await serving(app, "2022-05-01", known_at=before) == [("U90001", "2022-04-01", None)]
    assert (await app.client.get(path, headers=commissioner(app))).status_code == 404
    assert (await told(app))[-1] == ("ended", "U90001", date(2022, 4, 1), date(2022, 3, 31))
    trail = (await app.client.get(f"{V1}/audit?record={path.removeprefix(V1)[1:]}", headers=national(app))).json()
    assert [e["after"] for e in trail["items"]] == [{"reason": "As agreed in May."}]
    await made(app, network="U90002")


async def test_a_correction_does_not_overlap_another_allocation_or_a_membership(app: Harness) -> None:
    first = await made(app, valid_to="2022-12-31")
    await made(app, network="U90002", valid_from="2023-01-01")
    clash = await change(app, first, "correction", valid_from="2022-04-01", valid_to="2023-01-01")
    assert (clash.status_code, clash.json()["code"]) == (409, "PracticeAlreadyAllocated")
    assert await serving(app, "2022-12-31") == [("U90001", "2022-04-01", "2022-12-31")]


async def test_who_does_not_decide_the_area_changes_no_allocation(app: Harness) -> None:
    path = await made(app)
    body = {"ends_on": "2022-09-30", "reason": "why not"}
    stranger = commissioner(app, "SB2") | {"If-Match": '"1"'}
    assert (await app.client.put(f"{path}/ending", json=body, headers=stranger)).status_code == 404
    assert (await app.client.put(f"{path}/ending", json=body, headers=commissioner(app))).status_code == 428
    assert (await app.put(f"{path}/ending", body, commissioner(app), match='"0"')).status_code == 412
