"""Shapes several reports share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer


def _plain(value: Decimal) -> str:
    return format(value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize(), "f")


Number = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]
"""A count that may have a fraction (patients of a split list, WTE), as text without trailing zeros."""
