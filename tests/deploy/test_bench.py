"""The bench is measured against floors that give the very answers the services give."""

from __future__ import annotations

from datetime import date

import httpx

from bench.serve import floor
from shared.events.registry import PayeeAppointed
from tests.funding.builders import NETWORK, a_commissioner, an_approved_network
from tests.harness import Harness
from tests.registry.builders import load_sample, national
from tests.registry.network_life import HOME, signed_on_paper, take_partner


async def same(app: Harness, *paths: str) -> list[dict[str, object]]:
    """What the service says, once the floor was heard to say the same, byte for byte and with the same ETag."""
    bare = floor(app.service.settings.database_url)
    said = []
    async with (
        bare.router.lifespan_context(bare),
        httpx.AsyncClient(transport=httpx.ASGITransport(bare), base_url="http://floor") as client,
    ):
        for path in paths:
            ours = await app.client.get(path, headers=national(app))
            least = await client.get(path)
            assert (ours.status_code, least.status_code) == (200, 200), (ours.text, least.text)
            assert ours.content == least.content
            assert ours.headers["etag"] == least.headers["etag"]
            said.append(ours.json())
    return said


async def test_the_floor_gives_an_account_as_funding_does(funding_live: Harness) -> None:
    await funding_live.deliver(
        a_commissioner(),
        an_approved_network(),
        PayeeAppointed(network=NETWORK, payee="A00001", valid_from=date(2022, 4, 1)),
    )
    path = f"/funding/v1/accounts/{NETWORK}?as_at="
    accounts = await same(funding_live, f"{path}2022-03-31", f"{path}2022-04-01")
    assert [a["appointed"] for a in accounts] == [False, True]


async def test_the_floor_gives_a_network_as_the_registry_does(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    await same(app, f"{HOME}?as_at=2022-04-01")
    await signed_on_paper(app)
    before, signed = await same(app, f"{HOME}?as_at=2022-03-31", f"{HOME}?as_at=2022-04-01")
    assert (before["live"], signed["live"], signed["agreement"]) == (False, True, 1)
    taken = await take_partner(app, party=True)
    assert taken.status_code == 201, taken.text
    (joined,) = await same(app, f"{HOME}?as_at=2022-04-01")
    assert joined["live"] is False, "a partner that is party has yet to sign"
