from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Select, column, select, text
from sqlalchemy.dialects.postgresql import JSONB

_REFUSED = text(
    "SELECT number, refusal FROM imports, jsonb_array_elements(refused) WITH ORDINALITY AS listed (refusal, number) "
    "WHERE id = :id"
)


def refused_rows(id: str) -> Select[Any]:
    """The refused rows of an import, numbered in the order in which they were met."""
    rows = _REFUSED.bindparams(id=id).columns(column("number", BigInteger), column("refusal", JSONB))
    return select(rows.subquery())


def harmless(cell: str) -> str:
    """What a spreadsheet would take for a formula is shown as the text it is."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
