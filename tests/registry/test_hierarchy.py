"""Commissioners and systems through time: who succeeds whom, what changes hands with it, and who decides."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared.events import registry as events
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    MANIFEST,
    SAMPLE,
    V1,
    allocate,
    codes,
    commissioner,
    decide,
    form,
    load_sample,
    national,
    open_round,
    submitted,
    upload_listed,
)
from tests.registry.builders import terms as round_terms

HILLS = tuple(f"Z800{number}" for number in range(11, 21))
MARKET = ("Z80011", "Z80012", "Z80013")


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def get(app: Harness, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = await app.client.get(f"{V1}{path}", headers=headers or national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


def heir(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "name": f"INVENTED HEIR {code}", **more}


async def succeed(
    app: Harness,
    code: str,
    *heirs: dict[str, Any],
    on: str = "2022-07-01",
    kind: str = "merger",
    level: str = "commissioners",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    body = {"kind": kind, "succeeded_on": on, "successors": list(heirs), "reason": "As ordered.", **more}
    return await app.put(f"{V1}/{level}/{code}/succession", body, headers or national(app))


def divided(north: tuple[str, ...] = MARKET) -> list[dict[str, Any]]:
    """SB2's practices between two heirs: `north` to one, the rest to the other."""
    south = [code for code in HILLS if code not in north]
    return [heir("S7A1X", practices=list(north)), heir("S7A2X", practices=south)]


async def test_after_a_merger_practices_and_networks_are_the_successors_from_that_day(app: Harness) -> None:
    before = len(await app.announced())
    answer = await succeed(app, "SB2", heir("S1Y5D"))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "code": "SB2",
        "name": "INVENTED HILLS COMMISSIONER - SB2",
        "predecessors": [],
        "successors": [
            {
                "code": "S1Y5D",
                "name": "INVENTED HEIR S1Y5D",
                "kind": "merger",
                "succeeded_on": "2022-07-01",
                "inherits": True,
                "reason": "As ordered.",
            }
        ],
        "decided_by": "S1Y5D",
    }
    for day, code in (("2022-06-30", "SB2"), ("2022-07-01", "S1Y5D")):
        assert (await get(app, f"/practices/Z80011?as_at={day}"))["commissioner"] == code
        assert (await get(app, f"/networks/U90001?as_at={day}"))["commissioner"] == code
        placed = {c["code"] for c in (await get(app, f"/commissioners?as_at={day}"))["items"]}
        assert placed == {"SA1", code}
        assert (await get(app, f"/systems/QZ2?as_at={day}"))["commissioners"] == [code]
    heirs = await get(app, "/commissioners/S1Y5D/succession")
    assert [(p["code"], p["succeeded_on"]) for p in heirs["predecessors"]] == [("SB2", "2022-07-01")]
    told = (await app.announced())[before:]
    succeeded = [e for e in told if isinstance(e, events.CommissionerSucceeded)]
    assert [(e.commissioner, e.kind, [h.commissioner for h in e.successors]) for e in succeeded] == [
        ("SB2", "merger", ["S1Y5D"])
    ]
    places = [(e.commissioner, str(e.valid_to)) for e in told if isinstance(e, events.CommissionerRegistered)]
    assert places == [("S1Y5D", "None"), ("SB2", "2022-06-30")]
    practices = {p.practice for e in told if isinstance(e, events.PracticesPublished) for p in e.practices}
    assert set(HILLS) <= practices
    led = {e.network: e.commissioner for e in told if isinstance(e, events.NetworkApproved)}
    assert led == {"U90001": "S1Y5D", "U90002": "S1Y5D", "U90003": "S1Y5D"}


async def test_a_closed_practice_and_a_closed_network_keep_the_commissioner_they_had(app: Harness) -> None:
    await succeed(app, "SB2", heir("S1Y5D"))
    assert (await get(app, "/networks/U90004"))["commissioner"] == "SB2"
    members = await get(app, "/practices/Z80021?as_at=2020-09-30")
    assert members["commissioner"] == "SB2"


