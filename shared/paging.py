"""Lists come in pages by keyset: a cursor is the key of the last row seen, so the last page costs as the first."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Row, Select, Text, literal, literal_column, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from shared.errors import Fault, Invalid

T = TypeVar("T")
Key = ColumnElement[Any] | InstrumentedAttribute[Any]

MAX_LIMIT = 1000


class Page(BaseModel, Generic[T]):
    """One page; `next` is the cursor of the following one, or null on the last."""

    items: list[T]
    next: str | None = None


class PageQuery:
    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows a page at the most")] = 100,
        cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
    ) -> None:
        self.limit = limit
        self.cursor = cursor


Paging = Annotated[PageQuery, Depends()]


def _bad_cursor() -> Invalid:
    return Invalid(
        "The cursor is not one this list gave.",
        errors=[Fault("query.cursor", "invalid_cursor", "Send the `next` of the page before, unchanged.")],
    )


def _column(key: Key) -> ColumnElement[Any]:
    return key if isinstance(key, ColumnElement) else key.expression


def encode(values: Sequence[Any]) -> str:
    plain = [v.isoformat() if isinstance(v, date) else str(v) if isinstance(v, Decimal) else v for v in values]
    text = json.dumps(plain)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, keys: Sequence[Key]) -> list[Any]:
    """The values of a cursor, as the types of the key columns. Raises `Invalid` for what this module did not make."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(keys):
            raise ValueError("wrong number of values")
        return [_typed(value, _column(key).type.python_type) for value, key in zip(values, keys, strict=True)]
    except (ValueError, TypeError, binascii.Error, InvalidOperation, RecursionError, OverflowError) as error:
        raise _bad_cursor() from error


def _typed(value: Any, kind: type) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is date:
        return date.fromisoformat(value)
    if kind is Decimal:
        number = Decimal(value)
        if not number.is_finite():
            raise ValueError("not a number")
        return number
    if kind is int:
        if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
            raise ValueError("not an integer")
        return value
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("not text")
    value.encode()
    return value


async def page(
    session: AsyncSession, statement: Select[Any], keys: Sequence[Key], paging: PageQuery
) -> tuple[list[Row[Any]], str | None]:
    """One page of `statement`, which has no order and no limit of its own, sorted by `keys`, unique together.

    Gives the rows and the cursor of the next page. Raises `Invalid` for a cursor that was not given out.
    """
    if paging.cursor:
        values = decode(paging.cursor, keys)
        last = [literal(value, type_=_column(key).type) for value, key in zip(values, keys, strict=True)]
        statement = statement.where(keys[0] > last[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*last))
    labelled = statement.add_columns(*(key.label(f"_key_{n}") for n, key in enumerate(keys)))
    rows = (await session.execute(labelled.order_by(*keys).limit(paging.limit + 1))).all()
    shown = list(rows[: paging.limit])
    more = len(rows) > paging.limit
    return shown, encode(list(shown[-1])[-len(keys) :]) if more else None


def paged(rows: Sequence[T], key: Callable[[T], str], paging: PageQuery) -> tuple[list[T], str | None]:
    """One page of what was computed rather than stored, already in the order of its key.

    Gives the rows and the cursor of the next page. Raises `Invalid` for a cursor that was not given out.
    """
    if paging.cursor:
        (last,) = decode(paging.cursor, [literal_column("key", Text())])
        rows = [row for row in rows if key(row) > last]
    shown = list(rows[: paging.limit])
    return shown, encode([key(shown[-1])]) if len(rows) > paging.limit else None
