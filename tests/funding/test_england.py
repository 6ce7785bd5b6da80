"""All of England, paid and recomputed: from the files by other means than the service's own."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from deploy.issuer import EmbeddedIssuer
from services.funding.lines.explanation import explain
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


def beds_of(network: str, month: str) -> int:
    """Invented: homes are not in the files. Half of the networks supply another number from September on."""
    number = int(network[1:])
    return number % 397 + 20 + (7 if month >= "2022-09" and number % 2 else 0)


def owed(files: England, months: int) -> tuple[dict[tuple[str, str | None, str, str], Decimal], Counter[str]]:
    """What every payee is owed for each month from April 2022, and how many lines are held, from the files."""
    lines: dict[tuple[str, str | None, str, str], Decimal] = {}
    held: Counter[str] = Counter()
    running: dict[tuple[str, str | None, str], Fraction] = {}
    names = [*(f"2022-{number:02d}" for number in range(4, 13)), "2023-01", "2023-02", "2023-03"]
    bases = {"registered": files.registered, "adjusted": files.adjusted, "weighted": files.weighted}
    without, uncounted = set(), set()
    for name in names[:months]:
        number = names.index(name) + 1
        for network, members in files.members(date(int(name[:4]), int(name[5:]), 1)).items():
            parts: list[tuple[str | None, str, Fraction]] = []
            for stream, (rate, basis, over, first, last) in CAPITATION.items():
                if first <= number <= last:
                    heads = sum((Fraction(bases[basis].get(code, Decimal(0))) for code in members), Fraction(0))
                    parts.append((None, stream, Fraction(rate) * heads / over))
            parts.append((None, "care_home_premium", Fraction(120 * beds_of(network, name), 12)))
            if number >= 7:
                uncounted.add(network)  # capacity and access support has no published rate
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
    held["population-missing"] = len(without)
    held["rate-unknown"] = len(uncounted)
    return lines, +held


async def supply(app: Harness, files: England, month: str) -> None:
    """Every lead commissioner supplies the beds of its networks."""
    by_commissioner: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for network, (_, commissioner, _, _) in files.networks.items():
        if month == "2022-04" or beds_of(network, month) != beds_of(network, "2022-04"):
            by_commissioner[commissioner].append({"network": network, "beds": beds_of(network, month)})
    for commissioner, counts in sorted(by_commissioner.items()):
        headers = app.token(Role.COMMISSIONER, organisations=[commissioner])
        reply = await app.post("/funding/v1/beds", {"month": month, "counts": counts}, headers)
        assert reply.status_code == 201, reply.text


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


async def test_april_october_and_the_whole_year_are_paid_to_the_penny(app: Harness, files: England) -> None:
    await supply(app, files, "2022-04")
    april = await issued(app, "2022-04")
    expected, held = owed(files, 1)
    assert await stored(app, april["id"]) == expected
    assert Decimal(april["total"]) == sum(expected.values())
    assert april["held"] == held
    members = {code for practices in files.members(date(2022, 4, 1)).values() for code in practices}
    absent = sorted(code for code in members if not files.registered.get(code))
    assert april["notes"]["practices_without_list"] == absent, "whoever counts as nobody is named"
    assert absent

    await supply(app, files, "2022-09")
    october = await issued(app, "2022-10")
    paid, _ = owed(files, 7)
    assert await stored(app, october["id"]) == {key: amount for key, amount in paid.items() if key[3] != "2022-04"}
    march = await issued(app, "2023-03")
    expected, held = owed(files, 12)
    assert await stored(app, march["id"]) == {key: amount for key, amount in expected.items() if key[3] > "2022-10"}
    assert march["held"] == held

    year: dict[str, Decimal] = defaultdict(Decimal)
    for (_, _, stream, _), amount in expected.items():
        year[stream] += amount
    found: dict[str, Decimal] = defaultdict(Decimal)
    for run in (april, october, march):
        for stream, total in run["totals"].items():
            found[stream] += Decimal(total["amount"])
    print("\n2022-23 by stream: " + ", ".join(f"{s} {a:,}" for s, a in sorted(year.items())))  # noqa: T201
    assert found == year
    # another sum of the same: rate × everybody once, but for pence rounded payee by payee
    for stream, (rate, basis, over, first, last) in CAPITATION.items():
        heads = sum(
            sum(
                Fraction(files.registered.get(c, 0) if basis == "registered" else files.adjusted.get(c, 0))
                for c in codes
            )
            for number in range(first, last + 1)
            for codes in files.members(date(2022 + (number + 2) // 12, (number + 2) % 12 + 1, 1)).values()
        )
        assert abs(Fraction(year[stream]) - Fraction(rate) * heads / over) < Fraction(len(files.networks), 100), stream


async def test_every_line_recomputes_and_explains_itself(app: Harness) -> None:
    async with app.session() as session:
        rows = (
            await session.execute(
                text("SELECT id, network, practice, payee, stream, month, cause, amount, trace FROM payment_lines")
            )
        ).all()
    paid = [row for row in rows if row.amount is not None]
    assert len(paid) > 130_000
    assert [row.id for row in paid if recompute(row.trace) != row.amount] == []
    for row in rows:
        told = explain(row._asdict(), row.trace)
        assert told["sentence"]
        assert told["recomputed"] == (None if row.amount is None else str(row.amount)), row.id
