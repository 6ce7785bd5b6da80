"""Money that came back or is held for a payee that is gone goes to whoever is paid it today, by two people."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from html import escape
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from deploy.doctor.money import _INSTRUCTIONS
from shared.events.funding import PaymentConfirmed, PaymentRedirected
from shared.events.registry import Member, PayeeAppointed, PracticeSucceeded
from shared.identity import Role
from tests.funding import test_achievements as achieving
from tests.funding.adding_up import adds_up
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, an_approved_network, list_sizes
from tests.funding.test_bank_details import approved as banked
from tests.funding.test_bank_details import nan
from tests.funding.test_journey import RUNS, an_area, calculated, noted, paid
from tests.funding.test_queries import commissioner, raised
from tests.funding.test_runs import lines_of
from tests.funding.test_runs_instructions import INSTRUCTIONS, file_of, instructions_of, settled
from tests.funding.test_statements import STATEMENTS, statement
from tests.funding.test_withdrawals import restored, withdrawn
from tests.harness import Harness

REDIRECTIONS = "/funding/v1/payment-redirections"
WHY = "The payee's account is closed; the network appointed another."
NEW = "X9999"


async def proposed(app: Harness, instruction: dict[str, Any], to: str = NEW, **more: Any) -> dict[str, Any]:
    given = {"instruction": instruction["id"], "network": NETWORK, "redirected_to": to, "reason": WHY, **more}
    reply = await app.post(REDIRECTIONS, given, nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def decided(app: Harness, redirection: dict[str, Any], what: str = "approval", by: str = "bob") -> httpx.Response:
    body = None if what == "approval" else {"reason": "It was a mistake."}
    return await app.put(f"{REDIRECTIONS}/{redirection['id']}/{what}", body, nan(app, by))


async def redirected(app: Harness, instruction: dict[str, Any], to: str = NEW, **more: Any) -> dict[str, Any]:
    done = await decided(app, await proposed(app, instruction, to, **more))
    assert done.status_code == 200, done.text
    made: dict[str, Any] = done.json()
    return made


async def appointed(app: Harness, payee: str = NEW, since: date = date(2022, 5, 1)) -> None:
    await app.deliver(PayeeAppointed(network=NETWORK, payee=payee, valid_from=since))


async def returned(app: Harness) -> dict[str, Any]:
    """What the network's first payee was sent for April came back, and another was appointed from May on."""
    await an_area(app)
    await banked(app)
    april = await paid(app, "2022-04")
    await file_of(app, april)
    one = (await instructions_of(app, april))["A00001"]
    await settled(app, one, "return")
    await appointed(app)
    return (await instructions_of(app, april))["A00001"]


