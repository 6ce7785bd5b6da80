"""A payee's statement: every line, the year so far, what is queried and what is coming; to read, to load, to print."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

from shared.events.registry import Member, PracticeFact, PracticesPublished
from shared.identity import Role
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, an_approved_network, list_sizes
from tests.funding.test_bank_details import approved, nan
from tests.funding.test_journey import an_area, paid
from tests.funding.test_queries import a_paid_claim, raised
from tests.funding.test_runs_instructions import file_of, instructions_of, settled
from tests.harness import Harness

STATEMENTS = "/funding/v1/statements"


async def statement(
    app: Harness, payee: str = "A00001", month: str = "2022-04", headers: dict[str, str] | None = None
) -> dict[str, Any]:
    reply = await app.client.get(STATEMENTS, params={"payee": payee, "month": month}, headers=headers or nan(app))
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_a_statement_has_every_line_and_where_the_year_stands(funding_app: Harness) -> None:
    await an_area(funding_app)
    april, may = await paid(funding_app, "2022-04"), await paid(funding_app, "2022-05")
    told = await statement(funding_app, month="2022-05")
    assert (told["run"], told["total"]) == (may["id"], "22661.91"), "pence are reconciled over the year"
    assert len(told["lines"]) == 6
    held = [line for line in told["lines"] if line["amount"] is None]
    assert [(line["stream"], line["held_code"]) for line in held] == [("care_home_premium", "beds-missing")]
    year = {position["stream"]: position for position in told["year"]}
    assert year["core_registered"] == {
        "contract_year": "2022-23",
        "stream": "core_registered",
        "before": "6250.00",
        "this_month": "6250.00",
        "to_date": "12500.00",
    }
    assert sum(Decimal(position["this_month"]) for position in told["year"]) == Decimal(told["total"])
    first = await statement(funding_app)
    assert (first["run"], first["coming"]) == (april["id"], None), "what came after April has come"
    assert {position["before"] for position in first["year"]} == {"0.00"}


async def test_what_is_coming_is_what_the_next_run_pays(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    await funding_app.deliver(a_claim(), list_sizes("registered", {"A00001": 30100}, known_from=date(2022, 6, 1)))
    commissioner = funding_app.token(Role.COMMISSIONER, organisations=[COMMISSIONER], subject="carol")
    await funding_app.put("/funding/v1/claims/claim-1/approval", None, commissioner)
    coming = (await statement(funding_app))["coming"]
    assert coming["month"] == "2022-05"
    may = await paid(funding_app, "2022-05")
    paid_then = await statement(funding_app, month="2022-05")
    assert coming["amount"] == paid_then["total"]
    by_stream = {position["stream"]: position["this_month"] for position in paid_then["year"]}
    assert {one["stream"]: one["amount"] for one in coming["streams"] if not one["held"]} == by_stream
    assert [one["stream"] for one in coming["streams"] if one["held"]] == ["care_home_premium"]
    assert may["total"] > "0"


async def test_over_the_turn_of_the_year_both_years_are_estimated(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2023-03")
    await funding_app.deliver(list_sizes("registered", {"A00001": 30100}, known_from=date(2023, 4, 20)))
    coming = (await statement(funding_app, month="2023-03"))["coming"]
    assert coming["month"] == "2023-04"
    await paid(funding_app, "2023-04")
    told = await statement(funding_app, month="2023-04")
    assert coming["amount"] == told["total"]
    assert {position["contract_year"] for position in told["year"]} == {"2022-23"}, "arrears stand in their own year"


async def test_a_statement_shows_queries_and_what_became_of_the_payment(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    asked = await raised(funding_app, line["id"])
    told = await statement(funding_app)
    assert [(query["id"], query["state"]) for query in told["queries"]] == [(asked["id"], "open")]
    assert [one["id"] for one in told["lines"] if one["query"] == asked["id"]] == [line["id"]]
    assert (told["payment"]["state"], told["payment"]["held_reason"] is None) == ("held", False)
    await approved(funding_app)
    run = {"id": told["run"]}
    await file_of(funding_app, run)
    await settled(funding_app, (await instructions_of(funding_app, run))["A00001"], "confirmation")
    payment = (await statement(funding_app))["payment"]
    assert (payment["state"], payment["amount"], payment["held_reason"]) == ("confirmed", told["total"], None)
    assert payment["settled_on"] is not None


async def test_what_is_carried_forward_is_shown(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-09")
    await funding_app.deliver(list_sizes("weighted", {"A00002": 1000}, known_from=date(2022, 10, 1)))
    await paid(funding_app, "2022-10")
    payment = (await statement(funding_app, "A00002", "2022-10"))["payment"]
    assert (payment["state"], payment["carried_forward"]) == ("carried", "-15702.25")
    page = await funding_app.client.get(
        STATEMENTS, params={"payee": "A00002", "month": "2022-10", "format": "html"}, headers=nan(funding_app)
    )
    assert "-£15,702.25 is carried forward" in page.text


async def test_everybody_sees_their_part_of_a_statement(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        list_sizes("registered", {"B00001": 31000}, commissioner="11M", network="U99999"),
        an_approved_network(
            "U99999",
            [Member(practice="B00001", valid_from=date(2020, 4, 1))],
            commissioner="11M",
            payee="A00001",
        ),
    )
    await paid(funding_app, "2022-04")
    whole = await statement(funding_app)
    assert {line["network"] for line in whole["lines"]} == {NETWORK, "U99999"}
    payee = funding_app.token(Role.PAYEE, organisations=["A00001"])
    assert await statement(funding_app, headers=payee) == whole
    part = await statement(funding_app, headers=funding_app.token(Role.NETWORK, organisations=["U99999"]))
    assert {line["network"] for line in part["lines"]} == {"U99999"}
    assert Decimal(part["total"]) < Decimal(whole["total"])
    assert (part["payment"]["state"], part["payment"]["amount"]) == ("held", None), "others' money is in that amount"
    assert Decimal(part["coming"]["amount"]) < Decimal(whole["coming"]["amount"])
    practice = await statement(funding_app, headers=funding_app.token(Role.PRACTICE, organisations=["A00001"]))
    assert {line["practice"] for line in practice["lines"]} == {"A00001"}
    strange = [
        funding_app.token(Role.PAYEE, organisations=["A00002"]),
        funding_app.token(Role.NETWORK, organisations=["U00000"]),
        funding_app.token(Role.COMMISSIONER, organisations=["99X"]),
    ]
    for headers in strange:
        reply = await funding_app.client.get(
            STATEMENTS, params={"payee": "A00001", "month": "2022-04"}, headers=headers
        )
        assert (reply.status_code, reply.json()["code"]) == (404, "StatementNotFound")
    for asked in ({"payee": "A00001"}, {"month": "2022-04"}, {"payee": "A00001", "month": "2022-04", "format": "pdf"}):
        assert (await funding_app.client.get(STATEMENTS, params=asked, headers=payee)).status_code == 422


async def test_before_a_run_is_issued_a_statement_says_so(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    told = await statement(funding_app, month="2022-05")
    assert (told["run"], told["lines"], told["total"], told["payment"]) == (None, [], "0.00", None)
    assert told["coming"]["month"] == "2022-05"
    page = await funding_app.client.get(
        STATEMENTS, params={"payee": "A00001", "month": "2022-05", "format": "html"}, headers=nan(funding_app)
    )
    assert "Nothing has been issued for this month yet." in page.text


class Outline(HTMLParser):
    """What a page is made of; fails on what would be loaded or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert not {name for name, _ in attrs} & {"src", "href", "onclick", "onload"}
        self.found.append((tag, dict(attrs)))

    def count(self, tag: str) -> int:
        return sum(1 for name, _ in self.found if name == tag)


