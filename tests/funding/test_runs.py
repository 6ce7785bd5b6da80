"""Runs: two people, once, append-only; and the next run pays the difference, naming its cause."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.operations import payees_on
from services.funding.lines.trace import recompute
from services.funding.payments import operations
from services.funding.payments.model import PaymentLine
from shared.events.funding import PaymentIssued
from shared.events.registry import (
    Appointment,
    Entry,
    Member,
    NetworkRestated,
    PatientsAllocated,
    PayeeAppointed,
    PracticeJoined,
    PracticeLeft,
)
from shared.http import _now as clock
from shared.identity import Role
from tests.funding.builders import COMMISSIONER, NETWORK, an_approved_network, list_sizes
from tests.funding.test_journey import RUNS, an_area, calculated, paid
from tests.harness import Harness


def nan(app: Harness, subject: str = "alice") -> dict[str, str]:
    return app.token(Role.NATIONAL, subject=subject)


async def lines_of(app: Harness, run: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    reply = await app.client.get(f"{RUNS}/{run['id']}/lines", params=query, headers=nan(app))
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_two_people_stand_behind_a_run(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await calculated(funding_app, "2022-04")
    path = f"{RUNS}/{run['id']}"
    early = await funding_app.put(f"{path}/issue", None, nan(funding_app, "bob"))
    assert (early.status_code, early.json()["code"]) == (409, "RunNotApproved")
    alone = await funding_app.put(f"{path}/approval", None, nan(funding_app))
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePerson")
    assert (await funding_app.client.put(f"{path}/approval", headers=nan(funding_app, "bob"))).status_code == 428
    other = await funding_app.put(f"{path}/approval", None, nan(funding_app, "bob"))
    assert (other.json()["status"], other.json()["approved_by"]) == ("approved", "bob")
    twice = await funding_app.put(f"{path}/approval", None, nan(funding_app, "carol"))
    assert (twice.status_code, twice.json()["code"]) == (409, "RunNotCalculated")
    done = await funding_app.put(f"{path}/issue", None, nan(funding_app))
    assert done.json()["status"] == "issued"
    events = len(await funding_app.announced())
    again = await funding_app.client.put(f"{path}/issue", headers={**nan(funding_app), "If-Match": '"1"'})
    assert (again.status_code, again.json()) == (200, done.json())
    assert len(await funding_app.announced()) == events, "issuing twice pays once"
    late = await funding_app.put(f"{path}/abandonment", None, nan(funding_app))
    assert (late.status_code, late.json()["code"]) == (409, "RunIssued")


async def test_one_run_at_a_time_and_one_for_each_month(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await calculated(funding_app, "2022-04")
    for month in ("2022-04", "2022-05"):
        reply = await funding_app.post(RUNS, {"month": month}, nan(funding_app, "bob"))
        assert (reply.status_code, reply.json()["code"]) == (409, "RunInProgress")
    gone = await funding_app.put(f"{RUNS}/{run['id']}/abandonment", None, nan(funding_app))
    assert gone.json()["status"] == "abandoned"
    again = await paid(funding_app, "2022-04")
    assert again["total"] == run["total"]
    reply = await funding_app.post(RUNS, {"month": "2022-04"}, nan(funding_app))
    assert (reply.status_code, reply.json()["code"]) == (409, "RunInProgress")
    for month in ("2022-13", "2019-03", "0000-04", "9999-12"):
        assert (await funding_app.post(RUNS, {"month": month}, nan(funding_app))).status_code == 422


async def test_the_same_request_sent_twice_calculates_once(funding_app: Harness) -> None:
    await an_area(funding_app)
    headers = {**nan(funding_app), "Idempotency-Key": "the-april-run-of-alice"}
    first = await funding_app.post(RUNS, {"month": "2022-04"}, headers)
    second = await funding_app.post(RUNS, {"month": "2022-04"}, headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payment_lines SET amount = amount + 1",
        "DELETE FROM payment_lines",
        "INSERT INTO payment_lines SELECT id || 'x', run, network, practice, payee, stream, month, contract_year,"
        " amount, cause, held_code, reference, trace FROM payment_lines",
        "UPDATE payment_runs SET total = 0",
        "UPDATE payment_runs SET status = 'calculated'",
        "DELETE FROM payment_runs",
    ],
)
async def test_the_database_refuses_to_change_an_issued_run(funding_app: Harness, statement: str) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(statement))


async def test_lines_that_do_not_add_up_are_not_approved(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await calculated(funding_app, "2022-04")
    async with funding_app.session() as session:
        await session.execute(text("DELETE FROM payment_lines WHERE stream = 'extended_hours'"))
    reply = await funding_app.put(f"{RUNS}/{run['id']}/approval", None, nan(funding_app, "bob"))
    assert (reply.status_code, reply.json()["code"]) == (409, "ControlTotalsDiffer")


async def test_what_arrives_after_the_calculation_is_paid_by_the_next_run(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await calculated(funding_app, "2022-04")
    await funding_app.deliver(list_sizes("registered", {"A00001": 30100}, known_from=date(2022, 6, 1)))
    bob = nan(funding_app, "bob")
    await funding_app.put(f"{RUNS}/{run['id']}/approval", None, bob)
    issued = await funding_app.put(f"{RUNS}/{run['id']}/issue", None, bob)
    assert issued.json()["total"] == run["total"]
    later = await paid(funding_app, "2022-05")
    changed = await lines_of(funding_app, later, cause="population-restated")
    assert {(line["stream"], line["month"], line["amount"]) for line in changed} == {
        ("core_registered", "2022-04", "12.50"),
        ("clinical_director", "2022-04", "6.13"),
        ("extended_hours", "2022-04", "12.00"),
    }


async def test_each_difference_names_its_cause(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    rate = {
        "kind": "stream",
        "code": "core_registered",
        "basis": "registered",
        "value": "1.620",
        "rate_period": "year",
        "valid_from": "2022-04-01",
        "valid_to": "2023-03-31",
        "supersedes": "core_registered.2223.20",
        "confidence": "derived",
    }
    assert (await funding_app.post("/funding/v1/tariffs", rate, nan(funding_app))).status_code == 201
    await funding_app.deliver(
        list_sizes("adjusted", {"A00002": 20600}, known_from=date(2022, 6, 1)),
        list_sizes("registered", {"A00003": 1000}),
        list_sizes("adjusted", {"A00003": 900}),
        list_sizes("weighted", {"A00003": 800}),
        PracticeLeft(
            network=NETWORK,
            commissioner=COMMISSIONER,
            practice="A00002",
            valid_from=date(2020, 4, 1),
            valid_to=date(2022, 3, 31),
        ),
    )
    run = await paid(funding_app, "2022-05")
    adjustments = {
        (line["stream"], line["practice"]): (line["cause"], Decimal(line["amount"]))
        for line in await lines_of(funding_app, run)
        if line["month"] == "2022-04" and line["amount"]
    }
    assert adjustments == {
        ("core_registered", None): ("rate-changed", Decimal("-2200.00")),
        ("clinical_director", None): ("membership-changed", Decimal("-1226.67")),
        ("extended_hours", None): ("membership-changed", Decimal("-2400.00")),
        ("leadership_management", None): ("membership-changed", Decimal("-1165.00")),
        ("network_participation", "A00002"): ("membership-changed", Decimal("-2788.25")),
    }
    core = next(
        line for line in await lines_of(funding_app, run, stream="core_registered") if line["month"] == "2022-04"
    )
    told = await funding_app.client.get(f"/funding/v1/lines/{core['id']}/explanation", headers=nan(funding_app))
    assert told.json()["trace"]["causes"] == ["rate-changed", "membership-changed"]
    assert told.json()["recomputed"] == core["amount"]
    assert "computed from other published figures" in told.json()["warnings"][0]


async def test_a_practice_that_joins_late_and_an_allocated_list_are_made_good(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        list_sizes("registered", {"A00003": 1200, "A00004": 2400}, network=None),
        list_sizes("adjusted", {"A00003": 1200, "A00004": 2400}, network=None),
        list_sizes("weighted", {"A00003": 1200, "A00004": 2400}, network=None),
    )
    await paid(funding_app, "2022-04")
    await funding_app.deliver(
        PracticeJoined(network=NETWORK, commissioner=COMMISSIONER, practice="A00003", valid_from=date(2022, 4, 1)),
        PatientsAllocated(network=NETWORK, commissioner=COMMISSIONER, practice="A00004", valid_from=date(2022, 5, 1)),
    )
    run = await paid(funding_app, "2022-05")
    core = {line["month"]: line for line in await lines_of(funding_app, run, stream="core_registered")}
    assert (core["2022-04"]["cause"], core["2022-04"]["amount"]) == ("membership-changed", "150.00")
    assert core["2022-05"]["amount"] == "6700.00"
    joined = await lines_of(funding_app, run, practice="A00003")
    assert [(line["month"], line["amount"]) for line in joined] == [("2022-04", "176.10"), ("2022-05", "176.10")]
    assert await lines_of(funding_app, run, practice="A00004") == [], "a practice outside gets no participation"


async def test_a_practice_without_a_weighted_figure_is_held_and_named(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        list_sizes("registered", {"A00003": 1000}), an_approved_network(members=["A00001", "A00002", "A00003"])
    )
    run = await paid(funding_app, "2022-04")
    assert run["held"] == {"beds-missing": 1, "population-missing": 2}
    held = [line for line in await lines_of(funding_app, run, held="true") if line["held_code"] == "population-missing"]
    assert {line["stream"] for line in held} == {"network_participation", "leadership_management"}
    assert all("A00003" in line["held_reason"] for line in held)
    told = await funding_app.client.get(f"/funding/v1/lines/{held[0]['id']}/explanation", headers=nan(funding_app))
    assert "held" in told.json()["sentence"]
    assert told.json()["recomputed"] is None


async def test_the_payee_of_the_month_is_paid(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(PayeeAppointed(network=NETWORK, payee="X9999", valid_from=date(2022, 5, 1)))
    for month, payee in (("2022-04", "A00001"), ("2022-05", "X9999")):
        run = await paid(funding_app, month)
        assert {line["payee"] for line in await lines_of(funding_app, run, stream="core_registered")} == {payee}
    account = (await funding_app.client.get(f"/funding/v1/accounts/{NETWORK}", headers=nan(funding_app))).json()
    assert (account["payee"], account["appointed"]) == ("X9999", True)
    then = (
        await funding_app.client.get("/funding/v1/accounts", params={"as_at": "2022-04-30"}, headers=nan(funding_app))
    ).json()["items"]
    assert [item["payee"] for item in then] == ["A00001"]


async def test_late_news_of_an_earlier_year_is_paid_in_the_next_one(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    await funding_app.deliver(list_sizes("registered", {"A00001": 30100}, known_from=date(2022, 6, 1)))
    run = await paid(funding_app, "2023-04")
    earlier = {line["stream"] for line in await lines_of(funding_app, run) if line["contract_year"] == "2022-23"}
    assert earlier == {"core_registered", "clinical_director", "extended_hours"}
    assert run["held"] == {"beds-missing": 1, "population-missing": 7}


async def test_everybody_sees_their_own(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        an_approved_network("U99999", [Member(practice="B00001", valid_from=date(2020, 4, 1))], commissioner="11M")
    )
    run = await calculated(funding_app, "2022-04")
    path = f"{RUNS}/{run['id']}/lines"
    commissioner = funding_app.token(Role.COMMISSIONER, organisations=[COMMISSIONER])
    assert (await funding_app.client.get(path, headers=commissioner)).status_code == 404, "not issued yet"
    assert (await funding_app.client.get(f"{RUNS}/run-x/lines", headers=commissioner)).status_code == 404
    bob = nan(funding_app, "bob")
    await funding_app.put(f"{RUNS}/{run['id']}/approval", None, bob)
    await funding_app.put(f"{RUNS}/{run['id']}/issue", None, bob)
    line = (await lines_of(funding_app, run, network=NETWORK))[0]
    told = f"/funding/v1/lines/{line['id']}/explanation"

    async def seen(*roles: Role, organisations: list[str]) -> set[tuple[str, str | None]]:
        headers = funding_app.token(*roles, organisations=organisations)
        items = (await funding_app.client.get(path, headers=headers)).json()["items"]
        return {(item["network"], item["practice"]) for item in items}

    own = {(NETWORK, None), (NETWORK, "A00001"), (NETWORK, "A00002")}
    assert await seen(Role.COMMISSIONER, organisations=[COMMISSIONER]) == own
    assert await seen(Role.SYSTEM, organisations=["QHM"]) == own
    assert await seen(Role.NETWORK, organisations=[NETWORK]) == own
    assert await seen(Role.PRACTICE, organisations=["A00002"]) == {(NETWORK, "A00002")}
    assert await seen(Role.PAYEE, organisations=["A00001"]) == {(NETWORK, None), (NETWORK, "A00001")}
    assert await seen(Role.COMMISSIONER, organisations=["11M"]) == {("U99999", None), ("U99999", "B00001")}
    assert await seen(Role.NETWORK, organisations=[COMMISSIONER]) == set(), "a code counts only in its own role"
    every = (await funding_app.client.get("/funding/v1/lines", headers=commissioner)).json()["items"]
    assert {(item["network"], item["practice"]) for item in every} == own
    stranger = funding_app.token(Role.COMMISSIONER, organisations=["11M"])
    assert (await funding_app.client.get(told, headers=stranger)).status_code == 404
    assert (await funding_app.client.get(told, headers=commissioner)).status_code == 200
    assert (await funding_app.client.get(f"/funding/v1/accounts/{NETWORK}", headers=stranger)).status_code == 404
    query = {"network": NETWORK, "contract_year": "2022-23"}
    assert (await funding_app.client.get("/funding/v1/entitlements", params=query, headers=stranger)).status_code == 404
    assert (await funding_app.client.get(f"{RUNS}/{run['id']}", headers=commissioner)).status_code == 403
    lmc = funding_app.token(Role.LMC, organisations=[COMMISSIONER])
    assert (await funding_app.client.get(path, headers=lmc)).status_code == 403


async def test_entitlements_are_what_the_runs_pay(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await paid(funding_app, "2022-04")
    query = {"network": NETWORK, "contract_year": "2022-23", "month": "2022-04"}
    headers = funding_app.token(Role.NETWORK, organisations=[NETWORK])
    told = (await funding_app.client.get("/funding/v1/entitlements", params=query, headers=headers)).json()
    assert told["due"] == told["paid"] == run["total"]
    beds = next(item for item in told["items"] if item["stream"] == "care_home_premium")
    assert beds["held"][0]["code"] == "beds-missing"
    whole = (
        await funding_app.client.get("/funding/v1/entitlements", params={**query, "month": "2023-03"}, headers=headers)
    ).json()
    access = next(item for item in whole["items"] if item["stream"] == "enhanced_access")
    assert access["due"] == "180672.00"
    practice = funding_app.token(Role.PRACTICE, organisations=["A00002"])
    own = (await funding_app.client.get("/funding/v1/entitlements", params=query, headers=practice)).json()
    assert [(item["practice"], item["due"]) for item in own["items"]] == [("A00002", "2788.25")]
    outside = await funding_app.client.get(
        "/funding/v1/entitlements", params={**query, "month": "2021-04"}, headers=headers
    )
    assert outside.status_code == 422
    for year in ("2022-24", "9999-00", "0000-01"):
        wrong = await funding_app.client.get(
            "/funding/v1/entitlements", params={"network": NETWORK, "contract_year": year}, headers=headers
        )
        assert wrong.status_code == 422


# --- people at the same moment, on a database of their own ---


async def test_two_approvals_and_two_issues_at_once_have_one_effect(funding_live: Harness) -> None:
    await an_area(funding_live)
    run = await calculated(funding_live, "2022-04")
    path = f"{RUNS}/{run['id']}"
    bob, carol = nan(funding_live, "bob"), nan(funding_live, "carol")
    etag = (await funding_live.client.get(path, headers=bob)).headers["etag"]
    replies = await asyncio.gather(
        *(
            funding_live.client.put(f"{path}/approval", headers={**headers, "If-Match": etag})
            for headers in (bob, carol, bob, carol)
        )
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412]
    etag = (await funding_live.client.get(path, headers=bob)).headers["etag"]
    issues = await asyncio.gather(
        *(
            funding_live.client.put(f"{path}/issue", headers={**headers, "If-Match": etag})
            for headers in (bob, carol, bob, carol)
        )
    )
    assert {reply.status_code for reply in issues} == {200}
    assert len({reply.json()["issued_by"] for reply in issues}) == 1
    payments = [event for event in await funding_live.announced() if isinstance(event, PaymentIssued)]
    assert len(payments) == 1


async def test_runs_calculated_at_once_leave_one(funding_live: Harness) -> None:
    await an_area(funding_live)
    replies = await asyncio.gather(
        *(funding_live.post(RUNS, {"month": month}, nan(funding_live)) for month in ("2022-04", "2022-04", "2022-05"))
    )
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
    async with funding_live.session() as session:
        lines = (await session.scalars(select(PaymentLine).where(PaymentLine.amount.is_not(None)))).all()
    assert lines
    assert all(recompute(line.trace) == line.amount for line in lines)


async def test_a_run_sees_one_moment(funding_live: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restated network changes members and payee in one event, committed while a run is calculated: the run pays by
    the network as it was, whole, and the next one makes up for all of it."""
    app = funding_live
    await an_area(app)
    restated = NetworkRestated(
        network=NETWORK,
        network_name=NETWORK,
        commissioner=COMMISSIONER,
        valid_from=date(2020, 4, 1),
        entries=[Entry(network_name=NETWORK, commissioner=COMMISSIONER, valid_from=date(2020, 4, 1))],
        members=[Member(practice="A00002", valid_from=date(2020, 4, 1))],
        payees=[Appointment(payee="A00002", valid_from=date(2020, 4, 1))],
    )
    told: list[str] = []

    async def payees_before(session: AsyncSession, day: date) -> dict[str, str]:
        found = await payees_on(session, day)
        if not told:
            told.append("restated")
            await app.deliver(restated)
        return found

    monkeypatch.setattr(operations, "payees_on", payees_before)
    april = await calculated(app, "2022-04")
    by_head = {line["stream"]: line for line in await lines_of(app, april) if line["practice"] is None}
    assert told == ["restated"]
    assert (by_head["core_registered"]["payee"], by_head["core_registered"]["amount"]) == ("A00001", "6250.00")
    participating = [line["practice"] for line in await lines_of(app, april) if line["practice"]]
    assert participating == ["A00001", "A00002"], "members of the same moment as the payee"
    path, bob = f"{RUNS}/{april['id']}", nan(app, "bob")
    await app.put(f"{path}/approval", None, bob)
    assert (await app.put(f"{path}/issue", None, bob)).status_code == 200
    may = await lines_of(app, await calculated(app, "2022-05"))
    core = {line["month"]: (line["payee"], line["amount"]) for line in may if line["stream"] == "core_registered"}
    assert core == {"2022-04": ("A00001", "-3750.00"), "2022-05": ("A00002", "2500.00")}