async def test_what_came_back_goes_to_the_payee_of_today(funding_app: Harness) -> None:
    app = funding_app
    one = await returned(app)
    parts = (await app.client.get(f"{INSTRUCTIONS}/{one['id']}/parts", headers=nan(app))).json()["items"]
    assert parts == [
        {"network": NETWORK, "practice": None, "amount": "18112.67", "left": "18112.67", "paid_today": NEW},
        {"network": NETWORK, "practice": "A00001", "amount": "4549.25", "left": "4549.25", "paid_today": "A00001"},
    ]
    made = await proposed(app, one)
    assert (made["status"], made["amount"], made["amounts"]) == ("proposed", "18112.67", [])
    before = datetime.now(UTC).isoformat()
    done = (await decided(app, made)).json()
    assert (done["status"], done["decided_by"], done["taken_into"]) == ("approved", "bob", None)
    assert {(part["stream"], part["month"], part["amount"]) for part in done["amounts"]} == {
        ("clinical_director", "2022-04", "3066.67"),
        ("core_registered", "2022-04", "6250.00"),
        ("extended_hours", "2022-04", "6000.00"),
        ("leadership_management", "2022-04", "2796.00"),
    }
    held = (await instructions_of(app, {"id": one["run"]}))["A00001"]
    assert (held["state"], held["redirected"]) == ("returned", "18112.67")
    await adds_up(app)
    await banked(app, NEW, account_number="11112222")
    may = await paid(app, "2022-05")
    new = (await instructions_of(app, may))[NEW]
    assert (new["brought_forward"], new["parts"]) == ("18112.67", {NETWORK: "36225.33"})
    await file_of(app, may)
    await settled(app, new, "confirmation")
    (told,) = [event for event in await app.announced() if isinstance(event, PaymentRedirected)]
    assert (told.payee, told.redirected_to, told.amount, told.month) == ("A00001", NEW, Decimal("18112.67"), "2022-04")
    (arrived,) = [event for event in await app.announced() if isinstance(event, PaymentConfirmed)]
    assert [(part.redirection, part.instruction, part.amount) for part in arrived.redirections] == [
        (made["id"], one["id"], Decimal("18112.67"))
    ]
    shown = (await app.client.get(f"{REDIRECTIONS}/{made['id']}", headers=nan(app))).json()
    assert shown["taken_into"] == new["id"]
    then = {"known_at": before}
    shown = (await app.client.get(f"{REDIRECTIONS}/{made['id']}", params=then, headers=nan(app))).json()
    assert shown == made, "as it was known before the second person"
    for status, count in (("proposed", 1), ("approved", 0)):
        asked = {"status": status, **then}
        listed = (await app.client.get(REDIRECTIONS, params=asked, headers=nan(app))).json()["items"]
        assert len(listed) == count
    await adds_up(app)
    trail = (await app.client.get("/funding/v1/audit", headers=app.token(Role.OPERATOR))).json()["items"]
    own = [(entry["subject"], entry["action"]) for entry in trail if entry["record"] == f"redirections/{made['id']}"]
    assert own == [("alice", "created"), ("bob", "changed")]


async def test_what_was_paid_too_much_is_asked_back_of_whoever_has_it_now(funding_app: Harness) -> None:
    app = funding_app
    one = await returned(app)
    await redirected(app, one)
    await paid(app, "2022-05")
    await app.deliver(list_sizes("registered", {"A00001": 24000}, known_from=date(2022, 6, 1)))
    june = await paid(app, "2022-06")
    back = {
        (line["payee"], line["month"])
        for line in await lines_of(app, june)
        if line["amount"] and Decimal(line["amount"]) < 0
    }
    assert back == {(NEW, "2022-04"), (NEW, "2022-05")}, "not the payee it never reached"
    await adds_up(app)


async def test_what_is_held_for_a_payee_without_an_account_goes_over_and_the_run_can_be_closed(
    funding_app: Harness,
) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(PayeeAppointed(network=NETWORK, payee="X1111", valid_from=date(2022, 4, 1)))
    april = await paid(app, "2022-04")
    made = await instructions_of(app, april)
    assert {one["state"] for one in made.values()} == {"held"}
    await appointed(app)
    await redirected(app, made["X1111"])
    one = (await instructions_of(app, april))["X1111"]
    assert (one["state"], one["redirected"], one["held_code"]) == ("redirected", one["amount"], None)
    for payee in ("A00001", "A00002"):
        await banked(app, payee)
    await file_of(app, april)
    for payee in ("A00001", "A00002"):
        await settled(app, made[payee], "confirmation")
    closed = await app.put(f"{RUNS}/{april['id']}/confirmation", None, nan(app))
    assert (closed.status_code, closed.json()["redirected"]) == (200, "18112.67"), closed.text
    await adds_up(app)
    may = await paid(app, "2022-05")
    new = (await instructions_of(app, may))[NEW]
    assert (new["state"], new["brought_forward"]) == ("held", "18112.67"), "its bank details are nobody's word alone"
    await file_of(app, may)
    assert (await instructions_of(app, may))[NEW]["state"] == "held"
    await banked(app, NEW, account_number="11112222")
    file = await file_of(app, may)
    assert (file["instructions"], file["total"]) == (1, new["amount"])
    sheet = await app.client.get(
        f"/funding/v1/payment-files/{file['id']}/content", params={"layout": "csv"}, headers=nan(app)
    )
    (credit, _) = csv.DictReader(io.StringIO(sheet.text))
    assert (credit["payee"], credit["account_number"], credit["amount"]) == (NEW, "11112222", new["amount"])
    bacs = await app.client.get(f"/funding/v1/payment-files/{file['id']}/content", headers=nan(app))
    assert "20406311112222" in bacs.text
    await adds_up(app)