async def test_the_page_to_print_is_one_accessible_escaped_page(funding_app: Harness) -> None:
    line = await a_paid_claim(funding_app)
    evil = "<script>alert('x')</script> & \"more\""
    reply = await funding_app.post(
        "/funding/v1/queries",
        {"line": line["id"], "reason": evil},
        funding_app.token(Role.NETWORK, organisations=[NETWORK]),
    )
    assert reply.status_code == 201
    page = await funding_app.client.get(
        STATEMENTS, params={"payee": "A00001", "month": "2022-04", "format": "html"}, headers=nan(funding_app)
    )
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    outline = Outline()
    outline.feed(page.text)
    assert ("html", {"lang": "en-GB"}) in outline.found
    assert (outline.count("main"), outline.count("h1"), outline.count("title")) == (1, 1, 1)
    assert outline.count("table") == outline.count("caption") == outline.count("thead") == 4
    assert all("scope" in attributes for tag, attributes in outline.found if tag == "th")
    assert "@media print" in page.text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page.text
    for words in ("Payment statement: A00001, April 2022", "additional roles", "£4,776.50", "(queried)"):
        assert words in page.text


async def test_the_csv_has_every_line_and_adds_up(funding_app: Harness) -> None:
    await an_area(funding_app)
    await paid(funding_app, "2022-04")
    asked = {"payee": "A00001", "month": "2022-04", "format": "csv"}
    reply = await funding_app.client.get(STATEMENTS, params=asked, headers=nan(funding_app))
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    whole = await statement(funding_app)
    assert [row["line"] for row in rows[:-1]] == [line["id"] for line in whole["lines"]]
    assert (rows[-1]["line"], rows[-1]["amount"]) == ("TOTAL", whole["total"])
    assert sum(Decimal(row["amount"]) for row in rows[:-1] if row["amount"]) == Decimal(whole["total"])


async def test_no_cell_of_the_csv_is_a_formula(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        PracticesPublished(
            commissioner=COMMISSIONER,
            as_at=date(2022, 4, 1),
            practices=[PracticeFact(practice="=1+1", practice_name="Odd", commissioner=COMMISSIONER)],
        ),
        list_sizes("weighted", {"=1+1": 1000}),
        list_sizes("registered", {"=1+1": 1000}),
        list_sizes("adjusted", {"=1+1": 1000}),
        an_approved_network(members=["A00001", "A00002", "=1+1"]),
    )
    await paid(funding_app, "2022-04")
    asked = {"payee": "=1+1", "month": "2022-04", "format": "csv"}
    reply = await funding_app.client.get(STATEMENTS, params=asked, headers=nan(funding_app))
    assert ",'=1+1," in reply.text