async def test_a_run_is_not_calculated_beside_one_being_issued(funding_live: Harness) -> None:
    await an_area(funding_live)
    run = await calculated(funding_live, "2022-04")
    path, bob = f"{RUNS}/{run['id']}", nan(funding_live, "bob")
    approved = await funding_live.put(f"{path}/approval", None, bob)
    issue = funding_live.client.put(f"{path}/issue", headers={**bob, "If-Match": approved.headers["etag"]})
    replies = await asyncio.gather(issue, funding_live.post(RUNS, {"month": "2022-05"}, nan(funding_live)))
    assert replies[0].status_code == 200
    if replies[1].status_code == 201:
        april = [line for line in await lines_of(funding_live, replies[1].json()) if line["month"] == "2022-04"]
        assert [line for line in april if line["amount"]] == [], "April is not paid twice"
    else:
        assert replies[1].json()["code"] == "RunInProgress"


async def test_a_month_is_paid_from_its_first_day_in_london(funding_app: Harness) -> None:
    await an_area(funding_app)
    far = await funding_app.post(RUNS, {"month": "2098-12"}, nan(funding_app))
    assert (far.status_code, far.json()["code"]) == (409, "MonthNotBegun")
    moments = iter([datetime(2022, 5, 31, 22, 59, tzinfo=UTC), datetime(2022, 5, 31, 23, tzinfo=UTC)])
    funding_app.app.dependency_overrides[clock] = lambda: next(moments)
    for status in (409, 201):
        reply = await funding_app.post(RUNS, {"month": "2022-06"}, nan(funding_app))
        assert reply.status_code == status, reply.text


