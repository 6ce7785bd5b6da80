"""Netting: nothing below zero is ever sent, nothing is lost, and a payee repays only what the same payee was paid."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.funding.instructions.netting import NOTHING, Open, net

PAYEES = ("A00001", "A00002", "X1")
NETWORKS = ("U00001", "U00002")
pounds = st.integers(-500_00, 500_00).map(lambda pence: Decimal(pence) / 100)
lines = st.lists(st.tuples(st.sampled_from(PAYEES), st.sampled_from(NETWORKS), pounds), max_size=8)
outcomes = st.lists(st.sampled_from(("confirmed", "returned", "returned-late")), min_size=3, max_size=3)


@settings(max_examples=300)
@given(st.lists(st.tuples(lines, outcomes), min_size=1, max_size=6))
def test_whatever_a_year_of_runs_brings_what_was_sent_and_is_carried_is_what_was_due(
    runs: list[tuple[list[tuple[str, str, Decimal]], list[str]]],
) -> None:
    """Runs with lines of either sign; instructions confirmed or returned, at once or only after the next run."""
    due: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    arrived: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    waiting: list[Open] = []
    late: list[Open] = []
    for number, (of_run, outcome) in enumerate(runs):
        for payee, _, amount in of_run:
            due[payee] += amount
        netted = net(of_run, waiting)
        taken = [one for instruction in netted for one in instruction.taken]
        assert len(taken) == len(set(taken)), "an earlier instruction is taken up once"
        waiting = [one for one in waiting if one.instruction not in taken] + late
        late = []
        for place, one in enumerate(netted):
            assert sum(one.parts.values(), NOTHING) == one.amount
            assert one.amount == one.of_run + one.brought_forward
            open_again = Open(f"{number}-{place}", one.payee, one.parts)
            if one.amount < 0:
                waiting.append(open_again)
            elif one.amount > 0:
                what = outcome[PAYEES.index(one.payee)]
                if what == "confirmed":
                    arrived[one.payee] += one.amount
                else:
                    (waiting if what == "returned" else late).append(open_again)
        assert all(amount >= 0 for amount in arrived.values())
        for payee in PAYEES:
            still = sum((sum(o.parts.values(), NOTHING) for o in [*waiting, *late] if o.payee == payee), NOTHING)
            assert arrived[payee] + still == due[payee], "sent and arrived, due again or carried: nothing else"


def test_a_payee_that_only_owes_is_left_until_something_is_due_to_it() -> None:
    owes = Open("run-1-i1", "A00001", {"U00001": Decimal("-10.00")})
    assert net([("A00002", "U00001", Decimal("5.00"))], [owes])[0].payee == "A00002"
    (one,) = net([("A00001", "U00002", Decimal("12.34"))], [owes])
    assert (one.of_run, one.brought_forward, one.amount) == (Decimal("12.34"), Decimal("-10.00"), Decimal("2.34"))
    assert one.parts == {"U00001": Decimal("-10.00"), "U00002": Decimal("12.34")}
    assert one.taken == ("run-1-i1",)


def test_returned_money_is_sent_again_without_any_line() -> None:
    back = Open("run-1-i1", "A00001", {"U00001": Decimal("10.00")})
    (one,) = net([], [back])
    assert (one.of_run, one.amount, one.taken) == (NOTHING, Decimal("10.00"), ("run-1-i1",))
