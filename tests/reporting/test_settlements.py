"""What the bank said of payments, beside what was paid: in any order, as often as it is told."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events import funding
from shared.identity import Role
from tests.harness import Harness
from tests.reporting.builders import at, by_key, claim_made, england, payment, report


def outcome(instruction: str, parts: dict[str, str], *, returned: bool = False) -> Any:
    values: dict[str, Any] = {
        "instruction": instruction,
        "run": "run-1",
        "month": "2022-04",
        "contract_year": "2022-23",
        "payee": "F1",
        "amount": sum(map(Decimal, parts.values())),
        "parts": [funding.SettledPart(network=code, amount=Decimal(amount)) for code, amount in parts.items()],
    }
    if returned:
        return funding.PaymentReturned(**values, returned_on=date(2022, 5, 5), code="B", reason="closed")
    return funding.PaymentConfirmed(**values, confirmed_on=date(2022, 5, 4))


async def test_what_arrived_and_what_came_back_stand_beside_what_was_paid(reporting_app: Harness) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    await app.deliver(
        outcome("i1", {"U00001": "100.00", "U00002": "-20.00"}),
        outcome("i2", {"U00001": "7.50"}),
        outcome("i3", {"U00002": "3.25"}, returned=True),
    )
    await app.deliver(
        outcome("i2", {"U00001": "7.50"}, returned=True), outcome("i1", {"U00001": "100.00", "U00002": "-20.00"})
    )
    for by, expected in (
        ("england", {"England": ("80.00", "10.75")}),
        ("commissioner", {"AA1": ("100.00", "7.50"), "BB2": ("-20.00", "3.25")}),
        ("network", {"U00001": ("100.00", "7.50"), "U00002": ("-20.00", "3.25")}),
    ):
        rows = by_key(await report(app, "spend", by=by, contract_year="2022-23"))
        assert {key: (rows[key]["confirmed"], rows[key]["returned"]) for key in expected} == expected
    questions: tuple[dict[str, Any], ...] = (
        {"by": "stream"},
        {"by": "england", "stream": "arrs"},
        {"by": "network", "month": "2022-04"},
    )
    for asked in questions:
        items = (await report(app, "spend", contract_year="2022-23", **asked))["items"]
        assert {(item["confirmed"], item["returned"]) for item in items} == {(None, None)}
    other = app.token(Role.COMMISSIONER, organisations=["BB2"])
    seen = (await app.client.get("/reporting/v1/spend?by=england&contract_year=2022-23", headers=other)).json()["items"]
    assert [(item["confirmed"], item["returned"]) for item in seen] == [("-20.00", "3.25")]


async def test_an_empty_code_is_nobody_and_finds_no_money(reporting_app: Harness) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    await app.deliver(outcome("i1", {"U00001": "5.00"}))
    for by in ("network", "commissioner", "system", "stream", "month", "england"):
        of_network = await report(app, "spend", by=by, contract_year="2022-23", network="")
        of_area = await report(app, "spend", by=by, contract_year="2022-23", commissioner="")
        assert (of_network["items"], of_area["items"]) == ([], []), by


async def test_a_later_word_counts_whichever_is_heard_first(reporting_app: Harness) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    await app.deliver(outcome("i1", {"U00001": "5.00"}, returned=True), position=900)
    await app.deliver(outcome("i1", {"U00001": "5.00"}), position=899)
    rows = by_key(await report(app, "spend", by="england", contract_year="2022-23"))
    assert (rows["England"]["confirmed"], rows["England"]["returned"]) == ("0.00", "5.00")


async def test_what_came_back_and_was_sent_again_no_longer_waits(reporting_app: Harness) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    await app.deliver(
        outcome("i1", {"U00001": "5.00"}, returned=True), outcome("i9", {"U00002": "1.00"}, returned=True)
    )
    again = outcome("i2", {"U00001": "12.00"}).model_copy(update={"took_up": ["i1"]})
    await app.deliver(again)
    rows = by_key(await report(app, "spend", by="network", contract_year="2022-23"))
    assert {key: (row["confirmed"], row["returned"]) for key, row in rows.items()} == {
        "U00001": ("12.00", "0.00"),
        "U00002": ("0.00", "1.00"),
    }


async def test_a_practice_outside_every_network_is_of_its_own_area_in_every_way_of_asking(
    reporting_app: Harness,
) -> None:
    """Its lines stand under its own code, as its commissioner's, whether or not a register ever spoke of it."""
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    await app.deliver(
        payment("B80002", "BB2", [("B80002", "gp_reimbursement_max", "2022-04", "1700.00")], run="run-8"),
        outcome("i8", {"B80002": "1700.00"}),
        outcome("i9", {"X00009": "3.00"}, returned=True),
        claim_made("claim-9", "X00008"),
    )
    asked: dict[str, Any] = {"contract_year": "2022-23"}
    areas = by_key(await report(app, "spend", by="commissioner", **asked))
    assert (areas["BB2"]["paid"], areas["BB2"]["confirmed"]) == ("4512.56", "1700.00")
    assert (areas["unknown"]["returned"], areas["unknown"]["claimed"]) == ("3.00", "3731.40")
    own: dict[str, Any] = {"organisations": ("BB2",), **asked}
    networks = by_key(await report(app, "spend", Role.COMMISSIONER, by="network", **own))
    assert {code: (row["name"], row["paid"]) for code, row in networks.items()} == {
        "B80002": ("Practice B80002", "1700.00"),
        "U00002": ("Network U00002", "2812.56"),
    }
    (area,) = (await report(app, "spend", Role.COMMISSIONER, by="commissioner", **own))["items"]
    assert (area["paid"], area["confirmed"], area["returned"]) == ("4512.56", "1700.00", "0.00")
    claims = by_key(await report(app, "claims", by="commissioner", **asked))
    assert claims["unknown"]["claimed"] == "3731.40"