async def test_whoever_approves_a_run_sees_the_months_it_makes_up_for(funding_app: Harness) -> None:
    await an_area(funding_app)
    assert (await paid(funding_app, "2022-04"))["notes"]["months_covered"] == []
    july = await paid(funding_app, "2022-07")
    assert july["notes"]["months_covered"] == ["2022-05", "2022-06"]
    assert {line["month"] for line in await lines_of(funding_app, july)} == {"2022-05", "2022-06", "2022-07"}
    # arrears of a month that was paid are no month left out
    await funding_app.deliver(an_approved_network("U54321", ["A00003"], since=date(2022, 4, 1), payee="A00003"))
    await funding_app.deliver(list_sizes("registered", {"A00003": 31000}, network="U54321"))
    august = await paid(funding_app, "2022-08")
    assert "2022-04" in {line["month"] for line in await lines_of(funding_app, august, network="U54321")}
    assert august["notes"]["months_covered"] == []


async def test_a_month_that_becomes_due_late_moves_no_penny_of_those_paid(funding_app: Harness) -> None:
    await an_area(funding_app)
    sizes = {"A00001": 30007, "A00002": 20006}
    for basis in ("registered", "adjusted", "weighted"):
        await funding_app.deliver(list_sizes(basis, sizes))
    await funding_app.deliver(an_approved_network(payee="A00001", since=date(2022, 5, 1)))
    await paid(funding_app, "2022-06")
    await funding_app.deliver(an_approved_network(payee="A00001", since=date(2022, 4, 1)))
    july = await paid(funding_app, "2022-07")
    lines = [line for line in await lines_of(funding_app, july) if line["amount"] is not None]
    assert {(line["month"], line["cause"]) for line in lines} == {("2022-04", "due"), ("2022-07", "due")}
    assert july["notes"]["months_covered"] == ["2022-04"]
    march = await paid(funding_app, "2023-03")
    lines = [line for line in await lines_of(funding_app, march) if line["amount"] is not None]
    assert {line["cause"] for line in lines} == {"due"}
    assert min(line["month"] for line in lines) == "2022-08"


