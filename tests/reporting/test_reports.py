"""The reports, read over HTTP after the events that make them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events import registry
from shared.events.funding import BudgetSet
from shared.events.workforce import PostEnded
from shared.identity import Role
from tests.harness import Harness
from tests.reporting.builders import at, by_key, commissioner, england, lists, network, practices, recruited, report


@pytest.fixture
async def app(reporting_app: Harness) -> Harness:
    at(reporting_app, date(2022, 6, 30))
    await reporting_app.deliver(*england())
    return reporting_app


async def test_every_patient_is_covered_allocated_or_not(app: Harness) -> None:
    areas = by_key(await report(app, "coverage", as_at="2022-05-31"))
    assert areas["AA1"] == {
        "key": "AA1",
        "name": "Commissioner AA1",
        "registered": "31000",
        "covered": "31000",
        "allocated": "0",
        "dispersed": "0",
        "not_covered": "0",
        "twice_covered": "0",
        "practices": 3,
        "practices_not_covered": 0,
    }
    assert areas["BB2"]["registered"] == "35001"
    assert areas["BB2"]["covered"] == "22500.5"  # 20,000 and half of 5,001
    assert areas["BB2"]["allocated"] == "7000"
    assert areas["BB2"]["not_covered"] == "5500.5"
    assert areas["BB2"]["practices_not_covered"] == 2
    later = by_key(await report(app, "coverage", as_at="2022-06-01"))
    assert (later["BB2"]["covered"], later["BB2"]["not_covered"]) == ("25500.5", "2500.5")


async def test_coverage_adds_up_by_system_region_and_england(app: Harness) -> None:
    for by in ("system", "region", "england"):
        items = (await report(app, "coverage", as_at="2022-05-31", by=by))["items"]
        assert sum(Decimal(i["registered"]) for i in items) == 66_001
    systems = by_key(await report(app, "coverage", as_at="2022-05-31", by="system"))
    assert systems["QB2"]["name"] == "System QB2"
    assert by_key(await report(app, "coverage", as_at="2021-12-31")) == {}  # no list was counted by then


async def test_the_practices_behind_a_figure_are_named(app: Harness) -> None:
    found = await report(app, "coverage/practices", as_at="2022-05-31", commissioner="BB2", state="uncovered")
    assert [(p["practice"], p["name"], p["patients"]) for p in found["items"]] == [
        ("B80003", "Practice B80003", "3000"),
        ("B80004", "Practice B80004", "2500.5"),
    ]
    allocated = await report(app, "coverage/practices", as_at="2022-05-31", state="allocated")
    assert [p["practice"] for p in allocated["items"]] == ["B80002"]
    assert found["items"][1]["networks"] == ["U00002"]


async def test_a_practice_in_two_networks_whole_is_covered_twice(app: Harness) -> None:
    await app.deliver(network("U00003", "AA1", {"A80003": "1"}))
    area = by_key(await report(app, "coverage", as_at="2022-05-31"))["AA1"]
    assert (area["covered"], area["twice_covered"], area["not_covered"]) == ("31000", "9000", "0")
    found = await report(app, "coverage/practices", as_at="2022-05-31", state="twice")
    assert found["items"][0]["networks"] == ["U00001", "U00003"]


async def test_a_closed_practice_counts_until_patients_are_counted_anew(app: Harness) -> None:
    await app.deliver(practices("AA1", "A80003", closed=date(2022, 4, 30)))
    await app.deliver(lists("AA1", {"A80001": 10_000, "A80002": 12_000}, date(2022, 7, 1)))
    days = ("2022-04-30", "2022-05-01", "2022-06-30", "2022-07-01")
    counted = [by_key(await report(app, "coverage", as_at=day))["AA1"]["registered"] for day in days]
    assert counted == ["31000", "31000", "31000", "22000"]


async def test_a_newer_list_takes_over_on_its_day_and_a_restated_one_at_once(app: Harness) -> None:
    await app.deliver(lists("AA1", {"A80001": 11_000}, date(2022, 4, 1)))
    assert by_key(await report(app, "coverage", as_at="2022-03-31"))["AA1"]["registered"] == "31000"
    assert by_key(await report(app, "coverage", as_at="2022-04-01"))["AA1"]["registered"] == "32000"
    await app.deliver(lists("AA1", {"A80001": 10_500}))
    assert by_key(await report(app, "coverage", as_at="2022-03-31"))["AA1"]["registered"] == "31500"
    await app.deliver(lists("AA1", {"A80001": 1}, basis="weighted"))
    assert by_key(await report(app, "coverage", as_at="2022-03-31"))["AA1"]["registered"] == "31500"


async def test_a_member_that_leaves_is_uncovered_from_the_day_after(app: Harness) -> None:
    await app.deliver(
        registry.PracticeLeft(
            network="U00001",
            commissioner="AA1",
            practice="A80002",
            valid_from=date(2019, 7, 1),
            valid_to=date(2022, 3, 31),
        )
    )
    assert by_key(await report(app, "coverage", as_at="2022-03-31"))["AA1"]["not_covered"] == "0"
    assert by_key(await report(app, "coverage", as_at="2022-04-01"))["AA1"]["not_covered"] == "12000"


async def test_the_map_of_another_day_can_be_asked_for(app: Harness) -> None:
    await app.deliver(commissioner("AA1", "QC3", valid_from=date(2022, 7, 1)))
    now = by_key(await report(app, "coverage", as_at="2022-05-31", by="system"))
    later = by_key(await report(app, "coverage", as_at="2022-05-31", by="system", map_of="2022-07-01"))
    assert (set(now), set(later)) == ({"QA1", "QB2"}, {"QC3", "QB2"})


async def test_a_budget_taken_away_is_neither_counted_nor_held(app: Harness) -> None:
    for code, lead in (("U00001", "AA1"), ("U00002", "BB2")):
        await app.deliver(BudgetSet(network=code, commissioner=lead, contract_year="2022-23", amount=None))
    areas = by_key(await report(app, "spend", contract_year="2022-23"))
    assert (areas["AA1"]["budget"], areas["AA1"]["budgets_held"]) == (None, 0)
    assert "BB2" not in areas or areas["BB2"]["budgets_held"] == 0
    networks = by_key(await report(app, "spend", by="network", contract_year="2022-23"))
    assert {one["budgets_held"] for one in networks.values()} == {0}


async def test_spend_by_area_network_stream_and_month(app: Harness) -> None:
    areas = by_key(await report(app, "spend", contract_year="2022-23"))
    assert areas["AA1"] == {
        "key": "AA1",
        "name": "Commissioner AA1",
        "paid": "10976.66",
        "lines": 5,
        "budget": "500000.00",
        "budgets_held": 0,
        "claimed": "3731.40",
        "claims": 1,
        "confirmed": "0.00",
        "returned": "0.00",
        "written_off": "0.00",
        "recovered": "0.00",
    }
    assert (areas["BB2"]["budget"], areas["BB2"]["budgets_held"], areas["BB2"]["claimed"]) == (None, 1, "0.00")
    england_row = by_key(await report(app, "spend", by="england", contract_year="2022-23"))["England"]
    assert (england_row["paid"], england_row["budget"]) == ("13789.22", "500000.00")
    systems = by_key(await report(app, "spend", by="system", contract_year="2022-23"))
    assert systems["QA1"]["paid"] == "10976.66"
    networks = by_key(await report(app, "spend", by="network", contract_year="2022-23"))
    assert (networks["U00001"]["paid"], networks["U00001"]["claimed"]) == ("10976.66", "3731.40")
    streams = by_key(await report(app, "spend", by="stream", contract_year="2022-23"))
    assert streams["network_participation"]["paid"] == "3226.67"
    assert streams["network_participation"]["budget"] is None
    months = by_key(await report(app, "spend", by="month", contract_year="2022-23"))
    assert {k: v["paid"] for k, v in months.items()} == {"2022-04": "9914.22", "2022-05": "3875.00"}
    assert (await report(app, "spend", contract_year="2021-22"))["items"] == []


async def test_spend_can_be_narrowed_by_stream_month_and_area(app: Harness) -> None:
    only = await report(app, "spend", by="month", contract_year="2022-23", stream="core_registered", commissioner="AA1")
    assert {k: v["paid"] for k, v in by_key(only).items()} == {"2022-04": "3874.99", "2022-05": "3875.00"}
    month = by_key(await report(app, "spend", contract_year="2022-23", month="2022-04"))["AA1"]
    assert (month["paid"], month["budget"], month["claimed"]) == ("7101.66", None, "3731.40")


async def test_a_payment_delivered_twice_is_counted_once(app: Harness) -> None:
    from tests.reporting.builders import payment

    again = payment("U00002", "BB2", [(None, "core_registered", "2022-04", "2812.56")])
    await app.deliver(again)
    assert by_key(await report(app, "spend", contract_year="2022-23"))["BB2"]["paid"] == "2812.56"


async def test_who_is_in_post_against_the_plan(app: Harness) -> None:
    areas = by_key(await report(app, "workforce", as_at="2022-05-01"))
    assert areas["AA1"] == {
        "key": "AA1",
        "name": "Commissioner AA1",
        "heads": 1,
        "wte": "0.8",
        "additional_wte": "0.8",
        "planned_wte": "2",
    }
    assert areas["BB2"]["heads"] == 1
    roles = by_key(await report(app, "workforce", by="role", as_at="2022-10-01"))
    assert (roles["paramedic"]["wte"], roles["paramedic"]["planned_wte"]) == ("1", "1")
    before = by_key(await report(app, "workforce", by="network", as_at="2022-04-30"))
    assert set(before) == {"U00001"}


async def test_who_left_is_counted_to_the_last_day(app: Harness) -> None:
    post = recruited("post-left", "U00001", "dietitian", started=date(2022, 4, 1))
    ended = PostEnded(post="post-left", network="U00001", role="dietitian", ended_on=date(2022, 6, 20))
    await app.deliver(post, ended)
    on_the_day = by_key(await report(app, "workforce", by="role", as_at="2022-06-20"))
    after = by_key(await report(app, "workforce", by="role", as_at="2022-06-21"))
    assert on_the_day["dietitian"]["heads"] == 1
    assert after.get("dietitian", {"heads": 0})["heads"] == 0


async def test_rounds_against_their_deadlines(app: Harness) -> None:
    found = (await report(app, "deadlines", contract_year="2022-23"))["items"]
    assert len(found) == 1
    row = found[0]
    assert (row["applied"], row["late"], row["returned"], row["approved"], row["waiting"]) == (1, 1, 0, 1, 0)
    assert (row["decided_on"], row["decided_late"], row["overdue"]) == ("2022-06-02", True, False)
    assert (row["practices"], row["patients"]) == (3, 31_000)


async def test_a_round_not_decided_in_time_is_overdue(reporting_app: Harness) -> None:
    at(reporting_app, date(2022, 6, 1))
    await reporting_app.deliver(*(e for e in england() if not isinstance(e, registry.RoundDecided)))
    row = (await report(reporting_app, "deadlines"))["items"][0]
    assert (row["overdue"], row["decided_on"]) == (True, None)
    row = (await report(reporting_app, "deadlines", as_at="2022-05-31"))["items"][0]
    assert row["overdue"] is False


@pytest.mark.parametrize("last_first", [False, True])
async def test_a_round_given_up_is_never_overdue(reporting_app: Harness, last_first: bool) -> None:
    at(reporting_app, date(2022, 6, 1))
    opened = next(event for event in england() if isinstance(event, registry.RoundOpened))
    given_up = registry.RoundAbandoned(
        round=opened.round,
        commissioner=opened.commissioner,
        contract_year=opened.contract_year,
        abandoned_on=date(2022, 5, 2),
        reason="Another year's days.",
    )
    await reporting_app.deliver(*([given_up, opened] if last_first else [opened, given_up]))
    (row,) = (await report(reporting_app, "deadlines"))["items"]
    assert (row["overdue"], row["abandoned_on"], row["decide_by"]) == (False, "2022-05-02", "2022-05-31")


@pytest.mark.parametrize(
    ("role", "organisation", "areas"),
    [
        (Role.COMMISSIONER, "AA1", {"AA1"}),
        (Role.COMMISSIONER, "ZZ9", set()),
        (Role.SYSTEM, "QB2", {"BB2"}),
        (Role.OPERATOR, "X24", {"AA1", "BB2"}),
    ],
)
async def test_reports_are_narrowed_to_the_caller(app: Harness, role: Role, organisation: str, areas: set[str]) -> None:
    for path in ("coverage", "spend", "workforce"):
        params = {"contract_year": "2022-23"} if path == "spend" else {"as_at": "2022-05-31"}
        assert set(by_key(await report(app, path, role, organisations=(organisation,), **params))) == areas, path
    found = await report(app, "deadlines", role, organisations=(organisation,))
    assert {row["commissioner"] for row in found["items"]} == areas & {"AA1"}
    named = await report(app, "coverage/practices", role, organisations=(organisation,), as_at="2022-05-31")
    assert bool(named["items"]) is ("BB2" in areas)


async def test_a_network_sees_its_own_money_and_people(app: Harness) -> None:
    mine: dict[str, Any] = {"organisations": ("U00001",)}
    for by, keys in [("network", {"U00001"}), ("commissioner", {"AA1"}), ("england", {"England"})]:
        found = by_key(await report(app, "spend", Role.NETWORK, **mine, by=by, contract_year="2022-23"))
        assert set(found) == keys
        assert {row["paid"] for row in found.values()} == {"10976.66"}
        assert {row["budget"] for row in found.values()} == {"500000.00"}
    streams = by_key(await report(app, "spend", Role.NETWORK, **mine, by="stream", contract_year="2022-23"))
    assert streams["core_registered"]["paid"] == "7749.99"
    people = by_key(await report(app, "workforce", Role.NETWORK, **mine, by="network", as_at="2022-05-01"))
    assert set(people) == {"U00001"}
    headers = app.token(Role.NETWORK, organisations=["U00001"])
    assert (await app.client.get("/reporting/v1/coverage", headers=headers)).status_code == 403
    assert (await app.client.get("/reporting/v1/coverage")).status_code == 401


async def test_reports_come_in_pages(app: Harness) -> None:
    first = await report(app, "spend", by="network", contract_year="2022-23", limit="1")
    second = await report(app, "spend", by="network", contract_year="2022-23", limit="1", cursor=first["next"])
    assert [list(by_key(p)) for p in (first, second)] == [["U00001"], ["U00002"]]
    assert second["next"] is None
    first = await report(app, "workforce", by="network", as_at="2022-05-01", limit="1")
    second = await report(app, "workforce", by="network", as_at="2022-05-01", limit="1", cursor=first["next"])
    assert [list(by_key(p)) for p in (first, second)] == [["U00001"], ["U00002"]]
    assert [p["items"][0]["wte"] for p in (first, second)] == ["0.8", "1"]


async def test_a_malformed_question_lists_every_fault(app: Harness) -> None:
    headers = app.token(Role.NATIONAL)
    answer = await app.client.get(
        "/reporting/v1/spend", params={"by": "colour", "month": "2022-13", "contract_year": "22"}, headers=headers
    )
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 3
