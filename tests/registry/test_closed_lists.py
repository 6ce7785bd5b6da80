"""A practice closes and nobody takes it over: its patients are still to be served, until they are counted again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared.events import registry as events
from shared.facts import ONE_DAY
from tests.harness import Harness
from tests.registry.builders import (
    MANIFEST,
    SAMPLE,
    V1,
    allocate,
    commissioner,
    decide,
    form,
    load_sample,
    members,
    national,
    open_round,
    submitted,
    upload,
)

NAMES = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")
OUTSIDE, TOWN = "Z80010", "U90001"
FAR = date(2024, 3, 31)


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def get(app: Harness, path: str, **asked: str) -> Any:
    answer = await app.client.get(f"{V1}{path}", params=asked, headers=national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def change(
    app: Harness, path: str, headers: dict[str, str] | None = None, match: str | None = None, **body: Any
) -> httpx.Response:
    """Change a practice by the version it has now: `path` is `Z80010/closure`."""
    code = path.split("/", 1)[0]
    current = await app.client.get(f"{V1}/practices/{code}?as_at=2024-01-01", headers=national(app))
    etag = match or current.headers.get("etag", '"1"')
    wanted = {"reason": "As the notice says.", **body}
    return await app.put(f"{V1}/practices/{path}", wanted, headers or commissioner(app), match=etag)


async def closed(app: Harness, code: str = OUTSIDE, on: str = "2022-02-28", by: str = "SA1") -> None:
    answer = await change(app, f"{code}/closure", commissioner(app, by), closed_on=on)
    assert answer.status_code == 200, answer.text


async def applied(app: Harness) -> tuple[str, list[str]]:
    round = await open_round(app)
    return round, [await submitted(app, form(name, round)) for name in NAMES]


async def told(app: Harness, kind: type) -> list[Any]:
    return [event for event in await app.announced() if isinstance(event, kind)]


async def test_the_list_of_a_practice_that_closed_is_allocated_and_the_area_decided(app: Harness) -> None:
    await closed(app)
    round, ids = await applied(app)
    held = await decide(app, round)
    assert (held.status_code, held.json()["code"]) == (409, "CoverageIncomplete")
    made = await allocate(app, application=ids[1], round=round)
    assert made.status_code == 201, made.text
    assert (made.json()["after_closing"], made.json()["commissioner"]) == (True, "SA1")
    assert (await decide(app, round)).status_code == 200
    served = (await get(app, "/allocations", as_at="2022-04-01"))["items"]
    assert [(one["practice"], one["network"]) for one in served] == [(OUTSIDE, "U90012")]
    (news,) = await told(app, events.PatientsAllocated)
    assert (news.practice, news.network, str(news.valid_from), news.valid_to) == (OUTSIDE, "U90012", "2022-04-01", None)
    again = await change(app, f"{OUTSIDE}/dispersal", dispersed_from="2022-07-01")
    assert (again.status_code, again.json()["code"]) == (409, "PracticeAlreadyAllocated")


async def test_a_list_is_dispersed_and_the_area_decided_with_the_reason_kept(app: Harness) -> None:
    await closed(app)
    round, _ = await applied(app)
    before = datetime.now(UTC).isoformat()
    answer = await change(app, f"{OUTSIDE}/dispersal", dispersed_from="2022-03-15", reason="All have registered anew.")
    assert answer.status_code == 200, answer.text
    coverage = await get(app, f"/rounds/{round}/coverage")
    assert (coverage["complete"], coverage["uncovered"], coverage["patients_uncovered"]) == (True, [], "0")
    (elsewhere,) = coverage["dispersed"]
    assert (elsewhere["practice"], elsewhere["dispersed"]) == (OUTSIDE, "All have registered anew.")
    assert coverage["patients_dispersed"] == elsewhere["patients"]
    listed = await get(app, f"/rounds/{round}/coverage/practices", state="dispersed")
    assert [cover["practice"] for cover in listed["items"]] == [OUTSIDE]
    covered = await get(app, f"/rounds/{round}/coverage/practices", state="covered", limit="100")
    assert OUTSIDE not in [cover["practice"] for cover in covered["items"]]
    then = await get(app, f"/rounds/{round}/coverage", known_at=before)
    assert (then["complete"], then["dispersed"]) == (False, [])
    early = await get(app, f"/rounds/{round}/coverage", as_at="2022-03-14")
    assert [cover["practice"] for cover in early["dispersed"]] == []
    refused = await allocate(app, network=TOWN)
    assert (refused.status_code, refused.json()["code"]) == (409, "PatientsDispersed")
    assert (await decide(app, round)).status_code == 200
    assert (await change(app, f"{OUTSIDE}/dispersal/withdrawal")).status_code == 200
    kept = await get(app, f"/rounds/{round}/coverage")
    assert (kept["of_decision"], [cover["dispersed"] for cover in kept["dispersed"]]) == (
        True,
        ["All have registered anew."],
    )
    now = await get(app, f"/rounds/{round}/coverage", as_at="2022-04-01")
    assert [cover["practice"] for cover in now["uncovered"]] == [OUTSIDE]


async def test_what_is_said_of_a_dispersal_is_dated_told_put_right_and_taken_back(app: Harness) -> None:
    await closed(app)
    for day in ("2022-04-01", "2022-05-01"):
        assert (await change(app, f"{OUTSIDE}/dispersal", dispersed_from=day)).status_code == 200
        fact = (await told(app, events.PracticeRegistered))[-1].practice
        assert [(str(d.valid_from), d.valid_to) for d in fact.dispersed] == [(day, None)]
    history = await get(app, f"/practices/{OUTSIDE}/history")
    assert [(d["valid_from"], d["reason"]) for d in history["dispersals"]] == [("2022-05-01", "As the notice says.")]
    before = datetime.now(UTC).isoformat()
    assert (await change(app, f"{OUTSIDE}/dispersal/withdrawal", reason="A slip.")).status_code == 200
    assert (await told(app, events.PracticeRegistered))[-1].practice.dispersed == []
    assert (await get(app, f"/practices/{OUTSIDE}/history"))["dispersals"] == []
    assert len((await get(app, f"/practices/{OUTSIDE}/history", known_at=before))["dispersals"]) == 1
    trail = await get(app, "/audit", record=f"practices/{OUTSIDE}/dispersal")
    assert [entry["after"] for entry in trail["items"]] == [{"reason": "A slip."}]
    none = await change(app, f"{OUTSIDE}/dispersal/withdrawal")
    assert (none.status_code, none.json()["code"]) == (409, "PracticeNotDispersed")


@pytest.mark.parametrize(
    ("noun", "body"), [("dispersal", {"dispersed_from": "2022-04-01"}), ("dispersal/withdrawal", {})]
)
async def test_only_the_practices_commissioner_says_so_and_by_its_version(
    app: Harness, noun: str, body: dict[str, Any]
) -> None:
    foreign = await change(app, f"{OUTSIDE}/{noun}", commissioner(app, "SB2"), **body)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "NotYoursToDecide")
    none = await change(app, f"Z80099/{noun}", **body)
    assert (none.status_code, none.json()["code"]) == (404, "PracticeNotFound")
    assert (await change(app, f"{OUTSIDE}/{noun}", match='"99"', **body)).status_code == 412
    wanted = {"reason": "As the notice says.", **body}
    path = f"{V1}/practices/{OUTSIDE}/{noun}"
    assert (await app.client.put(path, json=wanted, headers=commissioner(app))).status_code == 428


async def test_only_the_list_of_a_practice_that_has_closed_is_dispersed(app: Harness) -> None:
    open_one = await change(app, f"{OUTSIDE}/dispersal", dispersed_from="2022-04-01")
    assert (open_one.status_code, open_one.json()["code"]) == (409, "PracticeNotClosed")
    await closed(app)
    last_day = await change(app, f"{OUTSIDE}/dispersal", dispersed_from="2022-02-28")
    assert (last_day.status_code, last_day.json()["code"]) == (409, "PracticeNotClosed")
    merged: dict[str, Any] = {"successor": "Z80009", "succeeded_on": "2022-03-01"}
    assert (await change(app, f"{OUTSIDE}/succession", **merged)).status_code == 200
    gone = await change(app, f"{OUTSIDE}/dispersal", dispersed_from="2022-04-01")
    assert (gone.status_code, gone.json()["code"]) == (409, "ListWentOver")
    served = await allocate(app, network=TOWN)
    assert (served.status_code, served.json()["code"]) == (409, "ListWentOver")


async def test_a_closed_list_is_allocated_for_days_on_which_it_is_one(app: Harness) -> None:
    await closed(app, on="2022-05-31")
    across = await allocate(app, network=TOWN, valid_from="2022-05-01")
    assert (across.status_code, across.json()["code"]) == (409, "PracticeNotOpen")
    assert (await allocate(app, network=TOWN, valid_from="2022-05-01", valid_to="2022-05-10")).status_code == 201
    after = await allocate(app, network=TOWN, valid_from="2022-06-01", valid_to="2022-09-30")
    assert (after.status_code, after.json()["after_closing"]) == (201, True)
    path = f"{V1}/allocations/{after.json()['id']}"
    longer = {"valid_from": "2022-06-01", "reason": "Nobody else can."}
    assert (await app.put(f"{path}/correction", longer, commissioner(app))).status_code == 200
    earlier = await app.put(f"{path}/correction", {**longer, "valid_from": "2022-05-20"}, commissioner(app))
    assert (earlier.status_code, earlier.json()["code"]) == (409, "PracticeNotOpen")
    ending = {"ends_on": "2022-08-31", "reason": "They have registered elsewhere."}
    ended = await app.put(f"{path}/ending", ending, commissioner(app))
    assert (ended.status_code, ended.json()["after_closing"], ended.json()["valid_to"]) == (200, True, "2022-08-31")
    assert (await change(app, f"{OUTSIDE}/reopening", reopened_on="2023-01-01")).status_code == 200
    gap = await allocate(app, network=TOWN, valid_from="2022-10-01")
    assert (gap.status_code, gap.json()["code"]) == (409, "PracticeNotOpen")
    before_its_time = await allocate(app, practice="Z80022", network=TOWN, valid_from="1850-01-01")
    assert (before_its_time.status_code, before_its_time.json()["code"]) == (404, "PracticeNotFound")


async def allocated(app: Harness) -> list[tuple[str, str, str | None]]:
    items = (await get(app, "/allocations"))["items"]
    return sorted((one["network"], one["valid_from"], one["valid_to"]) for one in items)


def _days(first: date, last: date | None) -> list[date]:
    return [date.fromordinal(number) for number in range(first.toordinal(), (last or FAR).toordinal() + 1)]


async def believed_by_readers(app: Harness) -> list[tuple[str, str, str | None]]:
    """What a reader of the events holds of the list: each day by the newest word of it."""
    held: dict[date, str] = {}
    for event in await app.announced():
        if isinstance(event, events.PatientsAllocated):
            for day in _days(event.valid_from, event.valid_to):
                held[day] = event.network
        elif isinstance(event, events.AllocationEnded):
            for day in _days(max(event.valid_from, event.valid_to + ONE_DAY), event.until):
                held.pop(day, None)
    found: list[tuple[str, str, str | None]] = []
    for day in sorted(held):
        before = day - ONE_DAY
        if held.get(before) == held[day]:
            found[-1] = (found[-1][0], found[-1][1], None if day == FAR else str(day))
        else:
            found.append((held[day], str(day), str(day)))
    return found


async def test_a_closing_day_put_right_moves_what_was_said_of_the_list_after_it(app: Harness) -> None:
    """No patient is a member's and allocated on one day, whatever is corrected in which order."""
    await closed(app, "Z80011", on="2022-06-30", by="SB2")
    body = {"practice": "Z80011", "network": "U90002", "valid_from": "2022-07-01", "reason": "It closed."}
    assert (await app.post(f"{V1}/allocations", body, commissioner(app, "SB2"))).status_code == 201
    await closed(app, "Z80011", on="2022-05-31", by="SB2")
    assert await allocated(app) == await believed_by_readers(app) == [("U90002", "2022-07-01", None)]
    await closed(app, "Z80011", on="2022-09-30", by="SB2")
    assert "Z80011" in await members(app, TOWN, as_at="2022-09-30")
    assert await allocated(app) == await believed_by_readers(app) == [("U90002", "2022-10-01", None)]
    assert (await change(app, "Z80011/closure/withdrawal", commissioner(app, "SB2"))).status_code == 200
    assert "Z80011" in await members(app, TOWN, as_at="2023-04-01")
    assert await allocated(app) == await believed_by_readers(app) == []