# --- what is unusual, and what must never happen ---


async def test_a_run_that_strays_from_the_month_before_needs_a_reason_for_each_finding(funding_app: Harness) -> None:
    await an_area(funding_app)
    alice, bob = nan(funding_app), nan(funding_app, "bob")
    assert (await paid(funding_app, "2022-04"))["findings"] == {}, "the first has nothing to be compared with"
    august = await calculated(funding_app, "2022-08")
    path = f"{RUNS}/{august['id']}"
    assert august["findings"] == {"payee-variance": 1}
    found = (await funding_app.client.get(f"{path}/findings", headers=alice)).json()["items"]
    assert [(one["subject"], one["paid_before"], one["amount"], one["reason"]) for one in found] == [
        ("A00001", "22661.92", "90647.66", None)
    ]
    silent = await funding_app.put(f"{path}/approval", None, bob)
    assert (silent.status_code, silent.json()["code"]) == (409, "FindingsNotAcknowledged")
    assert [fault["field"] for fault in silent.json()["errors"]] == [f"findings.{found[0]['id']}"]
    other = {"acknowledgements": [{"kind": "stream-variance", "reason": "no such"}]}
    assert (await funding_app.put(f"{path}/approval", other, bob)).json()["code"] == "FindingsNotAcknowledged"
    for both in ({"reason": "x"}, {"kind": "payee-variance", "finding": found[0]["id"], "reason": "x"}):
        reply = await funding_app.put(f"{path}/approval", {"acknowledgements": [both]}, bob)
        assert reply.status_code == 422
    own = {"acknowledgements": [{"finding": found[0]["id"], "reason": "Four months at once."}]}
    alone = await funding_app.put(f"{path}/approval", own, alice)
    assert alone.json()["code"] == "SamePerson"
    assert (await funding_app.put(f"{path}/approval", own, bob)).status_code == 200
    found = (await funding_app.client.get(f"{path}/findings?acknowledged=true", headers=alice)).json()["items"]
    assert [(one["acknowledged_by"], one["reason"]) for one in found] == [("bob", "Four months at once.")]
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text("UPDATE run_findings SET reason = 'another'"))
    assert (await funding_app.client.get(f"{RUNS}/run-x/findings", headers=alice)).status_code == 404