async def test_a_payee_of_two_networks_loses_one_of_them(funding_app: Harness) -> None:
    """The other network's part, and what it is due as a practice, stay its own and leave with its next payment."""
    app = funding_app
    await an_area(app)
    await app.deliver(
        list_sizes("registered", {"A00003": 31000}, network="U54321"),
        an_approved_network("U54321", [Member(practice="A00003", valid_from=date(2020, 4, 1))], payee="A00001"),
    )
    april = await paid(app, "2022-04")
    one = (await instructions_of(app, april))["A00001"]
    assert (one["state"], set(one["parts"])) == ("held", {NETWORK, "U54321"})
    await appointed(app)
    made = await redirected(app, one)
    again = await app.post(
        REDIRECTIONS, {"instruction": one["id"], "network": NETWORK, "redirected_to": NEW, "reason": WHY}, nan(app)
    )
    assert (again.status_code, again.json()["code"]) == (409, "NothingToRedirect"), "that part is gone"
    await adds_up(app)
    rest = Decimal(one["amount"]) - Decimal(made["amount"])
    own = (await instructions_of(app, await paid(app, "2022-05")))["A00001"]
    assert Decimal(own["brought_forward"]) == rest
    assert Decimal(own["parts"]["U54321"]) == Decimal("18992.67"), "two months of it"
    await adds_up(app)


