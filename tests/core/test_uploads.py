"""Files made to harm: refused whole and clearly, with nothing loaded and little memory taken."""

from __future__ import annotations

import gzip
import io
import resource
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import openpyxl
import pytest

from services.registry.ods.readers import Upload, open_sheets
from tests.core.surface import doors_of
from tests.core.test_bad_input import CODE, caller, unclear
from tests.core.world import World
from tests.harness import Harness
from tests.registry.builders import SAMPLE, V1, load_sample, national, upload

MEGABYTE = 1024 * 1024
EPRACCUR = (SAMPLE / "epraccur.csv").read_bytes()
HIERARCHY = (SAMPLE / "hierarchy.csv").read_text()
SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def a_workbook(rows: list[list[Any]] | None = None, title: str = "Sheet") -> bytes:
    book = openpyxl.Workbook()
    page = book[book.sheetnames[0]]
    page.title = title
    for row in rows or [["Code", "Name"]]:
        page.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def changed(book: bytes, **parts: Callable[[], bytes] | bytes) -> bytes:
    """A workbook with other bytes in some of its parts (`__` for `/`)."""
    out = io.BytesIO()
    wanted = {name.replace("__", "/").replace("_xml", ".xml"): part for name, part in parts.items()}
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist(), *wanted}:
            part = wanted.get(name, b"")
            new.writestr(name, (part() if callable(part) else part) or old.read(name))
    return out.getvalue()


def sheet(rows: str) -> bytes:
    return f'<?xml version="1.0"?><worksheet xmlns="{NAMESPACE}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def zip_bomb() -> bytes:
    return changed(a_workbook(), xl__worksheets__sheet1_xml=sheet(" " * (200 * MEGABYTE)))


def lying_zip_bomb() -> bytes:
    """One whose directory says it unpacks to a hundred bytes."""
    data = bytearray(zip_bomb())
    place = data.rfind(b"PK\x01\x02", 0, data.rfind(SHEET.encode()))
    data[place + 24 : place + 28] = struct.pack("<I", 100)
    return bytes(data)


def far_cell() -> bytes:
    """Two cells, seventeen billion apart."""
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return changed(a_workbook(), xl__worksheets__sheet1_xml=sheet(rows))


def one_text_many_times() -> bytes:
    """A text of a megabyte in a hundred thousand cells."""
    text = f'<sst xmlns="{NAMESPACE}"><si><t>{"x" * MEGABYTE}</t></si></sst>'.encode()
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 100_001))
    book = a_workbook([["Code"]])
    return changed(book, xl__worksheets__sheet1_xml=sheet(rows), xl__sharedStrings_xml=text)


def laughing_workbook() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    body = sheet('<row r="1"><c r="A1" t="inlineStr"><is><t>&l11;</t></is></c></row>').decode()
    text = body.replace("<worksheet", f'<!DOCTYPE w [<!ENTITY l0 "ha">{entities}]><worksheet')
    return changed(a_workbook(), xl__worksheets__sheet1_xml=text.encode())


def gzip_bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(500)) + packer.flush()


def many_gzips() -> bytes:
    return gzip.compress(b"a" * (10 * MEGABYTE)) * 8


def open_document() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", '<table:table-cell table:number-columns-repeated="1000000000"/>')
    return out.getvalue()


HARMFUL: dict[str, tuple[Callable[[], bytes], str]] = {
    "a zip bomb": (zip_bomb, "too_large"),
    "a zip bomb that lies": (lying_zip_bomb, "too_large"),
    "a cell seventeen billion away": (far_cell, "too_large"),
    "one text many times": (one_text_many_times, "too_large"),
    "not a zip": (lambda: b"PK\x03\x04" + b"x" * 1000, "not_a_workbook"),
    "a zip cut short": (lambda: a_workbook()[:-200], "not_a_workbook"),
    "a zip of something else": (open_document, "not_a_workbook"),
    "no sheet data": (lambda: changed(a_workbook(), xl__worksheets__sheet1_xml=b"<worksheet><"), ""),
    "entities upon entities": (laughing_workbook, ""),
    "a gzip bomb": (gzip_bomb, "too_large"),
    "many gzips in one": (many_gzips, "too_large"),
    "a gzip cut short": (lambda: gzip.compress(EPRACCUR)[:-20], "cut_short"),
    "a gzip with something behind it": (lambda: gzip.compress(EPRACCUR) + b"more", "not_gzip"),
    "sixty megabytes of line ends": (lambda: gzip.compress(b"\n" * (60 * MEGABYTE) + b"x"), "too_large"),
    "sixty megabytes of commas": (lambda: gzip.compress(b"," * (60 * MEGABYTE)), "too_large"),
    "a field of ten megabytes": (lambda: b'"' + b"x" * (10 * MEGABYTE) + b'",1\n', "not_csv"),
    "a quote that never ends": (lambda: EPRACCUR + b'\n"' + b"x\n" * MEGABYTE, "not_csv"),
    "UTF-16": (lambda: EPRACCUR.decode().encode("utf-16"), "not_text"),
    "bytes of no encoding": (lambda: b"\x81\x8d\xff,\x9d\n" * 100, "not_text"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(1000), "not_text"),
    "nothing": (lambda: b"", "empty_file"),
    "blanks": (lambda: b" \n \n", "empty_file"),
    "a page that says sorry": (lambda: b"<html><body>Not found</body></html>", ""),
}


