"""Claims of every kind and queries: each counted once, as it stands, and seen by whoever it concerns."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.identity import Role
from tests.harness import Harness
from tests.reporting.builders import achievements_paid, at, by_key, claims_and_queries, england, report


@pytest.fixture
async def app(reporting_app: Harness) -> Harness:
    at(reporting_app, date(2022, 6, 30))
    await reporting_app.deliver(*england(), *claims_and_queries())
    return reporting_app


def money(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["claims"], row["claimed"], row["approved"], row["paid"]


async def test_a_claim_made_again_counts_once_and_one_turned_down_no_more(app: Harness) -> None:
    networks = by_key(await report(app, "spend", by="network", contract_year="2022-23"))
    assert (networks["U00001"]["claims"], networks["U00001"]["claimed"]) == (2, "7362.80")  # 3,731.40 + 3,631.40
    may = by_key(await report(app, "spend", by="commissioner", contract_year="2022-23", month="2022-05"))["AA1"]
    assert (may["claims"], may["claimed"]) == (1, "3631.40")


async def test_what_was_claimed_granted_and_paid_by_kind_claimant_and_area(app: Harness) -> None:
    kinds = by_key(await report(app, "claims", by="kind", contract_year="2022-23"))
    assert {kind: money(row) for kind, row in kinds.items()} == {
        "roles": (2, "7362.80", "7331.40", "3731.40"),
        "arrears": (1, "124.38", "120.00", "120.00"),
        "practice-scheme": (2, "2600.00", "1415.74", "1415.74"),
        "achievements": (0, "0.00", "17424.00", "0.00"),
    }
    claimants = by_key(await report(app, "claims", by="claimant", contract_year="2022-23"))
    assert {code: (row["name"], *money(row)) for code, row in claimants.items()} == {
        "B80001": ("Practice B80001", 2, "2600.00", "1415.74", "1415.74"),
        "U00001": ("Network U00001", 2, "7362.80", "24755.40", "3731.40"),
        "U00002": ("Network U00002", 1, "124.38", "120.00", "120.00"),
    }
    areas = by_key(await report(app, "claims", contract_year="2022-23"))
    assert {code: row["claimed"] for code, row in areas.items()} == {"AA1": "7362.80", "BB2": "2724.38"}
    months = by_key(await report(app, "claims", by="month", contract_year="2022-23", kind="roles"))
    assert {month: row["claimed"] for month, row in months.items()} == {"2022-04": "3731.40", "2022-05": "3631.40"}
    england_wide = by_key(await report(app, "claims", by="england", contract_year="2022-23"))
    assert money(england_wide["England"]) == (5, "10087.18", "26291.14", "5267.14")


async def test_what_achievements_were_paid_is_told_once_whatever_is_said_twice(app: Harness) -> None:
    await app.deliver(achievements_paid(), achievements_paid())
    told = by_key(await report(app, "claims", by="kind", contract_year="2022-23"))
    assert money(told["achievements"]) == (0, "0.00", "17424.00", "8712.00")


async def test_queries_stand_as_on_the_day_asked_about(app: Harness) -> None:
    names = ("raised", "open", "overdue", "answered", "withdrawn", "adjusted")

    async def on(day: str) -> tuple[Any, ...]:
        found = by_key(await report(app, "queries", by="network", contract_year="2022-23", as_at=day))
        return tuple(found["U00001"][name] for name in names) if found else ()

    assert await on("2022-05-02") == ()
    assert await on("2022-05-03") == (3, 3, 0, 0, 0, "0.00")
    assert await on("2022-05-17") == (3, 2, 0, 0, 1, "0.00")
    assert await on("2022-05-18") == (3, 2, 2, 0, 1, "0.00")
    assert await on("2022-06-30") == (3, 1, 1, 1, 1, "-12.34")
    for by, key in (("stream", "core_registered"), ("commissioner", "AA1"), ("system", "QA1"), ("england", "England")):
        assert by_key(await report(app, "queries", by=by, contract_year="2022-23"))[key]["raised"] == 3


@pytest.mark.parametrize(
    ("role", "code", "claimants", "queries"),
    [
        (Role.COMMISSIONER, "AA1", {"U00001"}, {"U00001"}),
        (Role.COMMISSIONER, "BB2", {"B80001", "U00002"}, set()),
        (Role.SYSTEM, "QB2", {"B80001", "U00002"}, set()),
        (Role.NETWORK, "U00001", {"U00001"}, {"U00001"}),
        (Role.NETWORK, "U00002", {"U00002"}, set()),
        (Role.COMMISSIONER, "ZZ9", set(), set()),
    ],
)
async def test_everybody_sees_their_own(
    app: Harness, role: Role, code: str, claimants: set[str], queries: set[str]
) -> None:
    asked = {"contract_year": "2022-23"}
    found = await report(app, "claims", role, organisations=(code,), by="claimant", **asked)
    assert set(by_key(found)) == claimants
    found = await report(app, "queries", role, organisations=(code,), by="network", **asked)
    assert set(by_key(found)) == queries
    headers = app.token(Role.PRACTICE, organisations=["B80001"])
    for path in ("claims", "queries"):
        assert (await app.client.get(f"/reporting/v1/{path}", headers=headers)).status_code == 403
