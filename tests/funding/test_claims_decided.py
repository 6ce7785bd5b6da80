"""Claims sent back and made again, many decided at once, deadlines, caps on numbers, who counts as new staff."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.funding.claims.rules import Cost, check
from services.funding.claims.standing import standing_faults
from services.funding.claims.terms import cap_of
from shared.events.funding import ClaimApproved, ClaimReturned
from shared.events.workforce import Standing
from shared.identity import Role
from shared.years import last_day
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_claim,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.funding.test_claims import ceiling, commissioner, cost
from tests.funding.test_journey import an_area
from tests.harness import Harness

CLAIMS = "/funding/v1/claims"
DECISIONS = "/funding/v1/claim-decisions"


async def an_area_in(app: Harness, year: int, weighted: int = 50_000, registered: int = 50_000) -> None:
    """The same network with populations at 1 January of a year."""
    snapshot = date(year, 1, 1)
    await app.deliver(
        a_commissioner(),
        some_practices(["A00001"]),
        list_sizes("registered", {"A00001": registered}, snapshot=snapshot),
        list_sizes("weighted", {"A00001": weighted}, snapshot=snapshot),
        an_approved_network(members=["A00001"], since=date(2019, 7, 1), contract_year=f"{year}-{year % 100 + 1}"),
    )


def a_month_claimed(number: int, month: str, role: str, salary: str, **more: Any) -> Any:
    first = date(int(month[:4]), int(month[5:]), 1)
    return a_claim(
        f"claim-{number}",
        post=more.pop("post", f"post-{number}"),
        role=role,
        month=month,
        worked_from=first,
        worked_to=last_day(month),
        salary=Decimal(salary),
        employer_ni=Decimal("0.00"),
        employer_pension=Decimal("0.00"),
        made_on=more.pop("made_on", last_day(month)),
        **more,
    )


async def read(app: Harness, claim: str) -> dict[str, Any]:
    found: dict[str, Any] = (await app.client.get(f"{CLAIMS}/{claim}", headers=commissioner(app))).json()
    return found


async def test_a_claim_sent_back_is_made_again_and_names_the_one_it_puts_right(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(a_claim())
    why = {"code": "hours_unclear", "reason": "The hours do not match the return."}
    back = await funding_app.put(f"{CLAIMS}/claim-1/return", why, commissioner(funding_app))
    assert (back.status_code, back.json()["status"], back.json()["payable"]) == (200, "returned", None)
    told = [event for event in await funding_app.announced() if isinstance(event, ClaimReturned)]
    assert [(event.claim, event.code) for event in told] == [("claim-1", "hours_unclear")]
    decided = await funding_app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(funding_app))
    assert (decided.status_code, decided.json()["code"]) == (409, "ClaimDecided")
    await funding_app.deliver(a_claim("claim-1-2", resubmits="claim-1", salary=Decimal("2900.00")))
    again = await funding_app.put(f"{CLAIMS}/claim-1-2/approval", None, commissioner(funding_app))
    assert (again.json()["payable"], again.json()["resubmits"]) == ("3630.00", "claim-1")


async def test_one_month_of_a_post_is_paid_once_whatever_its_claims_are_called(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(a_claim(), a_claim("claim-1-2", resubmits="claim-1"))
    assert (await funding_app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(funding_app))).status_code == 200
    twice = await funding_app.put(f"{CLAIMS}/claim-1-2/approval", None, commissioner(funding_app))
    assert (twice.status_code, twice.json()["code"]) == (409, "ClaimNotPayable")
    assert [fault["code"] for fault in twice.json()["errors"]] == ["claimed_already"]


async def test_many_claims_are_decided_at_once_and_each_has_its_answer(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        a_claim(), a_claim("claim-2", post="post-2"), a_claim("claim-3", post="post-3", additional=False)
    )
    asked = [
        {"claim": "claim-3", "version": 1, "decision": "approved"},
        {"claim": "claim-2", "version": 1, "decision": "rejected", "code": "no_payslip", "reason": "No payslip."},
        {"claim": "claim-1", "version": 1, "decision": "approved"},
        {"claim": "claim-9", "version": 1, "decision": "approved"},
    ]
    for one in asked[:3]:
        one["version"] = int(
            (await funding_app.client.get(f"{CLAIMS}/{one['claim']}", headers=commissioner(funding_app)))
            .headers["etag"]
            .strip('"')
        )
    key = {**commissioner(funding_app), "Idempotency-Key": "decide-may-2022"}
    answered = await funding_app.client.post(DECISIONS, json={"decisions": asked}, headers=key)
    assert answered.status_code == 200, answered.text
    answers = answered.json()["answers"]
    assert [(a["claim"], a["outcome"], a["status"]) for a in answers] == [
        ("claim-3", "refused", "submitted"),
        ("claim-2", "decided", "rejected"),
        ("claim-1", "decided", "approved"),
        ("claim-9", "refused", None),
    ]
    assert answers[0]["refusal"]["code"] == "ClaimNotPayable"
    assert [fault["code"] for fault in answers[0]["refusal"]["errors"]] == ["not_additional"]
    assert answers[2]["payable"] == "3730.00"
    assert answers[3]["refusal"]["status"] == 404
    replayed = await funding_app.client.post(DECISIONS, json={"decisions": asked}, headers=key)
    assert replayed.json() == answered.json()
    repeated = await funding_app.post(DECISIONS, {"decisions": asked[1:3]}, commissioner(funding_app))
    assert [a["outcome"] for a in repeated.json()["answers"]] == ["repeated", "repeated"]
    stale = await funding_app.post(DECISIONS, {"decisions": [{**asked[0], "version": 77}]}, commissioner(funding_app))
    assert stale.json()["answers"][0]["refusal"]["status"] == 412
    approvals = [event for event in await funding_app.announced() if isinstance(event, ClaimApproved)]
    assert [event.claim for event in approvals] == ["claim-1"]


async def test_decisions_that_make_no_sense_are_refused_whole(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(a_claim())
    one = {"claim": "claim-1", "version": 1, "decision": "approved"}
    twice = await funding_app.post(DECISIONS, {"decisions": [one, one]}, commissioner(funding_app))
    assert (twice.status_code, twice.json()["errors"][0]["message"]) == (422, "name each claim once")
    unsaid = await funding_app.post(
        DECISIONS, {"decisions": [{**one, "decision": "returned"}]}, commissioner(funding_app)
    )
    assert unsaid.status_code == 422
    stranger = await funding_app.post(DECISIONS, {"decisions": [one]}, commissioner(funding_app, "99X"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "ClaimNotFound")
    network = funding_app.token(Role.NETWORK, organisations=[NETWORK], subject="nora")
    assert (await funding_app.post(DECISIONS, {"decisions": [one]}, network)).status_code == 403


async def test_two_people_deciding_one_claim_at_once_have_one_effect(funding_live: Harness) -> None:
    await an_area(funding_live)
    await funding_live.deliver(a_claim(), a_claim("claim-2", post="post-2"))
    async with funding_live.session() as session:
        await session.execute(text("UPDATE budgets SET amount = 5000.00 WHERE contract_year = '2022-23'"))
    people = [
        funding_live.token(Role.COMMISSIONER, organisations=[COMMISSIONER], subject=name) for name in ("carol", "dave")
    ]
    tags = [
        (await funding_live.client.get(f"{CLAIMS}/{claim}", headers=people[0])).headers["etag"]
        for claim in ("claim-1", "claim-2")
    ]
    same = await asyncio.gather(
        *(
            funding_live.client.put(f"{CLAIMS}/claim-1/approval", headers={**person, "If-Match": tags[0]})
            for person in people
        )
    )
    assert sorted(reply.status_code for reply in same) == [200, 412]
    other = await funding_live.client.put(f"{CLAIMS}/claim-2/approval", headers={**people[0], "If-Match": tags[1]})
    assert (other.json()["payable"], other.json()["limited_by"]) == ("1270.00", "network_sum")
    approvals = [event for event in await funding_live.announced() if isinstance(event, ClaimApproved)]
    assert [event.claim for event in approvals] == ["claim-1", "claim-2"]


async def test_a_year_closes_on_its_last_day_for_claims_and_a_new_deadline_counts_from_when_it_is_known(
    funding_app: Harness,
) -> None:
    await an_area_in(funding_app, 2025)
    await funding_app.deliver(
        a_month_claimed(1, "2026-03", "clinical_pharmacist", "3000.00", made_on=date(2026, 4, 30)),
        a_month_claimed(2, "2026-03", "clinical_pharmacist", "3000.00", made_on=date(2026, 5, 1)),
        a_month_claimed(
            3, "2026-03", "clinical_pharmacist", "3000.00", made_on=date(2026, 5, 6), first_made_on=date(2026, 4, 2)
        ),
    )
    assert [(await read(funding_app, f"claim-{n}"))["payable"] for n in (1, 2, 3)] == ["3000.00", None, "3000.00"]
    late = await funding_app.put(f"{CLAIMS}/claim-2/approval", None, commissioner(funding_app))
    assert [fault["code"] for fault in late.json()["errors"]] == ["deadline_passed"]
    national = funding_app.token(Role.NATIONAL)
    early = {"contract_year": "2025-26", "closes_on": "2026-03-01", "note": "a letter"}
    refused = await funding_app.post("/funding/v1/claim-deadlines", early, national)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "before_year_end")
    later = {"contract_year": "2025-26", "closes_on": "2026-05-31", "days_after_month": 60, "note": "a letter"}
    made = await funding_app.post("/funding/v1/claim-deadlines", later, national)
    assert made.status_code == 201, made.text
    assert (await read(funding_app, "claim-2"))["payable"] == "3000.00"
    shown = await funding_app.client.get(
        "/funding/v1/claim-deadlines", params={"as_at": "2026-03-15"}, headers=national
    )
    assert [(d["closes_on"], d["days_after_month"]) for d in shown.json()["items"]] == [("2026-05-31", 60)]
    before = await funding_app.client.get(
        "/funding/v1/claim-deadlines",
        params={"as_at": "2026-03-15", "known_at": made.json()["known_from"]},
        headers=national,
    )
    assert before.json()["items"]
    network = funding_app.token(Role.NETWORK, organisations=[NETWORK])
    assert (await funding_app.post("/funding/v1/claim-deadlines", later, network)).status_code == 403


async def test_a_cap_on_numbers_is_shared_between_people_and_large_networks_have_more(funding_app: Harness) -> None:
    await an_area_in(funding_app, 2023)
    claims = [
        a_month_claimed(n, "2023-09", "advanced_practitioner", "3000.00", wte=Decimal("0.8")) for n in range(1, 6)
    ]
    ceiling_of_2023 = {
        "kind": "role_maximum",
        "code": "advanced_practitioner",
        "basis": "wte",
        "value": "66000",
        "rate_period": "year",
        "valid_from": "2023-04-01",
        "valid_to": "2024-03-31",
        "confidence": "derived",
    }
    made = await funding_app.post("/funding/v1/tariffs", ceiling_of_2023, funding_app.token(Role.NATIONAL))
    assert made.status_code == 201, made.text
    await funding_app.deliver(*claims)
    found = [await read(funding_app, f"claim-{n}") for n in range(1, 6)]
    # three whole-time equivalents: 0.8 + 0.8 + 0.8 + 0.6 of the fourth, nothing of the fifth
    assert [(c["payable"], c["limited_by"]) for c in found[:4]] == [
        ("3000.00", "none"),
        ("3000.00", "none"),
        ("3000.00", "none"),
        ("2250.00", "role_cap"),
    ]
    assert [fault["code"] for fault in found[4]["checked"]["faults"]] == ["role_cap_reached"]
    await funding_app.deliver(list_sizes("registered", {"A00001": 100_000}, snapshot=date(2023, 1, 1)))
    await funding_app.deliver(a_month_claimed(6, "2023-09", "advanced_practitioner", "3000.00", wte=Decimal("0.8")))
    assert (await read(funding_app, "claim-6"))["payable"] == "3000.00"


def test_in_the_first_year_one_of_each_role_is_paid_and_two_in_a_large_network() -> None:
    cap = cap_of("clinical_pharmacist", date(2019, 9, 1))
    assert cap is not None
    assert [cap.allowed(size) for size in (Decimal(99_999), Decimal(100_000), None)] == [1, 2, 1]
    assert cap_of("clinical_pharmacist", date(2020, 4, 1)) is None
    assert cap_of("advanced_practitioner", date(2024, 4, 1)) is None


def test_a_baseline_post_standing_empty_takes_its_days_off_the_claim() -> None:
    whole = cost("clinical_pharmacist", "2024-11", "6000.00")
    held = check(
        cost("clinical_pharmacist", "2024-11", "6000.00", withheld_days=Decimal(10)),
        ceiling("clinical_pharmacist", "2024-11"),
        Decimal("999999.00"),
    )
    # 65,838 / 12 × 20/30
    assert (held.payable, held.limited_by) == (Decimal("3657.67"), "baseline_post_vacant")
    nothing = check(
        cost("clinical_pharmacist", "2024-11", "6000.00", withheld_days=whole.equivalent_days),
        ceiling("clinical_pharmacist", "2024-11"),
        Decimal("999999.00"),
    )
    assert [fault.code for fault in nothing.faults] == ["baseline_post_vacant"]


STARTED = date(2024, 11, 1)


def _here(until: date, *, more_senior: bool = False) -> Standing:
    return Standing(employed_here_until=until, more_senior=more_senior)


RECENT = Standing(qualified_on=date(2023, 2, 1), employed_before=False)


@pytest.mark.parametrize(
    ("role", "month", "started_on", "standing", "codes"),
    [
        ("clinical_pharmacist", "2024-11", STARTED, None, []),
        ("gp", "2024-11", STARTED, RECENT, []),
        ("gp", "2024-11", STARTED, None, ["standing_unstated"]),
        ("gp", "2024-11", STARTED, Standing(), ["standing_unstated", "standing_unstated"]),
        ("gp", "2024-11", date(2024, 9, 30), RECENT, ["started_too_early"]),
        (
            "gp",
            "2024-11",
            STARTED,
            Standing(qualified_on=date(2022, 10, 31), employed_before=False),
            ["not_recently_qualified"],
        ),
        ("gp", "2024-11", STARTED, Standing(qualified_on=date(2022, 11, 1), employed_before=True), ["employed_before"]),
        # two years after qualifying a post begun in time goes on
        ("gp", "2026-06", STARTED, RECENT, []),
        # from April 2026 any general practitioner, but not one who was here within twelve months
        ("gp", "2026-06", date(2026, 5, 1), Standing(qualified_on=date(1999, 1, 1), employed_before=True), []),
        ("gp", "2026-06", date(2026, 5, 1), _here(date(2025, 5, 1)), ["employed_here_before"]),
        ("gp", "2026-06", date(2026, 5, 1), _here(date(2025, 4, 30)), []),
        (
            "gp",
            "2026-06",
            date(2026, 5, 1),
            _here(date(2026, 1, 1), more_senior=True),
            ["employed_here_before"],
        ),
        (
            "practice_nurse_experienced",
            "2025-06",
            date(2025, 5, 1),
            _here(date(2025, 1, 1)),
            ["employed_here_before"],
        ),
        (
            "practice_nurse_experienced",
            "2025-06",
            date(2025, 5, 1),
            _here(date(2025, 1, 1), more_senior=True),
            [],
        ),
    ],
)
def test_who_counts_as_new_staff_depends_on_role_and_start(
    role: str, month: str, started_on: date, standing: Standing | None, codes: list[str]
) -> None:
    assert [fault.code for fault in standing_faults(role, month, started_on, standing)] == codes


async def test_a_gp_whose_standing_is_not_stated_is_not_paid_and_says_so(funding_app: Harness) -> None:
    await an_area_in(funding_app, 2024)
    await funding_app.deliver(
        a_month_claimed(1, "2024-11", "gp", "7000.00", started_on=STARTED),
        a_month_claimed(2, "2024-11", "gp", "7000.00", started_on=STARTED, standing=RECENT),
    )
    refused = await funding_app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(funding_app))
    assert [fault["code"] for fault in refused.json()["errors"]] == ["standing_unstated"]
    paid = await funding_app.put(f"{CLAIMS}/claim-2/approval", None, commissioner(funding_app))
    assert paid.json()["payable"] == "7000.00"


async def test_examples_f_and_j_through_the_api(funding_app: Harness) -> None:
    await an_area_in(funding_app, 2024)
    await funding_app.deliver(a_month_claimed(1, "2024-11", "clinical_pharmacist", "3400.00", wte=Decimal("0.6")))
    example = (await funding_app.put(f"{CLAIMS}/claim-1/approval", None, commissioner(funding_app))).json()
    assert (example["payable"], example["limited_by"]) == ("3291.90", "role_maximum")
    await funding_app.deliver(list_sizes("registered", {"A00001": 50_000}, snapshot=date(2019, 1, 1)))
    await funding_app.deliver(an_approved_network(members=["A00001"], since=date(2019, 7, 1), contract_year="2019-20"))
    await funding_app.deliver(a_month_claimed(2, "2019-09", "clinical_pharmacist", "4400.00"))
    first = (await funding_app.put(f"{CLAIMS}/claim-2/approval", None, commissioner(funding_app))).json()
    assert (first["payable"], first["limited_by"]) == ("3080.00", "share")


async def test_example_g_through_the_api_is_a_year_at_two_ceilings(funding_app: Harness) -> None:
    await an_area_in(funding_app, 2023)
    months = [f"2023-{n:02d}" for n in range(4, 13)] + ["2024-01", "2024-02", "2024-03"]
    await funding_app.deliver(
        *(a_month_claimed(n, month, "care_coordinator", "4000.00", post="post-1") for n, month in enumerate(months))
    )
    total = Decimal(0)
    for n in range(12):
        approved = await funding_app.put(f"{CLAIMS}/claim-{n}/approval", None, commissioner(funding_app))
        total += Decimal(approved.json()["payable"])
    assert total == Decimal("32983.50")


@settings(max_examples=150)
@given(
    st.integers(0, 20_000).map(Decimal),
    st.permutations(range(6)),
    st.lists(st.tuples(st.integers(1, 900_000), st.integers(1, 100)), min_size=6, max_size=6),
)
def test_the_sum_is_never_exceeded_whatever_the_order_of_approvals(
    amount: Decimal, order: list[int], claims: list[tuple[int, int]]
) -> None:
    taken = Decimal("0.00")
    for place in order:
        pence, hundredths = claims[place]
        found = check(
            cost("clinical_pharmacist", "2024-11", str(Decimal(pence) / 100), str(Decimal(hundredths) / 100)),
            ceiling("clinical_pharmacist", "2024-11"),
            amount,
            earlier=taken,
        )
        assert (found.payable is None) == (taken >= amount)
        taken += found.payable or Decimal(0)
        assert taken <= amount


def test_a_cost_knows_its_days() -> None:
    made: Cost = cost("clinical_pharmacist", "2024-11", "1.00", "0.5")
    assert made.equivalent_days == Decimal(15)
