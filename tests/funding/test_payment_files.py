"""The file for the bank: Bacs Standard 18 and CSV, made once, always the same bytes; and the bank's answer."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.funding.bank_holidays.model import WorkingDays
from services.funding.bank_holidays.shipped import HOLIDAYS
from services.funding.payment_files.bacs import Credit, Originator, pence, standard18, text_field
from shared.clock import london_day
from shared.database import driver_connection
from shared.events.funding import PaymentConfirmed
from shared.identity import Role
from tests.funding.builders import bank_details
from tests.funding.test_bank_details import NAME, NUMBER, SORT, approved, nan
from tests.funding.test_journey import RUNS, an_area, paid
from tests.funding.test_runs_instructions import FILES, file_of, instructions_of, today
from tests.harness import Harness

ORIGINATOR = Originator("654321", "112233", "44556677", "PCN PAYMENTS")
HEAD = "instruction,outcome,date,amount,code,reason\n"


def a_credit(number: int, amount: str, **changed: Any) -> Credit:
    given: dict[str, Any] = {
        "instruction": f"run-1-i{number:06d}",
        "payee": "A00001",
        "name": "The Surgery, Élmsford",
        "sort_code": "204063",
        "account_number": "70872490",
        "roll_number": None,
        "amount": Decimal(amount),
        "reference": f"PCN 2022-04 {number:06d}",
    }
    return Credit(**{**given, **changed})


def test_the_file_is_written_as_standard_18_has_it() -> None:
    """Field by field by position, counted by hand from the layout."""
    credits = [a_credit(1, "22661.92"), a_credit(2, "0.01", roll_number="D/12345-6")]
    content = standard18(ORIGINATOR, credits, serial=7, made=date(2022, 4, 28), processing=date(2022, 4, 29))
    records = content.decode("ascii").split("\r\n")
    assert records.pop() == ""
    vol, hdr1, hdr2, uhl, first, second, contra, eof1, eof2, utl = records
    assert [len(record) for record in records] == [80, 80, 80, 80, 106, 106, 106, 80, 80, 80]
    assert (vol[:4], vol[4:10], vol[41:47], vol[79]) == ("VOL1", "000007", "654321", "1")
    assert (hdr1[:4], hdr1[4:21], hdr1[21:27], hdr1[27:35]) == ("HDR1", "A654321S  1654321", "000007", "00010001")
    assert (hdr1[41:47], hdr1[47:53], hdr1[54:60]) == (" 22118", " 22119", "000000")
    assert (hdr2[:5], hdr2[5:10], hdr2[10:15], hdr2[50:52]) == ("HDR2F", "02000", "00106", "00")
    assert (uhl[:4], uhl[4:10], uhl[10:20], uhl[20:28], uhl[28:37]) == (
        *("UHL1", " 22119", "999999    ", "00000000"),
        "4 MULTI  ",
    )
    assert (first[:6], first[6:14], first[14], first[15:17]) == ("204063", "70872490", "0", "99")
    assert (first[17:23], first[23:31], first[31:35], first[35:46]) == ("112233", "44556677", "    ", "00002266192")
    assert (first[46:64], first[64:82], first[82:100], first[100:]) == (
        *("PCN PAYMENTS      ", "PCN 2022-04 000001", "THE SURGERY  ELMSF"),
        " 22119",
    )
    assert (second[35:46], second[64:82]) == ("00000000001", "D/12345-6         ")
    assert (contra[:17], contra[35:46], contra[64:82]) == ("11223344556677017", "00002266193", "CONTRA            ")
    assert (eof1[4:], eof2[4:]) == (hdr1[4:], hdr2[4:])
    assert (utl[4:17], utl[17:30], utl[30:37], utl[37:44]) == ("0000002266193", "0000002266193", "0000001", "0000002")


@given(st.text(max_size=40))
def test_no_text_breaks_a_record(value: str) -> None:
    field = text_field(value, 18)
    assert len(field) == 18
    assert set(field) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./& -")


@given(st.lists(st.integers(1, 2_000_000_000).map(lambda p: Decimal(p) / 100), min_size=1, max_size=30))
def test_the_contra_and_the_trailer_are_the_sum_of_the_credits(amounts: list[Decimal]) -> None:
    credits = [a_credit(n, str(amount)) for n, amount in enumerate(amounts)]
    content = standard18(ORIGINATOR, credits, serial=1, made=date(2022, 4, 28), processing=date(2022, 4, 29))
    records = content.decode().split("\r\n")
    paid = [int(record[35:46]) for record in records[4:-5]]
    assert sum(paid) == int(sum(amounts) * 100) == int(records[-5][35:46]) == int(records[-2][4:17])
    assert int(records[-2][37:44]) == len(amounts)


@pytest.mark.parametrize("amount", ["-0.01", "0.001", "1000000000.00"])
def test_an_amount_that_does_not_fit_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        pence(Decimal(amount), 11)


def test_working_days_leave_out_weekends_and_holidays() -> None:
    calendar = WorkingDays(frozenset(HOLIDAYS))
    assert calendar.after(date(2022, 4, 14), 1) == date(2022, 4, 19), "over Easter"
    assert calendar.after(date(2022, 6, 1), 1) == date(2022, 6, 6), "over the Jubilee"
    assert calendar.after(date(2026, 12, 24), 2) == date(2026, 12, 30)
    assert all(day.weekday() < 5 for day in HOLIDAYS)
    assert {day.year: sum(d.year == day.year for d in HOLIDAYS) for day in HOLIDAYS}[2022] == 10


async def issued(app: Harness) -> dict[str, Any]:
    await an_area(app)
    await approved(app)
    await approved(app, "A00002", account_number="11112222")
    return await paid(app, "2022-04")


async def test_a_file_is_made_once_and_is_the_same_every_time(funding_app: Harness) -> None:
    run = await issued(funding_app)
    headers = {**nan(funding_app), "Idempotency-Key": "the-file-of-april"}
    file = (await funding_app.post(f"{RUNS}/{run['id']}/files", {}, headers)).json()
    repeat = (await funding_app.post(f"{RUNS}/{run['id']}/files", {}, headers)).json()
    assert file == repeat
    assert (file["instructions"], file["total"]) == (2, run["total"])
    contents: dict[str, bytes] = {}
    for layout in ("bacs", "csv", "bacs", "csv"):
        reply = await funding_app.client.get(
            f"{FILES}/{file['id']}/content", params={"layout": layout}, headers=nan(funding_app, "bob")
        )
        assert reply.status_code == 200, reply.text
        digest = b64encode(hashlib.sha256(reply.content).digest()).decode()
        assert reply.headers["repr-digest"] == f"sha-256=:{digest}:"
        assert contents.setdefault(layout, reply.content) == reply.content
        assert reply.headers["cache-control"] == "no-store"
    assert f"{SORT}{NUMBER}".encode() in contents["bacs"]
    rows = list(csv.DictReader(io.StringIO(contents["csv"].decode())))
    assert [(row["payee"], row["account_name"], row["amount"]) for row in rows[:-1]] == [
        ("A00001", NAME, "22661.92"),
        ("A00002", NAME, "2788.25"),
    ]
    assert (rows[-1]["instruction"], rows[-1]["payee"], rows[-1]["amount"]) == ("TOTAL", "2", run["total"])
    trail = (await funding_app.client.get("/funding/v1/audit", headers=funding_app.token(Role.OPERATOR))).json()
    taken = [entry for entry in trail["items"] if entry["action"] == "downloaded"]
    assert [(entry["subject"], entry["after"]["layout"]) for entry in taken] == [
        *[("bob", "bacs"), ("bob", "csv"), ("bob", "bacs"), ("bob", "csv")]
    ]
    for role in (Role.OPERATOR, Role.PAYEE, Role.COMMISSIONER):
        headers = funding_app.token(role, organisations=["A00001"])
        assert (await funding_app.client.get(f"{FILES}/{file['id']}/content", headers=headers)).status_code == 403
    listed = (await funding_app.client.get(FILES, params={"run": run["id"]}, headers=nan(funding_app))).json()["items"]
    assert listed == [file]


async def test_a_file_is_for_a_working_day_to_come(funding_app: Harness) -> None:
    run = await issued(funding_app)
    now = london_day(datetime.now(UTC))
    saturday = now + timedelta(days=(5 - now.weekday()) % 7 + 7)
    for day in (now.isoformat(), "2022-04-29", saturday.isoformat(), "2027-12-27"):
        reply = await funding_app.post(f"{RUNS}/{run['id']}/files", {"processing_day": day}, nan(funding_app))
        assert (reply.status_code, reply.json()["code"]) == (409, "NoProcessingDay"), day
    monday = saturday + timedelta(days=2)
    announced = {"day": monday.isoformat(), "name": "A day nobody expected"}
    holidays = "/funding/v1/bank-holidays"
    if monday not in HOLIDAYS:
        assert (await funding_app.post(holidays, announced, nan(funding_app))).status_code == 201
    twice = await funding_app.post(holidays, announced, nan(funding_app))
    assert (twice.status_code, twice.json()["code"]) == (409, "HolidayKnown")
    reply = await funding_app.post(
        f"{RUNS}/{run['id']}/files", {"processing_day": monday.isoformat()}, nan(funding_app)
    )
    assert reply.json()["code"] == "NoProcessingDay"
    tuesday = WorkingDays(frozenset([*HOLIDAYS, monday])).after(monday, 1)
    file = await file_of(funding_app, run, processing_day=tuesday.isoformat())
    assert file["processing_day"] == tuesday.isoformat()


async def test_without_an_originator_no_file_is_made(funding_app: Harness) -> None:
    run = await issued(funding_app)
    settings = funding_app.service.settings
    object.__setattr__(settings, "bacs_user_number", None)
    reply = await funding_app.post(f"{RUNS}/{run['id']}/files", {}, nan(funding_app))
    assert (reply.status_code, reply.json()["code"]) == (409, "OriginatorMissing")


async def results(app: Harness, file: dict[str, Any], content: str | bytes) -> Any:
    reply = await app.post(f"{FILES}/{file['id']}/results", headers=nan(app), content=content)
    return reply


async def test_the_banks_answer_settles_what_it_can_and_names_the_rest(funding_app: Harness) -> None:
    run = await issued(funding_app)
    file = await file_of(funding_app, run)
    made = await instructions_of(funding_app, run)
    one, two = made["A00001"]["id"], made["A00002"]["id"]
    answer = (
        HEAD
        + f"{one},confirmed,{today()},22661.92,,\n"
        + f"{two},returned,{today()},2788.26,5,No such account\n"
        + f"{two},perhaps,yesterday,x,,\n"
        + f"run-x,confirmed,{today()},1.00,,\n"
        + f"{two},returned,{today()},2788.25,,\n"
        + "\n"
        + f"{two},confirmed,2022-04-30,2788.25,,\n"
        + f"{two}\n"
    )
    reply = await results(funding_app, file, answer)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["confirmed"], told["returned"], told["repeated"]) == (1, 0, 0)
    assert [(fault["line"], fault["column"], fault["code"]) for fault in told["refused"]] == [
        (3, "amount", "differs"),
        *[(4, "outcome", "unknown"), (4, "date", "not_a_day"), (4, "amount", "not_an_amount")],
        (5, "instruction", "unknown"),
        *[(6, "code", "missing"), (6, "reason", "missing")],
        (8, "outcome", "SettledTooEarly"),
        *[(9, name, "missing") for name in ("outcome", "date", "amount")],
    ]
    rest = HEAD + f"{one},confirmed,{today()},22661.92,,\n{two},returned,{today()},2788.25,5,No such account\n"
    again = (await results(funding_app, file, rest)).json()
    assert again == {"confirmed": 0, "returned": 1, "repeated": 1, "refused": []}
    assert (await results(funding_app, file, rest)).json() == {**again, "returned": 0, "repeated": 2}
    made = await instructions_of(funding_app, run)
    assert [(made[payee]["state"], made[payee]["return_reason"]) for payee in ("A00001", "A00002")] == [
        ("confirmed", None),
        ("returned", "No such account"),
    ]
    assert len([e for e in await funding_app.announced() if isinstance(e, PaymentConfirmed)]) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "wrong_columns"),
        (b"a,b\n1,2\n", "wrong_columns"),
        (b"\xff\xfe", "not_utf8"),
        (HEAD.encode() + b'"never closed', "not_csv"),
        (HEAD.encode() + b"a\x00b", "not_text"),
    ],
)
async def test_an_unreadable_answer_changes_nothing(funding_app: Harness, content: bytes, code: str) -> None:
    run = await issued(funding_app)
    file = await file_of(funding_app, run)
    reply = await results(funding_app, file, content)
    assert (reply.status_code, reply.json()["code"]) == (422, "ResultsUnreadable")
    assert [fault["code"] for fault in reply.json()["errors"]] == [code]
    assert {one["state"] for one in (await instructions_of(funding_app, run)).values()} == {"sent"}


async def test_nothing_in_a_dump_gives_the_numbers_away(funding_live: Harness) -> None:
    """Whoever has the whole database and can try every number: neither the numbers nor a plain digest of anything that
    holds them stands in any cell, as text, as bytes or inside JSON."""
    app = funding_live
    await an_area(app)
    asked = bank_details("A00001", account_name=NAME, sort_code=SORT, account_number=NUMBER)
    body = json.dumps(asked).encode()
    headers = {**nan(app), "Idempotency-Key": "details-of-a1", "Content-Type": "application/json"}
    first = await app.client.post("/funding/v1/bank-details", content=body, headers=headers)
    again = await app.client.post("/funding/v1/bank-details", content=body, headers=headers)
    assert (first.status_code, again.json()) == (201, first.json())
    numbers = {"sort_code": SORT, "account_number": NUMBER}
    path = f"/funding/v1/bank-details/{first.json()['id']}/approval"
    assert (await app.put(path, numbers, nan(app, "bob"))).status_code == 200
    run = await paid(app, "2022-04")
    file = await file_of(app, run)
    contents = [
        (await app.client.get(f"{FILES}/{file['id']}/content", params={"layout": layout}, headers=nan(app))).content
        for layout in ("bacs", "csv")
    ]
    request = b"POST /funding/v1/bank-details?\n" + body
    clear = [SORT, NUMBER, NAME]
    guessable = [*(word.encode() for word in (SORT, NUMBER, SORT + NUMBER)), body, request, *contents]
    forms = clear + [
        form
        for content in guessable
        for name in ("sha256", "sha1", "md5", "sha512")
        for digest in [hashlib.new(name, content).digest()]
        for form in (digest.hex(), digest.hex()[:16], b64encode(digest).decode(), urlsafe_b64encode(digest).decode())
    ]
    cells = 0
    async with app.session() as session:
        tables = await session.scalars(
            text(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        )
        driver = await driver_connection(session)
        for table in tables.all():
            async with driver.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as dump:
                async for row in dump:
                    for cell in bytes(row).decode().rstrip("\n").split("\t"):
                        cells += 1
                        # COPY writes bytea as hexadecimal digits
                        told = cell + (bytes.fromhex(cell[3:]).decode("latin-1") if cell.startswith("\\\\x") else "")
                        found = [form for form in forms if form in told]
                        assert not found, f"{table}: {found}"
    assert cells > 1000
    assert any(SORT.encode() in content for content in contents), "what was looked for is in the file"
