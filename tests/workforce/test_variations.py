"""Networks under a local variation: its ceilings, caps and further roles, once every member agreed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events.base import Event
from shared.events.funding import NetworkVaried, TariffPublished, VariationApproved, VariedCap, VariedRole, VariedSpan
from tests.harness import Harness
from tests.workforce.builders import NETWORK, PREFIX, a_ceiling, a_plan, at, network_token, set_up

VARIATION = "variation-1"
OPENED = "local_sa1_frailty_nurse"


def approved() -> VariationApproved:
    return VariationApproved(
        variation=VARIATION,
        variation_name="Care for frail people",
        commissioner="SA1",
        contract_year="2022-23",
        valid_from=date(2022, 10, 1),
        valid_to=date(2023, 3, 31),
        practices=["Z80001", "Z80002"],
        roles=[VariedRole(role=OPENED, role_name="Frailty nurse", ceiling=Decimal("60000.00"))],
        caps=[
            VariedCap(role="advanced_practitioner"),
            VariedCap(role="clinical_pharmacist", below_100000=Decimal("0.5"), from_100000=Decimal(1)),
        ],
        approved_on=date(2022, 6, 20),
    )


def varied(*spans: tuple[date, date, bool]) -> NetworkVaried:
    return NetworkVaried(
        network=NETWORK,
        commissioner="SA1",
        spans=[
            VariedSpan(variation=VARIATION, valid_from=first, valid_to=last, practices=["Z80001"], every_member=every)
            for first, last, every in spans
        ],
    )


def local_ceiling(role: str, value: str) -> TariffPublished:
    return a_ceiling(
        role,
        value,
        date(2022, 10, 1),
        tariff=f"{VARIATION}.maximum.{role}.national",
        scope=VARIATION,
        known_from=date(2022, 6, 20),
    )


EVENTS: tuple[Event, ...] = (
    approved(),
    local_ceiling("clinical_pharmacist", "65000.00"),
    local_ceiling(OPENED, "60000.00"),
    varied((date(2022, 10, 1), date(2022, 12, 31), True), (date(2023, 1, 1), date(2023, 3, 31), False)),
)


async def months(app: Harness, role: str, **more: str) -> dict[str, dict[str, Any]]:
    asked = {"network": NETWORK, "role": role, "wte": "1", "month": "2022-09", **more}
    reply = await app.client.get(f"{PREFIX}/claimability", params=asked, headers=network_token(app))
    assert reply.status_code == 200, reply.text
    return {one["month"]: one for one in reply.json()["months"]}


@pytest.mark.parametrize("order", ["as-announced", "backwards", "twice"])
async def test_ceilings_of_a_variation_count_for_a_network_all_of_whose_members_agreed(
    workforce_app: Harness, order: str
) -> None:
    app = workforce_app
    await set_up(app)
    at(app, date(2022, 7, 1))
    envelopes = [app.envelope(event) for event in EVENTS]
    if order == "backwards":
        envelopes.reverse()
    await app.receive(*envelopes)
    if order == "twice":
        await app.receive(*envelopes)
    found = await months(app, "clinical_pharmacist")
    ceilings = {month: one["ceiling"] for month, one in found.items()}
    assert ceilings == {
        "2022-09": "57318.00",
        **dict.fromkeys(("2022-10", "2022-11", "2022-12"), "65000.00"),
        **dict.fromkeys(("2023-01", "2023-02", "2023-03"), "57318.00"),
    }
    assert {month for month, one in found.items() if "CapExceeded" in _codes(one)} == {"2022-10", "2022-11", "2022-12"}
    assert found["2022-10"]["cap"] == "0.5"
    # a role the variation opens has a ceiling only where the whole network stands under it, at any place
    opened = await months(app, OPENED, zone="inner_london")
    assert [month for month, one in opened.items() if one["ceiling"] == "60000.00"] == ["2022-10", "2022-11", "2022-12"]
    assert "RoleNotClaimable" in _codes(opened["2022-09"])
    assert "CeilingUnknown" in _codes(opened["2023-01"])


def _codes(month: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in month["reasons"]}


async def test_a_variation_lifts_a_cap_and_is_gone_when_a_member_takes_its_consent_back(
    workforce_app: Harness,
) -> None:
    app = workforce_app
    await set_up(app)
    at(app, date(2022, 7, 1))
    await app.deliver(a_ceiling("advanced_practitioner", "62705.00"), *EVENTS)
    await a_plan(app, submit=True, advanced_practitioner="9")
    assert (await months(app, "advanced_practitioner"))["2022-10"]["cap"] is None
    assert (await months(app, "advanced_practitioner"))["2022-09"]["cap"] == "2"
    await app.deliver(varied())
    assert (await months(app, "advanced_practitioner"))["2022-10"]["cap"] == "2"
    assert (await months(app, "clinical_pharmacist"))["2022-10"]["ceiling"] == "57318.00"


async def test_a_plan_costs_what_its_network_may_be_paid(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    at(app, date(2022, 7, 1))
    await app.deliver(*EVENTS)
    plan = await a_plan(app, clinical_pharmacist="1")
    # May to September and January to March at 57,318.00 / 12, three months at 65,000.00 / 12
    assert plan["planned_cost"] == f"{Decimal('4776.50') * 8 + Decimal('5416.67') * 3:.2f}"
