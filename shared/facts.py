"""Facts with two times: `valid`, the days on which it is true, and `known`, the time during which we believed it.

A correction never edits: it ends the belief in the old version and adds a new one, so "as at DATE as known on DAY" can
always be answered. The database refuses two versions of one key that are true and believed at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Identity, any_, func, inspect, select
from sqlalchemy.dialects.postgresql import DATERANGE, TSTZRANGE, ExcludeConstraint, Range, array
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

ONE_DAY = timedelta(days=1)
FactT = TypeVar("FactT", bound="Dated")


class Dated:
    """Mixin for a table of dated facts."""

    fact_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-1)
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)
    known: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)

    @property
    def version(self) -> int:
        """Its ETag: each correction makes a version of its own."""
        return self.fact_id

    @property
    def valid_from(self) -> date:
        if self.valid.lower is None:
            raise ValueError("a dated fact always has a first day")
        return self.valid.lower

    @property
    def valid_to(self) -> date | None:
        """The last day, itself included; `None` while open."""
        return None if self.valid.upper is None else self.valid.upper - ONE_DAY


def no_overlap(table: str, *key: str) -> ExcludeConstraint:
    """The constraint that refuses two versions of one key, true on one day and believed at one time.

    Give the key a plain index as well where lists look facts up by it, with `of_key`.
    """
    elements: list[tuple[Any, str]] = [(column, "=") for column in key]
    return ExcludeConstraint(*elements, ("valid", "&&"), ("known", "&&"), name=f"ex_{table}_overlap", using="gist")


def days(first: date, last: date | None = None) -> Range[date]:
    """The days from `first` to `last`, both included; open when there is no last one.

    Raises `ValueError` when the last day lies before the first.
    """
    if last is None or last == date.max:
        return Range(first, None)
    if last < first:
        raise ValueError(f"{last} lies before {first}")
    return Range(first, last + ONE_DAY)


def since(now: datetime) -> Range[datetime]:
    """The belief that begins now."""
    return Range(now, None)


def currently_known(model: type[Dated]) -> ColumnElement[bool]:
    return func.upper_inf(model.known)


def _within(span: InstrumentedAttribute[Range[Any]], moment: Any) -> ColumnElement[bool]:
    """True of the rows whose `span` holds a moment.

    Of a point read, whose moment is only a place, it is said as a function, which no index serves: such a read is
    planned once for all values, and PostgreSQL, guessing that hardly anything holds at an unknown moment, would go
    through all that holds then instead of what its key names.
    """
    if isinstance(moment, BindParameter):
        held: ColumnElement[bool] = func.range_contains_elem(span, moment)
        return held
    return span.contains(moment)


def believed(model: type[Dated], known_at: datetime | BindParameter[datetime] | None) -> ColumnElement[bool]:
    """True of the facts believed at a moment, or now."""
    return currently_known(model) if known_at is None else _within(model.known, known_at)


def as_at(
    model: type[Dated], day: date | BindParameter[date], known_at: datetime | BindParameter[datetime] | None = None
) -> ColumnElement[bool]:
    """True of the facts that held on `day` as known at `known_at`, or as known now."""
    return _within(model.valid, day) & believed(model, known_at)


def of_key(column: InstrumentedAttribute[str], code: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """True of the facts of one key, found through the key's B-tree.

    Said as "one of a list of one": PostgreSQL would rather take the GiST index of `no_overlap` for an equality, which
    finds a key several times slower, the more so the later it was entered, and GiST cannot look a list up.
    """
    return column == any_(array([code]))


def parts_outside(held: Range[date], taken: Range[date]) -> list[Range[date]]:
    """What is left of `held` when the days of `taken` are cut out: none, one or two ranges."""
    left = []
    if taken.lower is not None and (held.lower is None or held.lower < taken.lower):
        left.append(Range(held.lower, min(taken.lower, held.upper) if held.upper else taken.lower))
    if taken.upper is not None and (held.upper is None or held.upper > taken.upper):
        left.append(Range(max(taken.upper, held.lower) if held.lower else taken.upper, held.upper))
    return left


def held_in_turn(spells: Mapping[int, Range[date]]) -> list[tuple[int, Range[date]]]:
    """Of versions with numbers, which one holds on which days, where a higher number takes the place of lower ones.

    What was taken the place of does not come back when the higher one ends; what begins only after its last day holds.
    """
    held = []
    for number, own in sorted(spells.items()):
        if own.lower is not None and not own.isempty:
            later = [other for higher, other in spells.items() if higher > number and not other.isempty]
            replaced = [other.lower for other in later if other.upper is None or other.upper > own.lower]
            ends = [day for day in (own.upper, *replaced) if day is not None]
            if not ends or own.lower < min(ends):
                held.append((number, Range(own.lower, min(ends, default=None))))
    return held


def left_over(held: Range[date], taken: Sequence[Range[date]]) -> list[Range[date]]:
    """The days of `held` on which none of `taken` holds."""
    left = [held]
    for other in taken:
        left = [part for piece in left for part in parts_outside(piece, other)]
    return left


def another(fact: FactT, valid: Range[date], known: Range[datetime]) -> FactT:
    """Another version of a fact: what it says, on other days."""
    columns = {
        attribute.key: getattr(fact, attribute.key)
        for attribute in inspect(type(fact)).column_attrs
        if attribute.key not in {"fact_id", "valid", "known"}
    }
    return type(fact)(**columns, **{"valid": valid, "known": known})


async def withdraw(session: AsyncSession, model: type[Dated], *, now: datetime, days: Range[date], **key: Any) -> int:
    """From now on nothing is believed of this key on those days; gives how many versions that touched.

    What was believed before stays answerable; the parts of the old versions outside those days go on.
    """
    statement = (
        select(model)
        .where(
            *(getattr(model, column) == value for column, value in key.items()),
            currently_known(model),
            model.valid.overlaps(days),
        )
        .with_for_update()
    )
    held = (await session.scalars(statement)).all()
    for old in held:
        kept = [another(old, part, since(now)) for part in parts_outside(old.valid, days)]
        if old.known.lower is not None and old.known.lower >= now:
            await session.delete(old)
        else:
            old.known = Range(old.known.lower, now)
        # the end of the old belief must reach the database before the new one, or the two overlap there
        await session.flush()
        session.add_all(kept)
    return len(held)


async def amend(
    session: AsyncSession,
    model: type[Dated],
    *,
    now: datetime,
    days: Range[date],
    values: Mapping[str, Any],
    **key: Any,
) -> int:
    """From now on these values are believed of the key on those days, beside what else each version says.

    Gives how many versions that touched; days on which nothing was believed stay without anything.
    """
    held = await session.scalars(
        select(model)
        .where(
            *(getattr(model, column) == value for column, value in key.items()),
            currently_known(model),
            model.valid.overlaps(days),
        )
        .order_by(model.valid)
    )
    amended = [another(old, old.valid.intersection(days), since(now)) for old in held]
    for fact in amended:
        for name, value in values.items():
            setattr(fact, name, value)
    await withdraw(session, model, now=now, days=days, **key)
    session.add_all(amended)
    await session.flush()
    return len(amended)


async def record(session: AsyncSession, fact: Dated, *, key: Sequence[str], now: datetime) -> None:
    """Add a fact believed from `now` on, in place of whatever was believed of its key on the same days."""
    await withdraw(session, type(fact), now=now, days=fact.valid, **{column: getattr(fact, column) for column in key})
    fact.known = since(now)
    session.add(fact)
    await session.flush()


async def withdraw_many(
    session: AsyncSession, model: type[Dated], *, now: datetime, days: Mapping[str, Range[date]], key: str
) -> int:
    """`withdraw` for many keys at once, each on days of its own: three statements however many they are."""
    if not days:
        return 0
    column = getattr(model, key)
    believed = select(model).where(column.in_(list(days)), currently_known(model)).with_for_update()
    held = [old for old in await session.scalars(believed) if old.valid.overlaps(days[getattr(old, key)])]
    kept = []
    for old in held:
        kept += [another(old, part, since(now)) for part in parts_outside(old.valid, days[getattr(old, key)])]
        if old.known.lower is not None and old.known.lower >= now:
            await session.delete(old)
        else:
            old.known = Range(old.known.lower, now)
    await session.flush()
    session.add_all(kept)
    return len(held)


async def record_many(session: AsyncSession, facts: Sequence[Dated], *, key: str, now: datetime) -> None:
    """`record` for many facts of one kind, each of another key."""
    if not facts:
        return
    spans = {getattr(fact, key): fact.valid for fact in facts}
    await withdraw_many(session, type(facts[0]), now=now, days=spans, key=key)
    for fact in facts:
        fact.known = since(now)
    session.add_all(facts)
    await session.flush()
