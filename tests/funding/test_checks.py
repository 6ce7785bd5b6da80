"""Payment files received and compared: what each payment differs by, who may see it, what is refused."""

from __future__ import annotations

import asyncio
import gzip
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.funding.comparisons.cases import Account, Case, Difference, Evidence, Other, Published, Term
from services.funding.comparisons.verdicts import Habit, classify, habits_of
from shared.events.registry import ListSize, ListSizesPublished, Member, PatientsAllocated, PayeeAppointed
from shared.identity import Role
from tests.funding.builders import NETWORK, a_commissioner, an_approved_network, list_sizes, some_practices
from tests.funding.checked import CHECKS, sent
from tests.harness import Harness

HEADINGS = (
    "PCN Code",
    "Practice Code",
    "CCG Code",
    "Practice Close Date",
    "Number of Registered Patients (Last Known Figure)",
    "Number of Weighted Patients (Last Known Figure)",
    "PCN Participation",
)
TERM = Term("network_participation", "t", "weighted", Decimal("1.761"), 12, 12)


def publication(*rows: tuple[object, ...]) -> bytes:
    lines = [",".join(f'"{cell}"' for cell in row) for row in (HEADINGS, *rows)]
    return ("\ufeff" + "\r\n".join(lines)).encode()


def an_account(paid: str, *, months: int = 12, lists: tuple[str, ...] = ("1000", "1010"), **more: Any) -> Account:
    around = tuple(Published(f"list {heads}", {"weighted": Decimal(heads)}) for heads in lists)
    return Account(
        practice=more.pop("practice", "A00001"),
        network="U1",
        commissioner="00L",
        paid=Decimal(paid),
        year=12,
        months=months,
        own=more.pop("own", around[-1] if around else None),
        around=around,
        yearly=more.pop("yearly", around),
        **more,
    )


def found(account: Account, habit: Habit | None = None, **more: Any) -> tuple[Difference, Evidence]:
    verdict = classify(Case(account, (TERM,)), habit, **more)
    return verdict.difference, verdict.evidence


@pytest.mark.parametrize(
    ("account", "habit", "expected"),
    [
        (an_account("1778.61"), None, (Difference.AGREES, Evidence.PENNY)),
        (an_account("1770.00"), None, (Difference.LIST_MOVED, Evidence.BETWEEN_LISTS)),
        (an_account("1790.00"), None, (Difference.LIST_MOVED, Evidence.WITHIN_MOVEMENT)),
        (an_account("1700.00"), None, (Difference.UNEXPLAINED, Evidence.NONE)),
        (an_account("1620.00"), None, (Difference.OTHER_MONTHS, Evidence.BETWEEN_LISTS)),
        (an_account("1620.00"), Habit(11, 9, 10), (Difference.ARREARS, Evidence.BETWEEN_LISTS)),
        (an_account("1770.00"), Habit(11, 9, 10), (Difference.LIST_MOVED, Evidence.BETWEEN_LISTS)),
        (an_account("590.00"), Habit(4, 9, 10), (Difference.FEWER_MONTHS, Evidence.BETWEEN_LISTS)),
        (an_account("2065.00"), Habit(14, 9, 10), (Difference.MORE_MONTHS, Evidence.BETWEEN_LISTS)),
        (an_account("3540.00"), None, (Difference.DOUBLE, Evidence.BETWEEN_LISTS)),
        (an_account("1700.04"), Habit(12, 9, 10, 12, 9), (Difference.LIST_MOVED, Evidence.EQUAL_PAYMENTS)),
        (an_account("1700.05"), Habit(12, 9, 10, 12, 9), (Difference.UNEXPLAINED, Evidence.NONE)),
        (an_account("590.00", months=4, began=date(2020, 12, 1)), None, (Difference.JOINED, Evidence.BETWEEN_LISTS)),
        (
            an_account("443.00", months=4, ended=date(2020, 7, 31)),
            Habit(11, 9, 10),
            (Difference.LEFT, Evidence.BETWEEN_LISTS),
        ),
        (an_account("0.00"), None, (Difference.MISSING, Evidence.DATES)),
        (an_account("0.00", elsewhere="There."), None, (Difference.PAID_ELSEWHERE, Evidence.DATES)),
        (an_account("-5.00"), None, (Difference.NEGATIVE, Evidence.DATES)),
        (an_account("5.00", months=0), None, (Difference.NOT_A_MEMBER, Evidence.DATES)),
        (an_account("5.00", months=0, closed_on=date(2020, 3, 31)), None, (Difference.CLOSED, Evidence.DATES)),
        (an_account("5.00", months=0, allocated_to="U2"), None, (Difference.ALLOCATED, Evidence.DATES)),
        (an_account("5.00", lists=()), None, (Difference.NO_LIST, Evidence.DATES)),
        (an_account("5.00", hold="No rate.", own=Published("x", {})), None, (Difference.HELD, Evidence.DATES)),
        (
            an_account("1700.00", before=Other("2019-20", Decimal("1550.00"), 11)),
            None,
            (Difference.LIST_MOVED, Evidence.TWO_LISTS),
        ),
        (
            an_account("1700.00", lists=("1000",), after=Other("2020-21", Decimal("1800.00"), 12)),
            None,
            (Difference.LIST_MOVED, Evidence.BETWEEN_PAYMENTS),
        ),
    ],
)
def test_each_class_has_a_test_of_its_own(
    account: Account, habit: Habit | None, expected: tuple[Difference, Evidence]
) -> None:
    assert found(account, habit) == expected


