"""From a plan to a paid claim, through the API, with what is announced on the way."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.events import funding, workforce
from tests.harness import Harness
from tests.workforce.builders import (
    NETWORK,
    PREFIX,
    a_network,
    a_plan,
    costs,
    in_post,
    network_token,
    open_vacancy,
    set_up,
    up_to_checks,
)


async def test_a_plan_becomes_a_post_becomes_a_paid_claim(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    plan = await a_plan(app)
    assert plan["status"] == "submitted"
    assert plan["planned_cost"] == "157624.50"  # 57,318 x 3 WTE x 11 months / 12
    assert plan["warnings"] == []
    post = await in_post(app)
    assert post["additional"] is True
    assert post["days_to_hire"] == 31
    cost = await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    assert cost.status_code == 201
    assert cost.json()["total"] == "4403.30"
    made = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    assert made.status_code == 201, made.text
    claim = made.json()["claims"][0]
    assert (made.json()["total"], claim["state"]) == ("4403.30", "made")
    kinds = [type(event) for event in await app.announced()]
    assert kinds == [
        workforce.PlanSubmitted,
        workforce.VacancyOpened,
        workforce.RoleRecruited,
        workforce.ClaimMade,
    ]
    same = {"claim": claim["id"], "network": NETWORK, "post": post["id"], "month": "2022-06"}
    await app.deliver(
        funding.ClaimApproved(**same, claimed=Decimal("4403.30"), payable=Decimal("4403.30")),
        funding.ClaimPaid(**same, run="run-1", amount=Decimal("4403.30")),
    )
    shown = (await app.client.get(f"{PREFIX}/claims/{claim['id']}", headers=network_token(app))).json()
    assert (shown["state"], shown["payable"], shown["paid"], shown["run"]) == ("paid", "4403.30", "4403.30", "run-1")


async def test_a_second_claim_of_a_month_makes_nothing_new(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    body = {"network": NETWORK, "month": "2022-06"}
    first = await app.post(f"{PREFIX}/claims", body, network_token(app))
    again = await app.post(f"{PREFIX}/claims", body, network_token(app))
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["code"] == "NothingToClaim"
    assert [e["code"] for e in again.json()["errors"]] == ["AlreadyClaimed"]
    assert len([e for e in await app.announced() if isinstance(e, workforce.ClaimMade)]) == 1


async def test_posts_without_costs_are_named_beside_those_claimed(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    from tests.workforce.builders import a_candidate

    other = await in_post(app, candidate=await a_candidate(app, "P-2"))
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    made = (await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))).json()
    assert [c["post"] for c in made["claims"]] == [post["id"]]
    assert [(f["field"], f["code"]) for f in made["not_claimed"]] == [(other["id"], "CostsMissing")]


async def test_a_month_is_claimed_after_its_last_day(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    refused = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-07"}, network_token(app))
    assert (refused.status_code, refused.json()["code"]) == (409, "MonthNotEnded")
    assert "2022-07-31" in refused.json()["detail"]


async def test_a_later_approval_does_not_undo_a_payment(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    made = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    claim = made.json()["claims"][0]["id"]
    same = {"claim": claim, "network": NETWORK, "post": post["id"], "month": "2022-06"}
    await app.deliver(funding.ClaimPaid(**same, run="run-1", amount=Decimal("9.00")), position=900)
    await app.deliver(funding.ClaimRejected(**same, code="X", reason="late copy"), position=899)
    shown = (await app.client.get(f"{PREFIX}/claims/{claim}", headers=network_token(app))).json()
    assert (shown["state"], shown["paid"]) == ("paid", "9.00")


async def test_an_ended_post_is_claimed_for_the_days_worked(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    ended = await app.put(f"{PREFIX}/posts/{post['id']}/ending", {"ended_on": "2022-06-20"}, network_token(app))
    assert ended.status_code == 200, ended.text
    outside = await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs("2022-07"), network_token(app))
    assert (outside.status_code, outside.json()["code"]) == (409, "CostsOutsidePost")
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    made = (await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))).json()
    assert (made["claims"][0]["worked_from"], made["claims"][0]["worked_to"]) == ("2022-06-01", "2022-06-20")
    again = await app.put(f"{PREFIX}/posts/{post['id']}/ending", {"ended_on": "2022-06-21"}, network_token(app))
    assert again.json()["code"] == "PostAlreadyEnded"
    told = [event for event in await app.announced() if isinstance(event, workforce.PostEnded)]
    assert [(event.post, event.ended_on) for event in told] == [(post["id"], date(2022, 6, 20))]


async def test_a_vacancy_withdrawn_frees_its_room(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app, clinical_pharmacist="1")
    first = (await open_vacancy(app)).json()
    assert (await open_vacancy(app)).status_code == 409
    done = await app.put(
        f"{PREFIX}/vacancies/{first['id']}/withdrawal",
        {"on": "2022-05-03", "reason": "funding moved"},
        network_token(app),
    )
    assert done.status_code == 200, done.text
    assert (await open_vacancy(app)).status_code == 201


async def test_copies_accept_the_budget_before_the_network(workforce_app: Harness) -> None:
    """What funding and the registry say of one network arrives in any order."""
    from tests.workforce.builders import a_budget, a_ceiling, a_commissioner, at, lists, some_practices

    app = workforce_app
    at(app, date(2022, 7, 1))
    await app.deliver(
        a_budget(),
        a_ceiling(),
        lists({"Z80001": 20_000, "Z80002": 22_000}),
        a_network(),
        some_practices("Z80001", "Z80002"),
        a_commissioner(),
    )
    await a_plan(app)
    assert (await open_vacancy(app)).status_code == 201


async def test_stages_go_one_after_the_other(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    opened = (await open_vacancy(app)).json()
    path = f"{PREFIX}/vacancies/{opened['id']}/stage"
    jumped = await app.put(path, {"stage": "interview", "on": "2022-05-02"}, network_token(app))
    assert (jumped.status_code, jumped.json()["code"]) == (409, "StageOutOfOrder")
    early = await app.put(path, {"stage": "advert", "on": "2022-04-30"}, network_token(app))
    assert early.json()["code"] == "StepBeforeTheLast"
    done = await up_to_checks(app, opened["id"], checks={"identity": "2022-05-20"})
    assert done.json()["steps"]["offer"] == "2022-05-15"
    more = await app.put(
        path, {"stage": "checks", "on": "2022-05-22", "checks": {"dbs": "2022-05-22"}}, network_token(app)
    )
    assert more.json()["checks"] == {"identity": "2022-05-20", "dbs": "2022-05-22"}