async def test_what_was_known_before_a_succession_stays_answerable(app: Harness) -> None:
    asked = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    await succeed(app, "SB2", heir("S1Y5D"))
    for path, field in (("/networks/U90001", "commissioner"), ("/practices/Z80011", "commissioner")):
        assert (await get(app, f"{path}?as_at=2022-08-01&known_at={asked}"))[field] == "SB2"
        assert (await get(app, f"{path}?as_at=2022-08-01"))[field] == "S1Y5D"
    then = await get(app, f"/commissioners/SB2/succession?known_at={asked}")
    assert (then["successors"], then["decided_by"]) == ([], "SB2")
    earlier = await get(app, "/commissioners/SB2/succession?as_at=2022-06-30")
    assert (earlier["successors"], earlier["decided_by"]) == ([], "SB2")


async def test_a_split_says_where_each_practice_goes_and_networks_follow_most_of_theirs(app: Harness) -> None:
    answer = await succeed(app, "SB2", *divided(), kind="split", inherits="S7A2X")
    assert answer.status_code == 200, answer.text
    assert [(s["code"], s["inherits"]) for s in answer.json()["successors"]] == [("S7A1X", False), ("S7A2X", True)]
    networks = {n["code"]: n["commissioner"] for n in (await get(app, "/networks"))["items"]}
    assert networks == {"U90001": "S7A1X", "U90002": "S7A2X", "U90003": "S7A2X"}
    assert (await get(app, "/practices/Z80012"))["commissioner"] == "S7A1X"
    assert (await get(app, "/practices/Z80014"))["commissioner"] == "S7A2X"
    assert answer.json()["decided_by"] == "S7A2X"


async def test_a_network_may_be_led_by_another_heir_than_most_of_its_practices_have(app: Harness) -> None:
    north, south = divided()
    south["networks"] = ["U90001"]
    assert (await succeed(app, "SB2", north, south, kind="split", inherits="S7A1X")).status_code == 200
    assert (await get(app, "/networks/U90001"))["commissioner"] == "S7A2X"
    assert (await get(app, "/practices/Z80011"))["commissioner"] == "S7A1X"


async def test_a_split_that_forgets_a_practice_or_names_a_stranger_is_refused_with_every_fault(app: Harness) -> None:
    north, south = divided()
    south["practices"].remove("Z80014")
    south["practices"] += ["Z80001", "Z80011"]
    answer = await succeed(app, "SB2", north, south, kind="split")
    assert answer.status_code == 422
    assert sorted(codes(answer)) == ["missing", "not_a_part", "part_missing", "part_repeated"]
    assert (await get(app, "/practices/Z80011"))["commissioner"] == "SB2"
    assert (await get(app, "/commissioners/SB2/succession"))["successors"] == []


@pytest.mark.parametrize(
    ("kind", "heirs", "code"),
    [
        ("merger", ["S7A1X", "S7A2X"], "not_a_merger"),
        ("merger", ["SB2"], "not_a_merger"),
        ("split", ["S7A1X"], "not_a_split"),
        ("split", ["SB2", "S7A1X"], "not_a_split"),
        ("enlargement", ["S7A1X"], "not_an_enlargement"),
        ("enlargement", ["SB2", "SB2"], "repeated"),
    ],
)
async def test_a_kind_that_does_not_fit_its_heirs_is_refused(
    app: Harness, kind: str, heirs: list[str], code: str
) -> None:
    answer = await succeed(app, "SB2", *map(heir, heirs), kind=kind)
    assert answer.status_code == 422
    assert code in codes(answer)