def redirected(amount: str, instruction: str = "i1", to: str = "F2", network: str = "U00001") -> Any:
    return funding.PaymentRedirected(
        redirection=f"rdr-{amount}",
        instruction=instruction,
        run="run-1",
        month="2022-04",
        contract_year="2022-23",
        network=network,
        payee="F1",
        redirected_to=to,
        amount=Decimal(amount),
        decided_on=date(2022, 5, 20),
    )


def took(event: Any, *redirections: Any, **changed: Any) -> Any:
    """The payment of a later month that sent what was redirected."""
    parts = [
        funding.RedirectedPart(
            redirection=one.redirection, instruction=one.instruction, network=one.network, amount=one.amount
        )
        for one in redirections
    ]
    return event.model_copy(update={"month": "2022-05", "redirections": parts, **changed})


async def test_what_came_back_and_went_to_another_payee_is_counted_once(reporting_app: Harness) -> None:
    """Of 100.00 that came back, 60.00 went to another payee and arrived, the rest was sent to its own and came back."""
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    part = redirected("60.00")
    back = outcome("i1", {"U00001": "100.00", "U00002": "3.25"}, returned=True)
    to_another = took(outcome("i2", {"U00001": "65.00"}), part, payee="F2")
    to_its_own = outcome("i3", {"U00001": "40.00", "U00002": "3.25"}, returned=True).model_copy(
        update={"took_up": ["i1"]}
    )
    sums = []
    for event in (back, part, to_another, to_its_own):
        await app.deliver(event, event)
        row = by_key(await report(app, "spend", by="network", contract_year="2022-23"))["U00001"]
        sums.append((row["confirmed"], row["returned"]))
    assert sums == [("0.00", "100.00"), ("0.00", "100.00"), ("65.00", "40.00"), ("65.00", "40.00")]
    every = by_key(await report(app, "spend", by="england", contract_year="2022-23"))["England"]
    assert (every["confirmed"], every["returned"]) == ("65.00", "43.25")


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::3])
async def test_what_payees_are_told_comes_out_the_same_in_any_order(
    reporting_app: Harness, order: tuple[int, ...]
) -> None:
    """The old payee's events come in their order, the new one's when they come."""
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    part = redirected("60.00")
    events = [
        outcome("i1", {"U00001": "100.00"}, returned=True),
        part,
        took(outcome("i2", {"U00001": "65.00"}), part, payee="F2"),
        took(outcome("i2", {"U00001": "65.00"}, returned=True), part, payee="F2"),
    ]
    of_old = sorted(place for place in order if place < 2)
    for position, place in enumerate(order):
        if place < 2:
            place = of_old.pop(0)
        await app.deliver(events[place], position=1000 + place + (position if place < 2 else 0))
    row = by_key(await report(app, "spend", by="network", contract_year="2022-23"))["U00001"]
    assert (row["confirmed"], row["returned"]) == ("0.00", "105.00"), "40.00 of its own and 65.00 that came back again"


async def test_what_was_held_and_went_to_another_payee_never_came_back(reporting_app: Harness) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    part = redirected("60.00")
    await app.deliver(part, took(outcome("i2", {"U00001": "60.00"}), part, payee="F2"))
    row = by_key(await report(app, "spend", by="network", contract_year="2022-23"))["U00001"]
    assert (row["confirmed"], row["returned"]) == ("60.00", "0.00")


async def test_what_was_owed_and_given_up_or_had_back_is_told_beside_what_arrived(reporting_app: Harness) -> None:
    """A payee was sent 100.00, of which 30.00 turned out too much: 20.00 was had back by cheque, 10.00 given up."""
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    await app.deliver(outcome("i1", {"U00001": "100.00"}))
    for decision, what, parts in (
        ("debt-1", "recovered", {"U00001": "25.00", "U00002": "-5.00"}),
        ("debt-2", "written-off", {"U00001": "10.00"}),
    ):
        event = funding.DebtSettled(
            decision=decision,
            instruction=f"{decision}-i",
            run="run-2",
            month="2022-05",
            contract_year="2022-23",
            payee="F1",
            amount=sum(map(Decimal, parts.values())),
            outcome=what,
            parts=[funding.SettledPart(network=code, amount=Decimal(part)) for code, part in parts.items()],
            settled_on=date(2022, 6, 1),
            decided_on=date(2022, 6, 2),
        )
        await app.deliver(event, event)
    names = ("confirmed", "returned", "recovered", "written_off")
    for by, expected in (
        ("england", {"England": ("100.00", "0.00", "20.00", "10.00")}),
        ("commissioner", {"AA1": ("100.00", "0.00", "25.00", "10.00"), "BB2": ("0.00", "0.00", "-5.00", "0.00")}),
        ("network", {"U00001": ("100.00", "0.00", "25.00", "10.00"), "U00002": ("0.00", "0.00", "-5.00", "0.00")}),
    ):
        rows = by_key(await report(app, "spend", by=by, contract_year="2022-23"))
        assert {key: tuple(rows[key][name] for name in names) for key in expected} == expected
    (of_arrs,) = (await report(app, "spend", by="england", contract_year="2022-23", stream="arrs"))["items"]
    assert {of_arrs[name] for name in names} == {None}
