"""Claims as funding and workforce tell of them, and what they come to by network or practice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from services.reporting.base import Base
from shared.database import Code, Headcount, Money, Words, text_enum


class ClaimKind(StrEnum):
    """Roles by the month, arrears of roles by the year, a practice's GPs by the month, achievements by the year."""

    ROLES = "roles"
    ARREARS = "arrears"
    PRACTICE_SCHEME = "practice-scheme"
    ACHIEVEMENTS = "achievements"


class ClaimState(StrEnum):
    MADE = "made"
    APPROVED = "approved"
    RETURNED = "returned"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    PAID = "paid"


class Claim(Base):
    """A claim and its outcome. The outcome may be heard of first: then the evidence is still empty.

    One sent back, turned down or taken back claims nothing any more; made again it is another claim. What a practice
    claims has no network, what is claimed for a year no month.
    """

    __tablename__ = "claims"

    claim: Mapped[Words] = mapped_column(primary_key=True)
    network: Mapped[Code]
    post: Mapped[Code]
    month: Mapped[Code]
    role: Mapped[Code | None]
    wte: Mapped[Headcount | None]
    claimed: Mapped[Money | None]
    made_on: Mapped[date | None]
    state: Mapped[ClaimState] = mapped_column(text_enum(ClaimState))
    payable: Mapped[Money | None]
    limited_by: Mapped[Words | None]
    code: Mapped[Words | None]
    paid: Mapped[Money | None]
    outcome_sequence: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[ClaimKind] = mapped_column(
        text_enum(ClaimKind), default=ClaimKind.ROLES, server_default=ClaimKind.ROLES.value
    )
    practice: Mapped[Code] = mapped_column(default="", server_default="")
    contract_year: Mapped[Code]


class NetworkClaims(Base):
    """What a network (or, under an empty network, a practice) claimed for a month, and under an empty month for the
    whole year: the sum of its claims that stand, what was granted of them and what was paid."""

    __tablename__ = "network_claims"

    contract_year: Mapped[Code] = mapped_column(primary_key=True)
    month: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(primary_key=True)
    claimed: Mapped[Money]
    claims: Mapped[int]
    kind: Mapped[ClaimKind] = mapped_column(
        text_enum(ClaimKind), primary_key=True, default=ClaimKind.ROLES, server_default=ClaimKind.ROLES.value
    )
    practice: Mapped[Code] = mapped_column(primary_key=True, default="", server_default="")
    approved: Mapped[Money] = mapped_column(default=Decimal(0), server_default="0")
    paid: Mapped[Money] = mapped_column(default=Decimal(0), server_default="0")