async def test_what_a_practice_is_due_goes_to_the_practice_it_went_over_into(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    april = await paid(app, "2022-04")
    one = (await instructions_of(app, april))["A00002"]
    given = {"instruction": one["id"], "network": NETWORK, "redirected_to": "A00003", "reason": WHY}
    for practice, code in (("A00002", "NotThePayee"), (None, "NothingToRedirect")):
        reply = await app.post(REDIRECTIONS, {**given, "practice": practice}, nan(app))
        assert (reply.status_code, reply.json()["code"]) == (409, code)
    await app.deliver(
        PracticeSucceeded(
            practice="A00002", successor="A00003", commissioner=COMMISSIONER, succeeded_on=date(2022, 4, 20)
        )
    )
    done = await redirected(app, one, "A00003", practice="A00002")
    assert done["amount"] == "2788.25"
    may = await paid(app, "2022-05")
    assert Decimal((await instructions_of(app, may))["A00003"]["brought_forward"]) == Decimal("2788.25")
    await adds_up(app)


async def test_what_was_taken_back_meanwhile_does_not_go_over(funding_app: Harness) -> None:
    """The list turned out shorter while the money lay at the bank: what that took off the old payee's other payments
    stays with it, and the new one gets what April comes to."""
    app = funding_app
    await an_area(app)
    await banked(app)
    april = await paid(app, "2022-04")
    await file_of(app, april)
    await settled(app, (await instructions_of(app, april))["A00001"], "return")
    await app.deliver(list_sizes("registered", {"A00001": 24000}, known_from=date(2022, 5, 1)))
    await paid(app, "2022-05")
    await appointed(app, since=date(2022, 6, 1))
    one = (await instructions_of(app, april))["A00001"]
    made = await redirected(app, one)
    assert made["amount"] == "16274.67", "18,112.67 but for core, director and hours of 6,000 patients"
    await adds_up(app)
    note = {"reason": "Its own account is open."}
    assert (await app.put(f"{INSTRUCTIONS}/{one['id']}/remedy", note, nan(app))).status_code == 200
    june = await instructions_of(app, await paid(app, "2022-06"))
    assert Decimal(june["A00001"]["brought_forward"]) == Decimal(one["amount"]) - Decimal(made["amount"])
    assert june[NEW]["brought_forward"] == made["amount"]
    await adds_up(app)


async def test_a_run_that_waits_to_take_money_back_is_counted(funding_app: Harness) -> None:
    app = funding_app
    one = await returned(app)
    before = await proposed(app, one)
    await app.deliver(list_sizes("registered", {"A00001": 24000}, known_from=date(2022, 5, 1)))
    run = await calculated(app, "2022-05")
    late = await decided(app, before)
    assert (late.status_code, late.json()["code"]) == (409, "MoreThanIsLeft")
    assert (await decided(app, before, "withdrawal", by="alice")).status_code == 200
    made = await redirected(app, one)
    assert Decimal(made["amount"]) < Decimal(before["amount"])
    bob = nan(app, "bob")
    assert (await app.put(f"{RUNS}/{run['id']}/approval", noted(run), bob)).status_code == 200
    assert (await app.put(f"{RUNS}/{run['id']}/issue", None, bob)).status_code == 200
    await adds_up(app)
    note = {"reason": "Its own account is open."}
    assert (await app.put(f"{INSTRUCTIONS}/{one['id']}/remedy", note, nan(app))).status_code == 200
    await paid(app, "2022-06")
    await adds_up(app)


async def test_what_cannot_go_to_another_payee_is_refused(funding_app: Harness) -> None:
    app = funding_app
    one = await returned(app)
    given = {"instruction": one["id"], "network": NETWORK, "redirected_to": NEW, "reason": WHY}
    for changed, status, code in (
        ({"instruction": "run-none-i1"}, 404, "InstructionNotFound"),
        ({"redirected_to": "A00001"}, 409, "RedirectedToItself"),
        ({"redirected_to": "A00002"}, 409, "NotThePayee"),
        ({"network": "U99999"}, 409, "NothingToRedirect"),
        ({"practice": "A00002"}, 409, "NothingToRedirect"),
    ):
        reply = await app.post(REDIRECTIONS, {**given, **changed}, nan(app))
        assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    for role in (Role.PAYEE, Role.OPERATOR):
        assert (await app.post(REDIRECTIONS, given, app.token(role, organisations=["A00001"]))).status_code == 403
    made = await proposed(app, one)
    twice = await app.post(REDIRECTIONS, given, nan(app, "carol"))
    assert (twice.status_code, twice.json()["code"]) == (409, "RedirectionInProgress")
    alone = await decided(app, made, by="alice")
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePersonRedirects")
    by_another = await decided(app, made, "withdrawal")
    assert (by_another.status_code, by_another.json()["code"]) == (409, "ProposedByAnother")
    own = f"{REDIRECTIONS}/{made['id']}"
    assert (await app.client.put(f"{own}/approval", headers=nan(app, "bob"))).status_code == 428
    assert (await app.put(f"{own}/approval", None, nan(app, "bob"), match='"9"')).status_code == 412
    await appointed(app, "X7777")
    too_late = await decided(app, made)
    assert (too_late.status_code, too_late.json()["code"]) == (409, "NotThePayee"), "on the day it is redirected"
    turned_down = await decided(app, made, "refusal")
    assert (turned_down.json()["status"], turned_down.json()["refusal"]) == ("refused", "It was a mistake.")
    for what in ("approval", "refusal", "withdrawal"):
        late = await decided(app, made, what, by="alice" if what == "withdrawal" else "bob")
        assert (late.status_code, late.json()["code"]) == (409, "RedirectionDecided")
    await adds_up(app)


async def test_money_on_its_way_arrived_or_sent_again_stays(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    for payee in ("A00001", "A00002"):
        await banked(app, payee)
    april = await paid(app, "2022-04")
    await appointed(app)
    one = (await instructions_of(app, april))["A00001"]
    given = {"instruction": one["id"], "network": NETWORK, "redirected_to": NEW, "reason": WHY}

    async def refusal() -> str:
        reply = await app.post(REDIRECTIONS, given, nan(app))
        assert reply.status_code == 409, reply.text
        return str(reply.json()["code"])

    assert await refusal() == "NothingToRedirect", "it is about to be sent"
    await file_of(app, april)
    assert await refusal() == "StillOnItsWay"
    await settled(app, one, "confirmation")
    assert await refusal() == "NothingToRedirect"
    await settled(app, one, "return")
    made = await proposed(app, one)
    note = {"reason": "The branch was mistaken."}
    assert (await app.put(f"{INSTRUCTIONS}/{one['id']}/remedy", note, nan(app))).status_code == 200
    await paid(app, "2022-05")
    assert await refusal() == "NothingToRedirect", "the run sends it again"
    late = await decided(app, made)
    assert (late.status_code, late.json()["code"]) == (409, "NothingToRedirect")
    await adds_up(app)


async def test_both_payees_and_the_network_see_it_and_nobody_else(funding_app: Harness) -> None:
    app = funding_app
    made = await redirected(app, await returned(app))
    path = f"{REDIRECTIONS}/{made['id']}"
    for role, code, status in (
        (Role.PAYEE, "A00001", 200),
        (Role.PAYEE, NEW, 200),
        (Role.NETWORK, NETWORK, 200),
        (Role.PAYEE, "A00002", 404),
        (Role.NETWORK, "U54321", 404),
        (Role.COMMISSIONER, "00L", 403),
    ):
        headers = app.token(role, organisations=[code])
        assert (await app.client.get(path, headers=headers)).status_code == status, code
        if status != 403:
            listed = (await app.client.get(REDIRECTIONS, headers=headers)).json()["items"]
            assert [one["id"] for one in listed] == ([made["id"]] if status == 200 else [])


async def test_the_statements_of_both_payees_tell_of_it(funding_app: Harness) -> None:
    app = funding_app
    one = await returned(app)
    before = datetime.now(UTC).isoformat()
    made = await redirected(app, one)
    told = {
        "id": made["id"],
        "network": NETWORK,
        "practice": None,
        "month": "2022-04",
        "payee": "A00001",
        "redirected_to": NEW,
        "amount": "18112.67",
        "decided_at": made["decided_at"],
        "reason": WHY,
        "taken_into": None,
    }
    old = await statement(app, "A00001", "2022-04")
    assert (old["redirections"], old["payment"]["state"]) == ([told], "returned")
    coming = await statement(app, NEW, "2022-04")
    assert (coming["redirections"], coming["lines"], coming["payment"]) == ([told], [], None), "still to be sent"
    asked = {"payee": "A00001", "month": "2022-04", "known_at": before}
    then = (await app.client.get(STATEMENTS, params=asked, headers=nan(app))).json()
    assert then["redirections"] == []
    unknown = await app.client.get(STATEMENTS, params={**asked, "payee": NEW}, headers=nan(app))
    assert unknown.status_code == 404
    may = (await instructions_of(app, await paid(app, "2022-05")))[NEW]
    told["taken_into"] = may["id"]
    for payee, month in (("A00001", "2022-04"), (NEW, "2022-05")):
        assert (await statement(app, payee, month))["redirections"] == [told]
        asked = {"payee": payee, "month": month, "format": "html"}
        page = await app.client.get(STATEMENTS, params=asked, headers=nan(app))
        assert "Payments that go to another payee" in page.text
        assert f"<td>{escape(WHY)}</td>" in page.text
    assert (await statement(app, NEW, "2022-04"))["redirections"] == []


async def test_what_a_claim_paid_goes_over_with_its_claim(funding_app: Harness) -> None:
    """And what an answered query takes off it later is asked back of whoever has it."""
    app = funding_app
    await an_area(app)
    await app.deliver(a_claim(salary=Decimal("4500.00")))
    assert (await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))).status_code == 200
    april = await paid(app, "2022-04")
    (line,) = await lines_of(app, april, stream="arrs")
    await appointed(app)
    made = await redirected(app, (await instructions_of(app, april))["A00001"])
    assert ("arrs", "claims/claim-1", line["amount"]) in {
        (part["stream"], part["reference"], part["amount"]) for part in made["amounts"]
    }
    for month, due in (("2022-05", "100.00"), ("2022-06", "150.00")):
        asked = await raised(app, line["id"])
        path = f"/funding/v1/queries/{asked['id']}"
        body = {"kind": "adjustment", "answer": "Otherwise.", "amount_due": due}
        assert (await app.put(f"{path}/answer", body, nan(app))).status_code == 200
        assert (await app.put(f"{path}/approval", None, nan(app, "bob"))).status_code == 200
        (adjusted,) = await lines_of(app, await paid(app, month), cause="query")
        assert adjusted["payee"] == NEW
        await adds_up(app)


