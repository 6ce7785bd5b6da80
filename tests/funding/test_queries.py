"""A line is queried: the clock runs; words answer it, a correction, or an adjustment two people made."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.funding.bank_holidays.model import WorkingDays
from services.funding.bank_holidays.shipped import HOLIDAYS
from shared.clock import london_day
from shared.events.funding import LineQueried, QueryAnswered, QueryWithdrawn
from shared.events.registry import Member
from shared.http import _now, _today
from shared.identity import Role
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, an_approved_network
from tests.funding.test_bank_details import nan
from tests.funding.test_journey import an_area, calculated, paid
from tests.funding.test_runs import lines_of
from tests.harness import Harness

QUERIES = "/funding/v1/queries"
WHY = {"reason": "It is less than the portal showed."}


def network(app: Harness) -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[NETWORK], subject="nina")


def commissioner(app: Harness, code: str = COMMISSIONER) -> dict[str, str]:
    return app.token(Role.COMMISSIONER, organisations=[code], subject=f"carol-{code}")


async def a_paid_claim(app: Harness) -> dict[str, Any]:
    """The line of a claim limited by the role's ceiling: £4,776.50 of £5,230.00."""
    await an_area(app)
    await app.deliver(a_claim(salary=Decimal("4500.00")))
    approved = await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))
    assert approved.status_code == 200, approved.text
    (line,) = await lines_of(app, await paid(app, "2022-04"), stream="arrs")
    return line


