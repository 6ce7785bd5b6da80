"""A query of one payment line: the clock that runs, and how it was answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.payments.model import PaymentLine, SamePerson
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Forbidden, Refused
from shared.events.funding import LineQueried, QueryAnswered, QueryWithdrawn
from shared.facts import Dated, no_overlap
from shared.history import kept


class LineQueriedAlready(Conflict):
    """A query of this line is open; it is answered before another is raised."""


class QueryClosed(Refused):
    """The query was answered or withdrawn."""


class QueryNotProposed(Refused):
    """Only a proposed adjustment can be approved or refused."""


class AmountIsByRule(Refused):
    """What is paid by head or bed, taken back with a right, or held, follows from rates, populations, members and
    withdrawals: it is put right there, and the next run pays the difference. An adjustment is for amounts that were
    claimed or decided."""


class NothingToAdjust(Refused):
    """The amount due is what was paid."""


class BeyondTheSum(Refused):
    """A claim is reimbursed within the network's sum for the year, and so is whatever an adjustment adds to it."""


class AnswersAnotherQuery(Refused):
    """The line pays an adjustment: what is still wrong is put right by a query of the line that was adjusted."""


class NotYourQuery(Forbidden):
    """Only whoever raised a query may withdraw it."""


class QueryState(StrEnum):
    OPEN = "open"
    PROPOSED = "proposed"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class AnswerKind(StrEnum):
    EXPLANATION = "explanation"
    CORRECTION = "correction"
    ADJUSTMENT = "adjustment"


OPEN = frozenset({QueryState.OPEN, QueryState.PROPOSED})
NATIONAL = "national"


class QueryClock(Base, Dated):
    """Within how many working days a query raised on these days is to be answered.

    No published time limit exists; the shipped one is this system's own.
    """

    __tablename__ = "query_clocks"
    __table_args__ = (no_overlap("query_clocks", "scope"), CheckConstraint("working_days > 0", name="some_days"))

    scope: Mapped[Code] = mapped_column(default=NATIONAL)
    working_days: Mapped[int]
    reason: Mapped[Words]
    set_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return []


