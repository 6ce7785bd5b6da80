"""What a change would do to payments: the answer is what then really happens, and nothing is stored by asking."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events.registry import PracticeJoined, PracticeLeft
from shared.identity import Role
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.harness import Harness

WHAT_IFS = "/funding/v1/what-ifs"
OTHER = "U55555"
YEAR = "2022-23"
LISTS = {"A00002": "20000", "A00003": "30001", "A00004": "5000"}


@pytest.fixture
async def app(funding_app: Harness) -> Harness:
    """Two networks of one commissioner, two practices in the first, one in the second, one in none."""
    await funding_app.deliver(
        a_commissioner(),
        a_commissioner("99X", "QXX"),
        some_practices(["A00001", "A00002", "A00003", "A00004"]),
        an_approved_network(members=["A00001", "A00002"]),
        an_approved_network(OTHER, members=["A00003"]),
        an_approved_network("U77777", members=[], commissioner="99X"),
        list_sizes("registered", {**LISTS, "A00001": "10000"}),
        list_sizes("adjusted", {**LISTS, "A00001": "11000"}),
        list_sizes("weighted", {**LISTS, "A00001": "12000"}),
    )
    return funding_app


def national(app: Harness) -> dict[str, str]:
    return app.token(Role.NATIONAL)


async def asked(app: Harness, headers: dict[str, str] | None = None, **question: Any) -> dict[str, Any]:
    reply = await app.post(WHAT_IFS, {"contract_year": YEAR, **question}, headers or national(app))
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def due(app: Harness, network: str) -> dict[tuple[str, str, str | None], Decimal]:
    query = {"network": network, "contract_year": YEAR}
    reply = await app.client.get("/funding/v1/entitlements", params=query, headers=national(app))
    return {
        (network, item["stream"], item["practice"]): Decimal(item["due"])
        for item in reply.json()["items"]
        if Decimal(item["due"])
    }


def by_stream(answer: dict[str, Any], *sides: str) -> dict[tuple[str, str], Any]:
    return {(row["network"], row["stream"]): [row[side] for side in sides] for row in answer["streams"]}


MOVE = {"practice": "A00002", "leaves": NETWORK, "joins": OTHER, "month": "2022-07"}


async def test_a_move_is_answered_as_it_then_really_comes(app: Harness) -> None:
    before = {**await due(app, NETWORK), **await due(app, OTHER)}
    answer = await asked(app, members=[MOVE])
    assert {**await due(app, NETWORK), **await due(app, OTHER)} == before, "asking changes nothing"
    await app.deliver(
        PracticeLeft(
            network=NETWORK,
            commissioner=COMMISSIONER,
            practice="A00002",
            valid_from=date(2020, 4, 1),
            valid_to=date(2022, 6, 30),
        ),
        PracticeJoined(network=OTHER, commissioner=COMMISSIONER, practice="A00002", valid_from=date(2022, 7, 1)),
    )
    after = {**await due(app, NETWORK), **await due(app, OTHER)}
    really = {
        key: after.get(key, Decimal(0)) - before.get(key, Decimal(0))
        for key in before.keys() | after.keys()
        if after.get(key) != before.get(key)
    }
    told: dict[tuple[str, str, str | None], Decimal] = {}
    for change in answer["changes"]:
        if change["difference"] is not None:
            key = (change["network"], change["stream"], change["practice"])
            told[key] = told.get(key, Decimal(0)) + Decimal(change["difference"])
    assert {key: amount for key, amount in told.items() if amount} == really
    assert by_stream(answer, "difference")[NETWORK, "core_registered"] == ["-22500.00"]  # 1.50 x 20,000 x 9/12
    july = [
        c for c in answer["changes"] if (c["month"], c["network"], c["stream"]) == ("2022-07", OTHER, "core_registered")
    ]
    assert [(c["now"], c["then"], c["because"]) for c in july] == [
        ("3750.12", "6250.12", ["A00002 counts with 20000 registered patients"])
    ]
    assert min(change["month"] for change in answer["changes"]) == "2022-07"


async def test_another_rate_and_another_list_are_answered_by_month(app: Harness) -> None:
    answer = await asked(
        app, networks=[NETWORK], rates=[{"stream": "core_registered", "value": "1.60", "first": "2022-10"}]
    )
    assert by_stream(answer, "difference") == {(NETWORK, "core_registered"): ["1500.00"]}  # 0.10 x 30,000 x 6/12
    assert answer["difference"] == "1500.00"
    assert answer["changes"][0]["because"] == ["the rate is £1.6 and not £1.5"]
    assert [change["month"] for change in answer["changes"]] == [
        "2022-10", "2022-11", "2022-12", "2023-01", "2023-02", "2023-03",
    ]  # fmt: skip
    lists = await asked(
        app,
        networks=[NETWORK],
        through="2022-06",
        populations=[{"practice": "A00001", "basis": "weighted", "value": "12400"}],
    )
    assert by_stream(lists, "difference") == {(NETWORK, "network_participation"): ["176.10"]}  # 1.761 x 400 x 3/12
    assert {change["practice"] for change in lists["changes"]} == {"A00001"}


async def test_an_area_is_asked_about_as_a_whole(app: Harness) -> None:
    answer = await asked(app, commissioner=COMMISSIONER, rates=[{"stream": "clinical_director", "value": "0.836"}])
    assert answer["networks"] == [NETWORK, OTHER]
    assert by_stream(answer, "difference") == {
        (NETWORK, "clinical_director"): ["3000.00"],
        (OTHER, "clinical_director"): ["3000.10"],
    }
    none = await app.post(
        WHAT_IFS,
        {"contract_year": YEAR, "commissioner": "00Z", "rates": [{"stream": "clinical_director", "value": "1"}]},
        national(app),
    )
    assert (none.status_code, none.json()["code"]) == (404, "NetworksNotFound")


async def test_a_practice_that_joins_from_outside_brings_its_list_and_one_without_a_list_holds_the_stream(
    app: Harness,
) -> None:
    answer = await asked(app, members=[{"practice": "A00004", "joins": NETWORK, "month": "2023-01"}])
    assert by_stream(answer, "difference")[NETWORK, "core_registered"] == ["1875.00"]  # 1.50 x 5,000 x 3/12
    assert by_stream(answer, "difference")[NETWORK, "network_participation"] == ["2201.25"]
    await app.deliver(
        some_practices(["A00009"], "99X"), list_sizes("registered", {"A00009": "100"}, commissioner="99X", network=None)
    )
    held = await asked(app, members=[{"practice": "A00009", "joins": NETWORK, "month": "2023-03"}])
    (march,) = [c for c in held["changes"] if c["stream"] == "leadership_management"]
    assert (march["then"], march["difference"]) == (None, None)
    assert "A00009" in march["held_then"]
    assert by_stream(held, "difference", "held")[NETWORK, "core_registered"] == ["12.50", 0]
    assert by_stream(held, "held")[NETWORK, "network_participation"] == [1]


async def test_every_reason_why_a_question_makes_no_sense_is_listed(app: Harness) -> None:
    question = {
        "contract_year": YEAR,
        "through": "2022-09",
        "members": [
            {"practice": "A00003", "leaves": NETWORK, "month": "2022-07"},
            {"practice": "A00001", "joins": NETWORK, "month": "2022-07"},
            {"practice": "A99999", "joins": NETWORK, "month": "2022-12"},
        ],
        "rates": [
            {"stream": "enhanced_access", "value": "1.00"},
            {"stream": "core_registered", "value": "1", "first": "2023-01"},
        ],
        "populations": [{"practice": "A88888", "basis": "weighted", "value": "1"}],
    }
    reply = await app.post(WHAT_IFS, question, national(app))
    assert (reply.status_code, reply.json()["code"]) == (422, "QuestionRefused")
    assert {(error["field"], error["code"]) for error in reply.json()["errors"]} == {
        ("body.members.0.leaves", "membership"),
        ("body.members.1.joins", "membership"),
        ("body.members.2.practice", "practice_unknown"),
        ("body.members.2.month", "outside_months"),
        ("body.rates.0.stream", "stream_not_in_force"),
        ("body.rates.1.first", "outside_months"),
        ("body.populations.0.practice", "practice_unknown"),
    }


@pytest.mark.parametrize(
    "question",
    [
        {"networks": [NETWORK]},
        {"rates": [{"stream": "core_registered", "value": "1"}]},
        {"networks": [NETWORK], "through": "2023-04", "rates": [{"stream": "core_registered", "value": "1"}]},
        {"members": [{"practice": "A00001", "month": "2022-07"}]},
        {"members": [{"practice": "A00001", "month": "2022-07", "leaves": NETWORK, "joins": NETWORK}]},
        {"networks": [NETWORK], "rates": [{"stream": "core_registered", "value": "-1"}]},
    ],
)
async def test_a_question_that_asks_nothing_is_malformed(app: Harness, question: dict[str, Any]) -> None:
    assert (await app.post(WHAT_IFS, {"contract_year": YEAR, **question}, national(app))).status_code == 422


async def test_only_networks_the_caller_sees_can_be_asked_about(app: Harness) -> None:
    own = app.token(Role.NETWORK, organisations=[NETWORK])
    rates = [{"stream": "core_registered", "value": "2"}]
    assert (await asked(app, own, networks=[NETWORK], rates=rates))["difference"] == "15000.00"
    for question in ({"members": [MOVE]}, {"networks": [OTHER], "rates": rates}):
        hidden = await app.post(WHAT_IFS, {"contract_year": YEAR, **question}, own)
        assert (hidden.status_code, hidden.json()["code"]) == (404, "NetworksNotFound")
    stranger = app.token(Role.COMMISSIONER, organisations=["99X"])
    assert (await app.post(WHAT_IFS, {"contract_year": YEAR, "members": [MOVE]}, stranger)).status_code == 404
    practice = app.token(Role.PRACTICE, organisations=["A00001"])
    assert (await app.post(WHAT_IFS, {"contract_year": YEAR, "members": [MOVE]}, practice)).status_code == 403


async def a_variation_proposed(app: Harness) -> str:
    """More for frail people, more for roles, of one commissioner's practices; nobody has agreed yet."""
    reply = await app.post(
        "/funding/v1/variations",
        {
            "name": "Care for frail people",
            "commissioner": COMMISSIONER,
            "first_month": "2022-10",
            "last_month": "2023-03",
            "practices": ["A00001", "A00002", "A00003"],
            "items": [{"stream": "frailty_care", "basis": "registered", "value": "2.400"}],
            "sums": [{"code": "all_roles", "value": "18.000"}],
        },
        app.token(Role.COMMISSIONER, organisations=[COMMISSIONER], subject="carol"),
    )
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def test_what_agreeing_to_a_variation_would_change_is_what_it_then_does(app: Harness) -> None:
    variation = await a_variation_proposed(app)
    network = app.token(Role.NETWORK, organisations=[NETWORK])
    told = await asked(app, network, consents=[{"variation": variation, "practices": ["A00001"]}])
    assert told["networks"] == [NETWORK]
    # 2.400 × 10,000 / 2 for half a year, and (18.000 − 16.696) × 12,000 / 2 more of the sum
    assert [(one["stream"], one["difference"]) for one in told["streams"]] == [("frailty_care", "12000.00")]
    assert [(one["network"], one["now"], one["then"], one["difference"]) for one in told["sums"]] == [
        (NETWORK, "534272.00", "542096.00", "7824.00")
    ]
    consent = {"practice": "A00001", "signed_by": "Dr Okafor"}
    own = app.token(Role.PRACTICE, organisations=["A00001"])
    assert (await app.post(f"/funding/v1/variations/{variation}/consents", consent, own)).status_code == 201
    assert (await app.put(f"/funding/v1/variations/{variation}/approval", None, national(app))).status_code == 200
    budgets = (await app.client.get("/funding/v1/budgets", params={"network": NETWORK}, headers=network)).json()
    assert [one["amount"] for one in budgets["items"] if one["contract_year"] == YEAR] == ["542096.00"]
    again = await asked(app, network, consents=[{"variation": variation, "practices": ["A00001"]}])
    assert (again["streams"], again["sums"]) == ([], [])


