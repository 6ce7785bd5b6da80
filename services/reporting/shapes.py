"""Shapes several reports share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer


def _plain(value: Decimal) -> str:
    return format(value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize(), "f")


Number = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]
"""A count that may have a fraction (patients of a split list, WTE), as text without trailing zeros."""

ContractYear = Annotated[str, Field(pattern=r"^20\d{2}-\d{2}$")]
Month = Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]
