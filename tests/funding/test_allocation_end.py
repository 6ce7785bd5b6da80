"""What funding holds of patients served from outside, when the registry thinks better of it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from shared.events.registry import AllocationEnded, PatientsAllocated
from tests.funding.builders import COMMISSIONER, NETWORK, an_approved_network, list_sizes, some_practices
from tests.harness import Harness

SERVED: dict[str, Any] = {"network": NETWORK, "commissioner": COMMISSIONER, "practice": "A00004"}
BEGUN = date(2022, 5, 1)


async def held(app: Harness) -> list[tuple[str, date, date | None]]:
    async with app.session() as session:
        rows = await session.execute(
            text("SELECT network, valid FROM allocations WHERE upper_inf(known) ORDER BY valid, network")
        )
        return [(row.network, row.valid.lower, row.valid.upper) for row in rows]


@pytest.fixture
async def app(funding_app: Harness) -> Harness:
    await funding_app.deliver(
        some_practices(["A00001", "A00004"]),
        list_sizes("registered", {"A00001": 31_000, "A00004": 5_000}),
        an_approved_network(),
        PatientsAllocated(**SERVED, valid_from=BEGUN),
    )
    return funding_app


async def test_an_ended_allocation_ends_and_one_in_error_is_gone(app: Harness) -> None:
    assert await held(app) == [(NETWORK, BEGUN, None)]
    for _ in range(2):
        await app.deliver(AllocationEnded(**SERVED, valid_from=BEGUN, valid_to=date(2022, 9, 30)))
        assert await held(app) == [(NETWORK, BEGUN, date(2022, 10, 1))]
    await app.deliver(AllocationEnded(**SERVED, valid_from=BEGUN, valid_to=date(2022, 4, 30), until=date(2022, 9, 30)))
    assert await held(app) == []


async def test_a_later_allocation_elsewhere_is_not_touched_by_the_end_of_an_earlier_one(app: Harness) -> None:
    again = PatientsAllocated(**{**SERVED, "network": "U99002"}, valid_from=date(2022, 10, 1))
    await app.deliver(again, AllocationEnded(**SERVED, valid_from=BEGUN, valid_to=date(2022, 9, 30)))
    assert await held(app) == [(NETWORK, BEGUN, date(2022, 10, 1)), ("U99002", date(2022, 10, 1), None)]
