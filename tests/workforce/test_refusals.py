"""Every refusal of workforce by its HTTP answer, and who may see what."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events import funding, registry, workforce
from shared.identity import Role
from tests.harness import Harness
from tests.workforce.builders import (
    CHECKS,
    NETWORK,
    OTHER,
    PREFIX,
    a_budget,
    a_candidate,
    a_ceiling,
    a_commissioner,
    a_network,
    a_plan,
    at,
    costs,
    in_post,
    lists,
    network_token,
    open_vacancy,
    set_up,
    some_practices,
    up_to_checks,
)


def codes(answer: Any) -> list[str]:
    return [error["code"] for error in answer.json()["errors"]]


async def test_a_network_nobody_approved_recruits_nobody(workforce_app: Harness) -> None:
    at(workforce_app, date(2022, 7, 1))
    refused = await open_vacancy(workforce_app)
    assert (refused.status_code, refused.json()["code"]) == (409, "NetworkNotApproved")


async def test_somebody_elses_network_is_not_found(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    refused = await open_vacancy(workforce_app, network=OTHER)
    assert refused.status_code == 404


async def test_a_closed_network_recruits_nobody(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    await a_plan(workforce_app)
    await workforce_app.deliver(
        registry.NetworkClosed(network=NETWORK, commissioner="SA1", closed_on=date(2022, 4, 30))
    )
    refused = await open_vacancy(workforce_app)
    assert refused.status_code == 409
    assert "NetworkEnded" in codes(refused)


async def test_every_reason_is_given_at_once(workforce_app: Harness) -> None:
    """No plan, no sum, a role of October and no ceiling: one answer names all four."""
    at(workforce_app, date(2022, 7, 1))
    await workforce_app.deliver(a_commissioner(), some_practices("Z80001"), a_network())
    refused = await open_vacancy(workforce_app, role="gp_assistant")
    assert (refused.status_code, refused.json()["code"]) == (409, "VacancyRefused")
    assert set(codes(refused)) == {"NoSubmittedPlan", "BudgetNotKnown", "RoleNotClaimable", "CeilingUnknown"}


async def test_a_held_budget_refuses_with_fundings_reason(workforce_app: Harness) -> None:
    await set_up(workforce_app, budget=None)
    await a_plan(workforce_app)
    await workforce_app.deliver(a_budget(None, reason="the weighted list of Z80002 is missing"))
    refused = await open_vacancy(workforce_app)
    assert codes(refused) == ["BudgetNotKnown"]
    assert "Z80002" in refused.json()["detail"]


async def test_a_budget_taken_away_is_not_known(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    await a_plan(workforce_app)
    await workforce_app.deliver(a_budget(None))
    assert codes(await open_vacancy(workforce_app)) == ["BudgetNotKnown"]


async def test_a_post_over_the_sum_is_refused_with_the_figures(workforce_app: Harness) -> None:
    await set_up(workforce_app, budget="52541.49")  # one penny less than eleven months at the ceiling
    await a_plan(workforce_app)
    refused = await open_vacancy(workforce_app)
    assert codes(refused) == ["SumExceeded"]
    assert "£4776.50" in refused.json()["detail"]
    assert "£4776.49" in refused.json()["detail"]
    await workforce_app.deliver(a_budget("52541.50"))
    assert (await open_vacancy(workforce_app)).status_code == 201


async def test_what_others_cost_is_taken_from_the_sum(workforce_app: Harness) -> None:
    await set_up(workforce_app, budget="60000.00")
    await a_plan(workforce_app)
    assert (await open_vacancy(workforce_app)).status_code == 201
    assert codes(await open_vacancy(workforce_app)) == ["SumExceeded"]


async def test_a_plan_without_room_refuses(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    await a_plan(workforce_app, clinical_pharmacist="0.5")
    assert codes(await open_vacancy(workforce_app)) == ["NoRoomInPlan"]


async def test_a_draft_plan_opens_nothing(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    plan = await a_plan(workforce_app, submit=False)
    assert codes(await open_vacancy(workforce_app, plan=plan["id"])) == ["NotThePlanOfTheYear", "NoSubmittedPlan"]


async def test_a_changed_plan_counts_once_it_is_handed_in_again(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    plan = await a_plan(app)
    path = f"{PREFIX}/plans/{plan['id']}"
    twice = await app.put(f"{path}/submission", {}, network_token(app))
    assert twice.json()["code"] == "PlanAlreadySubmitted"
    tag = (await app.client.get(path, headers=network_token(app))).headers["etag"]
    body = {"roles": [{"role": "clinical_pharmacist", "wte": "1", "start_month": "2022-06"}]}
    missing = await app.client.patch(path, json=body, headers=network_token(app))
    assert missing.status_code == 428
    changed = await app.client.patch(path, json=body, headers={**network_token(app), "If-Match": tag})
    assert (changed.status_code, changed.json()["status"]) == (200, "draft")
    stale = await app.client.patch(path, json=body, headers={**network_token(app), "If-Match": tag})
    assert stale.status_code == 412
    assert codes(await open_vacancy(app)) == ["NoSubmittedPlan"]


async def test_a_second_plan_of_the_year_is_refused(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    await a_plan(workforce_app)
    body = {"network": NETWORK, "contract_year": "2022-23", "roles": []}
    again = await workforce_app.post(f"{PREFIX}/plans", body, network_token(workforce_app))
    assert (again.status_code, again.json()["code"]) == (409, "PlanAlreadyExists")


async def test_an_empty_plan_is_not_handed_in(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    body = {"network": NETWORK, "contract_year": "2022-23", "roles": []}
    plan = (await app.post(f"{PREFIX}/plans", body, network_token(app))).json()
    refused = await app.put(f"{PREFIX}/plans/{plan['id']}/submission", {}, network_token(app))
    assert refused.json()["code"] == "PlanEmpty"


async def test_a_malformed_plan_lists_every_fault(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    roles = [
        {"role": "wizard", "wte": "1", "start_month": "2022-05"},
        {"role": "paramedic", "wte": "1", "start_month": "2021-05"},
    ]
    body = {"network": NETWORK, "contract_year": "2022-23", "roles": roles}
    refused = await workforce_app.post(f"{PREFIX}/plans", body, network_token(workforce_app))
    assert refused.status_code == 422
    assert codes(refused) == ["RoleUnknown", "MonthOutsideYear"]
    worse = {
        "network": "x",
        "contract_year": "2022-24",
        "roles": [{"role": "paramedic", "wte": 1.5, "start_month": "9"}],
    }
    refused = await workforce_app.post(f"{PREFIX}/plans", worse, network_token(workforce_app))
    assert refused.status_code == 422
    assert len(refused.json()["errors"]) == 4


async def test_warnings_of_a_plan_name_what_is_over_or_unknown(workforce_app: Harness) -> None:
    await set_up(workforce_app, budget="100000.00")
    plan = await a_plan(workforce_app, clinical_pharmacist="3", dietitian="1")
    found = [(w["code"], w["message"]) for w in plan["warnings"]]
    assert [code for code, _ in found].count("CeilingUnknown") == 11
    assert found[-1] == ("OverTheSum", "The plan costs £157624.50 at the ceilings, £57624.50 over the sum.")


async def test_a_day_out_of_range_is_malformed(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    for day in ("9999-12-31", "0001-01-01", "2022-02-30"):
        assert (await open_vacancy(workforce_app, opened_on=day)).status_code == 422
    asked = {"network": NETWORK, "role": "gp", "wte": "NaN", "month": "2018-04"}
    answer = await workforce_app.client.get(
        f"{PREFIX}/claimability", params=asked, headers=network_token(workforce_app)
    )
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"query.wte", "query.month"}


async def test_a_cap_is_by_size_and_counts_who_is_there(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await app.deliver(a_ceiling("advanced_practitioner", "62705.00"))
    await a_plan(app, advanced_practitioner="4")
    for _ in range(2):
        assert (await open_vacancy(app, role="advanced_practitioner")).status_code == 201
    assert codes(await open_vacancy(app, role="advanced_practitioner")) == ["CapExceeded"]
    await app.deliver(lists({"Z80001": 78_000, "Z80002": 22_000}))
    assert (await open_vacancy(app, role="advanced_practitioner")).status_code == 201
    assert codes(await open_vacancy(app, role="advanced_practitioner")) == ["CapExceeded"]


async def test_a_size_not_known_is_said_not_guessed(workforce_app: Harness) -> None:
    app = workforce_app
    at(app, date(2022, 7, 1))
    await app.deliver(
        a_commissioner(), some_practices("Z80001"), a_network(), a_ceiling("advanced_practitioner"), a_budget()
    )
    await a_plan(app, advanced_practitioner="4")
    for _ in range(2):
        assert (await open_vacancy(app, role="advanced_practitioner")).status_code == 201
    assert codes(await open_vacancy(app, role="advanced_practitioner")) == ["SizeNotKnown"]


async def test_an_employer_must_be_of_a_kind_the_role_allows(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    unclear = await open_vacancy(app, employer="RX1")
    assert (unclear.status_code, codes(unclear)) == (422, ["EmployerKindMissing"])
    assert codes(await open_vacancy(app, employer="RX1", employer_kind="supplier")) == ["EmployerNotAllowed"]
    assert (await open_vacancy(app, employer="RX1", employer_kind="trust")).status_code == 201


async def test_nobody_starts_before_every_check(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    opened = (await open_vacancy(app)).json()["id"]
    candidate = await a_candidate(app)
    path = f"{PREFIX}/vacancies/{opened}/appointment"
    body = {"candidate": candidate, "started_on": "2022-06-01", "wte": "1"}
    early = await app.put(path, body, network_token(app))
    assert early.json()["code"] == "StageOutOfOrder"
    await up_to_checks(app, opened, checks={"identity": "2022-05-20", "dbs": "2022-06-02"})
    refused = await app.put(path, body, network_token(app))
    assert (refused.status_code, refused.json()["code"]) == (409, "ChecksNotDone")
    assert [(e["field"], e["code"]) for e in refused.json()["errors"]] == [
        ("checks.right_to_work", "CheckMissing"),
        ("checks.professional_register", "CheckMissing"),
        ("checks.dbs", "CheckAfterStart"),
    ]
    stage = {"stage": "checks", "on": "2022-05-21", "checks": CHECKS}
    await app.put(f"{PREFIX}/vacancies/{opened}/stage", stage, network_token(app))
    for change, code in [
        ({"wte": "0.5", "started_on": "2022-08-01"}, "NotStartedYet"),
        ({"started_on": "2022-05-19"}, "ChecksNotDone"),
    ]:
        assert (await app.put(path, body | change, network_token(app))).json()["code"] == code
    assert (await app.put(path, body, network_token(app))).status_code == 200
    again = await app.put(path, body, network_token(app))
    assert again.json()["code"] == "VacancyNotOpen"


async def test_an_appointment_is_no_larger_than_the_vacancy(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    opened = (await open_vacancy(app, wte="0.6")).json()["id"]
    await up_to_checks(app, opened)
    body = {"candidate": await a_candidate(app), "started_on": "2022-06-01", "wte": "0.8"}
    refused = await app.put(f"{PREFIX}/vacancies/{opened}/appointment", body, network_token(app))
    assert refused.json()["code"] == "MoreThanTheVacancy"


async def test_one_person_over_full_time_needs_a_word(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    candidate = await a_candidate(app)
    await in_post(app, candidate=candidate, wte="0.7")
    opened = (await open_vacancy(app, wte="0.4")).json()["id"]
    await up_to_checks(app, opened)
    path = f"{PREFIX}/vacancies/{opened}/appointment"
    body = {"candidate": candidate, "started_on": "2022-06-01", "wte": "0.4"}
    refused = await app.put(path, body, network_token(app))
    assert (refused.status_code, refused.json()["code"]) == (409, "OverFullTime")
    reasoned = await app.put(path, body | {"over_full_time_reason": "two half posts, agreed"}, network_token(app))
    assert reasoned.status_code == 200, reasoned.text


async def test_a_suppliers_fee_is_for_link_workers_alone(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    path = f"{PREFIX}/posts/{post['id']}/costs"
    refused = await app.post(path, costs(supplier_fee="200.00"), network_token(app))
    assert (refused.status_code, refused.json()["code"]) == (409, "SupplierFeeNotAllowed")
    negative = await app.post(path, costs(salary="-1.00"), network_token(app))
    assert negative.status_code == 422


async def test_a_cost_is_corrected_until_it_is_claimed(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    path = f"{PREFIX}/posts/{post['id']}/costs"
    made = await app.post(path, costs(), network_token(app))
    again = await app.post(path, costs(), network_token(app))
    assert (again.status_code, again.json()["code"]) == (409, "CostsAlreadyRecorded")
    body = {k: v for k, v in costs(salary="3600.00").items() if k != "month"}
    right = await app.put(f"{path}/2022-06", body, network_token(app), match=made.headers["etag"])
    assert (right.status_code, right.json()["total"]) == (200, "4503.30")
    claimed = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    assert claimed.json()["total"] == "4503.30"
    late = await app.put(f"{path}/2022-06", body, network_token(app), match=right.headers["etag"])
    assert late.json()["code"] == "CostsAlreadyClaimed"


async def test_a_post_that_replaces_a_baseline_post_is_never_claimed(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    practice = app.token(Role.PRACTICE, organisations=["Z80001"])
    body = {"practice": "Z80001", "role": "clinical_pharmacist", "wte": "1"}
    made = await app.post(f"{PREFIX}/baselines", body, practice)
    assert made.status_code == 201, made.text
    twice = await app.post(f"{PREFIX}/baselines", body, practice)
    assert twice.json()["code"] == "BaselineAlreadyRecorded"
    other = await app.post(f"{PREFIX}/baselines", body | {"practice": "Z80002"}, practice)
    assert other.status_code == 404
    post = await in_post(app, baseline=made.json()["id"])
    assert post["additional"] is False
    recruited = [e for e in await app.announced() if isinstance(e, workforce.RoleRecruited)]
    assert [e.additional for e in recruited] == [False]
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    refused = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    assert refused.json()["code"] == "NothingToClaim"
    assert codes(refused) == ["NotAdditional"]
    wrong = await open_vacancy(app, baseline=made.json()["id"], role="dietitian")
    assert codes(wrong) == ["OtherRole"]


async def test_a_baseline_post_left_empty_blocks_one_wte_after_three_months(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    ccg = app.token(Role.COMMISSIONER, organisations=["SA1"])
    body = {"practice": "Z80001", "role": "clinical_pharmacist", "wte": "1"}
    made = (await app.post(f"{PREFIX}/baselines", body, ccg)).json()["id"]
    path = f"{PREFIX}/baselines/{made}/vacancy"
    early = await app.put(path, {"vacant_from": "2019-03-30"}, ccg)
    assert early.json()["code"] == "VacancyBeforeBaseline"
    assert (await app.put(path, {"vacant_from": "2022-04-10"}, ccg)).status_code == 200
    asked = await app.client.get(
        f"{PREFIX}/claimability",
        params={"network": NETWORK, "role": "clinical_pharmacist", "wte": "1", "month": "2022-05"},
        headers=network_token(app),
    )
    blocked = [m["month"] for m in asked.json()["months"] if "BaselinePostVacant" in [r["code"] for r in m["reasons"]]]
    assert blocked == [f"2022-{m:02d}" for m in range(8, 13)] + ["2023-01", "2023-02", "2023-03"]
    assert (await app.put(path, {"filled_on": "2022-06-01"}, ccg)).status_code == 200
    assert (await open_vacancy(app)).status_code == 201


async def test_claimability_answers_month_by_month(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app, budget="9553.00")
    await a_plan(app)
    await app.deliver(
        a_ceiling("clinical_pharmacist", "59312.00", date(2022, 10, 1), date(2023, 3, 31), known_from=date(2022, 6, 1))
    )
    asked = await app.client.get(
        f"{PREFIX}/claimability",
        params={"network": NETWORK, "role": "clinical_pharmacist", "wte": "1", "month": "2022-09"},
        headers=network_token(app),
    )
    answer = asked.json()
    assert asked.status_code == 200
    assert answer["claimable"] is False
    first, second, third = answer["months"][:3]
    assert (first["month"], first["claimable"], first["most"], first["room"]) == ("2022-09", True, "4776.50", "9553.00")
    assert (second["ceiling"], second["most"], second["room"]) == ("59312.00", "4942.67", "4776.50")
    assert (second["claimable"], [r["code"] for r in second["reasons"]]) == (False, ["SumExceeded"])
    assert third["room"] == "-166.17"
    assert first["share"] == "1"


@pytest.mark.parametrize(
    ("roles", "organisations", "seen"),
    [
        ((Role.NETWORK,), [NETWORK], True),
        ((Role.NETWORK,), [OTHER], False),
        ((Role.COMMISSIONER,), ["SA1"], True),
        ((Role.COMMISSIONER,), ["SB2"], False),
        ((Role.SYSTEM,), ["QZ1"], True),
        ((Role.SYSTEM,), ["QZ2"], False),
        ((Role.NATIONAL,), [], True),
    ],
)
async def test_each_caller_sees_its_own(
    workforce_app: Harness, roles: tuple[Role, ...], organisations: list[str], seen: bool
) -> None:
    app = workforce_app
    await set_up(app)
    await app.deliver(a_commissioner("SB2", "QZ2"), a_network(OTHER, commissioner="SB2", practices=("Z80003",)))
    plan = await a_plan(app)
    post = await in_post(app)
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    claim = (await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))).json()
    headers = app.token(*roles, organisations=organisations)
    for noun, code in [
        ("plans", plan["id"]),
        ("vacancies", post["vacancy"]),
        ("posts", post["id"]),
        ("candidates", post["candidate"]),
        ("claims", claim["claims"][0]["id"]),
    ]:
        one = await app.client.get(f"{PREFIX}/{noun}/{code}", headers=headers)
        all_of_them = await app.client.get(f"{PREFIX}/{noun}", headers=headers)
        assert one.status_code == (200 if seen else 404), noun
        assert len(all_of_them.json()["items"]) == (1 if seen else 0), noun


async def test_a_commissioner_reads_but_does_not_recruit(workforce_app: Harness) -> None:
    await set_up(workforce_app)
    headers = workforce_app.token(Role.COMMISSIONER, organisations=["SA1"])
    refused = await workforce_app.post(f"{PREFIX}/plans", {"network": NETWORK, "contract_year": "2022-23"}, headers)
    assert refused.status_code == 403


async def test_the_catalogue_is_dated(workforce_app: Harness) -> None:
    headers = workforce_app.token(Role.PRACTICE, organisations=["Z80001"])

    async def on(day: str) -> dict[str, Any]:
        answer = await workforce_app.client.get(f"{PREFIX}/roles", params={"as_at": day}, headers=headers)
        return {role["role"]: role for role in answer.json()["items"]}

    assert set(await on("2019-07-01")) == {"clinical_pharmacist", "social_prescribing_link_worker"}
    assert (await on("2019-07-01"))["clinical_pharmacist"]["shares"][0]["share"] == "0.70"
    assert "gp_assistant" not in await on("2022-09-30")
    assert "gp_assistant" in await on("2022-10-01")
    assert (await on("2023-06-01"))["advanced_practitioner"]["caps"][0]["from_100000"] == "6"
    assert (await on("2024-06-01"))["advanced_practitioner"]["caps"] == []


async def test_a_claim_paid_for_less_frees_the_rest_of_the_sum(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app, budget="60000.00")
    await a_plan(app)
    post = await in_post(app)
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(salary="1000.00"), network_token(app))
    made = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    claim = made.json()["claims"][0]["id"]
    params = {"network": NETWORK, "role": "clinical_pharmacist", "wte": "0.1", "month": "2023-03"}

    async def room() -> Decimal:
        asked = await app.client.get(f"{PREFIX}/claimability", params=params, headers=network_token(app))
        return Decimal(asked.json()["months"][0]["room"])

    before = await room()
    assert before == Decimal("60000.00") - 10 * Decimal("4776.50")
    await app.deliver(
        funding.ClaimApproved(
            claim=claim,
            network=NETWORK,
            post=post["id"],
            month="2022-06",
            claimed=Decimal("1903.30"),
            payable=Decimal("1903.30"),
        )
    )
    assert await room() == before + Decimal("4776.50") - Decimal("1903.30")
