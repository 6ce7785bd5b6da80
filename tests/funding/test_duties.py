"""What is delivered: the minutes and services everybody owes, and those of a local variation in their place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.events.funding import VariationApproved
from shared.identity import Role
from tests.funding.asking import commissioner, entitled
from tests.funding.builders import COMMISSIONER, NETWORK
from tests.funding.test_journey import an_area
from tests.funding.test_runs import nan
from tests.funding.test_variations import VARIATIONS, a_variation, consent, proposed
from tests.funding.test_variations_roles import in_force, take_back
from tests.harness import Harness

DUTIES = "/funding/v1/duties"
LONGER: dict[str, Any] = {
    "duty": "enhanced_access",
    "name": "Enhanced access, evenings included",
    "minutes": {"basis": "adjusted", "per_1000": "75"},
}
ROUNDS: dict[str, Any] = {
    "duty": "frailty_rounds",
    "name": "Weekly rounds for frail people",
    "description": "Everybody with severe frailty is seen once a week, at home where need be.",
}


def minutes(told: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(m["duty"], m["scope"], m["population"], m["minutes"]) for m in told["weekly_minutes"]]


async def listed(app: Harness, headers: dict[str, str] | None = None, **asked: str) -> list[dict[str, Any]]:
    reply = await app.client.get(DUTIES, params=asked, headers=headers or nan(app))
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_national_duties_are_told_with_their_days(funding_app: Harness) -> None:
    app = funding_app
    anybody = app.token(Role.TRUST, organisations=["RX1"])
    everything = [(d["duty"], d["per_1000"], d["valid_from"], d["valid_to"]) for d in await listed(app, anybody)]
    assert everything == [
        ("enhanced_access", "60", "2022-10-01", None),
        ("extended_hours", "30", "2019-07-01", "2020-03-31"),
        ("extended_hours", "30", "2020-04-01", "2022-09-30"),
    ]
    assert [d["counted_at"] for d in await listed(app, as_at="2019-09-01")] == ["2019-04-01"]
    assert await listed(app, as_at="2019-09-01", known_at="2019-01-01T00:00:00Z") == []


async def test_minutes_of_a_variation_stand_in_for_the_national_ones_of_patients_whose_practice_agreed(
    funding_app: Harness,
) -> None:
    app = funding_app
    await an_area(app)
    before = datetime.now(UTC)
    nationally = [("enhanced_access", "national", "48000", "2880")]
    assert minutes(await entitled(app, "2022-10")) == nationally
    variation = await in_force(app, duties=[LONGER, ROUNDS], practices=("A00001",))
    assert (variation["national_total"], variation["varied_total"]) == ("0.00", "0.00"), "duties cost nothing by head"
    told = await entitled(app, "2022-10")
    assert minutes(told) == [
        ("enhanced_access", "national", "20000", "1200"),
        ("enhanced_access", variation["id"], "28000", "2100"),
    ]
    assert [(d["duty"], d["scope"], d["practices"]) for d in told["duties"]] == [
        ("enhanced_access", "national", ["A00002"]),
        ("enhanced_access", variation["id"], ["A00001"]),
        ("frailty_rounds", variation["id"], ["A00001"]),
    ]
    assert told["duties"][2]["description"] == ROUNDS["description"]
    # every member agrees: nothing is left of the national duty
    assert (await consent(app, variation, "A00002", valid_from="2022-12-01")).status_code == 201
    assert minutes(await entitled(app, "2022-12")) == [("enhanced_access", variation["id"], "48000", "3600")]
    assert minutes(await entitled(app, "2022-11"))[0] == ("enhanced_access", "national", "20000", "1200")
    assert await take_back(app, variation, "A00001", "2023-01-01") == 204
    assert minutes(await entitled(app, "2023-01"))[0][2] == "28000"
    assert minutes(await entitled(app, "2022-10", known_at=before.isoformat())) == nationally
    own = app.token(Role.PRACTICE, organisations=["A00002"])
    asked = {"network": NETWORK, "contract_year": "2022-23", "month": "2022-10"}
    seen = (await app.client.get("/funding/v1/entitlements", params=asked, headers=own)).json()
    assert [(d["duty"], d["practices"]) for d in seen["duties"]] == [("enhanced_access", ["A00002"])]
    assert seen["weekly_minutes"] == []


async def test_a_service_may_take_the_place_of_a_national_duty(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    variation = await in_force(app, duties=[{**ROUNDS, "instead_of": "enhanced_access"}])
    told = await entitled(app, "2022-10")
    assert minutes(told) == []
    assert [(d["duty"], d["instead_of"], d["practices"]) for d in told["duties"]] == [
        ("frailty_rounds", "enhanced_access", ["A00001", "A00002"])
    ]
    assert minutes(await entitled(app, "2022-09"))[0][:2] == ("extended_hours", "national")
    (event,) = [event for event in await app.announced() if isinstance(event, VariationApproved)]
    assert [(one.duty, one.instead_of, one.per_1000) for one in event.duties] == [
        ("frailty_rounds", "enhanced_access", None)
    ]
    approved = datetime.now(UTC)
    local = await listed(app, as_at="2022-10-01", scope=variation["id"], known_at=approved.isoformat())
    assert [(d["duty"], d["valid_from"], d["valid_to"]) for d in local] == [
        ("frailty_rounds", "2022-10-01", "2023-03-31")
    ]
    assert await listed(app, scope=variation["id"], known_at="2022-10-01T00:00:00Z") == []
    stranger = commissioner(app, "11M")
    assert await listed(app, stranger, scope=variation["id"]) == []
    assert len(await listed(app, commissioner(app), scope=variation["id"])) == 1


async def test_duties_that_say_nothing_or_touch_the_fund_are_refused(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)

    async def refused(*duties: dict[str, Any]) -> tuple[int, str]:
        body = a_variation(items=[], duties=list(duties), commissioner=COMMISSIONER)
        reply = await app.post(VARIATIONS, body, commissioner(app))
        return reply.status_code, reply.json()["code"]

    assert await refused({"duty": "visits", "name": "Visits"}) == (422, "Invalid")
    assert await refused(ROUNDS, ROUNDS) == (422, "Invalid")
    assert await refused(LONGER, {**ROUNDS, "instead_of": "enhanced_access"}) == (422, "Invalid")
    assert await refused({**ROUNDS, "duty": "iif_cancer"}) == (409, "IifNeverVaries")
    assert await refused({**ROUNDS, "instead_of": "iif"}) == (409, "IifNeverVaries")
    made = await proposed(app, items=[], duties=[LONGER])
    assert made["duties"] == [
        {
            "duty": "enhanced_access",
            "name": LONGER["name"],
            "description": "",
            "instead_of": None,
            "minutes": {"basis": "adjusted", "per_1000": "75", "rounded_to": None},
        }
    ]
    assert await listed(app, scope=made["id"]) == [], "nothing is owed before it is approved"
