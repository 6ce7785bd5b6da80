"""The onward split: by every method, never more than there is, to the penny, seen by those it concerns."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.funding.distributions.sharing import HUNDRED, Method, NothingToShareBy, OverDistributed, split
from shared.events.registry import AgreementEnded, AgreementSigned, FinanceTerms, MemberShare
from shared.identity import Role
from tests.funding.builders import NETWORK, list_sizes
from tests.funding.test_journey import an_area, calculated, paid
from tests.harness import Harness

RULES, DISTRIBUTIONS = "/funding/v1/distribution-rules", "/funding/v1/distributions"
PRACTICES = ("A00001", "A00002", "A00003")
pounds = st.integers(-100_000_00, 100_000_00).map(lambda pence: Decimal(pence) / 100)
weights = st.dictionaries(
    st.sampled_from(PRACTICES), st.decimals("0.0001", "50000", places=4, allow_nan=False), min_size=1
)


@given(pounds, st.sampled_from(Method), weights, st.lists(st.integers(1, 5000_00).map(lambda p: Decimal(p) / 100)))
def test_what_is_divided_adds_up_to_the_payment_or_is_refused(
    payment: Decimal, method: Method, given_to: dict[str, Decimal], costs: list[Decimal]
) -> None:
    if method is Method.FIXED:
        given_to = {code: weight.quantize(Decimal("0.01")) + Decimal("0.01") for code, weight in given_to.items()}
    try:
        done = split(payment, method, given_to, costs)
    except OverDistributed:
        base = payment - sum(costs) if payment > 0 else payment
        too_much = {Method.CUSTOM: HUNDRED, Method.FIXED: base}.get(method)
        assert sum(costs) > payment > 0 or (too_much is not None and sum(given_to.values()) > too_much)
        return
    parts = sum((part.amount for part in done.parts), Decimal(0))
    assert parts + done.retained + done.costs == payment
    assert done.shared == payment - done.costs
    for part in done.parts:
        exact = Fraction(done.shared) * Fraction(part.weight) / Fraction(part.whole)
        assert abs(Fraction(part.amount) - exact) < Fraction(1, 100), "within a penny of the exact share"
        if method is Method.FIXED and payment >= 0:
            assert part.amount == part.weight, "a fixed sum is paid as agreed"
    if payment >= 0:
        assert done.retained >= 0
        assert all(part.amount >= 0 for part in done.parts)
    if method not in (Method.CUSTOM, Method.FIXED):
        assert done.retained == 0


def test_pennies_left_over_go_to_the_largest_remainders() -> None:
    done = split(Decimal("100.00"), Method.EQUAL, dict.fromkeys(PRACTICES, Decimal(1)))
    assert [part.amount for part in done.parts] == [Decimal("33.34"), Decimal("33.33"), Decimal("33.33")]
    uneven = split(Decimal("0.05"), Method.POINTS, {"A00001": Decimal(1), "A00002": Decimal(2), "A00003": Decimal(2)})
    assert [part.amount for part in uneven.parts] == [Decimal("0.01"), Decimal("0.02"), Decimal("0.02")]


def test_nobody_to_share_between_is_a_refusal() -> None:
    with pytest.raises(NothingToShareBy):
        split(Decimal(1), Method.EQUAL, {})
    with pytest.raises(NothingToShareBy):
        split(Decimal(1), Method.WEIGHTED, {"A00001": Decimal(0)})


def network(app: Harness, code: str = NETWORK) -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[code], subject="nina")


def a_rule(method: str, **changed: Any) -> dict[str, Any]:
    return {"network": NETWORK, "method": method, "agreed_on": "2022-03-31", "valid_from": "2022-04-01", **changed}


async def agreed(app: Harness, method: str, **changed: Any) -> dict[str, Any]:
    reply = await app.post(RULES, a_rule(method, **changed), network(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def divided(app: Harness, run: dict[str, Any], **more: str) -> dict[str, Any]:
    reply = await app.post(DISTRIBUTIONS, {"run": run["id"], "network": NETWORK, **more}, network(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


METHODS: list[tuple[str, dict[str, Any], tuple[str, str], str]] = [
    # April 2022 pays the network £18,112.67: 6,250.00 + 3,066.67 + 6,000.00 + 2,796.00
    ("equal", {}, ("9056.34", "9056.33"), "0.00"),
    ("registered", {}, ("10867.60", "7245.07"), "0.00"),
    ("weighted", {}, ("11229.86", "6882.81"), "0.00"),
    ("points", {"parts": {"A00001": "30", "A00002": "70"}}, ("5433.80", "12678.87"), "0.00"),
    ("custom", {"parts": {"A00001": "60", "A00002": "30.5"}}, ("10867.60", "5524.37"), "1720.70"),
    ("fixed", {"parts": {"A00001": "10000", "A00002": "5000.50"}}, ("10000.00", "5000.50"), "3112.17"),
    ("equal", {"costs": [{"what": "manager", "amount": "3000.01"}]}, ("7556.33", "7556.33"), "0.00"),
]


@pytest.mark.parametrize(("method", "more", "amounts", "retained"), METHODS)
async def test_a_payment_is_divided_by_every_method(
    funding_app: Harness, method: str, more: dict[str, Any], amounts: tuple[str, str], retained: str
) -> None:
    await an_area(funding_app)
    await agreed(funding_app, method, **more)
    made = await divided(funding_app, await paid(funding_app, "2022-04"))
    assert made["payment"] == "18112.67", "practices' own participation money is no part of it"
    assert (tuple(part["amount"] for part in made["parts"]), made["retained"]) == (amounts, retained)
    costs = sum(Decimal(cost["amount"]) for cost in made["costs"])
    assert sum(map(Decimal, amounts)) + Decimal(retained) + costs == Decimal(made["payment"])
    assert made["parts"][0]["arithmetic"].startswith(f"£{Decimal(made['shared']):,.2f} × ")
    assert made["parts"][0]["arithmetic"].endswith(f"= £{Decimal(amounts[0]):,.2f}")


async def test_more_than_there_is_is_never_promised(funding_app: Harness) -> None:
    await an_area(funding_app)
    over = a_rule("custom", parts={"A00001": "60", "A00002": "40.0001"})
    reply = await funding_app.post(RULES, over, network(funding_app))
    assert (reply.status_code, reply.json()["code"]) == (409, "OverDistributed")
    run = await paid(funding_app, "2022-04")
    payment = {"run": run["id"], "network": NETWORK}
    none = await funding_app.post(DISTRIBUTIONS, payment, network(funding_app))
    assert (none.status_code, none.json()["code"]) == (409, "NoRuleAgreed")
    for method, more in (
        ("fixed", {"parts": {"A00001": "18112.68"}}),
        ("equal", {"costs": [{"what": "building", "amount": "18112.68"}]}),
    ):
        await agreed(funding_app, method, **more)
        reply = await funding_app.post(DISTRIBUTIONS, payment, network(funding_app))
        assert (reply.status_code, reply.json()["code"]) == (409, "OverDistributed")
    await agreed(funding_app, "points", parts={"A00003": "1"})
    stranger = await funding_app.post(DISTRIBUTIONS, payment, network(funding_app))
    assert (stranger.status_code, stranger.json()["code"]) == (409, "NotMembers")
    assert [fault["field"] for fault in stranger.json()["errors"]] == ["parts.A00003"]
    for wrong in (
        a_rule("equal", parts={"A00001": "1"}),
        a_rule("points"),
        a_rule("fixed", parts={"A00001": "1.001"}),
        a_rule("points", parts={"A00001": "0"}),
        a_rule("equal", valid_to="2022-03-31"),
        a_rule("equal", costs=[{"what": "x", "amount": "0.00"}]),
    ):
        assert (await funding_app.post(RULES, wrong, network(funding_app))).status_code == 422


async def test_patients_nobody_counted_are_named(funding_app: Harness) -> None:
    await an_area(funding_app)
    await agreed(funding_app, "weighted")
    run = await paid(funding_app, "2023-04")
    reply = await funding_app.post(DISTRIBUTIONS, {"run": run["id"], "network": NETWORK}, network(funding_app))
    assert reply.status_code in {404, 409}
    assert reply.json()["code"] in {"PaymentNotFound", "PopulationMissing"}
    await funding_app.deliver(list_sizes("registered", {"A00001": 30000, "A00002": 20000}, snapshot=date(2023, 1, 1)))
    may = await paid(funding_app, "2023-05")
    reply = await funding_app.post(DISTRIBUTIONS, {"run": may["id"], "network": NETWORK}, network(funding_app))
    assert (reply.status_code, reply.json()["code"]) == (409, "PopulationMissing")
    assert [fault["field"] for fault in reply.json()["errors"]] == ["members.A00001", "members.A00002"]


async def test_a_payment_is_divided_once_by_the_rule_of_its_month(funding_app: Harness) -> None:
    await an_area(funding_app)
    await agreed(funding_app, "equal")
    run = await paid(funding_app, "2022-04")
    first = await divided(funding_app, run)
    await agreed(funding_app, "points", parts={"A00001": "1"}, valid_from="2022-05-01")
    again = await funding_app.post(DISTRIBUTIONS, {"run": run["id"], "network": NETWORK}, network(funding_app))
    assert (again.status_code, again.json()["code"]) == (409, "AlreadyDistributed")
    may = await divided(funding_app, await paid(funding_app, "2022-05"))
    assert (may["method"], [part["practice"] for part in may["parts"]]) == ("points", ["A00001"])
    held = (await funding_app.client.get(RULES, params={"as_at": "2022-04-30"}, headers=network(funding_app))).json()
    assert [item["method"] for item in held["items"]] == ["equal"]
    shown = await funding_app.client.get(f"{DISTRIBUTIONS}/{first['id']}", headers=network(funding_app))
    assert shown.json() == first
    waiting = await calculated(funding_app, "2022-06")
    early = await funding_app.post(DISTRIBUTIONS, {"run": waiting["id"], "network": NETWORK}, network(funding_app))
    assert (early.status_code, early.json()["code"]) == (404, "PaymentNotFound")
    async with funding_app.session() as session:
        for statement in ("UPDATE distribution_parts SET amount = 0", "DELETE FROM distributions"):
            with pytest.raises(DBAPIError):
                async with session.begin_nested():
                    await session.execute(text(statement))


async def test_each_member_sees_its_part_and_strangers_nothing(funding_app: Harness) -> None:
    await an_area(funding_app)
    await agreed(funding_app, "registered")
    made = await divided(funding_app, await paid(funding_app, "2022-04"))
    for role, code, seen in (
        (Role.NETWORK, NETWORK, ["A00001", "A00002"]),
        (Role.PAYEE, "A00001", ["A00001", "A00002"]),
        (Role.PRACTICE, "A00002", ["A00002"]),
        (Role.PRACTICE, "A00003", None),
        (Role.NETWORK, "U54321", None),
        (Role.PAYEE, "A00002", None),
    ):
        headers = funding_app.token(role, organisations=[code])
        one = await funding_app.client.get(f"{DISTRIBUTIONS}/{made['id']}", headers=headers)
        listed = (await funding_app.client.get(DISTRIBUTIONS, headers=headers)).json()["items"]
        if seen is None:
            assert (one.status_code, listed) == (404, [])
        else:
            assert [part["practice"] for part in one.json()["parts"]] == seen
            assert listed == [one.json()]
        rules = (await funding_app.client.get(RULES, headers=headers)).json()["items"]
        assert len(rules) == (0 if seen is None else 1), code
    for role in (Role.NATIONAL, Role.COMMISSIONER, Role.OPERATOR):
        headers = funding_app.token(role, organisations=["00L"])
        assert (await funding_app.client.get(DISTRIBUTIONS, headers=headers)).status_code == 403, (
            "private to the network"
        )
    foreign = await funding_app.post(RULES, a_rule("equal"), network(funding_app, "U54321"))
    assert (foreign.status_code, foreign.json()["code"]) == (404, "NetworkNotFound")
    run = {"run": made["run"], "network": NETWORK}
    stranger = await funding_app.post(DISTRIBUTIONS, run, network(funding_app, "U54321"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "PaymentNotFound")


async def test_a_payment_divided_by_two_at_once_is_divided_once(funding_live: Harness) -> None:
    await an_area(funding_live)
    await agreed(funding_live, "equal")
    run = await paid(funding_live, "2022-04")
    payee = funding_live.token(Role.PAYEE, organisations=["A00001"])
    body = {"run": run["id"], "network": NETWORK}
    replies = await asyncio.gather(
        *(funding_live.post(DISTRIBUTIONS, body, headers) for headers in (network(funding_live), payee))
    )
    assert sorted(reply.status_code for reply in replies) == [201, 409]


async def another(app: Harness, more: str | None) -> None:
    """A distribution like the one there, put in by hand with so much more for each member, or with no parts at all."""
    copied = (
        "INSERT INTO distributions SELECT 'dst-x', run, network, 'X', month, payment, method, rule, snapshot, costs,"
        " costs_taken, shared, retained, made_by, made_at FROM distributions"
    )
    parts = (
        "INSERT INTO distribution_parts SELECT 'dst-x', practice, weight, whole, amount + CAST(:more AS numeric)"
        " FROM distribution_parts"
    )
    async with app.session() as session:
        await session.execute(text(copied))
        if more is not None:
            await session.execute(text(parts), {"more": more})


@pytest.mark.parametrize("more", ["0.01", "-0.01", None])
async def test_the_database_refuses_parts_that_do_not_add_up(funding_live: Harness, more: str | None) -> None:
    """A deferred check: seen only where a transaction really ends."""
    await an_area(funding_live)
    await agreed(funding_live, "equal")
    await divided(funding_live, await paid(funding_live, "2022-04"))
    with pytest.raises(DBAPIError, match="do not add up"):
        await another(funding_live, more)


def signed(version: int, first: date, finance: FinanceTerms | None) -> AgreementSigned:
    return AgreementSigned(
        network=NETWORK, commissioner="00L", agreement_version=version, in_force_from=first, finance=finance
    )


async def test_a_signed_agreement_only_suggests_a_rule(funding_app: Harness) -> None:
    await an_area(funding_app)
    terms = FinanceTerms(
        rule="shares",
        shares=[
            MemberShare(practice="A00001", share=Decimal("0.6")),
            MemberShare(practice="A00002", share=Decimal("0.4")),
        ],
    )
    await funding_app.deliver(
        signed(1, date(2022, 4, 1), terms),
        signed(2, date(2023, 4, 1), FinanceTerms(rule="weighted")),
        AgreementEnded(
            network=NETWORK, commissioner="00L", agreement_version=1, last_day=date(2023, 3, 31), reason="renewed"
        ),
    )
    await funding_app.deliver(signed(1, date(2022, 4, 1), terms))

    async def suggested(day: str, headers: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
        path = "/funding/v1/distribution-suggestions"
        items = (await funding_app.client.get(path, params={"as_at": day}, headers=headers)).json()["items"]
        return [(item["method"], item["parts"]) for item in items]

    assert await suggested("2022-06-01", network(funding_app)) == [("custom", {"A00001": "60", "A00002": "40"})]
    assert await suggested("2023-06-01", network(funding_app)) == [("weighted", {})]
    practice = funding_app.token(Role.PRACTICE, organisations=["A00002"])
    assert len(await suggested("2022-06-01", practice)) == 1
    assert await suggested("2022-06-01", network(funding_app, "U54321")) == []
    run = await paid(funding_app, "2022-04")
    reply = await funding_app.post(DISTRIBUTIONS, {"run": run["id"], "network": NETWORK}, network(funding_app))
    assert reply.json()["code"] == "NoRuleAgreed", "nothing is divided by it until the network says so"


async def suggestions(app: Harness, *asked: str) -> list[list[tuple[int, str]]]:
    found = []
    for day in asked:
        path = f"/funding/v1/distribution-suggestions?as_at={day}"
        reply = await app.client.get(path, headers=network(app))
        assert reply.status_code == 200, reply.text
        found.append([(item["agreement_version"], item["method"]) for item in reply.json()["items"]])
    return found


async def test_only_the_agreement_of_the_day_suggests_and_what_it_took_the_place_of_stays_replaced(
    funding_app: Harness,
) -> None:
    app, day_before = funding_app, date(2022, 9, 30)
    equal, weighted = FinanceTerms(rule="equal"), FinanceTerms(rule="weighted")
    days = ("2022-09-30", "2022-10-01", "2022-12-31", "2023-01-01")
    ended = AgreementEnded(
        network=NETWORK, commissioner="00L", agreement_version=2, last_day=date(2022, 12, 31), reason="dissolved"
    )
    first, second = [(1, "equal")], [(2, "weighted")]
    await app.deliver(signed(1, date(2022, 4, 1), equal), signed(2, date(2022, 10, 1), weighted))
    assert await suggestions(app, *days) == [first, second, second, second]
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    await app.deliver(ended)
    assert await suggestions(app, *days) == [first, second, second, []]
    assert await suggestions(app, f"2023-01-01&known_at={before}") == [second]
    await app.deliver(ended.model_copy(update={"last_day": day_before, "reason": "a signature was never given"}))
    assert await suggestions(app, *days) == [first] * 4
    # signed again, and from an earlier day: the newer word counts, also where the end of before lies in its days
    await app.deliver(signed(2, date(2022, 9, 30), weighted))
    assert await suggestions(app, *days) == [second] * 4
    shown = await app.client.get("/funding/v1/distribution-suggestions?as_at=2022-10-01", headers=network(app))
    assert shown.json()["items"][0]["last_day"] is None
    # a version with no finance schedule suggests nothing, nor does the one it took the place of
    await app.deliver(signed(3, date(2023, 1, 1), None))
    assert await suggestions(app, *days) == [second, second, second, []]


async def test_the_end_of_an_agreement_may_be_heard_of_first(funding_app: Harness) -> None:
    await an_area(funding_app)
    ended = AgreementEnded(
        network=NETWORK, commissioner="00L", agreement_version=1, last_day=date(2022, 6, 30), reason="dissolved"
    )
    await funding_app.deliver(ended, position=102)
    await funding_app.deliver(signed(1, date(2022, 4, 1), FinanceTerms(rule="equal")), position=101)
    path = "/funding/v1/distribution-suggestions"
    for day, count in (("2022-06-30", 1), ("2022-07-01", 0)):
        reply = await funding_app.client.get(path, params={"as_at": day}, headers=network(funding_app))
        assert len(reply.json()["items"]) == count