def test_a_list_known_to_the_patient_is_compared_to_the_penny_before_anything_is_read_from_it() -> None:
    own = Published("list of the day", {"weighted": Decimal(1000)}, exact=True)
    other = [[Term("network_participation", "t2", "weighted", Decimal("1.500"), 12, 12)]]
    near = (Decimal("990"), Decimal("1600"))
    around = tuple(Published(str(heads), {"weighted": heads}) for heads in near)
    of: dict[str, Any] = {"lists": (), "own": own}
    assert found(an_account("1500.00", **of), other_rates=other) == (Difference.OTHER_RATE, Evidence.PENNY)
    assert found(an_account("1614.25", **of)) == (Difference.ARREARS, Evidence.PENNY)
    assert found(an_account("3522.00", **of)) == (Difference.DOUBLE, Evidence.PENNY)
    wide = Account(**{**_fields(an_account("1500.00", **of)), "around": (own, *around)})
    assert found(wide, other_rates=other) == (Difference.OTHER_RATE, Evidence.PENNY)


def _fields(account: Account) -> dict[str, Any]:
    return {name: getattr(account, name) for name in Account.__dataclass_fields__}


def test_a_commissioner_s_habit_is_the_months_most_of_its_payments_are_for() -> None:
    accounts = [an_account(str(Decimal("1614.25") + n), practice=f"A{n}") for n in range(6)]
    accounts += [an_account("1762.00", practice="B"), an_account("0.00", practice="C")]
    habit = habits_of([Case(account, (TERM,)) for account in accounts], lambda account: account.commissioner)["00L"]
    assert (habit.months, habit.fitting, habit.practices, habit.payments) == (11, 6, 7, None)
    equal = [an_account(str(Decimal("12.00") * (100 + n)), practice=f"A{n}") for n in range(6)]
    habit = habits_of([Case(account, (TERM,)) for account in equal], lambda account: account.commissioner)["00L"]
    assert (habit.payments, habit.dividing) == (12, 6)


@pytest.fixture
async def app(funding_app: Harness) -> Harness:
    """One network of two practices with weighted lists, a third practice outside it."""
    await funding_app.deliver(
        a_commissioner(),
        some_practices(["A00001", "A00002", "A00003"]),
        an_approved_network(members=["A00001", Member(practice="A00002", valid_from=date(2022, 5, 1))]),
        list_sizes("weighted", {"A00001": "1200", "A00002": "2400", "A00003": "600"}),
        list_sizes("registered", {"A00001": "1000", "A00002": "2000", "A00003": "500"}),
        PayeeAppointed(network=NETWORK, payee="A00001", valid_from=date(2022, 4, 1)),
        PatientsAllocated(network="U99999", commissioner="00L", practice="A00003", valid_from=date(2022, 4, 1)),
    )
    return funding_app