async def test_thresholds_are_dated_and_an_earlier_one_stays_answerable(funding_app: Harness) -> None:
    await an_area(funding_app)
    headers = nan(funding_app)
    path = "/funding/v1/variance-thresholds"
    shipped = (await funding_app.client.get(path, headers=headers)).json()["items"]
    assert [(one["kind"], one["percent"], one["amount"]) for one in shipped] == [
        ("stream-variance", "10", "250000.00"),
        ("payee-variance", "30", "30000.00"),
    ]
    before = datetime.now(UTC).isoformat()
    stricter = {
        "kind": "stream-variance",
        "percent": "5",
        "amount": "100.00",
        "reason": "a small area",
        "valid_from": "2026-01-01",
    }
    assert (await funding_app.post(path, stricter, headers)).status_code == 201
    now = (await funding_app.client.get(path, headers=headers)).json()["items"]
    assert {one["amount"] for one in now} == {"30000.00", "100.00"}
    for asked in ({"as_at": "2025-12-31"}, {"known_at": before}):
        then = (await funding_app.client.get(path, params=asked, headers=headers)).json()["items"]
        assert {one["amount"] for one in then} == {"30000.00", "250000.00"}
    await paid(funding_app, "2022-04")
    await funding_app.deliver(list_sizes("registered", {"A00001": 39000}, known_from=date(2022, 6, 1)))
    may = await calculated(funding_app, "2022-05")
    assert may["findings"] == {"stream-variance": 3}
    backwards = await funding_app.post(path, {**stricter, "valid_to": "2025-12-31"}, headers)
    assert backwards.status_code == 422
    operator = funding_app.token(Role.OPERATOR)
    assert (await funding_app.post(path, stricter, operator)).status_code == 403