async def state(app: Harness) -> tuple[int, int, Any]:
    imports = (await app.client.get(f"{V1}/imports?limit=1000", headers=national(app))).json()["items"]
    figures = (await app.client.get(f"{V1}/statistics?as_at=2022-02-01", headers=national(app))).json()
    return len(imports), len(await app.announced()), figures


async def test_harmful_files_are_refused_whole(registry_app: Harness) -> None:
    app = registry_app
    await load_sample(app)
    before = await state(app)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kinds = ("epraccur", "epcn", "adjusted-populations", "hierarchy", "practice-payments")
    for turn, (what, (make, code)) in enumerate(HARMFUL.items()):
        data = make()
        for kind in (kinds[turn % 5], kinds[(turn + 2) % 5]):
            snapshot = "2022-01-01" if kind in {"adjusted-populations", "practice-payments", "hierarchy"} else None
            answer = await upload(app, kind, "f", data, published_on="2022-07-01", snapshot=snapshot)
            assert answer.status_code == 422, f"{what} as {kind}: {answer.status_code} {answer.text[:300]}"
            assert unclear(answer) is None, f"{what} as {kind}: {answer.text[:300]}"
            codes = [error["code"] for error in answer.json()["errors"]]
            assert not code or codes == [code], f"{what} as {kind}: {answer.text[:300]}"
        partner = await upload(
            app, "epcn", "d.csv", (SAMPLE / "epcn_details.csv").read_bytes(), published_on="2022-07-01", partners=data
        )
        assert partner.status_code == 422, f"{what} as partners: {partner.text[:300]}"
    assert await state(app) == before
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert grown < 900 * 1024, f"{grown // 1024} MB more"


async def test_a_gzip_in_pieces_is_read_whole(registry_app: Harness) -> None:
    half = len(EPRACCUR) // 2
    pieces = gzip.compress(EPRACCUR[:half]) + gzip.compress(EPRACCUR[half:]) + bytes(512)
    whole = open_sheets(Upload("e.csv", EPRACCUR))[0].rows
    assert open_sheets(Upload("e.csv.gz", pieces))[0].rows == whole


async def test_a_sheet_by_another_name_is_found_and_renamed_headings_are_not(registry_app: Harness) -> None:
    lines = [line.split(",") for line in HIERARCHY.strip().splitlines()]
    renamed = await upload(
        registry_app,
        "hierarchy",
        "h.xlsx",
        a_workbook(lines, "Copy of (2)"),
        published_on="2021-12-20",
        snapshot="2020-04-01",
    )
    assert (renamed.status_code, renamed.json()["refused"]) == (201, []), renamed.text
    lost = a_workbook([[f"{cell}?" for cell in lines[0]], *lines[1:]])
    answer = await upload(registry_app, "hierarchy", "h2.xlsx", lost, published_on="2021-12-21", snapshot="2020-04-01")
    assert (answer.status_code, answer.json()["code"]) == (422, "FileRefused")


async def test_a_formula_nobody_worked_out_is_a_refused_row(registry_app: Harness) -> None:
    """A workbook written by a program keeps no results: an empty cell is never taken for a value."""
    lines = [line.split(",") for line in HIERARCHY.strip().splitlines()]
    formulas = [lines[0], *([f'="{cell}"' for cell in line] for line in lines[1:])]
    answer = await upload(
        registry_app, "hierarchy", "f.xlsx", a_workbook(formulas), published_on="2021-12-20", snapshot="2020-04-01"
    )
    assert answer.status_code == 422 or (answer.json()["loaded"] == 0 and answer.json()["refused"]), answer.text


FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no file": ({"kind": "epraccur", "published_on": "2022-01-01"}, {}),
    "a file that is text": ({"kind": "epraccur", "published_on": "2022-01-01", "file": "x"}, {}),
    "an unknown kind": ({"kind": "x", "published_on": "2022-01-01"}, {"file": ("f", b"x")}),
    "a NUL in a field": ({"kind": "epraccur\x00", "published_on": "2022-01-01"}, {"file": ("f", b"x")}),
    "year 0": ({"kind": "epraccur", "published_on": "0000-01-01"}, {"file": ("f", b"x")}),
    "year 9999": ({"kind": "epraccur", "published_on": "9999-12-31"}, {"file": ("f", b"x")}),
    "month 13": ({"kind": "epraccur", "published_on": "2022-13-01"}, {"file": ("f", b"x")}),
    "a day to come": ({"kind": "epraccur", "published_on": "2199-01-01"}, {"file": ("f", EPRACCUR)}),
    "an unknown field": ({"kind": "epraccur", "published_on": "2022-01-01", "a": "b"}, {"file": ("f", b"x")}),
    "many fields": (
        {"kind": "epraccur", "published_on": "2022-01-01", **{f"a{n}": "b" for n in range(50)}},
        {"file": ("f", EPRACCUR)},
    ),
    "many files": (
        {"kind": "epraccur", "published_on": "2022-01-01"},
        {"file": ("f", EPRACCUR), **{f"f{n}": ("f", b"x") for n in range(5)}},
    ),
}


@pytest.mark.parametrize("what", FORMS)
async def test_an_odd_form_is_a_clear_refusal(registry_app: Harness, what: str) -> None:
    fields, files = FORMS[what]
    headers = {**national(registry_app), "Idempotency-Key": uuid4().hex}
    answer = await registry_app.client.post(f"{V1}/imports", data=fields, files=files or None, headers=headers)
    assert answer.status_code in {400, 422}, answer.text
    assert unclear(answer) is None, answer.text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "x" * 20_000, "💥.csv", "a\\x00b", "%00", '"; rm -rf /', "\u202egpj.csv"]
)
async def test_a_file_may_be_called_anything(registry_app: Harness, name: str) -> None:
    answer = await upload(registry_app, "epraccur", name, EPRACCUR, published_on="2021-12-20")
    assert answer.status_code == 201 or unclear(answer) is None, answer.text


@pytest.mark.parametrize(
    "kind",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=abcdefgh; charset=no-such",
        b"multipart/form-data; boundary=" + b"x" * 5000,
        b"multipart/form-data; boundary=\xff\xfe\xff\xfe\xff\xfe\xff\xfe",
        b"application/json",
    ],
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--abcdefgh",
        b"--abcdefgh\r\n\r\n--abcdefgh--\r\n",
        b'--abcdefgh\r\nContent-Disposition: form-data; name="file"; filename="a\x00b"\r\n\r\nx\r\n--abcdefgh--\r\n',
        b"--abcdefgh\r\nContent-Disposition: form-data\r\n\r\nx\r\n--abcdefgh--\r\n",
        b"--abcdefgh\r\n" + b"X: y\r\n" * 5000 + b"\r\nx\r\n--abcdefgh--\r\n",
        b'--abcdefgh\r\nContent-Disposition: form-data; name="kind"\r\n\r\n\xff\xfe\r\n--abcdefgh--\r\n',
        bytes(10_000),
    ],
)
async def test_a_broken_form_is_a_clear_refusal(registry_app: Harness, kind: bytes, content: bytes) -> None:
    headers: dict[Any, Any] = {**national(registry_app), "Idempotency-Key": uuid4().hex, "Content-Type": kind}
    answer = await registry_app.client.post(f"{V1}/imports", content=content, headers=headers)
    assert answer.status_code in {400, 422}, answer.text
    assert CODE.match(answer.json()["code"]), answer.text


async def test_a_body_of_a_hundred_megabytes_is_refused_early(world: World) -> None:
    """At once where its length is said; else as soon as too much has come, long before the end."""
    whole = 100
    for door in doors_of(world.app.service):
        if door.method != "POST":
            continue
        for said in (True, False):
            taken = 0

            async def pieces() -> AsyncIterator[bytes]:
                nonlocal taken
                for _ in range(whole):
                    taken += 1
                    yield b" " * MEGABYTE

            headers = {**caller(world, door), "Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
            if said:
                headers["Content-Length"] = str(whole * MEGABYTE)
            answer: httpx.Response = await world.app.client.request(
                door.method, world.path(door.path), content=pieces(), headers=headers
            )
            assert (answer.status_code, answer.json()["code"]) == (413, "TooLarge"), door.name
            assert taken == 0 if said else 32 <= taken <= 34, (door.name, taken)
