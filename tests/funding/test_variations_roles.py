"""Additional roles under a local variation: its sum, ceilings, caps and further roles, and for whom they count."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from deploy.doctor.copies import COPIES
from services.funding.budgets.words import recompute
from shared.events.funding import BudgetSet, NetworkVaried, TariffPublished, VariationApproved
from shared.events.registry import PracticeJoined
from shared.events.workforce import ArrearsClaimed, ArrearsItem
from shared.identity import Role
from tests.funding.asking import commissioner, explained
from tests.funding.builders import COMMISSIONER, NETWORK, list_sizes
from tests.funding.test_claims_decided import CLAIMS, a_month_claimed
from tests.funding.test_forecasts import recruited
from tests.funding.test_journey import an_area, calculated, paid
from tests.funding.test_restatements import publish
from tests.funding.test_runs import lines_of, nan
from tests.funding.test_succession import on
from tests.funding.test_variations import FRAILTY, VARIATIONS, a_variation, approval, consent, findings_of, proposed
from tests.harness import Harness

SUM = {"code": "all_roles", "value": "18.000"}
CEILING = {"role": "clinical_pharmacist", "zone": "national", "value": "65000.00"}
ROLE = {"short": "frailty_nurse", "name": "Frailty nurse", "value": "60000.00"}
OPENED = "local_00l_frailty_nurse"


async def in_force(app: Harness, *, practices: tuple[str, ...] = ("A00001", "A00002"), **terms: Any) -> dict[str, Any]:
    variation = await proposed(app, **{"items": [], **terms})
    for practice in practices:
        assert (await consent(app, variation, practice)).status_code == 201
    reply = await approval(app, variation)
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def take_back(app: Harness, variation: dict[str, Any], practice: str, first: str) -> int:
    path = f"{VARIATIONS}/{variation['id']}/consents/{practice}/withdrawal"
    headers = app.token(Role.PRACTICE, organisations=[practice])
    return (await app.put(path, {"withdrawn_from": first}, headers)).status_code


async def the_sum(app: Harness) -> dict[str, Any]:
    asked = {"contract_year": "2022-23", "network": NETWORK}
    shown = await app.client.get("/funding/v1/budgets", params=asked, headers=nan(app))
    assert shown.status_code == 200, shown.text
    (budget,) = shown.json()["items"]
    found: dict[str, Any] = budget
    return found


async def of_claim(app: Harness, claim: str) -> dict[str, Any]:
    found: dict[str, Any] = (await app.client.get(f"{CLAIMS}/{claim}", headers=nan(app))).json()
    return found


async def test_a_sum_counts_by_head_for_each_practice_that_agreed_in_its_months(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    before = await the_sum(app)
    assert before["amount"] == "834800.00"  # 16.696 × 50,000
    variation = await in_force(app, sums=[SUM], practices=("A00001",))
    # (18.000 − 16.696) × 31,000 for half a year
    assert (variation["national_total"], variation["varied_total"]) == ("417400.00", "450000.00")
    one = await the_sum(app)
    assert one["amount"] == "855012.00"
    assert [
        (step["tariff"], step["population"], len(step["months"]), step.get("scope")) for step in one["trace"]["steps"]
    ] == [
        ("arrs_sum.all_roles.2223", "50000", 6, None),
        (f"{variation['id']}.sum.all_roles", "31000", 6, variation["id"]),
        ("arrs_sum.all_roles.2223", "19000", 6, None),
    ]
    assert recompute(one["trace"]) == Decimal(one["amount"])
    assert any(f"of the local variation {variation['id']}" in step for step in one["arithmetic"])
    told = [event for event in await app.announced() if isinstance(event, BudgetSet)]
    assert told[-1].amount == Decimal("855012.00")
    # the other agrees from January: three months more at its own 19,000 heads
    assert (await consent(app, variation, "A00002", valid_from="2023-01-01")).status_code == 201
    assert (await the_sum(app))["amount"] == "861206.00"
    assert await take_back(app, variation, "A00002", "2023-01-01") == 204
    assert (await the_sum(app))["amount"] == "855012.00"
    # and the list of the one that agreed is restated
    await app.deliver(list_sizes("weighted", {"A00001": 32_000}))
    assert (await the_sum(app))["amount"] == "872360.00"  # 16.696 × 51,000 + 1.304 × 32,000 / 2


async def test_a_ceiling_is_of_the_network_and_counts_once_every_member_agreed(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    # 5,200.00 in a month; nationally a clinical pharmacist is paid up to 59,312.00 / 12 from October on
    await app.deliver(a_month_claimed(1, "2022-10", "clinical_pharmacist", "5200.00"))
    await app.deliver(a_month_claimed(2, "2022-09", "clinical_pharmacist", "5200.00"))
    assert (await of_claim(app, "claim-1"))["payable"] == "4942.67"
    variation = await in_force(app, ceilings=[CEILING], practices=("A00001",))
    assert (await of_claim(app, "claim-1"))["payable"] == "4942.67", "one of two members agreed"
    assert (await consent(app, variation, "A00002")).status_code == 201
    claim = await of_claim(app, "claim-1")
    assert (claim["payable"], claim["checked"]["variation"]) == ("5200.00", variation["id"])
    assert claim["checked"]["tariff"] == f"{variation['id']}.maximum.clinical_pharmacist.national"
    assert (await of_claim(app, "claim-2"))["payable"] == "4776.50", "September comes before it"
    spans = [event for event in await app.announced() if isinstance(event, NetworkVaried)][-1].spans
    assert [(one.practices, one.every_member, one.valid_from, one.valid_to) for one in spans] == [
        (["A00001", "A00002"], True, date(2022, 10, 1), date(2023, 3, 31))
    ]
    approved = await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))
    assert (approved.status_code, approved.json()["payable"]) == (200, "5200.00")
    # a third practice joins that has not agreed: from its month on the national ceiling counts
    await app.deliver(a_month_claimed(3, "2022-11", "clinical_pharmacist", "5200.00"))
    await app.deliver(a_month_claimed(4, "2022-12", "clinical_pharmacist", "5200.00"))
    await app.deliver(
        PracticeJoined(
            network=NETWORK,
            commissioner=COMMISSIONER,
            practice="A00003",
            valid_from=date(2022, 12, 1),
            share=Decimal(1),
        )
    )
    assert (await of_claim(app, "claim-3"))["payable"] == "5200.00"
    assert (await of_claim(app, "claim-4"))["payable"] == "4942.67"
    spans = [event for event in await app.announced() if isinstance(event, NetworkVaried)][-1].spans
    assert [(one.every_member, one.valid_from, one.valid_to) for one in spans] == [
        (True, date(2022, 10, 1), date(2022, 11, 30)),
        (False, date(2022, 12, 1), date(2023, 3, 31)),
    ]
    # one takes its consent back: what was approved stays, what waits is worth the national ceiling
    assert await take_back(app, variation, "A00002", "2022-11-01") == 204
    assert (await of_claim(app, "claim-3"))["payable"] == "4942.67"
    assert (await of_claim(app, "claim-1"))["payable"] == "5200.00"


async def test_a_line_that_pays_a_claim_names_the_variation_and_recomputes(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    variation = await in_force(app, ceilings=[CEILING])
    await app.deliver(a_month_claimed(1, "2022-10", "clinical_pharmacist", "5500.00"))
    assert (await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))).status_code == 200
    run = await paid(app, "2022-10")
    (line,) = await lines_of(app, run, stream="arrs")
    told = await explained(app, line)
    assert (line["amount"], told["recomputed"]) == ("5416.67", "5416.67")  # 65,000.00 / 12
    assert any(f"of the local variation {variation['id']}" in step for step in told["arithmetic"])


async def test_arrears_reach_as_far_as_a_ceiling_agreed_to_afterwards(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await app.deliver(a_month_claimed(1, "2022-10", "clinical_pharmacist", "5200.00"))
    assert (await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))).json()["payable"] == "4942.67"
    variation = await in_force(app, ceilings=[CEILING])
    await app.deliver(
        ArrearsClaimed(
            arrears="arrears-1",
            network=NETWORK,
            contract_year="2022-23",
            items=[
                ArrearsItem(
                    claim="claim-1",
                    post="post-1",
                    month="2022-10",
                    salary=Decimal("400.00"),
                    employer_ni=Decimal("0.00"),
                    employer_pension=Decimal("0.00"),
                )
            ],
            made_on=date(2022, 12, 1),
        )
    )
    shown = (await app.client.get("/funding/v1/arrears-claims/arrears-1", headers=nan(app))).json()
    # the claim with its arrears is 5,600.00, of which the ceiling pays 5,416.67 and 4,942.67 was paid; within 400.00
    assert (shown["payable"], shown["checked"]["months"][0]["variation"]) == ("400.00", variation["id"])


async def test_caps_and_further_roles_of_a_variation(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await publish(
        app,
        kind="role_maximum",
        code="mental_health_practitioner",
        basis="wte",
        value="60000.00",
        valid_from="2022-04-01",
        valid_to="2023-03-31",
    )
    await app.deliver(
        *(a_month_claimed(n, "2022-10", "mental_health_practitioner", "3000.00") for n in (1, 2, 3)),
        a_month_claimed(4, "2022-10", OPENED, "5200.00"),
        a_month_claimed(5, "2022-09", OPENED, "5200.00"),
        a_month_claimed(6, "2022-10", "care_coordinator", "2000.00"),
        a_month_claimed(7, "2022-10", "care_coordinator", "2000.00"),
    )
    assert "role_cap_reached" in {fault["code"] for fault in (await of_claim(app, "claim-3"))["checked"]["faults"]}
    unopened = await of_claim(app, "claim-4")
    assert [fault["code"] for fault in unopened["checked"]["faults"]] == ["role_not_agreed"]
    variation = await in_force(
        app,
        roles=[ROLE],
        caps=[
            {"role": "mental_health_practitioner", "below_100000": None, "from_100000": None},
            {"role": "care_coordinator", "below_100000": "1.5", "from_100000": "3"},
        ],
    )
    assert variation["roles"] == [{"role": OPENED, "name": "Frailty nurse", "value": "60000.00"}]
    third = await of_claim(app, "claim-3")
    assert "role_cap_reached" not in {fault["code"] for fault in third["checked"]["faults"]}, "any number"
    assert (third["checked"]["cap_days"], third["checked"]["cap_variation"]) == (None, variation["id"])
    assert (await of_claim(app, "claim-4"))["payable"] == "5000.00"
    early = await of_claim(app, "claim-5")
    assert [fault["code"] for fault in early["checked"]["faults"]] == ["role_not_agreed"]
    second = await of_claim(app, "claim-7")
    assert (second["payable"], second["limited_by"]) == ("1000.00", "role_cap"), "half of one is left"
    assert second["checked"]["cap_variation"] == variation["id"]
    event = next(event for event in await app.announced() if isinstance(event, VariationApproved))
    assert [(one.role, one.ceiling) for one in event.roles] == [(OPENED, Decimal("60000.00"))]
    assert [(one.role, one.below_100000) for one in event.caps] == [
        ("mental_health_practitioner", None),
        ("care_coordinator", Decimal("1.5")),
    ]
    published = [event for event in await app.announced() if isinstance(event, TariffPublished)][-1]
    assert (published.kind, published.code, published.scope) == ("role_maximum", OPENED, variation["id"])


async def test_a_forecast_expects_people_at_the_ceilings_their_network_stands_under(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    on(app, date(2023, 1, 10))
    await app.deliver(
        recruited("post-1", date(2023, 2, 1)),
        recruited("post-2", date(2023, 3, 1), role=OPENED, zone="inner_london"),
    )

    async def expected() -> tuple[str, int]:
        asked = {"contract_year": "2022-23"}
        shown = (await app.client.get("/funding/v1/forecasts", params=asked, headers=nan(app))).json()["items"][0]
        return shown["expected"], shown["unknown"]

    assert await expected() == (f"{Decimal('59312.00') / 6:.2f}", 1)
    await in_force(app, ceilings=[CEILING], roles=[ROLE])
    assert await expected() == (f"{Decimal('65000.00') / 6 + Decimal('60000.00') / 12:.2f}", 0)


async def test_no_part_of_a_variation_comes_to_less_than_the_country_has(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)

    async def refused(**terms: Any) -> tuple[int, str, set[str]]:
        reply = await app.post(VARIATIONS, a_variation(**{"items": [], **terms}), commissioner(app))
        problem = reply.json()
        return reply.status_code, problem.get("code"), {fault["code"] for fault in problem.get("errors") or []}

    assert await refused() == (422, "Invalid", {"value_error"})
    lower = {**SUM, "value": "16.695"}
    assert await refused(sums=[lower]) == (409, "BelowNationalTotal", set())
    # 0.001 × 50,000 / 2 less for roles, made up by care for frail people
    made = await proposed(app, items=[{**FRAILTY, "value": "0.001"}], sums=[lower])
    assert (made["national_total"], made["varied_total"]) == ("417400.00", "417400.00")
    assert await refused(sums=[{**SUM, "code": "gp_only"}]) == (422, "Invalid", {"sum_unknown"})
    assert await refused(sums=[SUM, SUM]) == (422, "Invalid", {"value_error"})
    assert await refused(ceilings=[{**CEILING, "value": "59311.99"}]) == (409, "BelowNationalTotal", set())
    assert await refused(ceilings=[{**CEILING, "role": OPENED}]) == (422, "Invalid", {"value_error"})
    half = {"role": "care_coordinator", "below_100000": "1", "from_100000": None}
    assert await refused(caps=[half]) == (422, "Invalid", {"value_error"})
    # consent by consent: what one practice gains makes up for what another loses, or it does not
    assert (await consent(app, made, "A00001")).status_code == 201
    early = await approval(app, made)
    assert (early.status_code, early.json()["code"]) == (409, "BelowNationalTotal")
    assert (await consent(app, made, "A00002")).status_code == 201
    assert (await approval(app, made)).status_code == 200
    assert await take_back(app, made, "A00002", "2023-01-01") == 409, "A00001 alone would have 0.50 less"


async def test_a_sum_or_ceiling_raised_nationally_above_a_variation_is_a_finding(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    variation = await in_force(app, sums=[SUM], ceilings=[CEILING])
    raised = {
        "kind": "arrs_sum", "code": "all_roles", "basis": "weighted", "value": "20.000", "rate_period": "window",
        "valid_from": "2022-04-01", "valid_to": "2023-03-31", "supersedes": "arrs_sum.all_roles.2223",
        "confidence": "one_source", "sources": ["letter"],
    }  # fmt: skip
    assert (await app.post("/funding/v1/tariffs", raised, nan(app))).status_code == 201
    # 20.000 for the first half, 18.000 for the second
    assert (await the_sum(app))["amount"] == "950000.00"
    run = await calculated(app, "2022-10")
    (finding,) = await findings_of(app, run, "variation-below-national")
    assert (finding["subject"], finding["amount"], finding["paid_before"]) == (
        *(variation["id"], "450000.00", "500000.00"),
    )


async def test_members_that_agree_at_once_make_the_whole_network_agree(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    await app.deliver(a_month_claimed(1, "2022-10", "clinical_pharmacist", "5200.00"))
    variation = await in_force(app, ceilings=[CEILING], sums=[SUM], practices=("A00001",))
    assert await take_back(app, variation, "A00001", "2022-10-01") == 204
    replies = await asyncio.gather(*(consent(app, variation, practice) for practice in ("A00001", "A00002")))
    assert [reply.status_code for reply in replies] == [201, 201]
    assert (await of_claim(app, "claim-1"))["payable"] == "5200.00"
    assert (await the_sum(app))["amount"] == "867400.00"  # 834,800.00 + 1.304 × 50,000 / 2
    spans = [event for event in await app.announced() if isinstance(event, NetworkVaried)][-1].spans
    assert [(one.practices, one.every_member) for one in spans] == [(["A00001", "A00002"], True)]


async def test_the_doctor_compares_local_terms_as_both_services_keep_them(
    funding_app: Harness, workforce_app: Harness
) -> None:
    await an_area(funding_app)
    await in_force(funding_app, ceilings=[CEILING], practices=("A00001",))
    await workforce_app.deliver(*(e for e in await funding_app.announced() if isinstance(e, NetworkVaried)))
    (copy,) = [copy for copy in COPIES if copy.what == "local-terms"]
    told = []
    for app, statement in ((funding_app, copy.owned), (workforce_app, copy.held)):
        async with app.session() as session:
            told.append([tuple(row) for row in await session.execute(text(statement))])
    assert told[0] == told[1]
    assert [(row[0], row[2:]) for row in told[0]] == [(NETWORK, ("2022-10-01", "2023-03-31", "false"))]