async def test_a_successor_found_late_takes_the_list_with_it(app: Harness) -> None:
    await closed(app)
    assert (await allocate(app, network=TOWN, valid_from="2022-03-01")).status_code == 201
    merged: dict[str, Any] = {"successor": "Z80009", "succeeded_on": "2022-03-01"}
    assert (await change(app, f"{OUTSIDE}/succession", **merged)).status_code == 200
    assert await allocated(app) == await believed_by_readers(app) == []


async def test_a_dispersal_ends_where_the_practice_opens_anew_or_was_taken_over(app: Harness) -> None:
    await closed(app)
    assert (await change(app, f"{OUTSIDE}/dispersal", dispersed_from="2022-03-01")).status_code == 200
    assert (await change(app, f"{OUTSIDE}/reopening", reopened_on="2022-09-01")).status_code == 200
    spells = (await get(app, f"/practices/{OUTSIDE}/history"))["dispersals"]
    assert [(one["valid_from"], one["valid_to"]) for one in spells] == [("2022-03-01", "2022-08-31")]
    fact = (await told(app, events.PracticeRegistered))[-1].practice
    assert [(str(d.valid_from), str(d.valid_to)) for d in fact.dispersed] == [("2022-03-01", "2022-08-31")]


async def test_a_file_that_says_the_practice_is_open_ends_what_was_said_of_its_list(app: Harness) -> None:
    await closed(app, on="2021-11-30")
    assert (await allocate(app, network=TOWN)).status_code == 201
    entry = next(entry for entry in MANIFEST["files"] if entry["kind"] == "epraccur")
    data = (SAMPLE / entry["path"]).read_bytes()
    taken = await upload(app, "epraccur", "again.csv", data + b"\n", published_on="2022-06-30")
    assert taken.status_code == 201, taken.text
    assert (await get(app, f"/practices/{OUTSIDE}", as_at="2022-07-01"))["status"] == "active"
    assert await allocated(app) == await believed_by_readers(app) == [(TOWN, "2022-04-01", "2022-06-29")]


