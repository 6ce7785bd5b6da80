"""Money as reports ask for it: per network, per commissioner, per stream and month, with budgets beside it."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index, false
from sqlalchemy.orm import Mapped, mapped_column

from services.reporting.base import Base
from shared.database import Code, Money, Words


class Spend(Base):
    """What one run paid a network (`practice` is empty) or one of its practices, for a stream and month."""

    __tablename__ = "spend"
    __table_args__ = (Index("ix_spend_network", "network", "contract_year"),)

    run: Mapped[Words] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    stream: Mapped[Code] = mapped_column(primary_key=True)
    month: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[Code]
    commissioner: Mapped[Code]
    run_month: Mapped[Code]
    issued_on: Mapped[date]
    amount: Mapped[Money]
    lines: Mapped[int]


class CommissionerSpend(Base):
    """What was paid in a commissioner's area for a stream and month: the sum of its networks' rows."""

    __tablename__ = "commissioner_spend"

    contract_year: Mapped[Code] = mapped_column(primary_key=True)
    commissioner: Mapped[Code] = mapped_column(primary_key=True)
    stream: Mapped[Code] = mapped_column(primary_key=True)
    month: Mapped[Code] = mapped_column(primary_key=True)
    amount: Mapped[Money]
    lines: Mapped[int]


class Settlement(Base):
    """What became of the part of a payment instruction that stands for one network; the newest word counts.

    What came back and is part of a later instruction was `sent_again`.
    """

    __tablename__ = "settlements"
    __table_args__ = (Index("ix_settlements_network", "network", "contract_year"),)

    instruction: Mapped[Words] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[Code]
    month: Mapped[Code]
    payee: Mapped[Code]
    amount: Mapped[Money]
    returned: Mapped[bool]
    settled_on: Mapped[date]
    sequence: Mapped[int] = mapped_column(BigInteger)
    sent_again: Mapped[bool] = mapped_column(default=False, server_default=false())


class Redirection(Base):
    """What of an instruction two people let go to another payee; `sent_again` once that payee's payment was settled."""

    __tablename__ = "redirections"
    __table_args__ = (Index("ix_redirections_instruction", "instruction", "network"),)

    redirection: Mapped[Words] = mapped_column(primary_key=True)
    instruction: Mapped[Words]
    network: Mapped[Code]
    amount: Mapped[Money]
    sent_again: Mapped[bool]


class SettledDebt(Base):
    """What a payee owed for one network, and two people gave up (`written-off`) or had back otherwise (`recovered`)."""

    __tablename__ = "settled_debts"
    __table_args__ = (Index("ix_settled_debts_network", "network", "contract_year"),)

    decision: Mapped[Words] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(primary_key=True)
    contract_year: Mapped[Code]
    outcome: Mapped[Code]
    amount: Mapped[Money]


class Budget(Base):
    """The most a network may be reimbursed for roles in a year; `amount` is `None` while funding cannot compute it.

    With no reason either it was taken away again.
    """

    __tablename__ = "budgets"

    contract_year: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(primary_key=True)
    commissioner: Mapped[Code]
    amount: Mapped[Money | None]
    held_reason: Mapped[Words | None]
    sequence: Mapped[int] = mapped_column(BigInteger)
