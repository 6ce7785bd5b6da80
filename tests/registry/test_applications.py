"""The registration form of 2019 as a whole: kinds, directors, localities, exceptions, grounds and history."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shared.events import registry as events
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    allocate,
    codes,
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
from tests.registry.squares import square

HARBOUR, VALE, FELLS = "Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN"


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def read(app: Harness, path: str, **asked: str) -> dict[str, Any]:
    answer = await app.client.get(f"{V1}/{path}", params=asked, headers=national(app))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def change(app: Harness, id: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    path, headers = f"{V1}/applications/{id}", headers or commissioner(app)
    etag = (await app.client.get(path, headers=headers)).headers["etag"]
    return await app.client.patch(path, json=fields, headers={**headers, "If-Match": etag})


async def judged(app: Harness, id: str, noun: str, **body: Any) -> httpx.Response:
    return await app.put(f"{V1}/applications/{id}/{noun}", body, commissioner(app))


async def test_the_form_shows_the_network_list_as_it_was_counted(app: Harness) -> None:
    made = await draft(app, form(HARBOUR, await open_round(app)))
    brought = {line["practice"]: line["patients"] for line in made["practices"]}
    assert sum(int(patients) for patients in brought.values()) == int(
        (await submit(app, made["id"])).json()["registered_patients"]
    )
    assert (await read(app, f"applications/{made['id']}"))["practices"][0]["patients"] == brought["Z80001"]
    assert (made["kind"], made["what_if"]) == ("new", None)


async def test_several_directors_share_the_post_and_each_works_in_a_member_practice(app: Harness) -> None:
    round = await open_round(app)
    directors = [
        {"name": "Dr A", "practice": "Z80001", "share": "0.6"},
        {"name": "Dr B", "practice": "Z80009", "share": "0.5"},
    ]
    made = await draft(app, {**form(HARBOUR, round), "clinical_director": None, "clinical_directors": directors})
    answer = await submit(app, made["id"])
    assert answer.status_code == 422
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
        ("body.clinical_directors.1.practice", "not_a_member"),
        ("body.clinical_directors", "over_one"),
    ]
    directors[1] |= {"practice": "Z80002", "share": "0.4"}
    assert (await change(app, made["id"], clinical_directors=directors)).status_code == 200
    shown = (await submit(app, made["id"])).json()
    assert [(d["name"], d["share"]) for d in shown["clinical_directors"]] == [("Dr A", "0.6"), ("Dr B", "0.4")]
    assert (shown["director_name"], shown["director_practice"]) == ("Dr A", "Z80001")


async def test_bank_details_are_said_to_be_given_and_never_sent(app: Harness) -> None:
    round = await open_round(app)
    sent = await app.post(f"{V1}/applications", {**form(HARBOUR, round), "sort_code": "000000"}, commissioner(app))
    assert sent.status_code == 422
    made = await draft(app, {**form(HARBOUR, round), "bank_details_given": False})
    answer = await submit(app, made["id"])
    assert (answer.status_code, codes(answer)) == (422, ["not_given"])
    assert (await change(app, made["id"], bank_details_given=None)).status_code == 200
    unsaid = await submit(app, made["id"])
    assert [(e["field"], e["code"]) for e in unsaid.json()["errors"]] == [("body.bank_details_given", "missing")]
    assert (await change(app, made["id"], bank_details_given=True)).status_code == 200
    assert (await submit(app, made["id"])).json()["bank_details_given"] is True


async def test_the_kind_of_an_application_asks_for_what_it_needs(app: Harness) -> None:
    round = await open_round(app)
    cases: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"kind": "change"}, [("body.network", "missing")]),
        ({"kind": "new", "network": "U90001", "proposed_code": None}, [("body.network", "not_new")]),
        (
            {"kind": "reform"},
            [("body.reforms", "missing"), ("body.reform_reason", "missing"), ("body.reform_explanation", "missing")],
        ),
    ]
    for changes, expected in cases:
        made = await draft(app, {**form(HARBOUR, round), **changes})
        answer = await submit(app, made["id"])
        assert answer.status_code == 422
        assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == expected


async def test_a_refusal_names_its_ground_and_the_agreement_is_none(app: Harness) -> None:
    round = await open_round(app)
    id = await submitted(app, form(HARBOUR, round))
    agreed = await judged(app, id, "refusal", reason="One practice has two votes.", ground="agreement_content")
    assert (agreed.status_code, agreed.json()["code"]) == (409, "AgreementIsNoGround")
    together = await decide(
        app,
        round,
        national(app),
        override_reason="Under discussion.",
        refusals=[{"application": id, "reason": "One practice has two votes.", "ground": "agreement_content"}],
    )
    assert (together.status_code, together.json()["code"]) == (409, "AgreementIsNoGround")
    unknown = await judged(app, id, "refusal", reason="I do not like it.", ground="dislike")
    assert unknown.status_code == 422
    answer = await judged(app, id, "refusal", reason="It runs through a parish.", ground="boundary")
    assert (answer.status_code, answer.json()["refusal_ground"]) == (200, "boundary")
    told = [e for e in await app.announced() if isinstance(e, events.NetworkRefused)]
    assert [(e.ground, e.reason) for e in told] == [("boundary", "It runs through a parish.")]


async def test_an_application_keeps_its_history_with_every_form_that_came_in(app: Harness) -> None:
    round = await open_round(app)
    id = await submitted(app, form(HARBOUR, round))
    assert (await judged(app, id, "return", reason="The quay is missing.")).status_code == 200
    assert (await change(app, id, area_description="The harbour and the quay")).status_code == 200
    assert (await submit(app, id)).status_code == 200
    lmc = app.token(Role.LMC, organisations=["SA1"], subject="lena")
    said = await app.put(f"{V1}/applications/{id}/opinion", {"opinion": "objects", "reason": "The quay."}, lmc)
    assert said.status_code == 200
    await judged(app, id, "refusal", reason="It does not fit.", ground="boundary")
    steps = (await read(app, f"applications/{id}/history"))["items"]
    assert [(s["step"], s["taken_by"], s["reason"]) for s in steps] == [
        ("submitted", "carl", None),
        ("returned", "carl", "The quay is missing."),
        ("submitted", "carl", None),
        ("opinion", "lena", "objects: The quay."),
        ("refused", "carl", "It does not fit."),
    ]
    descriptions = [s["form"]["area_description"] for s in steps if s["form"]]
    assert descriptions[1] == "The harbour and the quay"
    assert descriptions[0] != descriptions[1]
    assert [line["patients"] for line in steps[0]["form"]["practices"]].count(None) == 0
    pages = await read(app, f"applications/{id}/history", limit="2")
    assert [s["step"] for s in pages["items"]] == ["submitted", "returned"]
    assert pages["next"]
    stranger = await app.client.get(f"{V1}/applications/{id}/history", headers=commissioner(app, "SB2"))
    assert stranger.status_code == 404


async def alone(app: Harness, round: str) -> str:
    """An application of one practice."""
    return await submitted(
        app,
        {
            **form(VALE, round),
            "practices": [{"practice": "Z80004"}],
            "agreement_signed_by": ["Z80004"],
            "clinical_director": {"name": "Dr A", "practice": "Z80004"},
            "size_waiver_reason": "A new town that grows into it",
        },
    )


async def test_one_practice_alone_is_a_network_only_when_the_commissioner_agrees(app: Harness) -> None:
    round = await open_round(app)
    id = await alone(app, round)
    override = {"override_reason": "The others follow."}
    held = await decide(app, round, national(app), **override)
    assert (held.status_code, held.json()["code"], codes(held)) == (409, "FindingsNotAccepted", ["one_practice"])
    body = {"application": id, "finding": "one_practice", "reason": "It is a town of its own."}
    stranger = await app.post(f"{V1}/waivers", body, commissioner(app, "SB2"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "ApplicationNotFound")
    given = await app.post(f"{V1}/waivers", body, commissioner(app))
    assert given.status_code == 201, given.text
    assert (await decide(app, round, national(app), **override)).status_code == 200
    kept = (await read(app, "waivers", network="U90012", as_at="2022-04-01"))["items"]
    assert {(w["finding"], w["reason"], w["given_by"]) for w in kept} == {
        ("one_practice", "It is a town of its own.", "carl"),
        ("under_smallest", "A new town that grows into it", "nina"),
    }
    late = await app.post(f"{V1}/waivers", body, commissioner(app))
    assert (late.status_code, late.json()["code"]) == (409, "RoundAlreadyDecided")


async def test_an_exception_is_corrected_and_taken_back_and_the_past_stays_as_it_was_known(app: Harness) -> None:
    body = {"network": "U90003", "finding": "one_practice", "reason": "By custom.", "valid_from": "2022-04-01"}
    headers = commissioner(app, "SB2")
    absent = await app.post(f"{V1}/waivers", body, headers)
    assert (absent.status_code, absent.json()["code"]) == (404, "FindingNotThere")
    area: dict[str, Any] = {"area": square(0, 0, 1, 1), "valid_from": "2022-04-01", "reason": "Drawn."}
    assert (await app.put(f"{V1}/networks/U90003/area", area, headers)).status_code == 200
    turned = {"type": "Polygon", "coordinates": [[[y, x] for x, y in area["area"]["coordinates"][0]]]}
    why = {"outside_england": "It is another England."}
    wrong = {**area, "area": turned, "exceptions": why}
    assert (await app.put(f"{V1}/networks/U90003/area", wrong, headers)).status_code == 200
    (given,) = (await read(app, "waivers", network="U90003"))["items"]
    path = f"{V1}/waivers/{given['id']}"
    before = datetime.now(UTC).isoformat()
    better = {"valid_from": "2022-04-01", "valid_to": "2022-12-31", "reason": "Until it is drawn anew."}
    muddled = await app.put(f"{path}/correction", {**better, "valid_to": "2022-03-01"}, headers)
    assert (muddled.status_code, codes(muddled)) == (422, ["before_valid_from"])
    stale = await app.put(f"{path}/correction", better, headers, match='"0"')
    assert stale.status_code == 412
    assert (await app.put(f"{path}/correction", better, headers)).status_code == 200
    assert (await read(app, "waivers", network="U90003", as_at="2023-01-01"))["items"] == []
    assert len((await read(app, "waivers", network="U90003", as_at="2023-01-01", known_at=before))["items"]) == 1
    hidden = await app.client.get(path, headers=commissioner(app, "SA1"))
    assert (hidden.status_code, hidden.json()["code"]) == (404, "WaiverNotFound")
    assert (await app.put(f"{path}/withdrawal", {"reason": "In error."}, headers)).status_code == 200
    assert (await app.client.get(path, headers=headers)).status_code == 404
    assert (await app.client.get(path, params={"known_at": before}, headers=headers)).json()["reason"] == why[
        "outside_england"
    ]


async def test_an_exception_says_what_it_is_for(app: Harness) -> None:
    answer = await app.post(f"{V1}/waivers", {"finding": "hole", "reason": "By custom."}, commissioner(app))
    assert (answer.status_code, codes(answer)) == (422, ["one_of_two"])
    undated = {"network": "U90001", "finding": "hole", "reason": "By custom."}
    assert codes(await app.post(f"{V1}/waivers", undated, commissioner(app, "SB2"))) == ["missing"]
    dated = {**undated, "valid_from": "2022-04-01"}
    stranger = await app.post(f"{V1}/waivers", dated, commissioner(app))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "NotYoursToDecide")
    nobody = await app.post(f"{V1}/waivers", {**dated, "network": "U99998"}, national(app))
    assert (nobody.status_code, nobody.json()["code"]) == (404, "NetworkNotFound")


async def publish(app: Harness, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    rule = {
        "valid_from": "2022-04-01",
        "smallest": "40000",
        "large": "60000",
        "localities_from": "80000",
        "locality_smallest": "30000",
        "locality_largest": "50000",
        "sliver": "10000",
        "source": "An invented specification",
        **changes,
    }
    return await app.post(f"{V1}/size-rules", rule, headers or national(app))


async def test_the_figures_of_the_size_rule_are_dated_and_published_by_the_national_team(app: Harness) -> None:
    assert (await read(app, "size-rules", as_at="2019-04-01"))["items"][0]["smallest"] == "30000"
    assert (await publish(app, commissioner(app))).status_code == 403
    muddled = await publish(app, smallest="90000", valid_to="2022-03-31")
    assert (muddled.status_code, codes(muddled)) == (422, ["before_valid_from"])
    assert codes(await publish(app, smallest="90000", locality_smallest="60000")) == ["out_of_order"] * 2
    before = datetime.now(UTC).isoformat()
    assert (await publish(app)).status_code == 201
    rules = (await read(app, "size-rules"))["items"]
    assert [(r["smallest"], r["valid_from"], r["valid_to"]) for r in rules] == [
        ("30000", "2019-04-01", "2022-03-31"),
        ("40000", "2022-04-01", None),
    ]
    assert (await read(app, "size-rules", as_at="2022-04-01"))["items"][0]["smallest"] == "40000"
    assert (await read(app, "size-rules", as_at="2022-04-01", known_at=before))["items"][0]["smallest"] == "30000"


async def test_the_figure_of_the_year_refuses_a_network_that_was_large_enough_before(app: Harness) -> None:
    round = await open_round(app)
    assert (await publish(app, smallest="59000")).status_code == 201
    answer = await submit(app, (await draft(app, form(VALE, round)))["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "NetworkTooSmall")
    assert "fewer than 59000" in answer.json()["detail"]


async def arrange(app: Harness, *localities: tuple[str, list[str]], **more: Any) -> httpx.Response:
    body = {
        "valid_from": "2022-04-01",
        "localities": [{"name": name, "practices": practices} for name, practices in localities],
        "reason": "As the members agreed.",
        **more,
    }
    own = app.token(Role.NETWORK, organisations=["U90002"], subject="ned")
    return await app.put(f"{V1}/networks/U90002/localities", body, own)


EAST, WEST = ["Z80014", "Z80015"], ["Z80016", "Z80017"]


async def test_localities_are_dated_and_sized_and_a_practice_is_in_one(app: Harness) -> None:
    wrong = await arrange(app, ("East", [*EAST, "Z80001"]), ("East", ["Z80016", "Z80014"]))
    assert wrong.status_code == 422
    assert sorted(codes(wrong)) == ["no_locality", "not_a_member", "repeated", "repeated"]
    assert (await arrange(app, ("East", EAST), ("West", WEST))).status_code == 200
    before = datetime.now(UTC).isoformat()
    found = (await read(app, "networks/U90002/localities", as_at="2022-04-01"))["items"]
    assert [(one["name"], one["practices"]) for one in found] == [("East", EAST), ("West", WEST)]
    lists = (await read(app, "list-sizes", as_at="2022-04-01", basis="registered"))["items"]
    patients = {one["practice"]: int(one["value"]) for one in lists}
    assert [int(one["patients"]) for one in found] == [sum(patients[c] for c in part) for part in (EAST, WEST)]
    assert [one["expected"] for one in found] == [30_000 <= int(one["patients"]) <= 50_000 for one in found]
    assert (await read(app, "networks/U90002/localities", as_at="2022-03-31"))["items"] == []
    assert (await arrange(app, valid_from="2022-10-01")).status_code == 200
    assert (await read(app, "networks/U90002/localities", as_at="2022-10-01"))["items"] == []
    asked = {"as_at": "2022-10-01", "known_at": before}
    assert len((await read(app, "networks/U90002/localities", **asked))["items"]) == 2
    body = {"valid_from": "2022-04-01", "localities": [], "reason": "why not"}
    stranger = await app.put(f"{V1}/networks/U90002/localities", body, commissioner(app, "SA1"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "NotYoursToArrange")


async def test_localities_come_with_the_application_and_become_the_networks(app: Harness) -> None:
    round = await open_round(app)
    wanted = form(VALE, round)
    parts = [
        {"name": "Upper vale", "practices": ["Z80004", "Z80005"]},
        {"name": "Lower vale", "practices": ["Z80006", "Z80005", "Z80001"]},
    ]
    made = await draft(app, {**wanted, "localities": parts})
    answer = await submit(app, made["id"])
    assert sorted(codes(answer)) == ["no_locality", "not_a_member", "repeated"]
    parts[1]["practices"] = ["Z80006", "Z80007"]
    assert (await change(app, made["id"], localities=parts)).status_code == 200
    answer = await submit(app, made["id"])
    assert answer.status_code == 200, answer.text
    assert {"over_50000", "locality_size"} <= {w["code"] for w in answer.json()["warnings"]}
    decided = await decide(app, round, national(app), override_reason="The others follow.")
    assert decided.status_code == 200, decided.text
    found = (await read(app, "networks/U90012/localities", as_at="2022-04-01"))["items"]
    assert {one["name"] for one in found} == {"Upper vale", "Lower vale"}


async def reform(app: Harness, round: str, name: str, *practices: str, **more: Any) -> httpx.Response:
    """An application that divides U90002 and forms a network of some of its practices."""
    headers = commissioner(app, "SB2")
    wanted = {
        "round": round,
        "network_name": name,
        "kind": "reform",
        "reforms": ["U90002"],
        "reform_reason": "alignment_with_neighbourhoods",
        "reform_explanation": "The brook divides two neighbourhoods.",
        "practices": [{"practice": code} for code in practices],
        "clinical_director": {"name": "Dr R", "practice": practices[0]},
        "payee": practices[0],
        "bank_details_given": True,
        "agreement_signed_by": list(practices),
        "area_description": f"The side of the brook of {name}",
        "area": square(30, 0, 35, 5) if practices == tuple(EAST) else square(35, 0, 40, 5),
        "size_waiver_reason": "A neighbourhood of its own",
        **more,
    }
    made = await draft(app, wanted, headers)
    return await app.put(f"{V1}/applications/{made['id']}/submission", {"received_on": "2022-02-14"}, headers)


async def test_a_network_is_split_and_formed_anew_with_its_list_divided(app: Harness) -> None:
    round = await open_round(app, commissioner="SB2")
    headers = commissioner(app, "SB2")
    assert (await reform(app, round, "East of the Brook PCN", *EAST)).status_code == 200
    half = await decide(app, round, national(app), override_reason="Half of it now.")
    assert (half.status_code, half.json()["code"]) == (409, "NetworkNotWhollyDivided")
    assert [e["message"] for e in half.json()["errors"]] == ["Z80016 goes to no network.", "Z80017 goes to no network."]
    assert (await reform(app, round, "West of the Brook PCN", *WEST)).status_code == 200
    coverage = (await app.client.get(f"{V1}/rounds/{round}/coverage", headers=headers)).json()
    assert coverage["complete"]
    decided = await decide(app, round, headers)
    assert decided.status_code == 200, decided.text
    assert (await read(app, "networks/U90002", as_at="2022-04-01"))["closed_on"] == "2022-03-31"
    told = await app.announced()
    closed = [(e.network, e.closed_on) for e in told if isinstance(e, events.NetworkClosed)][1:]
    assert closed == [("U90002", date(2022, 3, 31))]
    new = (await read(app, "networks", commissioner="SB2", as_at="2022-04-01"))["items"]
    by_name = {network["name"]: network["code"] for network in new}
    for name, practices in (("East of the Brook PCN", EAST), ("West of the Brook PCN", WEST)):
        members = (await read(app, f"networks/{by_name[name]}/members", as_at="2022-04-01"))["items"]
        assert [m["practice"] for m in members] == practices
    assert [e.network for e in told if isinstance(e, events.PracticeLeft)] == ["U90002"] * 4


async def test_one_part_may_keep_the_code_of_the_network_that_is_divided(app: Harness) -> None:
    round = await open_round(app, commissioner="SB2")
    assert (await reform(app, round, "East of the Brook PCN", *EAST, network="U90002")).status_code == 200
    assert (await reform(app, round, "West of the Brook PCN", *WEST)).status_code == 200
    decided = await decide(app, round, commissioner(app, "SB2"))
    assert decided.status_code == 200, decided.text
    assert (await read(app, "networks/U90002", as_at="2022-04-01"))["closed_on"] is None
    members = (await read(app, "networks/U90002/members", as_at="2022-04-01"))["items"]
    assert [m["practice"] for m in members] == EAST
    assert [e.network for e in await app.announced() if isinstance(e, events.NetworkClosed)] == ["U90004"]  # by file


async def test_a_list_allocated_after_its_practice_applied_is_not_served_twice(app: Harness) -> None:
    round = await open_round(app)
    for name in (HARBOUR, VALE, FELLS):
        await submitted(app, form(name, round))
    await allocate(app, network="U90001")
    assert (await allocate(app, practice="Z80001", network="U90001")).status_code == 201
    coverage = await read(app, f"rounds/{round}/coverage")
    assert [cover["practice"] for cover in coverage["covered_twice"]] == ["Z80001"]
    for headers, why in ((commissioner(app), None), (national(app), "It cannot wait.")):
        answer = await decide(app, round, headers, override_reason=why)
        assert (answer.status_code, answer.json()["code"]) == (409, "PatientsCoveredTwice")
        assert [e["field"] for e in answer.json()["errors"]] == ["Z80001"]


async def test_a_practice_its_network_lets_go_is_allocated_before_the_decision(app: Harness) -> None:
    round = await open_round(app, commissioner="SB2")
    headers = commissioner(app, "SB2")
    staying = ("Z80018", "Z80019")
    wanted = {
        "round": round,
        "network_name": "INVENTED HILLTOP PCN",
        "network": "U90003",
        "practices": [{"practice": code} for code in staying],
        "clinical_director": {"name": "Dr C", "practice": staying[0]},
        "payee": staying[0],
        "agreement_signed_by": list(staying),
        "area_description": "The hilltop",
        "size_waiver_reason": "Hills",
    }
    made = await draft(app, wanted, headers)
    outside = {
        "practice": "Z80020",
        "application": made["id"],
        "round": round,
        "valid_from": "2022-04-01",
        "reason": "It stays out.",
    }
    early = await app.post(f"{V1}/allocations", outside, headers)
    assert (early.status_code, early.json()["code"]) == (409, "PracticeIsMember")
    path = f"{V1}/applications/{made['id']}"
    assert (await app.put(f"{path}/submission", {"received_on": "2022-02-14"}, headers)).status_code == 200
    assert (await decide(app, round, headers)).json()["code"] == "CoverageIncomplete"
    assert (await app.post(f"{V1}/allocations", outside, headers)).status_code == 201
    assert (await app.put(f"{path}/return", {"reason": "One more look."}, headers)).status_code == 200
    assert (await app.put(f"{path}/submission", {"received_on": "2022-02-14"}, headers)).status_code == 200
    assert (await decide(app, round, headers)).status_code == 200
    served = (await read(app, "allocations", as_at="2022-04-01"))["items"]
    assert [(one["practice"], one["network"]) for one in served] == [("Z80020", "U90003")]


async def test_a_network_over_a_hundred_thousand_says_how_its_localities_are_organised(app: Harness) -> None:
    round = await open_round(app)
    members = [f"Z8000{n}" for n in range(1, 10)]
    whole = {
        **form(HARBOUR, round),
        "practices": [{"practice": code} for code in members],
        "agreement_signed_by": members,
    }
    made = await draft(app, whole)
    assert (made["registered_patients"], made["status"]) == (None, "draft")
    held = await submit(app, made["id"])
    assert held.status_code == 422
    assert [(e["field"], e["code"]) for e in held.json()["errors"]] == [("body.localities", "asked_for")]
    halves = [{"name": "Quay", "practices": members[:4]}, {"name": "Vale", "practices": members[4:]}]
    assert (await change(app, made["id"], localities=halves)).status_code == 200
    assert (await submit(app, made["id"])).status_code == 200


async def test_a_member_of_a_neighbours_network_is_let_go_there_first(app: Harness) -> None:
    round = await open_round(app)
    wanted = form(HARBOUR, round)
    wanted["practices"].append({"practice": "Z80011", "leaves": "U90001"})
    wanted["agreement_signed_by"].append("Z80011")
    id = (await draft(app, wanted))["id"]
    refused = await submit(app, id)
    assert (refused.status_code, refused.json()["code"]) == (409, "NetworkLedElsewhere")
    assert "SB2" in refused.json()["detail"]
    days = {"valid_from": "2019-10-01", "valid_to": "2022-03-31", "reason": "It goes to the harbour."}
    path = f"{V1}/networks/U90001/members/Z80011/2019-10-01/correction"
    assert (await app.put(path, days, commissioner(app, "SB2"))).status_code == 200
    assert (await submit(app, id)).status_code == 200


async def test_a_network_that_goes_on_keeps_the_area_and_the_payee_it_has(app: Harness) -> None:
    """Its form names neither; what it has is looked at beside what others have drawn."""
    headers = commissioner(app, "SB2")
    hill = f"{V1}/networks/U90003"
    drawn = {"area": square(0, 0, 10, 10), "valid_from": "2022-01-01", "reason": "As it always was."}
    assert (await app.put(f"{hill}/area", drawn, headers)).status_code == 200
    members = ["Z80018", "Z80019", "Z80020"]
    wanted: dict[str, Any] = {
        "round": await open_round(app, commissioner="SB2"),
        "network_name": "INVENTED HILLTOP PCN",
        "network": "U90003",
        "practices": [{"practice": code} for code in members],
        "clinical_director": {"name": "Dr C", "practice": members[0]},
        "agreement_signed_by": members,
        "area_description": "The hilltop",
        "size_waiver_reason": "Hills",
    }
    path = f"{V1}/applications/{(await draft(app, wanted, headers))['id']}"
    unpaid = await app.put(f"{path}/submission", {}, headers)
    assert [(e["field"], e["code"]) for e in unpaid.json()["errors"]] == [("body.payee", "missing")]
    payee = {"payee": "Z80019", "valid_from": "2021-04-01", "reason": "As the members agreed."}
    assert (await app.put(f"{hill}/payee", payee, headers)).status_code == 200
    handed_in = await app.put(f"{path}/submission", {}, headers)
    assert handed_in.status_code == 200, handed_in.text
    assert (handed_in.json()["payee"], handed_in.json()["area"]) == (None, None)
    assert "area_not_drawn" not in {finding["key"] for finding in handed_in.json()["findings"]}

    brook = await reform(app, wanted["round"], "East of the Brook PCN", *EAST, area=square(9, 0, 20, 10))
    assert {finding["key"] for finding in brook.json()["findings"]} >= {"overlap:U90003"}
    seen = (await app.client.get(path, headers=headers)).json()["findings"]
    assert {finding["key"] for finding in seen} >= {f"overlap:{brook.json()['id']}"}
    held = await decide(app, wanted["round"], headers)
    assert held.json()["code"] in ("FindingsNotAccepted", "NetworkNotWhollyDivided")
    where = await reform(app, wanted["round"], "West of the Brook PCN", *WEST)
    assert where.status_code == 200, where.text
    for subject, key in ((path.rsplit("/", 1)[1], brook.json()["id"]), (brook.json()["id"], "U90003")):
        why = {"application": subject, "finding": f"overlap:{key}", "reason": "They share the ridge."}
        excepted = await app.post(f"{V1}/waivers", why, headers)
        assert excepted.status_code == 201, excepted.text
    decided = await decide(app, wanted["round"], headers)
    assert decided.status_code == 200, decided.text
    told = [e for e in await app.announced() if isinstance(e, events.NetworkApproved) and e.network == "U90003"][-1]
    assert told.payee == "Z80019"
    assert (await read(app, "networks/U90003", as_at="2022-04-01"))["payee"] == "Z80019"
    # the neighbour has a code now, and the exception is found under it when either applies again
    new = next(n for n in (await read(app, "networks", as_at="2022-04-01"))["items"] if n["name"].startswith("East"))
    kept = {(w["network"], w["finding"]) for w in (await read(app, "waivers", as_at="2022-04-01"))["items"]}
    assert {("U90003", f"overlap:{new['code']}"), (new["code"], "overlap:U90003")} <= kept
    again = await open_round(app, commissioner="SB2", contract_year="2023-24", starts_on="2023-04-01")
    later = await draft(app, {**wanted, "round": again}, headers)
    overlaps = {f["key"]: f["reason"] for f in later["findings"] if f["code"] == "overlap"}
    assert overlaps == {f"overlap:{new['code']}": "They share the ridge."}


async def test_an_application_that_came_in_before_the_map_was_asked_for_is_decided_as_it_is(app: Harness) -> None:
    round = await open_round(app)
    ids = [await submitted(app, form(name, round)) for name in (HARBOUR, VALE, FELLS)]
    async with app.session() as session:
        await session.execute(text("UPDATE applications SET area = NULL, bank_details_given = NULL"))
        await session.execute(
            text('UPDATE application_versions SET state = state || \'{"area": null, "bank_details_given": null}\'')
        )
    shown = await read(app, f"applications/{ids[0]}")
    assert (shown["area"], shown["bank_details_given"]) == (None, None)
    then = await read(app, f"applications/{ids[0]}", known_at=datetime.now(UTC).isoformat())
    assert (then["area"], then["status"]) == (None, "submitted")
    assert (await allocate(app, application=ids[1])).status_code == 201
    assert (await judged(app, ids[2], "return", reason="Show the beck.")).status_code == 200
    lacks = await submit(app, ids[2], None)
    assert [e["field"] for e in lacks.json()["errors"]] == ["body.bank_details_given", "body.area"]
    ground = form(FELLS, round)["area"]
    assert (await change(app, ids[2], area=ground, bank_details_given=True)).status_code == 200
    assert (await submit(app, ids[2], None)).status_code == 200
    assert (await decide(app, round)).status_code == 200
