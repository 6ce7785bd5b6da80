"""Whatever order events of different subjects come in, and however often: the same copies, the same sums at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pprint import pformat
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from deploy.issuer import EmbeddedIssuer
from shared.events.base import Event
from shared.events.funding import BudgetSet
from shared.events.registry import (
    AllocationEnded,
    CommissionerSucceeded,
    EntitlementRestored,
    EntitlementWithdrawn,
    Entry,
    Heir,
    Member,
    NetworkClosed,
    NetworkRestated,
    PatientsAllocated,
    PracticeClosed,
    PracticeFact,
    PracticeJoined,
    PracticeLeft,
    PracticeRegistered,
    PracticesPublished,
    PracticeSucceeded,
    WentOver,
)
from shared.identity import Role
from tests.conftest import rolled_back
from tests.funding.builders import a_commissioner, an_approved_network, list_sizes
from tests.harness import Harness

BEGUN, YEAR_ON = date(2019, 7, 1), date(2021, 4, 1)


def entries(network: str, *commissioners: tuple[str, date, date | None]) -> list[Entry]:
    return [
        Entry(network_name=f"Network {network}", commissioner=code, valid_from=first, valid_to=last)
        for code, first, last in commissioners
    ]


def practices(commissioner: str, *codes: str, **more: Any) -> PracticesPublished:
    return PracticesPublished(
        commissioner=commissioner,
        as_at=date(2022, 4, 1),
        practices=[
            PracticeFact(practice=c, practice_name=f"Surgery {c}", commissioner=commissioner, **more) for c in codes
        ],
    )


def restated(network: str, commissioner: str, last: date | None, *members: str, since: date = BEGUN) -> NetworkRestated:
    return NetworkRestated(
        network=network,
        network_name=f"Network {network}",
        commissioner=commissioner,
        valid_from=since,
        valid_to=last,
        entries=entries(network, (commissioner, since, last)),
        members=[Member(practice=m, valid_from=since, valid_to=last) for m in members],
        payees=[],
    )


def of(network: str, commissioner: str = "00L") -> dict[str, str]:
    return {"network": network, "commissioner": commissioner}


HISTORY: list[Event] = [
    a_commissioner("00L"),
    a_commissioner("00M"),
    practices("00L", "A1", "A2", "A3", "A4"),
    practices("00M", "B1", "B2"),
    an_approved_network(
        "U1", ["A1", "A2"], since=BEGUN, contract_year="2019-20", entries=entries("U1", ("00L", BEGUN, None))
    ),
    an_approved_network(
        "U2", ["B1", "B2"], commissioner="00M", since=BEGUN, contract_year="2020-21",
        entries=entries("U2", ("00M", BEGUN, None)),
    ),
    an_approved_network(
        "U3", ["A3"], since=BEGUN, contract_year="2023-24", entries=entries("U3", ("00L", BEGUN, None))
    ),
    NetworkClosed(**of("U3"), closed_on=date(2020, 3, 31)),
    list_sizes("registered", {"A1": 100, "A2": 200, "A3": 300}, snapshot=date(2020, 1, 1), network=None),
    list_sizes("registered", {"B1": 150}, snapshot=date(2020, 1, 1), commissioner="00M", network=None),
    list_sizes("weighted", {"A1": 110, "A2": 190}, snapshot=date(2022, 1, 1), network=None),
    list_sizes("registered", {"A1": 110, "A2": 190}, snapshot=date(2022, 1, 1), network=None),
    list_sizes("weighted", {"B1": 170, "A4": 35}, snapshot=date(2022, 1, 1), commissioner="00M", network=None),
    list_sizes("registered", {"B1": 171}, snapshot=date(2022, 1, 1), commissioner="00M", network=None),
    PatientsAllocated(**of("U1"), practice="A4", valid_from=date(2020, 4, 1)),
    PatientsAllocated(**of("U2", "00M"), practice="A4", valid_from=YEAR_ON),
    AllocationEnded(**of("U1"), practice="A4", valid_from=date(2020, 4, 1), valid_to=date(2021, 3, 31)),
    AllocationEnded(**of("U2", "00M"), practice="A4", valid_from=YEAR_ON, valid_to=date(2022, 9, 30)),
    PracticeJoined(**of("U1"), practice="A3", valid_from=date(2020, 4, 1)),
    PracticeLeft(**of("U1"), practice="A2", valid_from=BEGUN, valid_to=date(2022, 6, 30)),
    PracticeJoined(**of("U2", "00M"), practice="A2", valid_from=date(2022, 7, 1), share=Decimal("0.5")),
    EntitlementWithdrawn(**of("U2", "00M"), withdrawal="w1", withdrawn_from=date(2022, 5, 1), reason="None."),
    EntitlementRestored(**of("U2", "00M"), withdrawal="w1", restored_from=date(2022, 8, 1), reason="Back."),
    PracticeRegistered(practice=PracticeFact(practice="B2", practice_name="Surgery of B2", commissioner="00L")),
    PracticeClosed(practice="B2", commissioner="00L", closed_on=date(2022, 3, 31)),
    PracticeSucceeded(practice="B2", successor="A1", commissioner="00L", succeeded_on=date(2022, 4, 1)),
    PracticeClosed(practice="A3", commissioner="00L", closed_on=date(2022, 6, 30)),
    PracticeSucceeded(practice="A3", successor="A1", commissioner="00L", succeeded_on=date(2022, 7, 1)),
    PracticeSucceeded(practice="A3", successor="A2", commissioner="00L", succeeded_on=date(2022, 7, 1)),
    PracticesPublished(
        commissioner="00M",
        as_at=date(2022, 10, 1),
        practices=[
            PracticeFact(
                practice="A3", practice_name="Surgery A3", commissioner="00M", closed_on=date(2022, 7, 31),
                status="closed", went_over=[WentOver(successor="B1", valid_from=date(2022, 8, 1))],
            )
        ],
    ),
    restated("U3", "00L", None, "A3"),
    restated("U3", "00L", date(2021, 3, 31), "A3"),
    restated("U1", "00M", None, "A1", since=date(2020, 4, 1)),
    CommissionerSucceeded(
        commissioner="00L", succeeded_on=date(2022, 7, 1), kind="merger",
        successors=[Heir(commissioner="00M", commissioner_name="Commissioner 00M")],
    ),
    list_sizes("weighted", {"A1": 111}, snapshot=date(2022, 1, 1), network=None, known_from=date(2022, 6, 1)),
    list_sizes("weighted", {"A4": 35}, snapshot=date(2022, 1, 1), network=None, known_from=date(2022, 6, 1)),
    list_sizes("weighted", {"A9": 9}, snapshot=date(2024, 1, 1), network=None),
    NetworkClosed(**of("U2", "00M"), closed_on=date(2023, 3, 31)),
]  # fmt: skip

CURRENT = {
    "budgets": "network, contract_year, scope, commissioner, amount, held_code, held_reason, trace",
    "budget_years": "network, contract_year",
    "tenures": "network, valid_from, valid_to, commissioner",
    "networks": "code, name, commissioner, approved_on, valid_from, valid_to, by_application",
    "practices": "code, name, commissioner, opened_on, closed_on, status",
    "commissioners": "code, name, system",
    "successions": "commissioner, successor, succeeded_on, kind",
    "accounts": "network, opened_on",
}
BELIEVED = {
    "memberships": "network, practice, share, valid",
    "allocations": "network, practice, valid",
    "practice_heirs": "practice, successor, valid",
    "withdrawals": "withdrawal, network, practice, withdrawn_from, restored_from, valid",
    "populations": "practice, basis, snapshot, value, network, commissioner, published_on",
    "payees": "network, payee, valid",
}


async def held(app: Harness) -> dict[str, list[str]]:
    """What funding holds at the end, table by table, but for when it came to hold it."""
    found = {}
    async with app.session() as session:
        for table, columns in {**CURRENT, **BELIEVED}.items():
            now = "WHERE upper_inf(known)" if table in BELIEVED else ""
            rows = await session.execute(text(f"SELECT {columns} FROM {table} {now}"))  # noqa: S608
            found[table] = sorted(repr(tuple(row)) for row in rows)
    last: dict[tuple[str, str], Any] = {}
    for event in await app.announced():
        if isinstance(event, BudgetSet):
            last[event.network, event.contract_year] = (event.amount, event.held_reason, event.commissioner)
    found["announced"] = sorted(repr(one) for one in last.items() if one[1][:2] != (None, None))
    return found


def lanes() -> list[list[tuple[int, Event]]]:
    """What keeps its order, as a partition of a topic carries it: the events of one kind of record and one subject."""
    found: dict[tuple[str, str], list[tuple[int, Event]]] = defaultdict(list)
    for position, event in enumerate(HISTORY, 1):
        found[event.topic(), event.subject()].append((position, event))
    return list(found.values())


async def told(app: Harness, order: Sequence[tuple[int, Event]], sizes: Sequence[int]) -> dict[str, list[str]]:
    """What funding holds once these have come, so many at a time."""
    waiting, turn = [app.envelope(event, position=position) for position, event in order], 0
    while waiting:
        size = sizes[turn % len(sizes)]
        await app.receive(*waiting[:size])
        waiting, turn = waiting[size:], turn + 1
    async with app.session() as session:
        assert (await session.execute(text("SELECT type, code, reason FROM parked"))).all() == []
    return await held(app)


@pytest.fixture
async def in_order(migrated: Callable[[str], str], issuer: EmbeddedIssuer) -> dict[str, list[str]]:
    """What is held when all came one by one as it was announced."""
    async with rolled_back("funding", migrated("funding"), issuer) as app:
        return await told(app, list(enumerate(HISTORY, 1)), [1])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.integers(0, 11), max_size=2 * len(HISTORY)),
    sizes=st.lists(st.sampled_from([1, 2, 5, 50]), min_size=1, max_size=4),
    again=st.lists(st.integers(0, len(HISTORY) - 1), max_size=8),
)
@example(turns=[], sizes=[50], again=[])
@example(turns=[11] * 60, sizes=[1], again=[])
@example(turns=list(range(11)) * 4, sizes=[1], again=list(range(len(HISTORY))))
async def test_whatever_comes_first_the_same_is_held_in_the_end(
    migrated: Callable[[str], str],
    issuer: EmbeddedIssuer,
    in_order: dict[str, list[str]],
    turns: list[int],
    sizes: list[int],
    again: list[int],
) -> None:
    waiting, order = lanes(), list[tuple[int, Event]]()
    for turn in turns:
        if waiting:
            order.append(waiting[turn % len(waiting)].pop(0))
            waiting = [lane for lane in waiting if lane]
    order += [one for lane in waiting for one in lane]
    order += [(place + 1, HISTORY[place]) for place in again]
    async with rolled_back("funding", migrated("funding"), issuer) as app:
        found = await told(app, order, sizes)
    different = {
        table: {"not in order": sorted({*rows} - {*in_order[table]}), "missing": sorted({*in_order[table]} - {*rows})}
        for table, rows in found.items()
        if rows != in_order[table]
    }
    assert not different, pformat(different, width=200)


async def test_a_network_has_no_sum_of_a_year_after_it_closed(funding_app: Harness) -> None:
    app = funding_app
    lists = list_sizes("weighted", {"A1": 110}, snapshot=date(2022, 1, 1), network=None)
    await app.deliver(lists, an_approved_network("U3", ["A1"], since=BEGUN, contract_year="2019-20"))
    query, headers = {"contract_year": "2022-23"}, app.token(Role.NATIONAL)
    before = (await app.client.get("/funding/v1/budgets", params=query, headers=headers)).json()["items"]
    await app.deliver(NetworkClosed(**of("U3"), closed_on=date(2020, 3, 31)))
    after = (await app.client.get("/funding/v1/budgets", params=query, headers=headers)).json()["items"]
    then = {**query, "known_at": before[0]["set_at"]}
    known = (await app.client.get("/funding/v1/budgets", params=then, headers=headers)).json()["items"]
    assert ([one["network"] for one in before], after, known) == (["U3"], [], before)
    last = [event for event in await app.announced() if isinstance(event, BudgetSet)][-1]
    assert (last.network, last.contract_year, last.amount, last.held_reason) == ("U3", "2022-23", None, None)
    now = {**query, "known_at": datetime.now(UTC).isoformat()}
    assert (await app.client.get("/funding/v1/budgets", params=now, headers=headers)).json()["items"] == []
    await app.deliver(restated("U3", "00L", None, "A1"))
    again = (await app.client.get("/funding/v1/budgets", params=query, headers=headers)).json()["items"]
    assert [(one["network"], one["amount"]) for one in again] == [("U3", before[0]["amount"])]
