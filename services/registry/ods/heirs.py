"""A file may still name a commissioner that has been succeeded: what it names goes to the heir all the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.model import Level, Succession
from services.registry.hierarchy.pieces import Values, handed_over
from services.registry.ods.reconcile import Key, Piece
from shared.facts import currently_known


@dataclass(frozen=True, slots=True)
class _Gone:
    """A commissioner that does not go on: since when, its heirs, and the one that inherits."""

    on: date
    heirs: frozenset[str]
    main: str


async def with_heirs(
    session: AsyncSession, desired: Mapping[Key, list[Piece]], held: Mapping[str, Sequence[Piece]], at: int
) -> dict[Key, list[Piece]]:
    """What a file says, and after each succession the heir that was given it then. `at` is where the code stands."""
    gone = await _gone(session)
    if not gone:
        return dict(desired)
    return {key: _followed(pieces, held.get(key[0], ()), gone, at) for key, pieces in desired.items()}


async def _gone(session: AsyncSession) -> dict[str, _Gone]:
    links: dict[str, list[Succession]] = defaultdict(list)
    standing = select(Succession).where(Succession.level == Level.COMMISSIONER, currently_known(Succession))
    for link in await session.scalars(standing.order_by(func.lower(Succession.valid))):
        links[link.predecessor].append(link)
    return {
        code: _Gone(
            those[0].valid_from,
            frozenset(link.successor for link in those),
            next((link.successor for link in those if link.inherits), those[0].successor),
        )
        for code, those in links.items()
        if all(link.successor != code for link in those)
    }


def _followed(pieces: list[Piece], held: Sequence[Piece], gone: Mapping[str, _Gone], at: int) -> list[Piece]:
    for _ in range(len(gone)):
        late = [
            (gone[p.values[at]].on, p.values[at])
            for p in pieces
            if p.values[at] in gone and (p.span[1] is None or p.span[1] > gone[p.values[at]].on)
        ]
        if not late:
            break
        on, code = min(late)
        heir = _given_to(held, gone[code], at)

        def becomes(values: Values, code: str = code, heir: str = heir) -> Values:
            return (*values[:at], heir, *values[at + 1 :]) if values[at] == code else values

        pieces = handed_over(pieces, on, becomes)
    return pieces


def _given_to(held: Sequence[Piece], gone: _Gone, at: int) -> str:
    """The heir the register gave it to that day, or the one that inherits."""
    for piece in held:
        if piece.span[0] <= gone.on < (piece.span[1] or date.max) and piece.values[at] in gone.heirs:
            return str(piece.values[at])
    return gone.main