async def test_a_list_counted_with_its_successors_names_it(app: Harness) -> None:
    merged: dict[str, Any] = {"successor": "Z80009", "succeeded_on": "2022-02-01"}
    assert (await change(app, f"{OUTSIDE}/succession", **merged)).status_code == 200
    round, ids = await applied(app)
    covers = {c["practice"]: c for c in (await get(app, f"/rounds/{round}/coverage"))["practices"]}
    assert covers[OUTSIDE]["merged_into"] == "Z80009"
    assert covers[OUTSIDE]["covered_by"] == covers["Z80009"]["covered_by"] == [{"kind": "application", "by": ids[2]}]
    assert {code for code, cover in covers.items() if cover["merged_into"]} == {OUTSIDE}
    assert (await decide(app, round)).status_code == 200
    kept = {c["practice"]: c["merged_into"] for c in (await get(app, f"/rounds/{round}/coverage"))["practices"]}
    assert kept[OUTSIDE] == "Z80009"


async def test_a_successor_that_closes_leaves_both_lists_to_be_served_as_one(app: Harness) -> None:
    merged: dict[str, Any] = {"successor": "Z80009", "succeeded_on": "2022-02-01"}
    assert (await change(app, f"{OUTSIDE}/succession", **merged)).status_code == 200
    await closed(app, "Z80009", on="2022-03-15")
    round = await open_round(app)
    left = {c["practice"]: c["merged_into"] for c in (await get(app, f"/rounds/{round}/coverage"))["uncovered"]}
    assert (left[OUTSIDE], left["Z80009"]) == ("Z80009", None)
    assert (await allocate(app, practice="Z80009", network=TOWN)).status_code == 201
    left = {c["practice"]: c["merged_into"] for c in (await get(app, f"/rounds/{round}/coverage"))["uncovered"]}
    assert not {OUTSIDE, "Z80009"} & left.keys()


async def test_the_database_holds_an_allocation_to_the_life_of_its_practice_or_to_none(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    await closed(app, on="2022-05-31")
    insert = (
        "INSERT INTO allocations (id, practice, commissioner, network, reason, made_by, after_closing, valid, known) "
        "VALUES ('all-x', '{practice}', 'SA1', 'U90001', 'x', 'x', {after}, '[2022-06-01,)', tstzrange(now(), NULL))"
    )
    for practice, after, refused in (
        (OUTSIDE, "false", "fk_allocations_practice_standing"),
        ("Z89999", "true", "fk_allocations_practice"),
    ):
        with pytest.raises(IntegrityError, match=refused):
            async with app.session() as session:
                await session.execute(text(insert.format(practice=practice, after=after)))
    async with app.session() as session:
        await session.execute(text(insert.format(practice=OUTSIDE, after="true")))
