"""Any grouping of practices is seen before it is made: nothing changes, and one call makes it applications."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    codes,
    commissioner,
    decide,
    load_sample,
    national,
    open_round,
    practice,
)
from tests.registry.squares import square

EAST, WEST = ("Z80014", "Z80015"), ("Z80016", "Z80017")


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def group(name: str, *practices: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "practices": [{"practice": code} for code in practices], **more}


def proposal(*groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "title": "Two sides of the brook",
        "commissioner": "SB2",
        "starts_on": "2022-04-01",
        "groups": list(groups),
        **more,
    }


async def asked(app: Harness, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    return await app.post(f"{V1}/what-ifs", body, headers or commissioner(app, "SB2"))


async def answer(app: Harness, *groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = await asked(app, proposal(*groups, **more))
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()["answer"]
    return found


async def lists(app: Harness) -> dict[str, Decimal]:
    found = await app.client.get(f"{V1}/list-sizes?as_at=2022-04-01&basis=registered", headers=national(app))
    return {one["practice"]: Decimal(one["value"]) for one in found.json()["items"]}


async def state(app: Harness) -> list[Any]:
    """Everything the register shows that a proposal could touch."""
    paths = ("networks?as_at=2022-04-01", "networks/U90002/members?history=true", "applications", "allocations")
    return [(await app.client.get(f"{V1}/{path}", headers=national(app))).json() for path in paths]


async def test_a_network_is_divided_on_paper_and_the_register_stays_as_it_is(app: Harness) -> None:
    before, told, patients = await state(app), len(await app.announced()), await lists(app)
    found = await answer(app, group("East", *EAST), group("West", *WEST, size_waiver_reason="Moors"))
    east, west = found["groups"]
    assert Decimal(east["patients"]) == sum(patients[code] for code in EAST)
    assert [east["size"], west["size"]] == [
        "small" if Decimal(one["patients"]) < 30_000 else "expected" for one in (east, west)
    ]
    small = Decimal(east["patients"]) < 30_000
    assert ("NetworkTooSmall" in [b["code"] for b in east["breaches"]]) == small
    assert west["breaches"] == []
    assert east["comes_from"] == [{"network": "U90002", "practices": list(EAST)}]
    (network,) = found["networks"]
    assert (network["network"], network["outcome"], network["loses"]) == ("U90002", "ends", [*EAST, *WEST])
    assert Decimal(network["patients_today"]) == sum(patients[code] for code in (*EAST, *WEST))
    assert (found["left_out"], found["covered_twice"], found["patients_left_out"]) == ([], [], "0")
    assert (found["totals"]["networks_today"], found["totals"]["networks_then"]) == (1, 2)
    assert await state(app) == before
    assert len(await app.announced()) == told


async def test_who_would_be_left_without_a_network_is_named(app: Harness) -> None:
    patients = await lists(app)
    found = await answer(app, group("East", *EAST), ends=["U90002"])
    assert [(left["practice"], Decimal(left["uncovered"])) for left in found["left_out"]] == [
        (code, patients[code]) for code in WEST
    ]
    assert Decimal(found["patients_left_out"]) == sum(patients[code] for code in WEST)
    served = [{"practice": "Z80016", "group": "East"}, {"practice": "Z80017", "network": "U90001"}]
    found = await answer(app, group("East", *EAST), ends=["U90002"], allocations=served)
    assert (found["left_out"], found["covered_twice"]) == ([], [])
    twice = await answer(app, group("East", *EAST), allocations=[{"practice": "Z80014", "network": "U90001"}])
    assert [one["practice"] for one in twice["covered_twice"]] == ["Z80014"]
    assert twice["breaks_rules"]


async def test_a_network_that_loses_practices_may_fall_under_the_size(app: Harness) -> None:
    patients = await lists(app)
    found = await answer(app, group("INVENTED MARKET TOWN PCN", "Z80011", "Z80012", "Z80013", *EAST, network="U90001"))
    by_code = {network["network"]: network for network in found["networks"]}
    assert (by_code["U90001"]["outcome"], by_code["U90001"]["gains"]) == ("grows", list(EAST))
    rest = sum(patients[code] for code in WEST)
    assert (by_code["U90002"]["outcome"], Decimal(by_code["U90002"]["patients_then"])) == ("shrinks", rest)
    assert by_code["U90002"]["falls_under_smallest"] == (rest < 30_000)


async def test_a_list_may_be_divided_between_two_groups(app: Harness) -> None:
    patients = await lists(app)
    half = {"practice": "Z80015", "share": "0.5"}
    east = {"name": "East", "practices": [{"practice": "Z80014"}, half]}
    west = {"name": "West", "practices": [{"practice": "Z80016"}, {"practice": "Z80017"}, half]}
    found = await answer(app, east, west)
    sizes = [Decimal(one["patients"]) for one in found["groups"]]
    assert sum(sizes) == sum(patients[code] for code in (*EAST, *WEST))
    assert found["left_out"] == []
    west["practices"].append({"practice": "Z80014", "share": "0.5"})  # type: ignore[attr-defined]
    over = await answer(app, east, west)
    assert "PracticeAppliesElsewhere" in [b["code"] for b in over["groups"][0]["breaches"]]


async def test_areas_borders_and_the_past_are_looked_at(app: Harness) -> None:
    found = await answer(
        app,
        group("East", *EAST, "Z80001", area=square(0, 0, 10, 10)),
        group("West", *WEST, area=square(9, 0, 20, 10)),
    )
    east = found["groups"][0]
    assert {finding["key"] for finding in east["findings"] if finding["blocking"]} == {"overlap:group:West"}
    assert east["crosses_boundary"]
    assert set(east["commissioners"]) == {"SA1", "SB2"}
    assert east["from_no_network"] == ["Z80001"]
    past = {one["practice"]: one for one in found["history"]}
    assert [(stay["network"], stay["valid_from"]) for stay in past["Z80014"]["stays"]] == [("U90002", "2019-10-01")]
    assert past["Z80014"]["moves"] == 1
    assert "Z80001" not in past
    bow_tie = {"type": "Polygon", "coordinates": [[[-2, 54], [-1.9, 54.1], [-1.9, 54], [-2, 54.1], [-2, 54]]]}
    wrong = await asked(app, proposal(group("East", *EAST, area=bow_tie)))
    assert wrong.status_code == 422
    assert [(e["field"], e["code"]) for e in wrong.json()["errors"]] == [
        ("body.groups.0.area.coordinates.0", "self_intersection")
    ]


async def test_every_fault_of_a_proposal_is_named_at_once(app: Harness) -> None:
    wrong = await asked(
        app,
        proposal(
            group("East", "Z80014", "Z80014", network="U90002"),
            group("East", "Z80016", network="U90002"),
            ends=["U90002"],
            allocations=[{"practice": "Z80017"}, {"practice": "Z80017", "group": "North"}],
        ),
    )
    assert wrong.status_code == 422
    assert sorted(codes(wrong)) == sorted(
        ["repeated", "repeated", "repeated", "repeated", "ends", "ends", "one_of_two", "unknown_group"]
    )
    early = await asked(app, proposal(group("East", *EAST), starts_on="2019-04-01"))
    assert (early.status_code, codes(early)) == (422, ["no_lists"])
    nobody = await asked(app, proposal(group("East", *EAST), commissioner="ZZ9"), national(app))
    assert (nobody.status_code, nobody.json()["code"]) == (404, "CommissionerNotFound")
    unknown = await asked(app, proposal(group("East", *EAST, network="U99998")))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NetworkNotFound")
    strange = await answer(app, group("East", "Z80014", "Z99999"))
    assert ("practices.Z99999", "unknown_practice") in [
        (breach["field"], breach["code"]) for breach in strange["groups"][0]["breaches"]
    ]


async def test_a_proposal_is_seen_by_who_asked_and_by_the_commissioner_concerned(app: Harness) -> None:
    mine = practice(app, "Z80014")
    made = await asked(app, proposal(group("East", *EAST)), mine)
    assert made.status_code == 201, made.text
    path = f"{V1}/what-ifs/{made.json()['id']}"
    for headers, status in (
        (mine, 200),
        (commissioner(app, "SB2"), 200),
        (app.token(Role.SYSTEM, organisations=["QZ2"]), 200),
        (practice(app, "Z80015"), 404),
        (commissioner(app, "SA1"), 404),
        (national(app), 200),
    ):
        assert (await app.client.get(path, headers=headers)).status_code == status
        listed = (await app.client.get(f"{V1}/what-ifs", headers=headers)).json()["items"]
        assert len(listed) == (status == 200)
    own = app.token(Role.NETWORK, organisations=["U90002"])
    assert (await asked(app, proposal(group("East", *EAST)), own)).status_code == 201
    for headers in (
        practice(app, "Z80011"),
        commissioner(app, "SA1"),
        app.token(Role.NETWORK, organisations=["U90001"]),
    ):
        refused = await asked(app, proposal(group("East", *EAST)), headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "NotYoursToPropose")


def moors(said: str, area: dict[str, Any]) -> dict[str, Any]:
    return {"size_waiver_reason": "Moors", "area_description": said, "area": area}


async def test_one_call_makes_every_group_an_application_that_goes_through_the_round(app: Harness) -> None:
    headers = commissioner(app, "SB2")
    made = await asked(
        app,
        proposal(
            group("East of the Brook PCN", *EAST, **moors("East of it", square(10, 0, 20, 10))),
            group("West of the Brook PCN", *WEST, **moors("West of it", square(0, 0, 10, 10))),
        ),
    )
    path = f"{V1}/what-ifs/{made.json()['id']}/applications"
    round = await open_round(app, commissioner="SB2")
    applying = {
        "round": round,
        "reform_reason": "alignment_with_neighbourhoods",
        "reform_explanation": "The brook divides two neighbourhoods.",
    }
    first = await app.post(path, applying, headers)
    assert first.status_code == 201, first.text
    again = await app.post(path, applying, headers)
    assert (again.status_code, again.json()) == (200, first.json())
    elsewhere = await open_round(app, commissioner="SB2", contract_year="2023-24", starts_on="2023-04-01")
    other = await app.post(path, {**applying, "round": elsewhere}, headers)
    assert (other.status_code, other.json()["code"]) == (409, "AppliedForAlready")
    for id, practices in zip(first.json()["applications"], (EAST, WEST), strict=True):
        shown = await app.client.get(f"{V1}/applications/{id}", headers=headers)
        form = shown.json()
        assert (form["kind"], form["reforms"], form["status"]) == ("reform", ["U90002"], "draft")
        assert form["what_if"] == made.json()["id"]
        rest = {
            "clinical_director": {"name": "Dr R", "practice": practices[0]},
            "payee": practices[0],
            "bank_details_given": True,
            "agreement_signed_by": list(practices),
        }
        changed = await app.client.patch(
            f"{V1}/applications/{id}", json=rest, headers={**headers, "If-Match": shown.headers["etag"]}
        )
        assert changed.status_code == 200, changed.text
        submitted = await app.put(f"{V1}/applications/{id}/submission", {"received_on": "2022-02-14"}, headers)
        assert submitted.status_code == 200, submitted.text
    decided = await decide(app, round, headers)
    assert decided.status_code == 200, decided.text
    networks = await app.client.get(f"{V1}/networks?commissioner=SB2&as_at=2022-04-01", headers=headers)
    assert {"East of the Brook PCN", "West of the Brook PCN"} <= {one["name"] for one in networks.json()["items"]}
    late = await asked(app, proposal(group("East", *EAST)))
    gone = await app.post(f"{V1}/what-ifs/{late.json()['id']}/applications", {"round": round}, headers)
    assert (gone.status_code, gone.json()["code"]) == (409, "RoundAlreadyDecided")
    stranger = await app.post(f"{V1}/what-ifs/{late.json()['id']}/applications", {"round": round}, commissioner(app))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "WhatIfNotFound")


async def test_lists_that_a_proposal_has_served_are_allocated_when_it_is_applied_for(app: Harness) -> None:
    served = [
        {"practice": "Z80010", "group": "Harbour"},
        {"practice": "Z80014", "network": "U90001"},
        {"practice": "Z80001", "network": "U90001"},
    ]
    body = proposal(group("Harbour", "Z80002", "Z80003", "Z80004"), commissioner="SA1", allocations=served)
    made = await asked(app, body, commissioner(app))
    assert made.status_code == 201, made.text
    round, path = await open_round(app), f"{V1}/what-ifs/{made.json()['id']}/applications"
    first = await app.post(path, {"round": round}, commissioner(app))
    assert first.status_code == 201, first.text
    (application,) = first.json()["applications"]
    assert [(left["practice"], left["code"]) for left in first.json()["allocations_left"]] == [
        ("Z80014", "NotYoursToDecide")
    ]
    assert "SB2" in first.json()["allocations_left"][0]["message"]
    again = await app.post(path, {"round": round}, commissioner(app))
    assert (again.status_code, again.json()) == (200, first.json())
    found = (await app.client.get(f"{V1}/allocations", headers=commissioner(app))).json()["items"]
    assert {a["id"] for a in found} == set(first.json()["allocations"])
    assert {(a["practice"], a["network"], a["application"], a["valid_from"], a["round"]) for a in found} == {
        ("Z80010", None, application, "2022-04-01", round),
        ("Z80001", "U90001", None, "2022-04-01", round),
    }


async def test_who_does_not_decide_the_area_applies_without_its_allocations(app: Harness) -> None:
    served = [{"practice": "Z80010", "group": "Harbour"}]
    body = proposal(group("Harbour", "Z80002", "Z80003", "Z80004"), commissioner="SA1", allocations=served)
    made = await asked(app, body, practice(app, "Z80002"))
    assert made.status_code == 201, made.text
    path = f"{V1}/what-ifs/{made.json()['id']}/applications"
    applied = await app.post(path, {"round": await open_round(app)}, practice(app, "Z80002"))
    assert applied.status_code == 201, applied.text
    assert applied.json()["allocations"] == []
    assert [left["code"] for left in applied.json()["allocations_left"]] == ["NotYoursToDecide"]


async def test_a_practice_of_a_neighbours_network_is_said_to_need_its_lead(app: Harness) -> None:
    """As the application would be told when it is handed in."""
    body = proposal(group("Coast and hills", "Z80001", *EAST), commissioner="SA1")
    found = (await asked(app, body, commissioner(app))).json()["answer"]
    broken = {breach["code"]: breach["message"] for breach in found["groups"][0]["breaches"]}
    assert "SB2 records that it leaves" in broken["NetworkLedElsewhere"]
    assert found["breaks_rules"]
    own = await answer(app, group("East", *EAST))
    assert "NetworkLedElsewhere" not in [breach["code"] for breach in own["groups"][0]["breaches"]]


async def test_a_list_served_by_a_network_that_would_end_is_left_out_on_paper_and_in_the_round(app: Harness) -> None:
    headers, patients = commissioner(app, "SB2"), await lists(app)
    left = {"valid_from": "2021-04-01", "valid_to": "2022-03-31", "reason": "It left."}
    gone = await app.put(f"{V1}/networks/U90003/members/Z80020/2021-04-01/correction", left, headers)
    served = {"practice": "Z80020", "network": "U90002", "valid_from": "2022-04-01", "reason": "It stays out."}
    allocated = await app.post(f"{V1}/allocations", served, headers)
    assert (gone.status_code, allocated.status_code) == (200, 201), allocated.text
    groups = [group(name, *who, size_waiver_reason="Moors") for name, who in (("East", EAST), ("West", WEST))]
    made = await asked(app, proposal(*groups))
    found = made.json()["answer"]
    assert [(one["practice"], one["uncovered"]) for one in found["left_out"]] == [("Z80020", str(patients["Z80020"]))]
    ended = await answer(app, group("East", *EAST), ends=["U90002"])
    assert {one["practice"] for one in ended["left_out"]} == {*WEST, "Z80020"}

    round = await open_round(app, commissioner="SB2")
    why = {"reform_reason": "size", "reform_explanation": "It grew too large."}
    applied = await app.post(f"{V1}/what-ifs/{made.json()['id']}/applications", {"round": round, **why}, headers)
    for id, who in zip(applied.json()["applications"], (EAST, WEST), strict=True):
        path = f"{V1}/applications/{id}"
        rest = {
            "clinical_director": {"name": "Dr R", "practice": who[0]},
            "payee": who[0],
            "agreement_signed_by": list(who),
            "area_description": "A side of the brook",
            "area": square(0, 0, 10, 10) if who is EAST else square(10, 0, 20, 10),
            "bank_details_given": True,
        }
        tag = (await app.client.get(path, headers=headers)).headers["etag"]
        changed = await app.client.patch(path, json=rest, headers={**headers, "If-Match": tag})
        assert changed.status_code == 200, changed.text
        handed_in = await app.put(f"{path}/submission", {"received_on": "2022-02-14"}, headers)
        assert handed_in.status_code == 200, handed_in.text
    held = await decide(app, round, headers)
    assert (held.json()["code"], [e["field"] for e in held.json()["errors"]]) == ("CoverageIncomplete", ["Z80020"])
    path = f"{V1}/allocations/{allocated.json()['id']}/correction"
    elsewhere = {"network": "U90001", "valid_from": "2022-04-01", "reason": "U90002 is divided."}
    assert (await app.put(path, elsewhere, headers)).status_code == 200
    assert (await decide(app, round, headers)).status_code == 200
