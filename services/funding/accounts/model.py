"""A network's account, and who is appointed to receive its money from a day on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Timestamp, Versioned
from shared.facts import Dated, no_overlap


class Account(Base, Versioned):
    """Opened when the network is approved. Without an appointed payee the network itself is paid."""

    __tablename__ = "accounts"

    network: Mapped[Code] = mapped_column(primary_key=True)
    opened_on: Mapped[date]
    opened_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.network]


class AppointedPayee(Base, Dated):
    """The organisation that receives a network's money on these days."""

    __tablename__ = "payees"
    __table_args__ = (no_overlap("payees", "network"),)

    network: Mapped[Code] = mapped_column(index=True)
    payee: Mapped[Code]
    position: Mapped[int] = mapped_column(BigInteger)
