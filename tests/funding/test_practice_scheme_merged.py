"""Practices that claim for GPs and merge: one ceiling, the successor claims and is paid, no day of a GP twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.events.funding import PracticeClaimPaid
from tests.funding.builders import a_commissioner, an_approved_network, list_sizes, some_practices
from tests.funding.test_journey import paid
from tests.funding.test_merged_practices import merged, open_again
from tests.funding.test_practice_scheme import CLAIMS, RUNS, SNAPSHOT, a_month, codes, practice, step
from tests.funding.test_runs import lines_of, nan
from tests.funding.test_succession import on
from tests.harness import Harness

OCTOBER = date(2026, 10, 1)
LISTS = {"A00001": 8_000, "A00002": 1_000}
GONE, HEIR = "A00002", "A00001"


@pytest.fixture
async def app(funding_app: Harness) -> Harness:
    """Two practices of a network; £36,560.00 and £4,570.00 may be claimed by them."""
    on(funding_app, date(2026, 9, 1))
    await funding_app.deliver(
        a_commissioner(),
        some_practices(LISTS),
        *(list_sizes(basis, LISTS, snapshot=SNAPSHOT) for basis in ("registered", "weighted", "adjusted")),
        an_approved_network(members=LISTS, contract_year="2026-27"),
    )
    return funding_app


async def claimed(app: Harness, month: str, by: str, of: str | None = None, **changed: Any) -> dict[str, Any]:
    """Drafted and handed in by a practice, for itself or for one that went over into it."""
    drafted = await app.post(CLAIMS, a_month(month, practice=of or by, **changed), practice(app, by))
    assert drafted.status_code == 201, drafted.text
    reply = await app.put(f"{CLAIMS}/{drafted.json()['id']}/submission", None, practice(app, by))
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def decided(app: Harness, claim: dict[str, Any]) -> httpx.Response:
    return await step(app, claim["id"], "approval")


async def ceilings(app: Harness, **query: str) -> dict[str, tuple[str, str, list[str]]]:
    asked = {"contract_year": "2026-27", **query}
    reply = await app.client.get("/funding/v1/practice-ceilings", params=asked, headers=nan(app))
    return {one["practice"]: (one["amount"], one["left"], one["shared_with"]) for one in reply.json()["items"]}


async def test_from_the_day_of_a_merger_there_is_one_ceiling_on_both_lists(app: Harness) -> None:
    big = {"sessions": "9", "salary": "12000.00"}
    assert (await decided(app, await claimed(app, "2026-06", GONE, **big))).json()["payable"] == "4570.00"
    assert codes(await decided(app, await claimed(app, "2026-07", GONE, **big))) == ["ceiling_exhausted"]
    alone = await ceilings(app)
    assert alone == {HEIR: ("36560.00", "36560.00", []), GONE: ("4570.00", "0.00", [])}
    await app.deliver(*merged(GONE, HEIR, OCTOBER))
    assert await ceilings(app) == alone, "not before its day"
    on(app, date(2026, 10, 12))
    both = "41130.00"  # 4.57 × 9,000
    assert await ceilings(app) == {HEIR: (both, "36560.00", [GONE]), GONE: (both, "36560.00", [HEIR])}
    late = await claimed(app, "2026-08", HEIR, of=GONE, person="psn-gp-000009", **big)
    assert (await decided(app, late)).json()["payable"] == "12500.00", "September's list carries August's claim now"
    assert (await ceilings(app))[HEIR] == (both, "24060.00", [GONE])
    # the practice opens anew: each has its own again, with what it was granted itself
    await app.deliver(open_again(GONE))
    assert await ceilings(app) == {HEIR: ("36560.00", "36560.00", []), GONE: ("4570.00", "-12500.00", [])}


async def test_the_successor_claims_for_the_closed_practice_until_its_last_day_and_is_paid(app: Harness) -> None:
    await app.deliver(*merged(GONE, HEIR, OCTOBER))
    on(app, date(2026, 10, 12))
    stranger = await app.post(CLAIMS, a_month("2026-09", practice=GONE), practice(app, "A00003"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "PracticeNotFound")
    claim = await claimed(app, "2026-09", HEIR, of=GONE)
    assert (await decided(app, claim)).status_code == 200
    # from the merger on the heir claims in its own name
    on(app, date(2026, 11, 3))
    over = await claimed(app, "2026-10", HEIR, of=GONE)
    assert over["payable"] is None
    assert codes(await decided(app, over)) == ["went_over"]
    run = await paid(app, "2026-09")
    (line,) = await lines_of(app, run, stream="gp_reimbursement_max")
    assert (line["payee"], line["practice"], line["amount"]) == (HEIR, HEIR, claim["payable"])
    told = [event for event in await app.announced() if isinstance(event, PracticeClaimPaid)]
    assert [(event.practice, event.amount) for event in told] == [(GONE, Decimal(claim["payable"]))]
    seen = await app.client.get(f"{CLAIMS}/{claim['id']}", headers=practice(app, HEIR))
    assert (seen.status_code, seen.json()["status"], seen.json()["practice"]) == (200, "paid", GONE)
    assert (await app.client.get(f"{RUNS}/{run['id']}", headers=nan(app))).json()["status"] == "issued"


async def test_a_practice_that_only_closed_claims_no_day_after_it(app: Harness) -> None:
    _, closed, _ = merged(GONE, HEIR, OCTOBER)
    await app.deliver(closed)
    on(app, date(2026, 11, 3))
    claim = await claimed(app, "2026-10", GONE)
    assert codes(await decided(app, claim)) == ["practice_closed"]
    until = await claimed(app, "2026-09", GONE)
    assert (await decided(app, until)).status_code == 200


async def test_a_gp_that_goes_over_in_the_middle_of_a_month_is_paid_for_every_day_once(app: Harness) -> None:
    middle = date(2026, 8, 15)
    await app.deliver(*merged(GONE, HEIR, middle))
    days = {"sessions": "9", "contracted_sessions": "9", "started_on": "2025-01-01", "salary": "9000.00"}
    before = await claimed(app, "2026-08", HEIR, of=GONE, worked_to="2026-08-14", **days)
    first = (await decided(app, before)).json()
    after = await claimed(app, "2026-08", HEIR, worked_from="2026-08-15", **days)
    second = (await decided(app, after)).json()
    # 152,900 / 12 for the whole month, shared by its days without losing a penny
    assert Decimal(first["payable"]) + Decimal(second["payable"]) == Decimal("12741.67")
    twice = await claimed(app, "2026-08", HEIR, kind="continuation", funded_before="test_site", **days)
    assert "hours_claimed_twice" in codes(await decided(app, twice))


async def test_what_was_claimed_ahead_is_the_successors_to_withdraw_or_to_be_paid(app: Harness) -> None:
    ahead = [await claimed(app, month, GONE) for month in ("2026-09", "2026-10", "2026-11")]
    for claim in ahead:
        assert (await step(app, claim["id"], "confirmation")).status_code == 200
        assert (await decided(app, claim)).status_code == 200
    await app.deliver(*merged(GONE, HEIR, OCTOBER))
    on(app, date(2026, 10, 12))
    same = await claimed(app, "2026-09", HEIR, sessions="9")
    assert codes(await decided(app, same)) == ["hours_claimed_twice"], "one session is granted: they are one employer"
    taken_back = await app.put(f"{CLAIMS}/{ahead[2]['id']}/withdrawal", None, practice(app, HEIR))
    assert (taken_back.status_code, taken_back.json()["status"]) == (200, "withdrawn")
    stranger = await app.put(f"{CLAIMS}/{ahead[1]['id']}/withdrawal", None, practice(app, "A00003"))
    assert stranger.status_code == 404
    run = await paid(app, "2026-10")
    lines = await lines_of(app, run, stream="gp_reimbursement_max")
    assert {(line["month"], line["payee"]) for line in lines} == {("2026-09", HEIR), ("2026-10", HEIR)}
