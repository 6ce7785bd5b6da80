"""All of England, paid and recomputed: from the files by other means than the service's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from deploy.issuer import EmbeddedIssuer
from services.funding.lines.trace import recompute
from shared.identity import Role
from tests.conftest import live
from tests.funding.england import England, england
from tests.funding.test_journey import noted
from tests.harness import Harness

pytestmark = [pytest.mark.slow]

RUNS = "/funding/v1/payment-runs"
BATCH = 200


@pytest.fixture(scope="module")
def files(real_data: Path) -> England:
    return england(real_data)


@pytest.fixture(scope="module")
async def app(migrated: Callable[[str], str], issuer: EmbeddedIssuer, files: England) -> AsyncIterator[Harness]:
    """Funding holding all of England, taken in by its own handlers."""
    async with live("funding", migrated("funding"), issuer) as made:
        events = list(files.events())
        begun = time.perf_counter()
        for start in range(0, len(events), BATCH):
            await made.deliver(*events[start : start + BATCH])
        print(f"\n{len(events)} events of England taken in: {time.perf_counter() - begun:.1f} s")  # noqa: T201
        yield made


def penny(amount: Fraction) -> Decimal:
    """Half up, by whole numbers alone."""
    pence = (amount.numerator * 200 + amount.denominator) // (amount.denominator * 2)
    return Decimal(pence).scaleb(-2)


# £ a head, basis, months the rate is for, first and last month of 2022/23 counted from April
CAPITATION = {
    "core_registered": ("1.500", "registered", 12, 1, 12),
    "clinical_director": ("0.736", "registered", 12, 1, 12),
    "extended_hours": ("0.720", "registered", 6, 1, 6),
    "enhanced_access": ("3.764", "adjusted", 6, 7, 12),
    "leadership_management": ("0.699", "adjusted", 12, 1, 12),
}


def owed(files: England, months: int) -> tuple[dict[tuple[str, str | None, str, str], Decimal], Counter[str]]:
    """What every payee is owed for each month from April 2022, and how many lines are held, from the files."""
    lines: dict[tuple[str, str | None, str, str], Decimal] = {}
    held: Counter[str] = Counter()
    running: dict[tuple[str, str | None, str], Fraction] = {}
    names = ["2022-04", "2022-05", "2022-06", "2022-07", "2022-08", "2022-09", "2022-10", "2022-11", "2022-12"]
    bases = {"registered": files.registered, "adjusted": files.adjusted, "weighted": files.weighted}
    beds, without = set(), set()
    for number in range(1, months + 1):
        name = names[number - 1]
        for network, members in files.members(date(2022, 3 + number, 1)).items():
            beds.add(network)
            parts: list[tuple[str | None, str, Fraction]] = []
            for stream, (rate, basis, over, first, last) in CAPITATION.items():
                if first <= number <= last:
                    heads = sum((Fraction(bases[basis].get(code, Decimal(0))) for code in members), Fraction(0))
                    parts.append((None, stream, Fraction(rate) * heads / over))
            for code in members:
                if code in files.weighted or code not in files.registered or files.registered[code] == 0:
                    heads = Fraction(files.weighted.get(code, Decimal(0)))
                    parts.append((code, "network_participation", Fraction("1.761") * heads / 12))
                else:
                    without.add((network, code))
            for practice, stream, amount in parts:
                key = (network, practice, stream)
                before = running.get(key, Fraction(0))
                running[key] = before + amount
                lines[(*key, name)] = penny(before + amount) - penny(before)
    held["beds-missing"] = len(beds)
    if without:
        held["population-missing"] = len(without)
    return lines, held


async def issued(app: Harness, month: str) -> dict[str, Any]:
    alice, bob = (app.token(Role.NATIONAL, subject=name) for name in ("alice", "bob"))
    begun = time.perf_counter()
    reply = await app.post(RUNS, {"month": month}, alice)
    calculated = time.perf_counter()
    assert reply.status_code == 201, reply.text
    run: dict[str, Any] = reply.json()
    assert (await app.put(f"{RUNS}/{run['id']}/approval", noted(run), bob)).status_code == 200
    approved = time.perf_counter()
    assert (await app.put(f"{RUNS}/{run['id']}/issue", None, bob)).status_code == 200
    done = time.perf_counter()
    print(  # noqa: T201
        f"\n{month}: {run['lines']} lines calculated in {calculated - begun:.2f} s, "
        f"approved {approved - calculated:.2f} s, issued {done - approved:.2f} s, held {run['held']}"
    )
    return run


async def stored(app: Harness, run: str) -> dict[tuple[str, str | None, str, str], Decimal]:
    async with app.session() as session:
        rows = await session.execute(
            text("SELECT * FROM payment_lines WHERE run = :run AND amount IS NOT NULL"),
            {"run": run},
        )
        return {(row.network, row.practice, row.stream, row.month): row.amount for row in rows}


async def test_populations_equal_the_published_network_sheet(app: Harness, files: England) -> None:
    headers = app.token(Role.NATIONAL)
    found: dict[str, dict[str, Decimal]] = {"registered": {}, "adjusted": {}}
    for basis, figures in found.items():
        cursor: str | None = None
        while True:
            query = {"snapshot": "2022-01-01", "basis": basis, "level": "network", "limit": "1000"}
            query |= {"cursor": cursor} if cursor else {}
            page = (
                await app.client.get(
                    "/funding/v1/populations",
                    params=query,
                    headers=headers,
                )
            ).json()
            figures.update({item["network"]: Decimal(item["value"]) for item in page["items"]})
            cursor = page["next"]
            if cursor is None:
                break
    whole = Decimal(1)
    assert len(found["registered"]) == 1254
    # the sheet lists one network without practices or patients
    published = {code: pair for code, pair in files.published_networks.items() if pair[0]}
    assert found["registered"] == {code: pair[0] for code, pair in published.items()}
    assert sum(found["registered"].values()) <= 61_499_630
    assert {code: figure.quantize(whole, ROUND_HALF_UP) for code, figure in found["adjusted"].items()} == {
        code: pair[1].quantize(whole, ROUND_HALF_UP) for code, pair in published.items()
    }


async def test_april_and_october_are_paid_to_the_penny(app: Harness, files: England) -> None:
    april = await issued(app, "2022-04")
    expected, held = owed(files, 1)
    assert await stored(app, april["id"]) == expected
    assert Decimal(april["total"]) == sum(expected.values())
    assert april["held"] == held
    members = {code for practices in files.members(date(2022, 4, 1)).values() for code in practices}
    absent = sorted(code for code in members if not files.registered.get(code))
    assert april["notes"]["practices_without_list"] == absent, "whoever counts as nobody is named"
    assert absent

    october = await issued(app, "2022-10")
    expected, held = owed(files, 7)
    later = {key: amount for key, amount in expected.items() if key[3] != "2022-04"}
    assert await stored(app, october["id"]) == later
    assert Decimal(october["total"]) == sum(later.values())


async def test_every_line_recomputes_from_its_trace(app: Harness) -> None:
    async with app.session() as session:
        rows = (
            await session.execute(text("SELECT id, amount, trace FROM payment_lines WHERE amount IS NOT NULL"))
        ).all()
    assert len(rows) > 80_000
    assert [row.id for row in rows if recompute(row.trace) != row.amount] == []