async def test_a_part_given_away_leaves_the_rest_and_the_right_to_decide(app: Harness) -> None:
    answer = await succeed(
        app, "SB2", heir("SB2"), heir("SA1", practices=list(MARKET)), kind="enlargement", on="2022-07-01"
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["decided_by"] == "SB2"
    assert (await get(app, "/networks/U90001"))["commissioner"] == "SA1"
    assert (await get(app, "/networks/U90002"))["commissioner"] == "SB2"
    assert (await get(app, "/commissioners/SB2"))["system"] == "QZ2"


async def test_an_open_round_is_decided_by_the_heir_and_seen_no_more_by_the_predecessor(app: Harness) -> None:
    round = await open_round(app)
    names = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")
    ids = [await submitted(app, form(name, round)) for name in names]
    assert (await allocate(app, application=ids[1])).status_code == 201
    assert (await succeed(app, "SA1", heir("S1Y5D"), on="2022-03-15")).status_code == 200
    old, new = commissioner(app), commissioner(app, "S1Y5D")
    for path in (f"/rounds/{round}", f"/applications/{ids[0]}"):
        assert (await app.client.get(f"{V1}{path}", headers=old)).status_code == 404
        assert (await app.client.get(f"{V1}{path}", headers=new)).status_code == 200
    assert (await get(app, "/rounds", old))["items"] == []
    assert [r["id"] for r in (await get(app, "/rounds", new))["items"]] == [round]
    assert len((await get(app, "/allocations", new))["items"]) == 1
    refused = await app.client.put(
        f"{V1}/rounds/{round}/decision", json={"decided_on": "2022-03-28"}, headers={**old, "If-Match": '"1"'}
    )
    assert (refused.status_code, refused.json()["code"]) == (404, "RoundNotFound")
    decided = await decide(app, round, new)
    assert decided.status_code == 200, decided.text
    assert (await get(app, "/networks/U90011?as_at=2022-04-01"))["commissioner"] == "S1Y5D"
    told = {e.network: e.commissioner for e in await app.announced() if isinstance(e, events.NetworkApproved)}
    assert told["U90011"] == "S1Y5D"


async def test_of_two_heirs_both_see_an_open_round_and_the_one_that_inherits_decides(app: Harness) -> None:
    round = await open_round(app)
    coast = [*(f"Z800{number:02}" for number in range(1, 11)), "Z80022"]
    heirs = [heir("S7A1X", practices=coast[:3]), heir("S7A2X", practices=coast[3:])]
    assert (await succeed(app, "SA1", *heirs, kind="split", inherits="S7A1X", on="2022-03-01")).status_code == 200
    statuses = {}
    for code in ("S7A1X", "S7A2X", "SA1"):
        headers = commissioner(app, code)
        statuses[code] = (await app.client.get(f"{V1}/rounds/{round}", headers=headers)).status_code
    assert statuses == {"S7A1X": 200, "S7A2X": 200, "SA1": 404}
    answer = await decide(app, round, commissioner(app, "S7A2X"))
    assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToDecide")
    answer = await decide(app, round, commissioner(app, "S7A1X"))
    assert (answer.status_code, answer.json()["code"]) == (409, "CoverageIncomplete")


async def test_rights_pass_on_through_one_succession_after_another(app: Harness) -> None:
    round = await open_round(app)
    await succeed(app, "SA1", heir("S7A1X"), on="2022-03-01")
    await succeed(app, "S7A1X", heir("S1Y5D"), on="2022-05-01")
    assert (await get(app, "/commissioners/SA1/succession"))["decided_by"] == "S1Y5D"
    assert (await get(app, "/commissioners/SA1/succession?as_at=2022-04-01"))["decided_by"] == "S7A1X"
    seen = {}
    for code in ("SA1", "S7A1X", "S1Y5D"):
        seen[code] = (await app.client.get(f"{V1}/rounds/{round}", headers=commissioner(app, code))).status_code
    assert seen == {"SA1": 404, "S7A1X": 404, "S1Y5D": 200}
    system = app.token(Role.SYSTEM, organisations=["QZ1"])
    assert (await app.client.get(f"{V1}/rounds/{round}", headers=system)).status_code == 200


async def test_the_heirs_own_round_covers_the_lists_published_under_its_predecessors(app: Harness) -> None:
    await succeed(app, "SA1", heir("S1Y5D"), on="2022-03-15")
    terms = {"commissioner": "S1Y5D", "starts_on": "2022-04-01"}
    answer = await app.post(f"{V1}/rounds", {**round_terms(), **terms}, commissioner(app, "S1Y5D"))
    assert answer.status_code == 201, answer.text
    coverage = await get(app, f"/rounds/{answer.json()['id']}/coverage")
    assert coverage["patients"] == "112225"


async def test_a_round_leaves_out_the_practices_given_to_a_neighbour(app: Harness) -> None:
    given = ["Z80001", "Z80002"]
    answer = await succeed(app, "SA1", heir("SA1"), heir("SB2", practices=given), kind="enlargement", on="2022-03-15")
    assert answer.status_code == 200, answer.text
    seen = {}
    for code in ("SA1", "SB2"):
        round = await open_round(app, commissioner=code)
        seen[code] = {p["practice"] for p in (await get(app, f"/rounds/{round}/coverage"))["practices"]}
    assert not seen["SA1"] & set(given)
    assert "Z80003" in seen["SA1"]
    assert {"Z80011", *given} <= seen["SB2"]


async def test_the_heir_appoints_the_payee_and_the_predecessor_may_not(app: Harness) -> None:
    await succeed(app, "SB2", heir("S1Y5D"))
    path, body = f"{V1}/networks/U90001/payee", {"payee": "Z80012", "valid_from": "2022-04-01"}
    refused = await app.put(path, body, commissioner(app, "SB2"))
    assert (refused.status_code, refused.json()["code"]) == (403, "NotYoursToAppoint")
    assert (await app.put(path, body, commissioner(app, "S1Y5D"))).status_code == 200


async def test_a_wrong_day_is_put_right_and_the_old_belief_stays_answerable(app: Harness) -> None:
    await succeed(app, "SB2", heir("S1Y5D"), on="2022-07-01")
    believed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (await succeed(app, "SB2", heir("S1Y5D"), on="2022-10-01")).status_code == 200
    for day, then, now in (
        ("2022-06-30", "SB2", "SB2"),
        ("2022-08-01", "S1Y5D", "SB2"),
        ("2022-10-01", "S1Y5D", "S1Y5D"),
    ):
        for path in ("/practices/Z80011", "/networks/U90001"):
            assert (await get(app, f"{path}?as_at={day}"))["commissioner"] == now
            assert (await get(app, f"{path}?as_at={day}&known_at={believed}"))["commissioner"] == then
    placed = [c["code"] for c in (await get(app, "/commissioners?as_at=2022-08-01"))["items"]]
    assert placed == ["SA1", "SB2"]


async def test_an_heir_of_two_stands_from_the_first_of_them_whatever_day_is_put_right_of_the_other(
    app: Harness,
) -> None:
    """And so does the heir of heirs, a year later."""
    for code in ("SA1", "SB2"):
        await succeed(app, code, heir("S1Y5D"), on="2022-07-01")
    await succeed(app, "S1Y5D", heir("S7A1X"), on="2023-04-01")
    await succeed(app, "SA1", heir("S1Y5D"), on="2022-08-01")

    async def stand(code: str) -> list[bool]:
        days = ("2022-06-30", "2022-07-01", "2022-07-31", "2022-08-01", "2023-03-31", "2023-04-01")
        return [(await get(app, f"/commissioners/{code}?as_at={day}"))["system"] is not None for day in days]

    assert await stand("SA1") == [True, True, True, False, False, False]
    assert await stand("S1Y5D") == [False, True, True, True, True, False]
    assert await stand("S7A1X") == [False] * 5 + [True]
    for day, expected in (("2022-07-15", {"SA1", "S1Y5D"}), ("2022-08-01", {"S1Y5D"}), ("2023-04-01", {"S7A1X"})):
        asked = f"/statistics/areas?as_at=2022-04-01&snapshot=2022-01-01&map_of={day}"
        assert {area["code"] for area in (await get(app, asked))["items"]} == expected, day
    await succeed(app, "SB2", heir("S1Y5D"), on="2022-09-01")
    assert await stand("S1Y5D") == [False, False, False, True, True, False]


async def test_a_succession_recorded_by_mistake_is_taken_back_by_naming_itself_alone(app: Harness) -> None:
    await succeed(app, "SB2", heir("S1Y5D"))
    back = await succeed(app, "SB2", heir("SB2"), kind="enlargement")
    assert back.status_code == 200, back.text
    assert back.json()["decided_by"] == "SB2"
    assert [s["code"] for s in back.json()["successors"]] == ["SB2"]
    assert (await get(app, "/practices/Z80011"))["commissioner"] == "SB2"
    assert (await get(app, "/networks/U90001"))["commissioner"] == "SB2"
    assert (await get(app, "/commissioners/SB2"))["system"] == "QZ2"


async def test_the_same_succession_again_changes_nothing_and_announces_nothing(app: Harness) -> None:
    await succeed(app, "SB2", heir("S1Y5D"))
    before = len(await app.announced())
    assert (await succeed(app, "SB2", heir("S1Y5D"))).status_code == 200
    assert len(await app.announced()) == before


async def test_nothing_is_succeeded_by_what_is_gone_nor_before_it_came_into_its_own(app: Harness) -> None:
    await succeed(app, "SB2", heir("S1Y5D"), on="2022-07-01")
    gone = await succeed(app, "SA1", {"code": "SB2"}, on="2022-08-01")
    assert (gone.status_code, gone.json()["code"], codes(gone)) == (409, "SuccessionNotPossible", ["gone"])
    early = await succeed(app, "S1Y5D", heir("S7A1X"), on="2022-05-01")
    assert (early.status_code, codes(early)) == (409, ["heir_later"])


async def test_a_succession_is_the_national_teams_to_record(app: Harness) -> None:
    for role, code in ((Role.COMMISSIONER, "SB2"), (Role.SYSTEM, "QZ2"), (Role.OPERATOR, "X")):
        headers = app.token(role, organisations=[code])
        assert (await succeed(app, "SB2", heir("S1Y5D"), headers=headers)).status_code == 403
    missing = await app.client.put(
        f"{V1}/commissioners/SX9/succession",
        json={"kind": "merger", "succeeded_on": "2022-07-01", "successors": [heir("S1Y5D")], "reason": "As ordered."},
        headers={**national(app), "If-Match": '"1"'},
    )
    assert (missing.status_code, missing.json()["code"]) == (404, "CommissionerNotFound")
    body = {"kind": "merger", "succeeded_on": "2022-07-01", "successors": [heir("S1Y5D")], "reason": "As ordered."}
    path = f"{V1}/commissioners/SB2/succession"
    assert (await app.client.put(path, json=body, headers=national(app))).status_code == 428
    assert (await app.put(path, body, national(app), match='"999"')).status_code == 412


async def test_a_new_heir_needs_a_name(app: Harness) -> None:
    answer = await succeed(app, "SB2", {"code": "S1Y5D"})
    assert (answer.status_code, codes(answer)) == (422, ["name_missing"])


async def test_a_system_is_divided_and_each_commissioner_goes_where_it_is_sent(app: Harness) -> None:
    await app.post(
        f"{V1}/commissioners",
        {"code": "SC3", "name": "INVENTED FENS", "system": "QZ2", "valid_from": "2022-04-01"},
        national(app),
    )
    heirs = [heir("S1Y5D", commissioners=["SB2"]), {"code": "QZ1", "commissioners": ["SC3"]}]
    answer = await succeed(app, "QZ2", *heirs, level="systems", kind="split", inherits="S1Y5D", on="2026-04-01")
    assert answer.status_code == 200, answer.text
    systems = {s["code"]: s["commissioners"] for s in (await get(app, "/systems?as_at=2026-04-01"))["items"]}
    assert systems == {"QZ1": ["SA1", "SC3"], "S1Y5D": ["SB2"]}
    before = {s["code"] for s in (await get(app, "/systems?as_at=2026-03-31"))["items"]}
    assert before == {"QZ1", "QZ2"}
    assert (await get(app, "/commissioners/SC3?as_at=2026-04-01"))[
        "system_name"
    ] == "INVENTED COAST INTEGRATED CARE BOARD"
    links = await get(app, "/systems/QZ2/succession")
    assert [(s["code"], s["kind"]) for s in links["successors"]] == [("QZ1", "split"), ("S1Y5D", "split")]
    assert [p["code"] for p in (await get(app, "/systems/S1Y5D/succession"))["predecessors"]] == ["QZ2"]


async def test_a_divided_system_says_where_each_of_its_commissioners_goes(app: Harness) -> None:
    answer = await succeed(
        app, "QZ2", heir("S1Y5D"), heir("D7T5G"), level="systems", kind="split", inherits="S1Y5D", on="2026-04-01"
    )
    assert (answer.status_code, codes(answer)) == (422, ["part_missing"])
    missing = await app.client.get(f"{V1}/systems/QX9/succession", headers=national(app))
    assert (missing.status_code, missing.json()["code"]) == (404, "SystemNotFound")


async def test_a_merged_system_acts_for_the_commissioners_that_came_with_it(app: Harness) -> None:
    round = await open_round(app)
    await succeed(app, "QZ1", heir("S1Y5D"), level="systems", on="2026-04-01")
    seen = {}
    for code in ("QZ1", "S1Y5D"):
        headers = app.token(Role.SYSTEM, organisations=[code])
        seen[code] = (await app.client.get(f"{V1}/rounds/{round}", headers=headers)).status_code
    assert seen == {"QZ1": 404, "S1Y5D": 200}


async def test_a_commissioner_is_entered_by_hand_once(app: Harness) -> None:
    body = {"code": "S7A1X", "name": "INVENTED FENS", "system": "QZ1", "valid_from": "2022-04-01"}
    made = await app.post(f"{V1}/commissioners", body, national(app))
    assert made.status_code == 201, made.text
    assert (made.json()["region"], made.json()["delegated"]) == ("Y5Z", True)
    assert made.headers["location"] == "/registry/v1/commissioners/S7A1X"
    again = await app.post(f"{V1}/commissioners", body, national(app))
    assert (again.status_code, again.json()["code"]) == (409, "CommissionerCodeTaken")
    unknown = await app.post(f"{V1}/commissioners", {**body, "code": "S7A2X", "system": "QX9"}, national(app))
    assert (unknown.status_code, codes(unknown)) == (422, ["missing", "missing", "missing"])
    backwards = {**body, "code": "S7A2X", "valid_to": "2022-03-01"}
    answer = await app.post(f"{V1}/commissioners", backwards, national(app))
    assert (answer.status_code, codes(answer)) == (422, ["before_valid_from"])
    assert (await app.post(f"{V1}/commissioners", body, commissioner(app))).status_code == 403


async def test_a_place_is_put_right_for_days_long_past(app: Harness) -> None:
    asked = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = {"name": "INVENTED HILLS", "system": "QZ1", "valid_from": "2021-04-01", "valid_to": "2021-12-31"}
    answer = await app.put(f"{V1}/commissioners/SB2/placement", body, national(app))
    assert answer.status_code == 200, answer.text
    seen = [
        (await get(app, f"/commissioners/SB2?as_at={day}"))["system"]
        for day in ("2021-03-31", "2021-06-01", "2022-01-01")
    ]
    assert seen == ["QZ2", "QZ1", "QZ2"]
    assert (await get(app, f"/commissioners/SB2?as_at=2021-06-01&known_at={asked}"))["system"] == "QZ2"
    told = [
        e for e in await app.announced() if isinstance(e, events.CommissionerRegistered) and e.commissioner == "SB2"
    ]
    assert [(str(e.valid_from), str(e.valid_to), e.system) for e in told[-3:]] == [
        ("2020-04-01", "2021-03-31", "QZ2"),
        ("2021-04-01", "2021-12-31", "QZ1"),
        ("2022-01-01", "None", "QZ2"),
    ]
    for wrong, status in (('"999"', 412), (None, 428)):
        headers = {**national(app), **({"If-Match": wrong} if wrong else {})}
        answer = await app.client.put(f"{V1}/commissioners/SB2/placement", json=body, headers=headers)
        assert answer.status_code == status


async def test_delegation_is_dated_and_the_national_team_decides_where_there_is_none(app: Harness) -> None:
    round = await open_round(app)
    path = f"{V1}/commissioners/SA1"
    body = {
        "delegated": False,
        "reason": "Handed back for a year.",
        "valid_from": "2026-04-01",
        "valid_to": "2199-03-31",
    }
    assert (await app.put(f"{path}/delegation", body, national(app))).status_code == 204
    seen = [
        (await get(app, f"/commissioners/SA1?as_at={day}"))["delegated"]
        for day in ("2026-03-31", "2026-04-01", "2199-04-01")
    ]
    assert seen == [True, False, True]
    answer = await decide(app, round)
    assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToDecide")
    assert (await decide(app, round, national(app))).json()["code"] == "CoverageIncomplete"
    backwards = {**body, "valid_to": "2026-03-01"}
    answer = await app.put(f"{path}/delegation", backwards, national(app))
    assert (answer.status_code, codes(answer)) == (422, ["before_valid_from"])


async def test_an_heir_to_whom_nothing_is_delegated_decides_nothing(app: Harness) -> None:
    round = await open_round(app)
    await succeed(app, "SA1", heir("S1Y5D"), on="2022-03-15")
    body = {"delegated": False, "reason": "Not taken on.", "valid_from": "2022-03-15"}
    assert (await app.put(f"{V1}/commissioners/S1Y5D/delegation", body, national(app))).status_code == 204
    answer = await decide(app, round, commissioner(app, "S1Y5D"))
    assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToDecide")


async def test_two_who_succeed_one_commissioner_at_once_do_not_both_win(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    tag = (await app.client.get(f"{V1}/commissioners/SB2", headers=national(app))).headers["etag"]
    body = {"kind": "merger", "succeeded_on": "2022-07-01", "reason": "As ordered."}
    answers = await asyncio.gather(
        *(
            app.put(
                f"{V1}/commissioners/SB2/succession", {**body, "successors": [heir(code)]}, national(app), match=tag
            )
            for code in ("S7A1X", "S7A2X")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    (link,) = (await get(app, "/commissioners/SB2/succession"))["successors"]
    assert (await get(app, "/practices/Z80011"))["commissioner"] == link["code"]


@pytest.mark.parametrize(
    ("successor", "inherits", "constraint"),
    [("S7A2X", True, "ex_successions_one_inherits"), ("S1Y5D", False, "ex_successions_overlap")],
)
async def test_the_database_refuses_a_second_heir_that_decides(
    app: Harness, successor: str, inherits: bool, constraint: str
) -> None:
    await succeed(app, "SB2", heir("S1Y5D"))
    statement = text(
        "insert into successions (level, predecessor, successor, kind, inherits, reason, recorded_by, valid, known) "
        "values ('commissioner', 'SB2', :successor, 'merger', :inherits, 'x', 'x', '[2023-01-01,)', "
        "tstzrange(now(), null))"
    )
    with pytest.raises(IntegrityError, match=constraint):
        async with app.session() as session:
            await session.execute(statement, {"successor": successor, "inherits": inherits})


@pytest.mark.parametrize("published_on", ["2022-06-15", "2022-08-15"])
async def test_a_file_that_still_names_the_predecessor_takes_nothing_back(app: Harness, published_on: str) -> None:
    """The register's files follow some weeks behind, and one of before the day may come in after it."""
    await succeed(app, "SB2", *divided(), kind="split", inherits="S7A2X")
    for entry in MANIFEST["files"][1:3]:
        report = await upload_listed(app, SAMPLE, {**entry, "published_on": published_on})
        assert report["refused"] == []
    assert (await get(app, "/practices/Z80012"))["commissioner"] == "S7A1X"
    assert (await get(app, "/practices/Z80014"))["commissioner"] == "S7A2X"
    assert (await get(app, "/practices/Z80012?as_at=2022-06-30"))["commissioner"] == "SB2"
    networks = {n["code"]: n["commissioner"] for n in (await get(app, "/networks"))["items"]}
    assert networks == {"U90001": "S7A1X", "U90002": "S7A2X", "U90003": "S7A2X"}
