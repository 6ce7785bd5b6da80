"""Bringing what the register believes in line with what a file says, in a few set-based statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Table, Text, any_, cast, delete, func, inspect, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, NUMRANGE, TSTZRANGE
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import copy_rows
from shared.facts import Dated

Key = tuple[str, ...]
Span = tuple[date, date | None]
"""First day, and the day after the last one; `None` while open."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What holds of a key during a span of days."""

    span: Span
    values: tuple[Any, ...]


@dataclass(slots=True)
class Reconciled:
    """What changed: per key the pieces no longer believed and those now believed; and what stayed."""

    ended: dict[Key, list[Piece]] = field(default_factory=dict)
    begun: dict[Key, list[Piece]] = field(default_factory=dict)
    before: dict[Key, list[Piece]] = field(default_factory=dict)

    @property
    def changed(self) -> set[Key]:
        """Every key that changed, put together each time it is asked for: for one key ask `touched`."""
        return set(self.ended) | set(self.begun)

    def touched(self, key: Key) -> bool:
        return key in self.ended or key in self.begun


@dataclass(slots=True)
class _Held:
    ids: dict[Piece, int] = field(default_factory=dict)
    last_learned: datetime | None = None
    last_dropped: datetime | None = None


async def reconcile(
    session: AsyncSession,
    model: type[Dated],
    *,
    key: Sequence[str],
    values: Sequence[str],
    desired: Mapping[Key, Sequence[Piece]],
    published: datetime,
    now: datetime,
    within: Iterable[ColumnElement[bool]] = (),
) -> Reconciled:
    """Believe from now on exactly the desired pieces of each desired key; keys not named are left alone.

    The new belief dates from the day the file was published, or from now where something later was known of the key.
    """
    held = await _held(session, model, key, values, [k[0] for k in desired], within)
    outcome = Reconciled()
    closing: dict[datetime, list[int]] = {}
    erased: list[int] = []
    rows: list[list[Any]] = []
    for k, pieces in desired.items():
        has = held.get(k) or _Held()
        outcome.before[k] = list(has.ids)
        wanted = set(pieces)
        gone = [piece for piece in has.ids if piece not in wanted]
        new = [piece for piece in wanted if piece not in has.ids]
        if not gone and not new:
            continue
        moment = _moment(has, published, now)
        if gone:
            outcome.ended[k] = gone
            at_once = has.last_learned is not None and has.last_learned >= moment
            (erased if at_once else closing.setdefault(moment, [])).extend(has.ids[piece] for piece in gone)
        if new:
            outcome.begun[k] = sorted(new, key=lambda piece: piece.span[0])
            belief = f"[{moment.isoformat()},)"
            rows.extend([*k, *(_cell(v) for v in piece.values), span_text(piece.span), belief] for piece in new)
    table = table_of(model)
    if erased:
        await session.execute(delete(model).where(model.fact_id == any_(literal(erased, ARRAY(table.c.fact_id.type)))))
    for moment, ids in closing.items():
        shorter = func.tstzrange(func.lower(model.known), literal(moment), type_=TSTZRANGE)
        await session.execute(
            update(table)
            .where(table.c.fact_id == any_(literal(ids, ARRAY(table.c.fact_id.type))))
            .values(known=shorter)
        )
    if rows:
        await copy_rows(session, table, [*key, *values, "valid", "known"], rows)
    return outcome


def table_of(model: type[Dated]) -> Table:
    table = inspect(model).local_table
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


async def _held(
    session: AsyncSession,
    model: type[Dated],
    key: Sequence[str],
    values: Sequence[str],
    firsts: list[str],
    within: Iterable[ColumnElement[bool]],
) -> dict[Key, _Held]:
    columns = [getattr(model, name) for name in (*key, *values)]
    columns = [cast(c, Text) if isinstance(c.type, NUMRANGE) else c for c in columns]
    statement = select(
        model.fact_id,
        func.lower(model.valid),
        func.upper(model.valid),
        func.lower(model.known),
        func.upper(model.known),
        *columns,
    ).where(getattr(model, key[0]) == any_(literal(sorted(set(firsts)), ARRAY(Text))), *within)
    held: dict[Key, _Held] = {}
    for fact_id, first, after, learned, dropped, *rest in await session.execute(statement):
        k = tuple(str(part) for part in rest[: len(key)])
        has = held.setdefault(k, _Held())
        if dropped is None:
            has.ids[Piece((first, after), tuple(rest[len(key) :]))] = fact_id
            has.last_learned = max(filter(None, (has.last_learned, learned)))
        else:
            has.last_dropped = max(filter(None, (has.last_dropped, dropped)))
    return held


def _moment(has: _Held, published: datetime, now: datetime) -> datetime:
    later = has.last_learned is not None and has.last_learned >= published
    dropped_later = has.last_dropped is not None and has.last_dropped > published
    return now if later or dropped_later else published


def _cell(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def span_text(span: Span) -> str:
    return f"[{span[0].isoformat()},{'' if span[1] is None else span[1].isoformat()})"


def from_day_on(held: Sequence[Piece], first: date, whole: Span, values: tuple[Any, ...]) -> list[Piece]:
    """As `from_day`, up to the first later day of which the register has been told already: that stands."""
    later = sorted((p for p in held if p.span[0] > first), key=lambda piece: piece.span[0])
    until = _sooner(whole[1], later[0].span[0]) if later else whole[1]
    before = [piece for piece in held if piece.span[0] <= first]
    pieces = from_day(before, first, (whole[0], until), values) if until is None or whole[0] < until else []
    for piece in later:
        upper = _sooner(piece.span[1], whole[1])
        if upper is not None and piece.span[0] >= upper:
            continue
        if pieces and pieces[-1].values == piece.values and pieces[-1].span[1] == piece.span[0]:
            pieces[-1] = Piece((pieces[-1].span[0], upper), piece.values)
        else:
            pieces.append(Piece((piece.span[0], upper), piece.values))
    return pieces


def from_day(held: Sequence[Piece], first: date, whole: Span, values: tuple[Any, ...]) -> list[Piece]:
    """What a register entry becomes when a file of `first` gives these values: earlier pieces stay, within `whole`.

    The first file of an entry speaks for its whole span, for nothing else is known of the time before.
    """
    earlier = sorted((p for p in held if p.span[0] < first), key=lambda piece: piece.span[0])
    if not earlier:
        return [Piece(whole, values)]
    pieces: list[Piece] = []
    for piece in [*earlier, Piece((max(first, whole[0]), whole[1]), values)]:
        lower, upper = max(piece.span[0], whole[0]), _sooner(piece.span[1], whole[1])
        if piece.span[0] < first and piece in earlier:
            upper = _sooner(upper, first)
        if pieces and pieces[-1].values == piece.values and pieces[-1].span[1] == lower:
            pieces[-1] = Piece((pieces[-1].span[0], upper), piece.values)
        elif upper is None or lower < upper:
            pieces.append(Piece((lower, upper), piece.values))
    if pieces and pieces[0].span[0] > whole[0]:
        pieces[0] = Piece((whole[0], pieces[0].span[1]), pieces[0].values)
    return pieces


def _sooner(one: date | None, other: date | None) -> date | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


async def held_pieces(
    session: AsyncSession, model: type[Dated], key: str, values: Sequence[str], codes: list[str]
) -> dict[str, list[Piece]]:
    """What is believed now of these codes."""
    held = await _held(session, model, [key], values, codes, [func.upper_inf(model.known)])
    return {k[0]: list(has.ids) for k, has in held.items()}
