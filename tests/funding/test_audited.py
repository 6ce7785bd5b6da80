"""What an auditor asks of money that was put right late: who gives it back, who decides, what is still to come."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.events.funding import PaymentIssued
from shared.events.registry import Member, PayeeAppointed
from shared.identity import Role
from tests.funding import test_achievements as achievements
from tests.funding import test_practice_scheme as scheme
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, an_approved_network, list_sizes
from tests.funding.test_journey import an_area, paid
from tests.funding.test_queries import QUERIES, commissioner, raised
from tests.funding.test_runs import lines_of, nan
from tests.funding.test_statements import statement
from tests.funding.test_succession import succeeded
from tests.harness import Harness


async def test_an_achievement_assessed_lower_is_given_back_by_whoever_was_paid_it(funding_app: Harness) -> None:
    app = funding_app
    await achievements.served(app)
    await achievements.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await achievements.declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    await achievements.approved(app, made)
    await app.deliver(PayeeAppointed(network=NETWORK, payee="X1111", valid_from=date(2022, 4, 1)))
    await paid(app, "2022-04")
    await app.deliver(PayeeAppointed(network=NETWORK, payee="X2222", valid_from=date(2022, 5, 1)))
    await achievements.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="55000")
    again = await app.put(f"{achievements.ACHIEVEMENTS}/{made['id']}/assessment", None, commissioner(app))
    assert again.status_code == 200, again.text
    await paid(app, "2022-05")
    lines = await achievements.lines_of(app, stream="iif")
    assert [(line["amount"], line["payee"]) for line in lines] == [("8712.00", "X1111"), ("-792.00", "X1111")]


async def test_what_an_answered_query_added_counts_when_an_achievement_is_assessed_again(funding_app: Harness) -> None:
    app = funding_app
    await achievements.served(app)
    await achievements.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await achievements.declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    await achievements.approved(app, made)
    (line,) = await lines_of(app, await paid(app, "2022-04"), stream="iif")
    asked = await raised(app, line["id"])
    more = {"kind": "adjustment", "answer": "The average list was 44,000.", "amount_due": "9900.00"}
    assert (await app.put(f"{QUERIES}/{asked['id']}/answer", more, nan(app))).status_code == 200
    await achievements.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="44000")
    for moment in ("proposed", "approved", "paid"):
        if moment == "approved":
            done = await app.put(f"{QUERIES}/{asked['id']}/approval", None, nan(app, "bob"))
            assert done.status_code == 200
        elif moment == "paid":
            await paid(app, "2022-05")
        again = await app.put(f"{achievements.ACHIEVEMENTS}/{made['id']}/assessment", None, commissioner(app))
        assert (moment, again.json()["code"]) == (moment, "NothingElseEarned")
    await paid(app, "2022-06")
    lines = await achievements.lines_of(app, stream="iif")
    assert sum(Decimal(line["amount"]) for line in lines) == Decimal("9900.00"), lines


async def test_a_former_commissioner_sees_but_decides_nothing(funding_app: Harness) -> None:
    app = funding_app
    await achievements.served(app)
    await achievements.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await achievements.declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    body = {"month": "2022-04", "counts": [{"network": NETWORK, "beds": 100}]}
    first = await app.post("/funding/v1/beds", body, commissioner(app))
    assert first.status_code == 201, first.text
    await app.deliver(succeeded(COMMISSIONER, "D7T5G", day=date(2022, 7, 1)))
    path = f"{achievements.ACHIEVEMENTS}/{made['id']}"
    for what, given in (("approval", {}), ("return", {"reason": "Too late."})):
        reply = await app.put(f"{path}/{what}", given, commissioner(app))
        assert (reply.status_code, reply.json().get("code")) == (403, "NotYoursToDecide"), what
    assert (await app.put(f"{path}/approval", {}, commissioner(app, "D7T5G"))).status_code == 200
    reply = await app.put(f"{path}/assessment", None, commissioner(app))
    assert (reply.status_code, reply.json().get("code")) == (403, "NotYoursToDecide")
    reply = await app.post("/funding/v1/beds", {**body, "month": "2022-05"}, commissioner(app))
    assert (reply.status_code, reply.json().get("code")) == (403, "NotYoursToDecide")
    beds = f"/funding/v1/beds/{NETWORK}/2022-04"
    etag = (await app.client.get(beds, headers=commissioner(app))).headers["etag"]
    again = {"beds": 90, "note": "Counted again."}
    reply = await app.put(beds, again, commissioner(app), match=etag)
    assert (reply.status_code, reply.json().get("code")) == (403, "NotYoursToDecide")
    reply = await app.put(beds, again, commissioner(app, "D7T5G"), match=etag)
    assert reply.status_code == 200, reply.text


async def test_a_practice_outside_every_network_is_its_commissioners_to_see(funding_app: Harness) -> None:
    app = funding_app
    await scheme.an_area(app)
    await app.deliver(list_sizes("adjusted", {"A00002": 8000}, snapshot=scheme.SNAPSHOT))
    given = scheme.a_month("2026-04", practice="A00002")
    claim = await app.post(scheme.CLAIMS, given, scheme.practice(app, "A00002"))
    assert claim.status_code == 201, claim.text
    path = f"{scheme.CLAIMS}/{claim.json()['id']}"
    await app.put(f"{path}/submission", None, scheme.practice(app, "A00002"))
    assert (await app.put(f"{path}/approval", None, commissioner(app))).status_code == 200
    run = await paid(app, "2026-05")
    (line,) = await lines_of(app, run, practice="A00002")
    assert line["network"] == "A00002"
    events = [e for e in await app.announced() if isinstance(e, PaymentIssued) and e.network == "A00002"]
    assert [e.commissioner for e in events] == [COMMISSIONER]
    for who in (commissioner(app), app.token(Role.SYSTEM, organisations=["QHM"])):
        told = await app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=who)
        assert told.status_code == 200, told.text
    stranger = await app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=commissioner(app, "99X"))
    assert stranger.status_code == 404
    asked = await raised(app, line["id"], scheme.practice(app, "A00002"))
    answer = {"kind": "explanation", "answer": "It was cut at the GP's maximum."}
    reply = await app.put(f"{QUERIES}/{asked['id']}/answer", answer, commissioner(app))
    assert reply.status_code == 200, reply.text
    paid_out = await statement(app, "A00002", "2026-05", commissioner(app))
    assert paid_out["total"] == line["amount"]


async def coming_is_paid(app: Harness, month: str, newest: str, *payees: str) -> None:
    """What statements say is coming is what the next run pays each payee."""
    told = {payee: await statement(app, payee, newest) for payee in payees}
    run = await paid(app, month)
    lines = await lines_of(app, run)
    for payee in payees:
        got = sum((Decimal(x["amount"]) for x in lines if x["payee"] == payee and x["amount"]), Decimal("0.00"))
        assert (payee, Decimal(told[payee]["coming"]["amount"])) == (payee, got)


async def test_what_is_coming_tells_who_gives_back_after_another_payee_was_appointed(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await paid(app, "2022-04")
    await app.deliver(
        PayeeAppointed(network=NETWORK, payee="A00002", valid_from=date(2022, 5, 1)),
        list_sizes("registered", {"A00001": 24000}, known_from=date(2022, 6, 1)),
    )
    await coming_is_paid(app, "2022-05", "2022-04", "A00001", "A00002")


async def test_what_is_coming_tells_of_a_membership_that_never_was(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await paid(app, "2022-04")
    await app.deliver(
        an_approved_network(members=[Member(practice="A00001", valid_from=date(2020, 4, 1))], payee="A00001"),
        an_approved_network("U54321", members=["A00002", "A00003"], payee="A00003"),
    )
    await coming_is_paid(app, "2022-05", "2022-04", "A00001", "A00002")


async def test_what_is_coming_tells_of_news_about_years_long_closed(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    for year in (2023, 2024):
        for basis in ("registered", "adjusted", "weighted"):
            await app.deliver(list_sizes(basis, {"A00001": 30000, "A00002": 20000}, snapshot=date(year, 1, 1)))
    for month in ("2023-03", "2024-03", "2024-04"):
        await paid(app, month)
    await app.deliver(list_sizes("registered", {"A00001": 31000}, known_from=date(2024, 6, 1)))
    await coming_is_paid(app, "2024-05", "2024-04", "A00001", "A00002")


async def test_an_adjustment_of_a_claim_comes_out_of_the_networks_sum(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(a_claim(salary=Decimal("4500.00")))
    assert (await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))).status_code == 200
    (line,) = await lines_of(app, await paid(app, "2022-04"), stream="arrs")
    (budget,) = (await app.client.get("/funding/v1/budgets", headers=nan(app))).json()["items"]
    asked = await raised(app, line["id"])
    answer = {"kind": "adjustment", "answer": "All of it.", "amount_due": str(Decimal(budget["amount"]) + 1)}
    over = await app.put(f"{QUERIES}/{asked['id']}/answer", answer, nan(app))
    assert (over.status_code, over.json()["code"]) == (409, "BeyondTheSum")
    answer["amount_due"] = budget["amount"]
    assert (await app.put(f"{QUERIES}/{asked['id']}/answer", answer, nan(app))).status_code == 200
    assert (await app.put(f"{QUERIES}/{asked['id']}/approval", None, nan(app, "bob"))).status_code == 200
    (adjusted,) = await lines_of(app, await paid(app, "2022-05"), cause="query")
    again = await raised(app, adjusted["id"])
    nothing = {"kind": "adjustment", "answer": "It was too much.", "amount_due": "0.00"}
    chained = await app.put(f"{QUERIES}/{again['id']}/answer", nothing, nan(app))
    assert (chained.status_code, chained.json()["code"]) == (409, "AnswersAnotherQuery")
    asked_for = {"contract_year": "2022-23"}
    (forecast,) = (await app.client.get("/funding/v1/forecasts", params=asked_for, headers=nan(app))).json()["items"]
    assert (forecast["paid"], forecast["at_risk"]) == (budget["amount"], "0.00")
    await app.deliver(a_claim("claim-2", post="post-2"))
    later = await app.put("/funding/v1/claims/claim-2/approval", None, commissioner(app))
    assert (later.status_code, [fault["code"] for fault in later.json()["errors"]]) == (409, ["sum_exhausted"])


async def test_a_payee_gives_back_no_more_than_it_had(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await paid(app, "2022-04")
    await app.deliver(
        PayeeAppointed(network=NETWORK, payee="X1111", valid_from=date(2022, 5, 1)),
        list_sizes("registered", {"A00001": 50000}, known_from=date(2022, 6, 1)),
    )
    await paid(app, "2022-05")
    await app.deliver(list_sizes("registered", {"A00001": 1, "A00002": 1}, known_from=date(2022, 7, 1)))
    await paid(app, "2022-06")
    lines = await achievements.lines_of(app, stream="core_registered", month="2022-04")
    had: dict[str, Decimal] = {}
    for one in lines:
        had[one["payee"]] = had.get(one["payee"], Decimal(0)) + Decimal(one["amount"])
    assert min(had.values()) >= 0, had
