"""Two histories are equal whatever their ids by chance, and different when anything else differs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chaos.areas import wave
from tests.chaos.states import State, _labelled, differences

ROUND, ONE, TWO = "01kb3000000000000a", "01kb3000000000000b", "01kb3000000000000c"


def history(round_: str, one: str, two: str, *, payees: tuple[str, str] = ("A", "B"), paid: str = "1.00") -> State:
    rows: list[tuple[str, dict[str, Any]]] = [
        ("registry.rounds", {"id": f"rnd-{round_}", "commissioner": "C"}),
        ("registry.applications", {"id": f"app-{one}", "round": f"rnd-{round_}", "name": "N"}),
        ("registry.applications", {"id": f"app-{two}", "round": f"rnd-{round_}", "name": "N"}),
        ("funding.lines", {"application": f"app-{one}", "payee": payees[0], "trace": {"of": [f"app-{one}"]}}),
        ("funding.lines", {"application": f"app-{two}", "payee": payees[1], "trace": {"of": [f"app-{two}"]}}),
        ("funding.paid", {"claim": f"claim-{one}-2022-04", "amount": paid}),
    ]
    return _labelled([(table, json.dumps(row, sort_keys=True)) for table, row in rows])


def test_ids_by_chance_do_not_matter() -> None:
    other = "01kb3999999999999"
    assert differences(history(ROUND, ONE, TWO), history(f"{other}x", f"{other}y", f"{other}z")) == []
    assert differences(history(ROUND, ONE, TWO), history(ROUND, TWO, ONE)) == []


@pytest.mark.parametrize("change", [{"paid": "1.01"}, {"payees": ("B", "A")}, {"payees": ("A", "A")}])
def test_anything_else_does(change: dict[str, Any]) -> None:
    assert differences(history(ROUND, ONE, TWO), history(ROUND, ONE, TWO, **change))


def test_a_row_more_or_less_is_seen() -> None:
    full, less = history(ROUND, ONE, TWO), history(ROUND, ONE, TWO)
    less["registry.rounds"].clear()
    assert any("missing in registry.rounds" in line for line in differences(full, less))
    assert any("too much in registry.rounds" in line for line in differences(less, full))


def test_a_seed_gives_the_same_area_every_time_and_another_seed_another() -> None:
    assert wave(1, 3, 2) == wave(1, 3, 2)
    assert wave(1, 3, 2).files() == wave(1, 3, 2).files()
    assert wave(1, 3, 2) != wave(2, 3, 2)
    assert wave(1, 9, 1).month == "2023-01"
