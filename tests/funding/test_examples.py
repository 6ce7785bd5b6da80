"""Worked examples of the contract that are by head, bed or minute, through the service to the penny."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.years import months_of
from tests.funding.asking import due_by_stream, entitled, explained
from tests.funding.builders import a_commissioner, an_approved_network, list_sizes, some_practices
from tests.funding.test_backdated_rates import at
from tests.funding.test_beds import supplied
from tests.funding.test_journey import paid
from tests.funding.test_runs import lines_of
from tests.harness import Harness


async def a_network(app: Harness, year: str, registered: int, adjusted: int, *, listed: date | None = None) -> None:
    """One network of one practice, in it all year."""
    snapshot = date(int(year[:4]), 1, 1)
    await app.deliver(
        a_commissioner(),
        some_practices(["A00001"]),
        list_sizes("registered", {"A00001": registered}, snapshot=snapshot),
        list_sizes("adjusted", {"A00001": adjusted}, snapshot=snapshot),
        list_sizes("weighted", {"A00001": registered}, snapshot=snapshot),
        an_approved_network(members=["A00001"], contract_year=year, since=date(2019, 7, 1)),
    )
    if listed is not None:
        await app.deliver(list_sizes("registered", {"A00001": registered}, snapshot=listed))


async def year_paid(app: Harness, year: str) -> dict[str, Decimal]:
    """What one run for March pays of a whole year, by stream; every line recomputes."""
    run = await paid(app, months_of(year)[-1])
    found: dict[str, Decimal] = defaultdict(Decimal)
    for line in await lines_of(app, run, limit="500"):
        if line["amount"] is not None:
            await explained(app, line)
            found[line["stream"]] += Decimal(line["amount"])
    return found


async def minutes(app: Harness, month: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await entitled(app, month))["weekly_minutes"]
    return found


@pytest.mark.parametrize(
    ("patients", "week", "time"),
    [(50_000, "1500", "25:00"), (52_345, "1575", "26:15"), (50_250, "1515", "25:15"), (50_249, "1500", "25:00")],
)
async def test_a_extended_hours_of_2019(funding_app: Harness, patients: int, week: str, time: str) -> None:
    await a_network(funding_app, "2019-20", 1, 1)
    held = await minutes(funding_app, "2019-12")
    assert (held[0]["minutes"], held[0]["held"]) == (None, "No registered population at 2019-04-01 of A00001.")
    await funding_app.deliver(list_sizes("registered", {"A00001": patients}, snapshot=date(2019, 4, 1)))
    (duty,) = await minutes(funding_app, "2019-12")
    assert (duty["duty"], duty["minutes"], duty["time"]) == ("extended_hours", week, time)
    assert (duty["snapshot"], duty["rounded_to"]) == ("2019-04-01", 15)


async def test_c_a_network_in_2023_24(funding_app: Harness) -> None:
    await a_network(funding_app, "2023-24", 50_000, 48_000)
    expected = {
        "core_registered": "75000.00",
        "clinical_director": "36450.00",
        "leadership_management": "32832.00",
        "enhanced_access": "363744.00",
        "casp": "132720.00",
    }
    due = due_by_stream(await entitled(funding_app, "2024-03"))
    assert {stream: amount for stream, amount in due.items() if stream != "care_home_premium"} == expected
    found = await year_paid(funding_app, "2023-24")
    assert {stream: str(found[stream]) for stream in expected} == expected
    assert found["network_participation"] == Decimal("88050.00")
    (caip,) = (await entitled(funding_app, "2024-03"))["maxima"]
    assert (caip["stream"], caip["practice"], caip["maximum"]) == ("caip_max", None, "56880.00")
    assert "caip_max" not in found, "a maximum is never paid by head"


async def test_d_the_same_network_in_2025_26_with_200_beds(funding_app: Harness) -> None:
    await a_network(funding_app, "2025-26", 50_000, 48_000)
    await supplied(funding_app, "2025-04", 200)
    found = await year_paid(funding_app, "2025-26")
    assert (found["core_registered"], found["core_adjusted"]) == (Decimal("113300.00"), Decimal("35184.00"))
    assert found["core_registered"] + found["core_adjusted"] == Decimal("148484.00")
    assert found["enhanced_access"] == Decimal("404496.00")
    assert found["casp"] == Decimal("153984.00")
    assert found["care_home_premium"] == Decimal("26050.60")


async def test_e_rates_raised_in_september_2024_back_to_april(funding_app: Harness) -> None:
    await a_network(funding_app, "2024-25", 50_000, 48_000)
    access: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for month in months_of("2024-25"):
        at(funding_app, datetime(int(month[:4]), int(month[5:]), 20, tzinfo=UTC))
        run = await paid(funding_app, month)
        for line in await lines_of(funding_app, run, stream="enhanced_access"):
            access[f"{run['month']} {line['cause']}"][line["month"]] = Decimal(line["amount"])
    first = [access[f"{month} due"][month] for month in months_of("2024-25")[:6]]
    assert sum(first) == Decimal("184176.00")
    arrears = access.pop("2024-10 rate-changed")
    assert tuple(arrears) == months_of("2024-25")[:6]
    assert sum(arrears.values()) == Decimal("7224.00")
    assert {str(access[f"{month} due"][month]) for month in months_of("2024-25")[6:]} == {"31900.00"}
    everything = sum((sum(amounts.values()) for amounts in access.values()), sum(arrears.values()))
    assert everything == Decimal("382800.00")
    assert due_by_stream(await entitled(funding_app, "2025-03"))["enhanced_access"] == "382800.00"


async def test_i_enhanced_access_minutes(funding_app: Harness) -> None:
    await a_network(funding_app, "2025-26", 50_000, 48_000)
    (duty,) = await minutes(funding_app, "2025-05")
    assert (duty["duty"], duty["minutes"], duty["time"]) == ("enhanced_access", "2880", "48:00")
    assert (duty["basis"], duty["snapshot"], duty["rounded_to"]) == ("adjusted", "2025-01-01", None)
    (before,) = await minutes(funding_app, "2022-09")
    assert (before["duty"], before["held"]) == ("extended_hours", "No registered population at 2022-01-01 of A00001.")


async def test_rates_of_the_current_year_and_none_of_the_streams_that_ended(funding_app: Harness) -> None:
    await a_network(funding_app, "2026-27", 50_000, 48_000)
    await supplied(funding_app, "2026-04", 200)
    told = await entitled(funding_app, "2027-03")
    assert due_by_stream(told) == {
        "core_registered": "115550.00",
        "core_adjusted": "35904.00",
        "enhanced_access": "427344.00",
        "care_home_premium": "26632.00",
    }
    own = [(item["stream"], item["due"]) for item in told["items"] if item["practice"]]
    assert own == [("network_participation", "88050.00")]
    (scheme,) = told["maxima"]
    assert (scheme["stream"], scheme["practice"], scheme["maximum"]) == ("gp_reimbursement_max", "A00001", "219360.00")
