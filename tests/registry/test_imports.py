"""Register files: what loads, what is refused with line and reason, and what a second file changes."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from datetime import UTC, date, datetime
from typing import Any

import openpyxl
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.imports.model import ImportKind
from services.registry.imports.operations import LOADERS
from services.registry.imports.queries import harmless
from services.registry.ods import readers
from shared.events import registry as events
from shared.http import _now as clock
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    MANIFEST,
    SAMPLE,
    V1,
    codes,
    commissioner,
    load_sample,
    national,
    upload,
    upload_listed,
)

EPRACCUR = (SAMPLE / "epraccur.csv").read_bytes()
DETAILS = (SAMPLE / "epcn_details.csv").read_text()
PARTNERS = (SAMPLE / "epcn_core_partners.csv").read_text()
POPULATIONS = (SAMPLE / "adjusted_populations.csv").read_text()

TOTALS = """PUBLICATION,EXTRACT_DATE,TYPE,CCG_CODE,ONS_CCG_CODE,CODE,POSTCODE,SEX,AGE,NUMBER_OF_PATIENTS
GP,01Jan2021,GP,SA1,E1,Z80001,ZZ1,ALL,ALL,12000
GP,01Jan2021,GP,SA1,E1,Z80002,ZZ1,ALL,ALL,1
"""
_PLACE = "SB2,INVENTED HILLS COMMISSIONER - SB2,E2,QZ2,INVENTED HILLS,E3,Y5Z,INVENTED REGION"
MAP = f"""PUBLICATION,EXTRACT_DATE,PRACTICE_CODE,PRACTICE_NAME,PRACTICE_POSTCODE,PCN_CODE,PCN_NAME,ONS_CCG_CODE,\
CCG_CODE,CCG_NAME,ONS_STP_CODE,STP_CODE,STP_NAME,ONS_COMM_REGION_CODE,COMM_REGION_CODE,COMM_REGION_NAME
GP,01-Sep-20,Z80011,STATION ROAD SURGERY,ZZ1,U90002,BROOKSIDE PCN,E1,{_PLACE}
GP,01-Sep-20,Z80014,THE SPINNEY SURGERY,ZZ1,U,Unallocated,E1,{_PLACE}
GP,01-Sep-20,Z80015,BROOK END SURGERY,ZZ1,U90002,BROOKSIDE PCN,E1,{_PLACE}
GP,01-Sep-20,Z80099,NEW SURGERY,ZZ1,U90077,NEW PCN,E1,{_PLACE}
"""
SUCCESSION = """Level,Predecessor Code,Kind,Succeeded On,Successor Code,Successor Name,Part Code,Inherits
commissioner,SB2,merger,2022-07-01,S1Y5D,INVENTED HEIR,,yes
"""


async def get(app: Harness, path: str) -> Any:
    answer = await app.client.get(f"{V1}{path}", headers=national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def epcn(app: Harness, details: str, partners: str, published_on: str = "2022-04-30") -> dict[str, Any]:
    answer = await upload(
        app, "epcn", "details.csv", details.encode(), published_on=published_on, partners=partners.encode()
    )
    assert answer.status_code == 201, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def test_the_sample_loads_and_loading_it_again_changes_nothing(registry_app: Harness) -> None:
    first = await load_sample(registry_app)
    assert all(report["refused"] == [] and report["loaded"] > 0 for report in first)
    told = len(await registry_app.announced())
    again = await load_sample(registry_app)
    assert [report["loaded"] for report in again] == [0] * len(again)
    assert [report["unchanged"] for report in again] == [report["loaded"] for report in first]
    assert len(await registry_app.announced()) == told
    figures = await get(registry_app, "/statistics?as_at=2022-03-31")
    assert (figures["practices"], figures["registered_patients"]) == (20, "229065")
    assert (figures["networks"], figures["patients_in_no_network"], figures["systems"]) == (3, "112225", 2)


async def test_the_same_rows_in_other_bytes_change_nothing_either(registry_app: Harness) -> None:
    await load_sample(registry_app)
    told = len(await registry_app.announced())
    again = await upload(registry_app, "epraccur", "e.csv.gz", gzip.compress(EPRACCUR), published_on="2021-12-20")
    assert (again.json()["loaded"], again.json()["rows"]) == (0, 25)
    assert (await epcn(registry_app, DETAILS, PARTNERS, "2021-12-20"))["loaded"] == 0
    populations = await upload(
        registry_app,
        "adjusted-populations",
        "p.csv",
        POPULATIONS.replace("\n", "\r\n").encode(),
        published_on="2022-01-05",
        snapshot="2022-01-01",
    )
    assert populations.json()["loaded"] == 0
    assert len(await registry_app.announced()) == told


async def test_of_epraccur_only_english_gp_practices_and_members_are_entered(registry_app: Harness) -> None:
    await load_sample(registry_app)
    listed = {p["code"]: p for p in (await get(registry_app, "/practices?as_at=2022-01-01"))["items"]}
    assert "Z80023" not in listed
    assert "Z89001" not in listed
    assert listed["Z80022"]["status"] == "dormant"
    assert listed["Z80001"]["contract"] == "GMS"
    closed = await get(registry_app, "/practices/Z80021?as_at=2022-01-01")
    assert (closed["status"], closed["closed_on"]) == ("closed", "2020-09-30")
    assert "Z80024" not in listed


async def test_end_dates_of_memberships_are_their_last_day(registry_app: Harness) -> None:
    await load_sample(registry_app)
    seen = [
        (await get(registry_app, f"/practices/Z80020?as_at={day}"))["networks"] for day in ("2021-03-31", "2021-04-01")
    ]
    assert seen == [["U90002"], ["U90003"]]
    closed = await get(registry_app, "/networks/U90004?as_at=2022-01-01")
    assert closed["closed_on"] == "2020-03-31"
    told = [e for e in await registry_app.announced() if isinstance(e, events.NetworkClosed)]
    assert [(e.network, e.closed_on) for e in told] == [("U90004", date(2020, 3, 31))]


async def test_a_later_file_becomes_dated_joins_leaves_and_closures(registry_app: Harness) -> None:
    await load_sample(registry_app)
    before = len(await registry_app.announced())
    rows = list(csv.reader(io.StringIO(PARTNERS)))
    for row in rows:
        if row[0] == "Z80017":
            row[9] = "20220331"
        if row[4] == "U90001" and not row[9]:
            row[9] = "20220331"
    moved = next(row for row in rows if row[0] == "Z80017")
    rows.append([*moved[:4], "U90003", *moved[5:8], "20220401", "", "TRUE"])
    details = DETAILS.replace(
        "INVENTED MARKET TOWN PCN,SB2,INVENTED HILLS COMMISSIONER - SB2,20191001,",
        "INVENTED MARKET TOWN PCN,SB2,INVENTED HILLS COMMISSIONER - SB2,20191001,20220331",
    )
    partners = io.StringIO()
    csv.writer(partners).writerows(rows)
    report = await epcn(registry_app, details, partners.getvalue())
    assert report["changes"]["memberships begun"] == 1
    assert report["changes"]["memberships ended"] == 4
    assert report["changes"]["networks closed"] == 1
    told = (await registry_app.announced())[before:]
    left = {(e.network, e.practice, e.valid_to) for e in told if isinstance(e, events.PracticeLeft)}
    assert left == {("U90002", "Z80017", date(2022, 3, 31))} | {
        ("U90001", p, date(2022, 3, 31)) for p in ("Z80011", "Z80012", "Z80013")
    }
    joined = [(e.network, e.practice, e.valid_from) for e in told if isinstance(e, events.PracticeJoined)]
    assert joined == [("U90003", "Z80017", date(2022, 4, 1))]
    assert [e.network for e in told if isinstance(e, events.NetworkClosed)] == ["U90001"]

    then = await get(registry_app, "/networks/U90002/members?as_at=2022-05-01&known_at=2022-01-15")
    now = await get(registry_app, "/networks/U90002/members?as_at=2022-05-01")
    assert {m["practice"] for m in then["items"]} - {m["practice"] for m in now["items"]} == {"Z80017"}


async def test_a_change_of_lead_commissioner_holds_from_the_file_on(registry_app: Harness) -> None:
    await load_sample(registry_app)
    details = DETAILS.replace("INVENTED HILLTOP PCN,SB2", "INVENTED SUMMIT PCN,SA1")
    await epcn(registry_app, details, PARTNERS)
    before = await get(registry_app, "/networks/U90003?as_at=2022-04-29")
    after = await get(registry_app, "/networks/U90003?as_at=2022-04-30")
    assert (before["name"], before["commissioner"]) == ("INVENTED HILLTOP PCN", "SB2")
    assert (after["name"], after["commissioner"]) == ("INVENTED SUMMIT PCN", "SA1")
    assert (await get(registry_app, "/networks/U90003?as_at=2022-04-30&known_at=2022-04-01"))["commissioner"] == "SB2"


async def test_bad_rows_are_reported_with_line_and_reason_and_good_ones_load(registry_app: Harness) -> None:
    bad = DETAILS + "U9,SHORT CODE PCN,SB2,X,20191001,,,,,,,\nU90009,BACKWARDS PCN,SB2,X,20200101,20191231,,,,,,\n"
    first = PARTNERS.splitlines()[1].split(",")
    extra = [
        ["Z80001", "A", "SA1", "X", "U90777", "P", "SB2", "X", "20200101", "", ""],
        ["Z80001", "A", "SA1", "X", "U90001", "P", "SB2", "X", "20210101", "20201231", ""],
        ["Z80001", "A", "SA1", "X", "U90001", "P", "SB2", "X", "soon", "", ""],
        ["Z80011", "A", "SB2", "X", "U90002", "P", "SB2", "X", "20210101", "", ""],
        first,
    ]
    partners = PARTNERS + "".join(",".join(row) + "\n" for row in extra)
    report = await epcn(registry_app, bad, partners)
    lines = len(PARTNERS.splitlines())
    assert [(r["line"], r["code"]) for r in report["refused"]] == [
        (6, "not_a_network_code"),
        (7, "closed_before_open"),
        (lines + 1, "unknown_network"),
        (lines + 2, "ends_before_start"),
        (lines + 3, "not_a_date"),
        (lines + 4, "overlaps"),
        (lines + 5, "repeated"),
    ]
    assert all(r["file"] and r["column"] and r["reason"] for r in report["refused"])
    assert len((await get(registry_app, "/networks?as_at=2022-01-01"))["items"]) == 3


async def test_bad_lines_of_epraccur_and_of_lists_are_reported(registry_app: Harness) -> None:
    text = EPRACCUR.decode()
    lines = text.splitlines()
    bad = "\n".join(
        [
            *lines,
            lines[0],
            lines[1].replace('"Z80002"', '"Z80091"').replace('"19740401"', '"1974"'),
            lines[2].replace('"Z80003"', '"Z80092"').replace('"A","B"', '"Q","B"'),
            '"Z80093","short"',
        ]
    )
    report = (await upload(registry_app, "epraccur", "e.csv", bad.encode(), published_on="2022-01-01")).json()
    assert [(r["line"], r["code"]) for r in report["refused"]] == [
        (26, "repeated"),
        (27, "not_a_date"),
        (28, "unknown_status"),
        (29, "wrong_number_of_fields"),
    ]
    wrong = POPULATIONS.replace(",9830,", ",-3,").replace(",11275,", ",many,").replace(",14120,", ",1.5,")
    answer = await upload(
        registry_app, "adjusted-populations", "p.csv", wrong.encode(), published_on="2022-01-05", snapshot="2022-01-01"
    )
    assert [(r["line"], r["code"]) for r in answer.json()["refused"]] == [
        (3, "not_a_head_count"),
        (4, "not_a_number"),
        (5, "not_whole"),
    ]
    assert answer.json()["loaded"] == 17


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("epraccur", b"", "empty_file"),
        ("epraccur", b"\x1f\x8bnot gzip at all", "not_gzip"),
        ("epraccur", gzip.compress(EPRACCUR)[:-40], "cut_short"),
        ("epraccur", b"PK\x03\x04 no workbook", "not_a_workbook"),
        ("epraccur", b"a\x00b", "not_text"),
        ("epraccur", DETAILS.encode(), "not_epraccur"),
        ("epcn", DETAILS.encode(), "not_epcn"),
        ("hierarchy", EPRACCUR, "not_a_hierarchy"),
        ("adjusted-populations", EPRACCUR, "not_adjusted_populations"),
        ("adjusted-populations", POPULATIONS.splitlines()[0].encode(), "snapshot_missing"),
        ("practice-payments", POPULATIONS.encode(), "not_practice_payments"),
        ("average-lists", POPULATIONS.encode(), "not_practice_payments"),
        ("practice-totals", EPRACCUR, "not_practice_totals"),
        ("practice-totals", TOTALS.replace("01Jan2021", "02Jan2021", 1).encode(), "several_days"),
        ("practice-map", EPRACCUR, "not_a_practice_map"),
        ("practice-map", MAP.splitlines()[0].encode(), "no_rows"),
        ("succession", EPRACCUR, "not_a_succession"),
        ("succession", SUCCESSION.splitlines()[0].encode(), "no_rows"),
    ],
)
async def test_a_file_that_is_not_what_it_says_is_refused_whole(
    registry_app: Harness, kind: str, data: bytes, code: str
) -> None:
    answer = await upload(registry_app, kind, "file", data, published_on="2022-01-05")
    assert answer.status_code == 422, answer.text
    assert (answer.json()["code"], answer.json()["errors"][0]["code"]) == ("FileRefused", code)
    assert await registry_app.announced() == []
    for path in ("/practices", "/networks", "/commissioners", "/list-sizes"):
        assert (await get(registry_app, path))["items"] == []


async def test_what_is_wrong_with_the_form_is_listed_at_once(registry_app: Harness) -> None:
    headers = {**national(registry_app), "Idempotency-Key": "form-is-wrong"}
    answer = await registry_app.client.post(
        f"{V1}/imports", data={"kind": "spreadsheet", "colour": "red"}, files={"other": b"x"}, headers=headers
    )
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {
        "body.file",
        "body.kind",
        "body.published_on",
        "body.colour",
    }
    future = await upload(registry_app, "epraccur", "e", EPRACCUR, published_on="2199-01-01")
    assert future.json()["errors"][0]["code"] == "in_the_future"


async def test_an_older_file_does_not_correct_a_newer_one(registry_app: Harness) -> None:
    await load_sample(registry_app)
    answer = await upload(registry_app, "epraccur", "old.csv", EPRACCUR + b"\n", published_on="2019-11-30")
    assert (answer.status_code, answer.json()["code"]) == (409, "NewerFileImported")


async def test_only_national_users_and_operators_import(registry_app: Harness) -> None:
    for headers in (commissioner(registry_app), registry_app.token(Role.SYSTEM, organisations=["QZ1"])):
        answer = await upload(registry_app, "epraccur", "e", EPRACCUR, published_on="2022-01-01", headers=headers)
        assert answer.status_code == 403
        assert (await registry_app.client.get(f"{V1}/imports", headers=headers)).status_code == 403
    operator = registry_app.token(Role.OPERATOR)
    answer = await upload(registry_app, "epraccur", "e", EPRACCUR, published_on="2022-01-01", headers=operator)
    assert answer.status_code == 201
    read = await registry_app.client.get(f"{V1}/imports/{answer.json()['id']}", headers=operator)
    assert read.json() == answer.json()


async def test_a_member_the_practice_file_lacks_is_entered_from_the_network_file(registry_app: Harness) -> None:
    report = await epcn(registry_app, DETAILS, PARTNERS)
    assert report["changes"]["practices entered from this file"] == 11
    await upload_listed(registry_app, SAMPLE, {**MANIFEST["files"][1], "published_on": "2022-05-01"})
    read = await get(registry_app, "/practices/Z80011?as_at=2022-05-01")
    assert (read["opened_on"], read["setting"]) == ("1974-04-01", "4")


async def test_a_sheet_that_names_another_network_is_listed_and_the_register_stands(registry_app: Harness) -> None:
    await load_sample(registry_app)
    other = POPULATIONS.replace(
        "Z80011,STATION ROAD SURGERY (INVENTED),U90001", "Z80011,STATION ROAD SURGERY (INVENTED),U90002"
    )
    answer = await upload(
        registry_app, "adjusted-populations", "p.csv", other.encode(), published_on="2022-02-01", snapshot="2022-01-01"
    )
    assert answer.json()["differences"] == [
        {"practice": "Z80011", "name": "STATION ROAD SURGERY (INVENTED)", "sheet": "U90002", "register": "U90001"}
    ]
    assert (await get(registry_app, "/practices/Z80011?as_at=2022-01-01"))["networks"] == ["U90001"]


async def test_a_restated_list_keeps_what_was_believed_before(registry_app: Harness) -> None:
    await load_sample(registry_app)
    restated = POPULATIONS.replace(",12450,", ",12460,")
    answer = await upload(
        registry_app,
        "adjusted-populations",
        "p.csv",
        restated.encode(),
        published_on="2022-03-31",
        snapshot="2022-01-01",
    )
    assert (answer.json()["loaded"], answer.json()["unchanged"]) == (1, 19)
    query = "/list-sizes?practice=Z80001&basis=registered&snapshot=2022-01-01"
    assert [s["value"] for s in (await get(registry_app, query))["items"]] == ["12460"]
    assert [s["value"] for s in (await get(registry_app, f"{query}&known_at=2022-02-01"))["items"]] == ["12450"]


async def test_lists_as_at_a_day_are_those_of_the_latest_snapshot_up_to_it(registry_app: Harness) -> None:
    await load_sample(registry_app)
    later = POPULATIONS.replace(",12450,", ",13000,")
    answer = await upload(
        registry_app, "adjusted-populations", "p.csv", later.encode(), published_on="2022-08-01", snapshot="2022-07-01"
    )
    assert answer.json()["loaded"] == 20
    query = "/list-sizes?practice=Z80001&basis=registered"
    seen = {}
    for day in ("2021-12-31", "2022-06-30", "2022-07-01"):
        seen[day] = [s["value"] for s in (await get(registry_app, f"{query}&as_at={day}"))["items"]]
    assert seen == {"2021-12-31": [], "2022-06-30": ["12450"], "2022-07-01": ["13000"]}
    assert len((await get(registry_app, query))["items"]) == 2


async def test_codes_written_as_numbers_in_a_workbook_are_refused(registry_app: Harness) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in csv.reader(io.StringIO((SAMPLE / "hierarchy.csv").read_text())):
        sheet.append(row)
    sheet.append([100, "NUMBER", "QZ1", "X", "Y5Z", "X"])
    data = io.BytesIO()
    book.save(data)
    answer = await upload(registry_app, "hierarchy", "h.xlsx", data.getvalue(), published_on="2022-07-01")
    assert [(r["line"], r["code"]) for r in answer.json()["refused"]] == [(4, "code_is_a_number")]
    assert answer.json()["loaded"] == 2


async def test_a_commissioner_moves_to_another_system_on_the_day_of_the_file(registry_app: Harness) -> None:
    await load_sample(registry_app)
    moved = (
        (SAMPLE / "hierarchy.csv")
        .read_text()
        .replace("COMMISSIONER - SB2,QZ2,INVENTED HILLS", "COMMISSIONER - SB2,QZ1,INVENTED COAST")
    )
    await upload(registry_app, "hierarchy", "h.csv", moved.encode(), published_on="2022-07-01")
    assert (await get(registry_app, "/commissioners/SB2?as_at=2022-06-30"))["system"] == "QZ2"
    assert (await get(registry_app, "/commissioners/SB2?as_at=2022-07-01"))["system"] == "QZ1"
    assert (await get(registry_app, "/systems/QZ1?as_at=2022-07-01"))["commissioners"] == ["SA1", "SB2"]
    assert (
        await registry_app.client.get(f"{V1}/systems/QZ2?as_at=2022-07-01", headers=national(registry_app))
    ).status_code == 404


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/csv"]
)
async def test_a_request_that_is_no_form_is_refused_and_no_fault_of_ours(registry_app: Harness, kind: str) -> None:
    headers = {**national(registry_app), "Idempotency-Key": "not-a-form-1", "Content-Type": kind}
    answer = await registry_app.client.post(f"{V1}/imports", content=b"--x\r\n{not a form", headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_days_no_register_can_hold_are_refused_row_by_row(registry_app: Harness) -> None:
    details = DETAILS.replace("20191001,20200331", "20191001,99991231").replace("20200401,,", "00010101,,")
    report = await epcn(registry_app, details, PARTNERS)
    assert [(r["line"], r["code"]) for r in report["refused"]][:2] == [(4, "not_a_date"), (5, "not_a_date")]
    assert {r["code"] for r in report["refused"][2:]} == {"unknown_network"}


async def test_a_file_of_today_is_taken_in_from_midnight_in_london(registry_app: Harness) -> None:
    moment = datetime(2022, 5, 31, 23, 30, tzinfo=UTC)
    registry_app.app.dependency_overrides[clock] = lambda: moment
    early = await upload(registry_app, "epraccur", "e.csv", EPRACCUR, published_on="2022-06-02")
    assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "in_the_future")
    today = await upload(registry_app, "epraccur", "e.csv", EPRACCUR, published_on="2022-06-01")
    assert today.status_code == 201, today.text


async def test_totals_name_their_own_day_and_no_network(registry_app: Harness) -> None:
    await load_sample(registry_app)
    answer = await upload(registry_app, "practice-totals", "t.csv", TOTALS.encode(), published_on="2021-01-31")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["loaded"], answer.json()["refused"]) == (2, [])
    (size,) = (await get(registry_app, "/list-sizes?practice=Z80001&snapshot=2021-01-01"))["items"]
    assert (size["value"], size["network"], size["commissioner"]) == ("12000", None, "SA1")
    other = await upload(
        registry_app, "practice-totals", "t.csv", TOTALS.encode(), published_on="2021-01-31", snapshot="2021-02-01"
    )
    assert (other.status_code, codes(other)) == (422, ["another_snapshot"])
    parts = TOTALS + "GP,01Jan2021,GP,SA1,E1,Z80003,ZZ1,MALE,ALL,5\nGP,01Jan2021,GP,SA1,E1,Z80004,ZZ1,ALL,ALL,1.5\n"
    answer = await upload(registry_app, "practice-totals", "u.csv", parts.encode(), published_on="2021-02-28")
    assert [(r["line"], r["code"]) for r in answer.json()["refused"]] == [(4, "not_a_total"), (5, "not_whole")]


async def test_a_map_shows_moves_joins_and_leaves_from_its_day_on(registry_app: Harness) -> None:
    await epcn(registry_app, DETAILS, PARTNERS, published_on="2020-04-30")
    before = len(await registry_app.announced())
    answer = await upload(registry_app, "practice-map", "m.csv", MAP.encode(), published_on="2020-09-30")
    assert answer.status_code == 201, answer.text
    assert answer.json()["refused"] == []
    seen = {}
    for code in ("Z80011", "Z80014", "Z80015", "Z80099"):
        seen[code] = [
            (await get(registry_app, f"/practices/{code}?as_at={day}"))["networks"]
            for day in (("2020-08-31", "2020-09-01") if code != "Z80099" else ("2020-09-01",))
        ]
    assert seen == {
        "Z80011": [["U90001"], ["U90002"]],
        "Z80014": [["U90002"], []],
        "Z80015": [["U90002"], ["U90002"]],
        "Z80099": [["U90077"]],
    }
    told = (await registry_app.announced())[before:]
    moves = {(type(e).__name__, e.network, e.practice) for e in told if isinstance(e, events.PracticeLeft)}
    moves |= {(type(e).__name__, e.network, e.practice) for e in told if isinstance(e, events.PracticeJoined)}
    assert moves == {
        ("PracticeLeft", "U90001", "Z80011"),
        ("PracticeJoined", "U90002", "Z80011"),
        ("PracticeLeft", "U90002", "Z80014"),
    }
    entered = [e for e in told if isinstance(e, events.NetworkApproved)]
    assert [(e.network, e.commissioner, [m.practice for m in e.members]) for e in entered] == [
        ("U90077", "SB2", ["Z80099"])
    ]
    again = await upload(registry_app, "practice-map", "m.csv", MAP.encode(), published_on="2020-09-30")
    assert again.json()["loaded"] == 0


async def test_a_map_older_than_what_the_register_knows_is_compared_and_changes_no_membership(
    registry_app: Harness,
) -> None:
    await load_sample(registry_app)
    answer = await upload(registry_app, "practice-map", "m.csv", MAP.encode(), published_on="2020-09-30")
    assert {d["practice"]: (d["sheet"], d["register"]) for d in answer.json()["differences"]} == {
        "Z80011": ("U90002", "U90001"),
        "Z80014": (None, "U90002"),
        "Z80099": ("U90077", None),
    }
    assert (await get(registry_app, "/practices/Z80011?as_at=2020-09-01"))["networks"] == ["U90001"]


async def test_successions_come_by_file_and_a_row_that_cannot_be_is_reported(registry_app: Harness) -> None:
    await load_sample(registry_app)
    bad = SUCCESSION + "\n".join(
        [
            "commissioner,SX9,merger,2022-07-01,S7A9X,NOBODY,,",
            "system,QZ1,union,2022-07-01,S9Z1X,NOBODY,,",
            "system,QZ1,merger,someday,S9Z1X,NOBODY,,",
            "commissioner,SA1,split,2022-07-01,S7B1X,NORTH,Z80001,yes",
            "commissioner,SA1,split,2022-07-01,S7B2X,SOUTH,,",
        ]
    )
    answer = await upload(registry_app, "succession", "s.csv", bad.encode(), published_on="2022-06-30")
    assert answer.status_code == 201, answer.text
    refused = {(r["line"], r["code"]) for r in answer.json()["refused"]}
    assert {(3, "unknown"), (4, "unknown_kind"), (5, "not_a_date")} <= refused
    assert {code for line, code in refused if line == 6} == {"part_missing"}
    assert (await get(registry_app, "/commissioners/SB2/succession"))["decided_by"] == "S1Y5D"
    assert (await get(registry_app, "/commissioners/SA1/succession"))["successors"] == []
    assert (await get(registry_app, "/practices/Z80011?as_at=2022-07-01"))["commissioner"] == "S1Y5D"
    again = await upload(registry_app, "succession", "s.csv", SUCCESSION.encode(), published_on="2022-06-30")
    assert (again.json()["loaded"], again.json()["unchanged"]) == (0, 1)


async def test_a_practice_that_closes_between_two_files_is_told(registry_app: Harness) -> None:
    await load_sample(registry_app)
    before = len(await registry_app.announced())
    lines = EPRACCUR.decode().splitlines()
    row = next(csv.reader([lines[9]]))
    row[11], row[12], row[1] = "20220331", "C", "LONELY PINE SURGERY (INVENTED)"
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(row)
    later = "\n".join([*lines[:9], text.getvalue().strip(), *lines[10:]])
    answer = await upload(registry_app, "epraccur", "e.csv", later.encode(), published_on="2022-05-31")
    assert answer.json()["changes"]["practices closed"] == 1
    told = [e for e in (await registry_app.announced())[before:] if isinstance(e, events.PracticeClosed)]
    assert [(e.practice, e.commissioner, str(e.closed_on)) for e in told] == [("Z80010", "SA1", "2022-03-31")]


async def test_refused_rows_come_in_pages_and_as_a_file(registry_app: Harness) -> None:
    rows = [f'"Z{number:05}","=1+1"' for number in range(250)]
    data = "\n".join([*EPRACCUR.decode().splitlines(), *rows]).encode()
    made = (await upload(registry_app, "epraccur", "e.csv", data, published_on="2022-01-01")).json()
    assert (len(made["refused"]), made["refused_rows"], made["state"]) == (100, 250, "loaded")
    path = f"/imports/{made['id']}/refusals"
    first = await get(registry_app, f"{path}?limit=200")
    second = await get(registry_app, f"{path}?limit=200&cursor={first['next']}")
    assert ([len(page["items"]) for page in (first, second)], second["next"]) == ([200, 50], None)
    assert [row["number"] for row in second["items"]] == list(range(201, 251))
    answer = await registry_app.client.get(f"{V1}{path}.csv", headers=national(registry_app))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(lines), lines[0]["line"], lines[0]["code"]) == (250, "26", "wrong_number_of_fields")
    for missing in ("/imports/imp-none/refusals", "/imports/imp-none/refusals.csv"):
        answer = await registry_app.client.get(f"{V1}{missing}", headers=national(registry_app))
        assert (answer.status_code, answer.json()["code"]) == (404, "ImportNotFound")


def test_a_cell_that_a_spreadsheet_would_run_is_shown_as_text() -> None:
    assert [harmless(cell) for cell in ("=1+1", "@x", "-1", "plain")] == ["'=1+1", "'@x", "'-1", "plain"]


async def test_a_file_refused_whole_stays_to_be_read_and_does_not_stand_in_the_way(registry_live: Harness) -> None:
    answer = await upload(registry_live, "epraccur", "e.csv", DETAILS.encode(), published_on="2022-01-05")
    assert answer.status_code == 422
    (refused,) = (await get(registry_live, "/imports?state=refused"))["items"]
    assert (refused["stage"], refused["refused"][0]["code"]) == ("refused", "not_epraccur")
    assert refused["reason"]
    good = await upload(registry_live, "epraccur", "e.csv", EPRACCUR, published_on="2022-01-01")
    assert (good.status_code, good.json()["state"]) == (201, "loaded")


async def test_an_import_is_seen_while_it_runs_and_when_its_process_died(
    registry_live: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, seen, go_on, blow_up = registry_live, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slowly(session: AsyncSession, source: readers.Source, now: datetime) -> readers.Outcome:
        await source.was_read(24)
        seen.set()
        await go_on.wait()
        if blow_up.is_set():
            raise RuntimeError("the power went")
        return readers.Outcome(rows=24)

    monkeypatch.setitem(LOADERS, ImportKind.EPRACCUR, slowly)
    for state in ("loaded", "interrupted"):
        running = asyncio.create_task(upload(app, "epraccur", "e.csv", state.encode(), published_on="2022-01-01"))
        await asyncio.wait_for(seen.wait(), 120)
        (during,) = (await get(app, "/imports?state=running"))["items"]
        assert (during["state"], during["stage"], during["rows"]) == ("running", "comparing", 24)
        if state == "interrupted":
            blow_up.set()
        go_on.set()
        await running
        assert (await get(app, f"/imports/{during['id']}"))["state"] == state
        seen.clear()
        go_on.clear()
    blow_up.clear()
    go_on.set()
    repeated = await upload(app, "epraccur", "e.csv", b"interrupted", published_on="2022-01-01")
    assert (repeated.json()["id"], repeated.json()["state"]) == (during["id"], "loaded")
    assert (await get(app, "/imports?state=running"))["items"] == []
    actions = text("SELECT action FROM audit WHERE record = :record ORDER BY position")
    async with app.session() as session:
        trail = (await session.scalars(actions.bindparams(record=f"imports/{during['id']}"))).all()
    assert trail == ["created", "taken up again", "import", "changed"]
