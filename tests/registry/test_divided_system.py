"""A system divided on the day its one commissioner is, as Frimley was: one file, every code where it belongs."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events import registry as events
from tests.harness import Harness
from tests.registry.builders import V1, codes, load_sample, national, upload

HEAD = "Level,Predecessor Code,Kind,Succeeded On,Successor Code,Successor Name,Part Code,Inherits\n"
NORTH, SOUTH = ("Z80011", "Z80012", "Z80013"), tuple(f"Z800{number}" for number in range(14, 21))
SYSTEMS = """system,QZ2,split,2026-04-01,QZ1,,S7A1X,
system,QZ2,split,2026-04-01,S1Y5D,INVENTED NEW BOARD,S7A2X,yes
system,QZ1,enlargement,2026-04-01,QZ1,,,yes
"""
COMMISSIONERS = "".join(
    f"commissioner,SB2,split,2026-04-01,{heir},INVENTED HEIR {heir},{practice},{inherits}\n"
    for heir, practices, inherits in (("S7A1X", NORTH, ""), ("S7A2X", SOUTH, "yes"))
    for practice in practices
)


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def get(app: Harness, path: str) -> Any:
    answer = await app.client.get(f"{V1}{path}", headers=national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send(app: Harness, rows: str) -> dict[str, Any]:
    answer = await upload(app, "succession", "s.csv", (HEAD + rows).encode(), published_on="2026-04-01")
    assert answer.status_code == 201, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def systems(app: Harness, day: str) -> dict[str, list[str]]:
    return {s["code"]: s["commissioners"] for s in (await get(app, f"/systems?as_at={day}"))["items"]}


async def put(app: Harness, path: str, *heirs: dict[str, Any], inherits: str) -> Any:
    body = {
        "kind": "split",
        "succeeded_on": "2026-04-01",
        "successors": list(heirs),
        "inherits": inherits,
        "reason": "Divided.",
    }
    tag = (await app.client.get(f"{V1}{path}/succession", headers=national(app))).headers["ETag"]
    return await app.put(f"{V1}{path}/succession", body, national(app), match=tag)


@pytest.mark.parametrize("rows", [SYSTEMS + COMMISSIONERS, COMMISSIONERS + SYSTEMS], ids=["systems first", "last"])
async def test_one_file_divides_a_system_and_its_commissioner_on_one_day(app: Harness, rows: str) -> None:
    before = len(await app.announced())
    report = await send(app, rows)
    assert report["refused"] == []
    assert await systems(app, "2026-03-31") == {"QZ1": ["SA1"], "QZ2": ["SB2"]}
    assert await systems(app, "2026-04-01") == {"QZ1": ["S7A1X", "SA1"], "S1Y5D": ["S7A2X"]}
    regions = [(await get(app, f"/systems/{code}"))["region"] for code in ("S1Y5D", "QZ2?as_at=2026-03-31")]
    assert regions[0] == regions[1]
    assert (await get(app, "/practices/Z80011?as_at=2026-04-01"))["commissioner"] == "S7A1X"
    assert (await get(app, "/networks/U90002?as_at=2026-04-01"))["commissioner"] == "S7A2X"
    told = [e for e in (await app.announced())[before:] if isinstance(e, events.CommissionerRegistered)]
    places = {(e.commissioner, e.system, str(e.valid_to)) for e in told}
    assert places == {("SB2", "QZ2", "2026-03-31"), ("S7A1X", "QZ1", "None"), ("S7A2X", "S1Y5D", "None")}
    again = await send(app, rows + "\n")
    assert (again["loaded"], again["refused"], again["changes"].get("commissioners placed", 0)) == (0, [], 0)
    assert await systems(app, "2026-04-01") == {"QZ1": ["S7A1X", "SA1"], "S1Y5D": ["S7A2X"]}


async def test_a_part_that_is_neither_there_nor_comes_into_being_is_refused(app: Harness) -> None:
    report = await send(app, SYSTEMS)
    assert {r["code"] for r in report["refused"]} == {"not_a_part", "part_missing"}
    assert await systems(app, "2026-04-01") == {"QZ1": ["SA1"], "QZ2": ["SB2"]}


async def test_nobody_comes_to_stand_in_a_system_that_has_gone(app: Harness) -> None:
    """The system was divided before, and its commissioner left for later: then its heirs' systems have to be said."""
    bare = SYSTEMS.replace(",S7A1X,", ",,").replace(",S7A2X,", ",,")
    assert [r["code"] for r in (await send(app, bare))["refused"]] == ["part_missing"]
    assert await systems(app, "2026-04-01") == {"QZ1": ["SA1"]}
    heirs: list[dict[str, Any]] = [
        {"code": "S7A1X", "name": "NORTH", "practices": list(NORTH)},
        {"code": "S7A2X", "name": "SOUTH", "practices": list(SOUTH)},
    ]
    refused = await put(app, "/commissioners/SB2", *heirs, inherits="S7A2X")
    assert (refused.status_code, codes(refused)) == (422, ["not_placed", "not_placed"])
    described = {"system_name": "INVENTED NEW BOARD", "region": "YZ9", "region_name": "INVENTED REGION"}
    placed = [{**heirs[0], "system": "QZ1"}, {**heirs[1], "system": "S1Y5D", **described}]
    taken = await put(app, "/commissioners/SB2", *placed, inherits="S7A2X")
    assert taken.status_code == 200, taken.text
    assert await systems(app, "2026-04-01") == {"QZ1": ["S7A1X", "SA1"], "S1Y5D": ["S7A2X"]}
    # the file of systems once more finds nothing left over and brings nobody back
    assert (await send(app, bare + "\n"))["refused"] == []
    assert await systems(app, "2026-04-01") == {"QZ1": ["S7A1X", "SA1"], "S1Y5D": ["S7A2X"]}


async def test_a_division_may_be_said_again_when_its_parts_began_with_it(app: Harness) -> None:
    await send(app, SYSTEMS + COMMISSIONERS)
    heirs = [{"code": "QZ1", "commissioners": ["S7A1X"]}, {"code": "S1Y5D", "commissioners": ["S7A2X"]}]
    for _ in range(2):
        again = await put(app, "/systems/QZ2", *heirs, inherits="S1Y5D")
        assert again.status_code == 200, again.text
    assert await systems(app, "2026-04-01") == {"QZ1": ["S7A1X", "SA1"], "S1Y5D": ["S7A2X"]}
    heirs = [{"code": "QZ1", "commissioners": ["S7A2X"]}, {"code": "S1Y5D", "commissioners": ["S7A1X"]}]
    right = await put(app, "/systems/QZ2", *heirs, inherits="S1Y5D")
    assert right.status_code == 200, right.text
    assert await systems(app, "2026-04-01") == {"QZ1": ["S7A2X", "SA1"], "S1Y5D": ["S7A1X"]}
