"""What was really restated, played through the service: paid lines stay, and the year comes to a fresh computation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from shared.events.registry import Member, PracticeLeft
from tests.funding.asking import amounts, due_by_stream, entitled, explained
from tests.funding.builders import COMMISSIONER, NETWORK, an_approved_network, list_sizes
from tests.funding.test_backdated_rates import at
from tests.funding.test_beds import supplied
from tests.funding.test_examples import a_network, minutes
from tests.funding.test_journey import an_area, paid
from tests.funding.test_runs import lines_of, nan
from tests.harness import Harness

RATE = {"kind": "stream", "payee": "network", "rate_period": "year", "confidence": "one_source", "sources": ["letter"]}


async def publish(app: Harness, **rate: Any) -> dict[str, Any]:
    reply = await app.post("/funding/v1/tariffs", {**RATE, **rate}, nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def stored(app: Harness) -> dict[str, tuple[Any, ...]]:
    async with app.session() as session:
        found = await session.execute(text("SELECT id, amount, cause, payee, month, trace::text FROM payment_lines"))
        return {row.id: tuple(row) for row in found}


@asynccontextmanager
async def nothing_paid_is_touched(app: Harness) -> AsyncIterator[None]:
    """Whatever happens inside, every line there was before stays as it was."""
    before = await stored(app)
    yield
    after = await stored(app)
    assert {number: after[number] for number in before} == before


async def runs(app: Harness, months: Iterable[str]) -> list[dict[str, Any]]:
    """The months paid one after another, each on its twentieth day."""
    made = []
    for month in months:
        at(app, datetime(int(month[:4]), int(month[5:]), 20, tzinfo=UTC))
        made.append(await paid(app, month))
    return made


async def paid_as_due(app: Harness, month: str, network: str = NETWORK) -> None:
    """What was paid of every stream is what is due of it; every line of the network recomputes."""
    told = await entitled(app, month, network)
    for item in told["items"]:
        if not item["held"]:
            assert item["paid"] == item["due"], item
    lines = (
        await app.client.get("/funding/v1/lines", params={"network": network, "limit": "1000"}, headers=nan(app))
    ).json()["items"]
    sums: dict[tuple[str, str | None], Decimal] = defaultdict(Decimal)
    for line in lines:
        if line["amount"] is not None and line["contract_year"] == told["contract_year"]:
            sums[line["stream"], line["practice"]] += Decimal(line["amount"])
    waiting = {(item["stream"], item["practice"]) for item in told["items"] if item["held"]}
    due = {(item["stream"], item["practice"]): Decimal(item["due"]) for item in told["items"]}
    assert {key: amount for key, amount in due.items() if key not in waiting} == {
        key: amount for key, amount in sums.items() if key not in waiting and (amount or key in due)
    }


async def test_september_2024_rates_raised_back_to_april(funding_app: Harness) -> None:
    await a_network(funding_app, "2024-25", 50_000, 48_000)
    await supplied(funding_app, "2024-04", 100)
    await runs(funding_app, [f"2024-{n:02d}" for n in range(4, 10)])
    async with nothing_paid_is_touched(funding_app):
        (october,) = await runs(funding_app, ["2024-10"])
    access = await lines_of(funding_app, october, stream="enhanced_access", cause="rate-changed")
    assert sum(Decimal(line["amount"]) for line in access) == Decimal("7224.00")
    beds = await lines_of(funding_app, october, stream="care_home_premium", cause="rate-changed")
    assert [line["amount"] for line in beds] == ["60.00"] * 6, "7.20 a bed and year more, in twelfths"
    # core was revised too, but its division is not known: it waits, and what was paid stays paid
    held = [line["stream"] for line in await lines_of(funding_app, october, held="true")]
    assert held == ["core_adjusted", "core_registered"]
    await paid_as_due(funding_app, "2024-10")
    # then the division is published, and seven months are made good at once
    for code, basis, value, revised in (
        ("core_registered", "registered", "2.257", "core_registered.2425.42"),
        ("core_adjusted", "adjusted", "0.710", "core_adjusted.2425.43"),
    ):
        await publish(
            funding_app,
            code=code,
            basis=basis,
            value=value,
            valid_from="2024-04-01",
            valid_to="2025-03-31",
            known_from="2024-11-05",
            supersedes=revised,
        )
    async with nothing_paid_is_touched(funding_app):
        (november,) = await runs(funding_app, ["2024-11"])
    core = await amounts(funding_app, november, stream="core_registered")
    # 50,000 × (2.257 − 2.218) / 12 a month, and two whole months
    whole = Decimal("50000") * (Decimal("2.257") * 8 - Decimal("2.218") * 6) / 12
    assert sum(map(Decimal, core.values())) == to_penny(whole)
    assert {cause for _, cause in core} == {"rate-changed", "due"}
    await paid_as_due(funding_app, "2024-11")


async def test_june_2025_adjusted_populations_recomputed(funding_app: Harness) -> None:
    await a_network(funding_app, "2025-26", 50_000, 48_000)
    await runs(funding_app, ["2025-04", "2025-05"])
    assert (await minutes(funding_app, "2025-05"))[0]["minutes"] == "2880"
    await funding_app.deliver(
        list_sizes("adjusted", {"A00001": "46500.5"}, snapshot=date(2025, 1, 1), known_from=date(2025, 6, 10))
    )
    async with nothing_paid_is_touched(funding_app):
        (june,) = await runs(funding_app, ["2025-06"])
    access = await amounts(funding_app, june, stream="enhanced_access")
    # 8.427 × (46,500.5 − 48,000) / 12 = −1,053.0239 a month
    assert access == {
        ("2025-04", "population-restated"): "-1053.02",
        ("2025-05", "population-restated"): "-1053.03",
        ("2025-06", "due"): "32654.98",
    }
    assert {line["cause"] for line in await lines_of(funding_app, june, stream="core_registered")} == {"due"}
    await paid_as_due(funding_app, "2025-06")
    (duty,) = await minutes(funding_app, "2025-06")
    assert (duty["minutes"], duty["time"]) == ("2790.03", "46:30.03")


async def test_what_was_due_as_known_before_a_correction_can_still_be_read(funding_app: Harness) -> None:
    await an_area(funding_app)
    await supplied(funding_app, "2022-04", 100)
    await paid(funding_app, "2022-04")
    before = await entitled(funding_app, "2022-05")
    known = datetime.now(UTC)
    await funding_app.deliver(
        PracticeLeft(
            network=NETWORK,
            commissioner=COMMISSIONER,
            practice="A00002",
            valid_from=date(2020, 4, 1),
            valid_to=date(2022, 4, 30),
        )
    )
    await supplied(funding_app, "2022-05", 50)
    await paid(funding_app, "2022-05")
    assert await entitled(funding_app, "2022-05", known_at=known.isoformat()) == before
    now = await entitled(funding_app, "2022-05")
    assert due_by_stream(now)["care_home_premium"] == "1500.00"
    assert due_by_stream(now)["core_registered"] == "10000.00"


async def test_a_merger_found_out_late_moves_the_list_and_the_minutes(funding_app: Harness) -> None:
    await an_area(funding_app)
    await runs(funding_app, ["2022-04", "2022-05", "2022-06"])
    await funding_app.deliver(
        PracticeLeft(
            network=NETWORK,
            commissioner=COMMISSIONER,
            practice="A00002",
            valid_from=date(2020, 4, 1),
            valid_to=date(2022, 4, 30),
        ),
        list_sizes("registered", {"A00001": 49_000}, known_from=date(2022, 7, 4)),
        list_sizes("adjusted", {"A00001": 47_000}, known_from=date(2022, 7, 4)),
        list_sizes("weighted", {"A00001": 50_000}, known_from=date(2022, 7, 4)),
    )
    async with nothing_paid_is_touched(funding_app):
        (july,) = await runs(funding_app, ["2022-07"])
    core = await lines_of(funding_app, july, stream="core_registered")
    assert [(line["month"], line["cause"], line["amount"]) for line in core] == [
        ("2022-04", "population-restated", "2375.00"),  # both still in it: 1.5 × 19,000 / 12
        ("2022-05", "membership-changed", "-125.00"),  # one practice with 49,000 in place of two with 50,000
        ("2022-06", "membership-changed", "-125.00"),
        ("2022-07", "due", "6125.00"),
    ]
    told = await explained(funding_app, core[1])
    assert told["trace"]["causes"] == ["membership-changed", "population-restated"]
    assert {(line["month"], line["amount"]) for line in await lines_of(funding_app, july, practice="A00002")} == {
        ("2022-05", "-2788.25"),
        ("2022-06", "-2788.25"),
    }
    await paid_as_due(funding_app, "2022-07")


async def test_a_stream_relabelled_in_the_middle_of_the_year(funding_app: Harness) -> None:
    """As when half of one fund became a support payment: one stream ends from its start, another takes its place."""
    await an_area(funding_app)
    months = {"valid_from": "2022-10-01", "valid_to": "2023-03-31", "rate_period": "window"}
    first = await publish(
        funding_app, code="winter_fund", basis="weighted", value="0.600", known_from="2022-09-20", **months
    )
    await runs(funding_app, ["2022-10", "2022-11"])
    await publish(
        funding_app,
        code="winter_fund",
        basis="weighted",
        value="0",
        known_from="2022-12-10",
        supersedes=first["id"],
        **months,
    )
    await publish(funding_app, code="surge_support", basis="weighted", value="0.600", known_from="2022-12-10", **months)
    async with nothing_paid_is_touched(funding_app):
        (december,) = await runs(funding_app, ["2022-12"])
    assert await amounts(funding_app, december, stream="winter_fund") == {
        ("2022-10", "rate-changed"): "-5000.00",
        ("2022-11", "rate-changed"): "-5000.00",
        ("2022-12", "due"): "0.00",
    }
    assert await amounts(funding_app, december, stream="surge_support") == {
        ("2022-10", "due"): "5000.00",
        ("2022-11", "due"): "5000.00",
        ("2022-12", "due"): "5000.00",
    }
    await paid_as_due(funding_app, "2022-12")


async def test_the_premium_planned_from_october_begins_in_august(funding_app: Harness) -> None:
    """As in 2020: the same £60 in the year, in other months."""
    await an_area(funding_app)
    await supplied(funding_app, "2022-08", 80)
    window = {"basis": "beds", "rate_period": "window", "valid_to": "2023-03-31"}
    plan = await publish(
        funding_app, code="home_rounds", value="60.000", valid_from="2022-10-01", known_from="2022-07-01", **window
    )
    assert (await runs(funding_app, ["2022-09"]))[0]["totals"].get("home_rounds") is None
    await runs(funding_app, ["2022-10"])
    await publish(
        funding_app,
        code="home_rounds",
        value="60.000",
        valid_from="2022-08-01",
        known_from="2022-11-02",
        supersedes=plan["id"],
        **window,
    )
    (november,) = await runs(funding_app, ["2022-11"])
    assert await amounts(funding_app, november, stream="home_rounds") == {
        ("2022-08", "due"): "600.00",
        ("2022-09", "due"): "600.00",
        ("2022-10", "rate-changed"): "-200.00",
        ("2022-11", "due"): "600.00",
    }
    await runs(funding_app, ["2023-03"])
    assert due_by_stream(await entitled(funding_app, "2023-03"))["home_rounds"] == "4800.00"
    await paid_as_due(funding_app, "2023-03")


async def test_streams_that_ended_stay_payable_for_their_year_and_never_make_a_line_of_the_next(
    funding_app: Harness,
) -> None:
    await a_network(funding_app, "2025-26", 50_000, 48_000)
    for basis in ("registered", "weighted", "adjusted"):
        await funding_app.deliver(list_sizes(basis, {"A00001": 50_500}, snapshot=date(2026, 1, 1)))
    await runs(funding_app, ["2025-04", "2026-03"])
    await funding_app.deliver(
        list_sizes("adjusted", {"A00001": 48_120}, snapshot=date(2025, 1, 1), known_from=date(2026, 4, 14))
    )
    async with nothing_paid_is_touched(funding_app):
        (april,) = await runs(funding_app, ["2026-04"])
    late = await lines_of(funding_app, april, stream="casp")
    assert {line["contract_year"] for line in late} == {"2025-26"}
    assert len(late) == 12
    assert sum(Decimal(line["amount"]) for line in late) == Decimal("3.208") * 120
    assert {line["cause"] for line in late} == {"population-restated"}
    assert "casp" not in due_by_stream(await entitled(funding_app, "2026-04"))
    await paid_as_due(funding_app, "2026-03")
    # a retrospective uplift of the year that runs: a superseding row, published after eight months were paid
    await runs(funding_app, ["2026-10"])
    await publish(
        funding_app,
        code="enhanced_access",
        basis="adjusted",
        value="9.100",
        valid_from="2026-04-01",
        valid_to="2027-03-31",
        known_from="2026-11-02",
        supersedes="enhanced_access.2627.56",
    )
    (november,) = await runs(funding_app, ["2026-11"])
    raised = await lines_of(funding_app, november, stream="enhanced_access", cause="rate-changed")
    assert len(raised) == 7
    assert sum(Decimal(line["amount"]) for line in raised) == Decimal("5803.29")  # 0.197 × 50,500 × 7 / 12
    await paid_as_due(funding_app, "2026-11")


async def test_a_split_practice_is_shared_on_every_basis(funding_app: Harness) -> None:
    await an_area(funding_app)
    half = Member(practice="A00002", valid_from=date(2020, 4, 1), share=Decimal("0.4"))
    rest = Member(practice="A00002", valid_from=date(2020, 4, 1), share=Decimal("0.6"))
    first = Member(practice="A00001", valid_from=date(2020, 4, 1))
    await funding_app.deliver(an_approved_network(members=[first, half]))
    await funding_app.deliver(an_approved_network("U99999", [rest]))
    here, there = [await entitled(funding_app, "2022-10", network) for network in (NETWORK, "U99999")]
    for stream, whole in (
        ("core_registered", Decimal("1.5") * 50_000 * 7 / 12),
        ("enhanced_access", Decimal("3.764") * 48_000 / 6),
    ):
        dues = [Decimal(due_by_stream(told)[stream]) for told in (here, there)]
        assert abs(sum(dues) - whole) <= Decimal("0.01")
    own = [Decimal(item["due"]) for told in (here, there) for item in told["items"] if item["practice"] == "A00002"]
    whole = Decimal("1.761") * 19_000 * 7 / 12
    assert [due / whole for due in own] == [
        Decimal(due) / whole for due in (to_penny(whole * Decimal("0.4")), to_penny(whole * Decimal("0.6")))
    ]


def to_penny(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), "ROUND_HALF_UP")
