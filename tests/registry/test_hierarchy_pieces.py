"""How dated pieces change hands, for any history: no day is lost, none is said twice, and what was done is undone."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.registry.hierarchy.pieces import Values, begun_by, handed_over, in_order, taken_back
from services.registry.ods.reconcile import Piece

START = date(2019, 4, 1)
CODES = st.sampled_from(["OLD", "X11", "X22"])
DAYS = st.integers(1, 60).map(lambda n: START + timedelta(days=n))


@st.composite
def histories(draw: st.DrawFn) -> list[Piece]:
    """Pieces side by side or with gaps, the last one open or closed; two neighbours never say the same."""
    bounds = sorted(draw(st.sets(DAYS, min_size=2, max_size=6)))
    pieces = [Piece((a, b), (draw(CODES),)) for a, b in pairwise(bounds) if draw(st.booleans())]
    if draw(st.booleans()):
        pieces.append(Piece((bounds[-1], None), (draw(CODES),)))
    return in_order(pieces)


def said(pieces: list[Piece], day: date) -> list[str]:
    return [p.values[0] for p in pieces if p.span[0] <= day and (p.span[1] is None or day < p.span[1])]


def to_heir(values: Values) -> Values:
    return ("NEW",) if values == ("OLD",) else values


@given(histories(), DAYS)
def test_from_the_day_on_the_heir_stands_where_the_predecessor_stood_and_before_it_nothing_changes(
    pieces: list[Piece], on: date
) -> None:
    after = handed_over(pieces, on, to_heir)
    for number in range(70):
        day = START + timedelta(days=number)
        before = said(pieces, day)
        assert len(said(after, day)) == len(before) <= 1
        assert said(after, day) == (["NEW" if code == "OLD" else code for code in before] if day >= on else before)


@given(histories(), DAYS)
def test_what_was_handed_over_and_taken_back_is_as_it_was_where_the_predecessor_stood_the_day_before(
    pieces: list[Piece], on: date
) -> None:
    back = taken_back(handed_over(pieces, on, to_heir), on, "OLD", ["NEW"], at=0)
    for number in range(70):
        day = START + timedelta(days=number)
        restored = ["OLD" if code == "NEW" else code for code in said(back, day)]
        assert restored == said(pieces, day)
    if said(pieces, on) == said(pieces, on - timedelta(days=1)) == ["OLD"]:
        assert said(back, on) == ["OLD"]


@given(histories(), DAYS)
def test_nothing_more_is_said_of_what_ends(pieces: list[Piece], on: date) -> None:
    after = handed_over(pieces, on, lambda _: None)
    assert all(piece.span[1] is not None and piece.span[1] <= on for piece in after)


@given(histories(), DAYS, st.none() | DAYS)
def test_an_heir_is_there_from_the_day_on_at_the_latest(pieces: list[Piece], on: date, was: date | None) -> None:
    begun = begun_by(pieces, on, was, ("NEW",))
    assert begun[0].span[0] <= on
    if not pieces:
        assert begun == [Piece((on, None), ("NEW",))]
