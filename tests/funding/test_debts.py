"""What a payee owes and nothing will ever be taken off: two people write it off or say it was had back."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.events.funding import DebtSettled
from shared.identity import Role
from tests.funding.adding_up import adds_up
from tests.funding.builders import list_sizes
from tests.funding.test_bank_details import nan
from tests.funding.test_journey import RUNS, an_area, calculated, paid
from tests.funding.test_runs_instructions import instructions_of
from tests.funding.test_statements import STATEMENTS, statement
from tests.harness import Harness

DEBTS = "/funding/v1/debt-decisions"
WHY = "The surgery closed; its partners cannot be found."


async def a_debt(app: Harness) -> dict[str, Any]:
    """A practice paid half a year by a list far too long owes 15,702.25."""
    await an_area(app)
    await paid(app, "2022-09")
    await app.deliver(list_sizes("weighted", {"A00002": 1000}, known_from=date(2022, 10, 1)))
    return (await instructions_of(app, await paid(app, "2022-10")))["A00002"]


async def proposed(app: Harness, instruction: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"instruction": instruction["id"], "outcome": "written-off", "reason": WHY, **more}
    reply = await app.post(DEBTS, given, nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


@pytest.mark.parametrize("outcome", ["written-off", "recovered"])
async def test_a_debt_decided_by_two_people_is_taken_off_no_payment(funding_app: Harness, outcome: str) -> None:
    app = funding_app
    debt = await a_debt(app)
    before = await statement(app, "A00002", "2022-10")
    then = datetime.now(UTC).isoformat()
    decision = await proposed(app, debt, outcome=outcome, reference="Cheque 000123")
    assert (decision["status"], decision["amount"], decision["payee"]) == ("proposed", "15702.25", "A00002")
    assert (await statement(app, "A00002", "2022-10"))["payment"] == before["payment"], "not before the second person"
    done = await app.put(f"{DEBTS}/{decision['id']}/approval", None, nan(app, "bob"))
    assert (done.status_code, done.json()["status"], done.json()["decided_by"]) == (200, "approved", "bob")
    payment = (await statement(app, "A00002", "2022-10"))["payment"]
    assert (payment["state"], payment["carried_forward"]) == ("carried", "0.00")
    assert payment["debt"] == {
        "outcome": outcome,
        "amount": "15702.25",
        "settled_on": decision["settled_on"],
        "reason": WHY,
    }
    asked = {"payee": "A00002", "month": "2022-10"}
    page = await app.client.get(STATEMENTS, params={**asked, "format": "html"}, headers=nan(app))
    assert f"£15,702.25 owed was {outcome.replace('-', ' ')} on" in page.text
    assert "is carried forward" not in page.text
    known = await app.client.get(STATEMENTS, params={**asked, "known_at": then}, headers=nan(app))
    assert known.json()["payment"] == before["payment"]
    october = {"id": before["run"]}
    stands = (await app.client.get(f"{RUNS}/{october['id']}/confirmation", headers=nan(app))).json()
    field = outcome.replace("-", "_")
    assert (stands["carried"], stands[field]) == ("-15702.25", "-15702.25")
    november = (await instructions_of(app, await paid(app, "2022-11")))["A00002"]
    assert (november["brought_forward"], november["amount"]) == ("0.00", november["of_run"])
    assert Decimal(november["amount"]) > 0
    await adds_up(app)
    (told,) = [event for event in await app.announced() if isinstance(event, DebtSettled)]
    assert (told.outcome, told.amount, told.payee) == (outcome, Decimal("15702.25"), "A00002")
    assert sum(part.amount for part in told.parts) == told.amount
    trail = (await app.client.get("/funding/v1/audit", headers=app.token(Role.OPERATOR))).json()["items"]
    own = [(one["subject"], one["action"]) for one in trail if one["record"] == f"debt_decisions/{decision['id']}"]
    assert own == [("alice", "created"), ("bob", "changed")]


async def test_a_debt_refused_to_be_given_up_is_taken_off_the_next_payment(funding_app: Harness) -> None:
    app = funding_app
    debt = await a_debt(app)
    decision = await proposed(app, debt)
    own = f"{DEBTS}/{decision['id']}"
    refused = await app.put(f"{own}/refusal", {"reason": "It can be had back."}, nan(app, "bob"))
    assert (refused.json()["status"], refused.json()["refusal"]) == ("refused", "It can be had back.")
    late = await app.put(f"{own}/approval", None, nan(app, "carol"))
    assert (late.status_code, late.json()["code"]) == (409, "DebtDecided")
    november = (await instructions_of(app, await paid(app, "2022-11")))["A00002"]
    assert november["brought_forward"] == "-15702.25"
    again = {"instruction": debt["id"], "outcome": "written-off", "reason": WHY}
    gone = await app.post(DEBTS, again, nan(app))
    assert (gone.status_code, gone.json()["code"]) == (409, "NothingOwed"), "a later instruction took it up"


async def test_what_is_no_debt_or_not_ones_own_to_decide_is_refused(funding_app: Harness) -> None:
    app = funding_app
    debt = await a_debt(app)
    given = {"instruction": debt["id"], "outcome": "written-off", "reason": WHY}
    unknown = await app.post(DEBTS, {**given, "instruction": "run-none-i1"}, nan(app))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "InstructionNotFound")
    unnamed = await app.post(DEBTS, {**given, "outcome": "recovered"}, nan(app))
    assert (unnamed.status_code, unnamed.json()["errors"][0]["field"]) == (422, "body.reference")
    ahead = await app.post(DEBTS, {**given, "settled_on": "2098-01-01"}, nan(app))
    assert (ahead.status_code, ahead.json()["errors"][0]["code"]) == (422, "in_the_future")
    owed_nothing = (await instructions_of(app, {"id": debt["run"]}))["A00001"]
    paid_out = await app.post(DEBTS, {**given, "instruction": owed_nothing["id"]}, nan(app))
    assert (paid_out.status_code, paid_out.json()["code"]) == (409, "NothingOwed")
    payee = app.token(Role.PAYEE, organisations=["A00002"])
    assert (await app.post(DEBTS, given, payee)).status_code == 403
    decision = await proposed(app, debt)
    twice = await app.post(DEBTS, given, nan(app))
    assert (twice.status_code, twice.json()["code"]) == (409, "DebtInProgress")
    own = f"{DEBTS}/{decision['id']}"
    alone = await app.put(f"{own}/approval", None, nan(app))
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePersonWritesOff")
    assert (await app.client.put(f"{own}/approval", headers=nan(app, "bob"))).status_code == 428
    assert (await app.put(f"{own}/approval", None, nan(app, "bob"), match='"9"')).status_code == 412
    assert (await app.client.get(own, headers=payee)).json() == decision
    other = app.token(Role.PAYEE, organisations=["A00001"])
    hidden = await app.client.get(own, headers=other)
    assert (hidden.status_code, hidden.json()["code"]) == (404, "DebtNotFound")
    assert (await app.client.get(DEBTS, headers=other)).json()["items"] == []
    assert [one["id"] for one in (await app.client.get(DEBTS, headers=payee)).json()["items"]] == [decision["id"]]


async def test_a_run_issued_beside_an_approval_takes_the_debt_up_or_leaves_it(funding_live: Harness) -> None:
    """Either the run took it up and there is nothing left to decide, or it is decided and the run leaves it alone."""
    app = funding_live
    decision = await proposed(app, await a_debt(app))
    run = await calculated(app, "2022-11")
    noted = {"acknowledgements": [{"kind": kind, "reason": "as expected"} for kind in run["findings"]]}
    bob = nan(app, "bob")
    approved = await app.put(f"{RUNS}/{run['id']}/approval", noted, bob)
    issue = app.client.put(f"{RUNS}/{run['id']}/issue", headers={**bob, "If-Match": approved.headers["etag"]})
    decide = app.client.put(f"{DEBTS}/{decision['id']}/approval", headers={**bob, "If-Match": '"1"'})
    issued, decided = await asyncio.gather(issue, decide)
    assert issued.status_code == 200, issued.text
    november = (await instructions_of(app, run))["A00002"]
    if decided.status_code == 200:
        assert november["brought_forward"] == "0.00"
    else:
        assert (decided.status_code, decided.json()["code"]) == (409, "NothingOwed")
        assert november["brought_forward"] == "-15702.25"
    await adds_up(app)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE debt_decisions SET amount = 1",
        "DELETE FROM debt_decisions",
        "UPDATE payment_instructions SET debt = NULL WHERE debt IS NOT NULL",
        "UPDATE payment_instructions SET debt = 'written-off' WHERE state <> 'carried'",
    ],
)
async def test_the_database_keeps_what_was_decided(funding_app: Harness, statement: str) -> None:
    decision = await proposed(funding_app, await a_debt(funding_app))
    done = await funding_app.put(f"{DEBTS}/{decision['id']}/approval", None, nan(funding_app, "bob"))
    assert done.status_code == 200
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(statement))