async def raised(app: Harness, line: str, headers: dict[str, str] | None = None, **more: str) -> dict[str, Any]:
    reply = await app.post(QUERIES, {"line": line, **WHY, **more}, headers or network(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_a_query_runs_by_working_days_from_the_day_it_was_raised(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    asked = await raised(funding_app, line["id"], expected="4900.00")
    today = london_day(datetime.now(UTC))
    assert (asked["state"], asked["paid"], asked["expected"], asked["raised_for"]) == (
        *("open", "4776.50", "4900.00"),
        NETWORK,
    )
    assert asked["raised_on"] == today.isoformat()
    assert asked["answer_by"] == WorkingDays(frozenset(HOLIDAYS)).after(today, 10).isoformat()
    twice = await funding_app.post(QUERIES, {"line": line["id"], **WHY}, network(funding_app))
    assert (twice.status_code, twice.json()["code"]) == (409, "LineQueriedAlready")
    (told,) = [event for event in await funding_app.announced() if isinstance(event, LineQueried)]
    assert (told.query, told.line, told.network, told.answer_by.isoformat()) == (
        asked["id"],
        line["id"],
        NETWORK,
        asked["answer_by"],
    )


async def test_the_clock_is_dated_and_a_query_keeps_the_one_it_began_with(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    clocks = "/funding/v1/query-clocks"
    first = await raised(funding_app, line["id"])
    set_to = {"working_days": 3, "reason": "shorter", "valid_from": "2026-01-01"}
    assert (await funding_app.post(clocks, set_to, nan(funding_app))).status_code == 201
    assert (await funding_app.post(clocks, set_to, commissioner(funding_app))).status_code == 403
    wrong = await funding_app.post(clocks, {**set_to, "valid_to": "2025-01-01"}, nan(funding_app))
    assert wrong.status_code == 422

    async def working_days(**asked: str) -> list[int]:
        reply = await funding_app.client.get(clocks, params=asked, headers=network(funding_app))
        return [item["working_days"] for item in reply.json()["items"]]

    assert (await working_days(), await working_days(as_at="2025-12-31")) == ([3], [10])
    done = await funding_app.put(f"{QUERIES}/{first['id']}/withdrawal", {"reason": "mistaken"}, network(funding_app))
    assert (done.status_code, done.json()["state"]) == (200, "withdrawn")
    (told,) = [event for event in await funding_app.announced() if isinstance(event, QueryWithdrawn)]
    assert (told.query, told.line, told.network) == (first["id"], line["id"], NETWORK)
    second = await raised(funding_app, line["id"])
    calendar = WorkingDays(frozenset(HOLIDAYS))
    assert second["answer_by"] == calendar.after(london_day(datetime.now(UTC)), 3).isoformat()
    assert (await funding_app.client.get(f"{QUERIES}/{first['id']}", headers=nan(funding_app))).json()[
        "answer_by"
    ] == first["answer_by"]


async def test_overdue_queries_are_a_list(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    asked = await raised(funding_app, line["id"])

    async def overdue(value: str) -> list[str]:
        reply = await funding_app.client.get(QUERIES, params={"overdue": value}, headers=commissioner(funding_app))
        return [item["id"] for item in reply.json()["items"]]

    assert (await overdue("true"), await overdue("false")) == ([], [asked["id"]])
    answer_by = date.fromisoformat(asked["answer_by"])
    for day, late in ((answer_by, False), (date.fromordinal(answer_by.toordinal() + 1), True)):
        funding_app.app.dependency_overrides[_today] = lambda day=day: day
        assert await overdue("true") == ([asked["id"]] if late else [])
        one = await funding_app.client.get(f"{QUERIES}/{asked['id']}", headers=network(funding_app))
        assert one.json()["overdue"] is late


async def test_words_and_corrections_answer_at_once(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    first = await raised(funding_app, line["id"])
    path = f"{QUERIES}/{first['id']}/answer"
    words = {"kind": "explanation", "answer": "The ceiling of the role bit."}
    for wrong in (
        {**words, "amount_due": "1.00"},
        {**words, "correction": "x"},
        {**words, "kind": "adjustment"},
        {**words, "kind": "correction"},
    ):
        assert (await funding_app.put(path, wrong, nan(funding_app))).status_code == 422
    assert (await funding_app.client.put(path, json=words, headers=nan(funding_app))).status_code == 428
    assert (await funding_app.put(path, words, nan(funding_app), match='"9"')).status_code == 412
    assert (await funding_app.put(path, words, commissioner(funding_app, "11M"), match='"1"')).status_code == 404
    done = (await funding_app.put(path, words, commissioner(funding_app))).json()
    assert (done["state"], done["kind"], done["answered_by"]) == ("answered", "explanation", "carol-00L")
    again = await funding_app.put(path, words, nan(funding_app))
    assert (again.status_code, again.json()["code"]) == (409, "QueryClosed")
    second = await raised(funding_app, line["id"])
    pointed = {"kind": "correction", "answer": "The list was restated.", "correction": "populations of 1 June 2022"}
    assert (await funding_app.put(f"{QUERIES}/{second['id']}/answer", pointed, nan(funding_app))).status_code == 200
    answers = [event for event in await funding_app.announced() if isinstance(event, QueryAnswered)]
    assert [(event.query, event.kind, event.adjustment) for event in answers] == [
        (first["id"], "explanation", None),
        (second["id"], "correction", None),
    ]


async def test_an_adjustment_needs_two_people_and_is_paid_once_by_the_next_run(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    asked = await raised(funding_app, line["id"])
    path = f"{QUERIES}/{asked['id']}"
    same = {"kind": "adjustment", "answer": "As paid.", "amount_due": "4776.50"}
    nothing = await funding_app.put(f"{path}/answer", same, nan(funding_app))
    assert (nothing.status_code, nothing.json()["code"]) == (409, "NothingToAdjust")
    for what, body in (("approval", None), ("refusal", {"reason": "no"})):
        early = await funding_app.put(f"{path}/{what}", body, nan(funding_app, "bob"))
        assert (early.status_code, early.json()["code"]) == (409, "QueryNotProposed")
    more = {"kind": "adjustment", "answer": "The zone was Outer London.", "amount_due": "4884.60"}
    proposed = (await funding_app.put(f"{path}/answer", more, nan(funding_app))).json()
    assert (proposed["state"], proposed["adjustment"]) == ("proposed", "108.10")
    alone = await funding_app.put(f"{path}/approval", None, nan(funding_app))
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePerson")
    refused = (await funding_app.put(f"{path}/refusal", {"reason": "Which zone?"}, nan(funding_app, "bob"))).json()
    assert (refused["state"], refused["adjustment"], refused["refusal"]) == ("open", None, "Which zone?")
    await funding_app.put(f"{path}/answer", more, nan(funding_app))
    assert (await funding_app.put(f"{path}/approval", None, nan(funding_app, "bob"))).status_code == 200
    run = await paid(funding_app, "2022-05")
    (paid_line,) = await lines_of(funding_app, run, cause="query")
    assert (paid_line["month"], paid_line["amount"], paid_line["reference"], paid_line["payee"]) == (
        *("2022-04", "108.10"),
        f"queries/{asked['id']}",
        "A00001",
    )
    told = await funding_app.client.get(
        f"/funding/v1/lines/{paid_line['id']}/explanation", headers=network(funding_app)
    )
    assert told.json()["recomputed"] == "108.10"
    assert "answered by an adjustment" in told.json()["sentence"]
    assert any("proposed by alice, approved by bob" in step for step in told.json()["arithmetic"])
    june = await paid(funding_app, "2022-06")
    assert await lines_of(funding_app, june, cause="query") == [], "once"
    assert (await funding_app.client.get(path, headers=nan(funding_app))).json()["adjusted_in"] == run["id"]
    # a second query of the same line starts from what was paid and adjusted, and may take back
    again = await raised(funding_app, line["id"])
    less = {"kind": "adjustment", "answer": "It was Inner London after all.", "amount_due": "4800.00"}
    back = (await funding_app.put(f"{QUERIES}/{again['id']}/answer", less, nan(funding_app))).json()
    assert back["adjustment"] == "-84.60"


async def test_what_is_paid_by_rule_is_corrected_and_not_adjusted(funding_app: Harness) -> None:
    await an_area(funding_app)
    lines = await lines_of(funding_app, await paid(funding_app, "2022-04"))
    more = {"kind": "adjustment", "answer": "More.", "amount_due": "9999.00"}
    for line in (
        next(one for one in lines if one["stream"] == "core_registered"),
        next(one for one in lines if one["held_code"]),
    ):
        asked = await raised(funding_app, line["id"])
        reply = await funding_app.put(f"{QUERIES}/{asked['id']}/answer", more, nan(funding_app))
        assert (reply.status_code, reply.json()["code"]) == (409, "AmountIsByRule")


async def test_everybody_queries_and_sees_their_own(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        an_approved_network("U99999", [Member(practice="B00001", valid_from=date(2020, 4, 1))], commissioner="11M")
    )
    run = await paid(funding_app, "2022-04")
    own = next(line for line in await lines_of(funding_app, run) if line["practice"] == "A00002")
    practice = funding_app.token(Role.PRACTICE, organisations=["A00002"])
    other = funding_app.token(Role.PRACTICE, organisations=["A00001"])
    stranger = funding_app.token(Role.NETWORK, organisations=["U99999"])
    for headers in (other, stranger):
        reply = await funding_app.post(QUERIES, {"line": own["id"], **WHY}, headers)
        assert (reply.status_code, reply.json()["code"]) == (404, "LineNotFound")
    assert (await funding_app.post(QUERIES, {"line": own["id"], **WHY}, nan(funding_app))).status_code == 403
    asked = await raised(funding_app, own["id"], practice)
    for headers, status in (
        *((practice, 200), (network(funding_app), 200), (commissioner(funding_app), 200), (nan(funding_app), 200)),
        *((other, 404), (stranger, 404), (commissioner(funding_app, "11M"), 404)),
    ):
        assert (await funding_app.client.get(f"{QUERIES}/{asked['id']}", headers=headers)).status_code == status
        listed = (await funding_app.client.get(QUERIES, headers=headers)).json()["items"]
        assert [item["id"] for item in listed] == ([asked["id"]] if status == 200 else [])
    why = {"reason": "no"}
    not_ours = await funding_app.put(f"{QUERIES}/{asked['id']}/withdrawal", why, network(funding_app))
    assert (not_ours.status_code, not_ours.json()["code"]) == (403, "NotYourQuery")
    may = await calculated(funding_app, "2022-05")
    waiting = next(line for line in await lines_of(funding_app, may) if line["practice"] == "A00002")
    early = await funding_app.post(QUERIES, {"line": waiting["id"], **WHY}, practice)
    assert early.status_code == 404, "a run not issued is nobody's business yet"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payment_queries SET approved_by = answered_by",
        "UPDATE payment_queries SET approved_by = NULL",
    ],
)
async def test_the_database_wants_two_people_for_an_adjustment(funding_app: Harness, statement: str) -> None:
    line = await a_paid_claim(funding_app)
    asked = await raised(funding_app, line["id"])
    path = f"{QUERIES}/{asked['id']}"
    more = {"kind": "adjustment", "answer": "More.", "amount_due": "4884.60"}
    await funding_app.put(f"{path}/answer", more, nan(funding_app))
    await funding_app.put(f"{path}/approval", None, nan(funding_app, "bob"))
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(statement))


async def test_a_line_queried_by_two_at_once_has_one_query(funding_live: Harness) -> None:
    line = await a_paid_claim(funding_live)
    payee = funding_live.token(Role.PAYEE, organisations=["A00001"])
    replies = await asyncio.gather(
        *(funding_live.post(QUERIES, {"line": line["id"], **WHY}, who) for who in (network(funding_live), payee))
    )
    assert sorted(reply.status_code for reply in replies) == [201, 409]


async def test_an_adjustment_approved_by_two_at_once_is_approved_once(funding_live: Harness) -> None:
    line = await a_paid_claim(funding_live)
    asked = await raised(funding_live, line["id"])
    path = f"{QUERIES}/{asked['id']}"
    more = {"kind": "adjustment", "answer": "More.", "amount_due": "4884.60"}
    proposed = await funding_live.put(f"{path}/answer", more, nan(funding_live))
    match = {"If-Match": proposed.headers["etag"]}
    replies = await asyncio.gather(
        *(funding_live.client.put(f"{path}/approval", headers={**nan(funding_live, w), **match}) for w in ("b", "c"))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412]
    assert len([e for e in await funding_live.announced() if isinstance(e, QueryAnswered)]) == 1


async def test_a_query_of_a_summer_night_is_of_the_london_day(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    funding_app.app.dependency_overrides[_now] = lambda: datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
    asked = await raised(funding_app, line["id"])
    assert (asked["raised_on"], asked["answer_by"]) == ("2026-07-01", "2026-07-15")
