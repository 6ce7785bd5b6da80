"""Two people change one area at one time: whatever the order, no list is paid for twice and no decision is halved."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from tests.harness import Harness
from tests.registry.builders import allocate, join, load_sample

COAST = tuple(f"Z800{number:02}" for number in range(1, 11))

TWICE = text(
    "SELECT m.practice FROM memberships m JOIN allocations a ON a.practice = m.practice AND a.valid && m.valid "
    "WHERE upper_inf(m.known) AND upper_inf(a.known) AND a.network IS NOT NULL"
)


async def test_a_list_is_not_allocated_while_its_practice_joins(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    calls = []
    for code in COAST:
        calls += [
            join(app, "U90001", code, valid_from="2022-04-01"),
            allocate(app, practice=code, network="U90002"),
        ]
    answers = await asyncio.gather(*calls)
    pairs = [sorted(a.status_code for a in answers[at : at + 2]) for at in range(0, len(answers), 2)]
    assert pairs == [[201, 409]] * len(COAST), [a.text for a in answers]
    async with app.session() as session:
        assert (await session.scalars(TWICE)).all() == []
