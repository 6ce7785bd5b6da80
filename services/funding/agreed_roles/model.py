"""An agreement on a role of one network: what it is called, the days it holds, and its ceiling."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.claims.rules import AGREED_LOCALLY
from shared.database import Code, Money, Words
from shared.errors import Refused
from shared.events.funding import RoleAgreed
from shared.facts import Dated, no_overlap

FIRST_DAY = date(2024, 4, 1)


class RolesNotOpenYet(Refused):
    """Roles outside the national list could be agreed from 1 April 2024 on."""


class AgreedRole(Base, Dated):
    """A commissioner agreed that a network is reimbursed for a role, up to a ceiling in pounds a year for one WTE.

    The role's code begins with `agreed_` and the network's code, so that it means nothing elsewhere.
    """

    __tablename__ = "agreed_roles"
    __table_args__ = (
        no_overlap("agreed_roles", "role"),
        CheckConstraint("ceiling > 0", name="ceiling"),
        Index("ix_agreed_roles_network", "network"),
    )

    network: Mapped[Code]
    commissioner: Mapped[Code]
    role: Mapped[str] = mapped_column(String(64))
    name: Mapped[Words]
    ceiling: Mapped[Money]
    agreed_on: Mapped[date]
    agreed_by: Mapped[Words]
    note: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.commissioner]

    @property
    def id(self) -> str:
        return f"{self.role}.{self.valid_from}"

    @property
    def value(self) -> Decimal | None:
        return self.ceiling

    @property
    def confidence(self) -> str:
        return "agreed"

    @property
    def variation(self) -> str | None:
        return None

    def agree(self) -> RoleAgreed:
        """The agreement counts. Raises `RolesNotOpenYet`."""
        if self.valid_from < FIRST_DAY:
            raise RolesNotOpenYet(f"Other roles could be agreed from {FIRST_DAY} on, not for {self.valid_from}.")
        return RoleAgreed(
            network=self.network,
            commissioner=self.commissioner,
            role=self.role,
            role_name=self.name,
            ceiling=self.ceiling,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            agreed_on=self.agreed_on,
        )


def code_of(network: str, short: str) -> str:
    """The code of a role agreed with one network."""
    return f"{AGREED_LOCALLY}{network.lower()}_{short}"
