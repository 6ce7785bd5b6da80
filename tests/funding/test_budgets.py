"""Sums given up and taken on, set again when populations change, and over-committed when they fall."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from shared.events.funding import BudgetSet, ClaimPaid
from shared.identity import Role
from tests.funding.adding_up import adds_up
from tests.funding.asking import explained
from tests.funding.builders import NETWORK, a_claim, an_approved_network, list_sizes, some_practices
from tests.funding.test_claims import commissioner
from tests.funding.test_claims_decided import CLAIMS, a_month_claimed, an_area_in
from tests.funding.test_journey import an_area, paid
from tests.funding.test_succession import on
from tests.funding.test_withdrawals import withdrawn
from tests.harness import Harness

OTHER = "U20000"
MOVES = "/funding/v1/redistributions"


def network(app: Harness, code: str = NETWORK) -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[code], subject=f"of-{code}")


async def two_networks(app: Harness, year: int = 2023, other_commissioner: str = "00L") -> None:
    """50,000 weighted patients here, 1,000 there."""
    await an_area_in(app, year)
    snapshot = date(year, 1, 1)
    await app.deliver(
        some_practices(["B00001"], commissioner=other_commissioner),
        list_sizes("registered", {"B00001": 1_000}, snapshot=snapshot, network=OTHER),
        list_sizes("weighted", {"B00001": 1_000}, snapshot=snapshot, network=OTHER),
        an_approved_network(
            OTHER, ["B00001"], commissioner=other_commissioner, contract_year=f"{year}-{year % 100 + 1}"
        ),
    )


async def sums(app: Harness, year: str = "2023-24") -> dict[str, dict[str, Any]]:
    shown = await app.client.get(
        "/funding/v1/budgets", params={"contract_year": year}, headers=app.token(Role.NATIONAL)
    )
    return {budget["network"]: budget for budget in shown.json()["items"]}


def a_move(amount: str = "30000.00", **changed: str) -> dict[str, str]:
    return {"contract_year": "2023-24", "giver": NETWORK, "receiver": OTHER, "amount": amount, **changed}


async def test_unclaimed_money_moves_when_both_networks_and_their_commissioner_agree(funding_app: Harness) -> None:
    app = funding_app
    await two_networks(app)
    await app.deliver(a_month_claimed(1, "2023-09", "clinical_pharmacist", "5000.00", network=OTHER))
    async with app.session() as session:
        await session.execute(text("UPDATE budgets SET amount = 3000.00 WHERE network = :n"), {"n": OTHER})
    made = await app.post(MOVES, a_move(), network(app))
    assert made.status_code == 201, made.text
    here = f"{MOVES}/{made.json()['id']}"
    early = await app.put(f"{here}/approval", None, commissioner(app))
    assert (early.status_code, early.json()["code"]) == (409, "RedistributionNotOpen")
    not_theirs = await app.put(f"{here}/acceptance", None, network(app))
    assert (not_theirs.status_code, not_theirs.json()["code"]) == (403, "NotTheReceiver")
    assert (await app.put(f"{here}/acceptance", None, network(app, OTHER))).json()["status"] == "accepted"
    assert (await app.client.get(here, headers=network(app, "U99999"))).status_code == 404
    approved = await app.put(f"{here}/approval", None, commissioner(app))
    assert (approved.status_code, approved.json()["status"]) == (200, "approved")
    now = await sums(app)
    # 22.671 × 50,000 − 30,000.00 and 22.671 × 1,000 + 30,000.00
    assert (now[NETWORK]["amount"], now[OTHER]["amount"]) == ("1103550.00", "52671.00")
    assert now[OTHER]["trace"]["moved"] == {"given": "0.00", "received": "30000.00"}
    told = [event for event in await app.announced() if isinstance(event, BudgetSet)]
    assert {event.network: event.amount for event in told[-2:]} == {
        NETWORK: Decimal("1103550.00"),
        OTHER: Decimal("52671.00"),
    }
    claim = (await app.client.get(f"{CLAIMS}/claim-1", headers=commissioner(app))).json()
    assert claim["payable"] == "5000.00"
    await app.deliver(list_sizes("weighted", {"B00001": 2_000}, snapshot=date(2023, 1, 1), network=OTHER))
    assert (await sums(app))[OTHER]["amount"] == "75342.00"
    again = await app.put(f"{here}/approval", None, commissioner(app))
    assert (again.status_code, again.json()["code"]) == (409, "RedistributionNotOpen")
    listed = await app.client.get(MOVES, params={"network": OTHER, "status": "approved"}, headers=network(app, OTHER))
    assert [move["amount"] for move in listed.json()["items"]] == ["30000.00"]


async def test_a_network_gives_no_more_than_is_left_and_not_after_2023_24(funding_app: Harness) -> None:
    app = funding_app
    await two_networks(app)
    await app.deliver(a_month_claimed(1, "2023-09", "clinical_pharmacist", "5000.00", network=OTHER))
    beyond = await app.post(MOVES, a_move("17671.01", giver=OTHER, receiver=NETWORK), network(app, OTHER))
    assert (beyond.status_code, beyond.json()["code"]) == (409, "BeyondWhatIsLeft")
    all_left = await app.post(MOVES, a_move("17671.00", giver=OTHER, receiver=NETWORK), network(app, OTHER))
    assert all_left.status_code == 201
    here = f"{MOVES}/{all_left.json()['id']}"
    await app.put(f"{here}/acceptance", None, network(app))
    await app.deliver(a_month_claimed(2, "2023-10", "clinical_pharmacist", "1.00", network=OTHER))
    claimed_since = await app.put(f"{here}/approval", None, commissioner(app))
    assert (claimed_since.status_code, claimed_since.json()["code"]) == (409, "BeyondWhatIsLeft")
    refused = await app.put(f"{here}/refusal", {"reason": "It was claimed meanwhile."}, commissioner(app))
    assert (refused.json()["status"], refused.json()["reason"]) == ("refused", "It was claimed meanwhile.")
    late = await app.post(MOVES, a_move(contract_year="2024-25"), network(app))
    assert (late.status_code, late.json()["code"]) == (409, "RedistributionNotAllowed")
    itself = await app.post(MOVES, a_move(receiver=NETWORK), network(app))
    assert (itself.status_code, itself.json()["code"]) == (409, "RedistributionNotOpen")
    stranger = await app.post(MOVES, a_move(), network(app, OTHER))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "RedistributionNotFound")
    nothing = await app.post(MOVES, a_move("0.00"), network(app))
    assert nothing.status_code == 422


async def test_one_commissioner_cannot_move_money_to_another_ones_network(funding_app: Harness) -> None:
    app = funding_app
    await two_networks(app, other_commissioner="99X")
    made = await app.post(MOVES, a_move(), network(app))
    here = f"{MOVES}/{made.json()['id']}"
    await app.put(f"{here}/acceptance", None, network(app, OTHER))
    for code in ("00L", "99X"):
        refused = await app.put(f"{here}/approval", None, commissioner(app, code))
        assert (refused.status_code, refused.json()["code"]) == (403, "NotYoursToDecide")
    assert (await app.put(f"{here}/approval", None, app.token(Role.NATIONAL, subject="nan"))).status_code == 200


async def test_two_redistributions_of_the_same_money_at_once_move_it_once(funding_live: Harness) -> None:
    app = funding_live
    await two_networks(app)
    moves = []
    for _ in range(2):
        made = await app.post(MOVES, a_move("22000.00", giver=OTHER, receiver=NETWORK), network(app, OTHER))
        accepted = await app.put(f"{MOVES}/{made.json()['id']}/acceptance", None, network(app))
        moves.append((made.json()["id"], accepted.headers["etag"]))
    replies = await asyncio.gather(
        *(
            app.client.put(f"{MOVES}/{move}/approval", headers={**commissioner(app), "If-Match": etag})
            for move, etag in moves
        )
    )
    assert sorted(reply.status_code for reply in replies) == [200, 409]
    assert (await sums(app))[OTHER]["amount"] == "671.00"


async def test_a_sum_that_falls_below_what_was_approved_shows_it_and_touches_no_claim(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2023, weighted=200)
    await app.deliver(a_month_claimed(1, "2023-09", "clinical_pharmacist", "4000.00"))
    assert (await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))).json()["payable"] == "4000.00"
    await app.deliver(list_sizes("weighted", {"A00001": 100}, snapshot=date(2023, 1, 1)))
    now = (await sums(app))[NETWORK]
    assert (now["amount"], now["approved"], now["over_committed"]) == ("2267.10", "4000.00", "1732.90")
    claim = (await app.client.get(f"{CLAIMS}/claim-1", headers=commissioner(app))).json()
    assert (claim["status"], claim["payable"]) == ("approved", "4000.00")


async def test_a_sum_is_told_as_it_was_known(funding_app: Harness) -> None:
    app = funding_app
    await an_area_in(app, 2023, weighted=200)
    await app.deliver(a_month_claimed(1, "2023-09", "clinical_pharmacist", "4000.00"))
    then = datetime.now(UTC).isoformat()
    await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))
    await app.deliver(list_sizes("weighted", {"A00001": 100}, snapshot=date(2023, 1, 1)))
    asked = {"contract_year": "2023-24", "network": NETWORK}
    shown = []
    for known in ({"known_at": "2020-01-01T00:00:00Z"}, {"known_at": then}, {}):
        found = await app.client.get("/funding/v1/budgets", params={**asked, **known}, headers=commissioner(app))
        assert found.status_code == 200, found.text
        shown.append([(b["amount"], b["approved"], b["waiting"]) for b in found.json()["items"]])
    assert shown == [[], [("4534.20", "0.00", "4000.00")], [("2267.10", "4000.00", "0.00")]]


async def test_a_role_agreed_with_the_commissioner_is_paid_up_to_its_ceiling_and_only_to_that_network(
    funding_app: Harness,
) -> None:
    app = funding_app
    await two_networks(app, 2026)
    on(app, date(2026, 7, 1))
    agreed = {
        "network": NETWORK, "short": "manager", "name": "Network manager", "ceiling": "60000.00",
        "valid_from": "2026-05-01", "agreed_on": "2026-04-20", "note": "Minutes of 20 April.",
    }  # fmt: skip
    role = f"agreed_{NETWORK.lower()}_manager"
    claim = a_month_claimed(1, "2026-05", role, "5200.00")
    await app.deliver(claim, a_month_claimed(2, "2026-04", role, "5200.00"))
    await app.deliver(a_month_claimed(3, "2026-05", role, "5200.00", network=OTHER))
    unagreed = await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))
    assert [fault["code"] for fault in unagreed.json()["errors"]] == ["role_not_agreed"]
    early = await app.post("/funding/v1/agreed-roles", {**agreed, "valid_from": "2024-03-31"}, commissioner(app))
    assert (early.status_code, early.json()["code"]) == (409, "RolesNotOpenYet")
    stranger = await app.post("/funding/v1/agreed-roles", agreed, commissioner(app, "99X"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "AgreedNetworkNotFound")
    backwards = await app.post("/funding/v1/agreed-roles", {**agreed, "valid_to": "2026-04-30"}, commissioner(app))
    assert backwards.status_code == 422
    made = await app.post("/funding/v1/agreed-roles", agreed, commissioner(app))
    assert (made.status_code, made.json()["role"]) == (201, role), made.text
    paid = await app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(app))
    assert (paid.json()["payable"], paid.json()["limited_by"]) == ("5000.00", "role_maximum")
    assert paid.json()["checked"]["confidence"] == "agreed"
    for other in ("claim-2", "claim-3"):
        refused = await app.put(f"{CLAIMS}/{other}/approval", None, commissioner(app))
        assert [fault["code"] for fault in refused.json()["errors"]] == ["role_not_agreed"]
    on(app, date(2026, 7, 2))
    raised = await app.post("/funding/v1/agreed-roles", {**agreed, "ceiling": "66000.00"}, commissioner(app))
    shown = [
        (
            await app.client.get(
                "/funding/v1/agreed-roles",
                params={"as_at": "2026-05-10", **({"known_at": known} if known else {})},
                headers=network(app),
            )
        ).json()["items"][0]["ceiling"]
        for known in (made.json()["known_from"], None)
    ]
    assert (raised.status_code, shown) == (201, ["60000.00", "66000.00"])


async def test_of_an_approved_claim_a_lowered_sum_pays_what_it_reaches_and_the_rest_waits(
    funding_app: Harness,
) -> None:
    """Weights restated so far down that the sum, 16.696 a head, reaches the first of two claims of 3,730.00 and 444.00
    of the second."""
    app = funding_app
    await an_area(app)
    await app.deliver(a_claim(), a_claim("claim-2", post="post-2", made_on=date(2022, 5, 3)))
    for claim in ("claim-1", "claim-2"):
        done = await app.put(f"{CLAIMS}/{claim}/approval", None, commissioner(app))
        assert (done.status_code, done.json()["payable"]) == (200, "3730.00"), done.text
    await app.deliver(list_sizes("weighted", {"A00001": 200, "A00002": 50}, known_from=date(2022, 5, 1)))
    run = await paid(app, "2022-04")
    assert run["totals"]["arrs"] == {"lines": 2, "amount": "4174.00"}
    assert run["held"]["beyond-sum"] == 1
    headers = app.token(Role.NATIONAL)
    lines = (await app.client.get(f"/funding/v1/payment-runs/{run['id']}/lines", headers=headers)).json()["items"]
    by_reference = {line["reference"]: line for line in lines if line["stream"] == "arrs"}
    assert by_reference["claims/claim-1"]["amount"] == "3730.00", "the first approved is paid whole"
    part, waiting = by_reference["claims/claim-2"], by_reference["claims/claim-2~444.00"]
    assert (part["amount"], waiting["amount"], waiting["held_code"]) == ("444.00", None, "beyond-sum")
    told = await explained(app, part)
    assert any("limited by: network_sum" in step for step in told["arithmetic"])
    why = (await app.client.get(f"/funding/v1/lines/{waiting['id']}/explanation", headers=headers)).json()
    assert (
        "£7,460.00 would be taken of the network's sum, now £4,174.00. It reaches for £444.00, which is paid"
        in why["sentence"]
    )
    claim = (await app.client.get(f"{CLAIMS}/claim-2", headers=commissioner(app))).json()
    assert (claim["status"], claim["payable"], claim["paid"]) == ("approved", "3730.00", "444.00")
    await adds_up(app)
    assert (await paid(app, "2022-05"))["held"]["beyond-sum"] == 1, "it goes on waiting"
    await app.deliver(list_sizes("weighted", {"A00001": 250, "A00002": 50}, known_from=date(2022, 5, 20)))
    more = await paid(app, "2022-06")
    assert more["totals"]["arrs"] == {"lines": 1, "amount": "834.80"}  # 16.696 × 50 more
    await app.deliver(list_sizes("weighted", {"A00001": 31000, "A00002": 19000}, known_from=date(2022, 6, 1)))
    later = await paid(app, "2022-07")
    assert later["totals"]["arrs"] == {"lines": 1, "amount": "2451.20"}
    assert "beyond-sum" not in later["held"]
    claim = (await app.client.get(f"{CLAIMS}/claim-2", headers=commissioner(app))).json()
    assert (claim["status"], claim["paid"]) == ("paid", "3730.00")
    told_of = [(e.amount, e.paid) for e in await app.announced() if isinstance(e, ClaimPaid) and e.claim == "claim-2"]
    assert told_of == [
        (Decimal("444.00"), Decimal("444.00")),
        (Decimal("834.80"), Decimal("1278.80")),
        (Decimal("2451.20"), Decimal("3730.00")),
    ]
    await adds_up(app)
    await app.deliver(withdrawn(date(2022, 4, 1)))
    august = await paid(app, "2022-08")
    assert august["totals"]["arrs"] == {"lines": 2, "amount": "-7460.00"}, "all parts are taken back as one"
    await adds_up(app)
