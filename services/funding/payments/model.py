"""A payment run and its lines: calculated, approved by a second person, issued; after that nothing of it changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, Refused
from shared.history import kept

PAYMENTS_LOCK = 5_201_907
"""Advisory lock held while a run is calculated or issued, so that no run is calculated on payments about to change."""


class SamePerson(Refused):
    """Two people stand behind every payment: whoever prepared something may not approve it."""


class RunNotCalculated(Refused):
    """Only a calculated run can be approved."""


class RunNotApproved(Refused):
    """Only an approved run can be issued."""


class RunIssued(Refused):
    """An issued run stays as it is."""


class RunInProgress(Conflict):
    """Another run waits to be issued, or the month has been paid: differences come out in the next run."""


class MonthNotBegun(Refused):
    """A month is paid from its first day on."""


class ControlTotalsDiffer(Refused):
    """The lines do not add up to the totals the run was calculated with."""


class RunStatus(StrEnum):
    CALCULATED = "calculated"
    APPROVED = "approved"
    ISSUED = "issued"
    ABANDONED = "abandoned"


@kept(entered="calculated_at")
class PaymentRun(Base, Versioned):
    """One month's payment. `totals` by stream, `held` by reason and `findings` by kind are fixed by its calculation.

    `known_at` is the moment whose knowledge it pays on; what becomes known later comes out in the next run.
    """

    __tablename__ = "payment_runs"
    __table_args__ = (
        CheckConstraint("approved_by <> calculated_by", name="two_people"),
        Index("uq_payment_runs_month", "month", unique=True, postgresql_where=text("status <> 'abandoned'")),
        # two runs calculated side by side would both see the same months as unpaid
        Index(
            "uq_payment_runs_waiting",
            text("(true)"),
            unique=True,
            postgresql_where=text("status IN ('calculated', 'approved')"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    month: Mapped[str] = mapped_column(String(7))
    contract_year: Mapped[Code]
    status: Mapped[RunStatus] = mapped_column(text_enum(RunStatus))
    known_at: Mapped[Timestamp]
    total: Mapped[Money]
    lines: Mapped[int]
    totals: Mapped[dict[str, Any]] = mapped_column(JSONB)
    held: Mapped[dict[str, Any]] = mapped_column(JSONB)
    findings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    notes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    calculated_by: Mapped[Words]
    calculated_at: Mapped[Timestamp]
    approved_by: Mapped[Words | None]
    approved_at: Mapped[Timestamp | None]
    issued_by: Mapped[Words | None]
    issued_at: Mapped[Timestamp | None]
    abandoned_by: Mapped[Words | None]
    abandoned_at: Mapped[Timestamp | None]

    def concerns(self) -> Iterable[str]:
        return []

    def approve(self, by: str, at: datetime) -> None:
        """A second person agrees to the totals. Raises `RunNotCalculated` and `SamePerson`."""
        if self.status is not RunStatus.CALCULATED:
            raise RunNotCalculated(f"The run is {self.status.value}; only a calculated run can be approved.")
        if by == self.calculated_by:
            raise SamePerson(f"{by} calculated this run; somebody else must approve it.")
        self.status, self.approved_by, self.approved_at = RunStatus.APPROVED, by, at

    def issue(self, by: str, at: datetime) -> bool:
        """Leave the run for payment; false if it has been issued before. Raises `RunNotApproved`."""
        if self.status is RunStatus.ISSUED:
            return False
        if self.status is not RunStatus.APPROVED:
            raise RunNotApproved(f"The run is {self.status.value}; only an approved run can be issued.")
        self.status, self.issued_by, self.issued_at = RunStatus.ISSUED, by, at
        return True

    def abandon(self, by: str, at: datetime) -> None:
        """Give the run up unpaid, so that the month can be calculated afresh. Raises `RunIssued`."""
        if self.status is RunStatus.ISSUED:
            raise RunIssued("The run has been issued; differences come out in the next run.")
        if self.status is not RunStatus.ABANDONED:
            self.status, self.abandoned_by, self.abandoned_at = RunStatus.ABANDONED, by, at

    def check_totals(self, found: dict[str, tuple[int, Decimal]]) -> None:
        """Compare the lines as stored with the totals shown. Raises `ControlTotalsDiffer`."""
        shown = {stream: (int(t["lines"]), Decimal(t["amount"])) for stream, t in self.totals.items()}
        if shown != found:
            raise ControlTotalsDiffer("The lines of the run do not add up to its control totals.")


class PaymentLine(Base):
    """One amount to one payee for one stream and month, or what is held and why (`amount` null).

    `month` is what it pays for; `reference` names the claim or other amount it pays, and is null where it pays by head
    or bed. The database refuses to change lines of a run that is no longer being calculated.
    """

    __tablename__ = "payment_lines"
    __table_args__ = (
        Index("ix_payment_lines_run_network", "run", "network"),
        Index("ix_payment_lines_contract_year", "contract_year", "network", "practice", "stream"),
        Index("ix_payment_lines_practice", "practice"),
        Index("ix_payment_lines_reference", "reference", postgresql_where=text("reference IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"))
    network: Mapped[Code]
    practice: Mapped[str | None] = mapped_column(String(32))
    payee: Mapped[Code]
    stream: Mapped[str] = mapped_column(String(64))
    month: Mapped[str] = mapped_column(String(7))
    contract_year: Mapped[Code]
    amount: Mapped[Money | None]
    cause: Mapped[str] = mapped_column(String(32))
    held_code: Mapped[str | None] = mapped_column(String(32))
    reference: Mapped[str | None] = mapped_column(String(96))
    trace: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PaidReference(Base):
    """An amount that left with an issued run. The database enters it when the run is issued, and refuses a second."""

    __tablename__ = "paid_references"

    reference: Mapped[str] = mapped_column(String(96), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"))
    line: Mapped[str] = mapped_column(String(80), ForeignKey("payment_lines.id"))