async def test_what_a_right_withdrawn_later_takes_back_is_asked_of_whoever_has_it(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(a_claim(salary=Decimal("4500.00")))
    assert (await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))).status_code == 200
    april = await paid(app, "2022-04")
    (line,) = await lines_of(app, april, stream="arrs")
    await appointed(app)
    await redirected(app, (await instructions_of(app, april))["A00001"])
    await app.deliver(withdrawn(date(2022, 4, 1)))
    (back,) = await lines_of(app, await paid(app, "2022-05"), stream="arrs")
    assert (back["payee"], Decimal(back["amount"])) == (NEW, -Decimal(line["amount"]))
    await adds_up(app)
    assert await lines_of(app, await paid(app, "2022-06"), stream="arrs") == [], "once"
    await app.deliver(restored(date(2022, 4, 1)))
    (again,) = await lines_of(app, await paid(app, "2022-07"), stream="arrs")
    assert (again["payee"], again["amount"]) == (NEW, line["amount"])
    await adds_up(app)


async def test_an_achievement_is_taken_back_from_whoever_has_it(funding_app: Harness) -> None:
    app = funding_app
    await achieving.served(app)
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await achieving.declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    await achieving.approved(app, made)
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00001", valid_from=date(2020, 4, 1)))
    april = await paid(app, "2022-04")
    await appointed(app)
    await redirected(app, (await instructions_of(app, april))["A00001"])
    await achieving.restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000000")
    assess = f"{achieving.ACHIEVEMENTS}/{made['id']}/assessment"
    assert (await app.put(assess, None, achieving.commissioner(app))).json()["amount"] == "8.71"
    (back,) = await lines_of(app, await paid(app, "2022-05"), stream="iif")
    assert (back["payee"], back["amount"]) == (NEW, "-8703.29")
    await adds_up(app)


