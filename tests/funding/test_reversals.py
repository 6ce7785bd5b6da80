"""Claims and achievements paid for months whose right is withdrawn later: taken back to the penny, and paid again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.events.funding import ClaimTakenBack
from shared.events.registry import PayeeAppointed
from shared.identity import Role
from tests.funding import test_achievements as achieving
from tests.funding import test_arrears as arrears
from tests.funding import test_redirections as redirecting
from tests.funding.adding_up import adds_up
from tests.funding.asking import amounts, commissioner, explained
from tests.funding.builders import NETWORK, a_claim
from tests.funding.test_adds_up import runs
from tests.funding.test_bank_details import approved as banked
from tests.funding.test_claims_decided import CLAIMS
from tests.funding.test_journey import an_area, paid
from tests.funding.test_membership_rules import published
from tests.funding.test_queries import raised
from tests.funding.test_restatements import nothing_paid_is_touched
from tests.funding.test_runs import lines_of, nan
from tests.funding.test_runs_instructions import file_of, instructions_of, settled
from tests.funding.test_succession import on
from tests.funding.test_withdrawals import restored, withdrawn
from tests.harness import Harness

APRIL = date(2022, 4, 1)


async def claim_paid(app: Harness) -> None:
    """A claim of April for £3,730.00, and April paid."""
    await an_area(app)
    await app.deliver(a_claim())
    assert (await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))).status_code == 200
    await runs(app, ["2022-04"])


async def claim(app: Harness, number: int = 1) -> dict[str, Any]:
    shown: dict[str, Any] = (await app.client.get(f"{CLAIMS}/claim-{number}", headers=nan(app))).json()
    return shown


async def test_what_was_paid_for_staff_is_taken_back_with_the_right_and_comes_back_with_it(
    funding_app: Harness,
) -> None:
    app = funding_app
    await claim_paid(app)
    await adds_up(app)
    await app.deliver(withdrawn(APRIL))
    async with nothing_paid_is_touched(app):
        (may,) = await runs(app, ["2022-05"])
    (line,) = await lines_of(app, may, stream="arrs")
    assert (line["amount"], line["cause"], line["month"], line["payee"]) == (
        *("-3730.00", "withdrawal"),
        *("2022-04", "A00001"),
    )
    told = await explained(app, line)
    assert "because the right to the payment was withdrawn or given back" in told["sentence"]
    assert any("withdrawn from 2022-04-01: nothing was delivered" in step for step in told["arithmetic"])
    assert any("claims/claim-1; the right to nothing of it stands" in step for step in told["arithmetic"])
    assert ((await claim(app))["status"], (await claim(app))["taken_back"]) == ("paid", "3730.00")
    await adds_up(app)
    budget = await app.client.get("/funding/v1/budgets?contract_year=2022-23", headers=nan(app))
    assert budget.json()["items"][0]["approved"] == "0.00", "what was given back takes nothing of the sum"
    await app.deliver(restored(APRIL))
    async with nothing_paid_is_touched(app):
        (june,) = await runs(app, ["2022-06"])
    assert await amounts(app, june, stream="arrs") == {("2022-04", "withdrawal"): "3730.00"}
    await adds_up(app)
    await app.deliver(withdrawn(date(2022, 3, 15), number=2))
    (july,) = await runs(app, ["2022-07"])
    assert await amounts(app, july, stream="arrs") == {("2022-04", "withdrawal"): "-3730.00"}
    assert await amounts(app, await paid(app, "2022-08"), stream="arrs") == {}, "once"
    await adds_up(app)
    events = [event for event in await app.announced() if isinstance(event, ClaimTakenBack)]
    assert [(event.amount, event.paid) for event in events] == [
        (Decimal("-3730.00"), Decimal("0.00")),
        (Decimal("3730.00"), Decimal("3730.00")),
        (Decimal("-3730.00"), Decimal("0.00")),
    ]


async def test_a_right_given_back_in_the_middle_pays_only_the_months_with_it(funding_app: Harness) -> None:
    app = funding_app
    await claim_paid(app)
    may_claim = a_claim("claim-2", month="2022-05", worked_from=date(2022, 5, 1), worked_to=date(2022, 5, 31))
    await app.deliver(may_claim)
    assert (await app.put(f"{CLAIMS}/claim-2/approval", None, commissioner(app))).status_code == 200
    await runs(app, ["2022-05"])
    await app.deliver(withdrawn(APRIL), restored(date(2022, 5, 1)))
    (june,) = await runs(app, ["2022-06"])
    assert await amounts(app, june, stream="arrs") == {("2022-04", "withdrawal"): "-3730.00"}
    await adds_up(app)


async def test_what_was_known_of_a_sum_before_a_claim_was_taken_back(funding_app: Harness) -> None:
    app = funding_app
    await claim_paid(app)
    then = datetime.now(UTC).isoformat()
    await app.deliver(withdrawn(APRIL))
    await paid(app, "2022-05")
    shown = []
    for known in ({"known_at": then}, {}):
        reply = await app.client.get("/funding/v1/budgets", params={"network": NETWORK, **known}, headers=nan(app))
        shown.append([one["approved"] for one in reply.json()["items"] if one["contract_year"] == "2022-23"])
    assert shown == [["3730.00"], ["0.00"]]


async def test_whoever_was_paid_gives_back_also_what_a_query_added(funding_app: Harness) -> None:
    app = funding_app
    await claim_paid(app)
    (line,) = [
        one
        for one in (await app.client.get("/funding/v1/lines?stream=arrs", headers=nan(app))).json()["items"]
        if one["amount"]
    ]
    path = f"/funding/v1/queries/{(await raised(app, line['id']))['id']}"
    body = {"kind": "adjustment", "answer": "Pension was left out.", "amount_due": "3830.00"}
    assert (await app.put(f"{path}/answer", body, nan(app))).status_code == 200
    assert (await app.put(f"{path}/approval", None, nan(app, "bob"))).status_code == 200
    await runs(app, ["2022-05"])
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00003", valid_from=date(2022, 6, 1)), withdrawn(APRIL))
    (june,) = await runs(app, ["2022-06"])
    (back,) = await lines_of(app, june, stream="arrs")
    assert (back["payee"], back["amount"]) == ("A00001", "-3830.00")
    await adds_up(app)
    asked = await raised(app, back["id"])
    refused = await app.put(f"/funding/v1/queries/{asked['id']}/answer", {**body, "amount_due": "0.00"}, nan(app))
    assert (refused.status_code, refused.json()["code"]) == (409, "AmountIsByRule")


async def test_a_claim_that_was_redirected_is_taken_back_from_whoever_has_it(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await banked(app)
    await app.deliver(a_claim())
    assert (await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))).status_code == 200
    april = await paid(app, "2022-04")
    await file_of(app, april)
    await settled(app, (await instructions_of(app, april))["A00001"], "return")
    await redirecting.appointed(app)
    await redirecting.redirected(app, (await instructions_of(app, april))["A00001"])
    await runs(app, ["2022-05"])
    await app.deliver(withdrawn(APRIL))
    (june,) = await runs(app, ["2022-06"])
    (back,) = await lines_of(app, june, stream="arrs")
    assert (back["payee"], back["amount"]) == (redirecting.NEW, "-3730.00")
    await adds_up(app)
    await app.deliver(restored(APRIL))
    (july,) = await runs(app, ["2022-07"])
    (again,) = await lines_of(app, july, stream="arrs")
    assert (again["payee"], again["amount"]) == (redirecting.NEW, "3730.00")
    await adds_up(app)


async def test_what_corrects_a_claim_without_the_right_waits_with_it(funding_app: Harness) -> None:
    app = funding_app
    await claim_paid(app)
    (line,) = (await app.client.get("/funding/v1/lines?stream=arrs", headers=nan(app))).json()["items"]
    await app.deliver(withdrawn(APRIL))
    path = f"/funding/v1/queries/{(await raised(app, line['id']))['id']}"
    body = {"kind": "adjustment", "answer": "It was too much.", "amount_due": "3000.00"}
    assert (await app.put(f"{path}/answer", body, nan(app))).status_code == 200
    assert (await app.put(f"{path}/approval", None, nan(app, "bob"))).status_code == 200
    (may,) = await runs(app, ["2022-05"])
    assert may["held"]["right-withdrawn"] == 1
    assert await amounts(app, may, stream="arrs") == {("2022-04", "withdrawal"): "-3730.00"}
    await adds_up(app)
    await app.deliver(restored(APRIL))
    (june,) = await runs(app, ["2022-06"])
    assert await amounts(app, june, stream="arrs") == {
        ("2022-04", "query"): "-730.00",
        ("2022-04", "withdrawal"): "3730.00",
    }
    await adds_up(app)


async def test_salaries_already_paid_stay_where_the_notice_says_so_and_nothing_new_is_paid(
    funding_app: Harness,
) -> None:
    app = funding_app
    await claim_paid(app)
    await app.deliver(a_claim("claim-2", post="post-2"))
    assert (await app.put(f"{CLAIMS}/claim-2/approval", None, commissioner(app))).status_code == 200
    await app.deliver(withdrawn(APRIL).model_copy(update={"salaries_stay": "Staff worked in good faith."}))
    (may,) = await runs(app, ["2022-05"])
    assert await amounts(app, may, stream="core_registered") == {("2022-04", "withdrawal"): "-6250.00"}
    assert await amounts(app, may, stream="arrs") == {}
    assert may["held"]["right-withdrawn"] == 1, "a claim that was not paid before waits as ever"
    await adds_up(app)
    (line,) = [
        one
        for one in (await app.client.get("/funding/v1/lines?stream=arrs", headers=nan(app))).json()["items"]
        if one["amount"]
    ]
    path = f"/funding/v1/queries/{(await raised(app, line['id']))['id']}"
    body = {"kind": "adjustment", "answer": "It was too much.", "amount_due": "3000.00"}
    assert (await app.put(f"{path}/answer", body, nan(app))).status_code == 200
    assert (await app.put(f"{path}/approval", None, nan(app, "bob"))).status_code == 200
    (june,) = await runs(app, ["2022-06"])
    assert await amounts(app, june, stream="arrs") == {("2022-04", "query"): "-730.00"}, "what stays can be put right"
    await adds_up(app)


@pytest.mark.parametrize(("kind", "back"), [("days", "-1865.00"), ("any-day", None)])
async def test_a_month_partly_without_the_right_follows_the_rule_of_membership(
    funding_app: Harness, kind: str, back: str | None
) -> None:
    app = funding_app
    await claim_paid(app)
    await published(app, kind, last="2023-03")
    await app.deliver(withdrawn(APRIL), restored(date(2022, 4, 16)))
    (may,) = await runs(app, ["2022-05"])
    assert (await amounts(app, may, stream="arrs")).get(("2022-04", "withdrawal")) == back
    await adds_up(app)


async def an_achievement(app: Harness) -> dict[str, Any]:
    """Half of 88 points at £200.00, list 1.1, prevalence 0.9: £8,712.00 for 2021/22."""
    await achieving.served(app)
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00001", valid_from=date(2020, 4, 1)))
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await achieving.declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    await achieving.approved(app, made)
    return made


async def test_an_achievement_is_paid_for_the_months_with_the_right(funding_app: Harness) -> None:
    app = funding_app
    made = await an_achievement(app)
    await runs(app, ["2022-04"])
    await app.deliver(withdrawn(date(2021, 12, 1)))
    (may,) = await runs(app, ["2022-05"])
    # without the right from December to March: 8,712.00 × 4 / 12
    assert await amounts(app, may, stream="iif") == {("2022-03", "withdrawal"): "-2904.00"}
    await adds_up(app)
    await app.deliver(restored(date(2022, 2, 1)))
    (june,) = await runs(app, ["2022-06"])
    assert await amounts(app, june, stream="iif") == {("2022-03", "withdrawal"): "1452.00"}
    await adds_up(app)
    # what was earned turns out to be 10,890.00: two twelfths of what that adds were earned without the right
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="40000")
    assess = f"{achieving.ACHIEVEMENTS}/{made['id']}/assessment"
    assert (await app.put(assess, None, achieving.commissioner(app))).json()["amount"] == "10890.00"
    (july,) = await runs(app, ["2022-07"])
    assert await amounts(app, july, stream="iif") == {
        ("2022-03", "rate-changed"): "2178.00",
        ("2022-03", "withdrawal"): "-363.00",
    }
    await adds_up(app)
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000000")
    assert (await app.put(assess, None, achieving.commissioner(app))).json()["amount"] == "8.71"
    (august,) = await runs(app, ["2022-08"])
    # 8.71 × 10 / 12 = 7.26 stay, of 9,075.00
    assert sum(map(Decimal, (await amounts(app, august, stream="iif")).values())) == Decimal("-9067.74")
    await adds_up(app)


async def test_an_achievement_approved_after_the_right_was_withdrawn_is_paid_for_the_other_months(
    funding_app: Harness,
) -> None:
    app = funding_app
    await achieving.served(app)
    await app.deliver(withdrawn(date(2021, 12, 1)))
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await achieving.declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    await achieving.approved(app, made)
    (april,) = await runs(app, ["2022-04"])
    assert await amounts(app, april, stream="iif") == {
        ("2022-03", "due"): "8712.00",
        ("2022-03", "withdrawal"): "-2904.00",
    }
    await adds_up(app)


async def test_of_arrears_only_the_months_without_the_right_are_taken_back(funding_app: Harness) -> None:
    app = funding_app
    await arrears.four_months_approved(app)
    on(app, date(2025, 9, 3))
    items = ((number, month, "300.00") for number, month in enumerate(arrears.MONTHS))
    await app.deliver(arrears.some_arrears(*items))
    assert (await app.put(f"{arrears.ARREARS}/arr-1/approval", None, commissioner(app))).status_code == 200
    await runs(app, ["2025-08"])
    await app.deliver(withdrawn(date(2025, 6, 1)))
    (september,) = await runs(app, ["2025-09"])
    # £203.17 of £812.68 a month; June and July are without the right
    assert await amounts(app, september, stream="arrs") == {
        ("2025-06", "withdrawal"): "-5581.00",
        ("2025-07", "withdrawal"): "-406.34",
    }
    await adds_up(app)
    shown = (await app.client.get(f"{arrears.ARREARS}/arr-1", headers=nan(app))).json()
    assert shown["taken_back"] == "406.34"


async def test_reports_show_what_stays_paid(funding_app: Harness, reporting_app: Harness) -> None:
    app = funding_app
    await claim_paid(app)
    await app.deliver(withdrawn(APRIL))
    await paid(app, "2022-05")
    await reporting_app.deliver(*await app.announced())
    headers = reporting_app.token(Role.NATIONAL)
    asked = {"contract_year": "2022-23", "by": "network", "stream": "arrs"}
    spend = (await reporting_app.client.get("/reporting/v1/spend", params=asked, headers=headers)).json()["items"]
    assert [(one["key"], one["paid"]) for one in spend] == [(NETWORK, "0.00")]
    asked = {"contract_year": "2022-23", "by": "claimant"}
    claims = (await reporting_app.client.get("/reporting/v1/claims", params=asked, headers=headers)).json()["items"]
    assert [(one["key"], one["approved"], one["paid"]) for one in claims] == [(NETWORK, "3730.00", "0.00")]
