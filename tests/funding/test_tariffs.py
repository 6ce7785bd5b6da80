"""Rates: shipped once, published by national users, superseded but never edited."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from services.funding.seed import seed
from services.funding.tariffs.model import Tariff, TariffKind, in_force
from services.funding.tariffs.operations import load_shipped, role_maximum
from services.funding.tariffs.shipped import FILES, rows, share_of
from shared.events.funding import TariffPublished
from shared.http import _now as clock
from shared.identity import Role
from tests.funding.test_journey import an_area, calculated
from tests.harness import Harness

TARIFFS = "/funding/v1/tariffs"


def a_rate(**changed: object) -> dict[str, object]:
    return {
        "kind": "stream",
        "code": "core_registered",
        "basis": "registered",
        "value": "1.600",
        "rate_period": "year",
        "valid_from": "2022-04-01",
        "valid_to": "2023-03-31",
        "supersedes": "core_registered.2223.20",
        "confidence": "one_source",
        "sources": ["letter"],
        **changed,
    }


async def test_shipped_rates_are_loaded_once_and_announced(funding_app: Harness) -> None:
    shipped = {row["id"] for name in FILES.values() for row in rows(name)}
    async with funding_app.session() as session:
        assert set((await session.scalars(select(Tariff.id))).all()) == shipped
        assert await load_shipped(session, datetime.now(UTC)) == 0
        await session.execute(text("ALTER TABLE tariffs DISABLE TRIGGER tariffs_append_only"))
        await session.execute(text("DELETE FROM tariffs WHERE id = 'casp.2324.33'"))
        await session.execute(text("ALTER TABLE tariffs ENABLE TRIGGER tariffs_append_only"))
        before = len(await funding_app.announced())
        await seed(session, datetime.now(UTC))
        assert await session.scalar(select(func.count()).select_from(Tariff)) == len(shipped)
    added = (await funding_app.announced())[before:]
    assert [event.tariff for event in added if isinstance(event, TariffPublished)] == ["casp.2324.33"]


@pytest.mark.parametrize(
    "year", ["2019-20", "2020-21", "2021-22", "2022-23", "2023-24", "2024-25", "2025-26", "2026-27"]
)
async def test_every_year_is_shipped_and_no_two_rates_hold_at_once(funding_app: Harness, year: str) -> None:
    async with funding_app.session() as session:
        found = (await session.scalars(select(Tariff).where(Tariff.contract_year == year))).all()
    assert {"core_registered", "network_participation"} <= {tariff.code for tariff in found}
    for tariff in found:
        others = [t for t in found if (t.kind, t.code, t.zone) == (tariff.kind, tariff.code, tariff.zone)]
        known = [t for t in others if t.valid_from <= tariff.valid_from <= t.valid_to]
        superseded = {t.supersedes for t in known}
        assert len([t for t in known if t.id not in superseded]) == 1, tariff.id


async def test_a_superseding_rate_counts_from_its_first_day_once_it_is_known(funding_app: Harness) -> None:
    async with funding_app.session() as session:
        found = (await session.scalars(select(Tariff).where(Tariff.code == "enhanced_access"))).all()
    on = date(2024, 4, 1)
    before, after = in_force(found, on, date(2024, 9, 25)), in_force(found, on, date(2024, 9, 26))
    assert before is not None
    assert after is not None
    assert (before.value, after.value) == (Decimal("7.674"), Decimal("7.975"))
    unpublished = in_force(found, on, date(2024, 3, 27))
    assert unpublished is None


async def test_a_national_user_publishes_a_rate_that_supersedes_another(funding_app: Harness) -> None:
    headers = funding_app.token(Role.NATIONAL)
    reply = await funding_app.post(TARIFFS, a_rate(), headers)
    assert reply.status_code == 201, reply.text
    made = reply.json()
    assert (made["value"], made["contract_year"], made["supersedes"]) == ("1.600", "2022-23", "core_registered.2223.20")
    in_force_now = (
        await funding_app.client.get(
            TARIFFS, params={"stream": "core_registered", "as_at": "2022-05-01"}, headers=headers
        )
    ).json()["items"]
    assert [item["id"] for item in in_force_now] == [made["id"]]
    as_known_then = (
        await funding_app.client.get(
            TARIFFS,
            params={"stream": "core_registered", "as_at": "2022-05-01", "known_at": "2022-06-01T00:00:00Z"},
            headers=headers,
        )
    ).json()["items"]
    assert [item["id"] for item in as_known_then] == ["core_registered.2223.20"]
    assert isinstance((await funding_app.announced())[-1], TariffPublished)


async def test_refusals_of_rates(funding_app: Harness) -> None:
    headers = funding_app.token(Role.NATIONAL)
    overlapping = await funding_app.post(TARIFFS, a_rate(supersedes=None), headers)
    assert (overlapping.status_code, overlapping.json()["code"]) == (409, "RateOverlaps")
    unknown = await funding_app.post(TARIFFS, a_rate(supersedes="casp.2324.33"), headers)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "SupersededUnknown")
    bad = await funding_app.post(TARIFFS, a_rate(valid_from="2022-04-02", basis="wte"), headers)
    assert bad.status_code == 422
    assert {fault["code"] for fault in bad.json()["errors"]} == {"not_whole_months", "wrong_basis"}
    number = await funding_app.post(TARIFFS, a_rate(value=1.6), headers)
    assert number.status_code == 422
    other = await funding_app.post(TARIFFS, a_rate(), funding_app.token(Role.COMMISSIONER, organisations=["00L"]))
    assert other.status_code == 403
    assert (await funding_app.client.get(TARIFFS)).status_code == 401


async def test_a_rate_is_never_edited(funding_app: Harness) -> None:
    async with funding_app.session() as session:
        with pytest.raises(DBAPIError, match="never edited"):
            async with session.begin_nested():
                await session.execute(text("UPDATE tariffs SET value = 2 WHERE id = 'core_registered.2223.20'"))


async def test_ceilings_by_place_and_shares_by_role(funding_app: Harness) -> None:
    today = date(2026, 11, 23)
    async with funding_app.session() as session:
        inner = await role_maximum(session, "gp", "inner_london", date(2026, 5, 1), today)
        assert inner is not None
        assert (inner.zone, inner.value) == ("london", Decimal("155698.00"))
        raised = await role_maximum(session, "clinical_pharmacist", "national", date(2025, 4, 1), today)
        first = await role_maximum(session, "clinical_pharmacist", "national", date(2025, 4, 1), date(2025, 7, 31))
        assert raised is not None
        assert first is not None
        assert (first.value, raised.value) == (Decimal("66972.00"), Decimal("69410.00"))
        assert await role_maximum(session, "podiatrist", "national", date(2026, 4, 1), today) is None
    pharmacist = share_of("clinical_pharmacist", date(2019, 8, 1))
    assert pharmacist is not None
    assert pharmacist.share == Decimal("0.70")
    assert share_of("podiatrist", date(2019, 8, 1)) is None
    assert TariffKind("stream") in FILES


async def test_a_rate_published_after_midnight_in_summer_is_known_that_day_and_paid_at_once(
    funding_app: Harness,
) -> None:
    await an_area(funding_app)
    midnight = datetime(2022, 5, 31, 23, 30, tzinfo=UTC)
    funding_app.app.dependency_overrides[clock] = lambda: midnight
    headers = funding_app.token(Role.NATIONAL)
    made = (await funding_app.post(TARIFFS, a_rate(), headers)).json()
    assert made["known_from"] == "2022-06-01"

    async def in_force_at(known_at: str) -> list[str]:
        asked = {"stream": "core_registered", "as_at": "2022-05-01", "known_at": known_at}
        reply = await funding_app.client.get(TARIFFS, params=asked, headers=headers)
        return [item["id"] for item in reply.json()["items"]]

    assert await in_force_at("2022-05-31T22:59:59Z") == ["core_registered.2223.20"]
    assert await in_force_at("2022-05-31T23:29:59Z") == ["core_registered.2223.20"], "nobody could know before"
    assert await in_force_at("2022-05-31T23:30:00Z") == [made["id"]]
    run: Any = await calculated(funding_app, "2022-04")
    assert run["totals"]["core_registered"]["amount"] == "6666.67", run["totals"]  # 1.600 × 50,000 / 12
