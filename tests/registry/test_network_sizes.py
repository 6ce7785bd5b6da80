"""Networks outside the size rule are seen, with the rule and since when; exceptions and mergers count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.harness import Harness
from tests.registry.builders import V1, commissioner, join, load_sample, national

TOWN = ["Z80011", "Z80012", "Z80013"]


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def read(app: Harness, path: str, **asked: str) -> dict[str, Any]:
    answer = await app.client.get(f"{V1}/{path}", params=asked, headers=commissioner(app, "SB2"))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def size(app: Harness, day: str, network: str = "U90001", **asked: str) -> tuple[str, str | None, str]:
    found = await read(app, f"networks/{network}/size", as_at=day, **asked)
    return found["state"], found["patients"], found["since"]


async def leave(app: Harness, practice: str = "Z80011", last: str = "2022-04-30") -> None:
    days = {"valid_from": "2019-10-01", "valid_to": last, "reason": "It left."}
    path = f"{V1}/networks/U90001/members/{practice}/2019-10-01/correction"
    answer = await app.put(path, days, commissioner(app, "SB2"))
    assert answer.status_code == 200, answer.text


async def exception(app: Harness, **changes: Any) -> httpx.Response:
    body = {
        "network": "U90001",
        "finding": "under_smallest",
        "reason": "The dale is wide and thinly settled.",
        "valid_from": "2022-06-01",
        **changes,
    }
    return await app.post(f"{V1}/waivers", body, commissioner(app, "SB2"))


async def test_a_network_that_shrinks_under_its_rule_says_so_and_since_when(app: Harness) -> None:
    found = await read(app, "networks/U90001/size", as_at="2022-02-01")
    assert found == {
        "network": "U90001",
        "as_at": "2022-02-01",
        "state": "within",
        "since": "2022-01-01",
        "snapshot": "2022-01-01",
        "patients": "36615",
        "practices": 3,
        "without_list": [],
        "smallest": "30000",
        "large": "50000",
        "not_below": None,
    }
    assert await size(app, "2021-12-31") == ("unknown", None, "2019-10-01")
    known_before = datetime.now(UTC).isoformat()
    await leave(app)
    assert await size(app, "2022-04-30") == ("within", "36615", "2022-01-01")
    assert await size(app, "2022-07-01") == ("under_smallest", "23405", "2022-05-01")
    assert await size(app, "2022-07-01", known_at=known_before) == ("within", "36615", "2022-01-01")
    absent = await app.client.get(f"{V1}/networks/U00000/size", headers=national(app))
    assert (absent.status_code, absent.json()["code"]) == (404, "NetworkNotFound")


async def test_those_outside_the_rule_stand_in_one_list(app: Harness) -> None:
    assert (await read(app, "networks", as_at="2022-02-01", size="outside"))["items"] == []
    await leave(app)
    answer = await join(app, "U90002", "Z80011", valid_from="2022-05-01")
    assert answer.status_code == 201, answer.text
    outside = (await read(app, "networks", as_at="2022-05-02", size="outside", commissioner="SB2"))["items"]
    assert [(n["code"], n["size"]["state"], n["size"]["patients"], n["size"]["since"]) for n in outside] == [
        ("U90001", "under_smallest", "23405", "2022-05-01"),
        ("U90002", "over_large", "55585", "2022-05-01"),
    ]
    states = {
        state: [n["code"] for n in (await read(app, "networks", as_at="2022-05-02", size=state))["items"]]
        for state in ("within", "under_smallest", "over_large", "excepted", "unknown")
    }
    assert states == {
        "within": ["U90003"],
        "under_smallest": ["U90001"],
        "over_large": ["U90002"],
        "excepted": [],
        "unknown": [],
    }
    first = await read(app, "networks", as_at="2022-05-02", size="outside", limit="1")
    second = await read(app, "networks", as_at="2022-05-02", size="outside", limit="1", cursor=first["next"])
    assert [page["items"][0]["code"] for page in (first, second)] == ["U90001", "U90002"]
    plain = await read(app, "networks", as_at="2022-05-02")
    assert [n["size"] for n in plain["items"]] == [None, None, None]
    odd = await app.client.get(f"{V1}/networks?size=huge", headers=national(app))
    assert odd.status_code == 422


async def test_an_exception_holds_down_to_what_it_says(app: Harness) -> None:
    await leave(app)
    made = await exception(app, not_below="20000")
    assert (made.status_code, made.json()["not_below"]) == (201, "20000")
    assert await size(app, "2022-05-31") == ("under_smallest", "23405", "2022-05-01")
    assert await size(app, "2022-07-01") == ("excepted", "23405", "2022-06-01")
    assert (await read(app, "networks", as_at="2022-07-01", size="outside"))["items"] == []
    path = f"{V1}/waivers/{made.json()['id']}/correction"
    better = {"valid_from": "2022-06-01", "reason": "Not so far down.", "not_below": "24000"}
    corrected = await app.put(path, better, commissioner(app, "SB2"))
    assert (corrected.status_code, corrected.json()["not_below"]) == (200, "24000")
    assert await size(app, "2022-07-01") == ("under_smallest", "23405", "2022-05-01")
    kept = await app.put(path, {"valid_from": "2022-06-02", "reason": "A day later."}, commissioner(app, "SB2"))
    assert kept.json()["not_below"] == "24000"


async def test_only_an_exception_from_the_smallest_size_says_how_far_down(app: Harness) -> None:
    await leave(app, "Z80012")
    await leave(app, "Z80013")
    wrong = await exception(app, finding="one_practice", not_below="1000")
    assert (wrong.status_code, [e["field"] for e in wrong.json()["errors"]]) == (422, ["body.not_below"])
    alone = await exception(app, finding="one_practice")
    assert alone.status_code == 201, alone.text
    path = f"{V1}/waivers/{alone.json()['id']}/correction"
    better = {"valid_from": "2022-06-01", "reason": "A town alone.", "not_below": "1000"}
    corrected = await app.put(path, better, commissioner(app, "SB2"))
    assert (corrected.status_code, [e["field"] for e in corrected.json()["errors"]]) == (422, ["body.not_below"])


async def test_a_new_rule_measures_from_its_first_day_and_old_days_by_the_old_one(app: Harness) -> None:
    rule = {
        "valid_from": "2022-07-01",
        "smallest": 40_000,
        "large": 60_000,
        "localities_from": 100_000,
        "locality_smallest": 30_000,
        "locality_largest": 50_000,
        "sliver": 10_000,
        "source": "Invented",
    }
    assert (await app.post(f"{V1}/size-rules", rule, national(app))).status_code == 201
    assert await size(app, "2022-06-30", "U90003") == ("within", "37850", "2022-01-01")
    assert await size(app, "2022-08-01", "U90003") == ("under_smallest", "37850", "2022-07-01")
    figures = [await read(app, "statistics", as_at=day) for day in ("2022-06-30", "2022-07-01")]
    assert [f["networks_under_30000"] for f in figures] == [0, 2]
    early = await app.client.get(f"{V1}/statistics?as_at=2018-01-01", headers=national(app))
    assert (early.status_code, early.json()["code"]) == (404, "NoSizeRule")


async def test_nobody_shrinks_by_a_merger_before_the_lists_are_counted_anew(app: Harness) -> None:
    body = {"successor": "Z80012", "succeeded_on": "2022-06-01", "reason": "They merged."}
    merged = await app.put(f"{V1}/practices/Z80011/succession", body, commissioner(app, "SB2"))
    assert merged.status_code == 200, merged.text
    assert await size(app, "2022-06-02") == ("within", "36615", "2022-01-01")
    found = await read(app, "networks/U90001/size", as_at="2022-06-02")
    assert found["practices"] == 2
    etag = (await app.client.get(f"{V1}/practices/Z80011?as_at=2024-01-01", headers=national(app))).headers["etag"]
    again = {"reopened_on": "2022-09-01", "reason": "It opens anew."}
    opened = await app.put(f"{V1}/practices/Z80011/reopening", again, commissioner(app, "SB2"), match=etag)
    assert opened.status_code == 200, opened.text
    assert await size(app, "2022-08-31") == ("within", "36615", "2022-01-01")
    state, _, since = await size(app, "2022-09-02")
    assert (state, since) == ("under_smallest", "2022-09-01"), "its patients are its own again"


async def test_lists_that_went_over_one_after_another_count_wherever_a_network_is_measured(app: Harness) -> None:
    """The size, the localities and what an exception is given for are measured by the same lists."""
    headers = commissioner(app, "SB2")
    placed = {"valid_from": "2022-01-01", "reason": "Two sides.", "localities": [{"name": "All", "practices": TOWN}]}
    assert (await app.put(f"{V1}/networks/U90001/localities", placed, headers)).status_code == 200
    for gone, into, day in (("Z80018", "Z80019", "2022-03-01"), ("Z80019", "Z80011", "2022-04-01")):
        merged = {"successor": into, "succeeded_on": day, "reason": "The partners retired."}
        answer = await app.put(f"{V1}/practices/{gone}/succession", merged, headers)
        assert answer.status_code == 200, answer.text
    lists = (await read(app, "list-sizes", snapshot="2022-01-01", basis="registered", limit="100"))["items"]
    people = {one["practice"]: int(one["value"]) for one in lists}
    whole = str(sum(people[code] for code in (*TOWN, "Z80018", "Z80019")))
    assert (await size(app, "2022-03-31"))[1] == "36615"
    assert (await size(app, "2022-04-01"))[1] == whole
    for day, patients in (("2022-03-31", "36615"), ("2022-04-01", whole)):
        (locality,) = (await read(app, "networks/U90001/localities", as_at=day))["items"]
        assert (locality["practices"], locality["patients"]) == (TOWN, patients)
    assert (await read(app, "networks/U90003/size", as_at="2022-04-01"))["patients"] == str(people["Z80020"])
    for code in ("Z80012", "Z80013"):
        await leave(app, code, last="2022-03-31")
    alone = sum(people[code] for code in ("Z80011", "Z80018", "Z80019"))
    assert (await size(app, "2022-04-01"))[1] == str(alone)
    # large enough with what came over to it, so that there is nothing to except
    assert people["Z80011"] < 30_000 < alone
    refused = await exception(app, valid_from="2022-04-01")
    assert (refused.status_code, refused.json()["code"]) == (404, "FindingNotThere")
    assert (await exception(app, valid_from="2022-02-01")).status_code == 404
