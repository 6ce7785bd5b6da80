"""What networks are asked to deliver, year by year, and what each has taken on, from whom, under whose lead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from services.registry.networks.model import Membership
from services.registry.service_menu.model import MenuItem, MenuTerm
from services.registry.service_menu.operations import load_menu, shipped
from shared.facts import days, withdraw
from tests.harness import Harness
from tests.registry.builders import V1, commissioner, load_sample, national
from tests.registry.network_life import HOME, lead, network, read, refused, said, take_partner

SERVICES = f"{HOME}/services"


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def menu(app: Harness, query: str) -> dict[str, Any]:
    return {item["service"]: item for item in (await read(app, f"{V1}/services?{query}"))["items"]}


def taken(**changes: Any) -> dict[str, Any]:
    return {
        "service": "care-homes",
        "practice": "Z80011",
        "partner": None,
        "lead": "Sister Sample (invented)",
        "valid_from": "2022-04-01",
        **changes,
    }


async def sign_up(app: Harness, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return await app.post(SERVICES, taken(**changes), headers or network(app))


async def on(app: Harness, day: str, more: str = "") -> list[Any]:
    items: list[Any] = (await read(app, f"{SERVICES}?as_at={day}{more}"))["items"]
    return items


SEVEN = {
    "medication-reviews": ("2020-04-01", None, "2020-21"),
    "care-homes": ("2020-04-01", "2020-10-01", None),
    "early-cancer-diagnosis": ("2020-04-01", None, "2020-21"),
    "personalised-care": ("2020-04-01", None, "2022-23"),
    "anticipatory-care": ("2020-04-01", None, None),
    "cardiovascular-disease": ("2021-04-01", "2021-10-01", None),
    "neighbourhood-inequalities": ("2021-04-01", "2021-10-01", None),
}


async def test_the_seven_specifications_have_their_planned_and_actual_starts(app: Harness) -> None:
    shown = await menu(app, "contract_year=2022-23")
    assert set(shown) == {*SEVEN, "extended-hours", "enhanced-access"}
    for service, starts in SEVEN.items():
        assert (
            shown[service]["planned_start"],
            shown[service]["actual_start"],
            shown[service]["actual_year"],
        ) == starts


async def test_extended_hours_gave_way_to_enhanced_access_and_seven_specifications_to_one(app: Harness) -> None:
    assert set(await menu(app, "as_at=2019-06-30")) == set()
    assert set(await menu(app, "as_at=2019-07-01")) == {"extended-hours"}
    assert "enhanced-access" not in await menu(app, "as_at=2022-09-30")
    assert "extended-hours" not in await menu(app, "as_at=2022-10-01")
    merged = await menu(app, "contract_year=2024-25")
    assert set(merged) == {"network-specification", "enhanced-access"}
    assert len(merged["network-specification"]["functions"]) == 4


async def test_what_ships_is_entered_once(app: Harness) -> None:
    before = await menu(app, "contract_year=2022-23")
    async with app.session() as session:
        await load_menu(session, datetime.now(UTC))
    assert await menu(app, "contract_year=2022-23") == before


async def test_a_network_takes_on_what_is_on_the_menu_from_a_member_or_a_partner(app: Harness) -> None:
    made = await sign_up(app)
    assert made.status_code == 201, made.text
    partner = (await take_partner(app)).json()["id"]
    also = await sign_up(app, practice=None, partner=partner, service="cardiovascular-disease", lead=None)
    assert also.status_code == 201, also.text
    assert [(s["service"], s["practice"], s["partner"], s["valid_to"]) for s in await on(app, "2022-04-01")] == [
        ("cardiovascular-disease", None, partner, "2023-03-31"),
        ("care-homes", "Z80011", None, "2023-03-31"),
    ]
    assert await on(app, "2023-04-01") == []


async def test_what_is_not_on_the_menu_that_year_is_refused(app: Harness) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"service": "network-specification"},
        {"service": "moon-landing"},
        {"service": "extended-hours", "valid_to": "2022-10-01"},
        {"valid_from": "2023-04-01", "valid_to": "2024-04-01"},
    )
    for changes in wrong:
        assert said(await sign_up(app, **changes)) == (409, "ServiceNotOnMenu")
    assert (await sign_up(app, valid_to="2024-03-31")).status_code == 201, "two years in a row"
    assert said(await sign_up(app, valid_from="2023-01-01")) == (409, "SignedUpAlready")
    assert (await sign_up(app, practice="Z80012")).status_code == 201


async def test_who_delivers_is_a_member_or_a_partner_on_every_day(app: Harness) -> None:
    assert said(await sign_up(app, practice="Z80014")) == (409, "ProviderNotMember")
    assert said(await sign_up(app, practice="Z80021")) == (409, "ProviderNotMember")
    partner = (await take_partner(app, valid_to="2022-06-30")).json()["id"]
    assert said(await sign_up(app, practice=None, partner=partner)) == (409, "ProviderNotPartner")
    both = await sign_up(app, partner=partner)
    assert [e["field"] for e in both.json()["errors"]] == ["body.partner"]
    await sign_up(app)
    async with app.session() as session:
        await withdraw(session, Membership, now=datetime.now(UTC), days=days(date(2022, 12, 1)), practice="Z80011")
    assert [s["breaches"] for s in await on(app, "2022-04-01")] == [
        [{"valid_from": "2022-12-01", "valid_to": "2023-03-31"}]
    ]


async def test_a_sign_up_is_corrected_ended_and_taken_back(app: Harness) -> None:
    id = (await sign_up(app)).json()["id"]
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    path = f"{SERVICES}/{id}"
    tag = (await app.client.get(path, headers=network(app))).headers["etag"]
    body = taken(practice="Z80012", valid_from="2022-02-01", reason="It was the other practice.")
    assert (await app.put(path, body, network(app), match='"9"')).status_code == 412
    corrected = await app.put(path, body, network(app), match=tag)
    assert [(t["practice"], t["valid_from"], t["valid_to"]) for t in corrected.json()["terms"]] == [
        ("Z80012", "2022-02-01", "2022-03-31")
    ]
    assert [s["practice"] for s in await on(app, "2022-04-01", f"&known_at={before}")] == ["Z80011"]
    then = await read(app, f"{path}?known_at={before}")
    assert [t["practice"] for t in then["terms"]] == ["Z80011"]
    assert (await read(app, f"{path}?as_at=2022-04-01"))["terms"] == []
    ending = {"last_day": "2022-02-28", "reason": "Given up."}
    assert (await app.put(f"{path}/ending", ending, network(app))).status_code == 200
    assert said(await app.put(f"{path}/ending", ending, network(app))) == (409, "SignUpNotRunning")
    assert (await app.put(f"{path}/withdrawal", {"reason": "Never was."}, network(app))).json()["terms"] == []
    assert await on(app, "2022-02-01", "&history=true") == []
    assert await refused(app, f"{SERVICES}/sgn-none", national(app)) == (404, "SignUpNotFound")
    for headers in (network(app, "U90002"), commissioner(app, "SA1")):
        assert said(await sign_up(app, headers)) == (403, "NotYoursToActFor")
    assert (await sign_up(app, lead(app))).status_code == 201


async def test_the_national_team_publishes_and_corrects_the_menu(app: Harness) -> None:
    body = {
        "contract_year": "2027-28",
        "service": "falls-prevention",
        "name": "Falls prevention",
        "planned_start": "2027-04-01",
        "functions": ["Strength classes"],
        "valid_from": "2027-04-01",
        "valid_to": "2028-03-31",
    }
    made = await app.post(f"{V1}/services", body, national(app))
    assert (made.status_code, made.json()["published_by"]) == (201, "nina")
    assert made.headers["location"] == f"{V1}/services/{made.json()['id']}"
    assert said(await app.post(f"{V1}/services", body, national(app))) == (409, "ServicePublishedAlready")
    assert said(await app.post(f"{V1}/services", body, network(app))) == (403, "Forbidden")
    outside = await app.post(f"{V1}/services", {**body, "valid_to": "2028-04-01"}, national(app))
    assert said(outside) == (422, "Invalid")
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    path = f"{V1}/services/{made.json()['id']}"
    change = {k: v for k, v in body.items() if k not in ("contract_year", "service")}
    late = {**change, "actual_start": "2027-10-01", "valid_from": "2027-10-01", "reason": "It came late."}
    tag = (await app.client.get(path, headers=national(app))).headers["etag"]
    corrected = await app.put(path, late, national(app), match=tag)
    assert corrected.json()["terms"][0]["actual_start"] == "2027-10-01"
    assert "falls-prevention" not in await menu(app, "as_at=2027-04-01")
    assert "falls-prevention" in await menu(app, f"as_at=2027-04-01&known_at={before}")
    then = await read(app, f"{path}?as_at=2027-04-01&known_at={before}")
    assert [t["actual_start"] for t in then["terms"]] == [None]
    tag = corrected.headers["etag"]
    gone = await app.put(f"{path}/withdrawal", {"reason": "Never agreed."}, national(app), match=tag)
    assert gone.json()["terms"] == []
    assert await refused(app, f"{V1}/services/srv-none", national(app)) == (404, "ServiceNotFound")


async def test_what_shipped_before_is_brought_up_to_the_file_unless_somebody_changed_it(app: Harness) -> None:
    async with app.session() as session:
        of_year = select(MenuItem.service, MenuItem.id).where(MenuItem.contract_year == "2022-23")
        items = {row.service: row.id for row in await session.execute(of_year)}
        await session.execute(update(MenuTerm).where(MenuTerm.item.in_(items.values())).values(confidence="remembered"))
        for service, changed in (("care-homes", {"reason": "We asked."}), ("anticipatory-care", {"published_by": "x"})):
            await session.execute(update(MenuItem).where(MenuItem.id == items[service]).values(**changed))
    before = {one["service"]: one["confidence"] for one in (await menu(app, "contract_year=2022-23")).values()}
    assert set(before.values()) == {"remembered"}
    known = datetime.now(UTC).isoformat()
    async with app.session() as session:
        await load_menu(session, datetime.now(UTC))
    after = {one["service"]: one["confidence"] for one in (await menu(app, "contract_year=2022-23")).values()}
    expected = {c["service"]: c["confidence"].value for year, _, c in shipped() if year == "2022-23"}
    assert after == {**expected, "care-homes": "remembered", "anticipatory-care": "remembered"}
    then = await app.client.get(
        f"{V1}/services", params={"contract_year": "2022-23", "known_at": known}, headers=national(app)
    )
    assert {one["confidence"] for one in then.json()["items"]} == {"remembered"}
