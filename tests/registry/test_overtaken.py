"""What happens to practices, networks and allocations between an application and the decision, and what was known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.harness import Harness
from tests.registry.builders import (
    SAMPLE,
    V1,
    allocate,
    codes,
    commissioner,
    decide,
    draft,
    form,
    join,
    load_sample,
    members,
    national,
    open_round,
    submit,
    submitted,
    upload,
)
from tests.registry.squares import square

NAMES = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")
CHANGES: dict[str, tuple[str, dict[str, str], str]] = {
    "closed": ("closure", {"closed_on": "2022-03-15"}, "practice_not_open"),
    "another contract": ("contract", {"contract": "OTHER", "valid_from": "2022-03-01"}, "not_a_core_contract"),
}


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def covered_round(app: Harness) -> tuple[str, list[str]]:
    """A round of SA1 whose every patient is covered, ready to be decided."""
    round = await open_round(app)
    ids = [await submitted(app, form(name, round)) for name in NAMES]
    assert (await allocate(app, application=ids[1], round=round)).status_code == 201
    return round, ids


def applying(round: str, *practices: str | dict[str, str], **more: Any) -> dict[str, Any]:
    """An application of practices, whole or in part, in a round of either area."""
    lines = [{"practice": line} if isinstance(line, str) else line for line in practices]
    named = [line["practice"] for line in lines]
    return {
        **form(NAMES[0], round),
        "proposed_code": None,
        "practices": lines,
        "clinical_director": {"name": "Dr Casey Model (invented)", "practice": named[0]},
        "agreement_signed_by": named,
        **more,
    }


async def hand_in(app: Harness, wanted: dict[str, Any], by: str = "SB2") -> httpx.Response:
    made = await draft(app, wanted, commissioner(app, by))
    path = f"{V1}/applications/{made['id']}/submission"
    return await app.put(path, {"received_on": "2022-02-14"}, commissioner(app, by))


@pytest.mark.parametrize("change", CHANGES)
async def test_who_can_be_no_member_any_more_is_not_approved_by_anybody(app: Harness, change: str) -> None:
    round, ids = await covered_round(app)
    path, body, code = CHANGES[change]
    told = {**body, "reason": "So it came."}
    assert (await app.put(f"{V1}/practices/Z80003/{path}", told, commissioner(app))).status_code == 200
    refused = await decide(app, round)
    assert (refused.status_code, refused.json()["code"], codes(refused)) == (409, "ApplicationOvertaken", [code])
    assert refused.json()["errors"][0]["field"] == f"applications.{ids[0]}"
    overridden = await decide(app, round, national(app), override_reason="It cannot wait.")
    assert (overridden.status_code, overridden.json()["code"]) == (409, "ApplicationOvertaken")
    alone = await app.put(f"{V1}/applications/{ids[0]}/approval", None, commissioner(app))
    assert (alone.status_code, alone.json()["code"]) == (409, "ApplicationOvertaken")
    assert (await app.put(f"{V1}/applications/{ids[1]}/approval", None, commissioner(app))).status_code == 200
    assert (await app.client.get(f"{V1}/rounds/{round}", headers=national(app))).json()["status"] == "open"


async def test_a_practice_that_joined_a_network_meanwhile_is_not_taken_out_of_it_unsaid(app: Harness) -> None:
    round, ids = await covered_round(app)
    assert (await join(app, "U90001", "Z80003", valid_from="2022-03-01")).status_code == 201
    refused = await decide(app, round)
    assert (refused.status_code, codes(refused)) == (409, ["PracticeInAnotherNetwork"])
    assert "Z80003" in await members(app, "U90001", as_at="2022-04-02")
    await app.put(f"{V1}/applications/{ids[0]}/return", {"reason": "One has joined another."}, commissioner(app))
    lines = [{"practice": "Z80001"}, {"practice": "Z80002"}, {"practice": "Z80003", "leaves": "U90001"}]
    changed = await app.client.get(f"{V1}/applications/{ids[0]}", headers=commissioner(app))
    match = {**commissioner(app), "If-Match": changed.headers["ETag"]}
    said = await app.client.patch(f"{V1}/applications/{ids[0]}", json={"practices": lines}, headers=match)
    assert said.status_code == 200, said.text
    assert (await submit(app, ids[0])).status_code == 200
    decided = await decide(app, round)
    assert decided.status_code == 200, decided.text
    assert "Z80003" not in await members(app, "U90001", as_at="2022-04-02")


async def test_a_practice_in_the_rounds_of_two_areas_goes_to_the_first_decided(app: Harness) -> None:
    round, _ = await covered_round(app)
    other = await open_round(app, commissioner="SB2")
    theirs = applying(other, "Z80011", "Z80012", "Z80013", "Z80003", network="U90001", area=square(0, 0, 10, 10))
    assert (await hand_in(app, theirs)).status_code == 200
    assert (await decide(app, other, commissioner(app, "SB2"))).status_code == 200
    refused = await decide(app, round)
    assert (refused.status_code, codes(refused)) == (409, ["PracticeInAnotherNetwork"])
    assert (await members(app, "U90001", as_at="2022-04-02"))["Z80003"] == "1"


async def test_a_part_of_a_list_is_not_taken_from_a_network_that_has_the_whole(app: Harness) -> None:
    round = await open_round(app)
    part = {"practice": "Z80011", "share": "0.5"}
    assert (await hand_in(app, applying(round, "Z80001", "Z80002", "Z80003", part), by="SA1")).status_code == 200
    ids = [await submitted(app, form(name, round)) for name in NAMES[1:]]
    assert (await allocate(app, application=ids[0], round=round)).status_code == 201
    refused = await decide(app, round)
    assert (refused.status_code, codes(refused)) == (409, ["PracticeInAnotherNetwork"])
    assert (await members(app, "U90001", as_at="2022-04-02"))["Z80011"] == "1"


async def test_a_network_that_has_closed_does_not_apply_again(app: Harness) -> None:
    round = await open_round(app, commissioner="SB2")
    moved = [{"practice": code, "leaves": "U90003"} for code in ("Z80018", "Z80019", "Z80020")]
    refused = await hand_in(app, applying(round, *moved, network="U90004"))
    assert (refused.status_code, refused.json()["code"]) == (409, "NetworkNotOpen")
    closed = await app.client.get(f"{V1}/networks/U90004", headers=national(app))
    assert closed.json()["closed_on"] == "2020-03-31"


async def test_a_network_closed_after_it_applied_is_not_brought_back_by_the_decision(app: Harness) -> None:
    round = await open_round(app, commissioner="SB2")
    taken = await hand_in(app, applying(round, "Z80011", "Z80012", "Z80013", network="U90001"))
    assert taken.status_code == 200, taken.text
    last = {"closed_on": "2022-03-20", "reason": "It gave up."}
    assert (await app.put(f"{V1}/networks/U90001/closure", last, commissioner(app, "SB2"))).status_code == 200
    refused = await decide(app, round, commissioner(app, "SB2"))
    assert (refused.status_code, refused.json()["code"], codes(refused)) == (
        409,
        "ApplicationOvertaken",
        ["NetworkNotOpen"],
    )


@pytest.mark.parametrize("how", ["network", "reforms"])
async def test_no_area_takes_over_a_network_that_another_leads(app: Harness, how: str) -> None:
    round = await open_round(app)
    practices = ("Z80001", "Z80011", "Z80012", "Z80013")
    why = {"reform_reason": "size", "reform_explanation": "They are too small."}
    named = {"network": "U90001"} if how == "network" else {"reforms": ["U90001"], **why}
    refused = await hand_in(app, applying(round, *practices, **named), by="SA1")
    assert (refused.status_code, refused.json()["code"]) == (409, "NetworkLedElsewhere")
    handed = {"commissioner": "SA1", "valid_from": "2022-02-01", "reason": "Both agree."}
    lead = await app.put(f"{V1}/networks/U90001/lead-commissioner", handed, commissioner(app, "SB2"))
    assert lead.status_code == 200, lead.text
    assert (await hand_in(app, applying(round, *practices, **named), by="SA1")).status_code == 200


async def test_an_application_begun_before_a_succession_is_handed_in_to_the_heir(app: Harness) -> None:
    round = await open_round(app)
    made = await draft(app, form(NAMES[0], round))
    heir = {"code": "S1Y5D", "name": "INVENTED HEIR S1Y5D"}
    said = {"kind": "merger", "succeeded_on": "2022-03-15", "successors": [heir], "reason": "As ordered."}
    assert (await app.put(f"{V1}/commissioners/SA1/succession", said, national(app))).status_code == 200
    path = f"{V1}/applications/{made['id']}/submission"
    taken = await app.put(path, {"received_on": "2022-02-14"}, commissioner(app, "S1Y5D"))
    assert taken.status_code == 200, taken.text
    stranger = await draft(app, applying(round, "Z80011", "Z80012", "Z80013"), commissioner(app, "S1Y5D"))
    elsewhere = await app.put(f"{V1}/applications/{stranger['id']}/submission", {}, commissioner(app, "S1Y5D"))
    assert (elsewhere.status_code, codes(elsewhere)) == (422, ["outside_the_area"])


async def test_whom_an_allocation_was_for_before_the_decision_stays_answerable(app: Harness) -> None:
    round = await open_round(app)
    ids = [await submitted(app, form(name, round)) for name in NAMES]
    path = f"{V1}/allocations/{(await allocate(app, application=ids[1], round=round)).json()['id']}"
    asked = {"known_at": datetime.now(UTC).isoformat()}
    before = (await app.client.get(path, params=asked, headers=commissioner(app))).json()
    assert before["network"] is None
    assert (await decide(app, round)).status_code == 200
    assert (await app.client.get(path, params=asked, headers=commissioner(app))).json() == before
    now = (await app.client.get(path, headers=commissioner(app))).json()
    assert now == {**before, "network": "U90012"}


async def test_a_practice_named_anew_keeps_the_name_it_was_known_by(app: Harness) -> None:
    path = f"{V1}/networks/U90001/members"
    asked = {"as_at": "2022-03-01", "known_at": "2022-02-01T00:00:00Z"}
    before = (await app.client.get(path, params=asked, headers=national(app))).json()
    renamed = (SAMPLE / "epraccur.csv").read_bytes().replace(b"STATION ROAD SURGERY", b"STATION SQUARE SURGERY")
    taken = await upload(app, "epraccur", "epraccur.csv", renamed, published_on="2022-02-20")
    assert taken.status_code == 201, taken.text
    assert (await app.client.get(path, params=asked, headers=national(app))).json() == before
    now = (await app.client.get(path, params={"as_at": "2022-03-01"}, headers=national(app))).json()
    assert {m["practice"]: m["practice_name"] for m in now["items"]}["Z80011"].startswith("STATION SQUARE")