async def lines_of(app: Harness, check: dict[str, Any], headers: dict[str, str], **query: str) -> list[dict[str, Any]]:
    reply = await app.client.get(f"{CHECKS}/{check['id']}/lines", params=query, headers=headers)
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_a_payee_s_file_is_compared_to_the_penny(app: Harness) -> None:
    national = app.token(Role.NATIONAL)
    content = (
        "network,practice,stream,amount\n"
        f"{NETWORK},A00001,network_participation,528.30\n"  # three months of 1.761 x 1,200
        f"{NETWORK},A00002,network_participation,352.20\n"  # one of two months
        f"{NETWORK},,core_registered,375.00\n"  # 1.50 x 1,000 for three months; A00002 joined after April
        f"{NETWORK},A00003,network_participation,10.00\n"
    ).encode()
    reply = await sent(app, national, content, "2022-23", through="2022-06")
    assert reply.status_code == 201, reply.text
    check = reply.json()
    assert (check["kind"], check["status"], check["rows"], check["refused_rows"]) == ("payee", "compared", 4, 0)
    by = {(line["payment"], line["practice"]): line for line in await lines_of(app, check, national)}
    first = by["network_participation", "A00001"]
    assert (first["difference"], first["due"], first["months"]) == ("agrees", "528.30", 3)
    assert first["said"] == ["3 months × £1.761 / 12 × 1200 weighted (list of 2022-01-01) = £528.30"]
    second = by["network_participation", "A00002"]
    assert (second["difference"], second["due"], second["months"]) == ("joined", "704.40", 1)
    assert by["network_participation", "A00003"]["difference"] == "allocated"
    totals = {total["payment"]: total for total in check["totals"]}
    participation = totals["network_participation"]
    assert (participation["lines"], participation["paid"], participation["due"]) == (3, "890.50", "1232.70")
    assert participation["ratio"] == str((Decimal("890.50") / Decimal("1232.70")).quantize(Decimal("0.0001")))
    assert participation["explained"] == "1.0000"


async def test_what_a_file_leaves_out_pays_twice_or_by_another_year_s_rate_is_seen(app: Harness) -> None:
    national = app.token(Role.NATIONAL)
    content = (
        f"network,practice,stream,amount\n{NETWORK},A00001,network_participation,1056.60\n"
        f"{NETWORK},,clinical_director,182.25\n"  # 0.729 x 1,000 / 4: the rate of the year after
    ).encode()
    check = (await sent(app, national, content, "2022-23", through="2022-06")).json()
    by = {(line["payment"], line["practice"]): line["difference"] for line in await lines_of(app, check, national)}
    assert by["network_participation", "A00001"] == "double"
    assert by["network_participation", "A00002"] == "missing"
    only = await lines_of(app, check, national, difference="missing", practice="A00002")
    assert [line["due"] for line in only] == ["704.40"]
    assert await lines_of(app, check, national, difference="missing", practice="A00001") == []
    assert await lines_of(app, check, national, network=NETWORK, payment="clinical_director")


ROWS = [
    (NETWORK, "A00001", "00L", "", "1000", "1200", "2113.20"),
    (NETWORK, "A00002", "00L", "", "2000", "2400", "0"),
    ("U", "A00003", "00L", "", "500", "600", "-3.50"),
]


