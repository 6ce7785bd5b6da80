"""The days on which something that callers publish holds."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from shared.http import In

Day = Annotated[date, Field(ge=date(2019, 4, 1), le=date(2099, 3, 31))]
"""A day since networks began."""


class DatedIn(In):
    """What holds from a day on, open unless a last day is given."""

    valid_from: Day
    valid_to: Day | None = None

    @model_validator(mode="after")
    def in_order(self) -> DatedIn:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self
