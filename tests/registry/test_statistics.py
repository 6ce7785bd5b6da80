"""Figures, areas and changes, on the invented sample."""

from __future__ import annotations

from typing import Any

import pytest

from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, codes, commissioner, load_sample, national
from tests.registry.test_hierarchy import divided, heir, succeed


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def get(app: Harness, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = await app.client.get(f"{V1}{path}", headers=headers or national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def areas(app: Harness, asked: str = "", headers: dict[str, str] | None = None) -> dict[str, tuple[int, str]]:
    items = (await get(app, f"/statistics/areas?as_at=2022-02-01{asked}", headers))["items"]
    return {area["code"]: (area["practices"], area["registered_patients"]) for area in items}


async def test_lists_are_those_of_the_snapshot_asked_for_and_none_of_another_day(app: Harness) -> None:
    figures = await get(app, "/statistics?as_at=2022-02-01&snapshot=2022-01-01")
    assert (figures["snapshot"], figures["practices"], figures["members_from"]) == ("2022-01-01", 20, "register")
    other = await get(app, "/statistics?as_at=2022-02-01&snapshot=2021-01-01")
    assert (other["snapshot"], other["practices"], other["networks"]) == (None, 0, 0)


async def test_members_are_those_the_publication_names_where_its_word_is_asked(app: Harness) -> None:
    figures = await get(app, "/statistics?as_at=2022-02-01&members_from=publication")
    assert (figures["networks"], figures["practices_in_no_network"]) == (3, 10)
    assert (await get(app, "/statistics?as_at=2019-10-01&snapshot=2022-01-01&members_from=publication"))[
        "networks"
    ] == 3
    wrong = await app.client.get(f"{V1}/statistics?members_from=hearsay", headers=national(app))
    assert wrong.status_code == 422


async def test_areas_are_commissioners_systems_or_regions(app: Harness) -> None:
    assert await areas(app) == {"SA1": (10, "112225"), "SB2": (10, "116840")}
    assert await areas(app, "&by=system") == {"QZ1": (10, "112225"), "QZ2": (10, "116840")}
    assert await areas(app, "&by=region") == {"Y5Z": (20, "229065")}


async def test_after_a_succession_old_lists_stand_on_the_new_map_and_new_ones_on_the_old(app: Harness) -> None:
    before = await areas(app)
    await succeed(app, "SB2", *divided(), kind="split", inherits="S7A2X")
    assert await areas(app) == before
    new = await areas(app, "&map_of=2022-07-01")
    assert {code: count for code, (count, _) in new.items()} == {"SA1": 10, "S7A1X": 3, "S7A2X": 7}
    assert await areas(app, "&map_of=2022-06-30") == before


async def test_each_sees_the_figures_of_its_own_area_and_the_heir_those_of_its_predecessors(app: Harness) -> None:
    await succeed(app, "SB2", heir("S1Y5D"))
    seen = {code: await areas(app, headers=commissioner(app, code)) for code in ("SA1", "SB2", "S1Y5D")}
    assert seen == {"SA1": {"SA1": (10, "112225")}, "SB2": {}, "S1Y5D": {"SB2": (10, "116840")}}
    figures = await get(app, "/statistics?as_at=2022-02-01", commissioner(app, "S1Y5D"))
    assert (figures["practices"], figures["networks"]) == (10, 3)
    trust = app.token(Role.TRUST, organisations=["RX1"])
    assert (await app.client.get(f"{V1}/statistics/areas", headers=trust)).status_code == 403


async def test_areas_come_in_pages(app: Harness) -> None:
    first = await get(app, "/statistics/areas?as_at=2022-02-01&limit=1")
    second = await get(app, f"/statistics/areas?as_at=2022-02-01&limit=1&cursor={first['next']}")
    assert [page["items"][0]["code"] for page in (first, second)] == ["SA1", "SB2"]
    assert second["next"] is None


async def test_what_differs_between_two_days(app: Harness) -> None:
    found = await get(app, "/statistics/changes?since=2020-03-31&as_at=2022-02-01")
    assert (found["networks_closed"], found["networks_new"], found["practices_in_another_network"]) == (1, 1, 3)
    assert (found["practices_left"], found["practices_joined"]) == (1, 0)
    await succeed(app, "SB2", heir("S1Y5D"))
    moved = await get(app, "/statistics/changes?since=2022-06-30&as_at=2022-07-01")
    assert moved["networks_with_another_commissioner"] == 3
    early = await get(app, "/statistics/changes?since=2022-06-30&as_at=2022-07-01&known_at=2022-06-01")
    assert early["networks_with_another_commissioner"] == 0
    missing = await app.client.get(f"{V1}/statistics/changes", headers=national(app))
    assert (missing.status_code, codes(missing)) == (422, ["missing"])
