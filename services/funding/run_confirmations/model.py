"""An issued run that is closed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import CheckConstraint, ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.instructions.model import NOTHING
from shared.database import Money, Timestamp, Words
from shared.errors import Refused


class InstructionsOpen(Refused):
    """A run is closed when every instruction is confirmed, returned or carried forward; `errors` lists those open."""


class RunConfirmation(Base):
    """An issued run is closed: what was issued and brought forward was confirmed, came back, is carried forward or was
    held and went to another payee."""

    __tablename__ = "run_confirmations"
    __table_args__ = (
        CheckConstraint("issued + brought_forward = confirmed + returned + carried + redirected", name="adds_up"),
    )

    run: Mapped[str] = mapped_column(String(64), ForeignKey("payment_runs.id"), primary_key=True)
    issued: Mapped[Money]
    brought_forward: Mapped[Money]
    confirmed: Mapped[Money]
    returned: Mapped[Money]
    carried: Mapped[Money]
    redirected: Mapped[Money] = mapped_column(default=NOTHING, server_default=text("0"))
    confirmed_by: Mapped[Words]
    confirmed_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []
