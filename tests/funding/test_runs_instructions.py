"""From an issued run to money that arrived: instructions, their outcome, what is carried forward, the closed run."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from deploy.doctor.money import _INSTRUCTIONS
from shared.clock import london_day
from shared.events.funding import PaymentConfirmed, PaymentReturned
from shared.events.registry import Member, PayeeAppointed
from shared.identity import Role
from shared.years import first_day
from tests.funding.builders import NETWORK, an_approved_network, list_sizes
from tests.funding.test_bank_details import approved, nan
from tests.funding.test_journey import RUNS, an_area, calculated, paid
from tests.funding.test_runs import lines_of
from tests.harness import Harness

INSTRUCTIONS = "/funding/v1/payment-instructions"
FILES = "/funding/v1/payment-files"


def today() -> str:
    return london_day(datetime.now(UTC)).isoformat()


async def instructions_of(app: Harness, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    reply = await app.client.get(INSTRUCTIONS, params={"run": run["id"]}, headers=nan(app))
    assert reply.status_code == 200, reply.text
    return {item["payee"]: item for item in reply.json()["items"]}


async def file_of(app: Harness, run: dict[str, Any], **body: str) -> dict[str, Any]:
    reply = await app.post(f"{RUNS}/{run['id']}/files", body, nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def settled(app: Harness, instruction: dict[str, Any], what: str, **body: str) -> dict[str, Any]:
    given = {"confirmation": {"confirmed_on": today()}, "return": {"returned_on": today(), "code": "5"}}[what]
    more = {"reason": "No such account."} if what == "return" else {}
    reply = await app.put(f"{INSTRUCTIONS}/{instruction['id']}/{what}", {**given, **more, **body}, nan(app))
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_each_payee_of_an_issued_run_has_one_instruction_of_its_lines(funding_app: Harness) -> None:
    await an_area(funding_app)
    await approved(funding_app)
    run = await paid(funding_app, "2022-04")
    made = await instructions_of(funding_app, run)
    assert {payee: (one["amount"], one["state"], one["held_code"]) for payee, one in made.items()} == {
        "A00001": ("22661.92", "due", None),
        "A00002": ("2788.25", "held", "no-bank-details"),
    }
    assert made["A00001"]["parts"] == {NETWORK: "22661.92"}
    assert made["A00001"]["reference"] == "PCN 2022-04 000001"
    assert sum(Decimal(one["amount"]) for one in made.values()) == Decimal(run["total"])
    stands = await funding_app.client.get(f"{RUNS}/{run['id']}/confirmation", headers=nan(funding_app))
    assert stands.json() | {"confirmed_at": None} == {
        "run": run["id"],
        "issued": "25450.17",
        "brought_forward": "0.00",
        "due": "22661.92",
        "held": "2788.25",
        **dict.fromkeys(("sent", "confirmed", "returned", "carried", "redirected", "written_off", "recovered"), "0.00"),
        "confirmed_by": None,
        "confirmed_at": None,
        "at_closing": None,
        "returned_since": "0.00",
    }


async def test_a_run_is_closed_when_every_pound_is_accounted_for(funding_app: Harness) -> None:
    await an_area(funding_app)
    await approved(funding_app)
    run = await paid(funding_app, "2022-04")
    here, headers = f"{RUNS}/{run['id']}/confirmation", nan(funding_app)
    early = await funding_app.put(here, None, headers)
    assert (early.status_code, early.json()["code"]) == (409, "InstructionsOpen")
    assert {fault["code"] for fault in early.json()["errors"]} == {"due", "held"}
    unsent = (await instructions_of(funding_app, run))["A00001"]
    for what, body in (
        ("confirmation", {"confirmed_on": today()}),
        ("return", {"returned_on": today(), "code": "5", "reason": "x"}),
    ):
        reply = await funding_app.put(f"{INSTRUCTIONS}/{unsent['id']}/{what}", body, headers)
        assert (reply.status_code, reply.json()["code"]) == (409, "InstructionNotSent")
    first = await file_of(funding_app, run)
    assert (first["instructions"], first["total"]) == (1, "22661.92")
    await approved(funding_app, "A00002")
    second = await file_of(funding_app, run)
    assert (second["number"], second["instructions"], second["total"]) == (2, 1, "2788.25")
    none_left = await funding_app.post(f"{RUNS}/{run['id']}/files", {}, headers)
    assert (none_left.status_code, none_left.json()["code"]) == (409, "NothingToSend")
    made = await instructions_of(funding_app, run)
    await settled(funding_app, made["A00001"], "confirmation")
    await settled(funding_app, made["A00002"], "return")
    assert (await funding_app.client.put(here, headers=headers)).status_code == 428
    assert (await funding_app.put(here, None, headers, match='"99"')).status_code == 412
    closed = await funding_app.put(here, None, headers)
    assert closed.status_code == 200, closed.text
    figures = closed.json()
    assert (figures["confirmed"], figures["returned"], figures["confirmed_by"]) == ("22661.92", "2788.25", "alice")
    again = await funding_app.put(here, None, nan(funding_app, "bob"))
    assert again.json() == figures, "closed once"
    events = await funding_app.announced()
    confirmed = [event for event in events if isinstance(event, PaymentConfirmed)]
    returned = [event for event in events if isinstance(event, PaymentReturned)]
    assert [(e.payee, e.amount, [(p.network, p.amount) for p in e.parts]) for e in confirmed] == [
        ("A00001", Decimal("22661.92"), [(NETWORK, Decimal("22661.92"))])
    ]
    assert [(e.payee, e.amount, e.code) for e in returned] == [("A00002", Decimal("2788.25"), "5")]


async def test_what_comes_back_after_a_run_was_closed_is_due_again_and_the_closing_stays(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    for payee in ("A00001", "A00002"):
        await approved(app, payee)
    april = await paid(app, "2022-04")
    await file_of(app, april)
    made = await instructions_of(app, april)
    for one in made.values():
        await settled(app, one, "confirmation")
    here, headers = f"{RUNS}/{april['id']}/confirmation", nan(app)
    closed = (await app.put(here, None, headers)).json()
    figures = {"confirmed": "25450.17", "returned": "0.00", "carried": "0.00", "redirected": "0.00"}
    assert (closed["at_closing"], closed["returned_since"]) == (figures, "0.00")
    await settled(app, made["A00002"], "return")
    since = (await app.client.get(here, headers=headers)).json()
    assert (since["confirmed"], since["returned"], since["returned_since"]) == ("22661.92", "2788.25", "2788.25")
    assert (since["at_closing"], since["confirmed_by"]) == (figures, "alice"), "nobody confirmed anything else"
    again = await app.put(here, None, nan(app, "bob"))
    assert again.json() == since, "closed once"
    await approved(app, "A00002", account_number="11112222")
    may = await paid(app, "2022-05")
    assert (await instructions_of(app, may))["A00002"]["brought_forward"] == "2788.25"
    (told,) = [event for event in await app.announced() if isinstance(event, PaymentReturned)]
    assert (told.run, told.payee, told.amount) == (april["id"], "A00002", Decimal("2788.25"))
    async with app.session() as session:
        assert (await session.execute(text(_INSTRUCTIONS))).all() == [], "and pcn doctor finds nothing amiss"


async def test_only_an_issued_run_has_files_and_is_closed(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await calculated(funding_app, "2022-04")
    headers = nan(funding_app)
    file = await funding_app.post(f"{RUNS}/{run['id']}/files", {}, headers)
    assert (file.status_code, file.json()["code"]) == (409, "RunNotIssued")
    close = await funding_app.put(f"{RUNS}/{run['id']}/confirmation", None, headers)
    assert (close.status_code, close.json()["code"]) == (409, "RunNotIssued")
    for path in (f"{RUNS}/run-x/confirmation", f"{INSTRUCTIONS}/x", f"{FILES}/x", f"{FILES}/x/content"):
        assert (await funding_app.client.get(path, headers=headers)).status_code == 404


async def test_told_twice_nothing_happens_twice_and_told_otherwise_is_refused(funding_app: Harness) -> None:
    await an_area(funding_app)
    await approved(funding_app)
    run = await paid(funding_app, "2022-04")
    await file_of(funding_app, run)
    one = (await instructions_of(funding_app, run))["A00001"]
    path, headers = f"{INSTRUCTIONS}/{one['id']}", nan(funding_app)
    for wrong in ("2022-04-30", "2099-01-01"):
        reply = await funding_app.put(f"{path}/confirmation", {"confirmed_on": wrong}, headers)
        assert (reply.status_code, reply.json()["code"]) == (409, "SettledTooEarly")
    unknown = await funding_app.put(f"{path}/remedy", {"reason": "x"}, headers)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "InstructionNotReturned")
    stale = await funding_app.put(f"{path}/confirmation", {"confirmed_on": today()}, headers, match='"1"')
    assert stale.status_code == 412
    first = await settled(funding_app, one, "confirmation")
    repeat = await funding_app.put(f"{path}/confirmation", {"confirmed_on": today()}, headers, match='"1"')
    assert (repeat.status_code, repeat.json()) == (200, first), "a repeat with the ETag it began with"
    back = await settled(funding_app, one, "return")
    assert (back["state"], back["return_code"]) == ("returned", "5"), "a bank may send back what had arrived"
    same = {"returned_on": today(), "code": "5", "reason": "No such account."}
    assert (await funding_app.put(f"{path}/return", same, headers, match='"1"')).status_code == 200
    for what, body in (("return", {**same, "code": "B"}), ("confirmation", {"confirmed_on": today()})):
        reply = await funding_app.put(f"{path}/{what}", body, headers)
        assert (reply.status_code, reply.json()["code"]) == (409, "InstructionSettled")
    events = [e for e in await funding_app.announced() if isinstance(e, PaymentConfirmed | PaymentReturned)]
    assert [type(event) for event in events] == [PaymentConfirmed, PaymentReturned]


async def test_returned_money_leaves_again_with_the_next_run_once_its_cause_is_settled(funding_app: Harness) -> None:
    await an_area(funding_app)
    for payee in ("A00001", "A00002"):
        await approved(funding_app, payee)
    april = await paid(funding_app, "2022-04")
    await file_of(funding_app, april)
    sent = await instructions_of(funding_app, april)
    for one in sent.values():
        await settled(funding_app, one, "return")
    may = await paid(funding_app, "2022-05")
    assert {one["brought_forward"] for one in (await instructions_of(funding_app, may)).values()} == {"0.00"}
    await approved(funding_app, "A00001", account_number="11112222")  # another account settles it by itself
    note = {"reason": "The bank had mistaken the branch."}
    await funding_app.put(f"{INSTRUCTIONS}/{sent['A00002']['id']}/remedy", note, nan(funding_app))
    june = await paid(funding_app, "2022-06")
    again = await instructions_of(funding_app, june)
    assert {payee: one["brought_forward"] for payee, one in again.items()} == {
        "A00001": "22661.92",
        "A00002": "2788.25",
    }
    before = await instructions_of(funding_app, april)
    assert {one["taken_into"] for one in before.values()} == {one["id"] for one in again.values()}
    await file_of(funding_app, june)
    for one in (await instructions_of(funding_app, june)).values():
        await settled(funding_app, one, "confirmation")
    told = [event for event in await funding_app.announced() if isinstance(event, PaymentConfirmed)]
    assert {event.payee: event.took_up for event in told} == {payee: [one["id"]] for payee, one in before.items()}, (
        "whoever hears of it knows that what came back has been sent again"
    )
    july = await paid(funding_app, "2022-07")
    assert {one["brought_forward"] for one in (await instructions_of(funding_app, july)).values()} == {"0.00"}
    late = await funding_app.put(f"{INSTRUCTIONS}/{sent['A00002']['id']}/remedy", note, nan(funding_app))
    assert late.json()["code"] == "InstructionNotReturned", "it was sent again"


async def test_less_than_nothing_is_carried_forward_and_never_sent(funding_app: Harness) -> None:
    """A practice's list turns out far too long: what it was paid too much is taken off month by month."""
    await an_area(funding_app)
    for payee in ("A00001", "A00002"):
        await approved(funding_app, payee)
    march = await paid(funding_app, "2022-09")
    assert (await instructions_of(funding_app, march))["A00002"]["amount"] == "16729.50"
    await funding_app.deliver(list_sizes("weighted", {"A00002": 1000}, known_from=date(2022, 10, 1)))
    october = await paid(funding_app, "2022-10")
    one = (await instructions_of(funding_app, october))["A00002"]
    assert (one["state"], one["of_run"], one["amount"]) == ("carried", "-15702.25", "-15702.25")
    sheet = await file_of(funding_app, october)
    assert sheet["instructions"] == 1, "only the network's payee"
    november = await paid(funding_app, "2022-11")
    two = (await instructions_of(funding_app, november))["A00002"]
    assert (two["state"], two["of_run"], two["brought_forward"], two["amount"]) == (
        "carried",
        "146.75",
        "-15702.25",
        "-15555.50",
    )
    shown = (await funding_app.client.get(f"{INSTRUCTIONS}/{one['id']}", headers=nan(funding_app))).json()
    assert shown["taken_into"] == two["id"]
    await file_of(funding_app, november)
    stands = (await funding_app.client.get(f"{RUNS}/{november['id']}/confirmation", headers=nan(funding_app))).json()
    assert Decimal(stands["issued"]) + Decimal(stands["brought_forward"]) == Decimal(stands["sent"]) + Decimal(
        stands["carried"]
    )


async def test_payees_see_their_instructions_and_nobody_elses(funding_app: Harness) -> None:
    await an_area(funding_app)
    run = await paid(funding_app, "2022-04")
    one = (await instructions_of(funding_app, run))["A00002"]
    for role, code, status in (
        (Role.PAYEE, "A00002", 200),
        (Role.PRACTICE, "A00002", 200),
        (Role.PAYEE, "A00001", 404),
        (Role.NETWORK, NETWORK, 404),
        (Role.COMMISSIONER, "00L", 403),
    ):
        headers = funding_app.token(role, organisations=[code])
        assert (await funding_app.client.get(f"{INSTRUCTIONS}/{one['id']}", headers=headers)).status_code == status
    own = funding_app.token(Role.PAYEE, organisations=["A00002"])
    listed = (await funding_app.client.get(INSTRUCTIONS, headers=own)).json()["items"]
    assert [item["id"] for item in listed] == [one["id"]]
    for path in (FILES, f"{RUNS}/{run['id']}/confirmation"):
        assert (await funding_app.client.get(path, headers=own)).status_code == 403
    change = {**own, "If-Match": '"1"'}
    done = await funding_app.client.put(
        f"{INSTRUCTIONS}/{one['id']}/confirmation", json={"confirmed_on": today()}, headers=change
    )
    assert done.status_code == 403


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payment_instructions SET of_run = of_run + 1, amount = amount + 1",
        "UPDATE payment_instructions SET payee = 'X'",
        "UPDATE payment_instructions SET file = NULL, details = NULL, state = 'due' WHERE file IS NOT NULL",
        "UPDATE payment_instructions SET state = 'sent' WHERE file IS NULL",
        "DELETE FROM payment_instructions",
        "UPDATE payment_files SET sealed_bacs = 'another'",
        "UPDATE payment_files SET total = total + 1",
        "DELETE FROM payment_files",
    ],
)
async def test_the_database_keeps_what_was_instructed(funding_app: Harness, statement: str) -> None:
    await an_area(funding_app)
    await approved(funding_app)
    await file_of(funding_app, await paid(funding_app, "2022-04"))
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(text(statement))


# --- people at the same moment ---


async def test_two_files_made_at_once_hold_each_payment_once(funding_live: Harness) -> None:
    await an_area(funding_live)
    for payee in ("A00001", "A00002"):
        await approved(funding_live, payee)
    run = await paid(funding_live, "2022-04")
    path = f"{RUNS}/{run['id']}/files"
    replies = await asyncio.gather(*(funding_live.post(path, {}, nan(funding_live, who)) for who in "abc"))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
    made = next(reply.json() for reply in replies if reply.status_code == 201)
    assert (made["instructions"], made["total"]) == (2, run["total"])


async def test_an_instruction_confirmed_and_returned_at_once_has_one_outcome(funding_live: Harness) -> None:
    await an_area(funding_live)
    await approved(funding_live)
    run = await paid(funding_live, "2022-04")
    await file_of(funding_live, run)
    path = f"{INSTRUCTIONS}/{(await instructions_of(funding_live, run))['A00001']['id']}"
    match = {**nan(funding_live), "If-Match": '"2"'}
    back = {"returned_on": today(), "code": "5", "reason": "x"}
    replies = await asyncio.gather(
        funding_live.client.put(f"{path}/confirmation", json={"confirmed_on": today()}, headers=match),
        funding_live.client.put(f"{path}/return", json=back, headers=match),
        funding_live.client.put(f"{path}/return", json=back, headers=match),
    )
    statuses = [reply.status_code for reply in replies]
    assert statuses in ([200, 412, 412], [412, 200, 200]), statuses
    events = [e for e in await funding_live.announced() if isinstance(e, PaymentConfirmed | PaymentReturned)]
    assert len(events) == 1


async def test_a_run_closed_by_two_at_once_is_closed_once(funding_live: Harness) -> None:
    await an_area(funding_live)
    for payee in ("A00001", "A00002"):
        await approved(funding_live, payee)
    run = await paid(funding_live, "2022-04")
    await file_of(funding_live, run)
    for one in (await instructions_of(funding_live, run)).values():
        await settled(funding_live, one, "confirmation")
    path = f"{RUNS}/{run['id']}/confirmation"
    etag = (await funding_live.client.get(f"{RUNS}/{run['id']}", headers=nan(funding_live))).headers["etag"]
    replies = await asyncio.gather(
        *(
            funding_live.client.put(path, headers={**nan(funding_live, who), "If-Match": etag})
            for who in ("bob", "carol", "dan")
        )
    )
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.json()["confirmed_by"] for reply in replies}) == 1


async def test_a_payee_of_two_networks_is_sent_one_sum_told_apart(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        list_sizes("registered", {"A00003": 31000}, network="U54321"),
        an_approved_network("U54321", [Member(practice="A00003", valid_from=date(2020, 4, 1))], payee="A00001"),
    )
    run = await paid(funding_app, "2022-04")
    one = (await instructions_of(funding_app, run))["A00001"]
    assert set(one["parts"]) == {NETWORK, "U54321"}
    assert sum(Decimal(part) for part in one["parts"].values()) == Decimal(one["amount"])


async def test_whoever_was_paid_too_much_gives_it_back_and_not_the_payee_after(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    await funding_app.deliver(
        PayeeAppointed(network=NETWORK, payee="X9999", valid_from=date(2022, 5, 1)),
        list_sizes("registered", {"A00001": 24000}, known_from=date(2022, 6, 1)),
    )
    may = await paid(funding_app, "2022-05")
    lines = [line for line in await lines_of(funding_app, may) if line["amount"] and line["practice"] is None]
    back = [line for line in lines if Decimal(line["amount"]) < 0]
    assert {(line["month"], line["payee"]) for line in back} == {("2022-04", "A00001")}
    assert {(line["month"], line["payee"]) for line in lines if line not in back} == {("2022-05", "X9999")}
    june = await paid(funding_app, "2022-06")
    await funding_app.deliver(list_sizes("registered", {"A00001": 23000}, known_from=date(2022, 7, 1)))
    july = await paid(funding_app, "2022-07")
    again = [line for line in await lines_of(funding_app, july) if line["amount"] and Decimal(line["amount"]) < 0]
    assert {(line["month"], line["payee"]) for line in again} == {
        *(("2022-04", "A00001"), ("2022-05", "X9999"), ("2022-06", "X9999"))
    }
    assert june["total"] > "0"


async def test_nobody_gives_back_more_than_it_was_paid(funding_app: Harness) -> None:
    """Payees change and lists shrink: by payee, stream and month what was paid never falls below nothing."""
    await an_area(funding_app)
    for month, payee, size in (
        *(("2022-04", "A00001", 30000), ("2022-05", "X1111", 26000), ("2022-06", "X2222", 28000)),
        *(("2022-07", "A00001", 21000), ("2022-08", "X1111", 30000), ("2022-09", "X2222", 1)),
    ):
        await funding_app.deliver(
            PayeeAppointed(network=NETWORK, payee=payee, valid_from=first_day(month)),
            list_sizes("registered", {"A00001": size}, known_from=date(2022, 6, 1)),
        )
        await paid(funding_app, month)
    async with funding_app.session() as session:
        rows = await session.execute(
            text(
                "SELECT payee, stream, month, sum(amount) AS paid FROM payment_lines"
                " WHERE amount IS NOT NULL GROUP BY payee, stream, month HAVING sum(amount) < 0"
            )
        )
        below = [(row.payee, row.month) for row in rows]
    assert below == []
