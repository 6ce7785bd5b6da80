"""Records that change and are no dated facts: the database keeps every state they were in, and how long it held.

The table of a kept record has a second one beside it, filled by a trigger whenever a row changes or goes, whoever
changes it: a person through the ORM, an event, a bulk statement. So lists and sums can be asked for as they stood.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import Column, DateTime, Index, Table, and_, exists, func, inspect, or_, select, union_all
from sqlalchemy.dialects.postgresql import TSTZRANGE
from sqlalchemy.orm import Mapped, aliased, mapped_column

ENTERED = "entered_at"
RecordT = TypeVar("RecordT")
_EARLIER = "pcn_earlier_states"
_ENTERED = "pcn_entered"


class Entered:
    """Mixin of a kept record that does not say by itself since when it is held: the database does."""

    entered_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp(), sort_order=99
    )


def kept(*index: str, entered: str = ENTERED) -> Callable[[type[RecordT]], type[RecordT]]:
    """Keep the earlier states of a mapped class; `index` are columns that lists look them up by.

    `entered` is the column that says since when a record is held, null for one held before states were kept.
    The migration makes the table with `keep_states` of `shared/migrations.py`.
    """

    def keep(model: type[RecordT]) -> type[RecordT]:
        table = _table(model)
        name = f"{table.name}_before"
        key = [column.name for column in table.primary_key]
        columns = [Column(column.name, column.type, nullable=column.nullable) for column in table.columns]
        earlier = Table(name, table.metadata, Column("known", TSTZRANGE, nullable=False), *columns)
        Index(f"ix_{name}_key", *(earlier.c[column] for column in key))
        if index:
            Index(f"ix_{name}_{index[0]}", *(earlier.c[column] for column in index))
        table.info[_EARLIER], table.info[_ENTERED] = earlier, entered
        return model

    return keep


def as_known(model: type[RecordT], known_at: datetime | None) -> type[RecordT]:
    """The records as they stood at a moment, to be queried like the class itself; now, they are the class.

    Only for sessions that read nothing else of the class and write nothing: what is given are states gone by.
    """
    if known_at is None:
        return model
    table, earlier, entered = _kept(model)
    since = table.c[entered]
    key = [column.name for column in table.primary_key]
    changed_since = exists().where(
        and_(*(earlier.c[name] == table.c[name] for name in key)), func.upper(earlier.c.known) > known_at
    )
    still = select(table).where(or_(since.is_(None), since <= known_at), ~changed_since)
    gone = select(*(earlier.c[column.name] for column in table.columns)).where(earlier.c.known.contains(known_at))
    return cast("type[RecordT]", aliased(cast(Any, model), union_all(still, gone).subquery()))


def relation_as_known(model: type[Any], *, then: bool) -> str:
    """The same for a statement written out as text: the records now, or `then`, at its parameter `known_at`."""
    table, earlier, entered = _kept(model)
    if not then:
        return table.name
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    same = " AND ".join(f'b."{column.name}" = t."{column.name}"' for column in table.primary_key)
    return (
        f"(SELECT {names} FROM {table.name} AS t WHERE (t.{entered} IS NULL OR t.{entered} <= :known_at) "  # noqa: S608
        f"AND NOT EXISTS (SELECT FROM {earlier.name} AS b WHERE {same} AND upper(b.known) > :known_at) "
        f"UNION ALL SELECT {names} FROM {earlier.name} WHERE known @> CAST(:known_at AS timestamptz))"
    )


def _table(model: type[Any]) -> Table:
    return cast(Table, inspect(model).local_table)


def _kept(model: type[Any]) -> tuple[Table, Table, str]:
    table = _table(model)
    return table, table.info[_EARLIER], table.info[_ENTERED]
