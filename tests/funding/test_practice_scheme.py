"""Practices claim their salaried GPs: to the penny, in time, no hour twice, withdrawn and paid."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from services.funding.payments.model import PAYMENTS_LOCK
from services.funding.practice_scheme.model import PracticeClaim
from services.funding.practice_scheme.rules import (
    Engagement,
    Kind,
    Maximum,
    Work,
    assess,
    last_submission,
    last_withdrawal,
    maximum_of,
)
from shared.events.funding import PaymentIssued, PracticeClaimApproved, PracticeClaimPaid, PracticeClaimWithdrawn
from shared.events.workforce import Standing
from shared.identity import Role
from shared.years import last_day, months_of
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
from tests.funding.test_journey import noted
from tests.funding.test_succession import on, succeeded
from tests.harness import Harness

CLAIMS = "/funding/v1/practice-claims"
RUNS = "/funding/v1/payment-runs"
SNAPSHOT = date(2026, 1, 1)


def practice(app: Harness, code: str = "A00001") -> dict[str, str]:
    return app.token(Role.PRACTICE, organisations=[code], subject="petra")


def a_month(month: str = "2026-04", **changed: Any) -> dict[str, Any]:
    given = {
        "practice": "A00001",
        "kind": "new_salaried_gp",
        "month": month,
        "person": "psn-gp-000001",
        "engagement": "salaried",
        "worked_from": f"{month}-01",
        "worked_to": last_day(month).isoformat(),
        "sessions": "1",
        "contracted_sessions": "9",
        "started_on": "2026-04-01",
        "salary": "1200.00",
        "employer_ni": "200.00",
        "employer_pension": "300.00",
    }
    return {**given, **changed}


async def an_area(app: Harness, adjusted: int = 8_000) -> None:
    on(app, date(2026, 7, 1))
    await app.deliver(
        a_commissioner(),
        some_practices(["A00001", "A00002"]),
        list_sizes("registered", {"A00001": 9_000}, snapshot=SNAPSHOT),
        list_sizes("weighted", {"A00001": 9_000}, snapshot=SNAPSHOT),
        list_sizes("adjusted", {"A00001": adjusted}, snapshot=SNAPSHOT),
        an_approved_network(members=["A00001"], contract_year="2026-27"),
    )


async def drafted(app: Harness, month: str = "2026-04", **changed: Any) -> dict[str, Any]:
    reply = await app.post(CLAIMS, a_month(month, **changed), practice(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def submitted(app: Harness, month: str = "2026-04", **changed: Any) -> dict[str, Any]:
    claim = await drafted(app, month, **changed)
    reply = await app.put(f"{CLAIMS}/{claim['id']}/submission", None, practice(app))
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def step(app: Harness, claim: str, noun: str, body: Any = None, **who: str) -> httpx.Response:
    headers = practice(app) if noun in {"submission", "withdrawal"} else commissioner(app, **who)
    return await app.put(f"{CLAIMS}/{claim}/{noun}", body, headers)


def codes(reply: httpx.Response) -> list[str]:
    return [fault["code"] for fault in reply.json()["errors"]]


async def test_the_example_to_the_penny(funding_app: Harness) -> None:
    """8,000 adjusted patients: two sessions a week fit all year, a third is cut to what is left."""
    app = funding_app
    await an_area(app)
    shown = await app.client.get(
        "/funding/v1/practice-ceilings", params={"contract_year": "2026-27"}, headers=practice(app)
    )
    assert [(c["amount"], c["rate"], c["population"]) for c in shown.json()["items"]] == [("36560.00", "4.57", "8000")]
    paid: dict[str, Decimal] = {}
    limits = set()
    for person in ("psn-gp-000001", "psn-gp-000002", "psn-gp-000003"):
        for month in months_of("2026-27"):
            on(app, max(last_day(month), date(2026, 7, 1)))
            claim = await submitted(app, month, person=person)
            assert (await step(app, claim["id"], "confirmation")).status_code == 200
            reply = await step(app, claim["id"], "approval")
            if reply.status_code == 409:
                assert codes(reply) == ["ceiling_exhausted"]
                continue
            answer = reply.json()
            limits.add((person[-1], answer["limited_by"]))
            paid[person] = paid.get(person, Decimal(0)) + Decimal(answer["payable"])
    assert list(paid.values()) == [Decimal("16988.89"), Decimal("16988.89"), Decimal("2582.22")]
    assert sum(paid.values()) == Decimal("36560.00")
    assert limits == {
        ("1", "person_maximum"),
        ("2", "person_maximum"),
        ("3", "person_maximum"),
        ("3", "practice_ceiling"),
    }


async def test_a_claim_is_drafted_sent_back_put_right_approved_and_paid_to_the_practice(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    claim = await drafted(app, sessions="4.5", salary="5000.00", engagement="locum")
    here = f"{CLAIMS}/{claim['id']}"
    assert [fault["code"] for fault in claim["checked"]["faults"]] == ["not_reimbursed"]
    assert (await app.client.get(here, headers=commissioner(app))).status_code == 404
    unsubmitted = await app.client.put(f"{here}/approval", headers={**commissioner(app), "If-Match": '"1"'})
    assert unsubmitted.status_code == 404
    assert (await step(app, claim["id"], "submission")).json()["status"] == "submitted"
    refused = await step(app, claim["id"], "approval")
    assert (refused.status_code, refused.json()["code"], codes(refused)) == (
        409,
        "PracticeClaimNotPayable",
        ["not_reimbursed"],
    )
    body = {name: value for name, value in a_month(sessions="4.5", salary="5000.00").items() if name != "practice"}
    early = await app.put(here + "/x", body, practice(app), match='"1"')
    assert early.status_code == 404
    etag = (await app.client.get(here, headers=practice(app))).headers["etag"]
    closed = await app.client.put(here, json=body, headers={**practice(app), "If-Match": etag})
    assert (closed.status_code, closed.json()["code"]) == (409, "PracticeClaimNotEditable")
    back = await step(app, claim["id"], "return", {"code": "not_locum", "reason": "Locums are not reimbursed."})
    assert (back.json()["status"], back.json()["code"]) == ("returned", "not_locum")
    etag = back.headers["etag"]
    right = await app.client.put(here, json=body, headers={**practice(app), "If-Match": etag})
    assert (right.status_code, right.json()["checked"]["faults"]) == (200, [])
    assert (await step(app, claim["id"], "submission")).json()["reason"] is None
    approved = await step(app, claim["id"], "approval")
    # half of the maximum for a month is 6,370.83; the actual cost is less
    assert (approved.json()["payable"], approved.json()["limited_by"]) == ("5500.00", "none")
    again = await step(app, claim["id"], "approval")
    assert (again.status_code, again.json()["code"]) == (409, "PracticeClaimNotOpen")
    alice, bob = app.token(Role.NATIONAL, subject="alice"), app.token(Role.NATIONAL, subject="bob")
    run = (await app.post(RUNS, {"month": "2026-06"}, alice)).json()
    assert run["totals"]["gp_reimbursement_max"] == {"lines": 1, "amount": "5500.00"}
    assert (await app.client.get(here, headers=practice(app))).json()["in_payment_file"] is True
    lines = (
        await app.client.get(
            f"{RUNS}/{run['id']}/lines", params={"practice": "A00001", "stream": "gp_reimbursement_max"}, headers=alice
        )
    ).json()["items"]
    assert [(line["payee"], line["network"], line["month"], line["cause"]) for line in lines] == [
        ("A00001", NETWORK, "2026-04", "claim-late")
    ]
    told = (await app.client.get(f"/funding/v1/lines/{lines[0]['id']}/explanation", headers=alice)).json()
    assert told["recomputed"] == "5500.00"
    await app.put(f"{RUNS}/{run['id']}/approval", noted(run), bob)
    issued = await app.put(f"{RUNS}/{run['id']}/issue", None, bob)
    assert issued.status_code == 200, issued.text
    final = (await app.client.get(here, headers=practice(app))).json()
    assert (final["status"], final["run"], final["in_payment_file"]) == ("paid", run["id"], False)
    events = await app.announced()
    assert [(e.payable, e.limited_by) for e in events if isinstance(e, PracticeClaimApproved)] == [
        (Decimal("5500.00"), None)
    ]
    assert [e.amount for e in events if isinstance(e, PracticeClaimPaid)] == [Decimal("5500.00")]
    assert any(line.payee == "A00001" for e in events if isinstance(e, PaymentIssued) for line in e.lines)


async def test_months_are_claimed_in_time_and_ahead_only_if_confirmed(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    on(app, date(2026, 8, 1))
    late = await step(app, (await drafted(app, "2026-04"))["id"], "submission")
    assert (late.status_code, late.json()["code"]) == (409, "TooLateToClaim")
    assert "2026-07-31" in late.json()["detail"]
    early = await step(app, (await drafted(app, "2026-12"))["id"], "submission")
    assert early.json()["code"] == "TooEarlyToClaim"
    ahead = await submitted(app, "2026-11")
    unconfirmed = await step(app, ahead["id"], "approval")
    assert (unconfirmed.status_code, unconfirmed.json()["code"]) == (409, "AdvanceNotConfirmed")
    assert (await step(app, ahead["id"], "confirmation")).json()["confirmed_by"] == "carol"
    assert (await step(app, ahead["id"], "approval")).status_code == 200
    alice = app.token(Role.NATIONAL, subject="alice")
    run = (await app.post(RUNS, {"month": "2026-07"}, alice)).json()
    assert "gp_reimbursement_max" not in run["totals"]
    on(app, date(2027, 1, 5))
    beyond = await submitted(app, "2027-04", worked_from="2027-04-01", worked_to="2027-04-30")
    assert {fault["code"] for fault in beyond["checked"]["faults"]} == {"scheme_not_open", "rate_unknown"}


async def test_withdrawing_one_made_ahead_withdraws_the_later_ones_in_time(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    on(app, date(2026, 8, 1))
    first = await submitted(app, "2026-08")
    second = await submitted(app, "2026-09", continues=first["id"])
    third = await submitted(app, "2026-10", continues=second["id"])
    assert {claim["series"] for claim in (first, second, third)} == {first["id"]}
    for claim in (first, second, third):
        await step(app, claim["id"], "confirmation")
        assert (await step(app, claim["id"], "approval")).status_code == 200
    on(app, date(2026, 10, 27))
    late = await step(app, second["id"], "withdrawal")
    assert (late.status_code, late.json()["code"]) == (409, "TooLateToWithdraw")
    on(app, date(2026, 10, 26))
    assert (await step(app, second["id"], "withdrawal")).json()["status"] == "withdrawn"
    listed = (await app.client.get(CLAIMS, headers=practice(app))).json()["items"]
    assert [(claim["month"], claim["status"]) for claim in listed] == [
        ("2026-08", "approved"),
        ("2026-09", "withdrawn"),
        ("2026-10", "withdrawn"),
    ]
    told = [event for event in await app.announced() if isinstance(event, PracticeClaimWithdrawn)]
    assert [event.month for event in told] == ["2026-09", "2026-10"]
    anew = await app.post(CLAIMS, a_month("2026-09"), practice(app))
    assert anew.status_code == 201
    other = await app.post(CLAIMS, a_month("2026-11", person="psn-gp-000009", continues=first["id"]), practice(app))
    assert (other.status_code, other.json()["code"]) == (404, "PracticeClaimNotFound")


async def test_one_month_of_a_gp_is_claimed_once_and_only_by_the_practice_itself(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await drafted(app)
    twice = await app.post(CLAIMS, a_month(), practice(app))
    assert (twice.status_code, twice.json()["code"]) == (409, "PracticeClaimExists")
    other = await app.post(CLAIMS, a_month(person="psn-gp-000002"), practice(app, "A00002"))
    assert (other.status_code, other.json()["code"]) == (404, "PracticeNotFound")
    network = app.token(Role.NETWORK, organisations=[NETWORK])
    assert (await app.client.get(CLAIMS, headers=network)).status_code == 403
    assert (await app.client.get(CLAIMS, headers=practice(app, "A00002"))).json()["items"] == []
    bad = await app.post(CLAIMS, a_month(sessions="10", salary="-1.00", kind="partner"), practice(app))
    assert bad.status_code == 422
    assert {fault["field"] for fault in bad.json()["errors"]} == {"body.sessions", "body.salary", "body.kind"}


async def test_no_hour_is_paid_to_a_practice_and_a_network(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app, adjusted=80_000)
    gp: dict[str, Any] = {
        "role": "gp", "month": "2026-06", "worked_from": date(2026, 6, 1), "worked_to": date(2026, 6, 30),
        "started_on": date(2026, 5, 1), "standing": Standing(employed_before=True), "made_on": date(2026, 7, 1),
    }  # fmt: skip
    person = {"person": "psn-gp-000001", "employer": "A00001"}
    await app.deliver(a_claim(**gp), a_claim("claim-2", post="post-2", wte=Decimal("0.5"), **gp, **person))
    unnamed = await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))
    assert codes(unnamed) == ["person_unstated"]
    assert (await app.put("/funding/v1/claims/claim-2/approval", None, commissioner(app))).status_code == 200
    # of a contract for six sessions the network was paid four and a half
    same = await submitted(app, "2026-06", sessions="2", contracted_sessions="6")
    twice = await step(app, same["id"], "approval")
    assert codes(twice) == ["hours_claimed_twice"]
    fits = await submitted(
        app, "2026-06", sessions="1.5", contracted_sessions="6", kind="continuation", funded_before="test_site"
    )
    assert (await step(app, fits["id"], "approval")).status_code == 200
    await app.deliver(
        a_claim("claim-3", post="post-3", wte=Decimal("0.4"), **gp, person="psn-gp-000001", employer="A00002")
    )
    beyond = await app.put("/funding/v1/claims/claim-3/approval", None, commissioner(app))
    assert codes(beyond) == ["hours_claimed_twice"]


async def test_two_commissioners_people_approving_at_once_share_one_ceiling(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app, adjusted=400)  # £1,828.00
    claims = [await submitted(app, person=f"psn-gp-00000{n}") for n in (1, 2)]
    people = [app.token(Role.COMMISSIONER, organisations=[COMMISSIONER], subject=name) for name in ("carol", "dave")]
    tags = [(await app.client.get(f"{CLAIMS}/{claim['id']}", headers=people[0])).headers["etag"] for claim in claims]
    replies = await asyncio.gather(
        *(
            app.client.put(f"{CLAIMS}/{claim['id']}/approval", headers={**person, "If-Match": tag})
            for claim, person, tag in zip(claims, people, tags, strict=True)
        )
    )
    assert sorted(Decimal(reply.json()["payable"]) for reply in replies) == [Decimal("412.26"), Decimal("1415.74")]
    again = await asyncio.gather(
        *(
            app.client.put(
                f"{CLAIMS}/{claims[0]['id']}/rejection",
                json={"code": "x1", "reason": "late"},
                headers={**person, "If-Match": replies[0].headers["etag"]},
            )
            for person in people
        )
    )
    assert {reply.status_code for reply in again} == {409}


async def test_the_commissioner_that_took_over_decides(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    claim = await submitted(app)
    await app.deliver(succeeded(COMMISSIONER, "D7T5G", day=date(2026, 6, 1)))
    before = await step(app, claim["id"], "approval")
    assert (before.status_code, before.json()["code"]) == (403, "NotYoursToDecide")
    assert (await step(app, claim["id"], "approval", code="D7T5G")).status_code == 200


async def test_a_ceiling_follows_restated_populations_and_is_held_without_one(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    claim = await submitted(app, sessions="9", salary="12000.00")
    assert (await step(app, claim["id"], "approval")).json()["payable"] == "12500.00"
    asked = {"contract_year": "2026-27"}
    first = (await app.client.get("/funding/v1/practice-ceilings", params=asked, headers=practice(app))).json()["items"]
    await app.deliver(list_sizes("adjusted", {"A00001": 2_000}, snapshot=SNAPSHOT))
    now = (await app.client.get("/funding/v1/practice-ceilings", params=asked, headers=commissioner(app))).json()[
        "items"
    ]
    assert [(c["amount"], c["approved"], c["left"]) for c in (*first, *now)] == [
        ("36560.00", "12500.00", "24060.00"),
        ("9140.00", "12500.00", "-3360.00"),
    ]
    missing = await app.post(CLAIMS, a_month(practice="A00002", person="psn-gp-000002"), practice(app, "A00002"))
    assert [fault["code"] for fault in missing.json()["checked"]["faults"]] == ["population_missing"]
    over = await submitted(app, "2026-05")
    assert codes(await step(app, over["id"], "approval")) == ["ceiling_exhausted"]


def work(**changed: Any) -> Work:
    given: dict[str, Any] = {
        "kind": Kind.NEW_SALARIED_GP, "engagement": Engagement.SALARIED, "month": "2026-06",
        "worked_from": date(2026, 6, 1), "worked_to": date(2026, 6, 30), "sessions": Decimal(2),
        "sessions_before": Decimal(0), "contracted_sessions": Decimal(9), "hours": Decimal(0),
        "started_on": date(2026, 4, 1), "employed_here_until": None, "only_as_cover": False,
        "salary": Decimal("2000.00"), "employer_ni": Decimal("400.00"), "employer_pension": Decimal("300.00"),
    }  # fmt: skip
    return Work(**{**given, **changed})


ADDED: dict[str, Any] = {
    "kind": Kind.INCREASED_PARTICIPATION, "sessions_before": Decimal(5), "hours": Decimal("33.5"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, []),
        ({"engagement": Engagement.PARTNER}, ["not_reimbursed"]),
        ({"engagement": Engagement.SICKNESS_COVER}, ["not_reimbursed"]),
        ({"worked_to": date(2026, 7, 1)}, ["outside_month"]),
        ({"started_on": date(2026, 6, 2)}, ["before_start"]),
        ({"contracted_sessions": Decimal(1)}, ["beyond_contract"]),
        ({"employed_here_until": date(2025, 4, 1)}, ["employed_here_before"]),
        ({"employed_here_until": date(2025, 3, 31)}, []),
        ({"employed_here_until": date(2026, 3, 1), "only_as_cover": True}, []),
        (ADDED, []),
        ({**ADDED, "sessions_before": Decimal(8)}, ["beyond_full_time", "beyond_contract"]),
        ({**ADDED, "sessions_before": Decimal(0)}, ["nothing_to_add_to"]),
        ({**ADDED, "hours": Decimal(60)}, ["hours_do_not_fit"]),
    ],
)
def test_what_work_is_reimbursed(changed: dict[str, Any], codes: list[str]) -> None:
    assert [fault.code for fault in work(**changed).faults()] == codes


def test_added_hours_are_paid_by_the_hour_and_bear_insurance_on_all_of_the_pay() -> None:
    hour = maximum_of(Kind.INCREASED_PARTICIPATION, "national", date(2026, 6, 1), date(2026, 7, 1))
    found = assess(work(**ADDED), hour, before=(), given=Decimal(0), room=Decimal("99999.00"))
    # 33.5 hours at 78.41; of NI 15 percent of 2,000 may be claimed, so the cost is 2,600
    assert (found.payable, found.limited_by, found.most) == (Decimal("2600.00"), "none", Decimal("2626.74"))
    dear = assess(work(**ADDED, salary=Decimal("2400.00")), hour, before=(), given=Decimal(0), room=Decimal("99999.00"))
    assert (dear.payable, dear.limited_by) == (Decimal("2626.74"), "person_maximum")


@pytest.mark.parametrize(
    ("zone", "known_on", "value"),
    [
        ("national", date(2026, 4, 30), None),
        ("national", date(2026, 5, 1), "90.61"),
        ("national", date(2026, 6, 24), "90.61"),
        ("national", date(2026, 6, 25), "78.41"),
    ],
)
def test_the_hourly_figure_was_corrected_once_known(zone: str, known_on: date, value: str | None) -> None:
    found = maximum_of(Kind.INCREASED_PARTICIPATION, zone, date(2026, 5, 1), known_on)
    assert (None if found is None else str(found.value)) == value


def test_what_is_not_known_is_not_paid() -> None:
    london = maximum_of(Kind.INCREASED_PARTICIPATION, "london", date(2026, 6, 1), date(2026, 7, 1))
    assert london is not None
    found = assess(work(**ADDED), london, before=(), given=Decimal(0), room=Decimal("1.00"))
    assert [fault.code for fault in found.faults] == ["rate_unknown"]
    person = maximum_of(Kind.CONTINUATION, "london", date(2026, 6, 1), date(2026, 7, 1))
    assert person is not None
    assert person.value == Decimal("155698.00")


def test_twelve_months_make_the_year_whatever_their_order() -> None:
    maximum = Maximum("m", "wte_year", "national", Decimal("152900.00"), date.min, date.max, date.min, None, "derived")
    shares: list[Fraction] = []
    given = Decimal("0.00")
    for month in reversed(months_of("2026-27")):
        first = date(int(month[:4]), int(month[5:]), 1)
        one = work(
            month=month, worked_from=first, worked_to=last_day(month), sessions=Decimal(1), salary=Decimal("9000.00")
        )
        found = assess(one, maximum, before=shares, given=given, room=Decimal("99999.00"))
        assert found.most is not None
        given += found.most
        shares.append(one.share(Decimal("152900.00")))
    assert given == Decimal("16988.89")


def test_days_of_the_calendar() -> None:
    assert last_submission("2026-11") == date(2027, 2, 28)
    assert last_withdrawal("2026-10") == date(2026, 10, 26)


async def test_taking_back_waits_for_a_run_that_may_be_about_to_pay(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    on(app, date(2026, 8, 1))
    ahead = await submitted(app, "2026-08")
    await step(app, ahead["id"], "confirmation")
    assert (await step(app, ahead["id"], "approval")).status_code == 200
    async with app.session() as calculating:
        await calculating.execute(select(func.pg_advisory_xact_lock(PAYMENTS_LOCK)))
        withdrawal = asyncio.ensure_future(step(app, ahead["id"], "withdrawal"))
        done, _ = await asyncio.wait([withdrawal], timeout=0.5)
        assert not done, "nobody knows yet whether the run pays it"
        held = await calculating.scalar(select(PracticeClaim.status).where(PracticeClaim.id == ahead["id"]))
        assert held == "approved"
    assert (await withdrawal).json()["status"] == "withdrawn"
