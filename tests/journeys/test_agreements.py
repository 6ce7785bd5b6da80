"""What the registry calls a network's agreement on a day is what funding takes for it, in whatever order it heard."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from services.funding.agreements.model import NetworkAgreement
from shared.events.registry import AgreementEnded, AgreementSigned
from shared.facts import currently_known, held_in_turn
from tests.harness import Harness
from tests.registry.builders import load_sample
from tests.registry.network_life import HOME, lead, network, signed_on_paper, terms
from tests.registry.test_agreement import leaves, taken_back

DAYS = ("2022-03-31", "2022-04-01", "2022-06-30", "2022-07-01", "2022-09-30", "2022-10-01", "2022-12-31", "2023-01-01")


async def registry_says(app: Harness) -> list[int | None]:
    answers = [await app.client.get(f"{HOME}/agreement?as_at={day}", headers=network(app)) for day in DAYS]
    assert {answer.status_code for answer in answers} <= {200, 404}
    return [answer.json().get("number") for answer in answers]


async def funding_says(app: Harness) -> tuple[list[int | None], list[int | None]]:
    """What payments wait for, and what suggests how money is divided."""
    async with app.session() as session:
        kept = (await session.scalars(select(NetworkAgreement).where(currently_known(NetworkAgreement)))).all()
    held = held_in_turn({fact.agreement_version: fact.valid for fact in kept})
    paid = [next((n for n, valid in held if valid.contains(date.fromisoformat(day))), None) for day in DAYS]
    suggested: list[int | None] = []
    for day in DAYS:
        path = f"/funding/v1/distribution-suggestions?as_at={day}"
        items = (await app.client.get(path, headers=network(app))).json()["items"]
        assert len(items) <= 1
        suggested.append(items[0]["agreement_version"] if items else None)
    return paid, suggested


@pytest.mark.parametrize("backwards", [False, True])
async def test_registry_and_funding_agree_on_the_agreement_of_every_day(
    registry_app: Harness, funding_app: Harness, backwards: bool
) -> None:
    app, heard = registry_app, 0
    await load_sample(app)

    async def both() -> list[int | None]:
        nonlocal heard
        news = [e for e in await app.announced() if isinstance(e, AgreementSigned | AgreementEnded)]
        fresh = list(enumerate(news, 1))[heard:]
        heard = len(news)
        for position, event in reversed(fresh) if backwards else fresh:
            await funding_app.deliver(event, position=position)
        said = await registry_says(app)
        assert await funding_says(funding_app) == (said, said)
        return said

    async def ends(number: int, last_day: str) -> None:
        body = {"last_day": last_day, "reason": "Agreed so."}
        answer = await app.put(f"{HOME}/agreement/versions/{number}/ending", body, lead(app))
        assert answer.status_code == 200, answer.text

    equal = terms(finance={"pays_on": {"rule": "equal"}})
    await signed_on_paper(app)
    assert await both() == [None, 1, 1, 1, 1, 1, 1, 1]
    await signed_on_paper(app, in_force_from="2022-07-01", terms=equal)
    await ends(2, "2022-12-31")
    assert await both() == [None, 1, 1, 2, 2, 2, 2, None]
    await signed_on_paper(app, in_force_from="2022-10-01", terms=equal)
    assert await both() == [None, 1, 1, 2, 2, 3, 3, 3]
    await taken_back(app, "Z80012", 3)
    assert await both() == [None, 1, 1, 2, 2, 2, 2, None]
    await leaves(app, "Z80013", date(2022, 10, 1))
    await taken_back(app, "Z80013", 2)
    assert await both() == [None, 1, 1, 1, 1, 2, 2, None]
    await taken_back(app, "Z80012", 2)
    assert await both() == [None, 1, 1, 1, 1, 1, 1, 1]
