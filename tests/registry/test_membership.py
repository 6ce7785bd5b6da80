"""Joining, leaving and late corrections over REST: dated, explained, told, and refused where they cannot be."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared.events import registry as events
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    allocate,
    commissioner,
    depart,
    join,
    load_sample,
    members,
    national,
    open_window,
    practice,
)

HILLS = "SB2"
TOWN, BROOK = "U90001", "U90002"


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def told(app: Harness, *kinds: type) -> list[Any]:
    return [event for event in await app.announced() if isinstance(event, kinds)]


async def correct(app: Harness, path: str, **body: Any) -> httpx.Response:
    wanted = {"valid_to": None, "reason": "The letter gave another day.", **body}
    return await app.put(f"{V1}/networks/{path}/correction", wanted, commissioner(app, HILLS))


async def test_a_practice_joins_from_a_day_in_the_past_and_the_register_knows_since_when_it_knew(app: Harness) -> None:
    answer = await join(app, TOWN, "Z80001", valid_from="2022-07-01")
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{V1}/networks/{TOWN}/members/Z80001/2022-07-01"
    made = answer.json()
    assert (made["share"], made["valid_to"], made["recorded_by"]) == ("1", None, "carl")
    assert made["reason"] == "The practice asked to join."
    assert "Z80001" in await members(app, TOWN, as_at="2022-07-01")
    assert "Z80001" not in await members(app, TOWN, as_at="2022-06-30")
    assert "Z80001" not in await members(app, TOWN, as_at="2022-07-01", known_at="2022-08-01T00:00:00Z")
    (joined,) = await told(app, events.PracticeJoined)
    assert (joined.network, joined.practice, str(joined.valid_from), joined.commissioner) == (
        TOWN,
        "Z80001",
        "2022-07-01",
        HILLS,
    )


async def test_the_list_of_members_says_whose_practice_comes_from_another_commissioner(app: Harness) -> None:
    assert (await join(app, TOWN, "Z80001")).status_code == 201
    answer = await app.client.get(f"{V1}/networks/{TOWN}/members?as_at=2023-01-01", headers=national(app))
    seen = {
        m["practice"]: (m["practice_commissioner"], m["lead_commissioner"], m["crosses_border"])
        for m in answer.json()["items"]
    }
    assert seen["Z80001"] == ("SA1", HILLS, True)
    assert seen["Z80011"] == (HILLS, HILLS, False)


@pytest.mark.parametrize(
    ("code", "who", "wanted"),
    [
        ("PracticeAlreadyMember", "Z80011", {}),
        ("PracticeAlreadyMember", "Z80014", {"share": "0.5"}),
        ("PracticeNotFound", "Z99999", {}),
        ("PracticeNotOpen", "Z80021", {}),
        ("NetworkNotOpen", "Z80001", {"valid_from": "2019-01-01"}),
        ("NetworkNotOpen", "Z80001", {"network": "U90004", "valid_from": "2020-01-01"}),
        ("NetworkNotFound", "Z80001", {"network": "U90099"}),
    ],
)
async def test_a_membership_that_cannot_be_is_refused(
    app: Harness, code: str, who: str, wanted: dict[str, Any]
) -> None:
    network = wanted.pop("network", TOWN)
    answer = await join(app, network, who, **wanted)
    assert (answer.status_code, answer.json()["code"]) == (404 if code.endswith("NotFound") else 409, code)
    assert await told(app, events.PracticeJoined) == []


async def test_a_practice_without_a_core_contract_does_not_join(app: Harness) -> None:
    await _contract(app, "Z80001", "OTHER")
    answer = await join(app, TOWN, "Z80001")
    assert (answer.status_code, answer.json()["code"]) == (409, "NotACoreContract")


async def _contract(app: Harness, code: str, kind: str) -> None:
    async with app.session() as session:
        await session.execute(
            text("UPDATE practice_contracts SET contract = :kind WHERE practice = :code"), {"kind": kind, "code": code}
        )


async def test_a_list_that_is_allocated_joins_no_network(app: Harness) -> None:
    assert (await allocate(app, network=TOWN)).status_code == 201
    answer = await join(app, BROOK, "Z80010")
    assert (answer.status_code, answer.json()["code"]) == (409, "PracticeListAllocated")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"valid_from": "2022-07-01", "valid_to": "2022-06-30"}, "before_valid_from"),
        ({"share": "0"}, "greater_than"),
        ({"share": "1.01"}, "less_than_equal"),
        ({"reason": ""}, "string_too_short"),
        ({"valid_from": "0022-07-01"}, "value_error"),
    ],
)
async def test_a_malformed_joining_names_its_fault(app: Harness, body: dict[str, Any], code: str) -> None:
    answer = await join(app, TOWN, "Z80001", **body)
    assert answer.status_code == 422
    assert [fault["code"] for fault in answer.json()["errors"]] == [code]


async def test_only_who_leads_the_network_that_day_moves_its_members(app: Harness) -> None:
    answer = await join(app, TOWN, "Z80001", headers=commissioner(app, "SA1"))
    assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToDecide")
    for role in (Role.NETWORK, Role.PRACTICE, Role.LMC, Role.SYSTEM, Role.OPERATOR):
        assert (await join(app, TOWN, "Z80001", headers=app.token(role, organisations=[TOWN]))).status_code == 403
    assert (await join(app, TOWN, "Z80001", headers=national(app))).status_code == 201


async def test_the_same_joining_sent_again_has_one_effect(app: Harness) -> None:
    keyed = {**commissioner(app, HILLS), "Idempotency-Key": "joining-of-july"}
    answers = [await join(app, TOWN, "Z80001", headers=keyed) for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201]
    assert len(await told(app, events.PracticeJoined)) == 1


async def test_leaving_outside_a_window_needs_the_commissioners_recorded_agreement(app: Harness) -> None:
    answer = await depart(app, f"{TOWN}/members/Z80011/2019-10-01", last_day="2022-10-31", notified_on="2022-10-01")
    assert (answer.status_code, answer.json()["code"]) == (409, "OutsideWindow")
    answer = await depart(
        app, f"{TOWN}/members/Z80011/2019-10-01", last_day="2022-10-31", agreement="Agreed at the board of 1 October."
    )
    assert (answer.status_code, answer.json()["valid_to"]) == (200, "2022-10-31")
    (left,) = await told(app, events.PracticeLeft)
    assert (left.practice, str(left.valid_from), str(left.valid_to)) == ("Z80011", "2019-10-01", "2022-10-31")
    assert "Z80011" not in await members(app, TOWN, as_at="2022-11-01")
    again = await depart(app, f"{TOWN}/members/Z80011/2019-10-01", last_day="2022-12-31", agreement="Agreed.")
    assert (again.status_code, again.json()["code"]) == (409, "MembershipEnded")


async def test_leaving_in_a_window_takes_effect_after_its_notice(app: Harness) -> None:
    await open_window(app, opens_on="2020-05-01", closes_on="2020-05-31", notice_months=1, contract_year="2020-21")
    path = f"{TOWN}/members/Z80011/2019-10-01"
    answer = await depart(app, path, notified_on="2020-05-31", last_day="2020-06-29")
    assert (answer.status_code, answer.json()["code"]) == (409, "NoticeTooShort")
    assert (await depart(app, path, notified_on="2020-05-31", last_day="2020-06-30")).status_code == 200


async def test_a_departure_names_a_day_of_the_membership_and_its_version(app: Harness) -> None:
    path = f"{TOWN}/members/Z80011/2019-10-01"
    answer = await depart(app, path, last_day="2019-09-30", agreement="Agreed.")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "before_valid_from")
    assert (await depart(app, path, last_day="2022-10-31", agreement="Agreed.", match='"0"')).status_code == 412
    bare = await app.client.put(
        f"{V1}/networks/{path}/departure",
        json={"last_day": "2022-10-31", "reason": "It moves.", "agreement": "Agreed."},
        headers=commissioner(app, HILLS),
    )
    assert bare.status_code == 428
    gone = await depart(
        app, f"{TOWN}/members/Z80011/2019-10-02", last_day="2022-10-31", agreement="Agreed.", match='"1"'
    )
    assert (gone.status_code, gone.json()["code"]) == (404, "MembershipNotFound")
    foreign = await depart(app, path, last_day="2022-10-31", agreement="Agreed.", headers=commissioner(app, "SA1"))
    assert (foreign.status_code, foreign.json()["code"]) == (403, "NotYoursToDecide")


async def test_days_are_put_right_afterwards_and_what_was_believed_can_still_be_asked(app: Harness) -> None:
    path = f"{TOWN}/members/Z80011"
    believed = (await app.client.get(f"{V1}/networks/{path}/2019-10-01", headers=national(app))).json()
    answer = await correct(app, f"{path}/2019-10-01", valid_from="2020-01-01")
    assert (answer.status_code, answer.json()["valid_from"]) == (200, "2020-01-01")
    assert "Z80011" not in await members(app, TOWN, as_at="2019-12-31")
    assert "Z80011" in await members(app, TOWN, as_at="2019-12-31", known_at="2021-12-31T00:00:00Z")
    then = await app.client.get(
        f"{V1}/networks/{path}/2019-10-01", params={"known_at": "2021-12-31T00:00:00Z"}, headers=national(app)
    )
    assert then.json() == believed
    assert (await app.client.get(f"{V1}/networks/{path}/2019-10-01", headers=national(app))).status_code == 404
    (restated,) = await told(app, events.NetworkRestated)
    assert restated.network == TOWN
    assert ("Z80011", "2020-01-01") in {(m.practice, str(m.valid_from)) for m in restated.members}
    assert ("Z80011", "2019-10-01") not in {(m.practice, str(m.valid_from)) for m in restated.members}


async def test_a_last_day_recorded_in_error_is_taken_back_by_a_correction(app: Harness) -> None:
    path = f"{TOWN}/members/Z80011/2019-10-01"
    assert (await depart(app, path, last_day="2022-10-31", agreement="Agreed.")).status_code == 200
    assert (await correct(app, path, valid_from="2019-10-01")).json()["valid_to"] is None
    assert "Z80011" in await members(app, TOWN, as_at="2023-01-01")
    assert len(await told(app, events.NetworkRestated)) == 1


async def test_a_correction_over_the_days_of_another_membership_is_refused(app: Harness) -> None:
    path = f"{TOWN}/members/Z80011"
    assert (await depart(app, f"{path}/2019-10-01", last_day="2022-10-31", agreement="Agreed.")).status_code == 200
    assert (await join(app, BROOK, "Z80011", valid_from="2022-11-01")).status_code == 201
    answer = await correct(app, f"{path}/2019-10-01", valid_from="2019-10-01", valid_to="2022-11-01")
    assert (answer.status_code, answer.json()["code"]) == (409, "PracticeAlreadyMember")
    answer = await correct(app, f"{path}/2019-10-01", valid_from="2019-09-30", valid_to="2022-10-31")
    assert (answer.status_code, answer.json()["code"]) == (409, "NetworkNotOpen")


async def test_a_membership_recorded_in_error_is_withdrawn_with_its_reason(app: Harness) -> None:
    made = await join(app, TOWN, "Z80001", valid_from="2022-07-01")
    path = f"{V1}/networks/{TOWN}/members/Z80001/2022-07-01"
    answer = await app.put(f"{path}/withdrawal", {"reason": "It was the practice next door."}, commissioner(app, HILLS))
    assert answer.status_code == 204
    assert "Z80001" not in await members(app, TOWN, as_at="2022-07-01")
    assert (await app.client.get(path, headers=national(app))).status_code == 404
    again = await app.put(
        f"{path}/withdrawal", {"reason": "Again."}, commissioner(app, HILLS), match=made.headers["etag"]
    )
    assert (again.status_code, again.json()["code"]) == (404, "MembershipNotFound")
    trail = (await app.client.get(f"{V1}/audit?limit=1000", headers=national(app))).json()["items"]
    assert [entry["after"] for entry in trail if entry["action"] == "withdrawn"] == [
        {"reason": "It was the practice next door."}
    ]
    restated = await told(app, events.NetworkRestated)
    assert "Z80001" not in {m.practice for m in restated[-1].members}


async def test_shares_of_a_list_never_exceed_one_and_a_free_part_is_found(app: Harness) -> None:
    first = await join(app, TOWN, "Z80001", share="0.6", valid_from="2022-07-01")
    assert (first.status_code, first.json()["share"]) == (201, "0.6")
    answer = await join(app, BROOK, "Z80001", share="0.5", valid_from="2022-08-01")
    assert (answer.status_code, answer.json()["code"]) == (409, "SharesExceedOne")
    assert (await join(app, BROOK, "Z80001", share="0.4", valid_from="2022-08-01")).status_code == 201
    path = f"{TOWN}/members/Z80001/2022-07-01"
    answer = await correct(app, path, valid_from="2022-07-01", share="0.7")
    assert (answer.status_code, answer.json()["code"]) == (409, "SharesExceedOne")
    answer = await correct(app, path, valid_from="2022-07-01", share="0.2")
    assert (answer.status_code, answer.json()["share"]) == (200, "0.2")


async def test_two_at_once_do_not_put_one_practice_into_two_networks(registry_live: Harness) -> None:
    await load_sample(registry_live)
    answers = await asyncio.gather(*(join(registry_live, code, "Z80001") for code in (TOWN, BROOK, "U90003", TOWN)))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409]
    async with registry_live.session() as session:
        held = await session.scalar(text("SELECT count(*) FROM memberships WHERE practice = 'Z80001'"))
    assert held == 1


MEMBER = "INSERT INTO memberships (network, practice, valid, known) VALUES "
ROWS = {
    "fk_memberships_network_standing": (MEMBER + "('U90004', 'Z80001', '[2020-01-01,)', '[2022-01-01,)')"),
    "fk_memberships_practice_standing": (MEMBER + "('U90001', 'Z80098', '[2022-01-01,)', '[2022-01-01,)')"),
    "ex_memberships_overlap": (MEMBER + "('U90002', 'Z80011', '[2022-01-01,)', '[2022-01-01,)')"),
    "fk_payees_network_standing": (
        "INSERT INTO payees (network, payee, valid, known) "
        "VALUES ('U90004', 'Z80001', '[2020-01-01,)', '[2022-01-01,)')"
    ),
    "fk_allocations_network_standing": (
        "INSERT INTO allocations (id, network, practice, commissioner, reason, made_by, after_closing, valid, known) "
        "VALUES ('all-x', 'U90004', 'Z80010', 'SA1', 'x', 'x', false, '[2020-01-01,)', '[2022-01-01,)')"
    ),
    "fk_allocations_practice_standing": (
        "INSERT INTO allocations (id, network, practice, commissioner, reason, made_by, after_closing, valid, known) "
        "VALUES ('all-x', 'U90001', 'Z80098', 'SA1', 'x', 'x', false, '[2020-01-01,)', '[2022-01-01,)')"
    ),
    "fk_practice_commissioners_practice_standing": (
        "INSERT INTO practice_commissioners (practice, commissioner, valid, known) "
        "VALUES ('Z80098', 'SA1', '[2020-01-01,)', '[2022-01-01,)')"
    ),
    "fk_network_entries_network": (
        "INSERT INTO network_entries (network, name, commissioner, valid, known) "
        "VALUES ('U90098', 'x', 'SA1', '[2020-01-01,)', '[2022-01-01,)')"
    ),
    "fk_placements_commissioner": (
        "INSERT INTO placements (commissioner, name, system, system_name, region, region_name, valid, known) "
        "VALUES ('XX9', 'x', 'x', 'x', 'x', 'x', '[2020-01-01,)', '[2022-01-01,)')"
    ),
    # taking away what others rest on
    "fk_memberships_network_standing ": (
        "UPDATE network_entries SET known = tstzrange(lower(known), now()) WHERE network = 'U90001'"
    ),
    "fk_memberships_practice_standing ": (
        "UPDATE practice_entries SET valid = daterange(lower(valid), '2021-01-01') WHERE practice = 'Z80011'"
    ),
}


async def test_the_database_itself_refuses_every_overlap_and_every_orphan(registry_live: Harness) -> None:
    await load_sample(registry_live)
    for constraint, statement in ROWS.items():
        with pytest.raises(IntegrityError, match=constraint.strip()):
            async with registry_live.session() as session:
                await session.execute(text(statement))


async def test_a_practice_asks_for_nothing_here_itself(app: Harness) -> None:
    answer = await join(app, TOWN, "Z80001", headers=practice(app, "Z80001"))
    assert (answer.status_code, answer.json()["code"]) == (403, "Forbidden")
