"""What of a sum is claimed, committed by people in post and likely to be lost at the year's end."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

from shared.events.workforce import PostEnded, RoleRecruited
from shared.identity import Role
from tests.funding.builders import NETWORK, a_commissioner, an_approved_network, list_sizes, some_practices
from tests.funding.test_claims import commissioner
from tests.funding.test_claims_decided import CLAIMS, a_month_claimed, an_area_in
from tests.funding.test_succession import on, succeeded
from tests.harness import Harness

FORECASTS = "/funding/v1/forecasts"
YEAR = {"contract_year": "2025-26"}
PHARMACIST = "69410.00"


def recruited(post: str, started: date = date(2025, 4, 1), **changed: Any) -> RoleRecruited:
    given: dict[str, Any] = {
        "post": post,
        "vacancy": f"vac-{post}",
        "network": NETWORK,
        "role": "clinical_pharmacist",
        "wte": Decimal("1.0"),
        "employer": "A00001",
        "started_on": started,
        "additional": True,
        "days_to_hire": 30,
    }
    return RoleRecruited(**{**given, **changed})


def left(post: str, on: date) -> PostEnded:
    return PostEnded(post=post, network=NETWORK, role="clinical_pharmacist", ended_on=on)


async def the_sum(app: Harness) -> dict[str, Any]:
    shown = await app.client.get(FORECASTS, params=YEAR, headers=commissioner(app))
    assert shown.status_code == 200, shown.text
    (one,) = shown.json()["items"]
    found: dict[str, Any] = one
    return found


async def test_a_post_is_expected_at_its_ceiling_until_it_is_claimed_then_at_what_it_was_paid(
    funding_app: Harness,
) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    on(app, date(2025, 9, 3))
    await app.deliver(recruited("post-1"), recruited("post-2", date(2026, 1, 16), wte=Decimal("0.5")))
    one = await the_sum(app)
    # a whole year at 69,410, and half of one from 16 January: 16 of 31 days, February, March
    half = Decimal(PHARMACIST) / 24
    expected = Decimal(PHARMACIST) + half * 16 / 31 + half * 2
    assert one["amount"] == "1331550.00"
    assert one["expected"] == one["forecast"] == f"{expected:.2f}"
    assert (one["short"], one["claimed"], one["unknown"]) == ("0.00", "0.00", 0)
    assert Decimal(one["at_risk"]) == Decimal("1331550.00") - Decimal(one["forecast"])
    await app.deliver(
        a_month_claimed(0, "2025-04", "clinical_pharmacist", "3000.00", post="post-1"),
        a_month_claimed(1, "2025-05", "clinical_pharmacist", "3100.00", post="post-1"),
        a_month_claimed(2, "2025-06", "clinical_pharmacist", "3000.00", post="post-1"),
    )
    await app.put(f"{CLAIMS}/claim-0/approval", None, commissioner(app))
    await app.put(f"{CLAIMS}/claim-2/rejection", {"code": "no_payslip", "reason": "Missing."}, commissioner(app))
    one = await the_sum(app)
    assert (one["approved"], one["waiting"], one["claimed"]) == ("3000.00", "3100.00", "6100.00")
    a_day = Decimal(6100) / 61  # April and May were paid 100.00 a day; June, turned down, may come again
    assert one["expected"] == f"{a_day * 304 + half * 16 / 31 + half * 2:.2f}"
    detail = await app.client.get(f"{FORECASTS}/{NETWORK}", params=YEAR, headers=commissioner(app))
    by_month = {(m["role"], m["month"]): m for m in detail.json()["months"]}
    assert by_month["clinical_pharmacist", "2025-06"]["expected"] == "3000.00"
    assert by_month["clinical_pharmacist", "2025-05"]["waiting"] == "3100.00"
    assert len(detail.json()["months_open"]) == 12
    total = sum((Decimal(m["expected"]) for m in detail.json()["months"]), Decimal(0))
    assert abs(total - Decimal(one["expected"])) < Decimal("0.07")


async def test_who_left_is_expected_no_longer_whatever_order_the_news_comes_in(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    on(app, date(2025, 9, 3))
    await app.deliver(left("post-1", date(2025, 4, 30)))
    assert (await the_sum(app))["expected"] == "0.00"
    await app.deliver(recruited("post-1"), recruited("post-9", additional=False))
    await app.deliver(recruited("post-1"))
    assert (await the_sum(app))["expected"] == "5784.17"


async def test_a_year_that_closed_expects_nothing_and_what_is_left_is_lost(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    await app.deliver(recruited("post-1"))
    on(app, date(2026, 4, 30))
    assert (await the_sum(app))["expected"] == PHARMACIST
    on(app, date(2026, 5, 1))
    one = await the_sum(app)
    assert (one["expected"], one["at_risk"]) == ("0.00", "1331550.00")


async def test_an_unknown_ceiling_is_counted_and_never_taken_for_nothing(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    on(app, date(2025, 9, 3))
    await app.deliver(recruited("post-1", role="podiatrist"), recruited("post-2", zone="inner_london"))
    one = await the_sum(app)
    assert (one["unknown"], one["expected"]) == (12, "80364.00")


async def test_pools_stand_on_the_map_of_the_day(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    await app.deliver(
        recruited("post-1"),
        a_commissioner("93C", system="QMJ"),
        some_practices(["B00001"], commissioner="93C"),
        list_sizes("registered", {"B00001": 1_000}, snapshot=date(2025, 1, 1), commissioner="93C", network="U20000"),
        list_sizes("weighted", {"B00001": 1_000}, snapshot=date(2025, 1, 1), commissioner="93C", network="U20000"),
        an_approved_network("U20000", ["B00001"], commissioner="93C", contract_year="2025-26"),
        recruited("post-2", network="U20000"),
    )
    on(app, date(2026, 4, 9))
    national = app.token(Role.NATIONAL)
    pools = (await app.client.get(f"{FORECASTS}/pools", params={**YEAR, "by": "commissioner"}, headers=national)).json()
    assert pools["as_at"] == "2026-03-31"
    assert [(p["code"], p["amount"], p["at_risk"], p["short"]) for p in pools["items"]] == [
        ("00L", "1331550.00", "1262140.00", "0.00"),
        ("93C", "26631.00", "0.00", "42779.00"),
    ]
    await app.deliver(
        succeeded("93C", "D7T5G"),
        an_approved_network("U20000", ["B00001"], commissioner="D7T5G", contract_year="2025-26"),
        a_commissioner("D7T5G", system="Z9B2Z").model_copy(update={"valid_from": date(2026, 4, 1)}),
    )
    for by, day, codes in (
        ("commissioner", None, ["00L", "93C"]),
        ("commissioner", "2026-04-09", ["00L", "D7T5G"]),
        ("system", None, ["QHM", "QMJ"]),
        ("system", "2026-04-09", ["QHM", "Z9B2Z"]),
    ):
        asked = {**YEAR, "by": by, **({"as_at": day} if day else {})}
        found = (await app.client.get(f"{FORECASTS}/pools", params=asked, headers=national)).json()["items"]
        assert [pool["code"] for pool in found] == codes, (by, day)
    heir = (
        await app.client.get(f"{FORECASTS}/pools", params={**YEAR, "by": "system"}, headers=commissioner(app, "D7T5G"))
    ).json()
    assert [(pool["code"], pool["networks"]) for pool in heir["items"]] == [("QMJ", 1)]


async def test_the_file_has_the_rows_of_the_list_and_only_the_callers(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2025)
    on(app, date(2025, 9, 3))
    await app.deliver(recruited("post-1"))
    network = app.token(Role.NETWORK, organisations=[NETWORK])
    file = await app.client.get("/funding/v1/forecasts.csv", params=YEAR, headers=network)
    assert file.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(StringIO(file.text))
    listed = (await app.client.get(FORECASTS, params=YEAR, headers=network)).json()["items"][0]
    assert row == {name: "" if value is None else str(value) for name, value in listed.items()}
    other = app.token(Role.NETWORK, organisations=["U99999"])
    nothing = await app.client.get("/funding/v1/forecasts.csv", params=YEAR, headers=other)
    assert len(nothing.text.splitlines()) == 1
    hidden = await app.client.get(f"{FORECASTS}/{NETWORK}", params=YEAR, headers=other)
    assert (hidden.status_code, hidden.json()["code"]) == (404, "NetworkNotSeen")
    assert (
        await app.client.get(f"{FORECASTS}/pools", params={**YEAR, "by": "system"}, headers=other)
    ).status_code == 403
    assert (await app.client.get(FORECASTS, headers=network)).status_code == 422


async def test_in_the_year_of_two_sums_each_is_forecast_by_itself(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2024)
    on(app, date(2024, 10, 2))
    await app.deliver(recruited("post-1", date(2024, 10, 1)), recruited("post-2", date(2024, 10, 1), role="gp"))
    shown = await app.client.get(FORECASTS, params={"contract_year": "2024-25"}, headers=commissioner(app))
    assert [(s["scope"], s["amount"], s["expected"]) for s in shown.json()["items"]] == [
        ("all_roles_except_gp", "1144700.00", "32919.00"),
        ("gp_only", "65150.00", "46231.00"),
    ]
