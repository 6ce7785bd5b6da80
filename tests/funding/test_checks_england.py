"""The real payment files of three years against what was due, on the facts of all England."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from deploy.issuer import EmbeddedIssuer
from services.funding.checks.comparing import compare
from services.funding.checks.files import FileKind
from services.funding.checks.model import Check, CheckRow
from services.funding.checks.queries import facts_of
from services.funding.comparisons.cases import Difference, Evidence
from shared.identity import Role
from tests.conftest import ROOT, live
from tests.funding.checked import CHECKS, YEARS, closures, compared, registered_lists
from tests.funding.england import england
from tests.harness import Harness

pytestmark = [pytest.mark.slow]

BATCH = 200
STRONG = {Evidence.PENNY, Evidence.BETWEEN_LISTS, Evidence.EQUAL_PAYMENTS, Evidence.DATES}
PAGE = ROOT / "docs" / "payments-checked.md"


@pytest.fixture(scope="module")
async def app(migrated: Callable[[str], str], issuer: EmbeddedIssuer, real_data: Path) -> AsyncIterator[Harness]:
    files = england(real_data)
    async with live("funding", migrated("funding"), issuer) as made:
        events = [*files.events(), *registered_lists(real_data), *closures(real_data)]
        for start in range(0, len(events), BATCH):
            await made.deliver(*events[start : start + BATCH])
        yield made


@pytest.fixture(scope="module")
async def checks(app: Harness, real_data: Path) -> dict[str, dict[str, Any]]:
    return await compared(app, real_data)


def total_of(check: dict[str, Any], payment: str) -> dict[str, Any]:
    found: dict[str, Any] = next(total for total in check["totals"] if total["payment"] == payment)
    return found


def tables(checks: dict[str, dict[str, Any]]) -> list[str]:
    """The page's tables, as the running service answers them."""
    rows = []
    for year, check in checks.items():
        for total in check["totals"]:
            explained = "" if total["explained"] is None else f"{Decimal(total['explained']):.2%}"
            ratio = total["ratio"] or ""
            payment = total["payment"].replace("_", " ")
            paid, due = (f"{Decimal(total[name]):,.2f}" for name in ("paid", "due"))
            rows.append(f"| {year} | {payment} | {total['with_payment']:,} | {paid} | {due} | {ratio} | {explained} |")
    for year, check in checks.items():
        for found in total_of(check, "participation")["classes"]:
            evidence = ", ".join(f"{name} {count:,}" for name, count in found["evidence"].items())
            paid, due = (f"{Decimal(found[name]):,.2f}" for name in ("paid", "due"))
            rows.append(f"| {year} | {found['difference']} | {found['lines']:,} | {paid} | {due} | {evidence} |")
    return rows


async def test_nine_tenths_of_the_practices_paid_are_in_a_class_with_a_test_of_its_own(
    checks: dict[str, dict[str, Any]],
) -> None:
    paid = {year: total_of(check, "participation")["with_payment"] for year, check in checks.items()}
    assert paid == {"2019-20": 6346, "2020-21": 6560, "2021-22": 6517}
    for check in checks.values():
        assert Decimal(total_of(check, "participation")["explained"]) > Decimal("0.9")
        assert check["refused_rows"] == 0
    sums = [total_of(check, "participation")["paid"] for check in checks.values()]
    assert sums == ["95901274.01", "102204924.07", "105381558.43"]


async def test_the_page_says_what_the_service_says(checks: dict[str, dict[str, Any]]) -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert [row for row in tables(checks) if row not in page] == []


async def test_a_reader_can_do_the_sums_of_every_class_again(app: Harness, checks: dict[str, dict[str, Any]]) -> None:
    national = app.token(Role.NATIONAL)
    for check in checks.values():
        for difference in ("list-moved", "arrears", "more-months", "other-months"):
            query = {"payment": "participation", "difference": difference, "evidence": "between-lists", "limit": "200"}
            reply = await app.client.get(f"{CHECKS}/{check['id']}/lines", params=query, headers=national)
            for line in reply.json()["items"]:
                sums = [said for said in line["said"] if " months × " in said]
                amounts = [Decimal(said.rsplit("£", 1)[1].replace(",", "")) for said in sums]
                slack = Decimal("0.07")
                assert min(amounts) - slack <= Decimal(line["paid"]) <= max(amounts) + slack, line
                for said, amount in zip(sums, amounts, strict=True):
                    words = said.split()
                    assert abs(int(words[0]) * Decimal("1.761") / 12 * Decimal(words[7]) - amount) < Decimal("0.01")


async def power(app: Harness, check_id: str) -> tuple[Decimal, Decimal]:
    """The part classed when every amount is half a month out, by strong tests alone and by all."""
    async with app.session() as session:
        check = (await session.scalars(select(Check).where(Check.id == check_id))).one()
        facts = await facts_of(session, check, datetime.now(UTC))
        rows = (await session.scalars(select(CheckRow).where(CheckRow.check == check.id).order_by(CheckRow.line))).all()
    moved = [
        CheckRow(
            check=check.id,
            line=row.line,
            practice=row.practice,
            network=row.network,
            commissioner=row.commissioner,
            registered=row.registered,
            weighted=row.weighted,
            closed_on=row.closed_on,
            paid={"participation": str((Decimal(row.paid["participation"]) * factor).quantize(Decimal("0.01")))},
        )
        for row, factor in zip(rows, [Decimal("1.04"), Decimal("0.96")] * len(rows), strict=False)
    ]
    lines = [
        line
        for line in compare(FileKind.PUBLISHED, moved, facts).lines
        if line.account.paid != 0 and line.verdict.due is not None
    ]
    classed = [line for line in lines if line.verdict.difference is not Difference.UNEXPLAINED]
    strong = [line for line in classed if line.verdict.evidence in STRONG]
    return Decimal(len(strong)) / len(lines), Decimal(len(classed)) / len(lines)


async def test_amounts_half_a_month_out_are_mostly_not_explained(
    app: Harness, checks: dict[str, dict[str, Any]]
) -> None:
    page, rows = PAGE.read_text(encoding="utf-8").splitlines(), []
    for year in YEARS:
        strong, classed = await power(app, checks[year]["id"])
        rows.append(f"| {year} | {strong:.1%} | {classed:.1%} |")
    assert [row for row in rows if row not in page] == []
