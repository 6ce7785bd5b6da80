"""What funding, workforce and reporting hold after late changes of members is what the register believes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from deploy.doctor.copies import COPIES
from tests.harness import Harness
from tests.registry.builders import V1, commissioner, depart, join, load_sample, national

HILLS = "SB2"
TOWN = f"{V1}/networks/U90001"


@pytest.fixture
def readers(funding_app: Harness, workforce_app: Harness, reporting_app: Harness) -> dict[str, Harness]:
    return {"funding": funding_app, "workforce": workforce_app, "reporting": reporting_app}


async def rows(app: Harness, statement: str) -> list[tuple[str, ...]]:
    async with app.session() as session:
        return sorted(tuple(str(value) for value in row) for row in await session.execute(text(statement)))


async def agreed(registry: Harness, readers: dict[str, Harness], before: int) -> int:
    """Deliver what was announced since and compare every copy; gives how much has been announced."""
    events = await registry.announced()
    for reader in readers.values():
        await reader.deliver(*(e for e in events[before:] if type(e) in reader.service.handlers))
    for copy in COPIES:
        if copy.owner == "registry" and copy.what in {"memberships", "networks"}:
            assert await rows(readers[copy.holder], copy.held) == await rows(registry, copy.owned), copy.what
    return len(events)


async def change(app: Harness, path: str, **body: Any) -> None:
    of = path.split("/closure")[0] if path.endswith("/withdrawal") and "/closure" in path else path.rsplit("/", 1)[0]
    etag = (await app.client.get(of, headers=national(app))).headers["etag"]
    answer = await app.put(path, {"reason": "As decided.", **body}, commissioner(app, HILLS), match=etag)
    assert answer.is_success, answer.text


async def test_every_late_change_reaches_every_copy(registry_app: Harness, readers: dict[str, Harness]) -> None:
    app = registry_app
    await load_sample(app)
    told = await agreed(app, readers, 0)
    assert (await join(app, "U90001", "Z80001", valid_from="2022-07-01")).status_code == 201
    told = await agreed(app, readers, told)
    await change(
        app, f"{TOWN}/members/Z80001/2022-07-01/correction", valid_from="2022-06-01", valid_to=None, share="0.5"
    )
    told = await agreed(app, readers, told)
    assert (await join(app, "U90002", "Z80001", valid_from="2022-08-01", share="0.5")).status_code == 201
    assert (
        await depart(app, "U90001/members/Z80011/2019-10-01", last_day="2022-09-30", agreement="Agreed.")
    ).is_success
    told = await agreed(app, readers, told)
    await change(app, f"{TOWN}/members/Z80011/2019-10-01/correction", valid_from="2019-10-01", valid_to=None)
    await change(app, f"{TOWN}/members/Z80012/2019-10-01/withdrawal")
    told = await agreed(app, readers, told)
    await change(app, f"{TOWN}/name", name="Invented New Town PCN", valid_from="2022-10-01")
    await change(app, f"{TOWN}/lead-commissioner", commissioner="SA1", valid_from="2030-04-01")
    told = await agreed(app, readers, told)
    await change(app, f"{V1}/networks/U90002/closure", closed_on="2023-03-31")
    told = await agreed(app, readers, told)
    assert await rows(readers["funding"], "SELECT valid_to FROM networks WHERE code = 'U90002'") == [("2023-03-31",)]
    await change(app, f"{V1}/networks/U90002/closure", closed_on="2023-09-30")
    told = await agreed(app, readers, told)
    await change(app, f"{V1}/networks/U90002/closure/withdrawal")
    await agreed(app, readers, told)
    closed = "SELECT {} FROM networks WHERE {} = 'U90002'"
    for name, column, code in (
        ("funding", "valid_to", "code"),
        ("workforce", "closed_on", "network"),
        ("reporting", "closed_on", "network"),
    ):
        assert await rows(readers[name], closed.format(column, code)) == [("None",)], name


async def test_payees_are_put_right_in_funding_and_reporting(
    registry_app: Harness, readers: dict[str, Harness]
) -> None:
    app = registry_app
    await load_sample(app)
    for payee, first in (("Z80011", "2022-04-01"), ("Z80012", "2022-10-01")):
        answer = await app.put(f"{TOWN}/payee", {"payee": payee, "valid_from": first}, national(app))
        assert answer.status_code == 200, answer.text
    told = await agreed(app, readers, 0)
    wrong = {"valid_from": "2022-10-01", "reason": "It never was."}
    etag = (await app.client.get(TOWN, headers=national(app))).headers["etag"]
    assert (await app.put(f"{TOWN}/payee/withdrawal", wrong, national(app), match=etag)).status_code == 204
    again = await app.put(f"{TOWN}/payee/withdrawal", wrong, national(app), match='"99"')
    assert again.status_code == 412
    await agreed(app, readers, told)
    held = "SELECT payee, CAST(valid AS text) FROM payees WHERE network = 'U90001' AND upper_inf(known)"
    assert await rows(readers["funding"], held) == [("Z80011", "[2022-04-01,2022-10-01)")]
    assert await rows(readers["reporting"], "SELECT payee FROM networks WHERE network = 'U90001'") == [("Z80011",)]
    history = await app.client.get(f"{TOWN}/payee?history=true", headers=national(app))
    assert [(p["payee"], p["valid_from"], p["valid_to"]) for p in history.json()["items"]] == [
        ("Z80011", "2022-04-01", "2022-09-30")
    ]
    nobody = await app.client.get(f"{TOWN}/payee?as_at=2023-01-01", headers=national(app))
    assert nobody.json()["items"] == []
    etag = (await app.client.get(TOWN, headers=national(app))).headers["etag"]
    none = await app.put(f"{TOWN}/payee/withdrawal", wrong, national(app), match=etag)
    assert (none.status_code, none.json()["code"]) == (404, "NoPayeeThen")
