"""Practices open, rest, close, merge and change hands: dated, put right afterwards, and told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from deploy.doctor.copies import COPIES
from shared.events import registry as events
from shared.facts import ONE_DAY
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, allocate, commissioner, join, load_sample, members, national
from tests.registry.test_membership_told import agreed, rows

P = f"{V1}/practices"
TOWN = "U90001"
NEW = {
    "code": "Z80091",
    "name": "NEW QUAY SURGERY (INVENTED)",
    "commissioner": "SB2",
    "opened_on": "2022-04-01",
    "contract": "APMS",
    "reason": "The contract was let.",
}


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


@pytest.fixture
def readers(funding_app: Harness, workforce_app: Harness, reporting_app: Harness) -> dict[str, Harness]:
    return {"funding": funding_app, "workforce": workforce_app, "reporting": reporting_app}


async def change(app: Harness, path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    """Change a practice of SB2 by the version it has now: `path` is `Z80011/closure`."""
    code = path.split("/", 1)[0]
    etag = (await app.client.get(f"{P}/{code}?as_at=2024-01-01", headers=national(app))).headers.get("etag", '"1"')
    wanted = {"reason": "As the notice says.", **body}
    return await app.put(f"{P}/{path}", wanted, headers or commissioner(app, "SB2"), match=etag)


async def seen(app: Harness, code: str, **asked: str) -> dict[str, Any]:
    answer = await app.client.get(f"{P}/{code}", params=asked, headers=national(app))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def last(app: Harness, kind: type) -> Any:
    return [event for event in await app.announced() if isinstance(event, kind)][-1]


async def test_a_practice_opens_and_joins_a_network(app: Harness) -> None:
    made = await app.post(P, NEW, commissioner(app, "SB2"))
    assert (made.status_code, made.headers["location"]) == (201, f"{P}/Z80091")
    found = await seen(app, "Z80091", as_at="2022-04-01")
    assert (found["status"], found["contract"], found["commissioner"], found["opened_on"]) == (
        "active",
        "APMS",
        "SB2",
        "2022-04-01",
    )
    fact = (await last(app, events.PracticeRegistered)).practice
    assert (fact.practice, fact.practice_name, fact.status) == ("Z80091", NEW["name"], "active")
    assert (await join(app, TOWN, "Z80091")).status_code == 201
    early = await join(app, "U90002", "Z80091", valid_from="2022-03-31", valid_to="2022-04-30")
    assert (early.status_code, early.json()["code"]) == (409, "PracticeNotOpen")
    again = await app.post(P, NEW, commissioner(app, "SB2"))
    assert (again.status_code, again.json()["code"]) == (409, "PracticeCodeTaken")
    unknown = await app.post(P, {**NEW, "code": "Z80092", "commissioner": "XX9"}, national(app))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "CommissionerNotFound")
    foreign = await app.post(P, {**NEW, "code": "Z80092"}, commissioner(app, "SA1"))
    assert (foreign.status_code, foreign.json()["code"]) == (403, "NotYoursToDecide")


async def test_a_proposed_practice_joins_once_it_has_opened(app: Harness) -> None:
    assert (await app.post(P, {**NEW, "proposed": True}, commissioner(app, "SB2"))).status_code == 201
    assert (await join(app, TOWN, "Z80091")).json()["code"] == "PracticeNotOpen"
    assert (await change(app, "Z80091/reopening", reopened_on="2022-06-01")).status_code == 200
    assert (await join(app, TOWN, "Z80091")).status_code == 201


async def test_a_practice_closes_and_its_membership_ends_with_it(app: Harness, readers: dict[str, Harness]) -> None:
    told = await agreed(app, readers, 0)
    assert (await change(app, "Z80011/closure", closed_on="2023-03-31")).status_code == 200
    assert "Z80011" in await members(app, TOWN, as_at="2023-03-31")
    assert "Z80011" not in await members(app, TOWN, as_at="2023-04-01")
    found = await seen(app, "Z80011", as_at="2023-04-01")
    assert (found["status"], found["closed_on"]) == ("closed", "2023-03-31")
    closed = await last(app, events.PracticeClosed)
    assert (closed.practice, closed.commissioner, str(closed.closed_on)) == ("Z80011", "SB2", "2023-03-31")
    left = await last(app, events.PracticeLeft)
    assert (left.network, str(left.valid_to)) == (TOWN, "2023-03-31")
    told = await agreed(app, readers, told)
    for name, code in (("funding", "code"), ("reporting", "practice")):
        held = await rows(readers[name], f"SELECT closed_on, status FROM practices WHERE {code} = 'Z80011'")  # noqa: S608
        assert held == [("2023-03-31", "closed")], name
    # the day is put right, twice, and then it never was
    for day in ("2023-06-30", "2023-01-31"):
        assert (await change(app, "Z80011/closure", closed_on=day)).status_code == 200
        assert "Z80011" in await members(app, TOWN, as_at=day)
        told = await agreed(app, readers, told)
        assert await rows(readers["funding"], "SELECT closed_on FROM practices WHERE code = 'Z80011'") == [(day,)]
    assert "Z80011" not in await members(app, TOWN, as_at="2023-02-01")
    assert (await change(app, "Z80011/closure/withdrawal")).status_code == 200
    assert "Z80011" in await members(app, TOWN, as_at="2024-01-01")
    assert (await seen(app, "Z80011", as_at="2024-01-01"))["commissioner"] == "SB2"
    await agreed(app, readers, told)
    assert await rows(readers["funding"], "SELECT closed_on FROM practices WHERE code = 'Z80011'") == [("None",)]
    again = await change(app, "Z80011/closure/withdrawal")
    assert (again.status_code, again.json()["code"]) == (409, "PracticeNotClosed")


async def test_what_was_believed_of_a_practice_before_it_closed_can_still_be_asked(app: Harness) -> None:
    before = await seen(app, "Z80011", as_at="2024-01-01")
    await change(app, "Z80011/closure", closed_on="2023-03-31")
    assert await seen(app, "Z80011", as_at="2024-01-01", known_at="2022-12-31") == before
    history = (await app.client.get(f"{P}/Z80011/history", headers=national(app))).json()
    assert [(e["status"], e["valid_to"], e["reason"]) for e in history["entries"]] == [
        ("active", "2023-03-31", "As the notice says.")
    ]
    assert [(m["network"], m["valid_to"]) for m in history["memberships"]] == [(TOWN, "2023-03-31")]
    then = await app.client.get(f"{P}/Z80011/history?known_at=2022-12-31", headers=national(app))
    assert [m["valid_to"] for m in then.json()["memberships"]] == [None]
    none = await app.client.get(f"{P}/Z80099/history", headers=national(app))
    assert (none.status_code, none.json()["code"]) == (404, "PracticeNotFound")


async def test_a_list_allocated_ends_with_its_practice(app: Harness) -> None:
    assert (await allocate(app, network=TOWN)).status_code == 201
    answer = await change(app, "Z80010/closure", commissioner(app, "SA1"), closed_on="2022-12-31")
    assert answer.status_code == 200, answer.text
    ended = await last(app, events.AllocationEnded)
    assert (ended.practice, ended.network, str(ended.valid_to)) == ("Z80010", TOWN, "2022-12-31")


async def test_a_practice_merges_into_another_whose_membership_goes_on(app: Harness) -> None:
    sizes = (await app.client.get(f"{V1}/list-sizes?practice=Z80011", headers=national(app))).json()
    answer = await change(app, "Z80011/succession", successor="Z80012", succeeded_on="2023-04-01")
    assert answer.status_code == 200, answer.text
    went = await last(app, events.PracticeSucceeded)
    assert (went.practice, went.successor, str(went.succeeded_on)) == ("Z80011", "Z80012", "2023-04-01")
    assert str((await last(app, events.PracticeClosed)).closed_on) == "2023-03-31"
    assert "Z80012" in await members(app, TOWN, as_at="2023-04-01")
    assert "Z80011" not in await members(app, TOWN, as_at="2023-04-01")
    assert (await app.client.get(f"{V1}/list-sizes?practice=Z80011", headers=national(app))).json() == sizes
    history = (await app.client.get(f"{P}/Z80011/history", headers=national(app))).json()
    assert [(s["successor"], s["valid_from"]) for s in history["successions"]] == [("Z80012", "2023-04-01")]
    assert (await change(app, "Z80011/closure/withdrawal")).status_code == 200
    history = (await app.client.get(f"{P}/Z80011/history", headers=national(app))).json()
    assert (history["successions"], history["memberships"][-1]["valid_to"]) == ([], None)


async def successions(app: Harness, code: str, known_at: str | None = None) -> list[tuple[str, str, str | None]]:
    asked = {} if known_at is None else {"known_at": known_at}
    history = (await app.client.get(f"{P}/{code}/history", params=asked, headers=national(app))).json()
    return [(s["successor"], s["valid_from"], s["valid_to"]) for s in history["successions"]]


async def told(app: Harness) -> list[tuple[str, str, str | None]]:
    over = (await last(app, events.PracticeRegistered)).practice.went_over
    return [(o.successor, str(o.valid_from), o.valid_to and str(o.valid_to)) for o in over]


async def test_a_merger_ends_where_the_practice_opens_anew(app: Harness, readers: dict[str, Harness]) -> None:
    """What was merged stays so; a closure taken back or put right afterwards concerns the newest closure alone."""

    async def copies(position: int) -> int:
        after = await agreed(app, readers, position)
        funding = (
            "SELECT successor, lower(valid), upper(valid) - 1 FROM practice_heirs WHERE upper_inf(known) ORDER BY 2"
        )
        reporting = "SELECT successor, succeeded_on, valid_to FROM practice_successions ORDER BY 2"
        register = [(s, first, str(until)) for s, first, until in await successions(app, "Z80011")]
        assert await rows(readers["funding"], funding) == await rows(readers["reporting"], reporting) == register
        for copy in (copy for copy in COPIES if copy.what == "successions"):
            assert sorted(await rows(app, copy.owned)) == sorted(await rows(readers[copy.holder], copy.held))
        return after

    def put(noun: str, **body: Any) -> Any:
        return change(app, f"Z80011/{noun}", **body)

    at = await copies(0)
    assert (await put("succession", successor="Z80012", succeeded_on="2022-06-01")).status_code == 200
    at = await copies(at)
    assert (await put("reopening", reopened_on="2022-09-01")).status_code == 200
    first = ("Z80012", "2022-06-01", "2022-08-31")
    assert await successions(app, "Z80011") == await told(app) == [first]
    at = await copies(at)
    assert (await put("succession", successor="Z80013", succeeded_on="2023-02-01")).status_code == 200
    at = await copies(at)
    assert (await put("succession", successor="Z80012", succeeded_on="2023-01-01")).status_code == 200
    assert await successions(app, "Z80011") == [first, ("Z80012", "2023-01-01", None)]
    at = await copies(at)
    assert (await put("closure/withdrawal")).status_code == 200
    assert await successions(app, "Z80011") == await told(app) == [first]
    at = await copies(at)
    # it closes in the gap: then it never opened anew, and its patients stayed its successor's
    assert (await put("closure", closed_on="2022-07-15")).status_code == 200
    assert await successions(app, "Z80011") == await told(app) == [("Z80012", "2022-06-01", None)]
    at = await copies(at)
    assert (await put("closure/withdrawal")).status_code == 200
    assert await successions(app, "Z80011") == await told(app) == []
    await copies(at)


async def test_a_practice_that_opens_anew_on_the_day_it_merged_has_not_merged(app: Harness) -> None:
    assert (await change(app, "Z80011/succession", successor="Z80012", succeeded_on="2022-06-01")).status_code == 200
    assert (await change(app, "Z80011/reopening", reopened_on="2022-06-01")).status_code == 200
    assert await successions(app, "Z80011") == await told(app) == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"successor": "Z80011"}, 409, "PracticeSucceedsItself"),
        ({"successor": "Z80021"}, 409, "PracticeNotOpen"),
        ({"successor": "Z80099"}, 404, "PracticeNotFound"),
        ({"successor": "Z80012", "succeeded_on": "1850-01-01"}, 409, "PracticeNotOpen"),
    ],
)
async def test_a_merger_that_cannot_be_is_refused(app: Harness, body: dict[str, Any], status: int, code: str) -> None:
    answer = await change(app, "Z80011/succession", **{"succeeded_on": "2023-04-01", **body})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Z80011" in await members(app, TOWN, as_at="2023-04-01")


async def test_a_dormant_practice_stays_in_its_network_and_opens_again(app: Harness) -> None:
    assert (await change(app, "Z80011/dormancy", valid_from="2022-06-01")).status_code == 200
    assert (await change(app, "Z80011/reopening", reopened_on="2022-09-01")).status_code == 200
    states = [(await seen(app, "Z80011", as_at=day))["status"] for day in ("2022-05-31", "2022-06-01", "2022-09-01")]
    assert states == ["active", "dormant", "active"]
    assert "Z80011" in await members(app, TOWN, as_at="2022-07-01")
    assert (await last(app, events.PracticeRegistered)).practice.status == "active"
    none = await change(app, "Z80021/dormancy", valid_from="2022-06-01")
    assert (none.status_code, none.json()["code"]) == (409, "PracticeNotOpen")
    bad = await change(app, "Z80011/dormancy", valid_from="2022-06-01", valid_to="2022-05-01")
    assert bad.status_code == 422


async def test_a_closed_practice_opens_anew_after_a_gap(app: Harness) -> None:
    assert (await change(app, "Z80021/reopening", reopened_on="2022-06-01")).status_code == 200
    found = await seen(app, "Z80021", as_at="2022-06-01")
    assert (found["status"], found["commissioner"]) == ("active", "SB2")
    assert (await app.client.get(f"{P}?as_at=2021-06-01&limit=1000", headers=national(app))).json()["items"]
    gap = await join(app, TOWN, "Z80021", valid_from="2021-06-01")
    assert (gap.status_code, gap.json()["code"]) == (409, "PracticeNotOpen")
    assert (await join(app, TOWN, "Z80021", valid_from="2022-06-01")).status_code == 201


async def test_a_practice_changes_its_commissioner_and_not_its_network(app: Harness) -> None:
    answer = await change(app, "Z80011/commissioner", commissioner="SA1", valid_from="2022-07-01")
    assert answer.status_code == 200, answer.text
    assert [(await seen(app, "Z80011", as_at=day))["commissioner"] for day in ("2022-06-30", "2022-07-01")] == [
        "SB2",
        "SA1",
    ]
    listed = (await app.client.get(f"{V1}/networks/{TOWN}/members?as_at=2022-07-01", headers=national(app))).json()
    assert [m["practice"] for m in listed["items"] if m["crosses_border"]] == ["Z80011"]
    assert (await last(app, events.PracticeRegistered)).practice.commissioner == "SA1"
    unknown = await change(app, "Z80012/commissioner", commissioner="XX9", valid_from="2022-07-01")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "CommissionerNotFound")
    closed = await change(app, "Z80021/commissioner", commissioner="SA1", valid_from="2022-07-01")
    assert (closed.status_code, closed.json()["code"]) == (409, "PracticeNotOpen")


async def test_a_core_member_keeps_a_core_contract(app: Harness) -> None:
    answer = await change(app, "Z80011/contract", contract="OTHER", valid_from="2022-07-01")
    assert (answer.status_code, answer.json()["code"]) == (409, "NotACoreContract")
    assert (await change(app, "Z80011/contract", contract="PMS", valid_from="2022-07-01")).status_code == 200
    assert (await seen(app, "Z80011", as_at="2022-07-01"))["contract"] == "PMS"
    answer = await change(app, "Z80010/contract", commissioner(app, "SA1"), contract="OTHER", valid_from="2022-07-01")
    assert answer.status_code == 200
    refused = await join(app, TOWN, "Z80010")
    assert (refused.status_code, refused.json()["code"]) == (409, "NotACoreContract")


@pytest.mark.parametrize(
    ("noun", "body"),
    [
        ("closure", {"closed_on": "2023-03-31"}),
        ("closure/withdrawal", {}),
        ("succession", {"successor": "Z80012", "succeeded_on": "2023-04-01"}),
        ("dormancy", {"valid_from": "2023-04-01"}),
        ("reopening", {"reopened_on": "2023-04-01"}),
        ("commissioner", {"valid_from": "2023-04-01", "commissioner": "SA1"}),
        ("contract", {"valid_from": "2023-04-01", "contract": "PMS"}),
    ],
)
async def test_only_the_practices_commissioner_changes_it_and_by_its_version(
    app: Harness, noun: str, body: dict[str, Any]
) -> None:
    foreign = await change(app, f"Z80011/{noun}", commissioner(app, "SA1"), **body)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "NotYoursToDecide")
    own = app.token(Role.PRACTICE, organisations=["Z80011"])
    assert (await change(app, f"Z80011/{noun}", own, **body)).status_code == 403
    none = await change(app, f"Z80099/{noun}", **body)
    assert (none.status_code, none.json()["code"]) == (404, "PracticeNotFound")
    wanted = {"reason": "As the notice says.", **body}
    headers = commissioner(app, "SB2")
    assert (await app.put(f"{P}/Z80011/{noun}", wanted, headers, match='"99"')).status_code == 412
    assert (await app.client.put(f"{P}/Z80011/{noun}", json=wanted, headers=headers)).status_code == 428


async def test_a_practice_does_not_close_before_it_opened(app: Harness) -> None:
    answer = await change(app, "Z80011/closure", closed_on="1850-01-01")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "before_opened_on")


async def test_a_network_closes_after_the_lists_it_serves_go_elsewhere(app: Harness) -> None:
    assert (await allocate(app, network=TOWN)).status_code == 201
    body = {"closed_on": "2023-03-31", "reason": "Its practices went elsewhere."}
    answer = await app.put(f"{V1}/networks/{TOWN}/closure", body, commissioner(app, "SB2"))
    assert (answer.status_code, answer.json()["code"]) == (409, "NetworkServesPatients")
    assert "Z80010" in answer.json()["detail"]
    assert (await app.put(f"{V1}/networks/U90002/closure", body, commissioner(app, "SB2"))).status_code == 200
    early = await app.put(
        f"{V1}/networks/U90003/closure", {**body, "closed_on": "2019-01-01"}, commissioner(app, "SB2")
    )
    assert early.status_code == 422
    etag = (await app.client.get(f"{V1}/networks/U90003", headers=national(app))).headers["etag"]
    none = await app.put(
        f"{V1}/networks/U90003/closure/withdrawal", {"reason": "It goes on."}, commissioner(app, "SB2"), match=etag
    )
    assert (none.status_code, none.json()["code"]) == (409, "NetworkNotClosed")
    later = await join(app, "U90002", "Z80001", valid_from="2023-04-01")
    assert (later.status_code, later.json()["code"]) == (409, "NetworkNotOpen")
    payee = {"payee": "Z80001", "valid_from": "2023-01-01"}
    answer = await app.put(f"{V1}/networks/U90002/payee", payee, national(app))
    assert (answer.status_code, answer.json()["code"]) == (409, "NetworkNotOpen")


async def test_a_network_is_renamed_and_led_by_another_from_a_day_on(app: Harness) -> None:
    town = f"{V1}/networks/{TOWN}"
    body = {"name": "INVENTED NEW TOWN PCN", "valid_from": "2022-07-01", "reason": "The board chose it."}
    assert (await app.put(f"{town}/name", body, commissioner(app, "SB2"))).status_code == 200
    lead = {"commissioner": "SA1", "valid_from": "2022-10-01", "reason": "As agreed."}
    assert (await app.put(f"{town}/lead-commissioner", lead, commissioner(app, "SB2"))).status_code == 200
    seen = [
        (found["name"], found["commissioner"])
        for day in ("2022-06-30", "2022-07-01", "2022-10-01")
        for found in [(await app.client.get(f"{town}?as_at={day}", headers=national(app))).json()]
    ]
    assert seen == [("INVENTED MARKET TOWN PCN", "SB2"), (body["name"], "SB2"), (body["name"], "SA1")]
    restated = await last(app, events.NetworkRestated)
    assert [(e.network_name, e.commissioner) for e in restated.entries] == seen
    unknown = await app.put(f"{town}/lead-commissioner", {**lead, "commissioner": "XX9"}, national(app))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "CommissionerNotFound")
    foreign = await app.put(f"{town}/name", {**body, "valid_from": "2022-08-01"}, commissioner(app, "SA1"))
    assert (foreign.status_code, foreign.json()["code"]) == (403, "NotYoursToDecide")
    outside = await app.put(f"{town}/name", {**body, "valid_from": "2018-08-01"}, national(app))
    assert (outside.status_code, outside.json()["code"]) == (409, "NetworkNotOpen")
    backwards = await app.put(f"{town}/name", {**body, "valid_to": "2018-08-01"}, national(app))
    assert backwards.status_code == 422


@pytest.mark.parametrize("day", ["2022-12-01", "2023-06-01"])
async def test_the_day_of_a_merger_is_put_right_to_a_later_or_an_earlier_one(
    app: Harness, readers: dict[str, Harness], day: str
) -> None:
    """What it was believed to be stays answerable; the membership lasts as long as the practice did."""
    assert (await change(app, "Z80011/succession", successor="Z80012", succeeded_on="2023-04-01")).status_code == 200
    at = await agreed(app, readers, 0)
    before = datetime.now(UTC).isoformat()
    answer = await change(app, "Z80011/succession", successor="Z80012", succeeded_on=day, reason="The deed says so.")
    assert answer.status_code == 200, answer.text
    last_day = str(date.fromisoformat(day) - ONE_DAY)
    assert await successions(app, "Z80011") == [("Z80012", day, None)]
    assert await successions(app, "Z80011", known_at=before) == [("Z80012", "2023-04-01", None)]
    assert (await seen(app, "Z80011", as_at="2024-01-01"))["closed_on"] == last_day
    assert "Z80011" in await members(app, TOWN, as_at=last_day)
    assert "Z80011" not in await members(app, TOWN, as_at=day)
    at = await agreed(app, readers, at)
    held = {
        "funding": "SELECT successor, lower(valid), upper(valid) FROM practice_heirs WHERE upper_inf(known)",
        "reporting": "SELECT successor, succeeded_on, valid_to FROM practice_successions",
    }
    for name, question in held.items():
        assert await rows(readers[name], question) == [("Z80012", day, "None")], name
    for copy in (copy for copy in COPIES if copy.what == "successions"):
        assert sorted(await rows(app, copy.owned)) == sorted(await rows(readers[copy.holder], copy.held))
    # another successor, and a later day yet
    other = await change(app, "Z80011/succession", successor="Z80013", succeeded_on="2023-09-01")
    assert other.status_code == 200, other.text
    assert await successions(app, "Z80011") == [("Z80013", "2023-09-01", None)]
    await agreed(app, readers, at)
    for name, question in held.items():
        assert await rows(readers[name], question) == [("Z80013", "2023-09-01", "None")], name


async def test_a_practice_that_closed_by_itself_has_not_merged_later(app: Harness) -> None:
    assert (await change(app, "Z80011/closure", closed_on="2023-03-31")).status_code == 200
    later = await change(app, "Z80011/succession", successor="Z80012", succeeded_on="2023-09-01")
    assert (later.status_code, later.json()["code"]) == (409, "PracticeNotOpen")
    next_day = await change(app, "Z80011/succession", successor="Z80012", succeeded_on="2023-04-01")
    assert next_day.status_code == 200, next_day.text
