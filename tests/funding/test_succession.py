"""Commissioners taken over, split, enlarged: who sees, who decides, from which day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import pytest
from sqlalchemy import select

from services.funding.accounts.operations import payees_on
from services.funding.heirs.model import Succession, Tenure, holders, who_decides
from services.funding.heirs.operations import deciders
from shared.clock import LONDON
from shared.events.registry import Appointment, CommissionerSucceeded, Entry, Heir
from shared.http import _now
from shared.identity import Role
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_claim,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.funding.test_claims import commissioner
from tests.funding.test_queries import a_paid_claim, raised
from tests.harness import Harness

CLAIM = "/funding/v1/claims/claim-1"


def on(app: Harness, day: date) -> None:
    """Make it that day for the service."""

    async def now() -> datetime:
        return datetime(day.year, day.month, day.day, 12, tzinfo=LONDON)

    app.app.dependency_overrides[_now] = now


def succeeded(
    code: str,
    *heirs: str,
    kind: Literal["merger", "split", "enlargement"] = "merger",
    day: date = date(2026, 4, 1),
) -> CommissionerSucceeded:
    return CommissionerSucceeded(
        commissioner=code,
        kind=kind,
        succeeded_on=day,
        successors=[Heir(commissioner=heir, commissioner_name=f"Commissioner {heir}") for heir in heirs],
    )


async def a_march_claimed_in_april(app: Harness) -> None:
    snapshot = date(2025, 1, 1)
    await app.deliver(
        a_commissioner(),
        some_practices(["A00001"]),
        list_sizes("registered", {"A00001": 50_000}, snapshot=snapshot),
        list_sizes("weighted", {"A00001": 50_000}, snapshot=snapshot),
        an_approved_network(members=["A00001"], contract_year="2025-26"),
        a_claim(
            month="2026-03",
            worked_from=date(2026, 3, 1),
            worked_to=date(2026, 3, 31),
            made_on=date(2026, 4, 8),
        ),
    )


async def test_march_claimed_in_april_is_the_successors_to_decide(funding_app: Harness) -> None:
    app = funding_app
    await a_march_claimed_in_april(app)
    await app.deliver(succeeded(COMMISSIONER, "D7T5G"))
    heir, before = commissioner(app, "D7T5G"), commissioner(app, COMMISSIONER)
    on(app, date(2026, 3, 31))
    too_early = await app.put(f"{CLAIM}/approval", None, heir)
    assert (too_early.status_code, too_early.json()["code"]) == (403, "NotYoursToDecide")
    on(app, date(2026, 4, 9))
    too_late = await app.put(f"{CLAIM}/approval", None, before)
    assert (too_late.status_code, too_late.json()["code"]) == (403, "NotYoursToDecide")
    many = await app.post(
        "/funding/v1/claim-decisions",
        {"decisions": [{"claim": "claim-1", "version": 1, "decision": "approved"}]},
        before,
    )
    assert many.json()["answers"][0]["refusal"]["code"] == "NotYoursToDecide"
    decided = await app.put(f"{CLAIM}/approval", None, heir)
    assert (decided.status_code, decided.json()["payable"]) == (200, "3730.00")
    for path in ("claims", "budgets", "accounts"):
        for headers in (heir, before):
            shown = (await app.client.get(f"/funding/v1/{path}", headers=headers)).json()["items"]
            assert shown, path
    stranger = await app.client.get(CLAIM, headers=commissioner(app, "S1Y5D"))
    assert stranger.status_code == 404


async def test_whoever_commissioned_a_network_still_sees_it_after_it_was_handed_over(funding_app: Harness) -> None:
    app = funding_app
    await a_march_claimed_in_april(app)
    on(app, date(2026, 4, 9))
    await app.deliver(
        succeeded(COMMISSIONER, "D7T5G", "T6Y0W", kind="split"),
        a_commissioner("D7T5G", system="YD7"),
        a_commissioner("T6Y0W", system="YT6"),
        an_approved_network(members=["A00001"], contract_year="2026-27", commissioner="D7T5G"),
    )
    seen = {
        code: (await app.client.get(CLAIM, headers=commissioner(app, code))).status_code
        for code in ("D7T5G", COMMISSIONER, "T6Y0W")
    }
    assert seen == {"D7T5G": 200, COMMISSIONER: 200, "T6Y0W": 404}
    system = app.token(Role.SYSTEM, organisations=["YT6"])
    assert (await app.client.get(CLAIM, headers=system)).status_code == 404
    assert (await app.put(f"{CLAIM}/approval", None, commissioner(app, COMMISSIONER))).status_code == 403
    assert (await app.put(f"{CLAIM}/approval", None, commissioner(app, "D7T5G"))).status_code == 200


async def test_of_a_split_the_heir_with_the_members_decides(funding_app: Harness) -> None:
    app = funding_app
    await a_march_claimed_in_april(app)
    on(app, date(2026, 4, 9))
    await app.deliver(succeeded(COMMISSIONER, "D7T5G", "T6Y0W", kind="split"))
    for heir in ("D7T5G", "T6Y0W"):
        assert (await app.client.get(CLAIM, headers=commissioner(app, heir))).status_code == 200
        assert (await app.put(f"{CLAIM}/approval", None, commissioner(app, heir))).status_code == 403
    await app.deliver(some_practices(["A00001"], commissioner="T6Y0W"))
    assert (await app.put(f"{CLAIM}/approval", None, commissioner(app, "D7T5G"))).status_code == 403
    assert (await app.put(f"{CLAIM}/approval", None, commissioner(app, "T6Y0W"))).status_code == 200


async def test_a_system_sees_the_networks_of_the_system_it_replaced(funding_app: Harness) -> None:
    app = funding_app
    await a_march_claimed_in_april(app)
    await app.deliver(succeeded("QHM", "Z9B2Z"))
    for system in ("QHM", "Z9B2Z"):
        headers = app.token(Role.SYSTEM, organisations=[system])
        assert (await app.client.get(CLAIM, headers=headers)).status_code == 200
        assert (await app.put(f"{CLAIM}/approval", None, headers)).status_code == 403
    moved = a_commissioner(system="S9B9J").model_copy(update={"valid_from": date(2026, 4, 1)})
    await app.deliver(moved)
    for system in ("QHM", "S9B9J"):
        headers = app.token(Role.SYSTEM, organisations=[system])
        assert (await app.client.get(CLAIM, headers=headers)).status_code == 200


async def test_news_of_a_succession_may_come_twice_late_and_corrected(funding_app: Harness) -> None:
    app = funding_app
    await app.deliver(succeeded(COMMISSIONER, "D7T5G"), position=900)
    await app.deliver(succeeded(COMMISSIONER, "WRONG"), position=899)
    await app.deliver(succeeded(COMMISSIONER, "D7T5G"), position=900)
    await a_march_claimed_in_april(app)
    on(app, date(2026, 4, 9))
    assert (await app.client.get(CLAIM, headers=commissioner(app, "WRONG"))).status_code == 404
    await app.deliver(succeeded(COMMISSIONER, "T6Y0W"), position=901)
    assert (await app.put(f"{CLAIM}/approval", None, commissioner(app, "D7T5G"))).status_code == 404
    assert (await app.put(f"{CLAIM}/approval", None, commissioner(app, "T6Y0W"))).status_code == 200


async def test_a_query_left_open_is_answered_by_the_successor(funding_app: Harness) -> None:
    app = funding_app
    line = await a_paid_claim(app)
    query = await raised(app, line["id"])
    await app.deliver(succeeded(COMMISSIONER, "D7T5G", day=date(2022, 7, 1)))
    answer = {"kind": "explanation", "answer": "The claim was cut at the ceiling."}
    before = await app.put(f"/funding/v1/queries/{query['id']}/answer", answer, commissioner(app, COMMISSIONER))
    assert (before.status_code, before.json()["code"]) == (403, "NotYoursToDecide")
    after = await app.put(f"/funding/v1/queries/{query['id']}/answer", answer, commissioner(app, "D7T5G"))
    assert after.status_code == 200, after.text


def links(*pairs: tuple[str, str, str]) -> list[Succession]:
    return [
        Succession(commissioner=one, successor=other, succeeded_on=date.fromisoformat(day), kind="merger", position=1)
        for one, other, day in pairs
    ]


@pytest.mark.parametrize(
    ("day", "held"),
    [
        (date(2022, 6, 30), {"A"}),
        (date(2022, 7, 1), {"B"}),
        (date(2026, 4, 1), {"C", "D"}),
        (date(2027, 4, 1), {"D", "E"}),
    ],
)
def test_heirs_of_heirs_hold_what_was_left(day: date, held: set[str]) -> None:
    chain = links(
        ("A", "B", "2022-07-01"), ("B", "C", "2026-04-01"), ("B", "D", "2026-04-01"), ("C", "E", "2027-04-01")
    )
    assert holders("A", chain, day) == held


def test_a_commissioner_enlarged_goes_on_and_decides_for_what_it_kept() -> None:
    grown = links(("QRL", "QRL", "2026-04-01"), ("QNQ", "QRL", "2026-04-01"), ("QNQ", "S0E4D", "2026-04-01"))
    assert holders("QRL", grown, date(2026, 4, 2)) == {"QRL"}
    assert holders("QNQ", grown, date(2026, 4, 2)) == {"QRL", "S0E4D"}
    assert who_decides({"QRL", "S0E4D"}, {"S0E4D"}) == {"S0E4D"}
    assert who_decides({"QRL"}, set()) == {"QRL"}


async def test_who_leads_a_network_is_held_by_days_those_to_come_included(funding_app: Harness) -> None:
    """An heir named months ahead decides from its day on, and not before."""
    handed_over = date(2026, 4, 1)
    entries = [
        Entry(network_name="Old", commissioner="AA1", valid_from=date(2019, 7, 1), valid_to=date(2022, 3, 31)),
        Entry(network_name="New", commissioner="AA1", valid_from=date(2022, 4, 1), valid_to=date(2026, 3, 31)),
        Entry(network_name="New", commissioner="S9Z1X", valid_from=handed_over),
    ]
    told = an_approved_network(commissioner="S9Z1X", entries=entries)
    await funding_app.deliver(told)
    async with funding_app.session() as session:
        assert await deciders(session, NETWORK, date(2026, 3, 31)) == {"AA1"}
        assert await deciders(session, NETWORK, handed_over) == {"S9Z1X"}
        spells = await session.execute(
            select(Tenure.commissioner, Tenure.valid_from, Tenure.valid_to).order_by(Tenure.valid_from)
        )
        assert [tuple(spell) for spell in spells] == [
            ("AA1", date(2019, 7, 1), date(2026, 3, 31)),
            ("S9Z1X", handed_over, None),
        ]
    await funding_app.deliver(told.model_copy(update={"entries": entries[1:]}), told)
    async with funding_app.session() as session:
        assert await deciders(session, NETWORK, date(2026, 3, 31)) == {"AA1"}


async def test_a_network_approved_again_keeps_who_was_paid_before(funding_app: Harness) -> None:
    before = Appointment(payee="A80001", valid_from=date(2019, 7, 1), valid_to=date(2022, 3, 31))
    since = Appointment(payee="A80002", valid_from=date(2022, 4, 1))
    await funding_app.deliver(an_approved_network(payee="A80001"))
    await funding_app.deliver(an_approved_network(payee="A80002", payees=[before, since]))
    async with funding_app.session() as session:
        paid = [(await payees_on(session, day)).get(NETWORK) for day in (date(2022, 3, 31), date(2022, 4, 1))]
    assert paid == ["A80001", "A80002"]