async def test_a_run_issued_beside_an_approval_sends_the_money_to_one_of_them(funding_live: Harness) -> None:
    """Either the run sent it again to its payee and nothing is left, or it goes to the other, now or with the next."""
    app = funding_live
    one = await returned(app)
    note = {"reason": "The branch was mistaken."}
    assert (await app.put(f"{INSTRUCTIONS}/{one['id']}/remedy", note, nan(app))).status_code == 200
    made = await proposed(app, one)
    run = await calculated(app, "2022-05")
    bob = nan(app, "bob")
    ready = await app.put(f"{RUNS}/{run['id']}/approval", noted(run), bob)
    issue = app.client.put(f"{RUNS}/{run['id']}/issue", headers={**bob, "If-Match": ready.headers["etag"]})
    decide = app.client.put(f"{REDIRECTIONS}/{made['id']}/approval", headers={**bob, "If-Match": '"1"'})
    issued, approved = await asyncio.gather(issue, decide)
    assert issued.status_code == 200, issued.text
    may = await instructions_of(app, run)
    if approved.status_code == 200:
        assert may["A00001"]["brought_forward"] == "4549.25"
    else:
        assert (approved.status_code, approved.json()["code"]) == (409, "NothingToRedirect")
        assert may["A00001"]["brought_forward"] == "22661.92"
    await adds_up(app)
    await paid(app, "2022-06")
    await adds_up(app)


