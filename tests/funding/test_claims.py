"""Claims: the least of share, ceiling and sum, with the limit that bit; decided once, by the commissioner."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from services.funding.claims.rules import Cost, check
from services.funding.tariffs.model import Basis, Confidence, Payee, RatePeriod, Tariff, TariffKind
from services.funding.tariffs.shipped import rows
from shared.errors import Fault
from shared.events.funding import ClaimApproved, ClaimRejected
from shared.identity import Role
from shared.years import last_day, months_of
from tests.funding.builders import COMMISSIONER, a_claim
from tests.funding.test_journey import an_area
from tests.harness import Harness

PLENTY = Decimal("1000000.00")


def ceiling(role: str, month: str, zone: str = "national") -> Tariff:
    row = next(
        r
        for r in rows("role_maxima.csv")
        if (r["code"], r["zone"]) == (role, zone) and r["valid_from"][:7] <= month <= r["valid_to"][:7]
    )
    return Tariff(
        id=row["id"],
        kind=TariffKind.ROLE_MAXIMUM,
        code=role,
        zone=zone,
        payee=Payee.NETWORK,
        basis=Basis.WTE,
        value=Decimal(row["value"]),
        rate_period=RatePeriod.YEAR,
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=date.fromisoformat(row["valid_to"]),
        confidence=Confidence(row["confidence"]),
    )


def cost(role: str, month: str, total: str, wte: str = "1.0", **changed: Any) -> Cost:
    given: dict[str, Any] = {
        "zone": "national",
        "worked_from": date(int(month[:4]), int(month[5:]), 1),
        "worked_to": last_day(month),
        "employer_ni": Decimal("0.00"),
        "employer_pension": Decimal("0.00"),
        "supplier_fee": Decimal("0.00"),
        "additional": True,
        **changed,
    }
    return Cost(role=role, month=month, wte=Decimal(wte), salary=Decimal(total), **given)


def test_example_f_the_ceiling_is_pro_rata_to_hours() -> None:
    found = check(
        cost("clinical_pharmacist", "2024-11", "3400.00", "0.6"), ceiling("clinical_pharmacist", "2024-11"), PLENTY
    )
    assert (found.payable, found.limited_by) == (Decimal("3291.90"), "role_maximum")
    assert found.cost - (found.payable or 0) == Decimal("108.10")


def test_example_g_a_year_with_a_ceiling_that_rises_in_july() -> None:
    total = Decimal(0)
    for month in months_of("2023-24"):
        found = check(cost("care_coordinator", month, "4000.00"), ceiling("care_coordinator", month), PLENTY)
        assert found.limited_by == "role_maximum"
        total += found.payable or 0
    assert total == Decimal("32983.50")


def test_example_j_the_share_bites_before_the_ceiling() -> None:
    found = check(cost("clinical_pharmacist", "2019-09", "4400.00"), ceiling("clinical_pharmacist", "2019-09"), PLENTY)
    assert (found.payable, found.limited_by, found.ceiling) == (Decimal("3080.00"), "share", Decimal("3150.83"))


def test_what_is_left_of_the_sum_bites_last() -> None:
    claim, most = cost("clinical_pharmacist", "2024-11", "3000.00"), ceiling("clinical_pharmacist", "2024-11")
    found = check(claim, most, Decimal("5000.00"), earlier=Decimal("3500.00"))
    assert (found.payable, found.limited_by) == (Decimal("1500.00"), "network_sum")
    assert check(claim, most, PLENTY).limited_by == "none"
    nothing = check(claim, most, Decimal("5000.00"), earlier=Decimal("5000.00"))
    assert nothing.payable is None
    assert [fault.code for fault in nothing.faults] == ["sum_exhausted"]


def test_days_worked_and_supplier_fees_are_pro_rata() -> None:
    role, month = "social_prescribing_link_worker", "2022-11"
    half = cost(role, month, "5000.00", worked_to=date(2022, 11, 15))
    assert check(half, ceiling(role, month), PLENTY).payable == Decimal("1591.13")
    bought = cost(role, month, "1000.00", supplier_fee=Decimal("900.00"))
    assert check(bought, ceiling(role, month), PLENTY).payable == Decimal("1200.00")
    other = cost("clinical_pharmacist", month, "1000.00", supplier_fee=Decimal("900.00"))
    assert check(other, ceiling("clinical_pharmacist", month), PLENTY).payable == Decimal("1000.00")


def test_every_fault_is_listed_at_once() -> None:
    bad = cost("podiatrist", "2019-09", "10.00", "0", additional=False, worked_to=date(2019, 10, 2))
    found = check(bad, None, None, room_fault=Fault("network", "network_unknown", "no"))
    assert {fault.code for fault in found.faults} == {
        "not_additional",
        "outside_month",
        "out_of_range",
        "role_not_open",
        "network_unknown",
    }


def commissioner(app: Harness, code: str = COMMISSIONER) -> dict[str, str]:
    return app.token(Role.COMMISSIONER, organisations=[code], subject="carol")


async def test_a_claim_may_come_before_its_network_and_waits(funding_app: Harness) -> None:
    await funding_app.deliver(a_claim())
    headers = funding_app.token(Role.NATIONAL, subject="nan")
    waiting = (await funding_app.client.get("/funding/v1/claims/claim-1", headers=headers)).json()
    assert [fault["code"] for fault in waiting["checked"]["faults"]] == ["network_unknown"]
    refused = await funding_app.put("/funding/v1/claims/claim-1/approval", None, headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "ClaimNotPayable")
    assert refused.json()["errors"][0]["code"] == "network_unknown"
    await an_area(funding_app)
    ready = (await funding_app.client.get("/funding/v1/claims/claim-1", headers=headers)).json()
    assert (ready["payable"], ready["checked"]["faults"]) == ("3730.00", [])


async def test_only_its_commissioner_decides_a_claim_and_only_once(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(a_claim())
    path = "/funding/v1/claims/claim-1"
    assert (await funding_app.client.get(path, headers=commissioner(funding_app, "99X"))).status_code == 404
    strange = await funding_app.client.put(
        f"{path}/approval", headers={**commissioner(funding_app, "99X"), "If-Match": '"1"'}
    )
    assert strange.status_code == 404
    network = funding_app.token(Role.NETWORK, organisations=["U12345"])
    assert (await funding_app.client.get(path, headers=network)).status_code == 200
    assert (await funding_app.put(f"{path}/approval", None, network)).status_code == 403
    blind = await funding_app.client.put(f"{path}/approval", headers=commissioner(funding_app))
    assert blind.status_code == 428
    stale = await funding_app.put(f"{path}/approval", None, commissioner(funding_app), match='"99"')
    assert stale.status_code == 412
    done = await funding_app.put(f"{path}/approval", None, commissioner(funding_app))
    assert done.json()["status"] == "approved"
    again = await funding_app.put(f"{path}/approval", None, commissioner(funding_app))
    assert (again.status_code, again.json()["code"]) == (409, "ClaimDecided")
    approvals = [event for event in await funding_app.announced() if isinstance(event, ClaimApproved)]
    assert [(event.claimed, event.payable, event.limited_by) for event in approvals] == [
        (Decimal("3730.00"), Decimal("3730.00"), None)
    ]


async def test_a_rejected_claim_gives_its_reason_and_may_come_again(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(a_claim())
    path = "/funding/v1/claims/claim-1"
    unexplained = await funding_app.put(f"{path}/rejection", {"code": "x y", "reason": ""}, commissioner(funding_app))
    assert unexplained.status_code == 422
    assert len(unexplained.json()["errors"]) == 2
    body = {"code": "no_payslip", "reason": "The payslip is missing."}
    rejected = await funding_app.put(f"{path}/rejection", body, commissioner(funding_app))
    assert (rejected.json()["status"], rejected.json()["payable"]) == ("rejected", None)
    events = [event for event in await funding_app.announced() if isinstance(event, ClaimRejected)]
    assert [(event.code, event.reason) for event in events] == [("no_payslip", "The payslip is missing.")]
    await funding_app.deliver(a_claim(salary=Decimal("3100.00")))
    put_right = (await funding_app.client.get(path, headers=commissioner(funding_app))).json()
    assert (put_right["status"], put_right["payable"], put_right["code"]) == ("submitted", "3830.00", None)


async def test_a_sum_is_never_overdrawn(funding_app: Harness) -> None:
    await an_area(funding_app)
    async with funding_app.session() as session:
        await session.execute(text("UPDATE budgets SET amount = 6000.00 WHERE contract_year = '2022-23'"))
    await funding_app.deliver(a_claim(), a_claim("claim-2", post="post-2"))
    first = await funding_app.put("/funding/v1/claims/claim-1/approval", None, commissioner(funding_app))
    second = await funding_app.put("/funding/v1/claims/claim-2/approval", None, commissioner(funding_app))
    assert (first.json()["payable"], first.json()["limited_by"]) == ("3730.00", "none")
    assert (second.json()["payable"], second.json()["limited_by"]) == ("2270.00", "network_sum")
    await funding_app.deliver(a_claim("claim-3", post="post-3"))
    third = await funding_app.put("/funding/v1/claims/claim-3/approval", None, commissioner(funding_app))
    assert third.json()["errors"][0]["code"] == "sum_exhausted"
    budget = (await funding_app.client.get("/funding/v1/budgets", headers=commissioner(funding_app))).json()["items"][0]
    assert budget["approved"] == "6000.00"


@pytest.mark.parametrize("field", ["salary", "employer_ni"])
async def test_a_decided_claim_is_not_changed_by_a_late_repeat(funding_app: Harness, field: str) -> None:
    await an_area(funding_app)
    await funding_app.deliver(a_claim())
    await funding_app.put("/funding/v1/claims/claim-1/approval", None, commissioner(funding_app))
    repeat = a_claim().model_copy(update={field: Decimal("9999.00")})
    await funding_app.deliver(repeat)
    claim = (await funding_app.client.get("/funding/v1/claims/claim-1", headers=commissioner(funding_app))).json()
    assert (claim["status"], claim["payable"]) == ("approved", "3730.00")