async def test_rows_that_cannot_be_read_are_refused_with_line_and_reason_and_the_others_compared(app: Harness) -> None:
    national = app.token(Role.NATIONAL)
    bad = [
        (NETWORK, "A00001", "00L", "", "1000", "1200", "1.00"),
        (NETWORK, "?", "00L", "", "1", "1", "1"),
        (NETWORK, "A00007", "00L", "31/02/2020", "1", "1", "1"),
        (NETWORK, "A00008", "00L", "", "-1", "1", "1"),
        (NETWORK, "A00009", "00L", "", "1", "1", "NaN"),
        (NETWORK, "A00010", "00L", "", "1", "1", "1.001"),
        (NETWORK, "A00011"),
    ]
    reply = await sent(app, national, gzip.compress(publication(*ROWS, *bad)), "2022-23")
    assert reply.status_code == 201, reply.text
    check = reply.json()
    assert check["kind"] == "published"
    assert [(row["line"], row["code"]) for row in check["refused"]] == [
        (5, "repeated"),
        (6, "code"),
        (7, "date"),
        (8, "negative"),
        (9, "number"),
        (10, "pennies"),
        (11, "cells"),
    ]
    by = {line["practice"]: line for line in await lines_of(app, check, national)}
    assert (by["A00001"]["difference"], by["A00001"]["due"]) == ("agrees", "2113.20")
    assert (by["A00002"]["difference"], by["A00003"]["difference"]) == ("missing", "negative")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"a,b\n1,2\n", "columns_missing"),
        (b"\xff\xfe\x00", "not_text"),
        (b"a\x00b", "not_text"),
        (gzip.compress(b"x" * 5000)[:-20], "cut_short"),
        (b"\x1f\x8bnonsense", "not_gzip"),
        (b"network,stream,amount\n", "no_rows"),
        (b"network,stream,amount\nU12345,,1.00\n", "no_rows"),
        (b'network,stream,amount\n"' + b"x" * 200_000 + b'",a,1\n', "not_csv"),
        (gzip.compress(b"\n" * 33_600_000), "too_large"),
    ],
    ids=["empty", "columns", "odd bytes", "nul", "cut", "nonsense", "head alone", "no amount", "quoted", "bomb"],
)
async def test_a_file_that_cannot_be_read_is_refused_whole(app: Harness, content: bytes, code: str) -> None:
    reply = await sent(app, app.token(Role.NATIONAL), content, "2022-23")
    assert (reply.status_code, reply.json()["code"]) == (422, "PaymentFileRefused")
    assert [error["code"] for error in reply.json()["errors"]] == [code]
    listed = await app.client.get(CHECKS, headers=app.token(Role.NATIONAL))
    assert listed.json()["items"] == []


async def test_every_fault_of_the_form_is_listed_at_once(app: Harness) -> None:
    national = app.token(Role.NATIONAL)
    reply = await app.post(CHECKS, None, national, data={"contract_year": "2022-24", "colour": "red"})
    assert reply.status_code == 422
    fields = {error["field"] for error in reply.json()["errors"]}
    assert fields == {"body.file", "body.contract_year", "body.colour"}
    outside = await sent(app, national, publication(*ROWS), "2022-23", through="2023-04")
    assert [error["code"] for error in outside.json()["errors"]] == ["outside_year"]
    assert outside.status_code == 422


async def test_a_file_is_received_once_and_a_repeat_gets_the_first_answer(app: Harness) -> None:
    national = {**app.token(Role.NATIONAL), "Idempotency-Key": "the-file-of-2022"}
    first = await sent(app, national, publication(*ROWS), "2022-23")
    again = await sent(app, national, publication(*ROWS), "2022-23")
    assert again.json() == first.json()
    other = await sent(app, app.token(Role.NATIONAL), publication(*ROWS), "2022-23")
    assert (other.status_code, other.json()["code"]) == (409, "FileCheckedBefore")


async def test_the_same_file_sent_twice_at_once_is_received_once(funding_live: Harness) -> None:
    national = funding_live.token(Role.NATIONAL)
    replies = await asyncio.gather(*(sent(funding_live, national, publication(*ROWS), "2022-23") for _ in range(2)))
    assert sorted(reply.status_code for reply in replies) == [201, 409]


