"""What people ask about payment lines, and what they get to hear."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import Field, model_validator

from services.funding.dated import DatedIn
from services.funding.queries.model import AnswerKind, QueryState
from shared.http import In, MoneyIn, MoneyOut, Out

Text = Annotated[str, Field(min_length=1, max_length=4000)]


class QueryIn(In):
    """What is asked about a line; `expected` is the amount thought right, if there is one."""

    line: Annotated[str, Field(min_length=1, max_length=80)]
    reason: Text
    expected: Annotated[MoneyIn | None, Field(ge=0)] = None


class AnswerIn(In):
    """An explanation is words alone; a correction also names what was corrected; an adjustment says what was due."""

    kind: AnswerKind
    answer: Text
    correction: Annotated[str | None, Field(min_length=1, max_length=1000)] = None
    amount_due: Annotated[MoneyIn | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def as_the_kind_wants(self) -> AnswerIn:
        if (self.kind is AnswerKind.ADJUSTMENT) != (self.amount_due is not None):
            raise ValueError("an adjustment, and only that, has an amount_due")
        if (self.kind is AnswerKind.CORRECTION) != (self.correction is not None):
            raise ValueError("a correction, and only that, names what was corrected")
        return self


class QueryReasonIn(In):
    reason: Text


class ClockIn(DatedIn):
    """Within how many working days queries raised on these days are to be answered."""

    working_days: Annotated[int, Field(ge=1, le=250, strict=True)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class ClockOut(Out):
    working_days: int
    reason: str
    valid_from: date
    valid_to: date | None
    set_by: str


class QueryOut(Out):
    """`paid` is what the line paid (null if held). `adjustment` is paid by the run named in `adjusted_in`."""

    id: str
    line: str
    run: str
    network: str
    practice: str | None
    payee: str
    stream: str
    month: str
    paid: MoneyOut | None
    reason: str
    expected: MoneyOut | None
    raised_for: str
    raised_by: str
    raised_on: date
    answer_by: date
    overdue: bool
    state: QueryState
    kind: AnswerKind | None
    answer: str | None
    correction: str | None
    amount_due: MoneyOut | None
    adjustment: MoneyOut | None
    answered_by: str | None
    answered_on: date | None
    approved_by: str | None
    closed_at: datetime | None
    refusal: str | None
    adjusted_in: str | None
