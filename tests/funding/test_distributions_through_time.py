"""The onward split after mergers, leavers, restated lists and returned payments: always the payment, once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events.registry import PracticeLeft
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.funding.test_bank_details import approved, nan
from tests.funding.test_distributions import DISTRIBUTIONS, agreed, divided, network
from tests.funding.test_journey import paid
from tests.funding.test_merged_practices import JUNE, merged
from tests.funding.test_runs import lines_of
from tests.funding.test_runs_instructions import INSTRUCTIONS, file_of, instructions_of, settled
from tests.harness import Harness

LISTS = {"A00001": 30_000, "A00002": 20_000, "A00003": 10_000}


@pytest.fixture
async def app(funding_app: Harness) -> Harness:
    """A network of three practices and a practice in none."""
    await funding_app.deliver(
        a_commissioner(),
        some_practices([*LISTS, "A00009"]),
        *(list_sizes(basis, LISTS) for basis in ("registered", "adjusted", "weighted")),
        an_approved_network(members=LISTS, payee="A00001"),
    )
    return funding_app


async def of_the_network(app: Harness, run: dict[str, Any]) -> Decimal:
    """What a run paid the network itself."""
    lines = [line for line in await lines_of(app, run) if line["practice"] is None and line["amount"] is not None]
    return sum((Decimal(line["amount"]) for line in lines), Decimal("0.00"))


async def parts(app: Harness, run: dict[str, Any]) -> dict[str, str]:
    """Each member's weight, once what is divided is found to be the payment."""
    made = await divided(app, run)
    given = sum((Decimal(part["amount"]) for part in made["parts"]), Decimal(0))
    costs = sum((Decimal(cost["amount"]) for cost in made["costs"]), Decimal(0))
    assert given + Decimal(made["retained"]) + costs == Decimal(made["payment"]) == await of_the_network(app, run)
    return {part["practice"]: part["weight"] for part in made["parts"]}


@pytest.mark.parametrize(
    ("method", "more", "before", "after"),
    [
        ("registered", {}, ("30000", "20000", "10000"), ("50000", "10000")),
        ("weighted", {}, ("30000", "20000", "10000"), ("50000", "10000")),
        ("equal", {}, ("1", "1", "1"), ("1", "1")),
        ("custom", {"parts": {"A00001": "40", "A00002": "35", "A00003": "25"}}, ("40", "35", "25"), ("75", "25")),
        ("points", {"parts": {"A00002": "7", "A00003": "3"}}, ("7", "3"), ("7", "3")),
    ],
)
async def test_a_practice_that_went_over_has_its_part_with_its_successor(
    app: Harness, method: str, more: dict[str, Any], before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    await agreed(app, method, **more)
    may = await paid(app, "2022-05")
    await app.deliver(*merged("A00002", "A00001"))
    assert tuple((await parts(app, may)).values()) == before, "the members of May"
    june = await parts(app, await paid(app, "2022-06"))
    assert june == dict(zip(("A00001", "A00003"), after, strict=True))


async def test_a_part_of_a_practice_that_went_over_to_strangers_is_nobodys(app: Harness) -> None:
    await agreed(app, "fixed", parts={"A00001": "100.00", "A00002": "50.00"})
    await app.deliver(*merged("A00002", "A00009"))
    run = await paid(app, "2022-06")
    reply = await app.post(DISTRIBUTIONS, {"run": run["id"], "network": NETWORK}, network(app))
    assert (reply.status_code, reply.json()["code"]) == (409, "NotMembers")
    assert [fault["field"] for fault in reply.json()["errors"]] == ["parts.A00009"]


async def test_whoever_left_has_a_part_of_the_months_before(app: Harness) -> None:
    await agreed(app, "registered")
    left = PracticeLeft(
        network=NETWORK,
        commissioner=COMMISSIONER,
        practice="A00002",
        valid_from=date(2020, 4, 1),
        valid_to=date.fromordinal(JUNE.toordinal() - 1),
    )
    may = await paid(app, "2022-05")
    await app.deliver(left)
    assert set(await parts(app, may)) == set(LISTS)
    assert set(await parts(app, await paid(app, "2022-06"))) == {"A00001", "A00003"}


async def test_what_is_taken_back_is_divided_too_and_what_was_divided_stays(app: Harness) -> None:
    await agreed(app, "registered")
    april = await paid(app, "2022-04")
    assert await parts(app, april) == {"A00001": "30000", "A00002": "20000", "A00003": "10000"}
    shown = (await app.client.get(DISTRIBUTIONS, params={"run": april["id"]}, headers=network(app))).json()
    for basis in ("registered", "adjusted", "weighted"):
        await app.deliver(list_sizes(basis, {"A00001": 1_000, "A00002": 2_000}, known_from=date(2022, 5, 2)))
    may = await paid(app, "2022-05")
    assert await of_the_network(app, may) < 0, "April was paid for far too many"
    assert await parts(app, may) == {"A00001": "1000", "A00002": "2000", "A00003": "10000"}
    assert (await app.client.get(DISTRIBUTIONS, params={"run": april["id"]}, headers=network(app))).json() == shown


async def test_a_payment_that_came_back_and_leaves_again_is_divided_once(app: Harness) -> None:
    await agreed(app, "registered")
    await approved(app)
    april = await paid(app, "2022-04")
    await file_of(app, april)
    first = await parts(app, april)
    returned = await settled(app, (await instructions_of(app, april))["A00001"], "return")
    remedy = await app.put(f"{INSTRUCTIONS}/{returned['id']}/remedy", {"reason": "The account is open."}, nan(app))
    assert remedy.status_code == 200, remedy.text
    may = await paid(app, "2022-05")
    again = (await instructions_of(app, may))["A00001"]
    assert again["brought_forward"] == returned["amount"], "April leaves with May"
    assert await parts(app, may) == first, "of May's own money alone"
    twice = await app.post(DISTRIBUTIONS, {"run": april["id"], "network": NETWORK}, network(app))
    assert (twice.status_code, twice.json()["code"]) == (409, "AlreadyDistributed")
