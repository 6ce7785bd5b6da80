"""One area from opening a round to its joint decision, over HTTP on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.events import registry as events
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    allocate,
    codes,
    commissioner,
    decide,
    depart,
    draft,
    form,
    join,
    load_sample,
    members,
    national,
    open_round,
    practice,
    submit,
    submitted,
    terms,
)

NAMES = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def all_submitted(app: Harness) -> tuple[str, list[str]]:
    round = await open_round(app)
    return round, [await submitted(app, form(name, round)) for name in NAMES]


async def get(app: Harness, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = await app.client.get(f"{V1}{path}", headers=headers or national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_area_is_held_until_the_last_practice_is_covered_and_then_decided_together(app: Harness) -> None:
    round, (harbour, vale, _) = await all_submitted(app)
    coverage = await get(app, f"/rounds/{round}/coverage")
    assert (coverage["complete"], coverage["patients"], coverage["patients_uncovered"]) == (False, "112225", "6180")
    assert [p["practice"] for p in coverage["uncovered"]] == ["Z80010"]

    held = await decide(app, round)
    assert held.status_code == 409
    assert held.json()["code"] == "CoverageIncomplete"
    assert held.json()["errors"] == [
        {"field": "Z80010", "code": "uncovered", "message": "LONE PINE SURGERY (INVENTED): 6180 patients"}
    ]
    approval = await app.put(f"{V1}/applications/{harbour}/approval", None, commissioner(app))
    assert (approval.status_code, approval.json()["code"]) == (409, "CoverageIncomplete")

    assert (await allocate(app, application=vale, round=round)).status_code == 201
    assert (await get(app, f"/rounds/{round}/coverage"))["complete"]
    approval = await app.put(f"{V1}/applications/{harbour}/approval", None, commissioner(app))
    assert approval.status_code == 200
    assert approval.json()["status"] == "submitted"

    decided = await decide(app, round)
    assert decided.status_code == 200, decided.text
    assert (decided.json()["status"], decided.json()["decided_by"]) == ("decided", "carl")

    networks = {n["code"]: n for n in (await get(app, "/networks?commissioner=SA1&as_at=2022-04-01"))["items"]}
    assert set(networks) == {"U90011", "U90012", "U99001"}
    assert networks["U99001"]["name"] == "Invented Fells PCN"
    assert networks["U90011"]["payee"] == "Z80001"
    assert (await get(app, "/networks?commissioner=SA1&as_at=2022-03-31"))["items"] == []
    members = (await get(app, "/networks/U90012/members?as_at=2022-04-01"))["items"]
    assert [m["practice"] for m in members] == ["Z80004", "Z80005", "Z80006", "Z80007"]
    assert {m["application"] for m in members} == {vale}
    allocation = (await get(app, "/allocations"))["items"]
    assert [(a["practice"], a["network"], a["application"]) for a in allocation] == [("Z80010", "U90012", vale)]

    told = [e for e in await app.announced() if isinstance(e, events.NetworkApproved) and e.decided_by == "round"]
    assert {(e.network, e.round, e.payee, e.valid_from) for e in told} == {
        ("U90011", round, "Z80001", date(2022, 4, 1)),
        ("U90012", round, "Z80004", date(2022, 4, 1)),
        ("U99001", round, "Z80008", date(2022, 4, 1)),
    }
    served = [e for e in await app.announced() if isinstance(e, events.PatientsAllocated)]
    assert [(e.network, e.practice) for e in served] == [("U90012", "Z80010")]
    closing = [e for e in await app.announced() if isinstance(e, events.RoundDecided)]
    assert [(e.approved, e.refused, e.override_reason) for e in closing] == [(3, 0, None)]

    again = await decide(app, round)
    assert (again.status_code, again.json()["code"]) == (409, "RoundAlreadyDecided")


async def test_a_national_user_may_override_with_a_reason_and_nobody_else(app: Harness) -> None:
    round, _ = await all_submitted(app)
    refused = await decide(app, round, override_reason="It is late.")
    assert (refused.status_code, refused.json()["code"]) == (403, "OnlyNationalOverrides")
    without = await decide(app, round, national(app))
    assert (without.status_code, without.json()["code"]) == (409, "CoverageIncomplete")
    decided = await decide(app, round, national(app), override_reason="Cover follows in May.")
    assert (decided.status_code, decided.json()["override_reason"]) == (200, "Cover follows in May.")
    told = [e for e in await app.announced() if isinstance(e, events.RoundDecided)]
    assert [e.override_reason for e in told] == ["Cover follows in May."]


async def test_refusing_an_application_uncovers_its_patients(app: Harness) -> None:
    round, (_, vale, fells) = await all_submitted(app)
    await allocate(app, application=fells, round=round)
    held = await decide(app, round, refusals=[{"application": fells, "reason": "Too small."}])
    assert held.status_code == 409
    assert {error["field"] for error in held.json()["errors"]} == {"Z80008", "Z80009", "Z80010"}
    decided = await decide(
        app, round, national(app), refusals=[{"application": fells, "reason": "Too small."}], override_reason="Agreed."
    )
    assert decided.status_code == 200
    assert (await get(app, f"/applications/{fells}"))["status"] == "refused"
    assert (await get(app, f"/applications/{vale}"))["status"] == "approved"
    assert (await get(app, "/allocations"))["items"] == []
    told = [e for e in await app.announced() if isinstance(e, events.NetworkRefused)]
    assert [(e.application, e.reason) for e in told] == [(fells, "Too small.")]


async def test_a_decision_names_only_waiting_applications_and_days_of_the_round(app: Harness) -> None:
    round, _ = await all_submitted(app)
    answer = await decide(app, round, decided_on="2031-01-01", refusals=[{"application": "app-none", "reason": "why"}])
    assert answer.status_code == 422
    assert codes(answer) == ["not_submitted", "in_the_future"]


async def test_all_that_is_missing_from_an_application_comes_in_one_answer(app: Harness) -> None:
    round = await open_round(app)
    empty = await draft(app, {"round": round, "network_name": "Nothing yet"})
    answer = await submit(app, empty["id"])
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == [
        "body.practices",
        "body.clinical_director",
        "body.payee",
        "body.bank_details_given",
        "body.area_description",
        "body.area",
    ]
    wanted = form(NAMES[0], round)
    wanted["practices"] += [{"practice": "Z80022"}, {"practice": "Z80021"}, {"practice": "Z99999"}]
    answer = await submit(app, (await draft(app, wanted))["id"])
    assert answer.status_code == 422
    faults = {(e["field"], e["code"]) for e in answer.json()["errors"]}
    assert ("body.practices.Z80022", "list_size_unknown") in faults
    assert ("body.practices.Z80021", "practice_not_open") in faults
    assert ("body.practices.Z99999", "unknown_practice") in faults
    assert ("body.agreement_signed_by", "not_signed") in faults


async def test_a_network_under_30000_needs_a_waiver_with_a_reason(app: Harness) -> None:
    round = await open_round(app)
    made = await draft(app, {**form(NAMES[2], round), "size_waiver_reason": None})
    answer = await submit(app, made["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "NetworkTooSmall")
    path = f"{V1}/applications/{made['id']}"
    etag = (await app.client.get(path, headers=commissioner(app))).headers["etag"]
    changed = await app.client.patch(
        path, json={"size_waiver_reason": "Remote valleys"}, headers={**commissioner(app), "If-Match": etag}
    )
    assert changed.status_code == 200, changed.text
    answer = await submit(app, made["id"])
    assert answer.status_code == 200
    assert "size_waived" in [w["code"] for w in answer.json()["warnings"]]
    assert answer.json()["waived_by"] == "carl"


async def test_over_50000_patients_is_a_warning_and_late_is_marked(app: Harness) -> None:
    round = await open_round(app)
    id = (await draft(app, form(NAMES[1], round)))["id"]
    answer = await submit(app, id, "2022-03-04")
    assert answer.status_code == 200
    assert answer.json()["late"] is True
    assert answer.json()["registered_patients"] == "51735"
    assert [w["code"] for w in answer.json()["warnings"]] == ["over_50000", "late"]
    told = [e for e in await app.announced() if isinstance(e, events.NetworkApplied)]
    assert [(e.late, e.registered_patients) for e in told] == [(True, 51735)]


async def test_a_practice_is_in_one_application_of_a_round(app: Harness) -> None:
    round = await open_round(app)
    await submitted(app, form(NAMES[0], round))
    wanted = {**form(NAMES[1], round)}
    wanted["practices"] = [*wanted["practices"], {"practice": "Z80001"}]
    wanted["agreement_signed_by"] = [*wanted["agreement_signed_by"], "Z80001"]
    answer = await submit(app, (await draft(app, wanted))["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "PracticeAppliesElsewhere")


async def test_a_member_of_another_network_applies_only_when_it_leaves(app: Harness) -> None:
    round = await open_round(app)
    assert (await join(app, "U90001", "Z80010", valid_from="2022-03-01")).status_code == 201
    wanted = form(NAMES[0], round)
    wanted["agreement_signed_by"] = [*wanted["agreement_signed_by"], "Z80010"]
    staying = {**wanted, "practices": [*wanted["practices"], {"practice": "Z80010"}]}
    answer = await submit(app, (await draft(app, staying))["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "PracticeInAnotherNetwork")
    leaving = {**wanted, "practices": [*wanted["practices"], {"practice": "Z80010", "leaves": "U90001"}]}
    await submitted(app, leaving)
    decided = await decide(app, round, national(app), override_reason="Only this one for now.")
    assert decided.status_code == 200, decided.text
    left = [e for e in await app.announced() if isinstance(e, events.PracticeLeft)]
    assert [(e.network, e.practice, e.valid_to) for e in left] == [("U90001", "Z80010", date(2022, 3, 31))]
    history = (await get(app, "/networks/U90001/members?history=true"))["items"]
    assert [(m["valid_from"], m["valid_to"]) for m in history if m["practice"] == "Z80010"] == [
        ("2022-03-01", "2022-03-31")
    ]


async def test_a_returned_application_comes_back_and_a_refused_one_does_not(app: Harness) -> None:
    round = await open_round(app)
    id = await submitted(app, form(NAMES[0], round))
    path = f"{V1}/applications/{id}"
    back = await app.put(f"{path}/return", {"reason": "One signature is missing."}, commissioner(app))
    assert (back.status_code, back.json()["status"]) == (200, "returned")
    assert (await submit(app, id)).status_code == 200
    no = await app.put(f"{path}/refusal", {"reason": "It does not fit."}, commissioner(app))
    assert (no.status_code, no.json()["status"]) == (200, "refused")
    answer = await submit(app, id)
    assert (answer.status_code, answer.json()["code"]) == (409, "ApplicationNotOpen")


async def existing(app: Harness, *practices: str, share: dict[str, str] | None = None) -> dict[str, Any]:
    """An application of U90003, which is on the register with Z80018, Z80019 and Z80020, to go on."""
    round = await open_round(app, commissioner="SB2")
    lines = [
        {"practice": code, **({"share": (share or {})[code]} if code in (share or {}) else {})} for code in practices
    ]
    return {
        "round": round,
        "network_name": "INVENTED HILLTOP PCN",
        "network": "U90003",
        "practices": lines,
        "clinical_director": {"name": "Dr C", "practice": practices[0]},
        "payee": practices[0],
        "agreement_signed_by": list(practices),
        "area_description": "The hilltop",
        "size_waiver_reason": "Hills",
    }


async def go_on(app: Harness, wanted: dict[str, Any]) -> None:
    headers = commissioner(app, "SB2")
    made = await draft(app, wanted, headers)
    answer = await app.put(f"{V1}/applications/{made['id']}/submission", {}, headers)
    assert answer.status_code == 200, answer.text
    decided = await decide(app, wanted["round"], headers)
    assert decided.status_code == 200, decided.text


async def test_an_existing_network_with_the_same_members_goes_on_without_new_memberships(app: Harness) -> None:
    before = (await get(app, "/networks/U90003/members?history=true"))["items"]
    await go_on(app, await existing(app, "Z80018", "Z80019", "Z80020"))
    assert (await get(app, "/networks/U90003/members?history=true"))["items"] == before
    moved = [e for e in await app.announced() if isinstance(e, events.PracticeJoined | events.PracticeLeft)]
    assert moved == []
    told = [e for e in await app.announced() if isinstance(e, events.NetworkApproved)][-1]
    assert (told.network, told.decided_by, told.payee, len(told.members)) == ("U90003", "round", "Z80018", 3)
    assert (await get(app, "/networks/U90003?as_at=2022-04-01"))["payee"] == "Z80018"


async def test_a_split_list_lies_side_by_side_and_a_dropped_member_leaves(app: Harness) -> None:
    wanted = await existing(app, "Z80018", "Z80019", share={"Z80019": "0.25"})
    headers = commissioner(app, "SB2")
    made = await draft(app, wanted, headers)
    assert (await app.put(f"{V1}/applications/{made['id']}/submission", {}, headers)).status_code == 200
    coverage = await get(app, f"/rounds/{wanted['round']}/coverage")
    assert [(p["practice"], p["uncovered"]) for p in coverage["uncovered"]] == [
        ("Z80019", "11610.00"),
        ("Z80020", "5640"),
    ]
    decided = await decide(app, wanted["round"], national(app), override_reason="Under discussion.")
    assert decided.status_code == 200, decided.text
    members = (await get(app, "/networks/U90003/members?as_at=2022-04-01"))["items"]
    assert [(m["practice"], Decimal(m["share"])) for m in members] == [("Z80018", 1), ("Z80019", Decimal("0.25"))]
    left = {(e.practice, e.network) for e in await app.announced() if isinstance(e, events.PracticeLeft)}
    assert left == {("Z80019", "U90003"), ("Z80020", "U90003")}


async def test_a_membership_that_was_to_begin_later_is_taken_back_and_not_ended_before_it_began(app: Harness) -> None:
    headers = commissioner(app, "SB2")
    held = "U90001/members/Z80011/2019-10-01"
    assert (await depart(app, held, last_day="2022-03-31", agreement="Agreed.")).status_code == 200
    assert (await join(app, "U90003", "Z80011", valid_from="2022-07-01")).status_code == 201
    wanted = await existing(app, "Z80018", "Z80019", "Z80020")
    made = await draft(app, wanted, headers)
    assert (await app.put(f"{V1}/applications/{made['id']}/submission", {}, headers)).status_code == 200
    decided = await decide(app, wanted["round"], national(app), override_reason="Under discussion.")
    assert decided.status_code == 200, decided.text
    told = await app.announced()
    assert [e for e in told if isinstance(e, events.PracticeLeft) and e.valid_to < e.valid_from] == []
    assert "Z80011" not in await members(app, "U90003", as_at="2022-08-01")
    last = [e for e in told if isinstance(e, events.NetworkApproved | events.NetworkRestated) and e.network == "U90003"]
    assert "Z80011" not in {m.practice for m in last[-1].members}, "the last thing said of it is right"


async def test_patients_of_a_member_known_to_leave_are_left_out_from_that_day_unless_somebody_serves_them_then(
    app: Harness,
) -> None:
    wanted = await existing(app, "Z80018", "Z80019", "Z80020")
    headers, path = commissioner(app, "SB2"), f"/rounds/{wanted['round']}/coverage"
    made = await draft(app, wanted, headers)
    assert (await app.put(f"{V1}/applications/{made['id']}/submission", {}, headers)).status_code == 200
    assert (await get(app, path))["complete"]
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    leaving = "U90001/members/Z80011/2019-10-01"
    assert (await depart(app, leaving, last_day="2022-06-30", agreement="Agreed.")).status_code == 200

    async def left_out(more: str = "") -> list[tuple[str, str | None]]:
        found = await get(app, f"{path}{more}")
        assert found["complete"] == (found["uncovered"] == [])
        return [(cover["practice"], cover["left_out_from"]) for cover in found["uncovered"]]

    assert await left_out() == [("Z80011", "2022-07-01")]
    assert await left_out("?as_at=2022-06-30") == []
    assert await left_out("?as_at=2022-07-01") == [("Z80011", None)]
    assert await left_out(f"?known_at={before}") == []
    held = await decide(app, wanted["round"], headers)
    assert (held.status_code, held.json()["code"]) == (409, "CoverageIncomplete")
    (fault,) = held.json()["errors"]
    assert (fault["field"], fault["message"].endswith("patients from 2022-07-01")) == ("Z80011", True)
    approval = await app.put(f"{V1}/applications/{made['id']}/approval", None, headers)
    assert (approval.status_code, approval.json()["code"]) == (409, "CoverageIncomplete")
    assert (await join(app, "U90002", "Z80011", valid_from="2022-09-01")).status_code == 201
    assert await left_out() == [("Z80011", "2022-07-01")], "two months without a network are left out too"
    decided = await decide(app, wanted["round"], national(app), override_reason="A network is found by July.")
    assert decided.status_code == 200, decided.text
    assert await left_out() == [("Z80011", "2022-07-01")], "what the decision was taken on"


async def test_a_member_known_to_go_over_to_another_network_is_covered_all_year(app: Harness) -> None:
    wanted = await existing(app, "Z80018", "Z80019", "Z80020")
    headers = commissioner(app, "SB2")
    made = await draft(app, wanted, headers)
    assert (await app.put(f"{V1}/applications/{made['id']}/submission", {}, headers)).status_code == 200
    leaving = "U90001/members/Z80011/2019-10-01"
    assert (await depart(app, leaving, last_day="2022-06-30", agreement="Agreed.")).status_code == 200
    assert (await join(app, "U90002", "Z80011", valid_from="2022-07-01")).status_code == 201
    assert (await get(app, f"/rounds/{wanted['round']}/coverage"))["complete"]
    assert (await decide(app, wanted["round"], headers)).status_code == 200


async def test_only_the_list_of_a_practice_outside_is_allocated_and_only_once(app: Harness) -> None:
    member = await allocate(app, practice="Z80011", network="U90001")
    assert (member.status_code, member.json()["code"]) == (403, "NotYoursToDecide")
    member = await app.post(
        f"{V1}/allocations",
        {"practice": "Z80011", "network": "U90001", "valid_from": "2022-04-01", "reason": "why not"},
        commissioner(app, "SB2"),
    )
    assert (member.status_code, member.json()["code"]) == (409, "PracticeIsMember")
    assert (await allocate(app, network="U90001")).status_code == 201
    twice = await allocate(app, network="U90002")
    assert (twice.status_code, twice.json()["code"]) == (409, "PracticeAlreadyAllocated")
    nobody = await allocate(app, practice="Z80001", valid_from="2022-04-02", valid_to="2022-04-01")
    assert codes(nobody) == ["one_of_two", "before_valid_from"]
    assert (await allocate(app, practice="Z80001", network="U99999")).json()["code"] == "NetworkNotFound"
    assert (await allocate(app, practice="Z99999", network="U90001")).json()["code"] == "PracticeNotFound"


async def test_a_practice_whose_list_is_allocated_does_not_apply(app: Harness) -> None:
    round = await open_round(app)
    assert (await allocate(app, practice="Z80001", network="U90001")).status_code == 201
    answer = await submit(app, (await draft(app, form(NAMES[0], round)))["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "PracticeListAllocated")


async def test_one_round_at_a_time_is_open_in_an_area(app: Harness) -> None:
    await open_round(app)
    again = await app.post(f"{V1}/rounds", terms(), commissioner(app))
    assert (again.status_code, again.json()["code"]) == (409, "RoundAlreadyOpen")
    muddled = await app.post(
        f"{V1}/rounds", terms(contract_year="2023-24", apply_by="2021-01-01", decide_by="2020-01-01"), commissioner(app)
    )
    assert codes(muddled) == ["out_of_order", "out_of_order", "outside_the_year"]


async def test_every_day_of_a_round_that_does_not_fit_is_named_in_one_answer(app: Harness) -> None:
    mistyped = terms(
        contract_year="2023-24",
        opens_on="2024-05-01",
        apply_by="2024-04-30",
        decide_by="2024-04-01",
        starts_on="2029-04-17",
        snapshot="1999-01-01",
    )
    answer = await app.post(f"{V1}/rounds", mistyped, commissioner(app))
    assert answer.status_code == 422
    assert [(e["field"].removeprefix("body."), e["code"]) for e in answer.json()["errors"]] == [
        ("apply_by", "out_of_order"),
        ("decide_by", "out_of_order"),
        ("decide_by", "after_the_year"),
        ("starts_on", "outside_the_year"),
        ("snapshot", "too_old"),
    ]
    assert (await get(app, "/rounds"))["items"] == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"starts_on": "2022-03-31"}, ["outside_the_year"]),
        ({"starts_on": "2023-03-31"}, []),
        ({"starts_on": "2023-04-01"}, ["outside_the_year"]),
        ({"snapshot": "2022-04-01"}, []),
        ({"snapshot": "2022-04-02"}, ["out_of_order"]),
        ({"snapshot": "2020-10-01"}, []),
        ({"snapshot": "2020-09-30"}, ["too_old"]),
        ({"decide_by": "2023-03-31"}, []),
        ({"decide_by": "2023-04-01"}, ["after_the_year"]),
        ({"opens_on": "2022-02-28"}, []),
        ({"opens_on": "2022-03-01"}, ["out_of_order"]),
        ({"apply_by": "2022-03-31"}, []),
        ({"apply_by": "2022-04-01"}, ["out_of_order"]),
    ],
)
async def test_the_days_of_a_round_have_edges(app: Harness, changes: dict[str, str], expected: list[str]) -> None:
    answer = await app.post(f"{V1}/rounds", terms(**changes), commissioner(app))
    assert answer.status_code == (422 if expected else 201), answer.text
    if expected:
        assert codes(answer) == expected


async def abandon(app: Harness, round: str, headers: dict[str, str] | None = None) -> httpx.Response:
    body = {"reason": "Opened with another year's days."}
    return await app.put(f"{V1}/rounds/{round}/abandonment", body, headers or commissioner(app))


async def test_a_round_opened_by_mistake_is_given_up_and_frees_its_area(app: Harness) -> None:
    round = await open_round(app)
    begun = await draft(app, form(NAMES[1], round))
    assert (await allocate(app, application=begun["id"])).status_code == 201
    assert (await app.post(f"{V1}/rounds", terms(), commissioner(app))).status_code == 409

    url, seen = f"{V1}/rounds/{round}/abandonment", {"If-Match": '"1"'}
    mistaken = {"reason": "Mistaken."}
    for headers, status in (
        (commissioner(app), 428),
        (commissioner(app, "SB2") | seen, 404),
        (practice(app, "Z80001") | seen, 403),
        (commissioner(app) | {"If-Match": '"7"'}, 412),
    ):
        assert (await app.client.put(url, json=mistaken, headers=headers)).status_code == status
    unsaid = await app.client.put(url, json={"reason": " "}, headers=commissioner(app) | seen)
    assert (unsaid.status_code, unsaid.json()["errors"][0]["field"]) == (422, "body.reason")

    answer = await abandon(app, round)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["status"], shown["abandoned_by"]) == ("abandoned", "carl")
    assert shown["abandon_reason"] == "Opened with another year's days."
    assert [r["id"] for r in (await get(app, "/rounds?status=abandoned"))["items"]] == [round]
    told = [e for e in await app.announced() if isinstance(e, events.RoundAbandoned)]
    assert [(e.round, e.commissioner, e.contract_year) for e in told] == [(round, "SA1", "2022-23")]
    assert (await get(app, "/allocations"))["items"] == []
    trail = (await get(app, f"/audit?record=rounds/{round}"))["items"]
    assert [e["subject"] for e in trail] == ["carl", "carl"]

    for late in (await abandon(app, round), await decide(app, round), await submit(app, begun["id"])):
        assert (late.status_code, late.json()["code"]) == (409, "RoundGivenUp")
    assert (await allocate(app, application=begun["id"])).json()["code"] == "RoundGivenUp"
    again = await open_round(app)
    assert (await get(app, f"/rounds/{again}"))["status"] == "open"


async def test_a_round_with_applications_waiting_or_decided_is_not_given_up(app: Harness) -> None:
    round, applications = await all_submitted(app)
    answer = await abandon(app, round, national(app))
    assert (answer.status_code, answer.json()["code"]) == (409, "RoundInUse")
    assert codes(answer) == ["in_use"] * 3
    for application in applications:
        back = await app.put(f"{V1}/applications/{application}/return", {"reason": "All anew."}, commissioner(app))
        assert back.status_code == 200, back.text
    assert (await abandon(app, round, national(app))).status_code == 200

    other, _ = await all_submitted(app)
    assert (await decide(app, other, national(app), override_reason="Cover follows.")).status_code == 200
    answer = await abandon(app, other)
    assert (answer.status_code, answer.json()["code"]) == (409, "RoundAlreadyDecided")


async def test_a_code_of_a_network_is_never_used_twice(app: Harness) -> None:
    round = await open_round(app)
    for code in ("U90001", "U90004"):
        answer = await app.post(
            f"{V1}/applications", {**form(NAMES[0], round), "proposed_code": code}, commissioner(app)
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "NetworkCodeTaken")


async def test_where_commissioning_is_not_delegated_the_national_team_decides(app: Harness) -> None:
    round, (_, vale, _) = await all_submitted(app)
    await allocate(app, application=vale, round=round)
    path = f"{V1}/commissioners/SA1"
    answer = await app.put(f"{path}/delegation", {"delegated": False, "reason": "Not taken on."}, national(app))
    assert answer.status_code == 204
    assert (await get(app, "/commissioners/SA1"))["delegated"] is False
    refused = await decide(app, round)
    assert (refused.status_code, refused.json()["code"]) == (403, "NotYoursToDecide")
    assert (await decide(app, round, national(app))).status_code == 200


async def test_the_local_medical_committee_says_what_it_thinks_of_a_boundary(app: Harness) -> None:
    round = await open_round(app)
    id = await submitted(app, form(NAMES[0], round))
    lmc = app.token(Role.LMC, organisations=["SA1"], subject="lena")
    silent = await app.put(f"{V1}/applications/{id}/opinion", {"opinion": "objects"}, lmc)
    assert silent.status_code == 422
    answer = await app.put(f"{V1}/applications/{id}/opinion", {"opinion": "objects", "reason": "The quay."}, lmc)
    assert (answer.status_code, answer.json()["opinion"]) == (200, "objects")
    other = app.token(Role.LMC, organisations=["SB2"], subject="lou")
    assert (await app.client.get(f"{V1}/applications/{id}", headers=other)).status_code == 404


async def test_changes_need_the_version_they_change(app: Harness) -> None:
    round = await open_round(app)
    id = (await draft(app, form(NAMES[0], round)))["id"]
    path = f"{V1}/applications/{id}/submission"
    assert (await app.client.put(path, json={}, headers=commissioner(app))).status_code == 428
    assert (await app.put(path, {}, commissioner(app), match='"99"')).status_code == 412
    assert (
        await app.put(f"{V1}/rounds/{round}/decision", {"decided_on": "2022-03-28"}, commissioner(app), match='"9"')
    ).status_code == 412


async def test_a_draft_made_twice_with_one_key_is_one_application(app: Harness) -> None:
    round = await open_round(app)
    headers = {**commissioner(app), "Idempotency-Key": "draft-harbour-1"}
    first = await app.client.post(f"{V1}/applications", json=form(NAMES[0], round), headers=headers)
    again = await app.client.post(f"{V1}/applications", json=form(NAMES[0], round), headers=headers)
    assert first.json()["id"] == again.json()["id"]
    assert len((await get(app, f"/applications?round={round}"))["items"]) == 1


async def test_the_payee_of_a_network_is_dated(app: Harness) -> None:
    path = f"{V1}/networks/U90001"
    body = {"payee": "Z80012", "valid_from": "2022-04-01"}
    stranger = app.token(Role.NETWORK, organisations=["U90002"])
    assert (await app.put(f"{path}/payee", body, stranger)).json()["code"] == "NotYoursToAppoint"
    own = app.token(Role.NETWORK, organisations=["U90001"])
    assert (await app.put(f"{path}/payee", body, own)).status_code == 200
    later = {"payee": "Z80013", "valid_from": "2022-10-01"}
    assert (await app.put(f"{path}/payee", later, commissioner(app, "SB2"))).status_code == 200
    seen = [
        (await get(app, f"/networks/U90001?as_at={day}"))["payee"] for day in ("2022-03-31", "2022-09-30", "2022-10-01")
    ]
    assert seen == [None, "Z80012", "Z80013"]
    told = [e.payee for e in await app.announced() if isinstance(e, events.PayeeAppointed)]
    assert told == ["Z80012", "Z80013"]


async def test_ten_decisions_at_once_decide_once(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    round, (_, vale, _) = await all_submitted(app)
    held = await asyncio.gather(*(decide(app, round) for _ in range(3)))
    assert {answer.status_code for answer in held} == {409}
    await allocate(app, application=vale, round=round)
    answers = await asyncio.gather(*(decide(app, round) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 9]
    told = [e for e in await app.announced() if isinstance(e, events.NetworkApproved) and e.decided_by == "round"]
    assert len(told) == 3


async def test_two_applications_at_once_do_not_bring_the_same_practice(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    round = await open_round(app)
    ids = [(await draft(app, {**form(NAMES[0], round), "proposed_code": None}))["id"] for _ in range(4)]
    answers = await asyncio.gather(*(submit(app, id) for id in ids))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_a_practice_of_the_area_sees_its_round_and_its_own_application(app: Harness) -> None:
    round = await open_round(app)
    mine = practice(app, "Z80001")
    made = await draft(app, form(NAMES[0], round), mine)
    answer = await app.put(f"{V1}/applications/{made['id']}/submission", {}, mine)
    assert (answer.status_code, answer.json()["late"]) == (200, True)


async def test_only_a_commissioner_says_when_a_form_was_received(app: Harness) -> None:
    round = await open_round(app)
    mine = practice(app, "Z80001")
    made = await draft(app, form(NAMES[0], round), mine)
    dated = await app.put(f"{V1}/applications/{made['id']}/submission", {"received_on": "2022-02-14"}, mine)
    assert (dated.status_code, codes(dated)) == (422, ["not_yours_to_say"])
    early = await submit(app, made["id"], "2021-12-31")
    assert (early.status_code, codes(early)) == (422, ["outside_the_round"])


async def test_changing_only_the_practices_makes_a_new_version(app: Harness) -> None:
    round = await open_round(app)
    made = await draft(app, {**form(NAMES[0], round), "practices": [{"practice": "Z80001"}]})
    path = f"{V1}/applications/{made['id']}"
    first = (await app.client.get(path, headers=commissioner(app))).headers["etag"]
    practices = [{"practice": "Z80001"}, {"practice": "Z80002", "share": "0.5"}, {"practice": "Z80003"}]
    body = {"practices": practices}
    changed = await app.client.patch(path, json=body, headers={**commissioner(app), "If-Match": first})
    assert changed.status_code == 200, changed.text
    assert [(p["practice"], p["share"]) for p in changed.json()["practices"]] == [
        ("Z80001", "1"),
        ("Z80002", "0.5"),
        ("Z80003", "1"),
    ]
    stale = await app.client.patch(path, json=body, headers={**commissioner(app), "If-Match": first})
    assert stale.status_code == 412
    fewer = await app.client.patch(
        path, json={"practices": practices[:1]}, headers={**commissioner(app), "If-Match": changed.headers["etag"]}
    )
    assert [p["practice"] for p in (await get(app, f"/applications/{made['id']}"))["practices"]] == ["Z80001"]
    assert fewer.status_code == 200
    twice = await app.post(
        f"{V1}/applications", {**form(NAMES[1], round), "practices": [*practices, practices[0]]}, commissioner(app)
    )
    assert (twice.status_code, codes(twice)) == (422, ["repeated"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contract_year", "2022-24"),
        ("starts_on", "0001-01-01"),
        ("snapshot", "9999-12-31"),
        ("commissioner", "sa1"),
        ("commissioner", 100),
        ("colour", "red"),
        ("opens_on", "2022-02-30"),
    ],
)
async def test_a_round_with_a_slip_of_the_pen_is_refused(registry_app: Harness, field: str, value: Any) -> None:
    answer = await registry_app.post(f"{V1}/rounds", terms(**{field: value}), national(registry_app))
    assert answer.status_code == 422, answer.text
    assert [e["field"] for e in answer.json()["errors"]] == [f"body.{field}"]


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "NaN", "1E-9", "0.12345678"])
async def test_a_share_is_a_part_of_one_list(app: Harness, share: str) -> None:
    round = await open_round(app)
    wanted = {**form(NAMES[0], round), "practices": [{"practice": "Z80001", "share": share}]}
    answer = await app.post(f"{V1}/applications", wanted, commissioner(app))
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 1)


async def test_a_split_list_is_covered_by_both_and_stays_split_when_one_goes_on(
    app: Harness,
) -> None:
    one = await existing(app, "Z80018", "Z80019", "Z80020", share={"Z80019": "0.25"})
    others = ("Z80014", "Z80015", "Z80016", "Z80017", "Z80019")
    other = {
        **one,
        "network_name": "INVENTED BROOKSIDE PCN",
        "network": "U90002",
        "practices": [{"practice": code, "share": "0.75" if code == "Z80019" else "1"} for code in others],
        "clinical_director": {"name": "Dr D", "practice": "Z80014"},
        "agreement_signed_by": list(others),
    }
    headers = commissioner(app, "SB2")
    for wanted in (one, other):
        made = await draft(app, wanted, headers)
        assert (await app.put(f"{V1}/applications/{made['id']}/submission", {}, headers)).status_code == 200
    assert (await get(app, f"/rounds/{one['round']}/coverage"))["complete"]
    decided = await decide(app, one["round"], headers)
    assert decided.status_code == 200, decided.text

    async def shares() -> dict[str, Decimal]:
        found = {}
        for code in ("U90002", "U90003"):
            for member in (await get(app, f"/networks/{code}/members?as_at=2023-05-01"))["items"]:
                if member["practice"] == "Z80019":
                    found[code] = Decimal(member["share"])
        return found

    split = {"U90002": Decimal("0.75"), "U90003": Decimal("0.25")}
    assert await shares() == split
    assert (await get(app, "/practices/Z80019?as_at=2023-05-01"))["networks"] == ["U90002", "U90003"]

    later = await open_round(app, commissioner="SB2", contract_year="2023-24", starts_on="2023-04-01")
    lines = [{"practice": "Z80018"}, {"practice": "Z80019", "share": "0.25"}]
    again = {**one, "round": later, "practices": lines, "agreement_signed_by": ["Z80018", "Z80019"]}
    made = await draft(
        app, {**again, "practices": [again["practices"][0], {"practice": "Z80019", "share": "0.25"}]}, headers
    )
    assert (await app.put(f"{V1}/applications/{made['id']}/submission", {}, headers)).status_code == 200
    decided = await decide(app, later, national(app), override_reason="Z80020 follows.")
    assert decided.status_code == 200, decided.text
    assert await shares() == split


async def test_who_was_paid_before_is_told_with_the_approval_day_by_day(app: Harness) -> None:
    payee = {"payee": "Z80019", "valid_from": "2020-04-01", "reason": "As the members agreed."}
    assert (await app.put(f"{V1}/networks/U90003/payee", payee, commissioner(app, "SB2"))).status_code == 200
    await go_on(app, await existing(app, "Z80018", "Z80019", "Z80020"))
    told = [e for e in await app.announced() if isinstance(e, events.NetworkApproved) and e.network == "U90003"][-1]
    assert [(p.payee, str(p.valid_from), p.valid_to and str(p.valid_to)) for p in told.payees or []] == [
        ("Z80019", "2020-04-01", "2022-03-31"),
        ("Z80018", "2022-04-01", None),
    ]