@kept("contract_year", "network", entered="raised_at")
class PaymentQuery(Base, Versioned):
    """A payee, network or practice asks about one line. `answer_by` is fixed when it is raised.

    An `adjustment` is what is added to (or, negative, taken off) what the line paid; a run pays it once.
    """

    __tablename__ = "payment_queries"
    __table_args__ = (
        Index("uq_payment_queries_open", "line", unique=True, postgresql_where=text("state IN ('open', 'proposed')")),
        Index("ix_payment_queries_network", "network"),
        Index("ix_payment_queries_payee", "payee"),
        Index("ix_payment_queries_state", "state", "answer_by"),
        CheckConstraint("approved_by <> answered_by", name="two_people"),
        CheckConstraint("kind <> 'adjustment' OR state <> 'answered' OR approved_by IS NOT NULL", name="approved"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    line: Mapped[str] = mapped_column(String(80), ForeignKey("payment_lines.id"))
    run: Mapped[str] = mapped_column(String(64))
    network: Mapped[Code]
    practice: Mapped[str | None] = mapped_column(String(32))
    payee: Mapped[Code]
    stream: Mapped[str] = mapped_column(String(64))
    month: Mapped[str] = mapped_column(String(7))
    contract_year: Mapped[Code]
    paid: Mapped[Money | None]
    by_rule: Mapped[bool]
    reason: Mapped[Words]
    expected: Mapped[Money | None]
    raised_for: Mapped[Code]
    raised_by: Mapped[Words]
    raised_at: Mapped[Timestamp]
    raised_on: Mapped[date]
    answer_by: Mapped[date]
    state: Mapped[QueryState] = mapped_column(text_enum(QueryState))
    kind: Mapped[AnswerKind | None] = mapped_column(text_enum(AnswerKind))
    answer: Mapped[Words | None]
    correction: Mapped[Words | None]
    paid_before: Mapped[Money | None]
    amount_due: Mapped[Money | None]
    adjustment: Mapped[Money | None]
    answered_by: Mapped[Words | None]
    answered_on: Mapped[date | None]
    approved_by: Mapped[Words | None]
    closed_at: Mapped[Timestamp | None]
    refusal: Mapped[Words | None]
    adjusted_in: Mapped[str | None] = mapped_column(String(64))

    def concerns(self) -> Iterable[str]:
        return [self.network, self.payee, *([self.practice] if self.practice else [])]

    @classmethod
    def ask(
        cls, id: str, line: PaymentLine, reason: str, expected: Decimal | None, *, asker: str, by: str, at: datetime,
        on: date, answer_by: date,
    ) -> tuple[PaymentQuery, LineQueried]:  # fmt: skip
        """Somebody a line pays asks about it, and the clock runs."""
        query = cls(
            id=id,
            line=line.id,
            run=line.run,
            network=line.network,
            practice=line.practice,
            payee=line.payee,
            stream=line.stream,
            month=line.month,
            contract_year=line.contract_year,
            paid=line.amount,
            by_rule=line.reference is None or line.reference.startswith("reversals/"),
            reason=reason,
            expected=expected,
            raised_for=asker,
            raised_by=by,
            raised_at=at,
            raised_on=on,
            answer_by=answer_by,
            state=QueryState.OPEN,
            version=1,
        )
        told = {
            name: getattr(query, name) for name in ("line", "run", "network", "practice", "payee", "stream", "month")
        }
        return query, LineQueried(query=id, raised_on=on, answer_by=answer_by, **told)

    def overdue(self, today: date) -> bool:
        return self.state in OPEN and self.answer_by < today

    def _open(self) -> None:
        if self.state is not QueryState.OPEN:
            raise QueryClosed(f"The query is {self.state.value}.")

    def reply(
        self, kind: AnswerKind, answer: str, correction: str | None, *, by: str, at: datetime, on: date
    ) -> QueryAnswered:
        """Answer in words, or by naming the correction that the next run pays. Raises `QueryClosed`."""
        self._open()
        self.kind, self.answer, self.correction, self.answered_by, self.answered_on = kind, answer, correction, by, on
        return self._close(at)

    def propose(self, amount_due: Decimal, adjusted: Decimal, answer: str, *, by: str, on: date) -> None:
        """Propose to pay the difference between what is due and what was paid with `adjusted`, earlier adjustments.

        Raises `QueryClosed`, `AmountIsByRule` and `NothingToAdjust`.
        """
        self._open()
        if self.by_rule or self.paid is None:
            raise AmountIsByRule(f"{self.stream} of {self.month} is paid by rule: correct what it rests on.")
        self.paid_before = self.paid + adjusted
        if amount_due == self.paid_before:
            raise NothingToAdjust(f"{amount_due} is what was paid.")
        self.amount_due, self.adjustment = amount_due, amount_due - self.paid_before
        self.kind, self.answer, self.answered_by, self.answered_on = AnswerKind.ADJUSTMENT, answer, by, on
        self.state, self.refusal = QueryState.PROPOSED, None

    def _proposed(self, by: str) -> None:
        if self.state is not QueryState.PROPOSED:
            raise QueryNotProposed(f"The query is {self.state.value}.")
        if by == self.answered_by:
            raise SamePerson(f"{by} proposed the adjustment; somebody else must decide on it.")

    def approve(self, *, by: str, at: datetime) -> QueryAnswered:
        """A second person agrees, and the next run pays it. Raises `QueryNotProposed` and `SamePerson`."""
        self._proposed(by)
        self.approved_by = by
        return self._close(at)

    def refuse(self, reason: str, *, by: str) -> None:
        """A second person disagrees: the query is open again. Raises `QueryNotProposed` and `SamePerson`."""
        self._proposed(by)
        self.state, self.refusal = QueryState.OPEN, reason
        self.kind = self.answer = self.answered_by = self.answered_on = None
        self.paid_before = self.amount_due = self.adjustment = None

    def withdraw(self, reason: str, *, at: datetime, on: date) -> QueryWithdrawn:
        """Whoever asked is content. Raises `QueryClosed`."""
        self._open()
        self.state, self.answer, self.closed_at = QueryState.WITHDRAWN, reason, at
        return QueryWithdrawn(query=self.id, line=self.line, network=self.network, payee=self.payee, withdrawn_on=on)

    def _close(self, at: datetime) -> QueryAnswered:
        if self.kind is None or self.answered_on is None:
            raise QueryClosed("The query has no answer.")
        self.state, self.closed_at = QueryState.ANSWERED, at
        return QueryAnswered(
            query=self.id,
            line=self.line,
            network=self.network,
            payee=self.payee,
            kind=self.kind.value,
            adjustment=self.adjustment,
            answered_on=self.answered_on,
            answer_by=self.answer_by,
        )

    def trace(self) -> dict[str, Any]:
        """What the line that pays the adjustment remembers."""
        return {
            "kind": "adjustment",
            "query": self.id,
            "line": self.line,
            "month": self.month,
            "amount_due": str(self.amount_due),
            "paid_before": str(self.paid_before),
            "amount": str(self.adjustment),
            "answer": self.answer,
            "answered_by": self.answered_by,
            "approved_by": self.approved_by,
        }
