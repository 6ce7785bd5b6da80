"""A practice goes over into another between the day its patients were counted and the day a round takes effect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.harness import Harness
from tests.registry.builders import (
    V1,
    commissioner,
    decide,
    draft,
    form,
    load_sample,
    national,
    open_round,
    submit,
    submitted,
)

NAMES = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def get(app: Harness, path: str) -> Any:
    answer = await app.client.get(f"{V1}{path}", headers=national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def merge(app: Harness, code: str, successor: str, on: str = "2022-02-01") -> None:
    body = {"successor": successor, "succeeded_on": on, "reason": "The partners retired."}
    answer = await app.put(f"{V1}/practices/{code}/succession", body, commissioner(app))
    assert answer.status_code == 200, answer.text


async def patients(app: Harness, code: str) -> Decimal:
    found = await get(app, f"/list-sizes?practice={code}&snapshot=2022-01-01&basis=registered")
    return Decimal(found["items"][0]["value"])


async def test_patients_of_a_practice_that_went_over_are_covered_as_its_successors_are(app: Harness) -> None:
    round = await open_round(app)
    for name in NAMES:
        await submitted(app, form(name, round))
    before = await get(app, f"/rounds/{round}/coverage")
    assert [cover["practice"] for cover in before["uncovered"]] == ["Z80010"]
    await merge(app, "Z80010", "Z80009")
    await merge(app, "Z80009", "Z80008", on="2022-03-01")
    held = await decide(app, round)
    # the one that went over in its turn is still on a form, and the decision says so
    assert (held.status_code, held.json()["code"]) == (409, "ApplicationOvertaken")
    fells = next(a for a in (await get(app, "/applications"))["items"] if a["network_name"] == NAMES[2])
    path = f"{V1}/applications/{fells['id']}"
    assert (await app.put(f"{path}/return", {"reason": "Z80009 is no more."}, commissioner(app))).status_code == 200
    changes = {"practices": [{"practice": "Z80008"}], "agreement_signed_by": ["Z80008"]}
    tag = (await app.client.get(path, headers=national(app))).headers["ETag"]
    changed = await app.client.patch(path, json=changes, headers={**commissioner(app), "If-Match": tag})
    assert changed.status_code == 200, changed.text
    assert (await get(app, f"/rounds/{round}/coverage"))["complete"] is False
    again = await submit(app, fells["id"])
    assert again.status_code == 200, again.text
    whole = [await patients(app, code) for code in ("Z80008", "Z80009", "Z80010")]
    assert Decimal(again.json()["registered_patients"]) == sum(whole)
    after = await get(app, f"/rounds/{round}/coverage")
    assert (after["complete"], after["patients"]) == (True, before["patients"])
    covers = {cover["practice"]: cover["covered_by"] for cover in after["practices"]}
    assert covers["Z80010"] == covers["Z80009"] == covers["Z80008"] != []


async def test_a_merger_never_puts_two_networks_on_one_list(app: Harness) -> None:
    """Whoever takes over has its own list and the other; neither is covered where the successor is not."""
    round = await open_round(app)
    await submitted(app, form(NAMES[0], round))
    await merge(app, "Z80001", "Z80010")
    coverage = await get(app, f"/rounds/{round}/coverage")
    covers = {cover["practice"]: cover["covered_by"] for cover in coverage["practices"]}
    assert covers["Z80001"] == covers["Z80010"] == []
    assert coverage["covered_twice"] == []


async def test_a_merger_taken_back_leaves_each_with_its_own_list(app: Harness) -> None:
    round = await open_round(app)
    for name in NAMES:
        await submitted(app, form(name, round))
    await merge(app, "Z80010", "Z80008")
    assert (await get(app, f"/rounds/{round}/coverage"))["complete"] is True
    tag = (await app.client.get(f"{V1}/practices/Z80010", headers=national(app))).headers["ETag"]
    path = f"{V1}/practices/Z80010/closure/withdrawal"
    back = await app.put(path, {"reason": "Not so."}, commissioner(app), match=tag)
    assert back.status_code == 200, back.text
    assert [c["practice"] for c in (await get(app, f"/rounds/{round}/coverage"))["uncovered"]] == ["Z80010"]


async def test_a_network_is_as_large_as_its_members_with_what_came_over_to_them(app: Harness) -> None:
    """A new practice that was not there when patients were counted has the lists of those that went over into it."""
    opened = {"code": "Z80097", "name": "INVENTED NEW HOUSE", "commissioner": "SA1", "opened_on": "2022-02-01"}
    answer = await app.post(f"{V1}/practices", {**opened, "contract": "GMS", "reason": "Opens."}, commissioner(app))
    assert answer.status_code == 201, answer.text
    whole = await patients(app, "Z80001") + await patients(app, "Z80002")
    await merge(app, "Z80001", "Z80097")
    await merge(app, "Z80002", "Z80097")
    wanted = {**form(NAMES[0], await open_round(app)), "practices": [{"practice": "Z80097"}], "payee": "Z80097"}
    wanted |= {"agreement_signed_by": ["Z80097"], "clinical_director": {"name": "Dr Invented", "practice": "Z80097"}}
    made = await draft(app, {**wanted, "size_waiver_reason": "A harbour with the sea on three sides."})
    handed_in = await submit(app, made["id"])
    assert handed_in.status_code == 200, handed_in.text
    assert Decimal(handed_in.json()["registered_patients"]) == whole
