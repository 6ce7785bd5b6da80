"""Scenarios over several months, each with a run before and one after: everything told of them is one sum."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from shared.events.registry import Member, PayeeAppointed, PracticeJoined, PracticeLeft
from shared.identity import Role
from shared.years import last_day, months_of
from tests.funding import test_achievements as achieving
from tests.funding import test_practice_scheme as scheme
from tests.funding.adding_up import adds_up, all_of, came_true, coming
from tests.funding.asking import amounts
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, an_approved_network, list_sizes
from tests.funding.test_bank_details import approved as banked
from tests.funding.test_beds import supplied
from tests.funding.test_distributions import agreed, divided
from tests.funding.test_journey import RUNS, an_area, calculated, noted, paid
from tests.funding.test_queries import commissioner, raised
from tests.funding.test_redirections import decided, proposed, redirected
from tests.funding.test_restatements import nothing_paid_is_touched, publish
from tests.funding.test_runs import lines_of, nan
from tests.funding.test_runs_instructions import INSTRUCTIONS, file_of, instructions_of, settled
from tests.funding.test_succession import on
from tests.funding.test_variations import ACCESS, FRAILTY, VARIATIONS, in_force
from tests.funding.test_withdrawals import restored, withdrawn
from tests.harness import Harness

SINCE = date(2020, 4, 1)
FIRST = Member(practice="A00001", valid_from=SINCE)


async def runs(app: Harness, months: list[str]) -> list[dict[str, Any]]:
    """The months paid one after another, each as statements foretold it just before."""
    made = []
    for month in months:
        foretold = await coming(app, month)
        made.append(await paid(app, month))
        await came_true(app, made[-1], foretold)
    return made


async def test_a_variation_that_ends_within_the_year_and_one_taken_back_over_paid_months(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    variation = await in_force(app, ACCESS, FRAILTY)
    await runs(app, ["2022-10", "2022-11"])
    await adds_up(app)
    path = f"{VARIATIONS}/{variation['id']}/consents/A00002"
    own = app.token(Role.PRACTICE, organisations=["A00002"])
    held = await app.client.get(path, headers=own)
    body = {"withdrawn_from": "2022-11-01"}
    done = await app.client.put(f"{path}/withdrawal", json=body, headers={**own, "If-Match": held.headers["etag"]})
    assert done.status_code == 204, done.text
    async with nothing_paid_is_touched(app):
        (december,) = await runs(app, ["2022-12"])
    assert await amounts(app, december, stream="frailty_care") == {
        ("2022-11", "membership-changed"): "-4000.00",  # 2.4 × 20,000 / 12
        ("2022-12", "due"): "6000.00",
    }
    await adds_up(app)
    await runs(app, ["2023-01", "2023-03", "2023-04"])
    await adds_up(app)


async def test_a_variation_of_three_months(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    body = {
        "name": "Winter",
        "commissioner": COMMISSIONER,
        "first_month": "2022-10",
        "last_month": "2022-12",
        "practices": ["A00001", "A00002"],
        "items": [{"stream": "winter_care", "basis": "registered", "value": "0.300", "rate_period": "window"}],
    }
    made = await app.post(VARIATIONS, body, commissioner(app))
    assert made.status_code == 201, made.text
    for practice in ("A00001", "A00002"):
        headers = app.token(Role.PRACTICE, organisations=[practice])
        consent = {"practice": practice, "signed_by": "Dr Okafor"}
        assert (await app.post(f"{VARIATIONS}/{made.json()['id']}/consents", consent, headers)).status_code == 201
    assert (await app.put(f"{VARIATIONS}/{made.json()['id']}/approval", None, nan(app))).status_code == 200
    paid_for = [await amounts(app, run, stream="winter_care") for run in await runs(app, ["2022-10", "2022-12"])]
    assert paid_for == [
        {("2022-10", "due"): "5000.00"},
        {("2022-11", "due"): "5000.00", ("2022-12", "due"): "5000.00"},
    ]
    (march,) = await runs(app, ["2023-03"])
    assert await amounts(app, march, stream="winter_care") == {}
    await adds_up(app)


async def test_a_practice_found_to_be_shared_by_two_networks(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    await app.deliver(an_approved_network("U99999", [Member(practice="A00003", valid_from=SINCE)], payee="A00003"))
    for basis in ("registered", "adjusted", "weighted"):
        await app.deliver(list_sizes(basis, {"A00003": "9999.5"}))
    await supplied(app, "2022-04", 11, "U99999")
    await runs(app, ["2022-04", "2022-05"])
    await adds_up(app)
    part = [Member(practice="A00002", valid_from=SINCE, share=Decimal(share)) for share in ("0.3333", "0.6667")]
    await app.deliver(
        an_approved_network(members=[FIRST, part[0]], payee="A00001"),
        an_approved_network("U99999", [Member(practice="A00003", valid_from=SINCE), part[1]], payee="A00003"),
    )
    async with nothing_paid_is_touched(app):
        (june,) = await runs(app, ["2022-06"])
    assert {line["cause"] for line in await lines_of(app, june, stream="core_registered")} == {
        *("due", "membership-changed")
    }
    await adds_up(app)
    whole = sum(
        Decimal(line["amount"])
        for line in (await app.client.get("/funding/v1/lines?practice=A00002&limit=1000", headers=nan(app))).json()[
            "items"
        ]
    )
    assert whole == Decimal("8364.75")  # 1.761 × 19,000 × 3 / 12, in one network or two


async def test_a_rate_superseded_upwards_and_then_below_what_it_was(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    await runs(app, ["2022-04", "2022-05"])
    year = {"basis": "registered", "valid_from": "2022-04-01", "valid_to": "2023-03-31"}
    first = await publish(
        app,
        code="core_registered",
        value="1.733",
        known_from="2022-06-01",
        supersedes="core_registered.2223.20",
        **year,
    )
    async with nothing_paid_is_touched(app):
        await runs(app, ["2022-06"])
    await adds_up(app)
    await publish(app, code="core_registered", value="1.411", known_from="2022-07-01", supersedes=first["id"], **year)
    async with nothing_paid_is_touched(app):
        (july,) = await runs(app, ["2022-07"])
    core = await amounts(app, july, stream="core_registered")
    assert {cause for _, cause in core} == {"rate-changed", "due"}
    # 50,000 × 1.411 × 4 / 12 = 23,516.67, of which 50,000 × 1.733 × 3 / 12 = 21,662.50 was paid
    assert sum(map(Decimal, core.values())) == Decimal("1854.17")
    await adds_up(app)


async def test_beds_corrected_down_to_none_after_payment_and_up_again(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 97)
    await runs(app, ["2022-04", "2022-05", "2022-06"])
    await supplied(app, "2022-05", 0)
    async with nothing_paid_is_touched(app):
        (july,) = await runs(app, ["2022-07"])
    assert await amounts(app, july, stream="care_home_premium") == {
        ("2022-05", "population-restated"): "-970.00",
        ("2022-06", "population-restated"): "-970.00",
        ("2022-07", "due"): "0.00",
    }
    await adds_up(app)
    await supplied(app, "2022-06", 103)
    async with nothing_paid_is_touched(app):
        await runs(app, ["2022-08"])
    await adds_up(app)


async def test_a_right_withdrawn_and_restored_over_paid_months_with_a_claim_in_between(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    await runs(app, ["2022-04", "2022-05"])
    await app.deliver(a_claim(), withdrawn(date(2022, 5, 1)))
    ok = await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))
    assert ok.status_code == 200
    await runs(app, ["2022-06"])
    await adds_up(app)
    await app.deliver(restored(date(2022, 6, 1)))
    async with nothing_paid_is_touched(app):
        await runs(app, ["2022-07"])
    await adds_up(app)
    await app.deliver(restored(date(2022, 5, 1)))
    await runs(app, ["2022-08"])
    await adds_up(app)


async def test_a_payment_returned_after_another_payee_was_appointed(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    for payee in ("A00001", "A00002", "A00003"):
        await banked(app, payee)
    april = await paid(app, "2022-04")
    await file_of(app, april)
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00003", valid_from=date(2022, 5, 1)))
    may = await paid(app, "2022-05")
    await file_of(app, may)
    await settled(app, (await instructions_of(app, april))["A00001"], "return")
    await adds_up(app)
    june = await paid(app, "2022-06")
    await adds_up(app)
    one = (await instructions_of(app, april))["A00001"]
    note = {"reason": "The account was closed by mistake and is open again."}
    assert (await app.put(f"{INSTRUCTIONS}/{one['id']}/remedy", note, nan(app))).status_code == 200
    july = await paid(app, "2022-07")
    again = (await instructions_of(app, july))["A00001"]
    assert Decimal(again["brought_forward"]) == Decimal(one["amount"])
    await adds_up(app)
    await app.deliver(list_sizes("registered", {"A00001": 20000}, known_from=date(2022, 8, 1)))
    await paid(app, "2022-08")
    assert june["status"] == "issued"
    await adds_up(app)


async def test_money_that_came_back_goes_over_is_restated_and_taken_back_from_whoever_has_it(
    funding_app: Harness,
) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    for payee in ("A00001", "A00002"):
        await banked(app, payee)
    (april,) = await runs(app, ["2022-04"])
    await file_of(app, april)
    await settled(app, (await instructions_of(app, april))["A00001"], "return")
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00003", valid_from=date(2022, 5, 1)))
    made = await redirected(app, (await instructions_of(app, april))["A00001"], "A00003")
    await adds_up(app)
    await banked(app, "A00003", account_number="11112222")
    (may,) = await runs(app, ["2022-05"])
    await file_of(app, may)
    await settled(app, (await instructions_of(app, may))["A00003"], "confirmation")
    await adds_up(app)
    await app.deliver(list_sizes("registered", {"A00001": 5000}, known_from=date(2022, 6, 1)))
    async with nothing_paid_is_touched(app):
        (june,) = await runs(app, ["2022-06"])
    back = [line for line in await lines_of(app, june) if line["amount"] and Decimal(line["amount"]) < 0]
    assert {line["payee"] for line in back if line["practice"] is None} == {"A00003"}
    assert (await instructions_of(app, june))["A00003"]["state"] == "carried"
    await adds_up(app)
    await app.deliver(PayeeAppointed(network=NETWORK, payee="X9999", valid_from=date(2022, 7, 1)))
    await settled(app, (await instructions_of(app, may))["A00003"], "return")
    (july,) = await runs(app, ["2022-07"])
    await adds_up(app)
    # what A00003 was sent for April and May came back late, and of it goes over what was not taken back in June
    again = await redirected(app, (await instructions_of(app, may))["A00003"], "X9999")
    assert Decimal(again["amount"]) < 2 * Decimal(made["amount"])
    assert {part["month"] for part in again["amounts"]} == {"2022-04", "2022-05"}
    await adds_up(app)
    note = {"reason": "Its account is open again."}
    (rest,) = [one for one in await all_of(app, "payment-instructions", run=may["id"]) if one["payee"] == "A00003"]
    assert (await app.put(f"{INSTRUCTIONS}/{rest['id']}/remedy", note, nan(app))).status_code == 200
    (august,) = await runs(app, ["2022-08"])
    assert {one["payee"] for one in (await instructions_of(app, august)).values() if one["state"] == "carried"} == set()
    await app.deliver(list_sizes("registered", {"A00001": 1}, known_from=date(2022, 9, 1)))
    await runs(app, ["2022-09"])
    assert july["status"] == "issued"
    await adds_up(app)


async def test_what_is_held_goes_over_part_by_part_and_what_is_withdrawn_does_not(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    await app.deliver(
        list_sizes("registered", {"A00003": 31000}, network="U54321"),
        an_approved_network("U54321", [Member(practice="A00003", valid_from=SINCE)], payee="X1111"),
        PayeeAppointed(network=NETWORK, payee="X1111", valid_from=SINCE),
    )
    (april,) = await runs(app, ["2022-04"])
    await app.deliver(
        PayeeAppointed(network=NETWORK, payee="X2222", valid_from=date(2022, 5, 1)),
        PayeeAppointed(network="U54321", payee="X3333", valid_from=date(2022, 5, 1)),
    )
    one = (await instructions_of(app, april))["X1111"]
    undone = await proposed(app, one, "X3333", network="U54321")
    assert (await decided(app, undone, "withdrawal", by="alice")).status_code == 200
    await redirected(app, one, "X2222")
    await adds_up(app)
    (may,) = await runs(app, ["2022-05"])
    assert (await instructions_of(app, may))["X1111"]["parts"] == {NETWORK: "0.00", "U54321": one["parts"]["U54321"]}
    await adds_up(app)
    # what was left of it is held again, and goes over from there
    await redirected(app, (await instructions_of(app, may))["X1111"], "X3333", network="U54321")
    await app.deliver(PayeeAppointed(network=NETWORK, payee="X4444", valid_from=date(2022, 5, 15)))
    twice = await redirected(app, (await instructions_of(app, may))["X2222"], "X4444")
    assert {part["month"] for part in twice["amounts"]} == {"2022-04", "2022-05"}
    await adds_up(app)
    await app.deliver(list_sizes("registered", {"A00003": 100}, network="U54321", known_from=date(2022, 6, 1)))
    async with nothing_paid_is_touched(app):
        await runs(app, ["2022-06"])
    await adds_up(app)


async def test_what_is_distributed_after_a_correction_comes_to_the_payments(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    await agreed(app, "registered", costs=[{"what": "manager", "amount": "1000.01"}])
    made = [await divided(app, run) for run in await runs(app, ["2022-04", "2022-05"])]
    await app.deliver(list_sizes("registered", {"A00001": 7, "A00002": 11}, known_from=date(2022, 6, 1)))
    await app.deliver(list_sizes("adjusted", {"A00001": 7, "A00002": 11}, known_from=date(2022, 6, 1)))
    made += [await divided(app, run) for run in await runs(app, ["2022-06", "2022-07"])]
    assert Decimal(made[2]["payment"]) < 0
    for one in made:
        parts = sum(Decimal(part["amount"]) for part in one["parts"])
        costs = Decimal(one["costs_taken"]) if "costs_taken" in one else sum(Decimal(c["amount"]) for c in one["costs"])
        assert parts + Decimal(one["retained"]) + costs == Decimal(one["payment"])
    lines = (await app.client.get(f"/funding/v1/lines?network={NETWORK}&limit=1000", headers=nan(app))).json()["items"]
    own = sum(Decimal(line["amount"]) for line in lines if line["practice"] is None and line["amount"])
    assert sum(Decimal(one["payment"]) for one in made) == own
    await adds_up(app)


async def test_a_membership_heard_of_between_calculation_and_issue(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    await runs(app, ["2022-04"])
    run = await calculated(app, "2022-05")
    await app.deliver(
        PracticeLeft(
            network=NETWORK, commissioner=COMMISSIONER, practice="A00002", valid_from=SINCE, valid_to=date(2022, 4, 30)
        ),
        PracticeJoined(network="U77777", commissioner=COMMISSIONER, practice="A00002", valid_from=date(2022, 5, 1)),
    )
    bob = nan(app, "bob")
    assert (await app.put(f"{RUNS}/{run['id']}/approval", noted(run), bob)).status_code == 200
    await app.deliver(an_approved_network("U77777", [Member(practice="A00002", valid_from=date(2022, 5, 1))]))
    assert (await app.put(f"{RUNS}/{run['id']}/issue", None, bob)).status_code == 200
    await adds_up(app, due=False)
    async with nothing_paid_is_touched(app):
        june = await paid(app, "2022-06")
    assert (await amounts(app, june, stream="core_registered", network=NETWORK))[
        "2022-05", "membership-changed"
    ] == "-2500.00"
    await adds_up(app)


async def test_a_practice_claim_approved_ahead_withdrawn_and_never_paid(funding_app: Harness) -> None:
    app = funding_app
    await scheme.an_area(app)
    for month in ("2026-04", "2026-05"):
        one = await scheme.submitted(app, month)
        assert (await scheme.step(app, one["id"], "approval")).status_code == 200
    await paid(app, "2026-06")
    on(app, date(2026, 8, 1))
    ahead = await scheme.submitted(app, "2026-08", sessions="3", salary="3600.00")
    assert (await scheme.step(app, ahead["id"], "confirmation")).status_code == 200
    assert (await scheme.step(app, ahead["id"], "approval")).status_code == 200
    gone = await scheme.step(app, ahead["id"], "withdrawal")
    assert (gone.status_code, gone.json()["status"]) == (200, "withdrawn")
    on(app, date(2026, 9, 1))
    await paid(app, "2026-08")
    lines = await app.client.get("/funding/v1/lines?stream=gp_reimbursement_max", headers=nan(app))
    assert [line["month"] for line in lines.json()["items"]] == ["2026-04", "2026-05"]
    await adds_up(app)


async def test_an_achievement_paid_to_two_payees_and_taken_back(funding_app: Harness) -> None:
    app = funding_app
    await achieving.served(app)
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await achieving.declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    await achieving.approved(app, made)
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00001", valid_from=date(2020, 4, 1)))
    await paid(app, "2022-04")
    await app.deliver(PayeeAppointed(network=NETWORK, payee="X9999", valid_from=date(2022, 5, 1)))
    assess = f"{achieving.ACHIEVEMENTS}/{made['id']}/assessment"
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="40000")
    assert (await app.put(assess, None, achieving.commissioner(app))).json()["amount"] == "10890.00"
    await paid(app, "2022-05")
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000000")
    assert (await app.put(assess, None, achieving.commissioner(app))).json()["amount"] == "8.71"
    june = await paid(app, "2022-06")
    assert {line["payee"]: line["amount"] for line in await lines_of(app, june, stream="iif")} == {
        "A00001": "-8712.00",
        "X9999": "-2169.29",
    }
    await adds_up(app)


async def test_a_query_answered_by_an_adjustment_up_and_then_down(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    await app.deliver(a_claim(salary=Decimal("4500.00")))
    assert (await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))).status_code == 200
    (line,) = await lines_of(app, await paid(app, "2022-04"), stream="arrs")
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00003", valid_from=date(2022, 5, 1)))
    for month, due in (("2022-05", "4884.60"), ("2022-06", "100.00"), ("2022-07", "0.00")):
        asked = await raised(app, line["id"])
        path = f"/funding/v1/queries/{asked['id']}"
        body = {"kind": "adjustment", "answer": "Otherwise.", "amount_due": due}
        assert (await app.put(f"{path}/answer", body, nan(app))).status_code == 200
        assert (await app.put(f"{path}/approval", None, nan(app, "bob"))).status_code == 200
        run = await paid(app, month)
        (paid_line,) = await lines_of(app, run, cause="query")
        assert paid_line["payee"] == "A00001"
        await adds_up(app)
    shown = (await app.client.get(f"/funding/v1/forecasts/{NETWORK}?contract_year=2022-23", headers=nan(app))).json()
    (role,) = [one for one in shown.get("sums", shown.get("items", [])) if one["scope"] == "all_roles"]
    assert (role["paid"], role["claimed"]) == ("0.00", "5230.00")


async def test_a_payee_below_nothing_for_months_gets_nothing_and_owes_what_it_had(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    for payee in ("A00001", "A00002"):
        await banked(app, payee)
    for run in await runs(app, ["2022-04", "2022-05", "2022-06"]):
        await file_of(app, run)
    await app.deliver(list_sizes("weighted", {"A00002": 1000}, known_from=date(2022, 7, 1)))
    for run in await runs(app, [f"2022-{n:02d}" for n in range(7, 11)]):
        await file_of(app, run)
        assert (await instructions_of(app, run))["A00002"]["state"] == "carried"
    await adds_up(app)
    await app.deliver(list_sizes("weighted", {"A00002": 25000}, known_from=date(2023, 1, 1)))
    (january,) = await runs(app, ["2023-01"])
    assert Decimal((await instructions_of(app, january))["A00002"]["amount"]) > 0
    await adds_up(app)


async def test_a_run_for_march_after_the_next_year_began(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await supplied(app, "2022-04", 100)
    for basis in ("registered", "adjusted", "weighted"):
        await app.deliver(list_sizes(basis, {"A00001": 30500, "A00002": 20500}, snapshot=date(2023, 1, 1)))
    await app.deliver(a_claim(month="2023-03", worked_from=date(2023, 3, 1), worked_to=date(2023, 3, 31)))
    assert (await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))).status_code == 200
    await paid(app, "2023-02")
    april = await paid(app, "2023-04")
    assert {line["month"] for line in await lines_of(app, april, stream="core_registered")} == {"2023-04"}
    assert [line["month"] for line in await lines_of(app, april, stream="arrs")] == ["2023-03"]
    await adds_up(app)
    march = await paid(app, "2023-03")
    assert {line["month"] for line in await lines_of(app, march, stream="core_registered")} == {"2023-03"}
    assert await lines_of(app, march, stream="arrs") == []
    await adds_up(app)
    await app.deliver(list_sizes("registered", {"A00001": 30000 + 12}, known_from=date(2023, 5, 1)))
    may = await paid(app, "2023-05")
    late = [line for line in await lines_of(app, may, stream="core_registered") if line["contract_year"] == "2022-23"]
    assert len(late) == 12
    await adds_up(app)


async def test_a_month_run_out_of_turn_moves_nothing(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(list_sizes("registered", {"A00001": 30001, "A00002": "19999.3"}))
    await supplied(app, "2022-04", 101)
    await paid(app, "2022-07")
    for month in ("2022-05", "2022-04", "2022-06"):
        out_of_turn = await paid(app, month)
        assert (out_of_turn["total"], out_of_turn["lines"]) == ("0.00", 0)
    again = await app.post(RUNS, {"month": "2022-07"}, nan(app))
    assert (again.status_code, again.json()["code"]) == (409, "RunInProgress")
    await paid(app, "2022-08")
    await adds_up(app)


async def test_the_year_2026_27_month_by_month(funding_app: Harness) -> None:
    """Core in two products, no capacity and access money, the practice's GP month by month, an uplift in between."""
    app = funding_app
    await scheme.an_area(app, adjusted=9_512)
    await supplied(app, "2026-04", 61)
    rate: dict[str, Any] = {
        "code": "enhanced_access",
        "basis": "adjusted",
        "value": "9.123",
        "valid_from": "2026-04-01",
        "valid_to": "2027-03-31",
        "known_from": "2026-11-02",
        "supersedes": "enhanced_access.2627.56",
    }
    claimed = Decimal("0.00")
    for month in months_of("2026-27"):
        on(app, last_day(month))
        if month == "2026-11":
            await publish(app, **rate)
        # the scheme became known in May, back to April
        for claimed_for in {"2026-04": (), "2026-05": ("2026-04", "2026-05")}.get(month, (month,)):
            one = await scheme.submitted(app, claimed_for)
            await scheme.step(app, one["id"], "confirmation")
            granted = await scheme.step(app, one["id"], "approval")
            assert granted.status_code == 200, granted.text
            claimed += Decimal(granted.json()["payable"])
        await runs(app, [month])
    await adds_up(app)
    lines = await all_of(app, "lines")
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line["stream"]] += Decimal(line["amount"])
    assert sums == {
        "core_registered": Decimal("20799.00"),  # 2.311 × 9,000
        "core_adjusted": Decimal("7114.98"),  # 0.748 × 9,512
        "enhanced_access": Decimal("86777.98"),  # 9.123 × 9,512 = 86,777.976
        "care_home_premium": Decimal("8122.76"),  # 133.16 × 61
        "network_participation": Decimal("15849.00"),  # 1.761 × 9,000
        "gp_reimbursement_max": claimed,
    }
    assert claimed == Decimal("16988.89"), "a ninth of £152,900 in the year"
