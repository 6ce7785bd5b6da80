"""The days on which a version of a network's agreement is in force."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code
from shared.facts import Dated, days, no_overlap


class NetworkAgreement(Base, Dated):
    """A version of a network's agreement. `valid` is the days on which it is in force: none where a signature turned
    out never to have been given, or while only its end was heard of.

    `position` is the newest signing read, `ended_position` the newest end: of the two the newer word counts.
    """

    __tablename__ = "network_agreements"
    __table_args__ = (
        no_overlap("network_agreements", "network", "agreement_version"),
        Index("ix_network_agreements_network", "network"),
    )

    network: Mapped[Code]
    agreement_version: Mapped[int]
    in_force_from: Mapped[date | None]
    last_day: Mapped[date | None]
    position: Mapped[int] = mapped_column(BigInteger)
    ended_position: Mapped[int] = mapped_column(BigInteger)

    def days_in_force(self) -> Range[date]:
        ended = self.last_day if self.ended_position > self.position else None
        if self.in_force_from is None or (ended is not None and ended < self.in_force_from):
            return Range(empty=True)
        return days(self.in_force_from, ended)
