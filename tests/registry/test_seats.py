"""Clinical directors' seats on the partnership board of a system, who holds them, and which are vacant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, load_sample, national
from tests.registry.network_life import HOME, appoint, network, read, refused, said

SEATS = f"{V1}/systems/QZ2/seats"


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def board(app: Harness, code: str = "QZ2") -> dict[str, str]:
    return app.token(Role.SYSTEM, organisations=[code], subject="sue")


async def seat(app: Harness, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    body = {"board": "Partnership board", "title": "Primary care, north", "valid_from": "2022-04-01", **changes}
    return await app.post(SEATS, body, headers or board(app))


async def fill(app: Harness, id: str, appointment: str, **changes: Any) -> httpx.Response:
    body = {"appointment": appointment, "valid_from": "2022-04-01", "valid_to": None, **changes}
    return await put(app, f"{id}/holder", body)


async def put(app: Harness, path: str, body: dict[str, Any]) -> httpx.Response:
    """A change of a seat under the version it has on a day on which it is on the board."""
    shown = await app.client.get(f"{SEATS}/{path.split('/')[0]}?as_at=2022-04-01", headers=board(app))
    return await app.put(f"{SEATS}/{path}", body, board(app), match=shown.headers.get("etag", '"1"'))


async def on(app: Harness, day: str, more: str = "") -> list[tuple[Any, ...]]:
    items = (await read(app, f"{SEATS}?as_at={day}{more}"))["items"]
    return [(s["network"], s["holder"], s["vacancy"]) for s in items]


async def test_a_seat_is_vacant_until_a_director_takes_it_and_again_when_they_cease(app: Harness) -> None:
    made = await seat(app)
    assert made.status_code == 201, made.text
    id = made.json()["id"]
    assert await on(app, "2022-04-01") == [(None, None, "not_filled")]
    director = (await appoint(app)).json()["id"]
    filled = await fill(app, id, director)
    assert filled.status_code == 200, filled.text
    assert await on(app, "2022-04-01") == [("U90001", "Dr Jo Sample (invented)", None)]
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    ending = {"last_day": "2022-09-30", "reason": "Retirement."}
    path = f"{HOME}/clinical-directors/{director}/ending"
    assert (await app.put(path, ending, network(app))).status_code == 200
    assert await on(app, "2022-09-30") == [("U90001", "Dr Jo Sample (invented)", None)]
    assert await on(app, "2022-10-01") == [("U90001", None, "not_a_director_any_more")]
    assert len(await on(app, "2022-10-01", "&vacant=true")) == 1
    assert await on(app, "2022-09-30", "&vacant=true") == []
    assert await on(app, "2022-10-01", f"&known_at={before}") == [("U90001", "Dr Jo Sample (invented)", None)]
    assert await on(app, "2022-03-31") == []


async def test_a_seat_is_vacant_when_the_network_of_its_holder_has_closed(app: Harness) -> None:
    id = (await seat(app)).json()["id"]
    assert (await fill(app, id, (await appoint(app)).json()["id"])).status_code == 200
    closure = {"closed_on": "2022-09-30", "reason": "It was divided."}
    assert (await app.put(f"{HOME}/closure", closure, national(app))).status_code == 200
    assert await on(app, "2022-09-30") == [("U90001", "Dr Jo Sample (invented)", None)]
    assert await on(app, "2022-10-01") == [("U90001", None, "not_a_director_any_more")]
    assert len(await on(app, "2022-10-01", "&vacant=true")) == 1


async def test_a_seat_is_for_a_director_of_the_system_on_every_day(app: Harness) -> None:
    id = (await seat(app, valid_to="2023-03-31")).json()["id"]
    director = (await appoint(app, valid_to="2022-12-31")).json()["id"]
    assert said(await fill(app, id, director, valid_to="2023-01-31")) == (409, "HolderNotDirector")
    assert said(await fill(app, id, "cda-none", valid_to="2022-12-31")) == (409, "HolderNotDirector")
    assert said(await fill(app, id, director)) == (409, "SeatNotThere")
    assert (await fill(app, id, director, valid_to="2022-12-31")).status_code == 200
    other = await app.post(
        f"{V1}/systems/QZ1/seats",
        {"board": "B", "title": "T", "valid_from": "2022-04-01"},
        board(app, "QZ1"),
    )
    body = {"appointment": director, "valid_from": "2022-04-01", "valid_to": "2022-12-31"}
    path = f"{V1}/systems/QZ1/seats/{other.json()['id']}/holder"
    answer = await app.put(path, body, board(app, "QZ1"), match=other.headers["etag"])
    assert said(answer) == (409, "DirectorOfAnotherSystem")


async def test_a_holder_leaves_and_a_seat_is_taken_off_the_board(app: Harness) -> None:
    id = (await seat(app)).json()["id"]
    ending = {"last_day": "2022-06-30", "reason": "A new board."}
    assert said(await put(app, f"{id}/vacation", ending)) == (409, "SeatEmpty")
    await fill(app, id, (await appoint(app)).json()["id"])
    assert (await put(app, f"{id}/vacation", ending)).status_code == 200
    assert await on(app, "2022-07-01") == [(None, None, "not_filled")]
    assert (await put(app, f"{id}/ending", {**ending, "last_day": "2022-08-31"})).status_code == 200
    assert await on(app, "2022-09-01") == []
    assert said(await put(app, f"{id}/ending", {**ending, "last_day": "2022-08-31"})) == (409, "SeatNotThere")
    body = {"board": "Board", "title": "South", "valid_from": "2022-04-01", "reason": "A slip."}
    assert (await put(app, id, body)).json()["title"] == "South"
    assert await on(app, "2022-09-01") == [(None, None, "not_filled")]
    assert await refused(app, f"{SEATS}/sea-none", national(app)) == (404, "SeatNotFound")


async def test_a_system_keeps_its_own_board(app: Harness) -> None:
    assert said(await seat(app, board(app, "QZ1"))) == (403, "NotYoursToSeat")
    assert (await seat(app, national(app))).status_code == 201
    answer = await app.post(
        f"{V1}/systems/QZ9/seats", {"board": "B", "title": "T", "valid_from": "2022-04-01"}, national(app)
    )
    assert said(answer) == (404, "SystemNotFound")