async def test_no_line_goes_beyond_the_control_totals_even_while_a_run_is_calculated(funding_app: Harness) -> None:
    await an_area(funding_app)
    await calculated(funding_app, "2022-04")
    more = (
        "INSERT INTO payment_lines SELECT id || 'x', run, network, practice, payee, {stream}, month, contract_year,"
        " {amount}, cause, held_code, reference, trace FROM payment_lines WHERE stream = 'core_registered'"
    )
    for statement in (
        more.format(stream="stream", amount="amount"),
        more.format(stream="stream", amount="-1"),
        more.format(stream="'casp'", amount="0.01"),
        "TRUNCATE payment_lines CASCADE",
        "TRUNCATE payment_runs CASCADE",
    ):
        async with funding_app.session() as session:
            with pytest.raises(DBAPIError, match=r"control totals|append-only"):
                async with session.begin_nested():
                    await session.execute(text(statement))


async def ended(app: Harness, statement: str) -> None:
    """Have the server end the one connection that waits in a statement like this; fails if none comes to it."""
    for _ in range(200):
        await asyncio.sleep(0.05)
        async with app.session() as session:
            stopped = await session.scalar(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database() AND pid <> pg_backend_pid()"
                    " AND query LIKE :statement AND query NOT LIKE 'LOCK%'"
                ),
                {"statement": statement},
            )
        if stopped:
            assert stopped == 1
            return
    pytest.fail(f"nothing came to {statement}")


