"""The list of one practice divided between networks: declared, put right, ended, told, and never more than one list."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.events import registry as events
from tests.harness import Harness
from tests.registry.builders import SAMPLE, V1, commissioner, join, load_sample, members, national, upload
from tests.registry.test_membership_told import agreed
from tests.registry.test_practice_life import change, readers

__all__ = ["readers"]

TOWN, BROOK, HILL = "U90001", "U90002", "U90003"
HALVES = [{"network": TOWN, "share": "0.6"}, {"network": BROOK, "share": "0.4"}]


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def split(app: Harness, parts: list[dict[str, str]], code: str = "Z80011", **body: Any) -> httpx.Response:
    return await change(app, f"{code}/split", **{"parts": parts, "valid_from": "2022-07-01", **body})


async def where(app: Harness, day: str, **asked: str) -> dict[str, str]:
    found = {n: await members(app, n, as_at=day, **asked) for n in (TOWN, BROOK, HILL)}
    return {network: held["Z80011"] for network, held in found.items() if "Z80011" in held}


async def test_a_list_is_divided_on_its_days_and_whole_before_and_after(
    app: Harness, readers: dict[str, Harness]
) -> None:
    told = await agreed(app, readers, 0)
    answer = await split(app, HALVES, valid_to="2022-12-31")
    assert answer.status_code == 200, answer.text
    assert answer.json()["parts"] == HALVES
    assert [await where(app, day) for day in ("2022-06-30", "2022-07-01", "2022-12-31", "2023-01-01")] == [
        {TOWN: "1"},
        {TOWN: "0.6", BROOK: "0.4"},
        {TOWN: "0.6", BROOK: "0.4"},
        {TOWN: "1"},
    ]
    assert await where(app, "2022-07-01", known_at="2022-06-01") == {TOWN: "1"}
    (declared,) = [e for e in await app.announced() if isinstance(e, events.PracticeSplit)]
    assert [(p.network, str(p.share)) for p in declared.parts] == [(TOWN, "0.6"), (BROOK, "0.4")]
    assert declared.reason == "As the notice says."
    await agreed(app, readers, told)


async def test_a_split_is_put_right_by_declaring_it_again(app: Harness, readers: dict[str, Harness]) -> None:
    told = await agreed(app, readers, 0)
    assert (await split(app, HALVES)).status_code == 200
    told = await agreed(app, readers, told)
    thirds = [{"network": TOWN, "share": "0.3"}, {"network": BROOK, "share": "0.3"}, {"network": HILL, "share": "0.4"}]
    assert (await split(app, thirds)).status_code == 200
    assert await where(app, "2022-07-01") == {TOWN: "0.3", BROOK: "0.3", HILL: "0.4"}
    told = await agreed(app, readers, told)
    shown = (await app.client.get(f"{V1}/practices/Z80011/split?as_at=2022-07-01", headers=national(app))).json()
    assert (shown["parts"], shown["recorded_by"], shown["valid_to"]) == (thirds, "carl", None)
    none = await app.client.get(f"{V1}/practices/Z80011/split?as_at=2022-06-30", headers=national(app))
    assert (none.status_code, none.json()["code"]) == (404, "SplitNotFound")


async def test_a_split_ends_and_the_whole_list_goes_with_one_network(app: Harness, readers: dict[str, Harness]) -> None:
    assert (await split(app, HALVES)).status_code == 200
    told = await agreed(app, readers, 0)
    answer = await change(app, "Z80011/split/ending", last_day="2023-03-31", network=BROOK)
    assert (answer.status_code, answer.json()["valid_to"]) == (200, "2023-03-31")
    assert await where(app, "2023-03-31") == {TOWN: "0.6", BROOK: "0.4"}
    assert await where(app, "2023-04-01") == {BROOK: "1"}
    await agreed(app, readers, told)
    later = await change(app, "Z80011/split/ending", last_day="2023-03-31", network=None)
    assert (later.status_code, later.json()["errors"][0]["code"]) == (422, "ends_already")
    none = await change(app, "Z80012/split/ending", last_day="2023-03-31", network=None)
    assert (none.status_code, none.json()["code"]) == (404, "SplitNotFound")


async def test_a_split_practice_closes_with_all_its_parts(app: Harness, readers: dict[str, Harness]) -> None:
    assert (await split(app, HALVES)).status_code == 200
    assert (await change(app, "Z80011/closure", closed_on="2022-09-30")).status_code == 200
    assert await where(app, "2022-10-01") == {}
    told = await agreed(app, readers, 0)
    assert (await change(app, "Z80011/closure/withdrawal")).status_code == 200
    assert await where(app, "2022-10-01") == {TOWN: "0.6", BROOK: "0.4"}
    await agreed(app, readers, told)


@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        ([{"network": TOWN, "share": "0.6"}, {"network": BROOK, "share": "0.5"}], ["not_one_list"]),
        ([{"network": TOWN, "share": "0.6"}, {"network": BROOK, "share": "0.3999999999"}], ["not_one_list"]),
        ([{"network": TOWN, "share": "0.5"}, {"network": TOWN, "share": "0.4"}], ["named_twice", "not_one_list"]),
        ([{"network": TOWN, "share": "0.5"}], ["too_short"]),
        ([{"network": TOWN, "share": "1"}, {"network": BROOK, "share": "0"}], ["less_than", "greater_than"]),
    ],
)
async def test_parts_that_are_not_one_list_are_refused_with_every_fault(
    app: Harness, parts: list[dict[str, str]], codes: list[str]
) -> None:
    answer = await split(app, parts)
    assert (answer.status_code, [f["code"] for f in answer.json()["errors"]]) == (422, codes)
    assert await where(app, "2022-07-01") == {TOWN: "1"}


async def test_a_split_between_networks_that_are_not_there_is_refused_whole(app: Harness) -> None:
    answer = await split(app, [{"network": TOWN, "share": "0.5"}, {"network": "U90004", "share": "0.5"}])
    assert (answer.status_code, answer.json()["code"]) == (409, "NetworkNotOpen")
    answer = await split(app, [{"network": TOWN, "share": "0.5"}, {"network": "U90099", "share": "0.5"}])
    assert (answer.status_code, answer.json()["code"]) == (404, "NetworkNotFound")
    answer = await split(app, HALVES, "Z80021")
    assert (answer.status_code, answer.json()["code"]) == (409, "PracticeNotOpen")
    assert await where(app, "2022-07-01") == {TOWN: "1"}
    foreign = await change(app, "Z80011/split", commissioner(app, "SA1"), parts=HALVES, valid_from="2022-07-01")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "NotYoursToDecide")


async def test_one_practice_alone_may_be_a_network(app: Harness) -> None:
    for code in ("Z80012", "Z80013"):
        body = {"reason": "Recorded in error."}
        path = f"{V1}/networks/{TOWN}/members/{code}/2019-10-01/withdrawal"
        assert (await app.put(path, body, commissioner(app, "SB2"))).status_code == 204
    assert list(await members(app, TOWN, as_at="2022-07-01")) == ["Z80011"]


async def test_what_is_not_in_a_split_joins_no_third_network(app: Harness) -> None:
    assert (await split(app, HALVES)).status_code == 200
    answer = await join(app, HILL, "Z80011", share="0.1", valid_from="2022-08-01")
    assert (answer.status_code, answer.json()["code"]) == (409, "SharesExceedOne")


async def test_a_later_file_undoes_no_split_and_nothing_a_person_recorded_since(app: Harness) -> None:
    assert (await split(app, HALVES)).status_code == 200
    assert (await join(app, HILL, "Z80001", valid_from="2020-07-01")).status_code == 201
    halves, joined = await where(app, "2022-07-01"), await members(app, HILL, as_at="2020-07-01")
    details, partners = ((SAMPLE / name).read_bytes() for name in ("epcn_details.csv", "epcn_core_partners.csv"))
    answer = await upload(app, "epcn", "epcn.csv", details + b"\n", partners=partners, published_on="2022-08-01")
    assert answer.status_code == 201, answer.text
    assert {(row["code"], row["column"]) for row in answer.json()["refused"]} == {("decided_later", "practice")}
    assert await where(app, "2022-07-01") == halves
    assert await members(app, HILL, as_at="2020-07-01") == joined