async def test_late_news_changes_the_next_comparison_and_never_the_one_before(app: Harness) -> None:
    national = app.token(Role.NATIONAL)
    check = (await sent(app, national, publication(*ROWS), "2022-23")).json()
    path = f"{CHECKS}/{check['id']}"
    await app.deliver(
        ListSizesPublished(
            commissioner="00L",
            basis="weighted",
            snapshot=date(2022, 1, 1),
            known_from=date(2022, 6, 1),
            source="restated",
            sizes=[ListSize(practice="A00001", network=NETWORK, value=Decimal(1300))],
        )
    )
    without = await app.client.put(f"{path}/comparison", headers=national)
    assert (without.status_code, without.json()["code"]) == (428, "PreconditionMissing")
    stale = await app.put(f"{path}/comparison", None, national, match='"77"')
    assert (stale.status_code, stale.json()["code"]) == (412, "PreconditionFailed")
    reply = await app.put(f"{path}/comparison", None, national)
    assert (reply.status_code, reply.json()["comparison"]) == (200, 2)
    assert any("weighted lists of 2022-01-01" in said for said in reply.json()["rests_on"])
    now = await lines_of(app, check, national, practice="A00001")
    before = await lines_of(app, check, national, practice="A00001", comparison="1")
    assert (now[0]["difference"], now[0]["due"]) == ("list-moved", "2289.30")
    assert (before[0]["difference"], before[0]["due"]) == ("agrees", "2113.20")
    third = await app.client.get(f"{path}/lines", params={"comparison": 3}, headers=national)
    assert (third.status_code, third.json()["code"]) == (404, "ComparisonNotFound")


async def test_a_publication_shows_each_caller_its_own_and_a_payee_s_file_only_its_owner(app: Harness) -> None:
    national, stranger = app.token(Role.NATIONAL), app.token(Role.COMMISSIONER, organisations=["99X"])
    commissioner = app.token(Role.COMMISSIONER, organisations=["00L"])
    practice = app.token(Role.PRACTICE, organisations=["A00002"])
    check = (await sent(app, national, publication(*ROWS), "2022-23")).json()
    assert len(await lines_of(app, check, commissioner)) == 3
    assert [line["practice"] for line in await lines_of(app, check, practice)] == ["A00002"]
    assert await lines_of(app, check, stranger) == []
    read = await app.client.get(f"{CHECKS}/{check['id']}", headers=practice)
    assert [total["lines"] for total in read.json()["totals"]] == [1]
    table = await app.client.get(f"{CHECKS}/{check['id']}/table", headers=practice)
    assert table.headers["content-type"].startswith("text/csv")
    assert [row.split(",")[1] for row in table.text.splitlines()] == ["practice", "A00002"]

    payee = app.token(Role.PAYEE, organisations=["A00001"], subject="bursar")
    content = (
        f"network,practice,stream,amount\n{NETWORK},A00001,network_participation,2113.20\n"
        "U55555,A00009,network_participation,9.00\n"
    ).encode()
    own = (await sent(app, payee, content, "2022-23")).json()
    assert [(row["line"], row["code"]) for row in own["refused"]] == [(3, "not_yours")]
    assert {line["practice"] for line in await lines_of(app, own, payee)} == {"A00001", "A00002"}
    for path in ("", "/lines", "/table"):
        hidden = await app.client.get(f"{CHECKS}/{own['id']}{path}", headers=commissioner)
        assert (hidden.status_code, hidden.json()["code"]) == (404, "CheckNotFound")
    hidden = await app.client.put(f"{CHECKS}/{own['id']}/comparison", headers={**commissioner, "If-Match": '"2"'})
    assert (hidden.status_code, hidden.json()["code"]) == (404, "CheckNotFound")
    listed = await app.client.get(CHECKS, headers=commissioner)
    assert [item["id"] for item in listed.json()["items"]] == [check["id"]]
    strange = await sent(app, stranger, content, "2022-23")
    assert (strange.status_code, strange.json()["code"]) == (404, "NothingOfYours")
    nationwide = await sent(app, payee, publication(*ROWS), "2022-23")
    assert (nationwide.status_code, nationwide.json()["code"]) == (403, "PublicationNotYours")