async def test_two_who_approve_at_once_have_one_effect(funding_live: Harness) -> None:
    app = funding_live
    made = await proposed(app, await returned(app))
    path = f"{REDIRECTIONS}/{made['id']}/approval"
    replies = await asyncio.gather(
        *(app.client.put(path, headers={**nan(app, who), "If-Match": '"1"'}) for who in ("bob", "carol", "dan"))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412, 412]
    assert len([event for event in await app.announced() if isinstance(event, PaymentRedirected)]) == 1
    await adds_up(app)


async def test_a_file_made_beside_an_approval_takes_the_money_or_leaves_it(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    april = await paid(app, "2022-04")
    await appointed(app)
    one = (await instructions_of(app, april))["A00001"]
    made = await proposed(app, one)
    await banked(app)
    await banked(app, "A00002", account_number="11112222")
    approve = app.client.put(f"{REDIRECTIONS}/{made['id']}/approval", headers={**nan(app, "bob"), "If-Match": '"1"'})
    file, approved = await asyncio.gather(app.post(f"{RUNS}/{april['id']}/files", {}, nan(app)), approve)
    assert file.status_code == 201, file.text
    one = (await instructions_of(app, april))["A00001"]
    if approved.status_code == 200:
        assert (one["state"], one["file"], file.json()["instructions"]) == ("redirected", None, 1)
    else:
        assert (approved.json()["code"], one["state"], file.json()["instructions"]) == ("StillOnItsWay", "sent", 2)
    await adds_up(app)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE redirections SET amount = 1",
        "UPDATE redirections SET redirected_to = 'A00002'",
        "UPDATE redirections SET status = 'withdrawn'",
        "DELETE FROM redirections",
        "UPDATE redirected_amounts SET amount = 1",
        "DELETE FROM redirected_amounts",
        "UPDATE payment_instructions SET redirected = 0 WHERE redirected > 0",
        "UPDATE payment_instructions SET redirected = amount + 1 WHERE redirected > 0",
        "UPDATE payment_instructions SET state = 'redirected' WHERE state = 'returned'",
        "UPDATE payment_instructions SET redirected = 1 WHERE state = 'held'",
    ],
)
async def test_the_database_keeps_where_money_went(funding_app: Harness, statement: str) -> None:
    await redirected(funding_app, await returned(funding_app))
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(statement))


_TRIGGERS = "ALTER TABLE {0} DISABLE TRIGGER USER"


@pytest.mark.parametrize(
    ("table", "statement", "against"),
    [
        ("redirections", "UPDATE redirections SET amount = amount - 1", {"redirected", "payee"}),
        ("payment_instructions", "UPDATE payment_instructions SET redirected = 1 WHERE redirected > 0", {"redirected"}),
        ("redirected_amounts", "UPDATE redirected_amounts SET amount = amount + 1 WHERE number = 1", {"what a"}),
        ("redirections", "UPDATE redirections SET redirected_to = 'A00002'", {"payee"}),
        ("redirections", "UPDATE redirections SET taken_into = NULL", {"brought forward"}),
    ],
)
async def test_the_doctor_sees_what_does_not_add_up(
    funding_app: Harness, table: str, statement: str, against: set[str]
) -> None:
    app = funding_app
    await redirected(app, await returned(app))
    await paid(app, "2022-05")
    async with app.session() as session:
        assert (await session.execute(text(_INSTRUCTIONS))).all() == []
        await session.execute(text(_TRIGGERS.format(table)))
        await session.execute(text(statement))
        found = {row.against for row in await session.execute(text(_INSTRUCTIONS))}
    assert all(any(one.startswith(what) for one in found) for what in against), found
