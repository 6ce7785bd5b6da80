"""From a network approved to a month paid, over HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shared.events.funding import BudgetSet, ClaimApproved, ClaimPaid, PaymentIssued
from shared.identity import Role
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_claim,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.harness import Harness

RUNS = "/funding/v1/payment-runs"


async def an_area(app: Harness) -> None:
    await app.deliver(
        a_commissioner(),
        some_practices(["A00001", "A00002", "A00003"]),
        list_sizes("registered", {"A00001": 30000, "A00002": 20000}),
        list_sizes("adjusted", {"A00001": 28000, "A00002": 20000}),
        list_sizes("weighted", {"A00001": 31000, "A00002": 19000}),
        an_approved_network(payee="A00001"),
    )


async def calculated(app: Harness, month: str, subject: str = "alice") -> dict[str, Any]:
    reply = await app.post(RUNS, {"month": month}, app.token(Role.NATIONAL, subject=subject))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def noted(run: dict[str, Any]) -> dict[str, Any]:
    """The body of an approval with a reason for all that was found unusual about the run."""
    return {"acknowledgements": [{"kind": kind, "reason": "as expected"} for kind in run["findings"]]}


async def paid(app: Harness, month: str) -> dict[str, Any]:
    run = await calculated(app, month)
    bob = app.token(Role.NATIONAL, subject="bob")
    approved = await app.put(f"{RUNS}/{run['id']}/approval", noted(run), bob)
    assert approved.status_code == 200, approved.text
    issued = await app.put(f"{RUNS}/{run['id']}/issue", None, bob)
    assert issued.status_code == 200, issued.text
    made: dict[str, Any] = issued.json()
    return made


async def test_a_month_is_paid_and_every_line_explains_itself(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await paid(funding_app, "2022-04")
    alice = funding_app.token(Role.NATIONAL)
    assert run["totals"] == {
        "clinical_director": {"lines": 1, "amount": "3066.67"},
        "core_registered": {"lines": 1, "amount": "6250.00"},
        "extended_hours": {"lines": 1, "amount": "6000.00"},
        "leadership_management": {"lines": 1, "amount": "2796.00"},
        "network_participation": {"lines": 2, "amount": "7337.50"},
    }
    assert run["held"] == {"beds-missing": 1}
    assert run["notes"] == {
        "months_covered": [],
        "practices_without_list": [],
        "unconfirmed_rates": {"clinical_director.2223.21": "remembered"},
        "variations_below_national": {},
    }
    lines = (await funding_app.client.get(f"{RUNS}/{run['id']}/lines", headers=alice)).json()["items"]
    assert len(lines) == 7
    for line in lines:
        told = (await funding_app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=alice)).json()
        assert told["recomputed"] == line["amount"], told
        assert told["sentence"]
    director = next(line for line in lines if line["stream"] == "clinical_director")
    told = (await funding_app.client.get(f"/funding/v1/lines/{director['id']}/explanation", headers=alice)).json()
    assert "remembered" not in told["sentence"]
    assert any("no published source" in warning for warning in told["warnings"])
    assert director["payee"] == "A00001"
    assert {line["stream"]: line["unconfirmed"] for line in lines if line["unconfirmed"]} == {
        "clinical_director": ["clinical_director.2223.21"]
    }

    events = await funding_app.announced()
    payments = [event for event in events if isinstance(event, PaymentIssued)]
    assert len(payments) == 1
    assert sum(line.amount for line in payments[0].lines) == Decimal(str(run["total"]))
    budgets = [event for event in events if isinstance(event, BudgetSet)]
    assert (budgets[-1].network, budgets[-1].amount) == (NETWORK, Decimal("834800.00"))


async def test_a_claim_is_approved_and_paid_in_the_next_run(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    await funding_app.deliver(a_claim(salary=Decimal("4500.00")))
    commissioner = funding_app.token(Role.COMMISSIONER, organisations=[COMMISSIONER], subject="carol")
    reply = await funding_app.put("/funding/v1/claims/claim-1/approval", None, commissioner)
    assert reply.status_code == 200, reply.text
    assert (reply.json()["payable"], reply.json()["limited_by"]) == ("4776.50", "role_maximum")
    run = await paid(funding_app, "2022-05")
    assert run["totals"]["arrs"] == {"lines": 1, "amount": "4776.50"}
    events = await funding_app.announced()
    assert any(isinstance(event, ClaimApproved) and event.payable == Decimal("4776.50") for event in events)
    assert any(isinstance(event, ClaimPaid) and event.run == run["id"] for event in events)
    lines = (
        await funding_app.client.get(
            f"{RUNS}/{run['id']}/lines", params={"stream": "arrs"}, headers=funding_app.token(Role.NATIONAL)
        )
    ).json()["items"]
    assert [(line["month"], line["cause"]) for line in lines] == [("2022-04", "claim-late")]
    told = await funding_app.client.get(
        f"/funding/v1/lines/{lines[0]['id']}/explanation", headers=funding_app.token(Role.NATIONAL)
    )
    assert told.json()["recomputed"] == "4776.50"
