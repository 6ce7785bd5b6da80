"""Arrears are claimed once a year, on months claimed before, and what funding says of them is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shared.events import funding, workforce
from shared.identity import Role
from tests.harness import Harness
from tests.workforce.builders import NETWORK, PREFIX, network_token
from tests.workforce.test_claims_again import a_claim_made

ARREARS = f"{PREFIX}/arrears-claims"


def item(claim: str, salary: str = "100.00") -> dict[str, Any]:
    return {"claim": claim, "salary": salary, "employer_ni": "15.00", "employer_pension": "14.38"}


def asked(*items: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"network": NETWORK, "contract_year": "2022-23", "items": list(items), **changed}


async def test_arrears_are_claimed_once_until_they_are_turned_down(workforce_app: Harness) -> None:
    app = workforce_app
    _, claim = await a_claim_made(app)
    made = await app.post(ARREARS, asked(item(claim["id"])), network_token(app))
    assert made.status_code == 201, made.text
    (event,) = [event for event in await app.announced() if isinstance(event, workforce.ArrearsClaimed)]
    assert [(i.claim, i.month, i.salary) for i in event.items] == [(claim["id"], "2022-06", Decimal("100.00"))]
    twice = await app.post(ARREARS, asked(item(claim["id"])), network_token(app))
    assert (twice.status_code, twice.json()["code"]) == (409, "ArrearsAlreadyClaimed")
    same = {"arrears": made.json()["id"], "network": NETWORK, "contract_year": "2022-23"}
    await app.deliver(funding.ArrearsRejected(**same, code="no_payslip", reason="Missing."))
    shown = (await app.client.get(f"{ARREARS}/{made.json()['id']}", headers=network_token(app))).json()
    assert (shown["state"], shown["code"]) == ("rejected", "no_payslip")
    again = await app.post(ARREARS, asked(item(claim["id"])), network_token(app))
    assert again.status_code == 201
    same["arrears"] = again.json()["id"]
    await app.deliver(
        funding.ArrearsApproved(**same, claimed=Decimal("129.38"), payable=Decimal("100.00"), limited_by="role_maximum")
    )
    await app.deliver(funding.ArrearsPaid(**same, run="run-1", amount=Decimal("100.00")), position=900)
    await app.deliver(funding.ArrearsRejected(**same, code="late", reason="An older copy."), position=899)
    listed = (await app.client.get(ARREARS, params={"network": NETWORK}, headers=network_token(app))).json()["items"]
    assert [(a["state"], a["payable"], a["paid"]) for a in listed] == [
        ("rejected", None, None),
        ("paid", "100.00", "100.00"),
    ]
    other = app.token(Role.NETWORK, organisations=["U90002"])
    assert (await app.client.get(f"{ARREARS}/{same['arrears']}", headers=other)).status_code == 404


async def test_arrears_that_add_to_nothing_are_refused_with_every_reason(workforce_app: Harness) -> None:
    app = workforce_app
    _, claim = await a_claim_made(app)
    nothing = {"claim": claim["id"], "salary": "0.00", "employer_ni": "0.00", "employer_pension": "0.00"}
    refused = await app.post(ARREARS, asked(item("claim-x"), item(claim["id"]), nothing), network_token(app))
    assert (refused.status_code, refused.json()["code"]) == (409, "ArrearsNotClaimable")
    assert [(f["field"], f["code"]) for f in refused.json()["errors"]] == [
        ("items.0", "ClaimUnknown"),
        ("items.2", "NamedTwice"),
        ("items.2", "NothingPaid"),
    ]
    year = await app.post(ARREARS, asked(item(claim["id"]), contract_year="2023-24"), network_token(app))
    assert [f["code"] for f in year.json()["errors"]] == ["ClaimUnknown"]
    other = app.token(Role.NETWORK, organisations=["U90002"])
    assert (await app.post(ARREARS, asked(item(claim["id"])), other)).status_code == 404
