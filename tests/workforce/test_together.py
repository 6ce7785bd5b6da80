"""Two people at once, on a database of their own."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from services.workforce.roles.operations import load_catalogue
from shared.events import workforce
from tests.harness import Harness
from tests.workforce.builders import NETWORK, PREFIX, a_plan, costs, in_post, network_token, open_vacancy, set_up


async def test_two_vacancies_at_once_do_not_share_the_last_room(workforce_live: Harness) -> None:
    app = workforce_live
    await set_up(app, budget="60000.00")
    await a_plan(app)
    answers = await asyncio.gather(*(open_vacancy(app) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409]


async def test_two_claims_of_a_month_at_once_are_one(workforce_live: Harness) -> None:
    app = workforce_live
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    body = {"network": NETWORK, "month": "2022-06"}
    answers = await asyncio.gather(*(app.post(f"{PREFIX}/claims", body, network_token(app)) for _ in range(3)))
    assert sorted(a.status_code for a in answers) == [201, 409, 409]
    assert len([e for e in await app.announced() if isinstance(e, workforce.ClaimMade)]) == 1


async def test_a_claim_is_never_changed_or_removed(workforce_live: Harness) -> None:
    from sqlalchemy.exc import IntegrityError

    app = workforce_live
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    refused = 0
    for statement in ("UPDATE claims SET salary = 0", "DELETE FROM claims"):
        try:
            async with app.session() as session:
                await session.execute(text(statement))
        except IntegrityError as error:
            refused += "append-only" in str(error)
    assert refused == 2


async def test_loading_the_catalogue_again_changes_nothing(workforce_live: Harness) -> None:
    app = workforce_live

    async def versions() -> list[tuple[str, str]]:
        async with app.session() as session:
            rows = await session.execute(text("SELECT code, xmin::text FROM roles ORDER BY code"))
            return [(row[0], row[1]) for row in rows]

    before = await versions()
    async with app.session() as session:
        await load_catalogue(session)
    assert await versions() == before
    async with app.session() as session:
        await session.execute(text("UPDATE roles SET name = 'x' WHERE code = 'paramedic'"))
        await load_catalogue(session)
        name = (await session.execute(text("SELECT name FROM roles WHERE code = 'paramedic'"))).scalar_one()
    assert name == "Paramedic"