async def test_a_calculation_killed_in_the_middle_is_made_again_with_the_same_result(funding_live: Harness) -> None:
    """The server ends the connection while the lines are being written; the same request then does it all once."""
    await an_area(funding_live)
    headers = {**nan(funding_live), "Idempotency-Key": "april-whatever-happens"}
    async with funding_live.runtime.engine.connect() as blocker:
        await blocker.execute(text("LOCK TABLE payment_lines IN SHARE ROW EXCLUSIVE MODE"))
        killed = asyncio.create_task(funding_live.post(RUNS, {"month": "2022-04"}, headers))
        await ended(funding_live, "COPY%payment_lines%")
        reply = await killed
        assert reply.status_code == 503, reply.text
        await blocker.rollback()
    async with funding_live.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM payment_runs")) == 0
    again = await funding_live.post(RUNS, {"month": "2022-04"}, headers)
    assert again.status_code == 201, again.text
    assert again.json()["total"] == "25450.17"
    assert (await funding_live.post(RUNS, {"month": "2022-04"}, headers)).json() == again.json()
    async with funding_live.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM payment_runs")) == 1
        assert await session.scalar(text("SELECT sum(amount) FROM payment_lines")) == Decimal("25450.17")


async def test_an_issue_killed_in_the_middle_pays_once(funding_live: Harness) -> None:
    await an_area(funding_live)
    run = await calculated(funding_live, "2022-04")
    path, bob = f"{RUNS}/{run['id']}", nan(funding_live, "bob")
    approved = await funding_live.put(f"{path}/approval", None, bob)
    match = {**bob, "If-Match": approved.headers["etag"]}
    async with funding_live.runtime.engine.connect() as blocker:
        await blocker.execute(text("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE"))
        killed = asyncio.create_task(funding_live.client.put(f"{path}/issue", headers=match))
        await ended(funding_live, "%outbox%")
        reply = await killed
        assert reply.status_code == 503, reply.text
        await blocker.rollback()
    standing = (await funding_live.client.get(path, headers=bob)).json()
    assert standing["status"] == "approved"
    assert (await funding_live.client.put(f"{path}/issue", headers=match)).status_code == 200
    assert (await funding_live.client.put(f"{path}/issue", headers=match)).status_code == 200
    assert len([event for event in await funding_live.announced() if isinstance(event, PaymentIssued)]) == 1


async def test_arrears_of_a_closed_year_are_paid_after_march(funding_app: Harness) -> None:
    """A year ends with March; what becomes known of it later leaves with the next run, marked with its own year."""
    await an_area(funding_app)
    await paid(funding_app, "2023-03")
    await funding_app.deliver(list_sizes("registered", {"A00001": 30100}, known_from=date(2023, 4, 20)))
    second = await funding_app.post(RUNS, {"month": "2023-03"}, nan(funding_app))
    assert (second.status_code, second.json()["code"]) == (409, "RunInProgress"), "March itself is paid once"
    run = await paid(funding_app, "2023-04")
    arrears = [line for line in await lines_of(funding_app, run, stream="core_registered") if line["amount"]]
    assert {line["contract_year"] for line in arrears} == {"2022-23"}
    assert {line["cause"] for line in arrears} == {"population-restated"}
    assert sum(Decimal(line["amount"]) for line in arrears) == Decimal("150.00")