async def test_a_practice_that_moves_takes_its_consent_along(app: Harness) -> None:
    variation = await a_variation_proposed(app)
    for practice in ("A00001", "A00002"):
        consent = {"practice": practice, "signed_by": "Dr Okafor"}
        own = app.token(Role.PRACTICE, organisations=[practice])
        assert (await app.post(f"/funding/v1/variations/{variation}/consents", consent, own)).status_code == 201
    assert (await app.put(f"/funding/v1/variations/{variation}/approval", None, national(app))).status_code == 200
    move = {"practice": "A00002", "leaves": NETWORK, "joins": OTHER, "month": "2023-01"}
    told = await asked(app, members=[move])
    frailty = {one["network"]: one["difference"] for one in told["streams"] if one["stream"] == "frailty_care"}
    assert frailty == {NETWORK: "-12000.00", OTHER: "12000.00"}  # 2.400 × 20,000 × 3 / 12
    # 18.000 × 20,000 × 3 / 12 goes with it, and with the whole year 16.696 × 20,000 and 1.304 × 20,000 / 2
    assert {one["network"]: one["difference"] for one in told["sums"]} == {NETWORK: "-90000.00", OTHER: "90000.00"}
    early = await asked(app, members=[{**move, "month": "2022-04"}])
    assert {one["network"]: one["difference"] for one in early["sums"]} == {NETWORK: "-346960.00", OTHER: "346960.00"}


async def test_questions_about_consent_that_make_no_sense(app: Harness) -> None:
    variation = await a_variation_proposed(app)
    headers = national(app)

    async def refused(**question: Any) -> tuple[int, str, set[str]]:
        reply = await app.post(WHAT_IFS, {"contract_year": YEAR, **question}, headers)
        problem = reply.json()
        return reply.status_code, problem["code"], {fault["code"] for fault in problem.get("errors") or []}

    one = {"variation": variation, "practices": ["A00001"]}
    unknown = {**one, "variation": "variation-x"}
    assert await refused(consents=[unknown]) == (404, "VariationNotFound", set())
    stranger = app.token(Role.COMMISSIONER, organisations=["99X"])
    other = await app.post(WHAT_IFS, {"contract_year": YEAR, "consents": [one]}, stranger)
    assert (other.status_code, other.json()["code"]) == (404, "VariationNotFound")
    outside = {**one, "practices": ["A00001", "A00004"]}
    assert await refused(consents=[outside]) == (422, "QuestionRefused", {"not_in_variation"})
    assert await refused(contract_year="2023-24", consents=[one]) == (422, "QuestionRefused", {"variation_not_open"})
