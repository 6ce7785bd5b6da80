"""Funding's copies: events may come late, twice or in any order, and the copy ends the same."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from shared.events.base import Event
from shared.events.funding import BudgetSet
from shared.events.registry import Member, NetworkClosed, PayeeAppointed, PracticeJoined, PracticeLeft
from shared.identity import Role
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.harness import Harness


async def members(app: Harness) -> set[tuple[str, Any]]:
    async with app.session() as session:
        rows = await session.execute(text("SELECT practice, valid FROM memberships WHERE upper_inf(known)"))
        return {(row.practice, (row.valid.lower, row.valid.upper)) for row in rows}


HISTORY: list[Event] = [
    an_approved_network(),
    PracticeJoined(network=NETWORK, commissioner=COMMISSIONER, practice="A00003", valid_from=date(2022, 4, 1)),
    PracticeLeft(
        network=NETWORK,
        commissioner=COMMISSIONER,
        practice="A00002",
        valid_from=date(2020, 4, 1),
        valid_to=date(2022, 3, 31),
    ),
    PracticeLeft(
        network=NETWORK,
        commissioner=COMMISSIONER,
        practice="A00003",
        valid_from=date(2022, 4, 1),
        valid_to=date(2022, 9, 30),
    ),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(HISTORY)))))
async def test_memberships_end_the_same_in_any_order(funding_app: Harness, order: tuple[int, ...]) -> None:
    for number in order:
        await funding_app.deliver(HISTORY[number], position=number + 1)
    assert await members(funding_app) == {
        ("A00001", (date(2020, 4, 1), None)),
        ("A00002", (date(2020, 4, 1), date(2022, 4, 1))),
        ("A00003", (date(2022, 4, 1), date(2022, 10, 1))),
    }


async def test_an_approval_replaces_the_members_held_and_keeps_what_was_believed(funding_app: Harness) -> None:
    await funding_app.deliver(an_approved_network())
    await funding_app.deliver(
        an_approved_network(members=["A00001", Member(practice="A7", valid_from=date(2021, 4, 1))])
    )
    assert {practice for practice, _ in await members(funding_app)} == {"A00001", "A7"}
    async with funding_app.session() as session:
        believed = await session.scalars(text("SELECT practice FROM memberships WHERE NOT upper_inf(known)"))
        assert believed.all() == ["A00002"]
    await funding_app.deliver(an_approved_network(), position=1)
    assert {practice for practice, _ in await members(funding_app)} == {"A00001", "A7"}, "old news changes nothing"


async def test_a_closure_read_before_the_approval_still_closes(funding_app: Harness) -> None:
    closed = NetworkClosed(network=NETWORK, commissioner=COMMISSIONER, closed_on=date(2022, 6, 30))
    await funding_app.deliver(closed, position=9)
    await funding_app.deliver(an_approved_network(), position=3)
    async with funding_app.session() as session:
        assert await session.scalar(text("SELECT valid_to FROM networks")) == date(2022, 6, 30)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_newest_publication_of_a_population_counts(funding_app: Harness, order: tuple[int, ...]) -> None:
    published = [
        list_sizes("adjusted", {"A00001": "100.5"}, known_from=date(2022, 3, 1)),
        list_sizes("adjusted", {"A00001": "101.25"}, known_from=date(2022, 6, 1)),
        list_sizes("adjusted", {"A00001": "99.125"}, known_from=date(2022, 9, 1)),
    ]
    for number in order:
        await funding_app.deliver(published[number], position=number + 1)
    query = {"snapshot": "2022-01-01", "basis": "adjusted"}
    headers = funding_app.token(Role.NATIONAL)
    now = (await funding_app.client.get("/funding/v1/populations", params=query, headers=headers)).json()["items"]
    assert [Decimal(item["value"]) for item in now] == [Decimal("99.125")]


async def test_a_figure_confirmed_later_is_not_undone_by_an_older_one(funding_app: Harness) -> None:
    for value, known_from in ((100, date(2022, 3, 1)), (100, date(2022, 9, 1)), (120, date(2022, 6, 1))):
        await funding_app.deliver(list_sizes("registered", {"A00001": value}, known_from=known_from))
    async with funding_app.session() as session:
        assert await session.scalar(text("SELECT value FROM populations WHERE upper_inf(known)")) == 100


async def test_a_restatement_keeps_what_was_known_before(funding_app: Harness) -> None:
    await funding_app.deliver(list_sizes("adjusted", {"A00001": "100.5", "A00002": 7}, known_from=date(2022, 3, 1)))
    await funding_app.deliver(list_sizes("adjusted", {"A00001": "101.25"}, known_from=date(2022, 6, 1)))
    query = {"snapshot": "2022-01-01", "basis": "adjusted", "level": "network", "known_at": "2022-05-01T00:00:00Z"}
    headers = funding_app.token(Role.NATIONAL)
    then = (await funding_app.client.get("/funding/v1/populations", params=query, headers=headers)).json()["items"]
    assert [(item["network"], item["value"], item["practices"]) for item in then] == [(NETWORK, "107.5", 2)]
    del query["known_at"]
    now = (await funding_app.client.get("/funding/v1/populations", params=query, headers=headers)).json()["items"]
    assert [item["value"] for item in now] == ["108.25"]


async def budgets(app: Harness) -> list[tuple[str, Decimal | None]]:
    return [(e.contract_year, e.amount) for e in await app.announced() if isinstance(e, BudgetSet)]


BEGINNING: list[Event] = [
    some_practices(["A00001", "A00002"]),
    list_sizes("weighted", {"A00001": 31000, "A00002": 19000}),
    an_approved_network(),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_budget_is_set_once_everything_is_there(funding_app: Harness, order: tuple[int, ...]) -> None:
    for number in order:
        await funding_app.deliver(BEGINNING[number], position=number + 1)
    assert (await budgets(funding_app))[-1] == ("2022-23", Decimal("834800.00"))
    count = len(await budgets(funding_app))
    await funding_app.deliver(BEGINNING[1], BEGINNING[2])
    assert len(await budgets(funding_app)) == count, "nothing changed, nothing announced"


async def test_a_budget_waits_with_its_reason_and_follows_a_restatement(funding_app: Harness) -> None:
    await funding_app.deliver(BEGINNING[0], an_approved_network())
    query = {"network": NETWORK, "contract_year": "2022-23"}
    headers = funding_app.token(Role.NETWORK, organisations=[NETWORK])
    held = (await funding_app.client.get("/funding/v1/budgets", params=query, headers=headers)).json()["items"]
    assert (held[0]["amount"], held[0]["held_code"]) == (None, "population-missing")
    assert "A00001, A00002" in held[0]["held_reason"]
    await funding_app.deliver(BEGINNING[1])
    await funding_app.deliver(list_sizes("weighted", {"A00001": 31001}, known_from=date(2022, 6, 1)))
    assert await budgets(funding_app) == [
        ("2022-23", None),
        ("2022-23", Decimal("834800.00")),
        ("2022-23", Decimal("834816.70")),
    ]


async def test_in_2019_a_network_had_posts_and_a_large_one_twice_as_many(funding_app: Harness) -> None:
    begun = date(2019, 7, 1)
    for code, patients in (("U00001", 99_999), ("U00002", 100_000)):
        await funding_app.deliver(
            list_sizes("registered", {f"P{code}": patients}, snapshot=date(2019, 1, 1), network=code),
            an_approved_network(code, [f"P{code}"], since=begun, contract_year="2019-20"),
        )
    found = {e.network: e.amount for e in await funding_app.announced() if isinstance(e, BudgetSet)}
    assert found == {"U00001": Decimal("53942.25"), "U00002": Decimal("107884.50")}


async def test_in_2024_general_practitioners_have_a_sum_of_their_own(funding_app: Harness) -> None:
    await funding_app.deliver(
        list_sizes("weighted", {"A00001": 31000, "A00002": 19000}, snapshot=date(2024, 1, 1)),
        an_approved_network(contract_year="2024-25"),
    )
    headers = funding_app.token(Role.NATIONAL)
    items = (await funding_app.client.get("/funding/v1/budgets", headers=headers)).json()["items"]
    assert {item["scope"]: item["amount"] for item in items} == {
        "all_roles_except_gp": "1144700.00",
        "gp_only": "65150.00",
    }
    assert (await budgets(funding_app))[-1] == ("2024-25", Decimal("1209850.00"))


async def test_a_new_sum_sets_the_budgets_again(funding_app: Harness) -> None:
    await funding_app.deliver(*BEGINNING)
    rate = {
        "kind": "arrs_sum",
        "code": "all_roles",
        "basis": "weighted",
        "value": "17.000",
        "rate_period": "window",
        "valid_from": "2022-04-01",
        "valid_to": "2023-03-31",
        "supersedes": "arrs_sum.all_roles.2223",
        "confidence": "derived",
    }
    reply = await funding_app.post("/funding/v1/tariffs", rate, funding_app.token(Role.NATIONAL))
    assert reply.status_code == 201, reply.text
    assert (await budgets(funding_app))[-1] == ("2022-23", Decimal("850000.00"))


async def test_older_news_of_a_payee_is_ignored(funding_app: Harness) -> None:
    await funding_app.deliver(a_commissioner(), an_approved_network())
    await funding_app.deliver(PayeeAppointed(network=NETWORK, payee="X2", valid_from=date(2022, 4, 1)), position=9)
    await funding_app.deliver(PayeeAppointed(network=NETWORK, payee="X1", valid_from=date(2022, 4, 1)), position=8)
    headers = funding_app.token(Role.SYSTEM, organisations=["QHM"])
    account = (await funding_app.client.get(f"/funding/v1/accounts/{NETWORK}", headers=headers)).json()
    assert account["payee"] == "X2"
