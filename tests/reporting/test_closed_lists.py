"""Patients of a practice that closed are counted in its area until they are counted anew: served, gone or left out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from deploy.doctor.copies import COPIES
from shared.events import registry
from tests.harness import Harness
from tests.registry import builders as register
from tests.registry.test_closed_lists import OUTSIDE, change, closed
from tests.registry.test_membership_told import rows
from tests.reporting.builders import at, by_key, lists, network, practices, report

CLOSED, NEXT = date(2022, 5, 31), date(2022, 10, 1)


@pytest.fixture
async def app(reporting_app: Harness) -> Harness:
    at(reporting_app, date(2022, 12, 1))
    await reporting_app.deliver(
        practices("AA1", "A80001", "A80002"),
        lists("AA1", {"A80001": 9_000, "A80002": 7_000}),
        network("U00001", "AA1", {"A80001": "1"}),
        practices("AA1", "A80002", closed=CLOSED),
    )
    return reporting_app


async def figures(app: Harness, day: str) -> list[Any]:
    one = by_key(await report(app, "coverage", as_at=day))["AA1"]
    return [one[name] for name in ("registered", "covered", "allocated", "dispersed", "not_covered", "practices")]


async def named(app: Harness, state: str, day: str) -> list[tuple[str, str, str]]:
    found = await report(app, "coverage/practices", as_at=day, state=state)
    return [(item["practice"], item["patients"], item["since"]) for item in found["items"]]


async def test_a_closed_list_is_left_out_until_the_next_count(app: Harness) -> None:
    left_out = ["16000", "9000", "0", "0", "7000", 2]
    assert [await figures(app, day) for day in ("2022-05-31", "2022-06-01", "2022-11-30")] == [left_out] * 3
    await app.deliver(lists("BB2", {"B80001": 100}, NEXT))
    assert await figures(app, "2022-09-30") == left_out
    assert await figures(app, "2022-10-01") == ["9000", "9000", "0", "0", "0", 1]


async def test_a_closed_list_that_is_allocated_counts_as_that_until_it_dispersed(app: Harness) -> None:
    last = date(2022, 7, 31)
    served = {"network": "U00001", "commissioner": "AA1", "practice": "A80002", "valid_from": date(2022, 6, 1)}
    await app.deliver(registry.PatientsAllocated(**served), registry.AllocationEnded(**served, valid_to=last))
    gone = [registry.Dispersed(valid_from=date(2022, 9, 1))]
    await app.deliver(practices("AA1", "A80002", closed=CLOSED, dispersed=gone))
    seen = [await figures(app, day) for day in ("2022-05-31", "2022-06-01", "2022-08-01", "2022-09-01")]
    assert [row[2:5] for row in seen] == [
        ["0", "0", "7000"],
        ["7000", "0", "0"],
        ["0", "0", "7000"],
        ["0", "7000", "0"],
    ]
    assert {row[0] for row in seen} == {"16000"}
    assert await named(app, "dispersed", "2022-09-01") == [("A80002", "7000", "2022-09-01")]
    assert await named(app, "uncovered", "2022-09-01") == []
    await app.deliver(practices("AA1", "A80002", closed=CLOSED, dispersed=[]))
    assert await named(app, "uncovered", "2022-09-01") == [("A80002", "7000", "2022-08-01")]


async def test_a_practice_names_those_whose_lists_are_counted_with_its_own(app: Harness) -> None:
    went = registry.PracticeSucceeded(
        practice="A80002", successor="A80001", commissioner="AA1", succeeded_on=date(2022, 6, 1)
    )
    await app.deliver(went)
    for day, merged in (("2022-05-31", []), ("2022-06-01", ["A80002"])):
        (one,) = (await report(app, "coverage/practices", as_at=day, state="covered"))["items"]
        assert (one["practice"], one["merged"]) == ("A80001", merged)
    assert await figures(app, "2022-06-01") == ["16000", "16000", "0", "0", "0", 1]


async def test_reports_agree_with_the_register_on_a_list_of_a_practice_that_closed(
    registry_app: Harness, reporting_app: Harness
) -> None:
    """Every day from its closing on, whatever is said of it then."""
    at(reporting_app, date(2023, 1, 1))
    await register.load_sample(registry_app)
    round = await register.open_round(registry_app)
    await closed(registry_app, on="2022-05-31")
    body = {"network": "U90001", "valid_from": "2022-06-01", "valid_to": "2022-07-31"}
    assert (await register.allocate(registry_app, **body)).status_code == 201
    stated = await change(registry_app, f"{OUTSIDE}/dispersal", dispersed_from="2022-09-01")
    assert stated.status_code == 200, stated.text
    await reporting_app.deliver(*await registry_app.announced())
    states = {}
    for day in ("2022-05-31", "2022-06-01", "2022-08-01", "2022-09-01", "2022-12-31"):
        path = f"{register.V1}/rounds/{round}/coverage"
        shown = await registry_app.client.get(path, params={"as_at": day}, headers=register.national(registry_app))
        cover = next(c for c in shown.json()["practices"] if c["practice"] == OUTSIDE)
        state = "dispersed" if cover["dispersed"] else "allocated" if cover["covered_by"] else "uncovered"
        items = (await report(reporting_app, "coverage/practices", as_at=day, state=state, limit="100"))["items"]
        assert OUTSIDE in {item["practice"] for item in items}, (day, state)
        states[day] = state
    (copy,) = (copy for copy in COPIES if copy.what == "dispersals")
    held = await rows(reporting_app, copy.held)
    assert await rows(registry_app, copy.owned) == held == [(OUTSIDE, "{[2022-09-01,)}")]
    assert list(states.values()) == ["uncovered", "allocated", "uncovered", "dispersed", "dispersed"]
