"""How what is dated changes hands: pieces of days in, pieces of days out, no database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from services.registry.ods.reconcile import Piece

Values = tuple[Any, ...]


def in_order(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces by their first day, those that say the same side by side as one."""
    whole: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.span[0]):
        if whole and whole[-1].values == piece.values and whole[-1].span[1] == piece.span[0]:
            whole[-1] = Piece((whole[-1].span[0], piece.span[1]), piece.values)
        else:
            whole.append(piece)
    return whole


def handed_over(pieces: Iterable[Piece], on: date, to: Callable[[Values], Values | None]) -> list[Piece]:
    """From `on`, what was said becomes what `to` makes of it; nothing more is said where it gives `None`."""
    found: list[Piece] = []
    for piece in pieces:
        first, after = piece.span
        if after is not None and after <= on:
            found.append(piece)
            continue
        if first < on:
            found.append(Piece((first, on), piece.values))
        values = to(piece.values)
        if values is not None:
            found.append(Piece((max(first, on), after), values))
    return in_order(found)


def taken_back(
    pieces: Iterable[Piece], on: date, predecessor: str, heirs: Sequence[str], *, at: int, reopened: bool = False
) -> list[Piece]:
    """As if what went on `on` from the predecessor to its heirs had stayed. `at` is where the code stands in values.

    `reopened`: what ended that day with no heir is open again.
    """
    found = in_order(pieces)
    for index, piece in enumerate(found):
        if piece.span[1] != on or piece.values[at] != predecessor:
            continue
        following = found[index + 1] if index + 1 < len(found) else None
        if following is not None and following.span[0] == on and following.values[at] in heirs:
            found[index + 1] = replace(following, values=piece.values)
        elif following is None and reopened:
            found[index] = Piece((piece.span[0], None), piece.values)
    return in_order(found)


def given_back(pieces: Iterable[Piece], on: date, predecessor: str, heirs: Sequence[str], *, at: int) -> list[Piece]:
    """As if what began with an heir `on` had begun with the predecessor, to be handed on once more."""
    first, *others = in_order(pieces)
    if first.span[0] == on and first.values[at] in heirs:
        first = replace(first, values=(*first.values[:at], predecessor, *first.values[at + 1 :]))
    return in_order([first, *others])


def begun_by(pieces: Sequence[Piece], on: date, was: date | None, values: Values) -> list[Piece]:
    """There from `on` at the latest, with its own first values or those given; where it began on `was`, from `on`."""
    if not pieces:
        return [Piece((on, None), values)]
    first, *others = in_order(pieces)
    begins = on if first.span[0] == was else min(on, first.span[0])
    return in_order([Piece((begins, first.span[1]), first.values), *others])
