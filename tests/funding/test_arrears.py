"""Ceilings raised in August and backdated to April: claims keep their values, one extra claim brings the arrears."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.funding.arrears.line import recompute
from services.funding.arrears.model import told
from services.funding.arrears.rules import Month, check_arrears
from shared.events.funding import ArrearsApproved, ArrearsPaid, ArrearsRejected
from shared.events.workforce import ArrearsClaimed, ArrearsItem
from shared.identity import Role
from tests.funding.builders import NETWORK
from tests.funding.test_claims import commissioner
from tests.funding.test_claims_decided import CLAIMS, a_month_claimed, an_area_in
from tests.funding.test_journey import RUNS, paid
from tests.funding.test_succession import on
from tests.harness import Harness

ARREARS = "/funding/v1/arrears-claims"
MONTHS = ("2025-04", "2025-05", "2025-06", "2025-07")


def some_arrears(
    *items: tuple[int, str, str], name: str = "arr-1", year: str = "2025-26", **more: Any
) -> ArrearsClaimed:
    """Arrears on claims by number, month and amount."""
    return ArrearsClaimed(
        arrears=name,
        network=NETWORK,
        contract_year=year,
        items=[
            ArrearsItem(
                claim=f"claim-{number}",
                post="post-1",
                month=month,
                salary=Decimal(amount),
                employer_ni=Decimal("0.00"),
                employer_pension=Decimal("0.00"),
            )
            for number, month, amount in items
        ],
        made_on=more.pop("made_on", date(2025, 9, 2)),
    )


async def four_months_approved(app: Harness, salary: str = "5800.00") -> None:
    """A pharmacist claimed above the ceiling of April, decided before August, when it was raised."""
    await an_area_in(app, 2025)
    on(app, date(2025, 7, 31))
    for number, month in enumerate(MONTHS):
        await app.deliver(a_month_claimed(number, month, "clinical_pharmacist", salary, post="post-1"))
        done = await app.put(f"{CLAIMS}/claim-{number}/approval", None, commissioner(app))
        assert (done.json()["payable"], done.json()["limited_by"]) == ("5581.00", "role_maximum"), done.text


async def test_old_claims_keep_their_values_and_one_more_brings_the_arrears(funding_app: Harness) -> None:
    app = funding_app
    await four_months_approved(app)
    on(app, date(2025, 9, 3))
    # the new ceiling is 69,410 / 12 = 5,784.17 a month: of 300.00 paid in arrears it leaves 203.17
    await app.deliver(some_arrears(*((number, month, "300.00") for number, month in enumerate(MONTHS))))
    shown = (await app.client.get(f"{ARREARS}/arr-1", headers=commissioner(app))).json()
    assert (shown["status"], shown["payable"], shown["limited_by"]) == ("submitted", "812.68", "role_maximum")
    assert [month["due"] for month in shown["checked"]["months"]] == ["203.17"] * 4
    kept = (await app.client.get(f"{CLAIMS}/claim-0", headers=commissioner(app))).json()
    assert (kept["payable"], kept["status"]) == ("5581.00", "approved")
    approved = await app.put(f"{ARREARS}/arr-1/approval", None, commissioner(app))
    assert (approved.status_code, approved.json()["payable"]) == (200, "812.68")
    again = await app.put(f"{ARREARS}/arr-1/approval", None, commissioner(app))
    assert (again.status_code, again.json()["code"]) == (409, "ClaimDecided")
    run = await paid(app, "2025-08")
    assert run["totals"]["arrs"] == {"lines": 5, "amount": "23136.68"}
    alice = app.token(Role.NATIONAL)
    lines = (await app.client.get(f"{RUNS}/{run['id']}/lines", params={"cause": "rate-changed"}, headers=alice)).json()[
        "items"
    ]
    assert [(line["stream"], line["month"], line["amount"]) for line in lines] == [("arrs", "2025-07", "812.68")]
    why = (await app.client.get(f"/funding/v1/lines/{lines[0]['id']}/explanation", headers=alice)).json()
    assert why["recomputed"] == "812.68"
    assert len(why["arithmetic"]) == 6
    events = await app.announced()
    assert [event.payable for event in events if isinstance(event, ArrearsApproved)] == [Decimal("812.68")]
    assert [event.run for event in events if isinstance(event, ArrearsPaid)] == [run["id"]]
    budget = (await app.client.get("/funding/v1/budgets", headers=commissioner(app))).json()["items"][0]
    assert budget["approved"] == "23136.68"


async def test_arrears_of_a_role_agreed_locally_follow_its_agreement(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    role = f"agreed_{NETWORK.lower()}_manager"
    agreed = {
        "network": NETWORK, "short": "manager", "name": "Network manager", "ceiling": "60000.00",
        "valid_from": "2025-04-01", "agreed_on": "2025-03-20", "note": "Minutes of 20 March.",
    }  # fmt: skip
    on(app, date(2025, 7, 31))
    assert (await app.post("/funding/v1/agreed-roles", agreed, commissioner(app))).status_code == 201
    await app.deliver(a_month_claimed(0, "2025-04", role, "5800.00", post="post-1"))
    done = await app.put(f"{CLAIMS}/claim-0/approval", None, commissioner(app))
    assert (done.json()["payable"], done.json()["limited_by"]) == ("5000.00", "role_maximum")
    on(app, date(2025, 9, 3))
    await app.deliver(some_arrears((0, "2025-04", "400.00")))
    nothing = await app.put(f"{ARREARS}/arr-1/approval", None, commissioner(app))
    assert [fault["code"] for fault in nothing.json()["errors"]] == ["nothing_due"], "the agreement reaches no further"
    raised = await app.post("/funding/v1/agreed-roles", {**agreed, "ceiling": "63000.00"}, commissioner(app))
    assert raised.status_code == 201
    shown = await app.put(f"{ARREARS}/arr-1/approval", None, commissioner(app))
    assert (shown.status_code, shown.json()["payable"]) == (200, "250.00"), "63,000 / 12 less the 5,000.00 decided"
    assert shown.json()["checked"]["months"][0]["confidence"] == "agreed"
    run = await paid(app, "2025-08")
    headers = app.token(Role.NATIONAL)
    asked = {"cause": "rate-changed"}
    lines = (await app.client.get(f"{RUNS}/{run['id']}/lines", params=asked, headers=headers)).json()["items"]
    why = (await app.client.get(f"/funding/v1/lines/{lines[0]['id']}/explanation", headers=headers)).json()
    assert (lines[0]["amount"], why["recomputed"]) == ("250.00", "250.00")


async def test_arrears_are_claimed_once_a_year_and_again_only_when_turned_down(funding_app: Harness) -> None:
    app = funding_app
    await four_months_approved(app)
    on(app, date(2025, 9, 3))
    await app.deliver(some_arrears((0, "2025-04", "100.00")), some_arrears((1, "2025-05", "100.00"), name="arr-2"))
    second = await app.put(f"{ARREARS}/arr-2/approval", None, commissioner(app))
    assert (second.status_code, second.json()["code"]) == (409, "ClaimNotPayable")
    assert [fault["code"] for fault in second.json()["errors"]] == ["arrears_claimed_already"]
    why = {"code": "no_payslip", "reason": "The payslips are missing."}
    turned_down = await app.put(f"{ARREARS}/arr-1/rejection", why, commissioner(app))
    assert turned_down.json()["status"] == "rejected"
    assert [event.code for event in await app.announced() if isinstance(event, ArrearsRejected)] == ["no_payslip"]
    await app.deliver(some_arrears((0, "2025-04", "100.00")))
    assert (await app.put(f"{ARREARS}/arr-2/approval", None, commissioner(app))).json()["payable"] == "100.00"
    stranger = await app.client.get(f"{ARREARS}/arr-2", headers=commissioner(app, "99X"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "ArrearsNotFound")
    listed = await app.client.get(ARREARS, params={"status": "approved"}, headers=commissioner(app))
    assert [item["id"] for item in listed.json()["items"]] == ["arr-2"]


async def test_arrears_of_months_not_approved_unknown_or_too_late_are_refused_with_every_reason(
    funding_app: Harness,
) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    on(app, date(2026, 5, 2))
    await app.deliver(
        a_month_claimed(0, "2025-04", "clinical_pharmacist", "5000.00", post="post-1"),
        some_arrears((0, "2025-04", "100.00"), (7, "2025-05", "100.00"), made_on=date(2026, 5, 1)),
    )
    refused = await app.put(f"{ARREARS}/arr-1/approval", None, commissioner(app))
    assert [fault["code"] for fault in refused.json()["errors"]] == [
        "claim_not_approved",
        "claim_unknown",
        "deadline_passed",
    ]


async def test_arrears_never_exceed_the_sum(funding_app: Harness) -> None:
    app = funding_app
    await four_months_approved(app)
    on(app, date(2025, 9, 3))
    async with app.session() as session:
        await session.execute(text("UPDATE budgets SET amount = 22500.00 WHERE contract_year = '2025-26'"))
    await app.deliver(some_arrears(*((number, month, "300.00") for number, month in enumerate(MONTHS))))
    approved = await app.put(f"{ARREARS}/arr-1/approval", None, commissioner(app))
    assert (approved.json()["payable"], approved.json()["limited_by"]) == ("176.00", "network_sum")
    await app.deliver(a_month_claimed(9, "2025-08", "clinical_pharmacist", "100.00", post="post-1"))
    nothing = await app.put(f"{CLAIMS}/claim-9/approval", None, commissioner(app))
    assert [fault["code"] for fault in nothing.json()["errors"]] == ["sum_exhausted"]


def a_month(arrears: str, cost: str, payable: str, **changed: Any) -> Month:
    given_: dict[str, Any] = {
        "claim": "claim-1", "post": "post-1", "month": "2025-04", "arrears": Decimal(arrears), "cost": Decimal(cost),
        "payable": Decimal(payable), "share": Decimal(1), "tariff": "t", "maximum": Decimal("69410.00"),
        "confidence": "derived", "counted": Decimal(30), "equivalent_days": Decimal(30), "days_in_month": 30,
    }  # fmt: skip
    return Month(**{**given_, **changed})


def test_arrears_do_not_make_up_for_what_a_claim_lost_to_the_sum() -> None:
    cut = a_month("100.00", "5000.00", "1200.00")
    assert cut.due == Decimal("100.00")
    full = a_month("900.00", "5500.00", "5500.00")
    assert (full.due, full.ceiling) == (Decimal("284.17"), Decimal("5784.17"))
    nothing = check_arrears([a_month("10.00", "6000.00", "5784.17")], Decimal("10.00"), Decimal("999.00"), [])
    assert [fault.code for fault in nothing.faults] == ["nothing_due"]


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(1, 90_000), st.integers(1, 900_000), st.integers(1, 300)), min_size=1, max_size=6),
    st.integers(0, 500_000),
)
def test_what_a_line_of_arrears_remembers_gives_its_amount(months: list[tuple[int, int, int]], room: int) -> None:
    made = []
    for arrears, cost, tenths in months:
        most = min(Decimal(cost) / 100, Decimal("5000.00"))
        made.append(
            a_month(str(Decimal(arrears) / 100), str(Decimal(cost) / 100), str(most), counted=Decimal(tenths) / 10)
        )
    found = check_arrears(made, Decimal("1.00"), Decimal(room) / 100, [])
    if found.payable is not None:
        trace = {"months": [told(month) for month in made], "room": str(found.room)}
        assert recompute(trace) == found.payable <= Decimal(room) / 100
