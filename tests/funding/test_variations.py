"""Local variations: an area's own rates, for practices that agreed, never below the national total."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.events.funding import TariffPublished
from shared.identity import Role
from tests.funding.asking import amounts, commissioner, due_by_stream, entitled, explained
from tests.funding.builders import COMMISSIONER, NETWORK
from tests.funding.test_beds import supplied
from tests.funding.test_journey import RUNS, an_area, calculated, paid
from tests.funding.test_runs import lines_of, nan
from tests.harness import Harness

VARIATIONS = "/funding/v1/variations"
ACCESS = {"stream": "enhanced_access", "basis": "adjusted", "value": "4.000", "rate_period": "window"}
FRAILTY = {"stream": "frailty_care", "basis": "registered", "value": "2.400", "rate_period": "year"}


def a_variation(*items: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "name": "Care for frail people",
        "commissioner": COMMISSIONER,
        "first_month": "2022-10",
        "last_month": "2023-03",
        "practices": ["A00001", "A00002"],
        "items": list(items) or [FRAILTY],
        **changed,
    }


async def proposed(app: Harness, *items: dict[str, Any], **changed: Any) -> dict[str, Any]:
    reply = await app.post(VARIATIONS, a_variation(*items, **changed), commissioner(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def consent(app: Harness, variation: dict[str, Any], practice: str, **more: Any) -> httpx.Response:
    headers = app.token(Role.PRACTICE, organisations=[practice], subject=f"partner-{practice}")
    body = {"practice": practice, "signed_by": "Dr Okafor", **more}
    return await app.post(f"{VARIATIONS}/{variation['id']}/consents", body, headers)


async def approval(app: Harness, variation: dict[str, Any], subject: str = "alice") -> httpx.Response:
    return await app.put(f"{VARIATIONS}/{variation['id']}/approval", None, nan(app, subject))


async def in_force(app: Harness, *items: dict[str, Any], practices: tuple[str, ...] = ("A00001", "A00002")) -> Any:
    variation = await proposed(app, *items)
    for practice in practices:
        assert (await consent(app, variation, practice)).status_code == 201
    reply = await approval(app, variation)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_new_stream_is_paid_for_practices_that_agreed(funding_app: Harness) -> None:
    await an_area(funding_app)
    variation = await in_force(funding_app, FRAILTY, practices=("A00001",))
    assert (variation["national_total"], variation["varied_total"]) == ("0.00", "60000.00")  # 2.4 × 50,000 / 2
    run = await paid(funding_app, "2022-10")
    lines = await lines_of(funding_app, run, stream="frailty_care")
    assert [(line["month"], line["amount"], line["payee"]) for line in lines] == [("2022-10", "6000.00", "A00001")]
    told = await explained(funding_app, lines[0])
    assert any(f"of the local variation {variation['id']}" in step for step in told["arithmetic"])
    tariffs = [event for event in await funding_app.announced() if isinstance(event, TariffPublished)]
    assert (tariffs[-1].code, tariffs[-1].scope) == ("frailty_care", variation["id"])
    query = {"stream": "frailty_care", "scope": variation["id"]}
    listed = (await funding_app.client.get("/funding/v1/tariffs", params=query, headers=nan(funding_app))).json()
    assert [item["value"] for item in listed["items"]] == ["2.400"]


async def test_a_rate_stands_in_for_the_national_one_only_for_those_that_agreed(funding_app: Harness) -> None:
    await an_area(funding_app)
    variation = await in_force(funding_app, ACCESS, practices=("A00002",))
    # A00001 28,000 adjusted at 3.764, A00002 20,000 at 4.000, the half year in six parts
    run = await paid(funding_app, "2022-10")
    line = (await lines_of(funding_app, run, stream="enhanced_access"))[0]
    assert line["amount"] == "30898.67"
    told = await explained(funding_app, line)
    steps = told["trace"]["steps"]
    assert [(step["tariff"], step["population"]) for step in steps] == [
        ("enhanced_access.2223.23", "28000"),
        (f"{variation['id']}.enhanced_access", "20000"),
    ]
    item = next(i for i in (await entitled(funding_app, "2023-03"))["items"] if i["stream"] == "enhanced_access")
    assert (item["due"], item["scopes"]) == ("185392.00", [variation["id"]])
    assert item["population"] == "48000"
    # the other practice agrees later, and what was paid is made good
    assert (await consent(funding_app, variation, "A00001")).status_code == 201
    november = await paid(funding_app, "2022-11")
    assert await amounts(funding_app, november, stream="enhanced_access") == {
        ("2022-10", "rate-changed"): "1101.33",
        ("2022-11", "due"): "32000.00",
    }


async def test_a_consent_counts_from_its_day_and_until_it_is_taken_back(funding_app: Harness) -> None:
    await an_area(funding_app)
    variation = await proposed(funding_app, FRAILTY)
    assert (await consent(funding_app, variation, "A00001", valid_from="2022-11-02")).status_code == 201
    assert (await approval(funding_app, variation)).status_code == 200
    path = f"{VARIATIONS}/{variation['id']}/consents/A00001"
    own = funding_app.token(Role.PRACTICE, organisations=["A00001"])
    held = await funding_app.client.get(path, headers=own)
    assert (held.json()["valid_from"], held.json()["valid_to"]) == ("2022-11-02", "2023-03-31")
    assert due_by_stream(await entitled(funding_app, "2023-03"))["frailty_care"] == "24000.00"  # December to March
    body = {"withdrawn_from": "2023-02-01"}
    assert (await funding_app.client.put(f"{path}/withdrawal", json=body, headers=own)).status_code == 428
    match = {**own, "If-Match": held.headers["etag"]}
    assert (await funding_app.client.put(f"{path}/withdrawal", json=body, headers=match)).status_code == 204
    assert (await funding_app.client.put(f"{path}/withdrawal", json=body, headers=match)).status_code == 412
    assert due_by_stream(await entitled(funding_app, "2023-03"))["frailty_care"] == "12000.00"
    then = {"known_at": held.json()["entered_at"]}
    assert (await funding_app.client.get(path, params=then, headers=own)).json() == held.json()
    listed = (await funding_app.client.get(f"{VARIATIONS}/{variation['id']}/consents", headers=nan(funding_app))).json()
    assert [(item["practice"], item["valid_to"]) for item in listed["items"]] == [("A00001", "2023-01-31")]


async def test_beds_are_paid_at_the_local_rate_once_every_member_agreed(funding_app: Harness) -> None:
    await an_area(funding_app)
    await supplied(funding_app, "2022-10", 100)
    bed = {"stream": "care_home_premium", "basis": "beds", "value": "150.000", "rate_period": "year"}
    variation = await in_force(funding_app, bed, practices=("A00001",))
    assert due_by_stream(await entitled(funding_app, "2022-10"))["care_home_premium"] == "1000.00"
    assert (await consent(funding_app, variation, "A00002")).status_code == 201
    assert due_by_stream(await entitled(funding_app, "2022-10"))["care_home_premium"] == "1250.00"
    cheaper = await funding_app.post(VARIATIONS, a_variation({**bed, "value": "119.999"}), commissioner(funding_app))
    assert (cheaper.status_code, cheaper.json()["code"]) == (409, "BelowNationalTotal")


async def test_an_area_may_move_money_between_streams_and_never_below_the_national_total(
    funding_app: Harness,
) -> None:
    await an_area(funding_app)
    lower = {**ACCESS, "value": "3.500"}
    alone = await funding_app.post(VARIATIONS, a_variation(lower), commissioner(funding_app))
    assert (alone.status_code, alone.json()["code"]) == (409, "BelowNationalTotal")
    # 0.264 × 48,000 = 12,672 less for access is made up by frailty care
    moved = await proposed(funding_app, lower, {**FRAILTY, "value": "0.50688", "rate_period": "year"})
    assert moved["national_total"] == moved["varied_total"] == "180672.00"
    short = a_variation(lower, {**FRAILTY, "value": "0.5068"})
    assert (await funding_app.post(VARIATIONS, short, commissioner(funding_app))).json()["code"] == "BelowNationalTotal"
    # A00002 loses 5,280.00 and gains 5,068.80: it cannot be the only one, and A00001 cannot leave it alone
    nationally = Decimal(due_by_stream(await entitled(funding_app, "2023-03"))["enhanced_access"])
    assert (await consent(funding_app, moved, "A00002")).status_code == 201
    early = await approval(funding_app, moved)
    assert (early.status_code, early.json()["code"]) == (409, "BelowNationalTotal")
    assert (await consent(funding_app, moved, "A00001")).status_code == 201
    assert (await approval(funding_app, moved)).status_code == 200
    due = due_by_stream(await entitled(funding_app, "2023-03"))
    assert Decimal(due["enhanced_access"]) + Decimal(due["frailty_care"]) == nationally == Decimal("180672.00")
    path = f"{VARIATIONS}/{moved['id']}/consents/A00001"
    body = {"withdrawn_from": "2023-01-01"}
    stay = await funding_app.put(f"{path}/withdrawal", body, funding_app.token(Role.PRACTICE, organisations=["A00001"]))
    assert (stay.status_code, stay.json()["code"]) == (409, "BelowNationalTotal")


async def test_refusals_of_variations(funding_app: Harness) -> None:
    await an_area(funding_app)

    async def refused(body: dict[str, Any], headers: dict[str, str] | None = None) -> tuple[int, str, set[str]]:
        reply = await funding_app.post(VARIATIONS, body, headers or commissioner(funding_app))
        problem = reply.json()
        return reply.status_code, problem["code"], {fault["code"] for fault in problem.get("errors") or []}

    assert await refused(a_variation({**FRAILTY, "stream": "iif"})) == (409, "IifNeverVaries", set())
    assert await refused(a_variation({**FRAILTY, "stream": "iif_points"})) == (409, "IifNeverVaries", set())
    assert (await refused(a_variation({**FRAILTY, "stream": "caip_max"})))[0] == 422
    assert (await refused(a_variation(FRAILTY, FRAILTY)))[0] == 422
    assert (await refused(a_variation(practices=["A00001", "A00001"])))[0] == 422
    assert await refused(a_variation(last_month="2023-04")) == (422, "Invalid", {"outside_year"})
    assert await refused(a_variation(practices=["A00001", "Z01", "Z02"])) == (
        422,
        "Invalid",
        {"practice_unknown"},
    )
    assert await refused(a_variation({**ACCESS, "payee": "practice"})) == (422, "Invalid", {"other_payee"})
    assert await refused(a_variation({**FRAILTY, "value": "-1"})) == (422, "Invalid", {"string_pattern_mismatch"})
    stranger = commissioner(funding_app, "11M")
    assert await refused(a_variation(), stranger) == (404, "CommissionerNotFound", set())
    network = funding_app.token(Role.NETWORK, organisations=[NETWORK])
    assert (await refused(a_variation(), network))[0] == 403
    unknown = a_variation({**FRAILTY, "stream": "casp", "basis": "adjusted"})
    assert await refused(unknown) == (409, "NationalTotalUnknown", set()), "the national rate has no figure"

    variation = await proposed(funding_app)
    path = f"{VARIATIONS}/{variation['id']}"
    assert (await funding_app.client.get(path, headers=stranger)).status_code == 404
    for role, code in ((Role.NETWORK, NETWORK), (Role.PRACTICE, "A00001"), (Role.SYSTEM, "QHM")):
        seen = funding_app.token(role, organisations=[code])
        assert (await funding_app.client.get(path, headers=seen)).status_code == 200
        listed = (await funding_app.client.get(VARIATIONS, headers=seen)).json()["items"]
        assert variation["id"] in [item["id"] for item in listed]
    early = await approval(funding_app, variation)
    assert (early.status_code, early.json()["code"]) == (409, "NobodyConsented")
    outside = await consent(funding_app, variation, "A00003")
    assert (outside.status_code, outside.json()["code"]) == (404, "VariationNotFound")
    entered = {"practice": "A00003", "signed_by": "Dr No"}
    other = await funding_app.post(f"{path}/consents", entered, commissioner(funding_app))
    assert (other.status_code, other.json()["code"]) == (409, "NotInVariation")
    for_another = await funding_app.post(
        f"{path}/consents",
        {"practice": "A00002", "signed_by": "Dr No"},
        funding_app.token(Role.PRACTICE, organisations=["A00001"]),
    )
    assert (for_another.status_code, for_another.json()["errors"][0]["code"]) == (422, "practice_unknown")
    late = await consent(funding_app, variation, "A00001", valid_from="2023-04-01")
    assert (late.status_code, late.json()["errors"][0]["code"]) == (422, "after_variation")
    assert (await consent(funding_app, variation, "A00001")).status_code == 201
    second = await proposed(funding_app, {**FRAILTY, "stream": "home_visits"})
    twice = await consent(funding_app, second, "A00001")
    assert (twice.status_code, twice.json()["code"]) == (409, "AnotherVariation")
    assert (await funding_app.client.get(f"{path}/consents/A00002", headers=nan(funding_app))).status_code == 404
    missing = await funding_app.client.put(f"{path}/approval", headers=nan(funding_app))
    assert missing.status_code == 428
    own = await funding_app.put(f"{path}/approval", None, commissioner(funding_app))
    assert own.status_code == 403
    assert (await approval(funding_app, variation)).status_code == 200
    again = await approval(funding_app, variation)
    assert (again.status_code, again.json()["code"]) == (409, "VariationDecided")
    turned_down = await funding_app.put(f"{VARIATIONS}/{second['id']}/refusal", {"reason": "why"}, nan(funding_app))
    assert (turned_down.status_code, turned_down.json()["status"]) == (200, "refused")
    gone = await consent(funding_app, second, "A00002")
    assert (gone.status_code, gone.json()["code"]) == (409, "VariationDecided")


async def test_whoever_proposes_does_not_approve(funding_app: Harness) -> None:
    await an_area(funding_app)
    reply = await funding_app.post(VARIATIONS, a_variation(), nan(funding_app))
    variation = reply.json()
    assert (await consent(funding_app, variation, "A00001")).status_code == 201
    alone = await approval(funding_app, variation)
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePersonApproves")
    assert (await approval(funding_app, variation, "bob")).status_code == 200


@pytest.mark.parametrize("way", ["approval", "consent"])
async def test_two_at_once_have_one_effect(funding_live: Harness, way: str) -> None:
    await an_area(funding_live)
    variation = await proposed(funding_live)
    if way == "consent":
        second = await proposed(funding_live, {**FRAILTY, "stream": "home_visits"})
        replies = await asyncio.gather(*(consent(funding_live, each, "A00001") for each in (variation, second)))
        assert sorted(reply.status_code for reply in replies) == [201, 409]
        return
    assert (await consent(funding_live, variation, "A00001")).status_code == 201
    match = (await funding_live.client.get(f"{VARIATIONS}/{variation['id']}", headers=nan(funding_live))).headers
    headers = {**nan(funding_live), "If-Match": match["etag"]}
    replies = await asyncio.gather(
        *(funding_live.client.put(f"{VARIATIONS}/{variation['id']}/approval", headers=headers) for _ in range(3))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412, 412]


def raised_nationally(value: str | None, supersedes: str = "enhanced_access.2223.23") -> dict[str, Any]:
    return {
        "kind": "stream",
        "code": "enhanced_access",
        "basis": "adjusted",
        "value": value,
        "rate_period": "window",
        "valid_from": "2022-10-01",
        "valid_to": "2023-03-31",
        "supersedes": supersedes,
        "confidence": "one_source",
        "sources": ["letter"],
    }


async def findings_of(app: Harness, run: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = await app.client.get(f"{RUNS}/{run['id']}/findings", params={"kind": kind}, headers=nan(app))
    assert found.status_code == 200, found.text
    items: list[dict[str, Any]] = found.json()["items"]
    return items


async def test_whoever_approves_a_run_says_why_a_variation_stays_below_a_national_rate_raised_since(
    funding_app: Harness,
) -> None:
    app = funding_app
    await an_area(app)
    variation = await in_force(app, ACCESS)
    october = await paid(app, "2022-10")
    assert october["notes"]["variations_below_national"] == {}
    assert "variation-below-national" not in october["findings"]
    raised = await app.post("/funding/v1/tariffs", raised_nationally("4.100"), nan(app))
    assert raised.status_code == 201, raised.text
    november = await calculated(app, "2022-11")
    # 48,000 × 4.000 and × 4.100
    said = "The variation comes to £192,000.00 for the 2 practices that agree, the national rates to £196,800.00."
    assert november["notes"]["variations_below_national"] == {variation["id"]: said}
    assert november["findings"]["variation-below-national"] == 1
    (finding,) = await findings_of(app, november, "variation-below-national")
    assert (finding["subject"], finding["amount"], finding["paid_before"], finding["detail"]) == (
        *(variation["id"], "192000.00", "196800.00"),
        said,
    )
    others = [kind for kind in november["findings"] if kind != "variation-below-national"]
    partly = {"acknowledgements": [{"kind": kind, "reason": "as expected"} for kind in others]}
    path = f"{RUNS}/{november['id']}"
    bob = nan(app, "bob")
    silent = await app.put(f"{path}/approval", partly, bob)
    assert (silent.status_code, silent.json()["code"]) == (409, "FindingsNotAcknowledged")
    assert [(fault["field"], fault["code"], fault["message"]) for fault in silent.json()["errors"]] == [
        (f"findings.{finding['id']}", "variation-below-national", said)
    ]
    why = "The commissioner tops it up in December; see its letter."
    partly["acknowledgements"].append({"finding": finding["id"], "reason": why})
    approved = await app.put(f"{path}/approval", partly, bob)
    assert approved.status_code == 200, approved.text
    (noted,) = await findings_of(app, november, "variation-below-national")
    assert (noted["reason"], noted["acknowledged_by"]) == (why, "bob")
    assert (await app.put(f"{path}/issue", None, bob)).status_code == 200
    april = await calculated(app, "2023-04")
    assert "variation-below-national" not in april["findings"], "it pays nothing for the year that is over"


async def test_a_variation_that_can_no_longer_be_compared_is_asked_about_too(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    variation = await in_force(app, ACCESS)
    assert (await app.post("/funding/v1/tariffs", raised_nationally(None), nan(app))).status_code == 201
    october = await calculated(app, "2022-10")
    assert october["findings"] == {"variation-not-comparable": 1}
    (finding,) = await findings_of(app, october, "variation-not-comparable")
    assert finding["subject"] == variation["id"]
    assert "is not known" in finding["detail"]
    threshold = {"kind": "variation-not-comparable", "percent": "1", "amount": "1.00", "valid_from": "2022-04-01"}
    refused = await app.post("/funding/v1/variance-thresholds", {**threshold, "reason": "x"}, nan(app))
    assert refused.status_code == 422, "only what compares two months has thresholds"
