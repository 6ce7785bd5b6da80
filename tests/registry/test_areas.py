"""Areas as GeoJSON: what cannot be read is refused with its place, what is odd is found and must be excepted."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.registry.areas.geojson import MOST_VERTICES, read_area, wound
from services.registry.areas.geometry import overlap, square_metres
from shared.errors import Invalid
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    allocate,
    codes,
    commissioner,
    decide,
    form,
    load_sample,
    national,
    open_round,
    practice,
    submitted,
)
from tests.registry.squares import ring, square, squares

HARBOUR, VALE, FELLS = "Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN"
BOW_TIE = {"type": "Polygon", "coordinates": [[[-2, 54], [-1.9, 54.1], [-1.9, 54], [-2, 54.1], [-2, 54]]]}


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def read(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read_area(document)
    return [(fault.field, fault.code) for fault in refused.value.errors]


def test_a_hundredth_of_a_degree_is_measured_on_the_ellipsoid() -> None:
    shape, _ = read_area(square(0, 0, 10, 10))
    # the zone between two parallels of the ellipsoid, exactly: b²/2 · Δλ · [s/(1-e²s²) + atanh(es)/e]
    e = math.sqrt(0.00669437999014)
    b = 6_356_752.314245

    def q(latitude: float) -> float:
        s = math.sin(math.radians(latitude))
        return s / (1 - e * e * s * s) + math.atanh(e * s) / e

    exact = b * b / 2 * math.radians(0.1) * (q(54.1) - q(54.0))
    assert square_metres(shape) == pytest.approx(exact, rel=1e-5)


def test_a_feature_is_read_as_its_geometry_and_a_third_coordinate_is_let_go() -> None:
    plain = square(0, 0, 10, 10)
    high = {"type": "Polygon", "coordinates": [[[*position, 12.5] for position in plain["coordinates"][0]]]}
    shape, kept = read_area({"type": "Feature", "properties": {}, "geometry": high})
    assert shape.equals(read_area(plain)[0])
    assert [len(position) for position in kept["coordinates"][0]] == [2] * 5


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"type": "Point", "coordinates": [-2, 54]}, [("area.type", "not_an_area")]),
        ({"type": "FeatureCollection", "features": []}, [("area.type", "not_an_area")]),
        ({**square(0, 0, 1, 1), "crs": {"type": "name"}}, [("area.crs", "not_wgs84")]),
        ({"type": "Polygon", "coordinates": []}, [("area.coordinates", "empty")]),
        ({"type": "Polygon", "coordinates": [5]}, [("area.coordinates.0", "not_a_ring")]),
        ({"type": "MultiPolygon", "coordinates": [5]}, [("area.coordinates.0", "not_a_polygon")]),
        (BOW_TIE, [("area.coordinates.0", "self_intersection")]),
        ({"type": "Polygon", "coordinates": [ring(0, 0, 1, 1)[:3]]}, [("area.coordinates.0", "ring_too_short")]),
        ({"type": "Polygon", "coordinates": [ring(0, 0, 1, 1)[:4]]}, [("area.coordinates.0", "ring_not_closed")]),
        (
            {"type": "Polygon", "coordinates": [[[-2, 54], [math.nan, 54], [181, 54], ["-2", 54], [-2], [True, 54]]]},
            [
                ("area.coordinates.0.1", "not_finite"),
                ("area.coordinates.0.2", "out_of_range"),
                ("area.coordinates.0.3", "not_a_number"),
                ("area.coordinates.0.4", "not_a_position"),
                ("area.coordinates.0.5", "not_a_number"),
            ],
        ),
        ({"type": "Polygon", "coordinates": [[[10**400, 54]] * 4]}, [("area.coordinates.0.%d", "not_finite")] * 4),
        (square(0, 0, 10, 10, (20, 20, 30, 30)), [("area.coordinates", "hole_outside")]),
        (squares((0, 0, 10, 10), (5, 5, 15, 15)), [("area.coordinates.1", "parts_overlap")]),
    ],
)
def test_what_is_no_area_is_refused_with_the_place(document: Any, expected: list[tuple[str, str]]) -> None:
    assert read(document) == [(f % n if "%" in f else f, c) for n, (f, c) in enumerate(expected)]


def test_an_area_has_so_many_positions_and_no_more() -> None:
    def circle(positions: int) -> dict[str, Any]:
        turns = [2 * math.pi * n / positions for n in range(positions)]
        round_about = [[-2 + math.cos(t) / 10, 54 + math.sin(t) / 10] for t in turns]
        return {"type": "Polygon", "coordinates": [[*round_about, round_about[0]]]}

    assert read_area(circle(MOST_VERTICES - 1))[0].is_valid
    assert read(circle(MOST_VERTICES)) == [("area.coordinates", "too_many_vertices")]


def test_a_ring_wound_the_wrong_way_is_kept_the_right_way() -> None:
    backwards = {"type": "Polygon", "coordinates": [ring(0, 0, 10, 10, clockwise=True)]}
    shape, _ = read_area(backwards)
    assert read_area(wound(shape))[0].exterior.is_ccw  # type: ignore[attr-defined]


def test_parts_that_meet_along_a_line_are_one_piece() -> None:
    shape, _ = read_area(squares((0, 0, 10, 10), (10, 0, 20, 10)))
    assert shape.geom_type == "Polygon"


def test_areas_that_only_touch_share_nothing() -> None:
    one, other = read_area(square(0, 0, 10, 10))[0], read_area(square(10, 0, 20, 10))[0]
    assert overlap(one, other) is None


async def found(app: Harness, id: str) -> dict[str, dict[str, Any]]:
    answer = await app.client.get(f"{V1}/applications/{id}", headers=commissioner(app))
    assert answer.status_code == 200, answer.text
    return {finding["key"]: finding for finding in answer.json()["findings"]}


async def drawn(app: Harness, name: str, round: str, area: dict[str, Any], **more: Any) -> str:
    return await submitted(app, {**form(name, round), "area": area, **more})


async def locate(app: Harness, code: str, longitude: float, latitude: float, **headers: Any) -> httpx.Response:
    body = {"longitude": longitude, "latitude": latitude, "valid_from": "2021-04-01", "source": "Its own word"}
    return await app.put(f"{V1}/practices/{code}/location", body, headers or commissioner(app))


async def test_an_area_that_cannot_be_read_is_refused_when_it_is_sent(app: Harness) -> None:
    round = await open_round(app)
    answer = await app.post(f"{V1}/applications", {**form(HARBOUR, round), "area": BOW_TIE}, commissioner(app))
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["field"], fault["code"]) == ("body.area.coordinates.0", "self_intersection")
    assert "54.05000 N, 1.95000 W" in fault["message"]


async def test_everything_odd_about_an_area_is_found_with_its_place(app: Harness) -> None:
    round = await open_round(app)
    assert (await locate(app, "Z80001", -1.98, 54.02)).status_code == 200
    assert (await locate(app, "Z80002", -1.7, 54.05)).status_code == 200
    area = {
        "type": "MultiPolygon",
        "coordinates": [
            [ring(0, 0, 10, 10, clockwise=True), ring(4, 4, 6, 6)],
            [ring(20, 0, 21, 1)],
        ],
    }
    harbour = await drawn(app, HARBOUR, round, area)
    vale = await drawn(app, VALE, round, square(9, 0, 19, 10))
    seen = await found(app, harbour)
    assert set(seen) == {
        "wrong_ring_order",
        "not_contiguous",
        "hole",
        f"overlap:{vale}",
        "outside:Z80002",
        "practice_not_located",
    }
    assert [key for key, finding in seen.items() if not finding["blocking"]] == [
        "wrong_ring_order",
        "practice_not_located",
    ]
    assert seen[f"overlap:{vale}"]["square_metres"] == pytest.approx(7_290_220, rel=1e-3)
    assert seen[f"overlap:{vale}"]["place"] == [-1.905, 54.05]
    assert "the application of Invented Vale PCN" in seen[f"overlap:{vale}"]["message"]
    assert seen["hole"]["place"] == pytest.approx([-1.95, 54.05])
    assert "54.05000 N, 1.70000 W lies 7,392 m outside" in seen["outside:Z80002"]["message"]
    assert "Z80003" in seen["practice_not_located"]["message"]
    assert set(await found(app, vale)) == {f"overlap:{harbour}", "practice_not_located"}


@pytest.mark.parametrize(("shared", "seen"), [(0.0001, False), (0.02, True)])
async def test_a_sliver_of_less_than_a_hectare_is_no_overlap(app: Harness, shared: float, seen: bool) -> None:
    round = await open_round(app)
    harbour = await drawn(app, HARBOUR, round, square(0, 0, 10, 10))
    await drawn(app, VALE, round, square(10 - shared, 0, 20, 10))
    assert any(key.startswith("overlap") for key in await found(app, harbour)) == seen


async def test_a_hole_filled_by_a_neighbour_is_none(app: Harness) -> None:
    round = await open_round(app)
    harbour = await drawn(app, HARBOUR, round, square(0, 0, 10, 10, (4, 4, 6, 6)))
    assert "hole" in await found(app, harbour)
    await drawn(app, VALE, round, square(4, 4, 6, 6))
    assert "hole" not in await found(app, harbour)


async def test_coordinates_in_the_wrong_order_are_somewhere_else_than_england(app: Harness) -> None:
    round = await open_round(app)
    turned = {"type": "Polygon", "coordinates": [[[y, x] for x, y in ring(0, 0, 10, 10)]]}
    id = await drawn(app, HARBOUR, round, turned)
    assert "is the longitude first?" in (await found(app, id))["outside_england"]["message"]


async def except_it(app: Harness, key: str, **whose: Any) -> httpx.Response:
    body = {"finding": key, "reason": "The quay is shared by custom.", **whose}
    return await app.post(f"{V1}/waivers", body, commissioner(app))


async def test_no_network_is_approved_with_an_open_finding_and_an_exception_is_kept_for_its_network(
    app: Harness,
) -> None:
    round = await open_round(app)
    harbour = await drawn(app, HARBOUR, round, square(0, 0, 10, 10))
    vale = await drawn(app, VALE, round, square(9, 0, 20, 10))
    fells = await drawn(app, FELLS, round, square(20, 0, 30, 10))
    await allocate(app, application=vale, round=round)
    held = await decide(app, round)
    assert (held.status_code, held.json()["code"], codes(held)) == (409, "FindingsNotAccepted", ["overlap"] * 2)
    approval = await app.put(f"{V1}/applications/{harbour}/approval", None, commissioner(app))
    assert (approval.status_code, approval.json()["code"]) == (409, "FindingsNotAccepted")
    assert (await app.put(f"{V1}/applications/{fells}/approval", None, commissioner(app))).status_code == 200

    made = await except_it(app, f"overlap:{vale}", application=harbour)
    assert made.status_code == 201, made.text
    assert (made.json()["given_by"], made.json()["valid_from"]) == ("carl", "2022-04-01")
    twice = await except_it(app, f"overlap:{vale}", application=harbour)
    assert (twice.status_code, twice.json()["code"]) == (409, "ExceptedAlready")
    none = await except_it(app, "hole", application=harbour)
    assert (none.status_code, none.json()["code"]) == (404, "FindingNotThere")
    assert (await except_it(app, f"overlap:{harbour}", application=vale)).status_code == 201
    assert (await found(app, harbour))[f"overlap:{vale}"]["reason"] == "The quay is shared by custom."
    before = datetime.now(UTC).isoformat()
    assert (await decide(app, round)).status_code == 200

    async def listed(**asked: str) -> set[tuple[str | None, str]]:
        answer = await app.client.get(f"{V1}/waivers", params=asked, headers=commissioner(app))
        return {(item["network"], item["finding"].split(":")[0]) for item in answer.json()["items"]}

    kept = {("U90011", "overlap"), ("U90012", "overlap"), ("U99001", "under_smallest")}
    assert await listed(as_at="2022-04-01") == kept
    assert await listed(as_at="2022-03-31") == set()
    assert await listed(known_at=before) == {(None, "overlap")}
    areas = (await app.client.get(f"{V1}/areas?as_at=2022-04-01", headers=practice(app, "Z80014"))).json()
    assert areas["type"] == "FeatureCollection"
    assert {area["id"]: area["properties"]["name"] for area in areas["features"]} == {
        "U90011": HARBOUR,
        "U90012": VALE,
        "U99001": FELLS,
    }
    assert (
        await app.client.get(f"{V1}/networks/U90011/area?as_at=2022-03-31", headers=national(app))
    ).status_code == 404


async def draw(app: Harness, code: str, area: dict[str, Any], **more: Any) -> httpx.Response:
    body = {"area": area, "valid_from": "2022-04-01", "reason": "Drawn anew.", **more}
    return await app.put(f"{V1}/networks/{code}/area", body, commissioner(app, "SB2"))


async def test_the_area_of_a_network_is_dated_and_corrected_and_beside_its_neighbours(app: Harness) -> None:
    first = await draw(app, "U90001", square(0, 0, 10, 10))
    assert first.status_code == 200, first.text
    shown = first.json()["area"]["properties"]
    assert (shown["name"], shown["commissioner"]) == ("INVENTED MARKET TOWN PCN", "SB2")
    before = datetime.now(UTC).isoformat()
    over = await draw(app, "U90002", square(5, 0, 15, 10))
    assert (over.status_code, over.json()["code"], codes(over)) == (409, "FindingsNotAccepted", ["overlap"])
    excepted = await draw(app, "U90002", square(5, 0, 15, 10), exceptions={"overlap:U90001": "By custom."})
    assert excepted.status_code == 200, excepted.text
    waivers = (await app.client.get(f"{V1}/waivers?network=U90002", headers=commissioner(app, "SB2"))).json()["items"]
    assert [(w["finding"], w["reason"], w["valid_from"]) for w in waivers] == [
        ("overlap:U90001", "By custom.", "2022-04-01")
    ]
    assert (await draw(app, "U90001", square(0, 0, 5, 10), valid_from="2022-10-01")).status_code == 200

    async def east(code: str, **asked: str) -> float:
        answer = await app.client.get(f"{V1}/networks/{code}/area", params=asked, headers=national(app))
        assert answer.status_code == 200, answer.text
        return max(float(x) for x, _ in answer.json()["geometry"]["coordinates"][0])

    assert await east("U90001", as_at="2022-09-30") == -1.9
    assert await east("U90001", as_at="2022-10-01") == -1.95
    assert await east("U90001", as_at="2022-10-01", known_at=before) == -1.9
    stranger = {**commissioner(app, "SA1"), "If-Match": '"1"'}
    body = {"area": square(0, 0, 1, 1), "valid_from": "2022-04-01", "reason": "why not"}
    answer = await app.client.put(f"{V1}/networks/U90001/area", json=body, headers=stranger)
    assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToDecide")


async def test_a_neighbour_of_another_commissioner_counts(app: Harness) -> None:
    assert (await draw(app, "U90001", square(0, 0, 10, 10))).status_code == 200
    round = await open_round(app)
    id = await drawn(app, HARBOUR, round, square(9, 0, 20, 10))
    assert "INVENTED MARKET TOWN PCN (U90001)" in (await found(app, id))["overlap:U90001"]["message"]


async def test_a_practice_says_where_it_is_and_a_stranger_does_not(app: Harness) -> None:
    mine = practice(app, "Z80001")
    path = f"{V1}/practices/Z80001/location"
    body = {"longitude": -1.95, "latitude": 54.05, "valid_from": "2021-04-01", "source": "Its own word"}
    assert (await app.put(path, body, mine)).status_code == 200
    assert (await app.put(path, {**body, "longitude": 200}, mine)).status_code == 422
    for headers in (practice(app, "Z80002"), commissioner(app, "SB2")):
        answer = await app.put(path, body, headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToDecide")
    seen = await app.client.get(f"{path}?as_at=2021-04-01", headers=app.token(Role.TRUST, organisations=["RX1"]))
    assert (seen.status_code, seen.json()["latitude"]) == (200, 54.05)
    assert (await app.client.get(f"{path}?as_at=2021-03-31", headers=national(app))).json()[
        "code"
    ] == "LocationNotFound"
