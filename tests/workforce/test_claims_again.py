"""A claim sent back is made again; standing is stated; posts of the baseline that stand empty take days off claims."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from services.workforce.claims.model import withheld_days
from services.workforce.posts.model import Post
from shared.events import funding, workforce
from shared.identity import Role
from tests.harness import Harness
from tests.workforce.builders import NETWORK, PREFIX, a_plan, costs, in_post, network_token, set_up


async def a_claim_made(app: Harness) -> tuple[dict[str, Any], dict[str, Any]]:
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    made = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    return post, made.json()["claims"][0]


async def test_a_claim_returned_is_put_right_and_made_again(workforce_app: Harness) -> None:
    app = workforce_app
    post, claim = await a_claim_made(app)
    again = f"{PREFIX}/claims/{claim['id']}/resubmission"
    early = await app.post(again, None, network_token(app))
    assert (early.status_code, early.json()["code"]) == (409, "ClaimNotReopened")
    path = f"{PREFIX}/posts/{post['id']}/costs/2022-06"
    right = {"salary": "3400.00", "employer_ni": "400.00", "employer_pension": "500.00"}
    closed = await app.client.put(path, json=right, headers={**network_token(app), "If-Match": '"1"'})
    assert closed.json()["code"] == "CostsAlreadyClaimed"
    same = {"claim": claim["id"], "network": NETWORK, "post": post["id"], "month": "2022-06"}
    await app.deliver(funding.ClaimReturned(**same, code="hours_unclear", reason="Say the hours."))
    shown = (await app.client.get(f"{PREFIX}/claims/{claim['id']}", headers=network_token(app))).json()
    assert (shown["state"], shown["code"], shown["reason"]) == ("returned", "hours_unclear", "Say the hours.")
    corrected = await app.client.put(path, json=right, headers={**network_token(app), "If-Match": '"1"'})
    assert corrected.status_code == 200, corrected.text
    made = await app.post(again, None, network_token(app))
    assert made.status_code == 201, made.text
    second = made.json()
    assert (second["attempt"], second["resubmits"], second["total"]) == (2, claim["id"], "4300.00")
    told = [event for event in await app.announced() if isinstance(event, workforce.ClaimMade)]
    assert [(event.claim, event.resubmits, event.first_made_on) for event in told] == [
        (claim["id"], None, date(2022, 7, 1)),
        (second["id"], claim["id"], date(2022, 7, 1)),
    ]
    twice = await app.post(again, None, network_token(app))
    assert (twice.status_code, twice.json()["code"]) == (409, "ClaimNotReopened")
    other = app.token(Role.NETWORK, organisations=["U90002"])
    assert (await app.post(again, None, other)).status_code == 404


async def test_standing_is_stated_before_it_is_claimed_and_goes_with_the_claim(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    path = f"{PREFIX}/posts/{post['id']}/standing"
    body = {"person": "psn-7c1e90aa41", "qualified_on": "2021-02-01", "employed_here_until": "2022-06-01"}
    late = await app.put(path, body, network_token(app))
    assert (late.status_code, late.json()["code"]) == (409, "StandingAfterStart")
    assert [fault["field"] for fault in late.json()["errors"]] == ["employed_here_until"]
    stated = await app.put(path, {**body, "employed_here_until": None}, network_token(app))
    assert stated.status_code == 200, stated.text
    assert stated.json()["standing"]["qualified_on"] == "2021-02-01"
    unversioned = await app.client.put(path, json=body, headers=network_token(app))
    assert unversioned.status_code == 428
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    (event,) = [event for event in await app.announced() if isinstance(event, workforce.ClaimMade)]
    assert event.standing is not None
    assert (event.person, event.standing.qualified_on) == ("psn-7c1e90aa41", date(2021, 2, 1))
    assert (event.employer, event.started_on) == ("Z80001", date(2022, 6, 1))


async def test_a_baseline_post_empty_beyond_its_grace_takes_days_off_the_newest_post(workforce_app: Harness) -> None:
    app = workforce_app
    await set_up(app)
    await a_plan(app)
    post = await in_post(app)
    practice = app.token(Role.PRACTICE, organisations=["Z80001"])
    made = await app.post(
        f"{PREFIX}/baselines", {"practice": "Z80001", "role": "clinical_pharmacist", "wte": "1"}, practice
    )
    assert made.status_code == 201, made.text
    empty = await app.put(f"{PREFIX}/baselines/{made.json()['id']}/vacancy", {"vacant_from": "2022-03-10"}, practice)
    assert empty.status_code == 200, empty.text
    await app.post(f"{PREFIX}/posts/{post['id']}/costs", costs(), network_token(app))
    claimed = await app.post(f"{PREFIX}/claims", {"network": NETWORK, "month": "2022-06"}, network_token(app))
    # the grace of three months ends on 10 June: of June, twenty days of one whole-time equivalent are left out
    assert claimed.json()["claims"][0]["withheld_days"] == "20"
    (event,) = [event for event in await app.announced() if isinstance(event, workforce.ClaimMade)]
    assert event.withheld_days == Decimal(20)


def a_post(name: str, started: date, wte: str) -> Post:
    return Post(id=name, started_on=started, ended_on=None, wte=Decimal(wte))


def test_those_who_came_last_bear_what_is_withheld() -> None:
    first, second = a_post("post-1", date(2020, 1, 1), "1"), a_post("post-2", date(2022, 6, 16), "0.6")
    assert withheld_days([first, second], "2022-06", []) == {}
    borne = withheld_days([first, second], "2022-06", [(date(2022, 6, 1), date(2022, 6, 21))])
    # until the 15th the first bears all; for five days the second bears its 0.6, the first the rest
    assert borne == {"post-1": Decimal("17.0"), "post-2": Decimal("3.0")}
    whole = withheld_days([first, second], "2022-06", [(date(2022, 1, 1), None)] * 2)
    assert whole == {"post-1": Decimal(30), "post-2": Decimal("9.0")}
