"""Roles, caps on their number and the share of cost paid, each with its dates and how sure the figure is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import ARRAY, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Headcount, Rate, Words

LARGE_NETWORK = Decimal(100_000)


class Role(Base):
    """A role of the additional roles scheme, from the first day it could be claimed."""

    __tablename__ = "roles"

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Words]
    band: Mapped[Words]
    claimable_from: Mapped[date]
    claimable_to: Mapped[date | None]
    employers: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    supplier_fee: Mapped[bool] = mapped_column(default=False)
    professional_register: Mapped[bool] = mapped_column(default=True)
    confidence: Mapped[Words]
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words | None]

    def claimable_on(self, day: date) -> bool:
        """Whether the role could be claimed on a day."""
        return self.claimable_from <= day and (self.claimable_to is None or day <= self.claimable_to)


class RoleCap(Base):
    """The most whole-time equivalents of a role a network is reimbursed for while the cap holds, by its size."""

    __tablename__ = "role_caps"

    role: Mapped[Code] = mapped_column(ForeignKey("roles.code"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date]
    below_100000: Mapped[Headcount]
    from_100000: Mapped[Headcount]
    confidence: Mapped[Words]
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words | None]

    def for_size(self, patients: Decimal | None) -> Decimal | None:
        """The cap of a network of that many registered patients; `None` when the size is needed and not known."""
        if patients is None:
            return None
        return self.from_100000 if patients >= LARGE_NETWORK else self.below_100000


class RoleShare(Base):
    """The part of actual cost that is paid for a role, where it is not all of it."""

    __tablename__ = "role_shares"

    role: Mapped[Code] = mapped_column(ForeignKey("roles.code"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date]
    share: Mapped[Rate]
    confidence: Mapped[Words]
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words | None]
