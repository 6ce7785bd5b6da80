"""A role a commissioner agreed with a network can be recruited for, up to its ceiling."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.events.funding import RoleAgreed
from tests.harness import Harness
from tests.workforce.builders import NETWORK, PREFIX, at, lists, network_token, set_up

ROLE = "agreed_u90001_manager"


async def test_an_agreed_role_is_claimable_from_the_day_it_holds(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    at(app, date(2024, 7, 1))
    await app.deliver(
        lists({"Z80001": 20_000, "Z80002": 22_000}).model_copy(update={"snapshot": date(2024, 1, 1)}),
        RoleAgreed(
            network=NETWORK,
            commissioner="SA1",
            role=ROLE,
            role_name="Network manager",
            ceiling=Decimal("60000.00"),
            valid_from=date(2024, 5, 1),
            agreed_on=date(2024, 4, 20),
        ),
    )
    asked = {"network": NETWORK, "role": ROLE, "wte": "1"}
    answers = {}
    for month in ("2024-04", "2024-08"):
        reply = await app.client.get(
            f"{PREFIX}/claimability", params={**asked, "month": month}, headers=network_token(app)
        )
        assert reply.status_code == 200, reply.text
        answers[month] = reply.json()["months"][0]
    assert {r["code"] for r in answers["2024-04"]["reasons"]} == {"RoleNotClaimable", "CeilingUnknown"}
    assert (answers["2024-08"]["ceiling"], answers["2024-08"]["reasons"]) == ("60000.00", [])
